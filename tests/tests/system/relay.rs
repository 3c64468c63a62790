//! The relay on real servers: whatever happens to NATS, the stream becomes the log's copy again, sequence by position.

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::PersistenceMode;
use futures::StreamExt;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::{AccountId, Won, wallet};
use socketing_event_store::append::{NewEvent, Written};
use socketing_event_store::commits::{Batch, Commits};
use socketing_event_store::log;
use socketing_nats::stream::{self, STREAM};
use socketing_nats::{NatsConfig, Relay, RelayState, StreamOptions, connect, jetstream};
use socketing_tests::proxy::host_and_port;
use socketing_tests::relay::{assert_stream_equals_log, message_at};
use socketing_tests::{FaultProxy, TestDb, TestLog, TestNats, TestRelay, eventually, within};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_published_at_the_sequence_that_is_its_position() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let before = log.fill(2_500).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    relay.has_published(before).await;
    let after = log.fill(300).await;
    relay.has_published(after).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 2_800);
    relay.stop().await;
    Ok(())
}

/// A relay, and its way to NATS.
async fn relay_by_proxy(db: &TestDb, nats: &TestNats) -> Result<(TestRelay, FaultProxy)> {
    let way = FaultProxy::start(host_and_port(&nats.relay_url)).await;
    let client = connect(&NatsConfig { url: way.url(&nats.relay_url), name: "relay by way of a proxy".into() }).await?;
    Ok((TestRelay::run(Relay::new(db.pool.clone(), &client, StreamOptions::default())), way))
}

async fn relay_taking(commits: &Commits, db: &TestDb, nats: &TestNats) -> TestRelay {
    let relay = Relay::new(db.pool.clone(), &nats.relay().await, StreamOptions::default());
    TestRelay::run(relay.taking(commits.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_the_same_process_wakes_the_relay() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let commits = Commits::new(0);
    let mut relay = relay_taking(&commits, &db, &nats).await;
    for _ in 0..50 {
        let position = log.fill(3).await;
        commits.note(position);
        relay.has_published(position).await;
    }
    let position = log.fill(3).await; // nobody tells: another process committed it
    relay.has_published(position).await;
    relay.stop().await;
    Ok(())
}

/// What this process tells, what it doesn't because another one committed it, and what comes through a new session after the
/// old one broke: all of it is published as Postgres has it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_process_commits_is_published_as_postgres_has_it() -> Result<()> {
    let (db, nats, commits) = (TestDb::new().await, TestNats::start().await, Commits::new(0));
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = relay_taking(&commits, &db, &nats).await;
    eventually("the relay follows", || async { commits.are_followed() }).await;
    for round in 0..60 {
        let another = round % 7 == 3;
        log.tells((!another).then(|| (commits.clone(), round / 20)));
        let position = log.fill(1 + round as usize * 13 % 600).await;
        if round % 5 == 0 {
            relay.has_published(position).await;
        }
    }
    let position = log.fill(1).await;
    relay.has_published(position).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, position);
    relay.stop().await;
    Ok(())
}

/// The relay doesn't read again what its process has just committed. When Postgres then says that it never was, the log is
/// another one: it was restored.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_process_commits_is_published_before_postgres_is_asked() -> Result<()> {
    let (db, nats, commits) = (TestDb::new().await, TestNats::start().await, Commits::new(0));
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = relay_taking(&commits, &db, &nats).await;
    eventually("the relay follows", || async { commits.are_followed() }).await;
    log.tells(Some((commits.clone(), 1)));
    let position = log.fill(10).await;
    let last = log::event_at(&db.pool, position).await?.context("the log has it")?;
    let incarnation = log::head(&db.pool).await?.incarnation;
    let lost = NewEvent {
        aggregate_type: "wallet",
        aggregate_id: last.aggregate_id.clone(),
        sequence: last.sequence + 1,
        event_type: "WalletCharged",
        event_version: "1",
        payload: last.payload.to_string(),
        metadata: "{}".into(),
    };
    let written = Written { base: position, incarnation, recorded_at: last.recorded_at };
    commits.tell(Batch { session: 1, written, events: vec![vec![lost]] });
    relay.reaches("the alarm", |status| matches!(status.state, RelayState::OtherHistory { .. })).await;
    let published = message_at(&jetstream(&nats.reader().await), position + 1).await.event;
    assert_eq!((published.aggregate_id, published.sequence), (last.aggregate_id, last.sequence + 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_starts_again_goes_on_where_the_stream_ends() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    for _ in 0..3 {
        let position = log.fill(700).await;
        let mut relay = TestRelay::start(&db, &nats).await;
        relay.has_published(position).await;
        relay.stop().await;
    }
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 2_100);
    Ok(())
}

