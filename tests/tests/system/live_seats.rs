//! Live seat maps on real servers: what a page shows is the fold of the log, whatever happens in between.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use socketing_domain::event::Actor;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::plan::PlanHash;
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{AccountId, HoldId, PerformanceId, SeatIndex, ShowId, Timestamp, performance};
use socketing_event_store::{PgPool, log};
use socketing_tests::live::{LiveClient, LiveOptions, SeatHistory, SeatMapView, TestLive};
use socketing_tests::stage::Stage;
use socketing_tests::{TestDb, TestLog, TestNats, TestRelay, within};
use std::sync::Arc;
use tokio::sync::Semaphore;

fn roomy() -> Policies {
    Policies { capacity: 100_000, seats_per_person: 64, ..Policies::default() }
}

/// A performance with so many seats, in a log that the test writes itself.
struct Hall {
    db: TestDb,
    log: TestLog,
    performance: PerformanceId,
}

impl Hall {
    async fn new(seats: u32) -> Hall {
        let db = TestDb::new().await;
        let log = TestLog::new(&db.pool).await;
        let mut hall = Hall { db, log, performance: PerformanceId::new() };
        hall.append(performance::Event::PerformanceScheduled {
            show: ShowId::new(),
            plan: PlanHash::default(),
            seats,
            starts_at: Timestamp::default(),
            sale_opens_at: Timestamp::default(),
            prices: Vec::new(),
            seats_per_person: 4,
            hold_seconds: 120,
            payment_seconds: 300,
            no_orphans: false,
            adjacency: Default::default(),
        })
        .await;
        hall
    }

    async fn append(&mut self, event: performance::Event) -> u64 {
        self.log.append(&[(StreamId::Performance(self.performance), Event::Performance(event))]).await
    }

    /// Holds seats (more than the domain would allow at once) and returns the event's position.
    async fn hold(&mut self, seats: impl IntoIterator<Item = u32>) -> u64 {
        let account = AccountId::new();
        let seats = seats.into_iter().map(SeatIndex).collect();
        let held = performance::Event::SeatsHeld {
            hold: HoldId::new(),
            account,
            party: None,
            members: vec![account],
            seats,
            expires_at: Timestamp::default(),
            extended: false,
        };
        self.append(held).await
    }

    async fn history(&self) -> Result<SeatHistory> {
        SeatHistory::of(&self.db.pool, self.performance).await
    }
}

/// Reads until the view covers `position`. Every message must leave it as the log was there.
async fn follow_to(client: &mut LiveClient, view: &mut SeatMapView, position: u64) -> Result<()> {
    while view.position < position {
        view.take(&client.next().await?)?;
    }
    Ok(())
}

/// Turns that the fans of [`bustle`] may take until somebody looks again. Each changes nine seats at most: three that are
/// held, three that the fan had before, and three that are released. With those of the eight who are in the middle of one,
/// that is less than the 1,024 changes that a room remembers, so whoever looked the last time can be told what changed
/// since, however quick the fans are and however slow the page is.
const TURNS: usize = 100;

