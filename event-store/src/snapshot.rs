//! Snapshots of performances: stored in parts, checked when they are read, ignored with a warning if anything about them
//! isn't right. Accounts, wallets and shows have short histories and need none.
//!
//! What is checked: the checksum (damage), the fold version (another program's), and that the log has the very event at
//! the snapshot's position that it ends with (a log that was restored, or lost its tail). A snapshot never makes a
//! difference to what is decided, only to how long its writer takes to start; `socketing verify` folds the log anew and
//! compares.

use crate::StoreError;
use crate::log::{self, signed, unsigned};
use sha2::{Digest, Sha256};
use socketing_domain::hall::Hall;
use socketing_domain::snapshot::{self, FOLD_VERSION, SnapshotError};
use socketing_domain::{PerformanceId, Timestamp};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, Row, Transaction};
use std::error::Error;
use time::OffsetDateTime;
use uuid::Uuid;

/// Bytes of one part: a statement of some milliseconds, so that no commit waits long behind its WAL.
const PART_BYTES: usize = 1024 * 1024;
/// Bytes of a snapshot: four times what two million people who wait take. A larger one isn't taken.
const SNAPSHOT_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Snapshots that are begun to be read: one may be replaced by a newer one meanwhile, which takes seconds at least.
const READS_MAX: usize = 3;

/// A performance's state as of a position, and what it was folded from.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The state.
    pub hall: Hall,
    /// The position of the last event folded in.
    pub position: u64,
    /// The latest moment at which one of the events was recorded.
    pub recorded_at: Timestamp,
}

/// A snapshot's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Whose it is.
    pub performance: PerformanceId,
    /// Of which program.
    pub fold_version: u32,
    /// Of the last event folded in.
    pub position: u64,
    last_hash: Vec<u8>,
    recorded_at: Timestamp,
    parts: u32,
    bytes: u64,
    checksum: Vec<u8>,
}

/// Why a snapshot is ignored.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Another program took it.
    #[error("it is of fold version {found}, this program's is {FOLD_VERSION}")]
    OtherVersion {
        /// Its version.
        found: u32,
    },
    /// Bytes are missing or changed.
    #[error("it is damaged: its checksum is another")]
    Damaged,
    /// The log has another event, or none, at its position.
    #[error("it doesn't fit the log: another event stands at its position, or none")]
    OtherLog,
    /// What is stored isn't a state.
    #[error("it can't be read")]
    Unreadable(#[source] SnapshotError),
}

/// The newest snapshot of a performance, if there is one that fits. One that doesn't is ignored with a warning.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn newest(pool: &PgPool, performance: PerformanceId) -> Result<Option<Snapshot>, StoreError> {
    for _ in 0..READS_MAX {
        let Some(stored) = newest_stored(pool, performance).await? else { return Ok(None) };
        let unfit = match read(pool, &stored).await? {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(unfit) => unfit,
        };
        if newest_stored(pool, performance).await?.as_ref() == Some(&stored) {
            let (position, reason) = (stored.position, &unfit as &dyn Error);
            tracing::warn!(%performance, position, error = reason, "a snapshot is ignored; the whole history is folded");
            return Ok(None);
        }
    }
    Ok(None) // each was replaced while it was read
}

async fn newest_stored(pool: &PgPool, performance: PerformanceId) -> Result<Option<Stored>, StoreError> {
    let sql = format!("{SELECT} where unit = $1 order by fold_version = $2 desc, position desc limit 1");
    let row = sqlx::query(&sql).bind(performance.0).bind(FOLD_VERSION as i32).fetch_optional(pool).await;
    row.and_then(|row| row.map(|row| stored_of(&row)).transpose()).map_err(failed(performance))
}

