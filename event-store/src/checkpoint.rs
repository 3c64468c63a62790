//! Where each reader of the log has read to, stored in the same transaction as what it wrote.

use crate::log::{self, Page, signed, unsigned};
use crate::patience::{PATIENCE, answer};
use crate::{RawEvent, StoreError};
use sqlx::PgExecutor;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

/// A place in one history of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The last position seen; 0 at the beginning.
    pub position: u64,
    /// The log's incarnation.
    pub incarnation: Uuid,
    /// [`RawEvent::hash`] of the event at `position`; `None` at the beginning.
    pub last_hash: Option<[u8; 32]>,
}

impl Checkpoint {
    /// The beginning of a history.
    #[must_use]
    pub const fn beginning(incarnation: Uuid) -> Checkpoint {
        Checkpoint { position: 0, incarnation, last_hash: None }
    }

    /// The place right after `event`.
    #[must_use]
    pub fn after(event: &RawEvent, incarnation: Uuid) -> Checkpoint {
        Checkpoint { position: event.position, incarnation, last_hash: Some(event.hash()) }
    }
}

/// How the log and a checkpoint disagree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The log is another history: restored from a backup, or another log.
    #[error("the log's incarnation is {log}, the reader's {reader}")]
    Incarnation {
        /// Of the log.
        log: Uuid,
        /// Of the checkpoint.
        reader: Uuid,
    },
    /// The log ends before the checkpoint: it lost its tail.
    #[error("the log ends at {head}, before the reader's position {reader}")]
    Shorter {
        /// The log's last position.
        head: u64,
        /// The checkpoint's.
        reader: u64,
    },
    /// JetStream's copy isn't of this log, though it carries the log's incarnation: the log was restored, or lost its tail to
    /// a failover, and nobody has said so.
    #[error("JetStream's copy isn't of this log, which was restored or lost its tail: {0}")]
    Copy(String),
    /// Another event stands at the checkpoint's position.
    #[error("the event at position {position} isn't the one that the reader saw")]
    Event {
        /// Where.
        position: u64,
    },
}

/// Compares a checkpoint with the log. `Ok(None)`: the log continues the history that the checkpoint stands in.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn compare(pool: &PgPool, checkpoint: &Checkpoint) -> Result<Option<Mismatch>, StoreError> {
    let head = log::head(pool).await?;
    if head.incarnation != checkpoint.incarnation {
        return Ok(Some(Mismatch::Incarnation { log: head.incarnation, reader: checkpoint.incarnation }));
    }
    if head.position < checkpoint.position {
        return Ok(Some(Mismatch::Shorter { head: head.position, reader: checkpoint.position }));
    }
    let Some(expected) = checkpoint.last_hash else { return Ok(None) };
    let found = log::event_at(pool, checkpoint.position).await?.map(|event| event.hash());
    Ok((found != Some(expected)).then_some(Mismatch::Event { position: checkpoint.position }))
}

/// The events right after a checkpoint, in order, at most `limit` (and one less than [`log::PAGE_EVENTS_MAX`]), with the
/// head; or how the log no longer continues the history that the checkpoint stands in. For readers that go on for hours:
/// a log that is replaced beneath them, and has grown past them since, is noticed by the event at the checkpoint itself.
/// `types` as in [`log::page`].
///
/// # Errors
/// If Postgres can't be asked.
pub async fn read_on(
    db: impl PgExecutor<'_>,
    from: &Checkpoint,
    limit: u32,
    types: Option<&[&str]>,
) -> Result<Result<Page, Mismatch>, StoreError> {
    // The event at the checkpoint comes with those behind it.
    let mut page = log::page(db, from.position.saturating_sub(1), limit.min(log::PAGE_EVENTS_MAX - 1) + 1, types).await?;
    if page.head.incarnation != from.incarnation {
        return Ok(Err(Mismatch::Incarnation { log: page.head.incarnation, reader: from.incarnation }));
    }
    if page.head.position < from.position {
        return Ok(Err(Mismatch::Shorter { head: page.head.position, reader: from.position }));
    }
    if from.position > 0 {
        let seen = page.events.drain(..page.events.len().min(1)).next();
        let same = |event: RawEvent| event.position == from.position && from.last_hash.is_none_or(|hash| hash == event.hash());
        if !seen.is_some_and(same) {
            return Ok(Err(Mismatch::Event { position: from.position }));
        }
    }
    Ok(Ok(page))
}

/// The checkpoint of the reader `name`, if it has one.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn load(pool: &PgPool, name: &str) -> Result<Option<Checkpoint>, StoreError> {
    let row: Option<(i64, Uuid, Vec<u8>)> = sqlx::query_as("select position, incarnation, last_hash from checkpoints where name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await
        .map_err(StoreError::query(format!("load checkpoint {name}")))?;
    Ok(row.map(|(position, incarnation, hash)| Checkpoint { position: unsigned(position), incarnation, last_hash: hash.try_into().ok() }))
}

/// Moves the checkpoint of the reader `name` from position `from` (0: none yet) to `to`, in the caller's transaction.
/// If it isn't at `from`, two readers of that name are at work: nothing is stored, and the caller must roll back.
///
/// # Errors
/// [`StoreError::CheckpointMoved`] then; otherwise if Postgres can't be asked.
pub async fn store(transaction: &mut PgConnection, name: &str, from: u64, to: &Checkpoint) -> Result<(), StoreError> {
    // The conflicting row is locked until the caller commits, so a second reader waits here and then finds it moved.
    let storing = sqlx::query(
        "insert into checkpoints as c (name, position, incarnation, last_hash)
         select $1, $2, $3, $4 where $5 = 0 or exists (select 1 from checkpoints where name = $1)
         on conflict (name) do update
             set position = excluded.position, incarnation = excluded.incarnation, last_hash = excluded.last_hash, updated_at = clock_timestamp()
             where c.position = $5 and c.incarnation = excluded.incarnation",
    )
    .bind(name)
    .bind(signed(to.position))
    .bind(to.incarnation)
    .bind(to.last_hash.map_or_else(Vec::new, |hash| hash.to_vec()))
    .bind(signed(from))
    .execute(transaction);
    let done =
        answer(PATIENCE, "whether a checkpoint is stored", storing).await.map_err(StoreError::query(format!("store checkpoint {name}")))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::CheckpointMoved { name: name.to_owned(), from }) }
}
