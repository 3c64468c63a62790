//! Where a projection stands: its version, its checkpoint, its alarm; and how it is folded anew.

use super::{Alarm, RunError};
use crate::projection::{Model, Projection};
use socketing_event_store::patience::{PATIENCE, answer};
use socketing_event_store::{Checkpoint, PgPool, StoreError};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use uuid::Uuid;

/// Where to go on from. Tables of an older version are emptied, and the log is folded anew; so they are at the very
/// first start, when there is no checkpoint.
pub(super) async fn prepare(connection: &mut PgConnection, projection: &dyn Projection) -> Result<Checkpoint, RunError> {
    let mut tx = connection.begin().await.map_err(RunError::database("begin to prepare"))?;
    let found = version(&mut tx, projection).await?;
    let ours = projection.version();
    if found > ours {
        return Err(Alarm::NewerVersion { found, ours }.into());
    }
    let checkpoint = load(&mut tx, projection.model()).await?;
    let checkpoint = match checkpoint {
        Some(checkpoint) if found == ours => checkpoint,
        _ => {
            tracing::info!(projection = %projection.model(), found, ours, "folding the log from its beginning");
            reset(&mut tx, projection).await?
        }
    };
    tx.commit().await.map_err(RunError::database("commit what was prepared"))?;
    Ok(checkpoint)
}

/// Empties a projection's tables and sets its checkpoint to the beginning of the log as it is now. A running projection
/// notices and starts again from there. Readers see either the old rows or none, each with the checkpoint that fits.
///
/// # Errors
/// If the database fails; nothing has changed then.
pub async fn rebuild(pool: &PgPool, projection: &dyn Projection) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    version(&mut tx, projection).await.map_err(into_sqlx)?;
    load(&mut tx, projection.model()).await.map_err(into_sqlx)?;
    reset(&mut tx, projection).await.map_err(into_sqlx)?;
    tx.commit().await
}

/// [`rebuild`] for every projection, one after another.
///
/// # Errors
/// If the database fails; those done so far stay done.
pub async fn rebuild_all(pool: &PgPool) -> Result<(), sqlx::Error> {
    for projection in crate::models::all(&Arc::default()) {
        rebuild(pool, &*projection).await?;
    }
    Ok(())
}

fn into_sqlx(error: RunError) -> sqlx::Error {
    match error {
        RunError::Database { source, .. } => source,
        other => sqlx::Error::Configuration(other.into()),
    }
}

/// The version of the tables, which are ours from here on if they were nobody's; its row stays locked.
async fn version(tx: &mut PgConnection, projection: &dyn Projection) -> Result<i32, RunError> {
    sqlx::query("insert into projections (name, version) values ($1, $2) on conflict (name) do nothing")
        .bind(projection.model().name())
        .bind(projection.version())
        .execute(&mut *tx)
        .await
        .map_err(RunError::database("write projections"))?;
    sqlx::query_scalar("select version from projections where name = $1 for update")
        .bind(projection.model().name())
        .fetch_one(tx)
        .await
        .map_err(RunError::database("read projections"))
}

/// The checkpoint; its row stays locked, as the owner's batches lock it: none is halfway.
async fn load(tx: &mut PgConnection, model: Model) -> Result<Option<Checkpoint>, RunError> {
    let row: Option<(i64, Uuid, Vec<u8>)> =
        sqlx::query_as("select position, incarnation, last_hash from checkpoints where name = $1 for update")
            .bind(model.reader())
            .fetch_optional(tx)
            .await
            .map_err(RunError::database("read the checkpoint"))?;
    Ok(row.map(|(position, incarnation, hash)| Checkpoint {
        position: u64::try_from(position).unwrap_or(0),
        incarnation,
        last_hash: hash.try_into().ok(),
    }))
}

async fn reset(tx: &mut PgConnection, projection: &dyn Projection) -> Result<Checkpoint, RunError> {
    sqlx::query("set local statement_timeout = 0").execute(&mut *tx).await.map_err(RunError::database("lift the timeout"))?;
    for table in projection.tables() {
        // Not `truncate`: a reader with an older snapshot would then see its checkpoint, but no rows.
        sqlx::query(&format!("delete from {table}")).execute(&mut *tx).await.map_err(RunError::database("empty a table"))?;
    }
    sqlx::query("delete from parked_events where projection = $1")
        .bind(projection.model().name())
        .execute(&mut *tx)
        .await
        .map_err(RunError::database("empty parked_events"))?;
    sqlx::query("update projections set version = $2 where name = $1")
        .bind(projection.model().name())
        .bind(projection.version())
        .execute(&mut *tx)
        .await
        .map_err(RunError::database("write projections"))?;
    let incarnation: Uuid = sqlx::query_scalar(
        "insert into checkpoints as c (name, position, incarnation)
         select $1, 0, incarnation from log_head
         on conflict (name) do update
             set position = 0, incarnation = excluded.incarnation, last_hash = '\\x', updated_at = clock_timestamp()
         returning c.incarnation",
    )
    .bind(projection.model().reader())
    .fetch_one(tx)
    .await
    .map_err(RunError::database("set the checkpoint to the beginning"))?;
    Ok(Checkpoint::beginning(incarnation))
}

/// Fails if somebody set the projection back.
pub(super) async fn check_unmoved(connection: &mut PgConnection, model: Model, at: &Checkpoint) -> Result<(), RunError> {
    let reading = sqlx::query_scalar("select position from checkpoints where name = $1").bind(model.reader()).fetch_optional(connection);
    let position: Option<i64> =
        answer(PATIENCE, "where a checkpoint is", reading).await.map_err(RunError::database("read the checkpoint"))?;
    if position.and_then(|position| u64::try_from(position).ok()) == Some(at.position) {
        return Ok(());
    }
    Err(StoreError::CheckpointMoved { name: model.reader().to_owned(), from: at.position }.into())
}

/// Stores why a projection stands still, for every process's health report.
pub(super) async fn raise(pool: &PgPool, model: Model, alarm: &Alarm) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update projections set alarm = $2, alarmed_at = case when alarm = $2 then alarmed_at else clock_timestamp() end where name = $1",
    )
    .bind(model.name())
    .bind(alarm.to_string())
    .execute(pool)
    .await?;
    Ok(())
}

/// It goes again.
pub(super) async fn clear_alarm(connection: &mut PgConnection, model: Model) -> Result<(), RunError> {
    sqlx::query("update projections set alarm = null, alarmed_at = null where name = $1 and alarm is not null")
        .bind(model.name())
        .execute(connection)
        .await
        .map_err(RunError::database("clear the alarm"))?;
    Ok(())
}
