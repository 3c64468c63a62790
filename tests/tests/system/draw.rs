//! A draw from its commitment to the number that each person has, and what anybody can check it by.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use socketing_domain::draw::{self, Digest, Key};
use socketing_domain::event::{Event, StreamId};
use socketing_domain::waiting_room::{Event as Line, LineRules};
use socketing_domain::{AccountId, Clock, EntryId, PerformanceId, ShowId, SystemClock, Timestamp};
use socketing_service::signed::Signed;
use socketing_tests::api::{Reply, TestApi, TestPerson};
use socketing_tests::stage::{import, small_plan};
use socketing_tests::story::NOW;
use socketing_tests::{TestDb, TestLog, TestReading, eventually};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use uuid::Uuid;

/// People in the lobby of the large draw.
const PEOPLE: usize = 100_000;
/// The first number is called, so that a lobby of some has people who wait.
const CAPACITY: u32 = 2;

/// The second implementation: Python's standard library, and nothing of ours.
async fn recompute(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/draw_verify.py");
    let mut command = Command::new("python3");
    command.arg(script).args(arguments);
    tokio::task::spawn_blocking(move || command.output()).await.expect("it runs").expect("python3 is there, as ./dev asks for it")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A lobby of so many people, drawn.
fn drawn(performance: PerformanceId, people: usize, seed: Digest) -> Vec<(StreamId, Event)> {
    let places: Vec<(AccountId, EntryId)> = (0..people).map(|_| (AccountId::new(), EntryId::new())).collect();
    let mut tickets: Vec<Digest> = places.iter().map(|(account, entry)| draw::ticket(*account, *entry)).collect();
    tickets.sort_unstable();
    let opened = Line::LineOpened {
        show: ShowId::new(),
        sale_opens_at: NOW.plus_seconds(1_800),
        capacity: 100,
        session_seconds: 900,
        rules: LineRules::default(),
    };
    let joined = |((account, entry), number): (&(AccountId, EntryId), u64)| Line::QueueJoined {
        entry: *entry,
        number,
        account: *account,
        party: None,
        members: vec![*account],
    };
    let before = [opened, Line::DrawCommitted { commitment: draw::commitment(&seed), lobby_opens_at: NOW }];
    let closed = Line::LobbyClosed { root: draw::root(&tickets), entries: people as u64 };
    let events = before.into_iter().chain(places.iter().zip(1..).map(joined)).chain([closed, Line::SeedRevealed { seed }]);
    events.map(|event| (StreamId::WaitingRoom(performance), Event::WaitingRoom(event))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_places_are_drawn_again_from_what_is_public_by_another_program() -> Result<()> {
    let db = TestDb::new().await;
    let performance = PerformanceId::new();
    let events = drawn(performance, PEOPLE, Digest([0x5e; 32]));
    TestLog::new(&db.pool).await.append(&events).await;
    let reading = TestReading::start(&db, None).await;
    reading.is_the_fold_of_the_log().await;
    let (id, url) = (performance.to_string(), reading.url.clone());

    let asked = recompute(&[&id, "--url", &url]).await;
    assert!(asked.status.success(), "{}", told(&asked));
    assert!(told(&asked).starts_with("100000 tickets, "), "{}", told(&asked));

    let folder = TempDir::new()?;
    let file = folder.path().join("draw.json");
    let (draw, tickets) = public(&reading, performance).await;
    let check = async |tickets: &[Value]| {
        std::fs::write(&file, json!({ "draw": draw, "tickets": tickets }).to_string()).expect("write the list");
        recompute(&[&id, "--file", file.to_str().expect("a path")]).await
    };
    assert!(check(&tickets).await.status.success());
    let mut changed = tickets.clone();
    changed[4_711] = json!(Digest([1; 32]));
    let added: Vec<Value> = tickets.iter().cloned().chain([json!(Digest([1; 32]))]).collect();
    for (what, damaged) in [("changed", &changed[..]), ("dropped", &tickets[1..]), ("added", &added[..])] {
        let found = check(damaged).await;
        assert_eq!(found.status.code(), Some(3), "one {what}: {}", told(&found));
    }
    reading.stop().await;
    Ok(())
}

/// The example that the program and the web page are held to as well.
#[tokio::test]
async fn the_common_example_is_worked_out_as_by_the_others() -> Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/draw.json");
    let known: Value = serde_json::from_slice(&std::fs::read(&example)?)?;
    let folder = TempDir::new()?;
    let receipt = folder.path().join("receipt.json");
    std::fs::write(&receipt, known["receipt"].to_string())?;
    let files = [example.to_str().context("a path")?, receipt.to_str().context("a path")?];
    let checked = recompute(&["example", "--file", files[0], "--receipt", files[1]]).await;
    assert!(checked.status.success(), "{}", told(&checked));
    let number = format!("the receipt's ticket has number {}\n40 tickets, ", known["receipt_number"]);
    assert!(told(&checked).starts_with(&number), "{}", told(&checked));
    Ok(())
}

/// The draw and its whole list, as anybody gets them.
async fn public(reading: &TestReading, performance: PerformanceId) -> (Value, Vec<Value>) {
    let draw = reading.get(&format!("/v1/performances/{performance}/draw")).await.ok();
    let mut tickets = Vec::new();
    loop {
        let path = format!("/v1/performances/{performance}/draw/tickets?after={}", tickets.len());
        let page = reading.get(&path).await.ok()["tickets"].as_array().expect("a list").clone();
        if page.is_empty() {
            return (draw, tickets);
        }
        tickets.extend(page);
    }
}

#[tokio::test]
async fn a_line_without_a_draw_has_none_to_show() {
    let db = TestDb::new().await;
    let reading = TestReading::start(&db, None).await;
    let answer = reading.get(&format!("/v1/performances/{}/draw", PerformanceId::new())).await;
    assert_eq!(answer.problem(), (409, "no_draw"));
    let answer = reading.get(&format!("/v1/performances/{}/draw/tickets?limit=x", PerformanceId::new())).await;
    assert_eq!(answer.problem(), (400, "invalid_query"));
    reading.stop().await;
}

/// A show whose sale opens in so many seconds, and whose lobby is open at once.
async fn show(api: &TestApi, opens_in_s: u32) -> Result<(TestPerson, PerformanceId)> {
    let policies = json!({ "capacity": CAPACITY, "line": { "claim_seconds": 600 } });
    let on_sale = show_with(api, SystemClock.now().plus_seconds(opens_in_s), &policies).await?;
    happened(api, on_sale.1, "DrawCommitted", 1).await;
    Ok(on_sale)
}

async fn show_with(api: &TestApi, sale_opens_at: Timestamp, policies: &Value) -> Result<(TestPerson, PerformanceId)> {
    let organiser = api.person_with_role("organiser", "organiser").await;
    let plan = import(&api.db.pool, &small_plan(2, 5)).await?;
    let (show, performance) = (Uuid::now_v7(), PerformanceId::new());
    let body = json!({
        "show_id": show, "title": { "ko": "공연" }, "venue": { "ko": "극장" }, "plan": plan,
        "dates": [{ "performance": performance, "starts_at": "2099-01-01T10:00:00Z" }],
        "prices": [{ "category": "R", "price": 50_000 }], "sale_opens_at": sale_opens_at, "policies": policies,
    });
    let created = api.post("/v1/shows").token(&organiser.token).key("create").json(&body).send().await;
    assert_eq!(created.status, 201, "{}", created.body);
    let published = api.post(&format!("/v1/shows/{show}/publish")).token(&organiser.token).key("publish").send().await;
    assert_eq!(published.status, 200, "{}", published.body);
    happened(api, performance, "LineOpened", 1).await;
    Ok((organiser, performance))
}

/// Returns once the line has so many events of a type.
async fn happened(api: &TestApi, performance: PerformanceId, event_type: &str, times: i64) {
    let query = "select count(*) from events where aggregate_type = 'waiting-room' and aggregate_id = $1 and event_type = $2";
    eventually(&format!("{times} of {event_type}"), || async {
        let seen: i64 =
            sqlx::query_scalar(query).bind(performance.to_string()).bind(event_type).fetch_one(&api.db.pool).await.expect("read the log");
        seen >= times
    })
    .await;
}

async fn send(api: &TestApi, who: &TestPerson, performance: PerformanceId, path: &str, body: Value) -> Reply {
    let path = format!("/v1/performances/{performance}/{path}");
    api.post(&path).token(&who.token).key(&Uuid::now_v7().to_string()).json(&body).send().await
}

async fn join(api: &TestApi, who: &TestPerson, performance: PerformanceId) -> Reply {
    send(api, who, performance, "line", json!({ "entry_id": EntryId::new() })).await
}

#[tokio::test]
async fn people_come_into_the_lobby_are_drawn_called_and_claim_their_passes() -> Result<()> {
    let api = TestApi::start(&[]).await;
    let (organiser, performance) = show(&api, 5).await?;
    let mut people = Vec::new();
    for name in ["minji", "jiho", "sua", "yuna"] {
        let person = api.person(name).await;
        let joined = join(&api, &person, performance).await;
        assert_eq!(
            (joined.status.as_u16(), joined.text("state"), &joined.body["number"]),
            (200, "lobby".into(), &json!(0)),
            "{}",
            joined.body
        );
        people.push((person, joined.text("entry_id")));
    }
    let receipt = receipt_of(&api, &people[0].0, performance).await?;
    let beacon = send(&api, &organiser, performance, "draw/beacon", json!({ "value": "8f3a", "source": "drand round 4711" })).await;
    assert_eq!(beacon.status, 200, "{}", beacon.body);

    happened(&api, performance, "SeedRevealed", 1).await;
    happened(&api, performance, "EntryCalled", 2).await;
    let seed: Vec<u8> =
        sqlx::query_scalar("select seed from draw_seeds where performance_id = $1").bind(performance.0).fetch_one(&api.db.pool).await?;
    let seed = Digest(seed.try_into().expect("32 bytes"));
    assert_eq!(receipt["commitment"], json!(draw::commitment(&seed)), "the receipt names what the draw was committed to");
    let mut tickets: Vec<(Digest, usize)> = Vec::new();
    for (nth, (person, entry)) in people.iter().enumerate() {
        tickets.push((draw::ticket(person.account, entry.parse()?), nth));
    }
    assert_eq!(receipt["ticket"], json!(tickets[0].0), "the receipt's ticket follows from the account and the client's own nonce");
    let mut sorted: Vec<Digest> = tickets.iter().map(|(ticket, _)| *ticket).collect();
    sorted.sort_unstable();
    let order = Key::new(&seed, &draw::root(&sorted), "8f3a").order(tickets);

    for ((_, nth), number) in order.iter().zip(1..) {
        let again = join(&api, &people[*nth].0, performance).await;
        let state = if number <= CAPACITY { "called" } else { "waiting" };
        assert_eq!((again.text("state"), &again.body["number"]), (state.into(), &json!(number)), "{}", again.body);
    }
    let (first, third) = (&people[order[0].1].0, &people[order[2].1].0);
    let early = send(&api, third, performance, "line/claim", json!({})).await;
    assert_eq!((early.status.as_u16(), early.code()), (409, "not_called".into()));
    let hold = |who| send(&api, who, performance, "holds", json!({ "hold_id": Uuid::now_v7(), "seats": [1] }));
    assert_eq!(hold(first).await.code(), "not_admitted", "a pass that isn't claimed is no right to hold seats");
    let claimed = send(&api, first, performance, "line/claim", json!({})).await;
    assert_eq!((claimed.status.as_u16(), claimed.text("state")), (200, "inside".into()), "{}", claimed.body);
    assert_eq!(send(&api, first, performance, "line/claim", json!({})).await.text("state"), "inside", "once is enough");
    assert_eq!(hold(first).await.status, 201);
    assert_eq!(hold(third).await.code(), "not_admitted");

    let late = send(&api, &organiser, performance, "draw/beacon", json!({ "value": "8f3b", "source": "another" })).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "no_draw".into()));
    Ok(())
}

