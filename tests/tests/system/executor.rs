//! The write side on a real Postgres: exactly once, one winner per seat, nothing acknowledged is lost.

use anyhow::{Context, Result};
use socketing_command_api::executor::Rejected;
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{AccountId, HoldId, performance};
use socketing_event_store::{PgPool, log};
use socketing_tests::stage::{Stage, hold_seats};
use socketing_tests::{TestDb, TestPostgres, eventually, within};
use std::collections::HashSet;
use uuid::Uuid;

fn roomy() -> Policies {
    Policies { capacity: 100_000, ..Policies::default() }
}

fn refusal(rejected: Rejected) -> (Reason, u64) {
    match rejected {
        Rejected::Refused { refusal, position } => (refusal.reason, position),
        other => panic!("not a refusal: {other}"),
    }
}

async fn count(stage: &Stage, event_type: &str) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from events where event_type = $1").bind(event_type).fetch_one(&stage.db.pool).await?)
}

async fn assert_dense(stage: &Stage) -> Result<()> {
    let (events, first, last): (i64, i64, i64) =
        sqlx::query_as("select count(*), min(position), max(position) from events").fetch_one(&stage.db.pool).await?;
    let head = log::head(&stage.db.pool).await?;
    assert_eq!((first, last, head.position), (1, events, events as u64), "positions are dense from 1 to the head");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_people_one_gets_the_seat_and_the_others_are_shown_free_ones() -> Result<()> {
    let stage = Stage::new(10, 60, roomy()).await?;
    let mut fans = Vec::new();
    for _ in 0..500 {
        fans.push(stage.fan().await?);
    }
    let asked = fans.iter().map(|&fan| stage.hold(fan, &[42]));
    let outcomes = futures::future::join_all(asked).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 499));
    for rejected in lost.into_iter().filter_map(Result::err) {
        let Rejected::Refused { refusal, .. } = rejected else { panic!("not a refusal: {rejected}") };
        assert_eq!(refusal.reason, Reason::SeatTaken);
        assert!(!refusal.alternatives.is_empty(), "free seats nearby are named");
        assert!(refusal.cause.is_some(), "the event that took the seat is named");
    }
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    assert_dense(&stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sent_twice_takes_effect_once_also_after_a_restart() -> Result<()> {
    let mut stage = Stage::new(2, 10, roomy()).await?;
    let fan = stage.fan().await?;
    let actor = Actor::Account(fan);
    let command = hold_seats(HoldId::new(), &[3]);
    let first = stage.send(actor, "key", command.clone()).await?;
    let again = stage.send(actor, "key", command.clone()).await?;
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.body(), again.body());
    stage.restart().await?;
    let later = stage.send(actor, "key", command).await?;
    assert!(later.replayed);
    assert_eq!(first.body(), later.body());
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    Ok(())
}

/// The table of outcomes has a partition per day, and no index over all of them: that a key counts once is the writer's.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_before_midnight_has_the_same_answer_after_it() -> Result<()> {
    let mut stage = Stage::new(2, 10, roomy()).await?;
    let (fan, loser) = (stage.fan().await?, stage.fan().await?);
    let (held, refused) = (hold_seats(HoldId::new(), &[3]), hold_seats(HoldId::new(), &[3]));
    let first = stage.send(Actor::Account(fan), "key", held.clone()).await?;
    let no = refusal(stage.send(Actor::Account(loser), "key", refused.clone()).await.unwrap_err());
    let moved = sqlx::query("update command_log set recorded_on = recorded_on - 1 where key = 'key'").execute(&stage.db.pool).await?;
    assert_eq!(moved.rows_affected(), 2, "both were recorded yesterday");
    stage.restart().await?;
    let again = stage.send(Actor::Account(fan), "key", held).await?;
    assert!(again.replayed);
    assert_eq!(first.body(), again.body());
    assert_eq!(refusal(stage.send(Actor::Account(loser), "key", refused).await.unwrap_err()), no);
    let another = stage.send(Actor::Account(fan), "key", hold_seats(HoldId::new(), &[4])).await;
    assert!(matches!(another, Err(Rejected::KeyReused)));
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    Ok(())
}

