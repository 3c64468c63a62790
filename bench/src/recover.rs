//! Recovery: a writer's cold start on a long history, without a snapshot and with one.

use crate::measure::Figures;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use socketing_command_api::snapshots;
use socketing_domain::PerformanceId;
use socketing_domain::unit::{Unit, UnitId};
use socketing_event_store::{PgPool, load};
use std::time::{Duration, Instant};

/// Loads a performance from Postgres alone, takes a snapshot, and loads it with that. Both must give
/// the same state. Its snapshots are forgotten first.
pub(crate) async fn measure(pool: &PgPool, performance: PerformanceId) -> Result<Figures> {
    sqlx::query("delete from snapshots where unit = $1").bind(performance.0).execute(pool).await?;
    let unit = UnitId::Performance(performance);
    let (full, full_took) = timed(load::unit(pool, unit)).await;
    let full = full?;
    ensure!(full.snapshot.is_none(), "there is a snapshot already");
    let (taken, take_took) = timed(snapshots::take(pool.clone(), performance)).await;
    let taken = taken?.context("nothing happened to the performance")?;
    let (short, short_took) = timed(load::unit(pool, unit)).await;
    let short = short?;
    ensure!(short.snapshot == Some(taken.position) && short.unit == full.unit, "the snapshot isn't what the log makes");
    let Unit::Performance(hall) = &full.unit else { anyhow::bail!("a performance is a hall") };
    let events = hall.performance().sequence() + hall.line().sequence();
    let mut figures = Figures::new();
    figures.insert("events_per_s".into(), json!((events as f64 / full_took.as_secs_f64()).round()));
    figures.insert("snapshot_ms".into(), json!(short_took.as_millis() as u64));
    figures.insert("events".into(), json!(events));
    figures.insert("full_ms".into(), json!(full_took.as_millis() as u64));
    figures.insert("take_ms".into(), json!(take_took.as_millis() as u64));
    figures.insert("snapshot_bytes".into(), json!(taken.bytes));
    Ok(figures)
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed())
}