/// Why one is where one is, and who was faster: by positions of the log, signed, without a name.
#[tokio::test]
async fn a_fan_is_told_why_and_can_show_it() -> Result<()> {
    let api = TestApi::start(&[]).await;
    let (_, performance) = show(&api, 2).await?;
    let people = [api.person("minji").await, api.person("jiho").await];
    for person in &people {
        assert_eq!(join(&api, person, performance).await.text("state"), "lobby");
    }
    happened(&api, performance, "EntryCalled", 2).await;
    let mut answers = Vec::new();
    for person in &people {
        let claimed = send(&api, person, performance, "line/claim", json!({})).await;
        assert_eq!(claimed.text("state"), "inside", "{}", claimed.body);
        answers.push(send(&api, person, performance, "holds", json!({ "hold_id": Uuid::now_v7(), "seats": [1] })).await);
    }
    let [held, refused] = &answers[..] else { unreachable!("two people") };
    assert_eq!((held.status.as_u16(), refused.code()), (201, "seat_taken".to_owned()));

    let reading = TestReading::start(&api.db, None).await;
    let path = format!("/v1/performances/{performance}/line/why?min_position={}", refused.body["position"]);
    let signed: Signed = serde_json::from_value(reading.get_as(people[1].account, &path).await.ok())?;
    assert!(signed.is_by(&api.get("/v1/statement-key").send().await.text("key")));
    let why: Value = serde_json::from_str(&signed.statement)?;
    let position = |name: &str| why[name].as_u64().with_context(|| format!("{name} in {why}"));
    assert!(position("joined_position")? < position("revealed_position")?);
    assert!(position("revealed_position")? < position("called_position")?);
    assert!(position("called_position")? < position("entered_position")?);
    let told = &why["refused_holds"][0];
    assert_eq!((&told["code"], &told["seats"]), (&json!("seat_taken"), &json!([1])));
    assert_eq!((&told["cause_position"], &told["decided_at_position"]), (&held.body["position"], &refused.body["position"]));
    assert!(!signed.statement.contains(&people[0].account.to_string()), "whose it was isn't told");
    let never = reading.get_as(AccountId::new(), &path).await;
    assert_eq!(never.problem(), (404, "not_in_line"));
    reading.stop().await;
    Ok(())
}

