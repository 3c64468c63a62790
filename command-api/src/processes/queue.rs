//! The table of what is still to be done.

use super::intent::Intent;
use socketing_event_store::StoreError;
use sqlx::{PgConnection, PgPool, Row, types::Json};
use std::time::Duration;
use uuid::Uuid;

/// An intent with its row.
pub(super) struct Queued {
    pub(super) id: Uuid,
    pub(super) intent: Intent,
    pub(super) position: u64,
    pub(super) attempts: u32,
}

/// The longest pause between two tries of an intent.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Adds intents, in the transaction that moves the checkpoint past their events.
pub(super) async fn add(transaction: &mut PgConnection, intents: &[(u64, Intent)]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = intents.iter().map(|_| Uuid::now_v7()).collect();
    let positions: Vec<i64> = intents.iter().map(|(position, _)| *position as i64).collect();
    let bodies: Vec<Json<&Intent>> = intents.iter().map(|(_, intent)| Json(intent)).collect();
    sqlx::query("insert into intents (id, position, intent) select id, position, intent::json from unnest($1::uuid[], $2::bigint[], $3::jsonb[]) as i (id, position, intent)")
        .bind(ids)
        .bind(positions)
        .bind(bodies)
        .execute(transaction)
        .await
        .map_err(StoreError::query("add intents"))?;
    Ok(())
}

/// The intents whose time has come, oldest first, besides those under way.
pub(super) async fn ready(pool: &PgPool, under_way: &[Uuid], limit: usize) -> Result<Vec<Queued>, StoreError> {
    let rows = sqlx::query(
        "select id, intent, position, attempts from intents
         where next_try_at <= clock_timestamp() and id <> all($1) order by next_try_at, id limit $2",
    )
    .bind(under_way)
    .bind(limit as i64)
    .fetch_all(pool)
    .await
    .map_err(StoreError::query("look for intents"))?;
    rows.into_iter().map(|row| queued(&row).map_err(StoreError::query("read an intent"))).collect()
}

fn queued(row: &sqlx::postgres::PgRow) -> Result<Queued, sqlx::Error> {
    Ok(Queued {
        id: row.try_get("id")?,
        intent: row.try_get::<Json<Intent>, _>("intent")?.0,
        position: row.try_get::<i64, _>("position")? as u64,
        attempts: row.try_get::<i32, _>("attempts")? as u32,
    })
}

/// Deletes what is done. Losing this in a crash is harmless (it would be done again, to no effect), so it doesn't wait
/// for the disk.
pub(super) async fn done(pool: &PgPool, ids: &[Uuid]) -> Result<(), StoreError> {
    let deleted = async {
        let mut transaction = pool.begin().await?;
        sqlx::query("set local synchronous_commit = off").execute(&mut *transaction).await?;
        sqlx::query("delete from intents where id = any($1)").bind(ids).execute(&mut *transaction).await?;
        transaction.commit().await
    };
    deleted.await.map_err(StoreError::query("delete intents that are done"))
}

/// Puts an intent off after a try that failed, longer each time.
pub(super) async fn put_off(pool: &PgPool, queued: &Queued, error: &str) -> Result<(), StoreError> {
    let pause = Duration::from_millis(100).saturating_mul(2_u32.saturating_pow(queued.attempts.min(16))).min(PAUSE_MAX);
    sqlx::query("update intents set attempts = attempts + 1, last_error = $2, next_try_at = clock_timestamp() + $3 where id = $1")
        .bind(queued.id)
        .bind(error)
        .bind(pause)
        .execute(pool)
        .await
        .map_err(StoreError::query("put an intent off"))?;
    Ok(())
}