/// Reads a snapshot and checks everything about it.
///
/// # Errors
/// If Postgres can't be asked. What is wrong with the snapshot is the inner error.
pub async fn read(pool: &PgPool, stored: &Stored) -> Result<Result<Snapshot, Unfit>, StoreError> {
    if stored.fold_version != FOLD_VERSION {
        return Ok(Err(Unfit::OtherVersion { found: stored.fold_version }));
    }
    let bytes = read_parts(pool, stored).await.map_err(failed(stored.performance))?;
    if bytes.len() as u64 != stored.bytes || checksum(stored, &bytes)[..] != stored.checksum[..] {
        return Ok(Err(Unfit::Damaged));
    }
    if !fits(pool, stored).await? {
        return Ok(Err(Unfit::OtherLog));
    }
    let (id, position, recorded_at) = (stored.performance, stored.position, stored.recorded_at);
    let decoding = tokio::task::spawn_blocking(move || snapshot::decode(id, &bytes)); // a million people take a while
    let decoded = decoding.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
    Ok(decoded.map(|hall| Snapshot { hall, position, recorded_at }).map_err(Unfit::Unreadable))
}

async fn read_parts(pool: &PgPool, stored: &Stored) -> Result<Vec<u8>, sqlx::Error> {
    let room = usize::try_from(stored.bytes).unwrap_or(usize::MAX).min(SNAPSHOT_BYTES_MAX);
    let mut bytes = Vec::with_capacity(room);
    let mut connection = pool.acquire().await?;
    let sql = "select bytes from snapshot_parts where unit = $1 and fold_version = $2 and position = $3 and part = $4";
    for part in 0..stored.parts {
        let row = sqlx::query(sql)
            .bind(stored.performance.0)
            .bind(stored.fold_version as i32)
            .bind(signed(stored.position))
            .bind(part as i32)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { break }; // one that is missing shows in the checksum
        bytes.extend_from_slice(row.try_get::<&[u8], _>(0)?);
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

/// Whether the log has the very event that the snapshot ends with.
async fn fits(pool: &PgPool, stored: &Stored) -> Result<bool, StoreError> {
    let last = log::event_at(pool, stored.position).await?;
    Ok(last.is_some_and(|event| event.hash()[..] == stored.last_hash[..]))
}

/// Stores a snapshot, and deletes the older ones of its performance. Returns its size in bytes; `None` if it is too large
/// to be stored.
///
/// # Errors
/// If Postgres can't be asked, or no event stands at its position; then the one before is still there.
pub async fn store(pool: &PgPool, snapshot: &Snapshot, encoded: &[u8]) -> Result<Option<u64>, StoreError> {
    let performance = snapshot.hall.id();
    if encoded.len() > SNAPSHOT_BYTES_MAX {
        tracing::error!(%performance, bytes = encoded.len(), "a snapshot is too large to be stored");
        return Ok(None);
    }
    let last = log::event_at(pool, snapshot.position).await?;
    let last = last.ok_or(StoreError::NoEvent { position: snapshot.position })?;
    let mut stored = Stored {
        performance,
        fold_version: FOLD_VERSION,
        position: snapshot.position,
        last_hash: last.hash().to_vec(),
        recorded_at: snapshot.recorded_at,
        parts: encoded.len().div_ceil(PART_BYTES) as u32,
        bytes: encoded.len() as u64,
        checksum: Vec::new(),
    };
    stored.checksum = checksum(&stored, encoded).to_vec();
    let events = snapshot.hall.performance().sequence() + snapshot.hall.line().sequence();
    write(pool, &stored, events, encoded).await.map_err(StoreError::query(format!("store a snapshot of performance {performance}")))?;
    Ok(Some(stored.bytes))
}

async fn write(pool: &PgPool, stored: &Stored, events: u64, encoded: &[u8]) -> Result<(), sqlx::Error> {
    let (unit, version, position) = (stored.performance.0, stored.fold_version as i32, signed(stored.position));
    for (part, bytes) in encoded.chunks(PART_BYTES).enumerate() {
        let mut transaction = lazy_transaction(pool).await?;
        sqlx::query(
            "insert into snapshot_parts (unit, fold_version, position, part, bytes) values ($1, $2, $3, $4, $5)
             on conflict (unit, fold_version, position, part) do update set bytes = excluded.bytes",
        )
        .bind(unit)
        .bind(version)
        .bind(position)
        .bind(part as i32)
        .bind(bytes)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    let mut transaction = lazy_transaction(pool).await?;
    // Those of a newer program are left alone: while nodes are replaced one by one, each kind has its own.
    for table in ["snapshots", "snapshot_parts"] {
        let sql = format!("delete from {table} where unit = $1 and (fold_version < $2 or (fold_version = $2 and position < $3))");
        sqlx::query(&sql).bind(unit).bind(version).bind(position).execute(&mut *transaction).await?;
    }
    sqlx::query(
        "insert into snapshots (unit, fold_version, position, last_hash, events, recorded_at, parts, bytes, checksum)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (unit, fold_version, position) do update
             set last_hash = excluded.last_hash, events = excluded.events, recorded_at = excluded.recorded_at,
                 parts = excluded.parts, bytes = excluded.bytes, checksum = excluded.checksum, taken_at = excluded.taken_at",
    )
    .bind(unit)
    .bind(version)
    .bind(position)
    .bind(&stored.last_hash)
    .bind(signed(events))
    .bind(stored.recorded_at.to_datetime())
    .bind(stored.parts as i32)
    .bind(signed(stored.bytes))
    .bind(&stored.checksum)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// A transaction that doesn't wait for the disk: if a crash loses a snapshot, the one before is used.
async fn lazy_transaction(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("set local synchronous_commit = off").execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Every snapshot there is, for `verify`.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn all(pool: &PgPool) -> Result<Vec<Stored>, StoreError> {
    let rows = sqlx::query(&format!("{SELECT} order by unit, fold_version, position")).fetch_all(pool).await;
    let stored = rows.and_then(|rows| rows.iter().map(stored_of).collect());
    stored.map_err(StoreError::query("list the snapshots"))
}

/// Performances that something happened to at these positions, and whose history has grown by `events` or more since
/// their last snapshot.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn due(pool: &PgPool, positions: &[u64], events: u64) -> Result<Vec<PerformanceId>, StoreError> {
    let positions: Vec<i64> = positions.iter().copied().map(signed).collect();
    let ids: Result<Vec<Uuid>, _> = sqlx::query_scalar(
        "with active as (
             select distinct left(aggregate_id, 36) as id from events
             where position = any($1) and aggregate_type in ('performance', 'waiting-room', 'party')
         ), grown as (
             select a.id::uuid as id,
                    coalesce((select sequence from events where aggregate_type = 'performance' and aggregate_id = a.id order by sequence desc limit 1), 0)
                    + coalesce((select sequence from events where aggregate_type = 'waiting-room' and aggregate_id = a.id order by sequence desc limit 1), 0)
                    - coalesce((select max(s.events) from snapshots s where s.unit = a.id::uuid and s.fold_version = $2), 0) as events
             from active a
         )
         select id from grown where events >= $3 order by events desc",
    )
    .bind(positions)
    .bind(FOLD_VERSION as i32)
    .bind(signed(events))
    .fetch_all(pool)
    .await;
    Ok(ids.map_err(StoreError::query("look which performances need a snapshot"))?.into_iter().map(PerformanceId).collect())
}

const SELECT: &str = "select unit, fold_version, position, last_hash, recorded_at, parts, bytes, checksum from snapshots";

fn stored_of(row: &PgRow) -> Result<Stored, sqlx::Error> {
    Ok(Stored {
        performance: PerformanceId(row.try_get(0)?),
        fold_version: row.try_get::<i32, _>(1)? as u32,
        position: unsigned(row.try_get(2)?),
        last_hash: row.try_get(3)?,
        recorded_at: row.try_get::<OffsetDateTime, _>(4)?.into(),
        parts: row.try_get::<i32, _>(5)? as u32,
        bytes: unsigned(row.try_get(6)?),
        checksum: row.try_get(7)?,
    })
}

/// Over the bytes and everything that is believed about them: a part of another snapshot is damage too.
fn checksum(stored: &Stored, bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(stored.performance.0.as_bytes());
    hash.update(stored.fold_version.to_be_bytes());
    hash.update(stored.position.to_be_bytes());
    hash.update(&stored.last_hash);
    hash.update(stored.recorded_at.as_millis().to_be_bytes());
    hash.update(bytes);
    hash.finalize().into()
}

fn failed(performance: PerformanceId) -> impl FnOnce(sqlx::Error) -> StoreError {
    StoreError::query(format!("read the snapshot of performance {performance}"))
}