/// A person's receipt, whose signature is checked with the published key.
async fn receipt_of(api: &TestApi, person: &TestPerson, performance: PerformanceId) -> Result<Value> {
    let reply = api.get(&format!("/v1/performances/{performance}/line/receipt")).token(&person.token).send().await;
    let signed: Signed = serde_json::from_value(reply.body.clone()).with_context(|| reply.body.to_string())?;
    let key = api.get("/v1/statement-key").send().await.text("key");
    assert!(signed.is_by(&key), "{signed:?}");
    let forged =
        Signed { statement: signed.statement.replace(&person.account.to_string(), &AccountId::new().to_string()), ..signed.clone() };
    assert!(!forged.is_by(&key));
    Ok(serde_json::from_str(&signed.statement)?)
}

#[tokio::test]
async fn only_those_who_run_a_line_steer_it_and_the_log_says_who_and_why() -> Result<()> {
    let api = TestApi::start(&[]).await;
    let (organiser, performance) = show(&api, 1).await?;
    let (fan, operator) = (api.person("minji").await, api.person_with_role("operator", "operator").await);
    let stranger = api.person_with_role("another", "organiser").await;
    let why = json!({ "reason": "the hall is being aired" });
    for who in [&fan, &stranger] {
        for (path, body) in [
            ("line/pause", why.clone()),
            ("line/resume", why.clone()),
            ("line/drain", why.clone()),
            ("line/limits", json!({ "capacity": 9, "reason": "more" })),
            ("line/evict", json!({ "account_id": fan.account, "reason": "a robot" })),
            ("draw/beacon", json!({ "value": "1", "source": "mine" })),
        ] {
            let refused = send(&api, who, performance, path, body).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden".into()), "{path}");
        }
    }
    happened(&api, performance, "LobbyClosed", 1).await;
    assert_eq!(send(&api, &organiser, performance, "line/pause", json!({ "reason": "" })).await.code(), "invalid");
    assert_eq!(send(&api, &organiser, performance, "line/pause", why.clone()).await.status, 200);
    assert_eq!(join(&api, &fan, performance).await.text("state"), "waiting", "there is room, and the line is paused");
    assert_eq!(
        send(&api, &operator, performance, "line/limits", json!({ "capacity": 5, "admissions_per_minute": 600, "reason": "slowly" }))
            .await
            .status,
        200
    );
    assert_eq!(send(&api, &operator, performance, "line/resume", json!({ "reason": "fresh air" })).await.status, 200);
    happened(&api, performance, "EntryCalled", 1).await;
    assert_eq!(
        send(&api, &operator, performance, "line/evict", json!({ "account_id": fan.account, "reason": "a robot" })).await.status,
        200
    );
    assert_eq!(send(&api, &organiser, performance, "line/drain", json!({ "reason": "sold out soon" })).await.status, 200);
    let refused = join(&api, &fan, performance).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "line_draining".into()));
    let steered: Vec<(String, String, String)> = sqlx::query_as(
        "select event_type, metadata::jsonb ->> 'actor', payload::jsonb -> event_type ->> 'reason' from events
         where aggregate_id = $1 and event_type in ('LinePaused', 'LineResumed', 'DrainBegun', 'LimitsChanged', 'EvictionOrdered')
         order by position",
    )
    .bind(performance.to_string())
    .fetch_all(&api.db.pool)
    .await?;
    let by = |who: &TestPerson| format!("account:{}", who.account);
    let expected = [
        ("LinePaused", by(&organiser), "the hall is being aired"),
        ("LimitsChanged", by(&operator), "slowly"),
        ("LineResumed", by(&operator), "fresh air"),
        ("EvictionOrdered", by(&operator), "a robot"),
        ("DrainBegun", by(&organiser), "sold out soon"),
    ];
    assert_eq!(steered, expected.map(|(event, who, why)| (event.to_owned(), who, why.to_owned())));
    they_read_what_was_done(&api, performance, &organiser, &[&fan, &stranger]).await;
    Ok(())
}

