//! Signed-out sessions, in memory: a copy of the table `revoked_sessions`, read once a second from where the last
//! reading ended. A session stays here until its token runs out anyway.

use crate::problem::chain;
use socketing_domain::{Clock, SystemClock, Timestamp};
use sqlx::{PgPool, types::time::OffsetDateTime};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the table is read: how long a sign-out takes to reach other processes.
const PERIOD: Duration = Duration::from_secs(1);
/// Rows per query.
const PAGE: i64 = 10_000;
/// A reading begins this long before the last row seen: a row gets its time when it is inserted, but can be seen only
/// after its commit. Sessions' statements time out sooner.
const OVERLAP: Duration = Duration::from_secs(15);

/// Between two deletions of rows whose tokens have run out, in readings: an hour.
const CLEAN_EVERY: u32 = 3600;

/// The signed-out sessions. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Revocations(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<Uuid, Timestamp>,
    read_to: Option<OffsetDateTime>,
}

#[derive(sqlx::FromRow)]
struct Row {
    session_id: Uuid,
    expires_at: OffsetDateTime,
    revoked_at: OffsetDateTime,
}

impl Revocations {
    /// Whether the session was signed out.
    #[must_use]
    pub fn contains(&self, session: Uuid) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).sessions.contains_key(&session)
    }

    /// Signs a session out: in the table, then here.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke(&self, pool: &PgPool, session: Uuid, expires_at: Timestamp) -> Result<(), sqlx::Error> {
        sqlx::query("insert into revoked_sessions (session_id, expires_at) values ($1, $2) on conflict (session_id) do nothing")
            .bind(session)
            .bind(expires_at.to_datetime())
            .execute(pool)
            .await?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).sessions.insert(session, expires_at);
        Ok(())
    }

    /// Reads what was added to the table since the last reading.
    ///
    /// # Errors
    /// The database's; the next reading begins where this one did.
    pub async fn load(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let read_to = self.0.read().unwrap_or_else(PoisonError::into_inner).read_to;
        let mut after = (read_to.map_or(OffsetDateTime::UNIX_EPOCH, |moment| moment - OVERLAP), Uuid::nil());
        loop {
            let rows: Vec<Row> = sqlx::query_as(
                "select session_id, expires_at, revoked_at from revoked_sessions
                 where (revoked_at, session_id) > ($1, $2) and expires_at > now() order by revoked_at, session_id limit $3",
            )
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(pool)
            .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.revoked_at, last.session_id);
            let full = rows.len() as i64 == PAGE;
            self.add(rows);
            if !full {
                return Ok(());
            }
        }
    }

    fn add(&self, rows: Vec<Row>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.read_to = known.read_to.max(rows.last().map(|row| row.revoked_at));
        known.sessions.extend(rows.into_iter().map(|row| (row.session_id, row.expires_at.into())));
    }

    /// Forgets sessions whose tokens have run out.
    fn forget(&self, now: Timestamp) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).sessions.retain(|_, expires_at| *expires_at > now);
    }

    /// Reads the table once a second until `stop`, and deletes what has run out once an hour. While the database is away,
    /// what is known stays known.
    pub async fn follow(self, pool: PgPool, stop: CancellationToken) {
        let (mut failing, mut readings) = (false, 0_u32);
        while stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            readings = readings.wrapping_add(1);
            let mut read = self.load(&pool).await;
            if read.is_ok() && readings.is_multiple_of(CLEAN_EVERY) {
                read = delete_expired(&pool).await;
            }
            if let (Err(error), false) = (&read, failing) {
                tracing::warn!(error = %chain(error), "reading signed-out sessions fails; trying again each second");
            }
            if read.is_ok() && failing {
                tracing::info!("signed-out sessions are read again");
            }
            failing = read.is_err();
            self.forget(SystemClock.now());
        }
    }
}

/// Deletes rows of sessions that have run out. Harmless from several processes at once.
async fn delete_expired(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("delete from revoked_sessions where expires_at < now() - interval '1 hour'").execute(pool).await?;
    Ok(())
}
