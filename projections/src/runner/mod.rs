//! The runner: each projection is a task of its own, with its own lease, checkpoint and feed.
//!
//! A batch's rows and the checkpoint are one transaction, so a crash anywhere leaves both as they were, and what comes
//! twice is refused by the checkpoint's guard: the lease only keeps two owners from wasting work. Postgres flushes these
//! transactions lazily (`synchronous_commit = off`): a crash of the server may lose the last of them, whole and from the
//! end, and the log gives them again.

mod batch;
mod parked;
mod standing;

pub use parked::retry;
pub use standing::{rebuild, rebuild_all};

use crate::progress::Progress;
use crate::projection::{HandlerError, Model, Projection};
use batch::Applied;
use socketing_event_store::checkpoint::Mismatch;
use socketing_event_store::patience::no_answer;
use socketing_event_store::singleton::Lease;
use socketing_event_store::{Checkpoint, PgPool, RawEvent, StoreError};
use socketing_nats::{Feed, FeedError, Subscription};
use sqlx::postgres::PgConnection;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Events handled in one transaction at most: enough that a rebuild runs at full speed, few enough that one transaction
/// stays well under a second.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// How often a projection that stopped with an alarm looks whether somebody has mended it.
pub const ALARM_RECHECK: Duration = Duration::from_secs(10);

/// A batch begins so long after the one before, unless that was a big one: what comes alone is shown at once, and what comes
/// in a stream doesn't get a transaction for each event, eight times over, on the cores that decide commands.
const PACE: Duration = Duration::from_millis(40);
/// How long a batch may take before its connection counts as dead: nobody may be told of that.
const BATCH_MAX: Duration = Duration::from_secs(30);
/// Events of a batch that is big: there is more where it came from.
const BIG_BATCH: usize = BATCH_EVENTS_MAX / 4;
/// How often a projection that has nothing to do looks whether somebody has set it back to be folded anew. While it has
/// something to do, the checkpoint's guard tells.
const IDLE_CHECK: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What a projection stops for until somebody mends it. It never mixes two histories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// The log isn't the one that the rows were folded from, or its copy in JetStream goes on differently.
    #[error("another history of the log: {0}; docs/operations.md says what to do")]
    OtherHistory(Mismatch),
    /// A newer program wrote the tables.
    #[error("the tables are of version {found}, this program writes version {ours}")]
    NewerVersion {
        /// What the tables are.
        found: i32,
        /// What this program writes.
        ours: i32,
    },
}