/// Those who run the line read how it stands and what was done to it, by whom and why; nobody else does.
async fn they_read_what_was_done(api: &TestApi, performance: PerformanceId, organiser: &TestPerson, others: &[&TestPerson]) {
    let reading = TestReading::start(&api.db, None).await;
    reading.is_the_fold_of_the_log().await;
    let path = format!("/v1/performances/{performance}/line/steering");
    for other in others {
        assert_eq!(reading.get_as(other.account, &path).await.problem(), (403, "forbidden"));
    }
    assert_eq!(reading.get(&path).await.problem(), (401, "unauthenticated"));
    let told = reading.get_as(organiser.account, &path).await.ok();
    assert_eq!(
        (&told["flow"], &told["capacity"], &told["admissions_per_minute"], &told["inside"]),
        (&json!("draining"), &json!(5), &json!(600), &json!(0))
    );
    let acts: Vec<Value> = told["acts"].as_array().expect("acts").iter().map(|act| json!([act["did"], act["by"], act["reason"]])).collect();
    let expected = json!([
        ["drained", "organiser", "sold out soon"],
        ["evicted", "operator", "a robot"],
        ["resumed", "operator", "fresh air"],
        ["limited", "operator", "slowly"],
        ["paused", "organiser", "the hall is being aired"],
    ]);
    assert_eq!(json!(acts), expected);
    assert_eq!((&told["acts"][3]["capacity"], &told["acts"][1]["number"]), (&json!(5), &json!(1)));
    reading.stop().await;
}