/// Also after it has given way, which nobody takes.
#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_away_commands_go_on_and_the_relay_says_how_far_behind_it_is() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let before = log.fill(100).await;
    relay.has_published(before).await;
    nats.kill();
    let during = log.fill(400).await;
    let status =
        relay.reaches("the relay says so", |status| matches!(status.state, RelayState::Waiting { .. }) && status.head == during).await;
    assert_eq!(status.lag(), 400);
    eventually("it has given way", || async {
        let epoch = sqlx::query_scalar::<_, i64>("select epoch from singleton_leases").fetch_one(&db.pool).await;
        epoch.is_ok_and(|epoch| epoch > 1)
    })
    .await;
    let status = relay.reaches("it is there", |_| true).await;
    assert!(matches!(status.state, RelayState::Waiting { .. }), "{status:?}");
    let later = log.fill(20).await;
    let status = relay.reaches("it looks at the log", |status| status.head == later).await;
    assert_eq!((status.lag(), matches!(status.state, RelayState::Waiting { .. })), (420, true), "{status:?}");
    nats.restart();
    let after = log.fill(100).await;
    relay.has_published(after).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 620);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_again_and_again_under_load_ends_with_an_equal_stream() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    for _ in 0..5 {
        let seen = log.fill(700).await - 500;
        relay.reaches("it publishes some", |status| status.published > seen).await;
        nats.kill(); // what is in flight is stored, or not, and nobody knows
        log.fill(300).await;
        nats.restart();
    }
    let last = log.fill(10).await;
    relay.has_published(last).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 5_010);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_lost_its_tail_is_filled_again() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let kept = log.fill(500).await;
    relay.has_published(kept).await;
    nats.stop();
    let unsynced = nats.copy_store();
    nats.restart();
    let lost = log.fill(700).await;
    relay.has_published(lost).await;
    nats.kill();
    nats.put_back(&unsynced);
    nats.restart();
    let last = log.fill(1).await;
    relay.has_published(last).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 1_201);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_is_made_again_and_filled() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let before = log.fill(500).await;
    relay.has_published(before).await;
    nats.kill();
    nats.empty_store();
    nats.restart();
    let last = log.fill(1).await;
    relay.has_published(last).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 501);
    Ok(())
}

/// The lease is taken from whoever has it while events come in: for a while, two relays believe that it is theirs.
#[tokio::test(flavor = "multi_thread")]
async fn two_relays_at_once_publish_nothing_twice() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let (mut one, mut other) = (TestRelay::start(&db, &nats).await, TestRelay::start(&db, &nats).await);
    let mut last = log.fill(10).await;
    let reader = jetstream(&nats.reader().await);
    eventually("one of them publishes", || async { last_sequence(&reader).await == Some(10) }).await;
    for epoch in 1..5 {
        sqlx::query("update singleton_leases set expires_at = '-infinity'").execute(&db.pool).await?;
        while sqlx::query_scalar::<_, i64>("select epoch from singleton_leases").fetch_one(&db.pool).await? == epoch {
            log.fill(20).await;
        }
        last = log.fill(100).await;
    }
    eventually("everything is published", || async { last_sequence(&reader).await == Some(last) }).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &reader).await, last);
    for relay in [&mut one, &mut other] {
        let status = relay.reaches("neither is alarmed", |_| true).await;
        assert!(matches!(status.state, RelayState::Standby | RelayState::Publishing), "{status:?}");
    }
    one.stop().await;
    other.stop().await;
    Ok(())
}

