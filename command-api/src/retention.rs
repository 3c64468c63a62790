//! Drops what has had its time: outcomes of commands, a day at once. Any process may do it; one at a time does.

use socketing_event_store::{PgPool, command_log};
use sqlx::{Connection, Executor};
use std::error::Error;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Days that outcomes are kept, by default: a retry gets the same answer for so long.
pub const OUTCOME_DAYS_DEFAULT: u32 = 30;
/// A day's outcomes go soon after their time, whenever a process starts.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Drops outcomes older than `outcome_days`, now and every hour, until `stopping`. Failures are logged and tried again.
pub async fn run(pool: PgPool, outcome_days: u32, stopping: CancellationToken) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Some(Err(error)) = stopping.run_until_cancelled(drop_old_days(&pool, outcome_days)).await {
            tracing::warn!(error = &error as &dyn Error, "old outcomes of commands could not be dropped; tried again in an hour");
        }
    }
}

/// On a connection of its own: a day of a large sale takes longer to copy than any statement of the pool may.
async fn drop_old_days(pool: &PgPool, outcome_days: u32) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?.detach();
    connection.execute("set statement_timeout = 0").await?;
    command_log::drop_old_days(&mut connection, outcome_days).await?;
    connection.close().await
}
