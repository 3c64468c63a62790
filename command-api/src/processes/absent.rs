//! People who had a page of a performance open, and have none any more at any instance for a grace time, are sent away from
//! the inside. The notifier writes down who is there; without news of someone, nobody is sent away. An instance of it that
//! died has no page open any more. Nobody is sent away who had no living instance to come back to for the whole grace time,
//! so that an outage of all of them costs nobody the place.

use super::intent::Intent;
use super::queue;
use socketing_domain::{AccountId, PerformanceId};
use socketing_event_store::{PgPool, StoreError};
use sqlx::PgConnection;
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

/// How often absent people are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// People found at a time: more are found by the next look.
const FOUND_MAX: i64 = 1_000;
/// Pages of a dead instance that are closed at a time.
const CLOSED_MAX: i64 = 10_000;

/// Makes an intent of everyone who is gone for `grace`, until Postgres fails.
pub(super) async fn watch(pool: &PgPool, grace: Duration, added: &Notify) -> Result<(), StoreError> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        close_pages_of_the_dead(pool).await.map_err(StoreError::query("close the pages of a notifier that died"))?;
        let mut transaction = pool.begin().await.map_err(StoreError::query("look for absent people"))?;
        let gone = gone(&mut transaction, grace).await.map_err(StoreError::query("look for absent people"))?;
        if gone.is_empty() {
            continue;
        }
        let away = |(performance, account)| (0, Intent::SendAway { performance: PerformanceId(performance), account: AccountId(account) });
        let intents: Vec<(u64, Intent)> = gone.into_iter().map(away).collect();
        queue::add(&mut transaction, &intents).await?;
        transaction.commit().await.map_err(StoreError::query("send absent people away"))?;
        added.notify_one();
    }
}

/// Of one instance that has lapsed, some of its pages; after the last, the instance. The grace time of their people begins
/// now: before, nobody could know.
async fn close_pages_of_the_dead(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let lapsed = "select instance from presence_instances where expires_at <= clock_timestamp() order by expires_at limit 1 for update";
    let Some(instance): Option<Uuid> = sqlx::query_scalar(lapsed).fetch_optional(&mut *transaction).await? else { return Ok(()) };
    let closed = sqlx::query(
        "update presence set gone_at = clock_timestamp() where (performance_id, account_id, instance) in (
             select performance_id, account_id, instance from presence where instance = $1 and gone_at is null limit $2)",
    );
    let pages = closed.bind(instance).bind(CLOSED_MAX).execute(&mut *transaction).await?.rows_affected();
    if pages < CLOSED_MAX as u64 {
        sqlx::query("delete from presence_instances where instance = $1").bind(instance).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    tracing::info!(%instance, pages, "a notifier is no more: its pages are closed");
    Ok(())
}

/// Takes those out who are gone everywhere.
async fn gone(connection: &mut PgConnection, grace: Duration) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "with gone as (
             select distinct performance_id, account_id from presence p
             where gone_at < clock_timestamp() - make_interval(secs => $1) and exists (
                 select 1 from presence_instances
                 where expires_at > clock_timestamp() and started_at < clock_timestamp() - make_interval(secs => $1)
             ) and not exists (
                 select 1 from presence o where o.performance_id = p.performance_id and o.account_id = p.account_id
                     and (o.gone_at is null or o.gone_at >= clock_timestamp() - make_interval(secs => $1)))
             limit $2
         ), taken as (
             delete from presence p using gone g where p.performance_id = g.performance_id and p.account_id = g.account_id
         )
         select performance_id, account_id from gone",
    )
    .bind(grace.as_secs_f64())
    .bind(FOUND_MAX)
    .fetch_all(connection)
    .await
}
