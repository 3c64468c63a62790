//! Outcomes of commands are dropped after their time, a day at once; refusals are kept.

use anyhow::Result;
use socketing_domain::HoldId;
use socketing_domain::event::Actor;
use socketing_domain::show::Policies;
use socketing_event_store::PgPool;
use socketing_event_store::command_log::drop_old_days;
use socketing_tests::stage::{Stage, hold_seats};

const KEEP_DAYS: u32 = 30;

/// Moves all there is in a table of outcomes to a day so long ago.
async fn age(pool: &PgPool, table: &str, days: i32) -> Result<String> {
    let name: String = sqlx::query_scalar("select $1 || '_' || to_char((now() at time zone 'utc')::date - $2, 'YYYYMMDD')")
        .bind(table)
        .bind(days)
        .fetch_one(pool)
        .await?;
    let make = format!(
        "create table {name} partition of {table} for values from
         ((now() at time zone 'utc')::date - {days}) to ((now() at time zone 'utc')::date - {days} + 1)"
    );
    sqlx::query(&make).execute(pool).await?;
    sqlx::query(&format!("update {table} set recorded_on = (now() at time zone 'utc')::date - {days}")).execute(pool).await?;
    Ok(name)
}

async fn count(pool: &PgPool, what: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(&format!("select count(*) from {what}")).fetch_one(pool).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_go_after_their_time_and_refusals_stay() -> Result<()> {
    let stage = Stage::new(2, 10, Policies { capacity: 100, ..Policies::default() }).await?;
    let pool = &stage.db.pool;
    let (winner, loser) = (stage.fan().await?, stage.fan().await?);
    stage.hold(winner, &[3]).await?;
    stage.send(Actor::Account(loser), "lost", hold_seats(HoldId::new(), &[3])).await.unwrap_err();
    let before = count(pool, "command_log").await?;
    let mut connection = pool.acquire().await?.detach();

    age(pool, "command_log", KEEP_DAYS as i32).await?;
    assert_eq!(drop_old_days(&mut connection, KEEP_DAYS).await?, 0, "the thirtieth day is still kept");
    assert_eq!(count(pool, "command_log").await?, before);

    age(pool, "command_log", KEEP_DAYS as i32 + 1).await?;
    assert_eq!(drop_old_days(&mut connection, KEEP_DAYS).await?, 1);
    assert_eq!(count(pool, "command_log").await?, 0);
    let (actor, command, seats): (String, String, String) =
        sqlx::query_as("select actor, command, body ->> 'seats' from refusals").fetch_one(pool).await?;
    assert_eq!((actor, command.as_str(), seats.as_str()), (format!("account:{loser}"), "hold_seats", "[3]"));
    assert_eq!(drop_old_days(&mut connection, KEEP_DAYS).await?, 0, "nothing is left to drop");

    // A new command goes into today's partition as ever.
    stage.hold(winner, &[4]).await?;
    assert_eq!(count(pool, "command_log").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_died_left_half_done_is_ended() -> Result<()> {
    let stage = Stage::new(2, 10, Policies { capacity: 100, ..Policies::default() }).await?;
    let pool = &stage.db.pool;
    let (winner, loser) = (stage.fan().await?, stage.fan().await?);
    stage.hold(winner, &[3]).await?;
    stage.send(Actor::Account(loser), "lost", hold_seats(HoldId::new(), &[3])).await.unwrap_err();
    let name = age(pool, "command_log", KEEP_DAYS as i32 + 5).await?;
    sqlx::query(&format!("alter table command_log detach partition {name}")).execute(pool).await?;
    let mut connection = pool.acquire().await?.detach();
    assert_eq!(drop_old_days(&mut connection, KEEP_DAYS).await?, 1);
    assert_eq!(count(pool, "refusals").await?, 1);
    assert_eq!(count(pool, &format!("pg_class where relname = '{name}'")).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_go_with_their_day() -> Result<()> {
    let stage = Stage::new(2, 10, Policies { capacity: 100, ..Policies::default() }).await?;
    let pool = &stage.db.pool;
    let joined = futures::future::join_all((0..100).map(|_| stage.fan())).await;
    assert!(joined.iter().all(Result::is_ok) && count(pool, "command_packs").await? > 0, "so many at once are packed");
    let mut connection = pool.acquire().await?.detach();
    let name = age(pool, "command_packs", KEEP_DAYS as i32).await?;
    assert_eq!(drop_old_days(&mut connection, KEEP_DAYS).await?, 0, "the thirtieth day is still kept");
    let older = age(pool, "command_packs", KEEP_DAYS as i32 + 1).await?;
    assert_eq!(drop_old_days(&mut connection, KEEP_DAYS).await?, 1);
    assert_eq!(count(pool, "command_packs").await?, 0);
    assert_eq!(count(pool, &format!("pg_class where relname = '{older}'")).await?, 0);
    assert_eq!(count(pool, &format!("pg_class where relname = '{name}'")).await?, 1);
    Ok(())
}
