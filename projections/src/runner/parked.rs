//! Trying parked events again: by the owner when it starts (a newer program may handle them), or by an operator.

use super::RunError;
use super::batch::handle_one;
use crate::projection::Projection;
use socketing_event_store::{PgPool, log};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

/// Streams tried at one go; the rest wait for the next start. More than a few means that something else is wrong.
const STREAMS_MAX: i64 = 1_000;

/// Tries every parked stream of a projection again, each in a transaction of its own, and returns how many still are
/// parked of those tried.
///
/// # Errors
/// If the database fails; streams done so far stay done.
pub async fn retry(pool: &PgPool, projection: &dyn Projection) -> Result<usize, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    retry_all(pool, &mut connection, projection).await.map_err(|error| match error {
        RunError::Database { source, .. } => source,
        other => sqlx::Error::Configuration(other.into()),
    })
}

pub(super) async fn retry_all(pool: &PgPool, connection: &mut PgConnection, projection: &dyn Projection) -> Result<usize, RunError> {
    let streams: Vec<(String, String)> =
        sqlx::query_as("select distinct aggregate_type, aggregate_id from parked_events where projection = $1 limit $2")
            .bind(projection.model().name())
            .bind(STREAMS_MAX)
            .fetch_all(&mut *connection)
            .await
            .map_err(RunError::database("read parked_events"))?;
    let mut still_parked = 0;
    for (aggregate_type, aggregate_id) in streams {
        still_parked += usize::from(!retry_stream(pool, connection, projection, &aggregate_type, &aggregate_id).await?);
    }
    Ok(still_parked)
}

/// Handles a parked stream's events in order, as far as that goes; true if all of them are handled now.
async fn retry_stream(
    pool: &PgPool,
    connection: &mut PgConnection,
    projection: &dyn Projection,
    aggregate_type: &str,
    aggregate_id: &str,
) -> Result<bool, RunError> {
    let model = projection.model();
    let mut tx = connection.begin().await.map_err(RunError::database("begin a retry"))?;
    // The owner's batches lock this row too: none of them parks another event of the stream meanwhile.
    sqlx::query("select 1 from checkpoints where name = $1 for update")
        .bind(model.reader())
        .execute(&mut *tx)
        .await
        .map_err(RunError::database("lock the checkpoint"))?;
    let positions: Vec<i64> = sqlx::query_scalar(
        "select position from parked_events where projection = $1 and aggregate_type = $2 and aggregate_id = $3 order by position",
    )
    .bind(model.name())
    .bind(aggregate_type)
    .bind(aggregate_id)
    .fetch_all(&mut *tx)
    .await
    .map_err(RunError::database("read parked_events"))?;
    let mut handled = 0;
    let mut failure = None;
    for position in &positions {
        let Some(event) = log::event_at(pool, u64::try_from(*position).unwrap_or(0)).await? else { break };
        if let Err(error) = handle_one(&mut tx, projection, &event).await? {
            failure = Some(error);
            break;
        }
        handled += 1;
    }
    unpark(&mut tx, projection, &positions[..handled]).await?;
    if let Some(next) = positions.get(handled) {
        sqlx::query("update parked_events set error = $3 where projection = $1 and position = $2")
            .bind(model.name())
            .bind(next)
            .bind(failure.as_deref().unwrap_or("the log has no such event"))
            .execute(&mut *tx)
            .await
            .map_err(RunError::database("write parked_events"))?;
    }
    tx.commit().await.map_err(RunError::database("commit a retry"))?;
    let done = handled == positions.len();
    tracing::info!(projection = %model, stream = format!("{aggregate_type} {aggregate_id}"), handled, done, "tried a parked stream again");
    Ok(done)
}

async fn unpark(tx: &mut PgConnection, projection: &dyn Projection, positions: &[i64]) -> Result<(), RunError> {
    sqlx::query("delete from parked_events where projection = $1 and position = any($2)")
        .bind(projection.model().name())
        .bind(positions)
        .execute(tx)
        .await
        .map_err(RunError::database("empty parked_events"))?;
    Ok(())
}
