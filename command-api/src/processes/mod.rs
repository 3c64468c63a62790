//! Process managers: what follows from events. One owner at a time follows the log with a checkpoint. The system's own
//! steps are carried out at once, from memory; what asks a provider outside, and what couldn't be done, is in a table for
//! workers. All of it happens outside any writer, in no order, each step a command with a key of its own. A crash at any
//! point repeats steps, to no effect.

mod absent;
mod at_once;
mod intent;
mod news;
mod open;
mod queue;
mod seeds;
mod steps;

pub(crate) use news::news_of;
pub use open::{Kind, OpenPayment, OpenPayments, State, open_payments};
pub(crate) use seeds::kept as kept_seed;

use crate::executor::Executor;
use crate::payments::Payments;
use crate::payments::card::CardProvider;
use at_once::Batch;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use intent::{Intent, Lane};
use queue::Queued;
use socketing_event_store::patience::{PATIENCE, no_answer};
use socketing_event_store::singleton::Lease;
use socketing_event_store::{Checkpoint, PgPool, StoreError, checkpoint, log};
use socketing_nats::{Feed, Subscription};
use socketing_service::problem::chain;
use sqlx::{Connection, PgConnection};
use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;
use steps::{StepError, Steps};
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The name of the lease and of the checkpoint.
const NAME: &str = "processes";
/// Events read per transaction.
const BATCH_EVENTS_MAX: usize = 500;
/// Intents of the system's own under way at once, from memory and from the table each: enough to fill commits, few enough
/// not to crowd out people's commands.
const UNDER_WAY_MAX: usize = 256;
/// More are looked for when such a part of those places is free: a look for one costs as much as for many.
const REFILL_PART: usize = 4;
/// How often intents that were put off are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The pause after a batch from which nothing follows: at an opening most of the log is such, and isn't worth a look for each
/// commit.
const PACE: Duration = Duration::from_millis(5);
/// The pause between two moves of the checkpoint: what a crash has carried out once more, to no effect.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);
/// The pause after a failure, before the follower starts over.
const PAUSE: Duration = Duration::from_secs(1);

/// Card intents under way at once without a provider: they are only put off.
const UNPROVIDED_MAX: usize = 8;

