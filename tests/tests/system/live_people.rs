//! What people are told live: their own things, all of them, and nobody else's. And the line, for everybody at once.

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use socketing_domain::event::{Actor, Event, StreamId};
use socketing_domain::performance::Release;
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{
    AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, RefundId, SeatIndex, Timestamp, Won, party, performance,
    waiting_room, wallet,
};
use socketing_tests::live::{LiveClient, TestLive};
use socketing_tests::stage::Stage;
use socketing_tests::{TestDb, TestLog, eventually};
use uuid::Uuid;

fn policies(capacity: u32) -> Policies {
    Policies { capacity, ..Policies::default() }
}

async fn send(stage: &Stage, actor: Actor, command: Command) -> Result<u64> {
    let done = stage.send(actor, &Uuid::now_v7().to_string(), command).await.map_err(|rejected| anyhow!("{rejected}"))?;
    Ok(done.position)
}

async fn join(stage: &Stage, account: AccountId, party: Option<PartyId>) -> Result<EntryId> {
    let entry = EntryId::new();
    send(stage, Actor::Account(account), Command::Line(waiting_room::Command::JoinQueue { entry, party })).await?;
    Ok(entry)
}

async fn listen(live: &TestLive, account: AccountId) -> Result<LiveClient> {
    let mut client = live.connect_as(account).await?;
    client.send(&json!({"type": "subscribe", "id": 1, "topic": "me"})).await?;
    let snapshot = client.next().await?;
    assert_eq!((&snapshot["type"], &snapshot["id"]), (&json!("snapshot"), &json!(1)));
    Ok(client)
}

/// The next messages, which must be these events in this order. Returns their data.
async fn told<const N: usize>(client: &mut LiveClient, events: [&str; N]) -> Result<[Value; N]> {
    let mut data = [const { Value::Null }; N];
    let mut before = 0;
    for (event, data) in events.iter().zip(&mut data) {
        let mut message = client.next().await?;
        assert_eq!((&message["type"], &message["event"]), (&json!("delta"), &json!(event)), "{message}");
        let position = message["position"].as_u64().context("a position")?;
        assert!(position > before, "out of order: {message}");
        before = position;
        *data = message["data"].take();
    }
    Ok(data)
}

