//! Process managers: what follows from events. One owner at a time follows the log with a checkpoint and writes what is
//! to be done beside it, in one transaction; workers then do it outside any writer, in no order, each step a command
//! with a key of its own. A crash at any point repeats steps, to no effect.

mod intent;
mod queue;
mod steps;

use crate::executor::Executor;
use async_nats::jetstream::Context as Jetstream;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use intent::Intent;
use queue::Queued;
use socketing_event_store::singleton::Lease;
use socketing_event_store::{Checkpoint, PgPool, StoreError, checkpoint, log};
use socketing_nats::Feed;
use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;
use steps::Steps;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The name of the lease and of the checkpoint.
const NAME: &str = "processes";
/// Events read per transaction.
const BATCH_EVENTS_MAX: usize = 500;
/// Intents under way at once: enough to fill commits, few enough not to crowd out people's commands.
const UNDER_WAY_MAX: usize = 128;
/// How often intents that were put off are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The pause after a failure, before the follower starts over.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the log and carries out what follows, whenever this process holds the lease, until `stopping`.
pub async fn run(pool: PgPool, jetstream: Option<Jetstream>, executor: Executor, stopping: CancellationToken) {
    let owner = Uuid::now_v7();
    while !stopping.is_cancelled() {
        let mut lease = tokio::select! {
            () = stopping.cancelled() => return,
            lease = Lease::wait(&pool, NAME, owner) => lease,
        };
        let added = Notify::new();
        let ended = {
            let terms = lease.clone();
            tokio::select! {
                () = stopping.cancelled() => None,
                lost = lease.keep(&pool) => Some(lost.into()),
                failed = follow(&pool, jetstream.clone(), &terms, &added) => failed.err(),
                failed = work(&pool, &executor, &added) => failed.err().map(Into::into),
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

/// Turns events into intents, in order, each batch with its checkpoint.
async fn follow(pool: &PgPool, jetstream: Option<Jetstream>, lease: &Lease, added: &Notify) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut at = match checkpoint::load(pool, NAME).await? {
        Some(checkpoint) => checkpoint,
        None => Checkpoint::beginning(log::head(pool).await?.incarnation),
    };
    let mut feed = Feed::open(pool.clone(), jetstream, NAME, &at).await?;
    loop {
        let events = feed.next_batch(BATCH_EVENTS_MAX).await?;
        let Some(last) = events.last() else { continue };
        let next = Checkpoint::after(last, at.incarnation);
        let mut intents = Vec::new();
        for event in &events {
            let recorded = event.decode()?;
            intents.extend(Intent::of(&recorded).map(|intent| (event.position, intent)));
        }
        let mut transaction = pool.begin().await?;
        lease.fence(&mut transaction).await?;
        if !intents.is_empty() {
            queue::add(&mut transaction, &intents).await?;
        }
        checkpoint::store(&mut transaction, NAME, at.position, &next).await?;
        transaction.commit().await?;
        at = next;
        added.notify_one();
    }
}

/// Carries intents out, many at once, until Postgres fails.
async fn work(pool: &PgPool, executor: &Executor, added: &Notify) -> Result<(), StoreError> {
    let mut under_way: HashSet<Uuid> = HashSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let busy: Vec<Uuid> = under_way.iter().copied().collect();
        for queued in queue::ready(pool, &busy, UNDER_WAY_MAX - busy.len()).await? {
            under_way.insert(queued.id);
            running.push(carry_out(executor, queued));
        }
        tokio::select! {
            Some((queued, outcome)) = running.next() => {
                let mut finished = vec![(queued, outcome)];
                // Whatever else has finished meanwhile is deleted with it.
                while let Some(Some(more)) = futures::FutureExt::now_or_never(running.next()) {
                    finished.push(more);
                }
                settle(pool, &mut under_way, finished).await?;
            }
            () = added.notified(), if under_way.len() < UNDER_WAY_MAX => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn carry_out(executor: &Executor, queued: Queued) -> (Queued, Result<(), steps::StepError>) {
    let steps = Steps { executor, position: queued.position };
    let outcome = steps.carry_out(queued.intent.clone()).await;
    (queued, outcome)
}

async fn settle(
    pool: &PgPool,
    under_way: &mut HashSet<Uuid>,
    finished: Vec<(Queued, Result<(), steps::StepError>)>,
) -> Result<(), StoreError> {
    let mut done = Vec::new();
    for (queued, outcome) in finished {
        match outcome {
            Ok(()) => done.push(queued.id),
            Err(error) => {
                tracing::warn!(intent = ?queued.intent, attempts = queued.attempts + 1, %error, "an intent is tried again later");
                queue::put_off(pool, &queued, &error.to_string()).await?;
                under_way.remove(&queued.id);
            }
        }
    }
    queue::done(pool, &done).await?;
    under_way.retain(|id| !done.contains(id));
    Ok(())
}