#[tokio::test]
async fn who_has_no_page_open_any_more_makes_room_and_nobody_else_does() -> Result<()> {
    let api = TestApi::start(&[]).await;
    let (_, performance) = show(&api, 1).await?;
    happened(&api, performance, "LobbyClosed", 1).await;
    let (gone, back, never) = (api.person("gone").await, api.person("back").await, api.person("never").await);
    for person in [&gone, &back, &never] {
        join(&api, person, performance).await;
    }
    let alive = "insert into presence_instances values (gen_random_uuid(), '2020-01-01', 'infinity')";
    sqlx::query(alive).execute(&api.db.pool).await?;
    let page = "insert into presence (performance_id, account_id, instance, gone_at) values ($1, $2, $3, $4::timestamptz)";
    let write = async |person: &TestPerson, gone_at: Option<&str>| {
        let row = sqlx::query(page).bind(performance.0).bind(person.account.0).bind(Uuid::now_v7()).bind(gone_at);
        row.execute(&api.db.pool).await.expect("write a row");
    };
    // Two are inside and one waits. Both inside had a page that is closed for long; one of them has another, elsewhere.
    write(&back, None).await;
    write(&back, Some("2020-01-01T00:00:00Z")).await;
    write(&gone, Some("2020-01-01T00:00:00Z")).await;
    happened(&api, performance, "EntryDeparted", 1).await;
    happened(&api, performance, "EntryCalled", 1).await;
    assert_eq!(join(&api, &never, performance).await.text("state"), "called", "without news of someone, nobody is sent away");
    assert_eq!(join(&api, &back, performance).await.text("state"), "inside");
    assert_eq!(join(&api, &gone, performance).await.text("state"), "waiting", "who comes back stands at the end");
    Ok(())
}

