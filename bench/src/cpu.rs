//! Where the processor's time goes, by the processes' own accounts in `/proc`.

use crate::measure::{Figures, Window, round};
use anyhow::{Context, Result};
use serde_json::json;
use socketing_event_store::{PgPool, log};
use std::collections::HashMap;
use tokio::time::sleep_until;

/// Seconds of processor time that a process has used: its `utime` and `stime`, in ticks of a hundredth.
pub(crate) fn used_s(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("reading a process's time")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// The processes' accounts, and how far the log was.
struct Moment {
    position: u64,
    server_s: f64,
    client_s: f64,
    backends_s: HashMap<u32, f64>,
}

/// What one event of the log cost within the window: `events_per_s`, and the microseconds of the server, of PostgreSQL's
/// sessions in this database (not of its background processes) and of the load generator, which is this process.
pub(crate) async fn per_event(pool: PgPool, server: u32, window: Window) -> Result<Figures> {
    sleep_until(window.from.into()).await;
    let before = Moment::now(&pool, server).await?;
    sleep_until(window.until.into()).await;
    let after = Moment::now(&pool, server).await?;
    let events = (after.position - before.position) as f64;
    let used = |(backend, used_s): (&u32, &f64)| used_s - before.backends_s.get(backend).unwrap_or(&0.0);
    let postgres_s: f64 = after.backends_s.iter().map(used).sum();
    let mut figures = Figures::new();
    figures.insert("events_per_s".into(), json!(round(events / (window.until - window.from).as_secs_f64())));
    let parts = [("server", after.server_s - before.server_s), ("postgres", postgres_s), ("client", after.client_s - before.client_s)];
    for (part, used_s) in parts {
        figures.insert(format!("{part}_cpu_us_per_event"), json!(round(used_s * 1e6 / events)));
    }
    Ok(figures)
}

impl Moment {
    async fn now(pool: &PgPool, server: u32) -> Result<Moment> {
        let sessions = "select pid from pg_stat_activity where datname = current_database()";
        let backends: Vec<i32> = sqlx::query_scalar(sessions).fetch_all(pool).await?;
        // One may have ended since.
        let backends_s = backends.into_iter().filter_map(|backend| Some((backend as u32, used_s(backend as u32).ok()?))).collect();
        Ok(Moment {
            position: log::head(pool).await?.position,
            server_s: used_s(server)?,
            client_s: used_s(std::process::id())?,
            backends_s,
        })
    }
}
