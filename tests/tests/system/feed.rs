//! The feed on real servers: in order, without gaps or repeats, whatever happens to NATS.

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::{AccountId, PartyId, PerformanceId, party};
use socketing_event_store::checkpoint::Mismatch;
use socketing_event_store::{Checkpoint, PgPool, log};
use socketing_nats::stream::{self, STREAM};
use socketing_nats::{Feed, FeedError, NatsConfig, Relay, StreamOptions, Subscription, connect, jetstream, message};
use socketing_tests::{TestDb, TestLog, TestNats, TestRelay, eventually, within};
use std::fs;

/// A feed from the log's beginning, and what it has brought so far.
struct Reader {
    feed: Feed,
    subscription: Option<Subscription>,
    seen: u64,
    pool: PgPool,
}

impl Reader {
    async fn open(db: &TestDb, subscription: Option<Subscription>) -> Result<Reader> {
        let beginning = Checkpoint::beginning(log::head(&db.pool).await?.incarnation);
        let feed = Feed::open(db.pool.clone(), subscription.clone(), "test", &beginning).await?;
        Ok(Reader { feed, subscription, seen: 0, pool: db.pool.clone() })
    }

    /// Reads up to exactly `position`, checking that nothing is missing, repeated or altered.
    async fn reads_to(&mut self, position: u64) -> Result<()> {
        while self.seen < position {
            let first = self.seen + 1;
            let batch = within("the next events", self.feed.next_batch(300)).await?;
            assert!((1..=300).contains(&batch.len()));
            let log = log::read_after(&self.pool, self.seen, batch.len() as u32).await?;
            for ((event, expected), wanted) in batch.iter().zip(&log).zip(first..) {
                assert_eq!(event.position, wanted);
                assert_eq!(event.hash(), expected.hash());
                assert_eq!((event.recorded_at, event.metadata.get()), (expected.recorded_at, expected.metadata.get()));
                event.decode()?;
            }
            self.seen += batch.len() as u64;
        }
        assert_eq!(self.seen, position);
        Ok(())
    }

    /// Reads what comes next, which must follow, without looking at the log.
    async fn reads_on(&mut self) -> Result<()> {
        for event in within("the next events", self.feed.next_batch(300)).await? {
            assert_eq!(event.position, self.seen + 1);
            self.seen += 1;
        }
        Ok(())
    }

    /// Reads up to `position` while Postgres answers nobody.
    async fn reads_without_postgres(&mut self, position: u64) -> Result<()> {
        let mut stuck = self.pool.begin().await?;
        sqlx::query("lock table events, log_head in access exclusive mode").execute(&mut *stuck).await?;
        while self.seen < position {
            self.reads_on().await?;
        }
        Ok(stuck.rollback().await?)
    }

    /// Lets the feed run, without events, until the condition holds.
    async fn idles_until(&mut self, what: &str, condition: impl AsyncFn() -> bool) -> Result<()> {
        tokio::select! {
            batch = self.feed.next_batch(1) => anyhow::bail!("events out of nowhere: {:?}", batch?),
            () = eventually(what, || condition()) => Ok(()),
        }
    }

    /// Lets the feed run until it reads from JetStream.
    async fn attaches(&mut self, jetstream: &Context) -> Result<()> {
        let subscription = self.subscription.clone().context("a subscription")?;
        self.idles_until("the feed reads JetStream", async || subscription.feeds() == 1 && consumers(jetstream).await == 1).await
    }
}

async fn consumers(jetstream: &Context) -> usize {
    stream::find(jetstream).await.ok().flatten().map_or(0, |stream| stream.cached_info().state.consumer_count)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_and_in_order() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let _relay = TestRelay::start(&db, &nats).await;
    let before = log.fill(2_500).await;
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    reader.reads_to(before).await?;
    for _ in 0..20 {
        let position = log.fill(37).await;
        reader.reads_to(position).await?;
    }
    Ok(())
}