async fn last_sequence(jetstream: &Context) -> Option<u64> {
    Some(stream::find(jetstream).await.ok()??.cached_info().state.last_sequence)
}

/// The first is cut off from NATS, or hears nothing of it, and goes on renewing its lease in PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_reach_nats_gives_way_to_one_that_does() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let reader = jetstream(&nats.reader().await);
    let (mut one, way) = relay_by_proxy(&db, &nats).await?;
    for fault in [FaultProxy::break_off, FaultProxy::stall] {
        let before = log.fill(100).await;
        one.has_published(before).await;
        let mut other = TestRelay::start(&db, &nats).await;
        fault(&way);
        let cut_off = log.fill(100).await;
        other.has_published(cut_off).await;
        one.reaches("it stands by", |status| status.state == RelayState::Standby).await;
        way.heal();
        other.stop().await;
    }
    let last = log.fill(10).await;
    one.has_published(last).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &reader).await, 410);
    one.stop().await;
    Ok(())
}

/// Nobody ends the connection: the client finds out that nothing comes, and takes the other server's address.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_left_for_another() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let server = host_and_port(&nats.relay_url);
    let (way, detour) = (FaultProxy::start(server).await, FaultProxy::start(server).await);
    detour.break_off();
    let url = [way.url(&nats.relay_url), detour.url(&nats.relay_url)].join(",");
    let client = connect(&NatsConfig { url, name: "relay with two addresses".into() }).await?;
    let mut relay = TestRelay::run(Relay::new(db.pool.clone(), &client, StreamOptions::default()));
    let before = log.fill(100).await;
    relay.has_published(before).await;
    detour.heal();
    way.stall();
    let last = log.fill(100).await;
    relay.has_published(last).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 200);
    relay.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_takes_over_when_the_other_stops() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut one = TestRelay::start(&db, &nats).await;
    let first = log.fill(10).await;
    one.has_published(first).await;
    let mut other = TestRelay::start(&db, &nats).await;
    one.stop().await;
    let second = log.fill(10).await;
    other.has_published(second).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 20);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stray_message_has_the_stream_made_again() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let before = log.fill(50).await;
    relay.has_published(before).await;
    let stray = jetstream(&nats.relay().await).publish("booking.stray", "{}".into()).await?.await?;
    assert_eq!(stray.sequence, 51);
    let after = log.fill(50).await;
    relay.has_published(after).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 100);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_can_neither_publish_events_nor_delete_the_stream() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let before = log.fill(1).await;
    relay.has_published(before).await;
    let reader = nats.reader().await;
    let made = made_at(&jetstream(&reader)).await?;
    let mut events = reader.subscribe("booking.>").await?;
    reader.publish("booking.stray", "{}".into()).await?;
    reader.publish("$JS.API.STREAM.DELETE.BOOKING", "".into()).await?;
    reader.flush().await?; // the server has handled both
    let after = log.fill(1).await;
    let next = within("the next event", events.next()).await.context("the subscription goes on")?;
    assert_ne!(next.subject.as_str(), "booking.stray");
    relay.has_published(after).await;
    assert_eq!(made_at(&jetstream(&reader)).await?, made, "it is still the same stream");
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&reader)).await, 2);
    Ok(())
}

