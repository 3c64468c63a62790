//! Measures recovery: a writer's cold start on a long history, without a snapshot and with one.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use socketing_command_api::snapshots;
use socketing_domain::PerformanceId;
use socketing_domain::unit::UnitId;
use socketing_event_store::{PgPool, load, log};
use std::time::{Duration, Instant};

/// How fast a performance was loaded.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Events of its history.
    pub events: u64,
    /// Loading it without a snapshot.
    pub full_ms: u64,
    /// Events read and folded per second, without a snapshot.
    pub events_per_s: u64,
    /// Loading it with a snapshot of its last event.
    pub snapshot_ms: u64,
    /// The snapshot's size.
    pub snapshot_bytes: u64,
    /// Taking the first snapshot: folding everything, encoding, storing.
    pub take_ms: u64,
}

/// Loads a performance that has no snapshot, takes one, and loads it again. Both ways give the same state.
///
/// # Errors
/// If Postgres can't be asked, or the states differ.
pub async fn measure(pool: &PgPool, performance: PerformanceId) -> Result<Figures> {
    let unit = UnitId::Performance(performance);
    let events = log::head(pool).await?.position;
    let (full, full_took) = timed(load::unit(pool, unit)).await;
    let full = full?;
    ensure!(full.snapshot.is_none(), "there is a snapshot already");
    let (taken, take_took) = timed(snapshots::take(pool.clone(), performance)).await;
    let taken = taken?.context("nothing happened to the performance")?;
    let (short, short_took) = timed(load::unit(pool, unit)).await;
    let short = short?;
    ensure!(short.snapshot == Some(taken.position) && short.unit == full.unit, "the snapshot isn't what the log makes");
    Ok(Figures {
        events,
        full_ms: full_took.as_millis() as u64,
        events_per_s: (events as f64 / full_took.as_secs_f64()) as u64,
        snapshot_ms: short_took.as_millis() as u64,
        snapshot_bytes: taken.bytes,
        take_ms: take_took.as_millis() as u64,
    })
}

/// Forgets all snapshots, for the next measurement.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn forget_snapshots(pool: &PgPool) -> Result<()> {
    sqlx::query("truncate snapshots, snapshot_parts").execute(pool).await?;
    Ok(())
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed())
}