/// Follows the log and carries out what follows, whenever this process holds the lease, until `stopping`.
/// Who has no page open for `grace` is sent away from the inside.
pub async fn run(
    pool: PgPool,
    subscription: Option<Subscription>,
    executor: Executor,
    payments: Payments,
    grace: Duration,
    stopping: CancellationToken,
) {
    let cards_max = payments.card.as_ref().map_or(UNPROVIDED_MAX, CardProvider::in_flight);
    let owner = Uuid::now_v7();
    while !stopping.is_cancelled() {
        let mut lease = tokio::select! {
            () = stopping.cancelled() => return,
            lease = Lease::wait(&pool, NAME, owner) => lease,
        };
        let added = Added::default();
        let own =
            Workers { pool: &pool, executor: &executor, payments: &payments, lane: Lane::Own, most: UNDER_WAY_MAX, added: &added.own };
        let cards = Workers { lane: Lane::Card, most: cards_max, added: &added.card, ..own };
        let ended = {
            let terms = lease.clone();
            tokio::select! {
                () = stopping.cancelled() => None,
                lost = lease.keep(&pool) => Some(lost.into()),
                failed = follow(&pool, subscription.clone(), &terms, own, &added.card) => failed.err(),
                failed = absent::watch(&pool, grace, &added.own) => failed.err().map(Into::into),
                failed = own.work() => failed.err().map(Into::into),
                failed = cards.work() => failed.err().map(Into::into),
            }
        };
        match ended {
            Some(error) => {
                tracing::warn!(error = error.as_ref() as &(dyn Error + 'static), "the process managers start over");
                tokio::time::sleep(PAUSE).await;
            }
            None => drop(lease.release(&pool).await),
        }
    }
}

/// How the process managers stand, whichever process runs them, for `/readyz`. They stand still in another history of the
/// log than their checkpoint's (a restored database): an operator must look.
///
/// # Errors
/// Why they stand still, or that the database can't be asked.
pub async fn standing(pool: &PgPool, subscription: &Subscription) -> Result<String, String> {
    let told = |error: StoreError| chain(&error);
    let Some(at) = checkpoint::load(pool, NAME).await.map_err(told)? else { return Ok("nothing has happened yet".to_owned()) };
    let head = log::head(pool).await.map_err(told)?.position;
    match Feed::mismatch(pool, Some(subscription), &at).await.map_err(told)? {
        None => Ok(format!("at {}, {} events behind", at.position, head.saturating_sub(at.position))),
        Some(mismatch) => Err(format!("stand still at {} in another history of the log: {mismatch}", at.position)),
    }
}

/// Turns events into intents, in order, and has them carried out.
async fn follow(
    pool: &PgPool,
    subscription: Option<Subscription>,
    lease: &Lease,
    own: Workers<'_>,
    added: &Notify,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let at = match checkpoint::load(pool, NAME).await? {
        Some(checkpoint) => checkpoint,
        None => Checkpoint::beginning(log::head(pool).await?.incarnation),
    };
    let feed = Feed::open(pool.clone(), subscription, NAME, &at).await?;
    let feed = feed.only(Intent::CAUSES).woken_by(own.executor.commits().position());
    let (batches, taken) = mpsc::channel(at_once::BATCHES_MAX);
    let (incarnation, moves_checkpoint) = (at.incarnation, connect(pool).await?);
    tokio::select! {
        read = read(feed, incarnation, lease, connect(pool).await?, batches, added) => read,
        done = at_once::carry_out(own, taken, moves_checkpoint, at) => Ok(done?),
    }
}

/// Hands over what is to be done at once, and writes down what asks a provider outside.
async fn read(
    mut feed: Feed,
    incarnation: Uuid,
    lease: &Lease,
    mut connection: PgConnection,
    batches: mpsc::Sender<Batch>,
    added: &Notify,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let events = feed.next_batch(BATCH_EVENTS_MAX).await?;
        let Some(last) = events.last() else { continue };
        let next = Checkpoint::after(last, incarnation);
        let mut intents = Vec::new();
        for event in &events {
            if Intent::CAUSES.contains(&event.event_type.as_str()) {
                intents.extend(Intent::of(&event.decode()?).map(|intent| (event.position, intent)));
            }
        }
        let (outside, intents): (Vec<_>, Vec<_>) = intents.into_iter().partition(|(_, intent)| intent.lane() == Lane::Card);
        if !outside.is_empty() {
            let written = timeout(PATIENCE, write_down(&mut connection, lease, &outside)).await;
            written.unwrap_or_else(|_| Err(StoreError::query("add intents")(no_answer("whether they are added"))))?;
            added.notify_one();
        }
        let nothing_follows = intents.is_empty();
        batches.send(Batch { intents, next }).await?;
        if nothing_follows {
            tokio::time::sleep(PACE).await;
        }
    }
}

/// Adds intents, if the lease is still ours.
async fn write_down(connection: &mut PgConnection, lease: &Lease, intents: &[(u64, Intent)]) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(StoreError::query("begin to add intents"))?;
    lease.fence(&mut transaction).await?;
    queue::add(&mut transaction, intents).await?;
    transaction.commit().await.map_err(StoreError::query("commit intents"))
}

/// A connection whose transactions Postgres flushes lazily: a crash of the server may lose the last of them, the checkpoint
/// before what it stands behind, and the log gives them again.
async fn connect(pool: &PgPool) -> Result<PgConnection, StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::query("connect to follow the log"))?.detach();
    let lazily = sqlx::query("set synchronous_commit = off").execute(&mut connection).await;
    lazily.map_err(StoreError::query("set up the connection that follows the log"))?;
    Ok(connection)
}