/// Why a projection's work ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Alarm(#[from] Alarm),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("can't read the log")]
    Feed(#[source] FeedError),
    #[error("can't apply a batch")]
    Handler(#[from] HandlerError),
    #[error("can't {operation}")]
    Database {
        operation: &'static str,
        #[source]
        source: sqlx::Error,
    },
}

impl RunError {
    fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> RunError {
        move |source| RunError::Database { operation, source }
    }
}

impl From<FeedError> for RunError {
    fn from(error: FeedError) -> RunError {
        match error {
            FeedError::OtherHistory { mismatch, .. } => RunError::Alarm(Alarm::OtherHistory(mismatch)),
            error => RunError::Feed(error),
        }
    }
}

/// What every projection's task needs.
#[derive(Clone)]
pub struct Runner {
    /// The log's and the read models' database.
    pub pool: PgPool,
    /// Where fresh events come from; without it, they come from Postgres, a little later.
    pub subscription: Option<Subscription>,
    /// Told of every commit.
    pub progress: Progress,
    /// Names this process in leases.
    pub owner: Uuid,
}

impl Runner {
    /// Runs one projection until `stop`: waits for its lease, then follows the log. Outages are waited out.
    pub async fn run(self, projection: Arc<dyn Projection>, stop: CancellationToken) {
        let model = projection.model();
        loop {
            let mut lease = tokio::select! {
                lease = Lease::wait(&self.pool, model.reader(), self.owner) => lease,
                () = stop.cancelled() => return,
            };
            tracing::info!(projection = %model, epoch = lease.epoch(), "took the projection's lease");
            let lost = tokio::select! {
                lost = lease.keep(&self.pool) => Some(lost),
                () = self.work(&*projection) => None, // never ends by itself
                () = stop.cancelled() => None,
            };
            self.progress.disown(model);
            if let Some(lost) = lost {
                tracing::warn!(projection = %model, error = &lost as &dyn Error, "lost the projection's lease");
                continue;
            }
            if let Err(error) = lease.release(&self.pool).await {
                tracing::warn!(projection = %model, error = &error as &dyn Error, "can't give the projection's lease back");
            }
            return;
        }
    }

    /// Follows the log for as long as the lease lasts, again and again after failures.
    async fn work(&self, projection: &dyn Projection) {
        let model = projection.model();
        let mut pause = BACKOFF_MIN;
        loop {
            let started = Instant::now();
            let error = match self.follow(projection).await {
                Err(error) => error,
                Ok(never) => match never {},
            };
            self.progress.disown(model);
            if let RunError::Alarm(alarm) = &error {
                self.raise(model, alarm).await;
                sleep(ALARM_RECHECK).await;
                continue;
            }
            // An old failure says nothing about this one.
            if started.elapsed() > BACKOFF_MAX {
                pause = BACKOFF_MIN;
            }
            tracing::warn!(projection = %model, error = &error as &dyn Error, pause_ms = pause.as_millis() as u64, "the projection failed; trying again");
            sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    async fn raise(&self, model: Model, alarm: &Alarm) {
        tracing::error!(projection = %model, alarm = %alarm, "the projection stands still until somebody mends it");
        if let Err(error) = standing::raise(&self.pool, model, alarm).await {
            tracing::warn!(projection = %model, error = &error as &dyn Error, "can't store the projection's alarm");
        }
    }

    async fn follow(&self, projection: &dyn Projection) -> Result<std::convert::Infallible, RunError> {
        let model = projection.model();
        let mut connection = self.connect().await?;
        let mut at = standing::prepare(&mut connection, projection).await?;
        let mut feed = Feed::open(self.pool.clone(), self.subscription.clone(), model.reader(), &at).await?;
        standing::clear_alarm(&mut connection, model).await?;
        parked::retry_all(&self.pool, &mut connection, projection).await?;
        self.progress.own(model, at.position);
        loop {
            // Cancelling the feed's wait loses nothing.
            let Ok(events) = timeout(IDLE_CHECK, feed.next_batch(BATCH_EVENTS_MAX)).await else {
                standing::check_unmoved(&mut connection, model, &at).await?;
                continue;
            };
            let (events, began) = (events?, Instant::now());
            let applying = timeout(BATCH_MAX, apply(&mut connection, projection, &at, &events));
            at = applying.await.unwrap_or_else(|_| Err(RunError::database("apply a batch")(no_answer("in the middle of it"))))?;
            self.progress.advance(model, at.position);
            if events.len() < BIG_BATCH {
                sleep_until(began + PACE).await;
            }
        }
    }

    /// A connection of the projection's own: it never waits behind queries for one.
    async fn connect(&self) -> Result<PgConnection, RunError> {
        let mut connection = self.pool.acquire().await.map_err(RunError::database("connect"))?.detach();
        sqlx::query("set synchronous_commit = off").execute(&mut connection).await.map_err(RunError::database("set up the connection"))?;
        Ok(connection)
    }
}

/// Applies events right after `at`, rows and checkpoint in one transaction, and returns where the projection then is. An
/// event that its handler can't handle is found by applying them one by one, and parks its stream.
///
/// # Errors
/// If the database fails, or somebody else moved the checkpoint; nothing has changed then.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    at: &Checkpoint,
    events: &[Arc<RawEvent>],
) -> Result<Checkpoint, RunError> {
    let Some(last) = events.last() else { return Ok(at.clone()) };
    let to = Checkpoint::after(last, at.incarnation);
    match batch::apply_at_once(connection, projection, at, &to, events).await? {
        Applied::Committed => {}
        Applied::Refused(error) => {
            tracing::warn!(projection = %projection.model(), error = &error as &dyn Error, "a batch can't be applied; narrowing it down");
            batch::apply_one_by_one(connection, projection, at, &to, events).await?;
        }
    }
    Ok(to)
}