/// A fan that takes and leaves seats while there are turns, until they are closed.
async fn bustle(stage: Arc<Stage>, turns: Arc<Semaphore>, seed: u32) -> Result<()> {
    let fan = stage.fan().await?;
    let mut turn = seed;
    while let Ok(permit) = turns.acquire().await {
        permit.forget();
        turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let first = (turn >> 16) % 56;
        let Ok((hold, _)) = stage.hold(fan, &[first, first + 1, first + 2]).await else { continue };
        if turn & 1 << 10 == 0 {
            let release = Command::Performance(performance::Command::ReleaseHold { hold });
            stage.send(Actor::Account(fan), &format!("release {hold}"), release).await.map_err(|rejected| anyhow::anyhow!("{rejected}"))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_is_the_fold_of_the_log_at_each_position_also_across_reconnects_to_other_instances() -> Result<()> {
    let stage = Arc::new(Stage::new(10, 6, roomy()).await?);
    let nats = TestNats::start().await;
    let relay = TestRelay::start(&stage.db, &nats).await;
    let stream = nats.subscription().await;
    let instances = [TestLive::start(&stage.db.pool, Some(stream)).await?, TestLive::start(&stage.db.pool, None).await?];
    let turns = Arc::new(Semaphore::new(TURNS));
    let fans: Vec<_> = (0..8).map(|seed| tokio::spawn(bustle(Arc::clone(&stage), Arc::clone(&turns), seed))).collect();

    let (mut view, mut shown) = (SeatMapView::default(), Vec::new());
    for visit in 0..16_usize {
        let mut client = instances[visit % 2].connect().await?;
        let after = (visit > 0).then_some(view.position);
        client.subscribe(1, "seats", stage.performance, after).await?;
        let first = client.next().await?;
        if visit > 1 {
            assert_eq!(first["type"], "delta", "visit {visit} goes on where the last one ended, on an instance that knows the hall");
        }
        view.take(&first)?;
        shown.push((view.position, view.digits.clone()));
        // Only the turns that were taken before the look are given anew; the visit ends while they are taken.
        for _ in 0..10 {
            let taken = TURNS - turns.available_permits();
            let seen = last_change(&stage.db.pool, stage.performance).await?;
            turns.add_permits(taken);
            while view.position < seen {
                view.take(&client.next().await?)?;
                shown.push((view.position, view.digits.clone()));
            }
        }
    }
    turns.close();
    for fan in fans {
        within("the fans stop", fan).await??;
    }
    let head = log::head(&stage.db.pool).await?.position;
    let mut client = instances[0].connect().await?;
    client.subscribe(1, "seats", stage.performance, Some(view.position)).await?;
    follow_to(&mut client, &mut view, last_change(&stage.db.pool, stage.performance).await?).await?;

    let history = SeatHistory::of(&stage.db.pool, stage.performance).await?;
    for (position, digits) in &shown {
        assert_eq!(digits, history.at(*position), "at {position} of {head}");
    }
    assert_eq!(view.digits, history.last());
    relay.stop().await;
    Ok(())
}

/// The position of the last event that changed a seat; 0: none has.
async fn last_change(pool: &PgPool, performance: PerformanceId) -> Result<u64> {
    let position: i64 = sqlx::query_scalar(
        "select coalesce(max(position), 0) from events where aggregate_type = 'performance' and aggregate_id = $1
         and event_type in ('SeatsHeld', 'HoldReleased')",
    )
    .bind(performance.to_string())
    .fetch_one(pool)
    .await?;
    Ok(position as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reconnects_gets_exactly_what_was_missed() -> Result<()> {
    let mut hall = Hall::new(20).await;
    let live = TestLive::start(&hall.db.pool, None).await?;
    let mut client = live.connect().await?;
    client.subscribe(1, "seats", hall.performance, None).await?;
    let snapshot = client.next().await?;
    assert_eq!((&snapshot["type"], &snapshot["id"], &snapshot["seats"]), (&json!("snapshot"), &json!(1), &json!("0".repeat(20))));
    let seen = hall.hold([3]).await;
    let delta = client.next().await?;
    assert_eq!(delta, json!({"type": "delta", "id": 1, "position": seen, "changes": [[3, 1]]}));
    drop(client);

    hall.hold([5, 4]).await;
    let last = hall.hold([9]).await;
    let mut client = live.connect().await?;
    client.subscribe(7, "seats", hall.performance, Some(seen)).await?;
    let (mut missed, mut position) = (Vec::new(), seen);
    while position < last {
        let delta = client.next().await?;
        assert_eq!((&delta["type"], &delta["id"]), (&json!("delta"), &json!(7)));
        missed.extend(delta["changes"].as_array().context("changes")?.clone());
        position = delta["position"].as_u64().context("a position")?;
    }
    assert_eq!(missed, [json!([4, 1]), json!([5, 1]), json!([9, 1])]);

    client.subscribe(8, "seats", hall.performance, Some(last)).await?;
    assert_eq!(client.next().await?, json!({"type": "delta", "id": 8, "position": last, "changes": []}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_more_than_an_instance_remembers_gets_a_snapshot() -> Result<()> {
    let mut hall = Hall::new(20).await;
    let seen = hall.hold([1]).await;
    let last = hall.hold([2]).await;
    let live = TestLive::start(&hall.db.pool, None).await?; // began after both
    let mut client = live.connect().await?;
    client.subscribe(1, "seats", hall.performance, Some(seen)).await?;
    let snapshot = client.next().await?;
    assert_eq!((&snapshot["type"], &snapshot["position"]), (&json!("snapshot"), &json!(last)));
    assert_eq!(snapshot["seats"], hall.history().await?.last());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_behind_the_client_waits_and_a_position_beyond_the_log_is_refused() -> Result<()> {
    let mut hall = Hall::new(20).await;
    let live = TestLive::start(&hall.db.pool, None).await?;
    let mut client = live.connect().await?;
    for seat in 0..20 {
        // Asked for at once after the commit: this instance may not have seen it yet.
        let position = hall.hold([seat]).await;
        client.subscribe(seat, "seats", hall.performance, Some(position)).await?;
        let answer = client.next().await?;
        assert_eq!(answer["id"], seat);
        assert!(answer["position"].as_u64() >= Some(position), "older than what the client has: {answer}");
        client.send(&json!({"type": "unsubscribe", "id": seat})).await?;
        assert_eq!(client.next().await?, json!({"type": "unsubscribed", "id": seat}));
    }
    let head = log::head(&hall.db.pool).await?.position;
    client.subscribe(99, "seats", hall.performance, Some(head + 1)).await?;
    let refusal = client.next().await?;
    assert_eq!((&refusal["type"], &refusal["id"], &refusal["code"]), (&json!("error"), &json!(99), &json!("position_unknown")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pages_see_one_change() -> Result<()> {
    let mut hall = Hall::new(738).await;
    let live = TestLive::start(&hall.db.pool, None).await?;
    let mut clients = Vec::new();
    for _ in 0..500 {
        let mut client = live.connect().await?;
        client.subscribe(1, "seats", hall.performance, None).await?;
        assert_eq!(client.next().await?["type"], "snapshot");
        clients.push(client);
    }
    let position = hall.hold([42]).await;
    let expected = json!({"type": "delta", "id": 1, "position": position, "changes": [[42, 1]]});
    for client in &mut clients {
        assert_eq!(client.next().await?, expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_gets_a_snapshot_instead_of_a_backlog_and_delays_nobody() -> Result<()> {
    let mut hall = Hall::new(4_000).await;
    let narrow = LiveOptions { send_buffer_bytes: Some(4_096), ..LiveOptions::default() };
    let live = TestLive::start_with(&hall.db.pool, None, narrow).await?;
    let mut slow = LiveClient::open_narrow(live.address, 4_096).await?;
    slow.subscribe(1, "seats", hall.performance, None).await?;
    let mut fast = live.connect().await?;
    fast.subscribe(1, "seats", hall.performance, None).await?;
    let mut quick = SeatMapView::default();
    quick.take(&fast.next().await?)?;

    // The fast one reads each change before the next is made; the slow one nothing at all.
    let changes = 40;
    for nth in 0..changes {
        let position = hall.hold((0..500).map(|seat| (seat * 7 + nth * 13) % 4_000)).await;
        follow_to(&mut fast, &mut quick, position).await?;
    }
    assert_eq!((quick.snapshots, quick.deltas), (1, changes as usize));

    let mut late = SeatMapView::default();
    follow_to(&mut slow, &mut late, quick.position).await?;
    let history = hall.history().await?;
    assert_eq!(late.digits, history.last());
    assert_eq!(quick.digits, history.last());
    assert!(late.snapshots > 1, "{} snapshots, {} deltas", late.snapshots, late.deltas);
    assert!(late.deltas < quick.deltas / 2, "a backlog of {} frames", late.deltas);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn maps_go_on_while_nats_is_away() -> Result<()> {
    let mut hall = Hall::new(20).await;
    let mut nats = TestNats::start().await;
    let mut relay = TestRelay::start(&hall.db, &nats).await;
    let live = TestLive::start(&hall.db.pool, Some(nats.subscription().await)).await?;
    let mut client = live.connect().await?;
    client.subscribe(1, "seats", hall.performance, None).await?;
    let mut view = SeatMapView::default();
    view.take(&client.next().await?)?;
    let position = hall.hold([1]).await;
    relay.has_published(position).await;
    follow_to(&mut client, &mut view, position).await?;
    nats.kill();
    let position = hall.hold([2]).await;
    follow_to(&mut client, &mut view, position).await?;
    nats.restart();
    let position = hall.hold([3]).await;
    follow_to(&mut client, &mut view, position).await?;
    assert_eq!(view.digits, hall.history().await?.last());
    relay.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_of_the_log_ends_subscriptions_and_hello_tells_it() -> Result<()> {
    let mut hall = Hall::new(20).await;
    let live = TestLive::start(&hall.db.pool, None).await?;
    let mut client = live.connect().await?;
    let before = client.hello["incarnation"].clone();
    client.subscribe(1, "seats", hall.performance, None).await?;
    client.next().await?;
    sqlx::query("update log_head set incarnation = gen_random_uuid()").execute(&hall.db.pool).await?;
    let position = hall.hold([4]).await;
    let ended = client.next().await?;
    assert_eq!((&ended["type"], &ended["id"], &ended["code"]), (&json!("error"), &json!(1), &json!("unavailable")));
    socketing_tests::eventually("the notifier follows the new history", || async {
        live.connect().await.is_ok_and(|client| client.hello["incarnation"] != before)
    })
    .await;
    client.subscribe(1, "seats", hall.performance, None).await?;
    let mut view = SeatMapView::default();
    follow_to(&mut client, &mut view, position).await?;
    assert_eq!(view.digits, hall.history().await?.last());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_this_program_cant_read_ends_that_map_only() -> Result<()> {
    let mut hall = Hall::new(20).await;
    let other = PerformanceId::new();
    let scheduled = sqlx::query_scalar::<_, String>("select payload::text from events where position = 1").fetch_one(&hall.db.pool).await?;
    let live = TestLive::start(&hall.db.pool, None).await?;
    let mut client = live.connect().await?;
    client.subscribe(1, "seats", hall.performance, None).await?;
    client.next().await?;

    // As a newer program would write it.
    append_raw(&hall.db.pool, other, 1, "PerformanceScheduled", &scheduled).await?;
    client.subscribe(2, "seats", other, None).await?;
    assert_eq!(client.next().await?["type"], "snapshot");
    append_raw(&hall.db.pool, other, 2, "SeatsPainted", r#"{"SeatsPainted":{}}"#).await?;
    let ended = client.next().await?;
    assert_eq!((&ended["id"], &ended["code"]), (&json!(2), &json!("unavailable")));
    client.subscribe(3, "seats", other, None).await?;
    assert_eq!(client.next().await?["code"], "unavailable", "it can't be read either");

    let position = hall.hold([4]).await;
    let delta: Value = client.next().await?;
    assert_eq!((&delta["id"], &delta["position"]), (&json!(1), &json!(position)));
    Ok(())
}

async fn append_raw(pool: &PgPool, performance: PerformanceId, sequence: i64, event_type: &str, payload: &str) -> Result<()> {
    sqlx::query(
        "with head as (update log_head set position = position + 1 returning position)
         insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position)
         select 'performance', $1, $2, $3, '1', $4::json, '{\"actor\": \"system:test\", \"command\": \"018f0000-0000-7000-8000-000000000000\"}', position
         from head",
    )
    .bind(performance.to_string())
    .bind(sequence)
    .bind(event_type)
    .bind(payload)
    .execute(pool)
    .await?;
    Ok(())
}
