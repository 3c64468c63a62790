//! Where rooms begin: at the read models' rows and checkpoint where those can be trusted, else at the log's beginning.

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use socketing_domain::event::Actor;
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{AccountId, BookingId, EntryId, performance, waiting_room};
use socketing_event_store::log;
use socketing_tests::live::{SeatHistory, TestLive};
use socketing_tests::reading::TestReading;
use socketing_tests::stage::Stage;
use uuid::Uuid;

async fn send(stage: &Stage, account: AccountId, command: Command) -> Result<()> {
    let sent = stage.send(Actor::Account(account), &Uuid::now_v7().to_string(), command).await;
    sent.map(|_| ()).map_err(|rejected| anyhow!("{rejected}"))
}

/// Some are inside, with a hold and a booking; others wait or have left.
async fn some_life(stage: &Stage, base: u32) -> Result<()> {
    let mut people = Vec::new();
    for _ in 0..5 {
        let account = AccountId::new();
        let join = waiting_room::Command::JoinQueue { entry: EntryId::new(), party: None };
        send(stage, account, Command::Line(join)).await?;
        people.push(account);
    }
    let (hold, _) = stage.hold(people[0], &[base, base + 1]).await.map_err(|rejected| anyhow!("{rejected}"))?;
    let book = performance::Command::Book { booking: BookingId::new(), hold };
    send(stage, people[0], Command::Performance(book)).await?;
    stage.hold(people[1], &[base + 4]).await.map_err(|rejected| anyhow!("{rejected}"))?;
    for leaves in [3, 1, 0] {
        send(stage, people[leaves], Command::Line(waiting_room::Command::LeaveQueue)).await?;
    }
    Ok(())
}

async fn snapshot(stage: &Stage, topic: &str) -> Result<Value> {
    let live = TestLive::start(&stage.db.pool, None).await?;
    let mut client = live.connect().await?;
    client.subscribe(1, topic, stage.performance, None).await?;
    let snapshot = client.next().await?;
    assert_eq!(snapshot["type"], "snapshot", "{snapshot}");
    Ok(snapshot)
}

/// Makes the rows untrustworthy: those of another history.
async fn distrust(stage: &Stage, name: &str) -> Result<()> {
    let done =
        sqlx::query("update checkpoints set incarnation = gen_random_uuid() where name = $1").bind(name).execute(&stage.db.pool).await?;
    assert_eq!(done.rows_affected(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_begins_from_rows_shows_what_the_whole_log_says() -> Result<()> {
    // Two of the first five stay inside; the next two find room.
    let stage = Stage::new(4, 10, Policies { capacity: 4, ..Policies::default() }).await?;
    some_life(&stage, 0).await?;
    let reading = TestReading::start(&stage.db, None).await;
    reading.reaches(log::head(&stage.db.pool).await?.position).await;
    reading.stop().await;
    some_life(&stage, 20).await?; // above the checkpoints

    let head = log::head(&stage.db.pool).await?.position;
    let (seats, line) = (snapshot(&stage, "seats").await?, snapshot(&stage, "line").await?);
    assert_eq!(seats["seats"], SeatHistory::of(&stage.db.pool, stage.performance).await?.last());
    assert_eq!([&seats["position"], &line["position"]], [&json!(head), &json!(head)]);
    distrust(&stage, "projection:seat_map").await?;
    distrust(&stage, "projection:line").await?;
    assert_eq!(seats, snapshot(&stage, "seats").await?);
    assert_eq!(line, snapshot(&stage, "line").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_used_while_they_can_be_trusted_and_only_then() -> Result<()> {
    let stage = Stage::new(4, 10, Policies { capacity: 2, ..Policies::default() }).await?;
    some_life(&stage, 0).await?;
    let reading = TestReading::start(&stage.db, None).await;
    reading.reaches(log::head(&stage.db.pool).await?.position).await;
    reading.stop().await;
    let truth = snapshot(&stage, "seats").await?["seats"].as_str().context("seats")?.to_owned();
    let painted = truth.replace('0', "3");
    sqlx::query("update seat_map_chunks set states = $1").bind(&painted).execute(&stage.db.pool).await?;
    assert_eq!(snapshot(&stage, "seats").await?["seats"], painted, "the rows are where it begins");

    sqlx::query("insert into parked_events (projection, aggregate_type, aggregate_id, position) values ('seat_map', 'performance', $1, 1)")
        .bind(stage.performance.to_string())
        .execute(&stage.db.pool)
        .await?;
    assert_eq!(snapshot(&stage, "seats").await?["seats"], truth, "the stream is parked");
    sqlx::query("delete from parked_events").execute(&stage.db.pool).await?;
    assert_eq!(snapshot(&stage, "seats").await?["seats"], painted);
    distrust(&stage, "projection:seat_map").await?;
    assert_eq!(snapshot(&stage, "seats").await?["seats"], truth, "the rows are of another history");
    Ok(())
}
