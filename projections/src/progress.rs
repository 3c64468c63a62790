//! How far each projection is, for queries that must not answer too early.
//!
//! A runner in this process says so at each commit. Where another process owns a projection, one task asks Postgres for
//! all checkpoints at once, and only while somebody waits: a thousand waiting requests cost one small query each 20 ms.

use crate::projection::Model;
use sqlx::postgres::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

/// The longest a query waits for a projection.
pub const WAIT_MAX: Duration = Duration::from_secs(5);
/// Queries that may wait at once; more are told to come back.
pub const WAITERS_MAX: usize = 4_096;

const POLL_MIN: Duration = Duration::from_millis(20);
const POLL_MAX: Duration = Duration::from_millis(200);

/// What is known of one projection's checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Seen {
    position: u64,
    /// Whether this process owns the projection, so that the position is said here at once.
    owned: bool,
}

/// Where all projections are, as far as this process knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: [watch::Sender<Seen>; Model::ALL.len()],
    waiters: Semaphore,
    /// Wakes the poller.
    demand: Notify,
}

/// Why a wait ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Late {
    /// The projection didn't get there in time.
    TimedOut {
        /// How far it got.
        position: u64,
    },
    /// Too many wait already.
    TooMany,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress(Arc::new(Inner {
            seen: std::array::from_fn(|_| watch::Sender::new(Seen::default())),
            waiters: Semaphore::new(WAITERS_MAX),
            demand: Notify::new(),
        }))
    }
}

impl Progress {
    /// How far the projection is, as far as this process knows.
    #[must_use]
    pub fn position(&self, model: Model) -> u64 {
        self.seen(model).borrow().position
    }

    /// Waits until the projection has reached `position`, at most until `deadline`.
    ///
    /// # Errors
    /// If it doesn't get there, or too many wait.
    pub async fn reach(&self, model: Model, position: u64, deadline: Instant) -> Result<(), Late> {
        let mut seen = self.seen(model).subscribe();
        if seen.borrow_and_update().position >= position {
            return Ok(());
        }
        let _place = self.0.waiters.try_acquire().map_err(|_| Late::TooMany)?;
        self.0.demand.notify_one();
        let reached = seen.wait_for(|seen| seen.position >= position);
        match timeout_at(deadline, reached).await {
            Ok(_) => Ok(()), // the sender lives as long as `self`
            Err(_) => Err(Late::TimedOut { position: self.position(model) }),
        }
    }

    /// How many queries wait at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        WAITERS_MAX - self.0.waiters.available_permits()
    }

    /// A runner in this process has the projection from here on.
    pub(crate) fn own(&self, model: Model, position: u64) {
        self.seen(model).send_replace(Seen { position, owned: true });
    }

    /// A runner in this process committed up to `position`.
    pub(crate) fn advance(&self, model: Model, position: u64) {
        self.seen(model).send_modify(|seen| seen.position = position);
    }

    /// No runner in this process has the projection any more.
    pub(crate) fn disown(&self, model: Model) {
        self.seen(model).send_modify(|seen| seen.owned = false);
        self.0.demand.notify_one(); // whoever waits is now the poller's
    }

    /// Follows the checkpoints of projections that other processes own, while somebody waits, until `stop`.
    pub async fn poll(self, pool: PgPool, stop: CancellationToken) {
        let mut pause = POLL_MIN;
        while !stop.is_cancelled() {
            if !self.is_wanted() {
                tokio::select! {
                    () = self.0.demand.notified() => {}
                    () = stop.cancelled() => return,
                }
                pause = POLL_MIN;
            }
            match self.load(&pool).await {
                Ok(true) => pause = POLL_MIN,
                Ok(false) => pause = (pause * 2).min(POLL_MAX),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "can't read the projections' checkpoints; trying again");
                    pause = POLL_MAX;
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Whether anybody waits and some projection isn't owned here.
    fn is_wanted(&self) -> bool {
        self.waiting() > 0 && self.0.seen.iter().any(|seen| !seen.borrow().owned)
    }

    /// Takes over the stored checkpoints of projections that aren't owned here; returns whether any moved.
    async fn load(&self, pool: &PgPool) -> Result<bool, sqlx::Error> {
        let readers: Vec<&str> = Model::ALL.iter().map(|model| model.reader()).collect();
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select name, position from checkpoints where name = any($1)").bind(readers).fetch_all(pool).await?;
        let mut moved = false;
        for (name, position) in rows {
            let Some(model) = Model::ALL.into_iter().find(|model| model.reader() == name) else { continue };
            let position = u64::try_from(position).unwrap_or(0);
            moved |= self.seen(model).send_if_modified(|seen| {
                let news = !seen.owned && seen.position != position;
                if news {
                    seen.position = position;
                }
                news
            });
        }
        Ok(moved)
    }

    fn seen(&self, model: Model) -> &watch::Sender<Seen> {
        &self.0.seen[model.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn what_is_reached_is_not_waited_for() {
        let progress = Progress::default();
        progress.own(Model::Line, 7);
        assert_eq!(progress.reach(Model::Line, 7, Instant::now()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_commit_wakes_who_waits_for_it() {
        let progress = Progress::default();
        progress.own(Model::Line, 7);
        let waiting = tokio::spawn({
            let progress = progress.clone();
            async move { progress.reach(Model::Line, 9, soon()).await }
        });
        progress.advance(Model::Line, 8);
        progress.advance(Model::Line, 9);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(progress.position(Model::Line), 9);
    }

    #[tokio::test]
    async fn other_projections_dont_count() {
        let progress = Progress::default();
        progress.own(Model::Sales, 100);
        assert_eq!(progress.reach(Model::Line, 1, Instant::now()).await, Err(Late::TimedOut { position: 0 }));
    }

    #[tokio::test]
    async fn waiting_is_bounded() {
        let progress = Progress::default();
        let _all = progress.0.waiters.try_acquire_many(WAITERS_MAX as u32).unwrap();
        assert_eq!(progress.reach(Model::Line, 1, soon()).await, Err(Late::TooMany));
    }
}