/// The four ways in which a place gets free by itself or by its people, each of which calls the next.
#[tokio::test]
async fn leaving_an_unused_pass_an_idle_visit_and_a_closed_page_each_call_the_next() -> Result<()> {
    let api = TestApi::start(&[]).await;
    let policies = json!({ "capacity": 1, "session_seconds": 3, "line": { "mode": "first_come", "claim_seconds": 3 } });
    let (_, performance) = show_with(&api, Timestamp::from_millis(0), &policies).await?;
    let mut people = Vec::new();
    for name in ["leaves", "never-comes", "is-idle", "closes-the-page", "is-next"] {
        let person = api.person(name).await;
        let state = if people.is_empty() { "inside" } else { "waiting" };
        assert_eq!(join(&api, &person, performance).await.text("state"), state);
        people.push(person);
    }
    assert_eq!(send(&api, &people[0], performance, "line/leave", json!({})).await.status, 200);
    happened(&api, performance, "EntryCalled", 2).await;
    let claimed = send(&api, &people[2], performance, "line/claim", json!({})).await;
    assert_eq!(claimed.text("state"), "inside", "{}", claimed.body);
    happened(&api, performance, "EntryCalled", 3).await;
    sqlx::query("insert into presence_instances values (gen_random_uuid(), '2020-01-01', 'infinity')").execute(&api.db.pool).await?;
    sqlx::query("insert into presence (performance_id, account_id, instance, gone_at) values ($1, $2, gen_random_uuid(), '2020-01-01')")
        .bind(performance.0)
        .bind(people[3].account.0)
        .execute(&api.db.pool)
        .await?;
    happened(&api, performance, "EntryCalled", 4).await;

    let told: Vec<(String, Option<String>)> = sqlx::query_as(
        "select event_type, payload::jsonb -> event_type ->> 'reason' from events
         where aggregate_type = 'waiting-room' and aggregate_id = $1 and event_type in ('EntryDeparted', 'EntryCalled', 'EntryAdmitted')
         order by sequence limit 10",
    )
    .bind(performance.to_string())
    .fetch_all(&api.db.pool)
    .await?;
    let went = |reason: &str| [("EntryDeparted".to_owned(), Some(reason.to_owned())), ("EntryCalled".to_owned(), None)];
    let admitted = || [("EntryAdmitted".to_owned(), None)];
    let expected = [&admitted()[..], &went("left"), &went("unclaimed"), &admitted(), &went("session_over"), &went("away")].concat();
    assert_eq!(told, expected, "nothing comes between a place that gets free and who is called to it");
    Ok(())
}