async fn made_at(jetstream: &Context) -> Result<String> {
    Ok(stream::find(jetstream).await?.context("there is a stream")?.cached_info().created.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_messages_out_of_the_stream() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let position = log.fill(5).await;
    relay.has_published(position).await;
    let stream = stream::find(&jetstream(&nats.relay().await)).await?.context("there is a stream")?;
    assert!(stream.delete_message(3).await.is_err());
    assert!(stream.purge().await.is_err());
    assert_eq!(assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await, 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_subscription_sees_readable_events() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    relay.has_published(0).await;
    let reader = nats.reader().await;
    let mut events = reader.subscribe("booking.>").await?;
    reader.flush().await?;
    let account: AccountId = Uuid::parse_str("01976e4c-9a5e-7c3a-8f00-0123456789ab")?.into();
    let opened = wallet::Event::WalletOpened { account, balance: Won::new(500_000).context("a balance")? };
    log.append(&[(StreamId::Wallet(account), Event::Wallet(opened))]).await;

    let message = within("the event", events.next()).await.context("the subscription goes on")?;
    assert_eq!(message.subject.as_str(), "booking.wallet.171.WalletOpened");
    let body: serde_json::Value = serde_json::from_slice(&message.payload)?;
    assert_eq!(body, serde_json::json!({"WalletOpened": {"account": account, "balance": 500_000}}));
    let headers = message.headers.context("headers")?;
    let header = |name: &str| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let head = log::head(&db.pool).await?;
    assert_eq!(header("ce-specversion"), "1.0");
    assert_eq!(header("ce-id"), "1");
    assert_eq!(header("ce-type"), "socketing.wallet.WalletOpened.v1");
    assert_eq!(header("ce-source"), format!("/socketing/logs/{}/{}", head.log_id, head.incarnation));
    assert_eq!(header("ce-subject"), format!("wallet/{account}"));
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("ce-sequence"), "1");
    assert!(header("Socketing-Metadata").contains("system:test"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_stops_the_relay_until_the_stream_is_rebuilt() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let before = log.fill(20).await;
    relay.has_published(before).await;
    sqlx::query("update log_head set incarnation = gen_random_uuid()").execute(&db.pool).await?;
    let after = log.fill(20).await;
    relay.reaches("the alarm", |status| matches!(status.state, RelayState::OtherHistory { .. })).await;
    let operator = jetstream(&nats.relay().await);
    assert_eq!(message_at(&operator, 20).await.event.position, 20);
    assert_eq!(last_sequence(&operator).await, Some(20), "nothing of the new history follows the old one");
    stream::recreate(&operator, &db.pool, &StreamOptions::default()).await?;
    relay.has_published(after).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &operator).await, 40);
    Ok(())
}

/// A failover can lose the log's end without anyone noticing: the stream knows better.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_another_history() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let position = log.fill(20).await;
    relay.has_published(position).await;
    relay.stop().await;
    sqlx::query("with gone as (delete from events where position > 15) update log_head set position = 15").execute(&db.pool).await?;
    let mut relay = TestRelay::start(&db, &nats).await;
    relay.reaches("the alarm", |status| matches!(status.state, RelayState::OtherHistory { .. })).await;
    relay.stop().await;
    // The log has grown past it again, with other events.
    TestLog::new(&db.pool).await.fill(30).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    relay.reaches("the alarm", |status| matches!(status.state, RelayState::OtherHistory { .. })).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_discards_the_oldest_and_the_relay_goes_on() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let options = StreamOptions { window_bytes: 256 * 1024, ..StreamOptions::default() };
    let mut relay = TestRelay::start_with(&db, &nats, options).await;
    let position = log.fill(2_000).await;
    relay.has_published(position).await;
    let kept = assert_stream_equals_log(&db.pool, &jetstream(&nats.reader().await)).await;
    assert!((1..2_000).contains(&kept), "{kept} messages are kept");
    Ok(())
}