/// A UUIDv7's outcome lies in the index by the time in it; what was recorded before that was so has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_time_has_the_same_answer_also_where_it_was_recorded_without() -> Result<()> {
    let mut stage = Stage::new(2, 10, roomy()).await?;
    let fan = Actor::Account(stage.fan().await?);
    let (new, old) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let commands = [(&new, hold_seats(HoldId::new(), &[3])), (&old, hold_seats(HoldId::new(), &[4]))];
    let mut bodies = Vec::new();
    for (key, command) in &commands {
        bodies.push(stage.send(fan, key, command.clone()).await?.body());
    }
    let timed: i64 = sqlx::query_scalar("select count(*) from command_log where key = any($1) and key_time <> 0")
        .bind([&new, &old].map(String::as_str).as_slice())
        .fetch_one(&stage.db.pool)
        .await?;
    assert_eq!(timed, 2);
    sqlx::query("update command_log set key_time = 0 where key = $1").bind(&old).execute(&stage.db.pool).await?;
    stage.restart().await?;
    for ((key, command), body) in commands.iter().zip(bodies) {
        let again = stage.send(fan, key, command.clone()).await?;
        assert!(again.replayed);
        assert_eq!(again.body(), body);
    }
    assert_eq!(count(&stage, "SeatsHeld").await?, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_many_times_at_once_takes_effect_once() -> Result<()> {
    let stage = Stage::new(2, 10, roomy()).await?;
    let fan = stage.fan().await?;
    let command = hold_seats(HoldId::new(), &[3]);
    let sent = (0..100).map(|_| stage.send(Actor::Account(fan), "key", command.clone()));
    let bodies: HashSet<String> = futures::future::try_join_all(sent).await?.iter().map(|done| done.body()).collect();
    assert_eq!(bodies.len(), 1, "everyone is told the same");
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_repeated_as_it_was_also_after_a_restart() -> Result<()> {
    let mut stage = Stage::new(2, 10, roomy()).await?;
    let (winner, loser) = (stage.fan().await?, stage.fan().await?);
    let (held, _) = stage.hold(winner, &[5]).await?;
    let command = hold_seats(HoldId::new(), &[5]);
    let first = refusal(stage.send(Actor::Account(loser), "key", command.clone()).await.unwrap_err());
    assert_eq!(first.0, Reason::SeatTaken);
    let release = Command::Performance(performance::Command::ReleaseHold { hold: held });
    stage.send(Actor::Account(winner), "release", release).await?;
    // The seat is free now; the same key still tells what was decided then.
    assert_eq!(refusal(stage.send(Actor::Account(loser), "key", command.clone()).await.unwrap_err()), first);
    stage.restart().await?;
    assert_eq!(refusal(stage.send(Actor::Account(loser), "key", command).await.unwrap_err()), first);
    stage.hold(loser, &[5]).await.context("a new key is a new command")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_command_of_one_person() -> Result<()> {
    let mut stage = Stage::new(2, 10, roomy()).await?;
    let (fan, friend) = (stage.fan().await?, stage.fan().await?);
    stage.send(Actor::Account(fan), "key", hold_seats(HoldId::new(), &[1])).await?;
    let other = stage.send(Actor::Account(fan), "key", hold_seats(HoldId::new(), &[2])).await;
    assert!(matches!(other, Err(Rejected::KeyReused)));
    stage.send(Actor::Account(friend), "key", hold_seats(HoldId::new(), &[2])).await.context("another person's key")?;
    stage.restart().await?;
    let other = stage.send(Actor::Account(fan), "key", hold_seats(HoldId::new(), &[3])).await;
    assert!(matches!(other, Err(Rejected::KeyReused)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_falls_due_while_nothing_runs_is_released_though_nobody_asks() -> Result<()> {
    let mut stage = Stage::new(2, 10, Policies { hold_seconds: 1, ..roomy() }).await?;
    let fan = stage.fan().await?;
    stage.hold(fan, &[7]).await?;
    stage.restart().await?;
    eventually("the hold is released", || async { count(&stage, "HoldReleased").await.is_ok_and(|released| released == 1) }).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owner_fences_this_one_out() -> Result<()> {
    let stage = Stage::new(2, 10, roomy()).await?;
    let fan = stage.fan().await?;
    let before = log::head(&stage.db.pool).await?.position;
    // Another node takes every shard, between two batches of ours.
    // (The one `hold` below may wait for that node, in vain.)
    sqlx::query("insert into nodes (node, address, expires_at) values (gen_random_uuid(), 'http://127.0.0.1:9', clock_timestamp() + interval '1 hour')")
        .execute(&stage.db.pool)
        .await?;
    sqlx::query("update shard_leases set epoch = epoch + 1, owner = (select node from nodes where address = 'http://127.0.0.1:9')")
        .execute(&stage.db.pool)
        .await?;
    let rejected = stage.hold(fan, &[1]).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Busy { .. }), "{rejected}");
    assert_eq!(log::head(&stage.db.pool).await?.position, before, "a stale epoch writes nothing");
    // It goes away; this one takes over again, and knows everything.
    sqlx::query("update nodes set expires_at = '-infinity' where address = 'http://127.0.0.1:9'").execute(&stage.db.pool).await?;
    eventually("the shards are ours again", || async { stage.hold(fan, &[1]).await.is_ok() }).await;
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    assert_dense(&stage).await
}

/// What this process tells its readers of its commits is what the log has, to the byte and the moment. And they learn of a new
/// session with Postgres, which may be another log's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_told_as_the_log_has_it() -> Result<()> {
    let stage = Stage::new(4, 10, roomy()).await?;
    let (fan, pool) = (stage.fan().await?, &stage.db.pool);
    let mut told = stage.executor.commits().follow();
    stage.hold(fan, &[0]).await?;
    let position = log::head(pool).await?.position;
    assert!(told.after(position - 1, 10).is_empty(), "its session isn't proven");
    told.read(position);
    stage.hold(fan, &[1]).await?;
    let events = told.after(position, 10);
    assert!(!events.is_empty());
    assert_eq!(format!("{events:?}"), format!("{:?}", log::read_after(pool, position, 10).await?));
    cut_off_committers(pool).await?;
    let position = log::head(pool).await?.position;
    eventually("commits go on", || async { stage.hold(fan, &[2]).await.is_ok() }).await;
    assert!(log::head(pool).await?.position > position);
    assert!(told.after(position, 10).is_empty(), "another session");
    Ok(())
}

async fn cut_off_committers(pool: &PgPool) -> Result<()> {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where application_name like 'socketing-committer %' and datname = current_database()",
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Commands under load while Postgres cuts the committer off again and again: each is acknowledged and in the log, or
/// not acknowledged and then either wholly there or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_cut_off_in_the_middle_lose_and_double_nothing() -> Result<()> {
    let stage = Stage::new(40, 50, roomy()).await?;
    let mut fans: Vec<AccountId> = Vec::new();
    for _ in 0..50 {
        fans.push(stage.fan().await?);
    }
    let cut = async {
        for _ in 0..20 {
            let head = log::head(&stage.db.pool).await?.position;
            cut_off_committers(&stage.db.pool).await?;
            eventually("commits go on", || async { log::head(&stage.db.pool).await.is_ok_and(|now| now.position > head + 20) }).await;
        }
        anyhow::Ok(())
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let rush = futures::future::join_all(fans.iter().enumerate().map(|(nth, &fan)| hold_on_and_on(&stage, fan, nth as u32, &stop)));
    let (cut, acknowledged) = tokio::join!(
        async {
            let cut = cut.await;
            stop.cancel();
            cut
        },
        rush
    );
    cut?;
    let acknowledged: Vec<HoldId> = acknowledged.into_iter().flatten().collect();
    let recorded: Vec<(String,)> =
        sqlx::query_as("select payload->'SeatsHeld'->>'hold' from events where event_type = 'SeatsHeld'").fetch_all(&stage.db.pool).await?;
    let unique: HashSet<&str> = recorded.iter().map(|(hold,)| hold.as_str()).collect();
    assert_eq!(unique.len(), recorded.len(), "no hold twice");
    assert!(acknowledged.iter().all(|hold| unique.contains(hold.to_string().as_str())), "no acknowledged hold lost");
    assert_dense(&stage).await
}

/// Holds one of its own seats after another until told to stop; returns what was acknowledged.
async fn hold_on_and_on(stage: &Stage, fan: AccountId, nth: u32, stop: &tokio_util::sync::CancellationToken) -> Vec<HoldId> {
    let mut acknowledged = Vec::new();
    for seat in (0..40).cycle() {
        if stop.is_cancelled() {
            break;
        }
        match stage.hold(fan, &[nth * 40 + seat]).await {
            Ok((hold, _)) => acknowledged.push(hold),
            Err(Rejected::Busy { .. }) => tokio::task::yield_now().await,
            Err(rejected) => panic!("seat {seat} of fan {nth}: {rejected}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_cancels_nothing() -> Result<()> {
    let stage = Stage::new(2, 10, roomy()).await?;
    let fan = stage.fan().await?;
    let command = hold_seats(HoldId::new(), &[4]);
    // Polled once, so that it is sent, then dropped.
    let gone = futures::FutureExt::now_or_never(stage.send(Actor::Account(fan), "key", command.clone()));
    assert!(gone.is_none());
    let again = stage.send(Actor::Account(fan), "key", command).await?;
    assert!(again.replayed, "the first one was carried out");
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    Ok(())
}

/// Nobody waits for a process that can't get anything done any more: what it leaves is safe to send again, elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_stop_while_postgres_is_away_ends_and_leaves_nothing_half_done() -> Result<()> {
    let postgres = TestPostgres::start();
    let mut stage = Stage::on(TestDb::on(postgres.url.clone()).await, 2, 10, roomy()).await?;
    let (fan, hold) = (Actor::Account(stage.fan().await?), hold_seats(HoldId::new(), &[3]));
    postgres.stop_immediately();
    let (unanswered, ()) = tokio::join!(stage.send(fan, "key", hold.clone()), within("the executor ends", stage.executor.stop()));
    assert!(matches!(unanswered, Err(Rejected::Busy { .. })), "{unanswered:?}");
    postgres.start_again();
    stage.restart().await?;
    assert!(!stage.send(fan, "key", hold.clone()).await?.replayed);
    assert!(stage.send(fan, "key", hold).await?.replayed);
    assert_eq!(count(&stage, "SeatsHeld").await?, 1);
    Ok(())
}
