//! Takes snapshots of busy performances, so that their writers start quickly after a restart or on another node.
//!
//! One process does it (a lease). It reads the committed log only, never a writer, whose state may rest on a batch that
//! fails. It keeps no state between two snapshots: each is the one before and what came since, loaded the way a writer
//! loads it, so memory is bounded by one performance. Its reads are short pages and its writes small transactions that
//! don't wait for the disk, and it rests nine times as long as it worked: no writer waits for it.
//!
//! Which performances are busy it learns from a sample of the log's positions: of fifty thousand events, hundreds are in
//! it. One that is missed all the same is found with its next events.

use socketing_domain::PerformanceId;
use socketing_domain::snapshot as bytes;
use socketing_domain::unit::{Unit, UnitId};
use socketing_event_store::singleton::Lease;
use socketing_event_store::snapshot::{self, Snapshot};
use socketing_event_store::{PgPool, StoreError, load, log};
use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The lease's name.
const NAME: &str = "snapshots";
/// Events of a performance after which a new snapshot is taken, by default: a writer folds them in about 0.2 s.
pub const EVENTS_DEFAULT: u64 = 50_000;
/// How often the log is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Of the events that make a snapshot due, so many are in the sample: a busy performance isn't missed.
const SAMPLES_PER_SNAPSHOT: u64 = 512;
/// Positions sampled at once at most: of a long log, they are further apart.
const SAMPLES_MAX: u64 = 10_000;
/// Rests so many times as long as the last snapshot took: under the heaviest sale, a tenth of one core.
const REST_FACTOR: u32 = 9;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(5);

/// A snapshot that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Of the last event folded in.
    pub position: u64,
    /// Its size.
    pub bytes: u64,
}

/// Takes snapshots of performances that had `events` events or more since their last one, whenever this process holds the
/// lease, until `stopping`. Failures are logged and waited out: a snapshot is never needed, only welcome.
pub async fn run(pool: PgPool, events: u64, stopping: CancellationToken) {
    let owner = Uuid::now_v7();
    while !stopping.is_cancelled() {
        let mut lease = tokio::select! {
            () = stopping.cancelled() => return,
            lease = Lease::wait(&pool, NAME, owner) => lease,
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            lost = lease.keep(&pool) => tracing::warn!(error = &lost as &dyn Error, "another process takes the snapshots now"),
            never = follow(&pool, events) => match never {},
        }
        if stopping.is_cancelled() {
            drop(lease.release(&pool).await);
        }
    }
}

async fn follow(pool: &PgPool, events: u64) -> Infallible {
    let mut seen = 0;
    loop {
        match look(pool, seen, events).await {
            Ok(head) => seen = head,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "can't look which performances need a snapshot; trying again");
                sleep(PAUSE).await;
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Takes a snapshot of every performance that needs one, by what happened after `seen`. Returns the log's head.
async fn look(pool: &PgPool, seen: u64, events: u64) -> Result<u64, StoreError> {
    let head = log::head(pool).await?.position;
    for performance in snapshot::due(pool, &sample(seen, head, events), events).await? {
        let began = Instant::now();
        // In a task of its own: an event that breaks an invariant ends the task, and no more.
        match tokio::spawn(take(pool.clone(), performance)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%performance, error = &error as &dyn Error, "can't take a snapshot"),
            Err(died) => tracing::error!(%performance, error = &died as &dyn Error, "a performance's history can't be folded"),
        }
        sleep(began.elapsed() * REST_FACTOR).await;
    }
    Ok(head)
}

/// Positions after `seen`, up to `head`, at even distances.
fn sample(seen: u64, head: u64, events: u64) -> Vec<u64> {
    let apart = (events / SAMPLES_PER_SNAPSHOT).max(head.saturating_sub(seen) / SAMPLES_MAX + 1);
    (seen / apart + 1..=head / apart).map(|nth| nth * apart).collect()
}

/// Takes a snapshot of a performance as the log has it now; `None` if nothing has happened to it, or it is too large.
///
/// # Errors
/// If Postgres can't be asked, or an event can't be read.
pub async fn take(pool: PgPool, performance: PerformanceId) -> Result<Option<Taken>, StoreError> {
    let began = Instant::now();
    let loaded = load::unit(&pool, UnitId::Performance(performance)).await?;
    let Unit::Performance(hall) = loaded.unit else { return Ok(None) };
    if loaded.position == 0 {
        return Ok(None);
    }
    let snapshot = Snapshot { hall: *hall, position: loaded.position, recorded_at: loaded.recorded_at };
    let encoding = tokio::task::spawn_blocking(move || (bytes::encode(&snapshot.hall), snapshot));
    let (encoded, snapshot) = encoding.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
    let Some(bytes) = snapshot::store(&pool, &snapshot, &encoded).await? else { return Ok(None) };
    let (position, took_ms) = (snapshot.position, began.elapsed().as_millis() as u64);
    tracing::info!(%performance, position, bytes, took_ms, from = loaded.snapshot, "took a snapshot");
    Ok(Some(Taken { position, bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_covers_what_is_new_and_is_bounded() {
        let events = 64 * SAMPLES_PER_SNAPSHOT;
        assert_eq!(sample(0, 63, events), Vec::<u64>::new());
        assert_eq!(sample(63, 200, events), [64, 128, 192]);
        assert_eq!(sample(128, 200, events), [192]);
        assert_eq!(sample(5, 8, 1), [6, 7, 8]);
        let long = sample(0, 100_000_000, events);
        assert!((5_000..=10_000).contains(&long.len()), "{}", long.len());
        assert_eq!(sample(500, 300, events), Vec::<u64>::new(), "a log that lost its tail");
    }
}
