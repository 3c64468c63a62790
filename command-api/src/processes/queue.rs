//! The table of what is still to be done, and of what is in doubt.
//!
//! ```text
//! waiting ─► in_doubt ─► (gone)     money at a provider outside: in doubt from before the first request until told of
//!    └──────────────────► (gone)     everything else
//! ```

use super::intent::{Intent, Lane};
use rand::Rng;
use socketing_event_store::StoreError;
use socketing_event_store::patience::{PATIENCE, answer};
use sqlx::{PgConnection, PgPool, Row, types::Json};
use std::time::Duration;
use uuid::Uuid;

/// An intent with its row.
pub(super) struct Queued {
    pub(super) id: Uuid,
    pub(super) intent: Intent,
    pub(super) position: u64,
    pub(super) attempts: u32,
    /// Whether a provider was asked, and its answer isn't known.
    pub(super) in_doubt: bool,
    /// Since it was written down.
    pub(super) age: Duration,
}

/// The pause after the first try that failed.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two tries of an intent.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Adds intents, before the checkpoint moves past their events.
pub(super) async fn add(transaction: &mut PgConnection, intents: &[(u64, Intent)]) -> Result<(), StoreError> {
    insert(transaction, intents, Duration::ZERO).await.map_err(StoreError::query("add intents"))
}

/// Adds an intent that was tried once, and failed.
pub(super) async fn add_failed(pool: &PgPool, position: u64, intent: &Intent, error: &str) -> Result<(), StoreError> {
    let pause = pause(0, rand::rng().random_range(0.5..1.0));
    sqlx::query(
        "insert into intents (id, position, lane, intent, attempts, last_error, next_try_at)
         values ($1, $2, $3, $4::jsonb::json, 1, $5, clock_timestamp() + $6) on conflict (id) do nothing",
    )
    .bind(id(position))
    .bind(position as i64)
    .bind(intent.lane().name())
    .bind(Json(intent))
    .bind(error)
    .bind(pause)
    .execute(pool)
    .await
    .map(drop)
    .map_err(StoreError::query("put an intent off"))
}

/// What follows from an event has its position for an id, so that what is read again after a crash is there once.
fn id(position: u64) -> Uuid {
    if position > 0 { Uuid::from_u128(position.into()) } else { Uuid::now_v7() }
}

async fn insert(transaction: &mut PgConnection, intents: &[(u64, Intent)], wait: Duration) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = intents.iter().map(|(position, _)| id(*position)).collect();
    let positions: Vec<i64> = intents.iter().map(|(position, _)| *position as i64).collect();
    let lanes: Vec<&str> = intents.iter().map(|(_, intent)| intent.lane().name()).collect();
    let bodies: Vec<Json<&Intent>> = intents.iter().map(|(_, intent)| Json(intent)).collect();
    sqlx::query(
        "insert into intents (id, position, lane, intent, next_try_at)
         select id, position, lane, intent::json, clock_timestamp() + $5
         from unnest($1::uuid[], $2::bigint[], $3::text[], $4::jsonb[]) as i (id, position, lane, intent)
         on conflict (id) do nothing",
    )
    .bind(ids)
    .bind(positions)
    .bind(lanes)
    .bind(bodies)
    .bind(wait)
    .execute(transaction)
    .await?;
    Ok(())
}

/// The intents of a lane whose time has come, oldest first, besides those under way.
pub(super) async fn ready(pool: &PgPool, lane: Lane, under_way: &[Uuid], limit: usize) -> Result<Vec<Queued>, StoreError> {
    let looking = sqlx::query(
        "select id, intent, position, attempts, state = 'in_doubt' as in_doubt,
                extract(epoch from clock_timestamp() - created_at)::float8 as age_s
         from intents
         where lane = $1 and next_try_at <= clock_timestamp() and id not in (select unnest($2::uuid[])) -- hashed, `<> all` isn't
         order by next_try_at, id limit $3",
    )
    .bind(lane.name())
    .bind(under_way)
    .bind(limit as i64)
    .fetch_all(pool);
    let rows = answer(PATIENCE, "which intents there are", looking).await.map_err(StoreError::query("look for intents"))?;
    rows.into_iter().map(|row| queued(&row).map_err(StoreError::query("read an intent"))).collect()
}

fn queued(row: &sqlx::postgres::PgRow) -> Result<Queued, sqlx::Error> {
    Ok(Queued {
        id: row.try_get("id")?,
        intent: row.try_get::<Json<Intent>, _>("intent")?.0,
        position: row.try_get::<i64, _>("position")? as u64,
        attempts: row.try_get::<i32, _>("attempts")? as u32,
        in_doubt: row.try_get("in_doubt")?,
        age: Duration::from_secs_f64(row.try_get::<f64, _>("age_s")?.max(0.0)),
    })
}

/// Writes down that a provider is about to be asked: what comes of it is in doubt from now on, also after a crash.
pub(super) async fn begin_doubt(pool: &PgPool, id: Uuid) -> Result<(), StoreError> {
    sqlx::query("update intents set state = 'in_doubt', in_doubt_since = clock_timestamp() where id = $1 and state = 'waiting'")
        .bind(id)
        .execute(pool)
        .await
        .map_err(StoreError::query("write down that an intent is in doubt"))?;
    Ok(())
}

/// Deletes what is done, and adds what is to be done so much later, if anything is. Losing this in a crash is harmless
/// (it would be done again, to no effect), so it doesn't wait for the disk.
pub(super) async fn done(pool: &PgPool, ids: &[Uuid], later: &[(u64, Intent)], wait: Duration) -> Result<(), StoreError> {
    if later.is_empty() {
        // One statement, which is its own transaction: what is set there is set for its commit.
        return sqlx::query(
            "delete from intents using (select set_config('synchronous_commit', 'off', true)) as lazily where id = any($1)",
        )
        .bind(ids)
        .execute(pool)
        .await
        .map(drop)
        .map_err(StoreError::query("delete intents that are done"));
    }
    let replaced = async {
        let mut transaction = pool.begin().await?;
        sqlx::query("delete from intents where id = any($1)").bind(ids).execute(&mut *transaction).await?;
        insert(&mut transaction, later, wait).await?;
        transaction.commit().await
    };
    replaced.await.map_err(StoreError::query("replace intents that are done"))
}

/// Puts an intent off after a try that failed, longer each time.
pub(super) async fn put_off(pool: &PgPool, queued: &Queued, error: &str) -> Result<(), StoreError> {
    let pause = pause(queued.attempts, rand::rng().random_range(0.5..1.0));
    sqlx::query("update intents set attempts = attempts + 1, last_error = $2, next_try_at = clock_timestamp() + $3 where id = $1")
        .bind(queued.id)
        .bind(error)
        .bind(pause)
        .execute(pool)
        .await
        .map_err(StoreError::query("put an intent off"))?;
    Ok(())
}

/// Twice as long after every try, up to a bound; shortened by chance, so that what failed together isn't tried together.
fn pause(attempts: u32, chance: f64) -> Duration {
    let longest = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(attempts.min(16))).min(PAUSE_MAX);
    // Whole microseconds: Postgres knows nothing finer.
    Duration::from_micros((longest.as_micros() as f64 * chance) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(pause(0, 1.0), PAUSE_MIN);
        assert_eq!(pause(3, 0.5), PAUSE_MIN * 4);
        assert_eq!((pause(9, 1.0), pause(1_000_000, 1.0)), (PAUSE_MAX, PAUSE_MAX));
        assert_eq!(pause(1_000_000, 0.5), PAUSE_MAX / 2);
    }
}