/// What the relay of the same process publishes doesn't come back from JetStream. When that relay ends, and another process's
/// takes over, everything comes from there.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_of_the_process_is_heard_and_afterwards_jetstream() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let (mut log, jetstream) = (TestLog::new(&db.pool).await, jetstream(&nats.reader().await));
    let subscription = nats.subscription().await;
    let relay = Relay::new(db.pool.clone(), &nats.relay().await, StreamOptions::default());
    let mut relay = TestRelay::run(relay.telling(subscription.clone()));
    let mut reader = Reader::open(&db, Some(subscription.clone())).await?;
    let position = log.fill(50).await;
    reader.reads_to(position).await?;
    let hears = async || subscription.feeds() == 1 && consumers(&jetstream).await == 0;
    reader.idles_until("the feed hears the relay", hears).await?;
    for _ in 0..5 {
        let position = log.fill(700).await;
        relay.has_published(position).await;
        reader.reads_without_postgres(position).await?;
    }
    assert_eq!(consumers(&jetstream).await, 0, "it isn't sent again");
    relay.stop().await;
    let mut another = TestRelay::start(&db, &nats).await;
    let position = log.fill(700).await;
    reader.reads_to(position).await?;
    reader.attaches(&jetstream).await?;
    let position = log.fill(700).await;
    another.has_published(position).await;
    reader.reads_without_postgres(position).await
}

/// Publishes positions of the log by hand, in the relay's place.
async fn publish(db: &TestDb, relay: &Context, positions: impl Iterator<Item = u64>) -> Result<()> {
    let head = log::head(&db.pool).await?;
    for position in positions {
        let outgoing = message::encode(&log::event_at(&db.pool, position).await?.context("the log has it")?, &message::source(&head));
        relay.publish_with_headers(outgoing.subject, outgoing.headers, outgoing.body).await?.await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_events_come_from_jetstream_though_postgres_is_stuck() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let relay = jetstream(&nats.relay().await);
    eventually("there is a stream", || async { stream::prepare(&relay, &db.pool, &StreamOptions::default(), None).await.is_ok() }).await;
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    reader.attaches(&relay).await?;

    log.fill(20).await;
    let head = log::head(&db.pool).await?;
    let events = log::read_after(&db.pool, 0, 20).await?;
    let mut stuck = db.pool.begin().await?;
    sqlx::query("lock table events, log_head in access exclusive mode").execute(&mut *stuck).await?;
    for expected in events {
        let outgoing = message::encode(&expected, &message::source(&head));
        relay.publish_with_headers(outgoing.subject, outgoing.headers, outgoing.body).await?.await?;
        let batch = within("the event", reader.feed.next_batch(10)).await?;
        assert_eq!(batch.iter().map(|event| event.hash()).collect::<Vec<_>>(), [expected.hash()]);
    }
    stuck.rollback().await?;
    Ok(())
}

/// What it doesn't want is left out, yet it knows how far it is, over pages and over stretches that have nothing for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_some_types_misses_none_of_them() -> Result<()> {
    const WANTED: &[&str] = &["PartyFormed"];
    let db = TestDb::new().await;
    let mut log = TestLog::new(&db.pool).await;
    let beginning = Checkpoint::beginning(log::head(&db.pool).await?.incarnation);
    let mut feed = Feed::open(db.pool.clone(), None, "test", &beginning).await?.only(WANTED);
    let (mut formed, mut read, mut found) = (Vec::new(), 0, Vec::new());
    for between in [0, 1_300, 2_500, 998, 999, 7] {
        log.fill(between).await;
        formed.push(log.append(&[party_formed()]).await);
        let last = log.fill(3).await;
        let mut at = 0;
        while at < last {
            let batch = within("the next events", feed.next_batch(300)).await?;
            read += batch.len();
            at = batch.last().context("a batch has events")?.position;
            found.extend(batch.iter().filter(|event| WANTED.contains(&event.event_type.as_str())).map(|event| event.position));
        }
        assert_eq!((at, &found), (last, &formed));
    }
    assert!(read < 60, "{read} events were read");
    Ok(())
}

fn party_formed() -> (StreamId, Event) {
    let (leader, performance, party) = (AccountId::new(), PerformanceId::new(), PartyId::new());
    let formed = party::Event::PartyFormed { party, performance, leader, terms: Default::default(), unused_until: None };
    (StreamId::Party(performance, party), Event::Party(formed))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_has_not_got_comes_from_postgres() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let relay = jetstream(&nats.relay().await);
    eventually("there is a stream", || async { stream::prepare(&relay, &db.pool, &StreamOptions::default(), None).await.is_ok() }).await;
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    reader.attaches(&relay).await?;
    // Never published: silence.
    let silent = log.fill(30).await;
    reader.reads_to(silent).await?;
    // Published late: skipped, and then read on.
    publish(&db, &relay, 1..=30).await?;
    let next = log.fill(10).await;
    publish(&db, &relay, 31..=40).await?;
    reader.reads_to(next).await
}