/// Wakes the workers of a lane when there may be something for them.
#[derive(Default)]
struct Added {
    own: Notify,
    card: Notify,
}

/// Those who carry out a lane's intents.
#[derive(Clone, Copy)]
struct Workers<'a> {
    pool: &'a PgPool,
    executor: &'a Executor,
    payments: &'a Payments,
    lane: Lane,
    /// Intents under way at once.
    most: usize,
    added: &'a Notify,
}

/// An intent, and what came of trying it.
type Tried = (Queued, Result<Option<Intent>, StepError>);

impl<'a> Workers<'a> {
    /// Carries intents out, many at once, until Postgres fails.
    async fn work(self) -> Result<(), StoreError> {
        let mut under_way: HashSet<Uuid> = HashSet::new();
        let mut running = FuturesUnordered::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looking = true;
        loop {
            let places = self.most - under_way.len();
            if places > 0 && (looking || places * REFILL_PART >= self.most) {
                let busy: Vec<Uuid> = under_way.iter().copied().collect();
                for queued in queue::ready(self.pool, self.lane, &busy, places).await? {
                    under_way.insert(queued.id);
                    running.push(self.carry_out(queued));
                }
            }
            looking = false;
            tokio::select! {
                Some(tried) = running.next() => {
                    let mut finished = vec![tried];
                    // Whatever else has finished meanwhile is deleted with it.
                    while let Some(Some(more)) = futures::FutureExt::now_or_never(running.next()) {
                        finished.push(more);
                    }
                    self.settle(&mut under_way, finished).await?;
                }
                () = self.added.notified(), if under_way.len() < self.most => {}
                _ = look.tick() => looking = true,
            }
        }
    }

    async fn carry_out(self, queued: Queued) -> Tried {
        let outcome = self.try_once(&queued).await;
        (queued, outcome)
    }

    async fn try_once(self, queued: &Queued) -> Result<Option<Intent>, StepError> {
        if queued.intent.moves_money_outside() && !queued.in_doubt {
            queue::begin_doubt(self.pool, queued.id).await?;
        }
        self.steps(queued.position, queued.in_doubt, queued.age > self.payments.deadline).carry_out(queued.intent.clone()).await
    }

    const fn steps(self, position: u64, in_doubt: bool, overdue: bool) -> Steps<'a> {
        Steps { pool: self.pool, executor: self.executor, payments: self.payments, position, in_doubt, overdue }
    }

    /// What is in doubt past its deadline is an operator's business; the rest passes.
    fn complain(self, queued: &Queued, error: &str) {
        let (intent, attempts) = (&queued.intent, queued.attempts + 1);
        if queued.in_doubt && queued.age > self.payments.deadline {
            tracing::error!(?intent, attempts, error, "a payment is in doubt past its deadline");
        } else {
            complain(intent, attempts, error);
        }
    }

    async fn settle(self, under_way: &mut HashSet<Uuid>, finished: Vec<Tried>) -> Result<(), StoreError> {
        let (mut done, mut later) = (Vec::new(), Vec::new());
        for (queued, outcome) in finished {
            match outcome {
                Ok(more) => {
                    done.push(queued.id);
                    later.extend(more.map(|intent| (queued.position, intent)));
                }
                Err(error) => {
                    let error = chain(&error);
                    self.complain(&queued, &error);
                    queue::put_off(self.pool, &queued, &error).await?;
                    under_way.remove(&queued.id);
                }
            }
        }
        queue::done(self.pool, &done, &later, self.payments.deadline).await?;
        under_way.retain(|id| !done.contains(id));
        Ok(())
    }
}

fn complain(intent: &Intent, attempts: u32, error: &str) {
    tracing::warn!(?intent, attempts, error, "an intent is tried again later");
}