/// The stream's settings are code: one that was changed by hand is put right, and one of an older release brought up.
#[tokio::test(flavor = "multi_thread")]
async fn settings_are_brought_up_to_date() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let position = log.fill(5).await;
    relay.has_published(position).await;
    relay.stop().await;
    let operator = jetstream(&nats.relay().await);
    let mut config = stream::find(&operator).await?.context("there is a stream")?.cached_info().config.clone();
    config.max_messages = 3;
    config.allow_direct = false;
    operator.update_stream(config).await?;
    let mut relay = TestRelay::start(&db, &nats).await;
    let position = log.fill(5).await;
    relay.has_published(position).await;
    let config = stream::find(&operator).await?.context("there is a stream")?.cached_info().config.clone();
    assert_eq!((config.max_messages, config.allow_direct, config.name.as_str()), (-1, true, STREAM));
    assert_eq!(config.persist_mode, Some(PersistenceMode::Async), "what can't be changed stays");
    Ok(())
}

/// JetStream has stored the messages, but what it says of them never arrives: the relay finds out and goes on, and nothing
/// is there twice.
#[tokio::test(flavor = "multi_thread")]
async fn lost_confirmations_are_found_in_the_stream() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let (mut relay, way) = relay_by_proxy(&db, &nats).await?;
    let reader = jetstream(&nats.reader().await);
    for _ in 0..3 {
        let before = log.fill(100).await;
        relay.has_published(before).await;
        way.lose_answers();
        let stored = log.fill(300).await;
        eventually("JetStream has them", || async { last_sequence(&reader).await == Some(stored) }).await;
        let status = relay.reaches("it is there", |_| true).await;
        assert_eq!(status.published, before, "nobody has told the relay");
        way.heal();
        way.cut();
        let after = log.fill(50).await;
        relay.has_published(after).await;
    }
    assert_eq!(assert_stream_equals_log(&db.pool, &reader).await, 1_350);
    relay.stop().await;
    Ok(())
}

/// The relay's connection stays up, but an answer is lost on the way: after a while it looks for itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_hears_nothing_looks_for_itself() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let (mut relay, way) = relay_by_proxy(&db, &nats).await?;
    let before = log.fill(100).await;
    relay.has_published(before).await;
    way.lose_answers();
    let reader = jetstream(&nats.reader().await);
    let stored = log.fill(10).await;
    eventually("JetStream has them", || async { last_sequence(&reader).await == Some(stored) }).await;
    relay.reaches("the relay is alarmed", |status| matches!(status.state, RelayState::Waiting { .. })).await;
    way.heal();
    way.cut();
    relay.has_published(stored).await;
    assert_eq!(assert_stream_equals_log(&db.pool, &reader).await, 110);
    relay.stop().await;
    Ok(())
}

/// The log is replaced beneath a relay at work, and has grown past it before it looks: it stops all the same, and nothing
/// of the new history follows the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_replaced_beneath_a_relay_at_work_is_noticed() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let position = log.fill(20).await;
    relay.has_published(position).await;
    // At one moment, as far as anyone can see: the last five events go, and twenty others come.
    sqlx::query(
        "with old as (delete from events where position > 15 returning *),
              head as (update log_head set position = 35)
         insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position)
         select 'wallet', gen_random_uuid(), 1, event_type, event_version, payload, metadata, position + nth * 5
         from old, generate_series(0, 3) as nth",
    )
    .execute(&db.pool)
    .await?;
    relay.reaches("the alarm", |status| matches!(status.state, RelayState::OtherHistory { .. })).await;
    assert_eq!(last_sequence(&jetstream(&nats.reader().await)).await, Some(20));
    Ok(())
}

/// A stream of a few blocks that drop out one after another: the relay publishes on, also after a restart in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_never_stops_the_relay() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let options = StreamOptions { window_bytes: 64 * 1024, ..StreamOptions::default() };
    let mut relay = TestRelay::start_with(&db, &nats, options).await;
    let reader = jetstream(&nats.reader().await);
    for turn in 1..=3_u64 {
        let position = log.fill(1_000).await;
        relay.has_published(position).await;
        let kept = assert_stream_equals_log(&db.pool, &reader).await;
        assert!((1..turn * 1_000).contains(&kept), "{kept} of {position} are kept");
        nats.kill();
        nats.restart();
    }
    Ok(())
}
