//! The system's own steps, carried out from memory as soon as their events are read. The checkpoint follows behind: it
//! passes an event only when what follows from it is done, or is in the table to be tried again. A crash carries out once
//! more what lies between.

use super::intent::Intent;
use super::steps::StepError;
use super::{CHECKPOINT_EVERY, NAME, UNDER_WAY_MAX, Workers, complain, queue};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use socketing_event_store::{Checkpoint, StoreError, checkpoint};
use socketing_service::problem::chain;
use sqlx::PgConnection;
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Batches handed over and not yet taken.
pub(super) const BATCHES_MAX: usize = 64;
/// Batches taken whose steps aren't all settled: when one step takes long, so many may be read past it.
const UNSETTLED_MAX: usize = 4_096;

/// What follows from some events of the log.
pub(super) struct Batch {
    /// With the positions of their events.
    pub(super) intents: Vec<(u64, Intent)>,
    /// The place after those events.
    pub(super) next: Checkpoint,
}

/// A batch that was taken.
struct Unsettled {
    steps_left: usize,
    next: Checkpoint,
}

/// An intent of the batch with this number, the position of its event, and what came of trying it.
type Tried = (u64, u64, Intent, Result<(), StepError>);

/// Carries batches out, many steps at once, and moves the checkpoint behind them, until Postgres fails.
pub(super) async fn carry_out(
    workers: Workers<'_>,
    mut batches: mpsc::Receiver<Batch>,
    mut connection: PgConnection,
    mut at: Checkpoint,
) -> Result<(), StoreError> {
    let (mut unsettled, mut first) = (VecDeque::<Unsettled>::new(), 0);
    let mut waiting = VecDeque::new();
    let mut running = FuturesUnordered::new();
    let (mut settled, mut store_at) = (None, Instant::now());
    loop {
        while running.len() < UNDER_WAY_MAX
            && let Some((batch, position, intent)) = waiting.pop_front()
        {
            running.push(try_once(workers, batch, position, intent));
        }
        let room = waiting.is_empty() && unsettled.len() < UNSETTLED_MAX;
        tokio::select! {
            Some(tried) = running.next() => {
                settle(workers, &mut unsettled, first, tried).await?;
                while let Some(Some(more)) = running.next().now_or_never() {
                    settle(workers, &mut unsettled, first, more).await?;
                }
            }
            Some(batch) = batches.recv(), if room => {
                let number = first + unsettled.len() as u64;
                unsettled.push_back(Unsettled { steps_left: batch.intents.len(), next: batch.next });
                waiting.extend(batch.intents.into_iter().map(|(position, intent)| (number, position, intent)));
            }
            () = tokio::time::sleep_until(store_at), if settled.is_some() => {
                if let Some(next) = settled.take() {
                    checkpoint::store(&mut connection, NAME, at.position, &next).await?;
                    (at, store_at) = (next, Instant::now() + CHECKPOINT_EVERY);
                }
            }
            else => return Ok(()), // nobody reads the log any more
        }
        while unsettled.front().is_some_and(|batch| batch.steps_left == 0)
            && let Some(batch) = unsettled.pop_front()
        {
            (settled, first) = (Some(batch.next), first + 1);
        }
    }
}

async fn try_once(workers: Workers<'_>, batch: u64, position: u64, intent: Intent) -> Tried {
    let outcome = workers.steps(position, false, false).carry_out(intent.clone()).await;
    // Only what is asked outside leaves something to be done later.
    (batch, position, intent, outcome.map(drop))
}

/// What failed is written down, to be tried again.
async fn settle(
    workers: Workers<'_>,
    unsettled: &mut VecDeque<Unsettled>,
    first: u64,
    (batch, position, intent, outcome): Tried,
) -> Result<(), StoreError> {
    if let Err(error) = outcome {
        let error = chain(&error);
        complain(&intent, 1, &error);
        queue::add_failed(workers.pool, position, &intent, &error).await?;
    }
    if let Some(batch) = unsettled.get_mut((batch - first) as usize) {
        batch.steps_left -= 1;
    }
    Ok(())
}
