//! Reading the log on a real Postgres: pages, streams, checkpoints, leases of singletons, and postgres-es beside them.

use anyhow::{Context, Result};
use socketing_domain::event::{Event, StreamId};
use socketing_domain::{AccountId, PartyId, PerformanceId, Won, party, wallet};
use socketing_event_store::log::PAGE_EVENTS_MAX;
use socketing_event_store::singleton::Lease;
use socketing_event_store::{Checkpoint, PoolOptions, StoreError, checkpoint, connect, log, migrate, repository};
use socketing_tests::{TestDb, TestLog, within};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_without_gaps() -> Result<()> {
    let db = TestDb::new().await;
    let empty = log::page(&db.pool, 0, 10, None).await?;
    assert_eq!((empty.events.len(), empty.head.position), (0, 0));
    let last = TestLog::new(&db.pool).await.fill(2_500).await;
    let mut seen = 0;
    loop {
        let page = log::page(&db.pool, seen, u32::MAX, None).await?;
        assert_eq!(page.head.position, last);
        assert!(page.events.len() <= PAGE_EVENTS_MAX as usize);
        let Some(end) = page.events.last() else { break };
        assert!(page.events.iter().map(|event| event.position).eq(seen + 1..=end.position));
        let same = log::read_after(&db.pool, seen, u32::MAX).await?;
        assert!(page.events.iter().map(|event| event.hash()).eq(same.iter().map(|event| event.hash())));
        seen = end.position;
    }
    assert_eq!(seen, last);
    assert!(log::event_at(&db.pool, last + 1).await?.is_none());
    assert!(log::read_after(&db.pool, u64::MAX, 10).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_reads_as_it_was_written() -> Result<()> {
    let db = TestDb::new().await;
    let (account, performance, party) = (AccountId::new(), PerformanceId::new(), PartyId::new());
    let opened = Event::Wallet(wallet::Event::WalletOpened { account, balance: Won::new(500_000).context("a balance")? });
    let formed =
        Event::Party(party::Event::PartyFormed { party, performance, leader: account, terms: Default::default(), unused_until: None });
    let streams = [StreamId::Wallet(account), StreamId::Party(performance, party)];
    TestLog::new(&db.pool).await.append(&[(streams[0], opened.clone()), (streams[1], formed.clone())]).await;
    let events = log::read_after(&db.pool, 0, 10).await?;
    for (raw, (stream, event)) in events.iter().zip([(streams[0], opened), (streams[1], formed)]) {
        let recorded = raw.decode()?;
        assert_eq!((recorded.stream, recorded.event, recorded.sequence), (stream, event.clone(), 1));
        assert_eq!(recorded.metadata.actor, "system:test");
        assert_eq!(raw.payload.get(), event.payload_json(), "kept byte for byte");
    }
    let mut unknown = events[0].clone();
    unknown.event_type = "NeverHeardOf".into();
    let error = unknown.decode().expect_err("a type that this program doesn't know");
    assert_eq!(error.to_string(), "can't read NeverHeardOf at position 1");
    Ok(())
}

/// What operators' tools read through postgres-es is what the system reads.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_es_reads_the_same_events_as_we_do() -> Result<()> {
    let db = TestDb::new().await;
    let (account, performance, party) = (AccountId::new(), PerformanceId::new(), PartyId::new());
    let formed = party::Event::PartyFormed { party, performance, leader: account, terms: Default::default(), unused_until: None };
    let mut events = vec![(StreamId::Party(performance, party), Event::Party(formed))];
    for friend in [AccountId::new(), AccountId::new(), AccountId::new()] {
        let invited = party::Event::FriendInvited { account: friend };
        events.push((StreamId::Party(performance, party), Event::Party(invited)));
    }
    let opened = wallet::Event::WalletOpened { account, balance: Won::new(500_000).context("a balance")? };
    events.push((StreamId::Wallet(account), Event::Wallet(opened)));
    TestLog::new(&db.pool).await.append(&events).await;

    for (stream, after, count) in
        [(events[0].0, 0, 4), (events[0].0, 2, 2), (events[4].0, 0, 1), (StreamId::Wallet(AccountId::new()), 0, 0)]
    {
        let theirs = repository::stream_events(&db.pool, &stream, after).await?;
        let ours = log::load_stream(&db.pool, stream.aggregate_type(), &stream.aggregate_id(), after, PAGE_EVENTS_MAX).await?;
        assert_eq!((theirs.len(), ours.len()), (count, count));
        for (theirs, ours) in theirs.iter().zip(&ours) {
            assert_eq!(theirs.aggregate_type, ours.aggregate_type);
            assert_eq!(theirs.aggregate_id, ours.aggregate_id);
            assert_eq!(theirs.sequence as u64, ours.sequence);
            assert_eq!(theirs.event_type, ours.event_type);
            assert_eq!(theirs.event_version, ours.event_version);
            assert_eq!(theirs.payload, serde_json::from_str::<serde_json::Value>(ours.payload.get())?);
            assert_eq!(theirs.metadata, serde_json::from_str::<serde_json::Value>(ours.metadata.get())?);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_moves_only_from_where_its_reader_stood() -> Result<()> {
    let db = TestDb::new().await;
    TestLog::new(&db.pool).await.fill(20).await;
    let incarnation = log::head(&db.pool).await?.incarnation;
    let events = log::read_after(&db.pool, 0, 20).await?;
    let at = |position: usize| Checkpoint::after(&events[position - 1], incarnation);
    let store = async |from: u64, to: &Checkpoint| -> Result<(), StoreError> {
        let mut transaction = db.pool.begin().await.map_err(StoreError::query("begin"))?;
        checkpoint::store(&mut transaction, "test", from, to).await?;
        transaction.commit().await.map_err(StoreError::query("commit"))
    };
    let is_moved = |result| matches!(result, Err(StoreError::CheckpointMoved { .. }));

    assert_eq!(checkpoint::load(&db.pool, "test").await?, None);
    assert!(is_moved(store(3, &at(5)).await), "there is none to move yet");
    store(0, &at(5)).await?;
    store(5, &at(9)).await?;
    assert!(is_moved(store(5, &at(12)).await), "it is at 9");
    assert!(is_moved(store(0, &at(12)).await), "nor does it begin again");
    let other = Checkpoint { incarnation: Uuid::now_v7(), ..at(12) };
    assert!(is_moved(store(9, &other).await), "histories aren't mixed");
    assert_eq!(checkpoint::load(&db.pool, "test").await?, Some(at(9)));
    assert_eq!(checkpoint::compare(&db.pool, &at(9)).await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_singleton_has_one_owner_and_its_standby_takes_over() -> Result<()> {
    let db = TestDb::new().await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut first = Lease::acquire(&db.pool, "test", one).await?.context("it is free")?;
    assert!(Lease::acquire(&db.pool, "test", other).await?.is_none(), "it is taken");
    first.renew(&db.pool).await?;

    // It runs out (by Postgres's clock), and a standby takes it.
    sqlx::query("update singleton_leases set expires_at = clock_timestamp() - interval '1 second'").execute(&db.pool).await?;
    let second = within("the standby takes over", Lease::wait(&db.pool, "test", other)).await;
    assert!(second.epoch() > first.epoch());
    assert!(matches!(first.renew(&db.pool).await, Err(StoreError::LeaseLost { .. })));
    assert!(matches!(within("the old owner stops", first.keep(&db.pool)).await, StoreError::LeaseLost { .. }));
    let mut transaction = db.pool.begin().await?;
    assert!(matches!(first.fence(&mut transaction).await, Err(StoreError::LeaseLost { .. })), "the old owner writes nothing");
    transaction.rollback().await?;

    // A fence holds a takeover off until its transaction ends.
    let mut transaction = db.pool.begin().await?;
    second.fence(&mut transaction).await?;
    sqlx::query("set lock_timeout = '100ms'").execute(&mut *transaction).await?;
    let mut rival = db.pool.acquire().await?;
    sqlx::query("set lock_timeout = '100ms'").execute(&mut *rival).await?;
    let takeover = sqlx::query("update singleton_leases set owner = $1").bind(one).execute(&mut *rival).await;
    let locked = takeover.expect_err("the row is locked");
    assert_eq!(locked.as_database_error().and_then(|error| error.code()).as_deref(), Some("55P03"));
    transaction.commit().await?;

    second.release(&db.pool).await?;
    assert!(Lease::acquire(&db.pool, "test", one).await?.is_some(), "given back, it is free at once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_and_at_once_is_harmless() -> Result<()> {
    let db = TestDb::new().await;
    let (one, other) = tokio::join!(migrate(&db.pool), migrate(&db.pool));
    one?;
    other?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_says_where_and_never_the_password() -> Result<()> {
    let mut options = PoolOptions::new("test", 1);
    options.acquire_timeout = std::time::Duration::from_millis(200);
    let refused = connect("postgres://someone:secret@127.0.0.1:1/tickets", &options).await.expect_err("nobody listens there");
    assert_eq!(refused.to_string(), "can't connect to PostgreSQL at 127.0.0.1:1/tickets");
    assert!(refused.is_transient());
    let unreadable = connect("secret", &options).await.expect_err("that is no URL");
    assert!(!format!("{unreadable}").contains("secret"));
    Ok(())
}