/// More arrives than is kept for a feed that is busy: what it gets next is beyond a gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_filled_from_postgres() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    relay.has_published(0).await;
    let (operator, subscription) = (jetstream(&nats.relay().await), nats.subscription().await);
    let mut busy = Reader::open(&db, Some(subscription.clone())).await?;
    busy.attaches(&operator).await?;
    let mut quick = Reader::open(&db, Some(subscription)).await?;
    let mut position = 0;
    for _ in 0..20 {
        position = log.fill(500).await;
        quick.reads_to(position).await?;
    }
    relay.has_published(position).await;
    busy.reads_to(position).await?;
    let next = log.fill(10).await;
    busy.reads_to(next).await
}

/// What arrives while a gap is being filled isn't let go: else, while much happens, there would always be a next gap.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_a_gap_needs_no_postgres() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    relay.has_published(0).await;
    let subscription = nats.subscription().await;
    let mut busy = Reader::open(&db, Some(subscription.clone())).await?;
    busy.attaches(&jetstream(&nats.relay().await)).await?;
    let mut quick = Reader::open(&db, Some(subscription.clone())).await?;
    quick.idles_until("it reads JetStream", async || subscription.feeds() == 2).await?;
    let mut last = 0;
    for _ in 0..20 {
        last = log.fill(500).await;
        relay.has_published(last).await;
        quick.reads_without_postgres(last).await?; // so all of it has arrived
    }
    // The oldest that is kept is the 1,809th.
    while busy.seen < 3_000 {
        busy.reads_on().await?;
    }
    busy.reads_without_postgres(last).await
}