/// The table lost it, so nobody can ever tell it: an operator says so and names a beacon to come, which then decides alone.
#[tokio::test]
async fn a_line_whose_seed_is_lost_goes_on_by_a_beacon_and_everybody_is_told() -> Result<()> {
    let api = TestApi::start(&[]).await;
    let (organiser, performance) = show(&api, 2).await?;
    let operator = api.person_with_role("operator", "operator").await;
    let people = [api.person("minji").await, api.person("jiho").await, api.person("sua").await];
    for person in &people {
        assert_eq!(join(&api, person, performance).await.text("state"), "lobby");
    }
    let lost = |who, source| send(&api, who, performance, "draw/lost", json!({ "beacon_source": source, "reason": "the disk is gone" }));
    let kept = lost(&operator, "drand 9").await;
    assert_eq!((kept.status.as_u16(), kept.code()), (409, "seed_kept".into()), "a seed that is there can't be given up");
    sqlx::query("delete from draw_seeds where performance_id = $1").bind(performance.0).execute(&api.db.pool).await?;
    happened(&api, performance, "LobbyClosed", 1).await;
    assert_eq!(send(&api, &people[0], performance, "line/leave", json!({})).await.code(), "draw_under_way", "it stands still");

    assert_eq!(lost(&organiser, "drand 9").await.status, 403);
    assert_eq!(lost(&operator, "drand 9").await.status, 200);
    assert_eq!(lost(&operator, "drand 10").await.code(), "no_draw", "the source is named once");
    let beacon = |value, source| send(&api, &organiser, performance, "draw/beacon", json!({ "value": value, "source": source }));
    assert_eq!(beacon("8f3b", "drand 10").await.code(), "invalid");
    assert_eq!(beacon("8f3b", "drand 9").await.status, 200);
    happened(&api, performance, "EntryCalled", 2).await;
    let idle = "select count(*) from intents where intent->>'intent' = 'reveal_seed'";
    eventually("nobody looks for the seed any more", || async {
        sqlx::query_scalar::<_, i64>(idle).fetch_one(&api.db.pool).await.expect("read the intents") == 0
    })
    .await;

    let reading = TestReading::start(&api.db, None).await;
    reading.is_the_fold_of_the_log().await;
    let steered = reading.get_as(organiser.account, &format!("/v1/performances/{performance}/line/steering")).await.ok();
    assert_eq!((&steered["acts"][1]["did"], &steered["acts"][1]["reason"]), (&json!("lost_seed"), &json!("the disk is gone")));
    let (id, url) = (performance.to_string(), reading.url.clone());
    let asked = recompute(&[&id, "--url", &url]).await;
    assert!(asked.status.success(), "{}", told(&asked));
    assert!(told(&asked).contains("the seed was lost") && told(&asked).contains("'drand 9' said '8f3b'"), "{}", told(&asked));
    let path = format!("/v1/performances/{performance}/line/why");
    let signed: Signed = serde_json::from_value(reading.get_as(people[0].account, &path).await.ok())?;
    let why: Value = serde_json::from_str(&signed.statement)?;
    assert!(why["seed_lost_position"].as_u64() < why["revealed_position"].as_u64(), "{why}");
    assert_eq!(why["seed_lost_reason"], "the disk is gone");
    reading.stop().await;
    Ok(())
}