/// That nothing was told before this: an event of the account's own wallet is the next message.
async fn told_nothing(log: &mut TestLog, client: &mut LiveClient, account: AccountId) -> Result<()> {
    let event = wallet::Event::WalletOpened { account, balance: Won::new(7).context("an amount")? };
    let position = log.append(&[(StreamId::Wallet(account), Event::Wallet(event))]).await;
    let message = client.next().await?;
    assert_eq!((&message["event"], &message["position"]), (&json!("WalletOpened"), &json!(position)), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_is_told_what_happens_to_them_and_a_friend_what_concerns_the_friend() -> Result<()> {
    let stage = Stage::new(4, 10, policies(10)).await?;
    let live = TestLive::start(&stage.db.pool, None).await?;
    let [fan, friend, stranger] = std::array::from_fn(|_| AccountId::new());
    let mut mine = listen(&live, fan).await?;
    let mut friends = listen(&live, friend).await?;
    let mut strangers = listen(&live, stranger).await?;

    let party = PartyId::new();
    send(&stage, Actor::Account(fan), Command::Party(party, party::Command::InviteFriend { friend })).await?;
    send(&stage, Actor::Account(friend), Command::Party(party, party::Command::AcceptInvitation)).await?;
    told(&mut mine, ["PartyFormed", "FriendInvited", "InvitationAccepted"]).await?;
    let [invited, _] = told(&mut friends, ["FriendInvited", "InvitationAccepted"]).await?;
    assert_eq!(invited["party"], json!(party));

    let entry = join(&stage, fan, Some(party)).await?;
    let mut events = [mine.next().await?, mine.next().await?, mine.next().await?]
        .map(|message| message["event"].as_str().unwrap_or_default().to_owned());
    events.sort();
    assert_eq!(events, ["EntryAdmitted", "PartyFrozen", "QueueJoined"]);
    for _ in 0..3 {
        let message = friends.next().await?;
        assert_eq!(message["performance"], json!(stage.performance));
        assert!(message["data"]["entry"] == json!(entry), "{message}");
    }

    let (hold, _) = stage.hold(fan, &[3, 4]).await.map_err(|rejected| anyhow!("{rejected}"))?;
    for client in [&mut mine, &mut friends] {
        let [held] = told(client, ["SeatsHeld"]).await?;
        assert_eq!((&held["hold"], &held["seats"]), (&json!(hold), &json!([3, 4])));
    }
    let booking = BookingId::new();
    send(&stage, Actor::Account(fan), Command::Performance(performance::Command::Book { booking, hold })).await?;
    let [booked] = told(&mut mine, ["SeatsBooked"]).await?;
    assert_eq!(booked["lines"].as_array().context("lines")?.len(), 2);
    assert!(booked["total"].is_number());
    let [ticket] = told(&mut friends, ["SeatsBooked"]).await?;
    let lines = ticket["lines"].as_array().context("lines")?;
    assert!(lines.len() == 1 && lines[0]["holder"] == json!(friend), "{ticket}");
    assert_eq!(ticket.get("total"), None, "what the others pay is theirs");

    let cancel = performance::Command::Cancel { booking, refund: RefundId::new() };
    send(&stage, Actor::Account(fan), Command::Performance(cancel)).await?;
    let [cancelled] = told(&mut mine, ["BookingCancelled"]).await?;
    assert_eq!(cancelled["seats"], json!([3, 4]));
    let [cancelled] = told(&mut friends, ["BookingCancelled"]).await?;
    assert_eq!(cancelled["seats"], json!([lines[0]["seat"]]));

    stage.executor.stop().await;
    let mut log = TestLog::new(&stage.db.pool).await;
    told_nothing(&mut log, &mut strangers, stranger).await
}

/// The performance's history takes longer to read than the follower keeps events for whoever comes after it: what it let go
/// meanwhile is read from the log, and no mailbox begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_misses_what_comes_while_a_long_history_is_read() -> Result<()> {
    const HISTORY: u32 = 40_000;
    const MEANWHILE: u32 = 12_000; // more than the 8,192 that are kept
    let db = TestDb::new().await;
    let mut log = TestLog::new(&db.pool).await;
    let performance = PerformanceId::new();
    let [fan, others] = std::array::from_fn(|_| AccountId::new());
    let of_seats = |event| (StreamId::Performance(performance), Event::Performance(event));
    let held = |account, hold| {
        let (members, seats, expires_at) = (vec![account], vec![SeatIndex(1)], Timestamp::default());
        of_seats(performance::Event::SeatsHeld { hold, account, party: None, members, seats, expires_at, extended: false })
    };
    log.append(&(0..HISTORY).map(|_| held(others, HoldId::new())).collect::<Vec<_>>()).await;
    let live = TestLive::start(&db.pool, None).await?;
    let mut mine = listen(&live, fan).await?;

    let hold = HoldId::new();
    let released = performance::Event::HoldReleased { hold, seats: vec![SeatIndex(1)], reason: Release::Released };
    let mut burst = vec![held(fan, hold)];
    burst.extend((0..MEANWHILE).map(|_| held(others, HoldId::new())));
    burst.push(of_seats(released));
    log.append(&burst).await;
    told(&mut mine, ["SeatsHeld", "HoldReleased"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_began_later_knows_whose_things_are_whose() -> Result<()> {
    let stage = Stage::new(4, 10, policies(10)).await?;
    let fan = stage.fan().await?;
    let (hold, _) = stage.hold(fan, &[1]).await.map_err(|rejected| anyhow!("{rejected}"))?;
    let booking = BookingId::new();
    send(&stage, Actor::Account(fan), Command::Performance(performance::Command::Book { booking, hold })).await?;
    let (other, _) = stage.hold(stage.fan().await?, &[2]).await.map_err(|rejected| anyhow!("{rejected}"))?;

    let live = TestLive::start(&stage.db.pool, None).await?;
    let mut mine = listen(&live, fan).await?;
    let payment = PaymentId::new();
    let pay = performance::Command::Pay { payment, booking, method: performance::Means::Socketpay };
    send(&stage, Actor::Account(fan), Command::Performance(pay)).await?;
    let fail = performance::Command::FailPayment { payment, reason: "insufficient_funds".into() };
    send(&stage, Actor::System("payments"), Command::Performance(fail)).await?;
    let [_, failed] = told(&mut mine, ["PaymentStarted", "PaymentFailed"]).await?;
    assert_eq!(failed["reason"], "insufficient_funds", "the event itself doesn't say whose it is");
    assert_ne!(hold, other);
    send(&stage, Actor::Account(fan), Command::Line(waiting_room::Command::LeaveQueue)).await?;
    told(&mut mine, ["EntryDeparted"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reloads_the_page_gets_what_was_missed() -> Result<()> {
    let db = TestDb::new().await;
    let mut log = TestLog::new(&db.pool).await;
    let live = TestLive::start(&db.pool, None).await?;
    let account = AccountId::new();
    let opened = async |log: &mut TestLog, won| {
        let event = wallet::Event::WalletOpened { account, balance: Won::new(won).expect("an amount") };
        log.append(&[(StreamId::Wallet(account), Event::Wallet(event))]).await
    };
    let mut client = listen(&live, account).await?;
    let seen = opened(&mut log, 1).await;
    assert_eq!(client.next().await?["position"], seen);
    drop(client);
    let missed = [opened(&mut log, 2).await, opened(&mut log, 3).await];
    let mut client = live.connect_as(account).await?;
    client.send(&json!({"type": "subscribe", "id": 9, "topic": "me", "after": seen})).await?;
    let mut message = client.next().await?;
    if message.get("event").is_none() {
        message = client.next().await?; // this instance had not seen the first one yet either
    }
    assert_eq!((&message["position"], &message["event"]), (&json!(missed[0]), &json!("WalletOpened")));
    message = client.next().await?;
    assert_eq!((&message["position"], &message["event"]), (&json!(missed[1]), &json!("WalletOpened")));
    client.send(&json!({"type": "subscribe", "id": 10, "topic": "me", "after": missed[1]})).await?;
    assert_eq!(client.next().await?, json!({"type": "delta", "id": 10, "position": missed[1]}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_written_down_who_has_a_page_open_and_since_when_nobody_has() -> Result<()> {
    let stage = Stage::new(4, 10, policies(1)).await?;
    let live = TestLive::start(&stage.db.pool, None).await?;
    let account = AccountId::new();
    let open = async |topic: &str| {
        let mut client = live.connect_as(account).await?;
        client.subscribe(1, topic, stage.performance, None).await?;
        client.next().await?;
        Ok::<LiveClient, anyhow::Error>(client)
    };
    let is_gone = async |gone: bool| {
        eventually("it is written down", || async {
            let query = "select gone_at is not null from presence where performance_id = $1 and account_id = $2";
            let row: Option<bool> =
                sqlx::query_scalar(query).bind(stage.performance.0).bind(account.0).fetch_optional(&stage.db.pool).await.expect("read");
            row == Some(gone)
        })
        .await;
    };
    let (first, second) = (open("line").await?, open("seats").await?);
    is_gone(false).await;
    drop(first);
    let third = open("seats").await?;
    drop(second);
    drop(third);
    is_gone(true).await;
    let _again = open("line").await?;
    is_gone(false).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_in_line_counts_from_their_own_number_to_their_turn() -> Result<()> {
    let stage = Stage::new(4, 10, policies(1)).await?;
    let live = TestLive::start(&stage.db.pool, None).await?;
    let people: Vec<AccountId> = (0..6).map(|_| AccountId::new()).collect();
    for person in &people {
        join(&stage, *person, None).await?;
    }
    // Number 1 is inside; number 6 watches.
    let mut client = live.connect().await?;
    client.send(&json!({"type": "subscribe", "id": 1, "topic": "line", "performance": stage.performance, "number": 6})).await?;
    let mut frame = client.next().await?;
    assert_eq!(frame["type"], "snapshot");
    assert_eq!([&frame["waiting"], &frame["inside"], &frame["ahead"], &frame["capacity"]], [&json!(5), &json!(1), &json!(4), &json!(1)]);
    assert_eq!([&frame["joined_number"], &frame["admitted_number"]], [&json!(6), &json!(1)]);

    let leave = |who: usize| send(&stage, Actor::Account(people[who]), Command::Line(waiting_room::Command::LeaveQueue));
    let (mut ahead, mut turn) = (4, 0);
    for who in [2, 0, 1, 4, 3] {
        let position = leave(who).await?;
        while turn < position {
            let before = frame["admitted"].as_u64().context("admitted")?;
            frame = client.next().await?;
            turn = frame["position"].as_u64().context("a position")?;
            if frame["admitted_number"] == 6 {
                break; // our turn: nobody is ahead
            }
            let left = frame["departed"].as_array().context("departed")?.iter().filter(|number| number.as_u64() < Some(6)).count() as u64;
            ahead -= frame["admitted"].as_u64().context("admitted")? - before + left;
        }
        if frame["admitted_number"] != 6 {
            let mut other = live.connect().await?;
            let ask = json!({"type": "subscribe", "id": 1, "topic": "line", "performance": stage.performance, "number": 6});
            other.send(&ask).await?;
            assert_eq!(other.next().await?["ahead"], ahead, "after {who} left");
        }
    }
    assert_eq!([&frame["admitted_number"], &frame["waiting"], &frame["inside"]], [&json!(6), &json!(0), &json!(1)]);
    Ok(())
}