/// However many read in a process, and whenever they begin, the server sends each message once.
#[tokio::test(flavor = "multi_thread")]
async fn the_feeds_of_a_process_share_one_consumer() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let _relay = TestRelay::start(&db, &nats).await;
    let (operator, subscription) = (jetstream(&nats.relay().await), nats.subscription().await);
    let mut readers = Vec::new();
    for count in 1..=4 {
        let mut reader = Reader::open(&db, Some(subscription.clone())).await?;
        let before = log.fill(20).await;
        reader.reads_to(before).await?;
        reader.idles_until("it reads JetStream", async || subscription.feeds() == count).await?;
        readers.push(reader);
        let position = log.fill(30).await;
        for reader in &mut readers {
            reader.reads_to(position).await?;
        }
        assert_eq!(consumers(&operator).await, 1);
    }
    drop(readers);
    assert_eq!(subscription.feeds(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_nats_is_bridged() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let operator = jetstream(&nats.relay().await);
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    for _ in 0..3 {
        let before = log.fill(50).await;
        reader.reads_to(before).await?;
        nats.kill();
        let during = log.fill(50).await;
        reader.reads_to(during).await?;
        nats.restart();
        relay.has_published(during).await;
        reader.attaches(&operator).await?;
        let after = log.fill(50).await;
        reader.reads_to(after).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_ahead_of_a_lost_tail_sees_nothing_twice() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    let kept = log.fill(300).await;
    relay.has_published(kept).await;
    reader.reads_to(kept).await?;
    nats.stop();
    let unsynced = nats.copy_store();
    nats.restart();
    let lost = log.fill(400).await;
    relay.has_published(lost).await;
    reader.reads_to(lost).await?;
    nats.kill();
    nats.put_back(&unsynced);
    nats.restart();
    relay.has_published(lost).await;
    let last = log.fill(100).await;
    relay.has_published(last).await;
    reader.reads_to(last).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_ahead_of_an_emptied_stream_goes_on() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let operator = jetstream(&nats.relay().await);
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    let before = log.fill(300).await;
    reader.reads_to(before).await?;
    nats.kill();
    nats.empty_store();
    nats.restart();
    relay.has_published(before).await;
    reader.attaches(&operator).await?;
    let after = log.fill(300).await;
    reader.reads_to(after).await
}

/// A flipped byte in the middle costs JetStream many messages, while its end stays and nothing is logged.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_reaches_nobody() -> Result<()> {
    let (db, mut nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let operator = jetstream(&nats.relay().await);
    let before = log.fill(20_000).await; // several files
    relay.has_published(before).await;
    nats.stop();
    let block = nats.blocks(STREAM).into_iter().next().context("a block")?;
    let mut bytes = fs::read(&block)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&block, bytes)?;
    nats.restart();
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    reader.reads_to(before).await?;
    let after = log.fill(300).await;
    relay.has_published(after).await;
    reader.reads_to(after).await?;
    reader.attaches(&operator).await
}

#[tokio::test(flavor = "multi_thread")]
async fn services_start_while_nats_is_down_or_not_configured() -> Result<()> {
    let db = TestDb::new().await;
    let mut log = TestLog::new(&db.pool).await;
    let nowhere = connect(&NatsConfig { url: "nats://127.0.0.1:1".into(), name: "test".into() }).await?;
    let mut down = Reader::open(&db, Some(Subscription::start(jetstream(&nowhere)))).await?;
    let mut without = Reader::open(&db, None).await?;
    for _ in 0..3 {
        let position = log.fill(1_500).await;
        down.reads_to(position).await?;
        without.reads_to(position).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_loses_nothing() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let _relay = TestRelay::start(&db, &nats).await;
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    for count in [1, 500, 3, 700, 20] {
        let position = log.fill(count).await;
        while reader.seen < position {
            // Cancelled after as many steps as the other branch takes, which differs from turn to turn.
            tokio::select! {
                batch = reader.feed.next_batch(50) => {
                    for event in batch? {
                        assert_eq!(event.position, reader.seen + 1);
                        reader.seen += 1;
                    }
                }
                _ = log::head(&db.pool) => {}
            }
        }
    }
    Ok(())
}

fn mismatch<T>(result: Result<T, FeedError>) -> Mismatch {
    match result {
        Err(FeedError::OtherHistory { mismatch, .. }) => mismatch,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("no error"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_ends_the_feed() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let operator = jetstream(&nats.relay().await);
    let mut live = Reader::open(&db, Some(nats.subscription().await)).await?;
    let mut polling = Reader::open(&db, None).await?;
    let position = log.fill(20).await;
    live.reads_to(position).await?;
    polling.reads_to(position).await?;
    relay.has_published(position).await;
    live.attaches(&operator).await?;

    sqlx::query("update log_head set incarnation = gen_random_uuid()").execute(&db.pool).await?;
    stream::recreate(&operator, &db.pool, &StreamOptions::default()).await?;
    let position = log.fill(20).await;
    relay.has_published(position).await;
    assert!(matches!(mismatch(within("the feed ends", live.feed.next_batch(100)).await), Mismatch::Incarnation { .. }));
    assert!(matches!(mismatch(within("the feed ends", polling.feed.next_batch(100)).await), Mismatch::Incarnation { .. }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_opens_only_in_its_own_history() -> Result<()> {
    let db = TestDb::new().await;
    TestLog::new(&db.pool).await.fill(20).await;
    let head = log::head(&db.pool).await?;
    let tenth = log::event_at(&db.pool, 10).await?.context("the tenth event")?;
    let here = Checkpoint::after(&tenth, head.incarnation);
    let open = async |from: &Checkpoint| Feed::open(db.pool.clone(), None, "test", from).await;

    let mut feed = open(&here).await?;
    assert_eq!(within("the eleventh", feed.next_batch(1)).await?[0].position, 11);
    let other = Checkpoint { incarnation: uuid::Uuid::now_v7(), ..here.clone() };
    assert!(matches!(mismatch(open(&other).await), Mismatch::Incarnation { .. }));
    let beyond = Checkpoint { position: 21, ..here.clone() };
    assert_eq!(mismatch(open(&beyond).await), Mismatch::Shorter { head: 20, reader: 21 });
    let elsewhere = Checkpoint { position: 11, ..here };
    assert_eq!(mismatch(open(&elsewhere).await), Mismatch::Event { position: 11 });
    Ok(())
}

/// After a restore the stream still holds the old history until an operator has it rebuilt. Readers of the new one read
/// Postgres meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_history_is_not_read() -> Result<()> {
    let (db, nats) = (TestDb::new().await, TestNats::start().await);
    let mut log = TestLog::new(&db.pool).await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let position = log.fill(20).await;
    relay.has_published(position).await;
    sqlx::query("with gone as (delete from events where position > 10) update log_head set position = 10, incarnation = gen_random_uuid()")
        .execute(&db.pool)
        .await?;
    let mut log = TestLog::new(&db.pool).await;
    let mut reader = Reader::open(&db, Some(nats.subscription().await)).await?;
    reader.reads_to(10).await?;
    for _ in 0..5 {
        let position = log.fill(7).await;
        reader.reads_to(position).await?;
    }
    Ok(())
}
