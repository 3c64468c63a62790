//! The queries over HTTP: what is shown to whom, never before the caller's own position, in pages.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use socketing_domain::performance::Cancellation;
use socketing_domain::{AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, account::Role, party};
use socketing_tests::story::{PRICE_R, PRICE_S, Story, role_granted, signed_up};
use socketing_tests::{TestDb, TestReading, eventually, within};
use sqlx::PgPool;
use std::collections::BTreeSet;

async fn call(pool: &PgPool, account: AccountId, nickname: &str) -> Result<()> {
    sqlx::query("insert into people (account_id, email, nickname, password_hash) values ($1, $2, $3, 'x')")
        .bind(account.0)
        .bind(format!("{nickname}@example.org"))
        .bind(nickname)
        .execute(pool)
        .await?;
    Ok(())
}

/// A hall of 2 rows of 5 seats on sale, and its queries.
async fn on_sale(db: &TestDb) -> (Story, TestReading) {
    let mut story = Story::new(db, 2, 5).await;
    let reading = TestReading::start(db, None).await;
    story.tell(&story.on_sale()).await;
    (story, reading)
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_are_seen_once_they_are_published_and_drafts_by_their_organiser_and_operators() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 2, 5).await;
    let reading = TestReading::start(&db, None).await;
    let operator = AccountId::new();
    let mut events = vec![story.drafted(), role_granted(operator, Role::Operator)];
    events.extend(signed_up(operator));
    events.swap(1, 2);
    let drafted = story.tell(&events).await;
    reading.reaches(drafted).await;
    let (show, performance) = (format!("/v1/shows/{}", story.show), format!("/v1/performances/{}", story.performance));
    assert_eq!(reading.get("/v1/shows").await.ok()["shows"], json!([]));
    assert_eq!(reading.get(&show).await.problem(), (404, "unknown_show"));
    assert_eq!(reading.get_as(AccountId::new(), &show).await.problem(), (404, "unknown_show"));
    assert_eq!(reading.get(&performance).await.problem(), (404, "unknown_performance"));
    assert_eq!(reading.get_as(story.organiser, &show).await.ok()["published"], false);
    assert_eq!(reading.get_as_system(&show).await.ok()["published"], false);
    assert_eq!(reading.get("/v1/shows?mine=true").await.problem(), (401, "unauthenticated"));
    let mine = reading.get_as(story.organiser, "/v1/shows?mine=true").await.ok();
    assert_eq!(mine["shows"].as_array().map(Vec::len), Some(1));
    assert_eq!(reading.get_as(operator, "/v1/shows?mine=true").await.ok()["shows"], json!([]));

    let published = story.tell(&[story.published()]).await;
    let shows = reading.get(&format!("/v1/shows?min_position={published}")).await.ok();
    assert_eq!(shows["position"], published);
    assert_eq!(
        shows["shows"],
        json!([{
            "show_id": story.show, "title": {"ko": "리어왕", "en": "King Lear"}, "venue": {"ko": "소극장"},
            "sale_opens_at": "2027-01-15T08:00:00Z", "published": true,
            "performances": [{"performance_id": story.performance, "starts_at": "2027-01-16T08:00:00Z"}],
            "prices": [{"category": "R", "price": PRICE_R}, {"category": "S", "price": PRICE_S}],
        }])
    );
    let one = reading.get(&show).await.ok();
    assert_eq!((&one["plan"], &one["policies"]["seats_per_person"]), (&json!(story.hash), &json!(4)));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_that_miss_and_repeat_nothing() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 2, 5).await;
    let reading = TestReading::start(&db, None).await;
    let mut wanted = BTreeSet::new();
    let mut last = 0;
    for _ in 0..7 {
        story.turn_to_another_show();
        wanted.insert(story.show.to_string());
        last = story.tell(&[story.drafted(), story.published()]).await;
    }
    reading.reaches(last).await;
    let (mut seen, mut path, mut pages) = (Vec::new(), "/v1/shows?limit=3".to_owned(), 0);
    loop {
        let page = reading.get(&path).await.ok();
        seen.extend(page["shows"].as_array().context("shows")?.iter().map(|show| show["show_id"].as_str().unwrap_or_default().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/shows?limit=3&cursor={next}");
    }
    assert_eq!((pages, seen.len()), (3, 7));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=nonsense", "mine=perhaps", "min_position=-1"] {
        assert_eq!(reading.get(&format!("/v1/shows?{bad}")).await.problem(), (400, "invalid_query"), "{bad}");
    }
    assert_eq!(reading.get("/v1/shows/nonsense").await.problem(), (400, "invalid_id"));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seat_map_has_a_digit_per_seat_and_a_version() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let path = format!("/v1/performances/{}/seats", story.performance);
    let held = story.tell(&[story.held(HoldId::new(), &[AccountId::new()], &[1, 7])]).await;
    let first = reading.get(&format!("{path}?min_position={held}")).await;
    let etag = first.etag.clone().context("a version")?;
    let body = first.ok();
    assert_eq!(body, json!({"performance_id": story.performance, "plan": story.hash, "seats": "0100000100", "position": held}));
    // Something else happens: the position moves on, this map stays.
    let elsewhere = story.tell(&signed_up(AccountId::new())).await;
    let same = reading.get_unless(&etag, &format!("{path}?min_position={elsewhere}")).await;
    assert_eq!((same.status.as_u16(), same.etag.as_ref()), (304, Some(&etag)));
    assert_eq!(reading.get(&path).await.ok()["seats"], "0100000100", "from memory");
    let changed = story.tell(&[story.held(HoldId::new(), &[AccountId::new()], &[2])]).await;
    let other = reading.get_unless(&etag, &format!("{path}?min_position={changed}")).await;
    assert_ne!(other.etag, Some(etag));
    assert_eq!(other.ok()["seats"], "0110000100");
    let nowhere = format!("/v1/performances/{}/seats", PerformanceId::new());
    assert_eq!(reading.get(&nowhere).await.problem(), (404, "unknown_performance"));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_free_seats_are_found_as_of_a_position() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let path = format!("/v1/performances/{}/find", story.performance);
    let held = story.tell(&[story.held(HoldId::new(), &[AccountId::new()], &[1, 7])]).await;
    let found = reading.get(&format!("{path}?people=3&min_position={held}")).await.ok();
    assert_eq!((&found["performance_id"], &found["position"]), (&json!(story.performance), &json!(held)));
    let blocks = found["blocks"].as_array().context("blocks")?;
    assert_eq!((&blocks[0]["kind"], &blocks[0]["seats"]), (&json!("contiguous"), &json!([2, 3, 4])));
    assert!(blocks.iter().flat_map(|block| block["seats"].as_array().into_iter().flatten()).all(|seat| *seat != 1 && *seat != 7));
    let none = reading.get(&format!("{path}?people=2&price_max=1")).await.ok();
    assert_eq!(none["blocks"], json!([]));
    for (query, status, code) in [
        ("people=0", 422, "seat_count"),
        ("people=-1", 422, "seat_count"),
        ("people=1000000000", 422, "seat_count"),
        ("people=2&wheelchairs=3", 422, "seat_count"),
        ("people=2&near=10", 422, "unknown_seat"),
        ("people=2&category=7", 422, "invalid"),
        ("people=2&area=7", 422, "invalid"),
        ("people=2&price_max=-1", 422, "invalid"),
        ("people=many", 400, "invalid_query"),
        ("", 400, "invalid_query"),
    ] {
        let answer = reading.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.problem(), (status, code), "{query}");
    }
    let nowhere = format!("/v1/performances/{}/find?people=2", PerformanceId::new());
    assert_eq!(reading.get(&nowhere).await.problem(), (404, "unknown_performance"));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_waits_for_its_position_and_refuses_one_that_isnt_there() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let kim = AccountId::new();
    let before = story.tell(&signed_up(kim)).await;
    reading.reaches(before).await;
    let beyond = reading.get_as(kim, &format!("/v1/me/wallet?min_position={}", before + 1)).await;
    assert_eq!(beyond.problem(), (400, "position_unknown"));
    // The projection is held up: its checkpoint's row is locked.
    let mut lock = db.pool.begin().await?;
    sqlx::query("select 1 from checkpoints where name = 'projection:seat_map' for update").execute(&mut *lock).await?;
    let held = story.tell(&[story.held(HoldId::new(), &[kim], &[0])]).await;
    let path = format!("/v1/performances/{}/seats", story.performance);
    assert_eq!(reading.get(&path).await.ok()["position"], before, "who waits for nothing gets what there is");
    let fresh = format!("{path}?min_position={held}");
    let waiting = reading.get(&fresh);
    let freeing = async {
        eventually("the query waits", || async { reading.projections.progress().waiting() == 1 }).await;
        lock.rollback().await
    };
    let (answer, freed) = tokio::join!(waiting, freeing);
    freed?;
    let body = answer.ok();
    assert_eq!((&body["position"], &body["seats"]), (&json!(held), &json!("1000000000")));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_waits_too_long_is_told_so() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let before = story.tell(&signed_up(AccountId::new())).await;
    reading.reaches(before).await;
    let mut lock = db.pool.begin().await?;
    sqlx::query("select 1 from checkpoints where name = 'projection:seat_map' for update").execute(&mut *lock).await?;
    let held = story.tell(&[story.held(HoldId::new(), &[AccountId::new()], &[0])]).await;
    let path = format!("/v1/performances/{}/seats?min_position={held}", story.performance);
    let late = within("an answer", reading.get(&path)).await;
    assert_eq!(late.problem(), (503, "projection_behind"));
    assert_eq!(late.body["position"], before);
    lock.rollback().await?;
    assert_eq!(reading.get(&path).await.ok()["position"], held, "later it is there");
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_runs_no_projections_waits_by_the_stored_checkpoints() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, owner) = on_sale(&db).await;
    owner.reaches(1).await;
    let standby = TestReading::start(&db, None).await;
    for seat in 0..5 {
        let held = story.tell(&[story.held(HoldId::new(), &[AccountId::new()], &[seat])]).await;
        let path = format!("/v1/performances/{}/seats?min_position={held}", story.performance);
        assert_eq!(standby.get(&path).await.ok()["seats"].as_str().and_then(|seats| seats.rfind('1')), Some(seat as usize));
    }
    standby.stop().await;
    owner.stop().await;
    Ok(())
}

/// Kim books two seats in R, one of them for Lee, and one in S, and pays.
async fn book_together(story: &mut Story, kim: AccountId, lee: AccountId) -> (BookingId, PaymentId, u64) {
    let (hold, booking, payment) = (HoldId::new(), BookingId::new(), PaymentId::new());
    let numbers = [0, 1, 5];
    let mut events = signed_up(kim);
    events.extend(signed_up(lee));
    events.extend([
        story.held(hold, &[kim, lee], &numbers),
        story.booked(booking, hold, &[kim, lee], &numbers),
        story.payment_started(payment, booking, kim, &numbers),
        story.sold(booking, payment, &[kim, lee], &numbers),
    ]);
    (booking, payment, story.tell(&events).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_are_their_buyers_and_tickets_their_holders() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let (kim, lee, park) = (AccountId::new(), AccountId::new(), AccountId::new());
    call(&db.pool, kim, "Kim").await?;
    call(&db.pool, lee, "Lee").await?;
    let (booking, payment, last) = book_together(&mut story, kim, lee).await;
    let bookings = reading.get_as(kim, &format!("/v1/me/bookings?min_position={last}")).await.ok();
    let line = |seat: u32, row: &str, number: &str, price: i64, holder: AccountId, nickname: &str, mine: bool| {
        json!({"seat": seat, "area": "Floor", "row": row, "number": number, "price": price, "holder": holder,
               "holder_nickname": nickname, "mine": mine})
    };
    assert_eq!(
        bookings["bookings"],
        json!([{
            "booking_id": booking, "performance_id": story.performance, "show_id": story.show,
            "title": {"ko": "리어왕", "en": "King Lear"}, "venue": {"ko": "소극장"}, "starts_at": "2027-01-16T08:00:00Z",
            "state": "paid", "total": 2 * PRICE_R + PRICE_S, "paid": 2 * PRICE_R + PRICE_S, "pay_by": "2027-01-15T08:05:00Z",
            "payment_id": payment,
            "lines": [
                line(0, "1", "1", PRICE_R, kim, "Kim", true),
                line(1, "1", "2", PRICE_R, lee, "Lee", false),
                line(5, "2", "1", PRICE_S, kim, "Kim", true),
            ],
        }])
    );
    let tickets = async |account| Ok::<_, anyhow::Error>(reading.get_as(account, "/v1/me/tickets").await.ok()["tickets"].clone());
    let seats = |tickets: &Value| tickets.as_array().map(|tickets| tickets.iter().map(|ticket| ticket["seat"].clone()).collect::<Vec<_>>());
    let (kims, lees) = (tickets(kim).await?, tickets(lee).await?);
    assert_eq!(seats(&kims), Some(vec![json!(0), json!(5)]));
    assert_eq!(seats(&lees), Some(vec![json!(1)]));
    assert_eq!((&lees[0]["buyer_nickname"], &kims[0]["buyer_nickname"]), (&json!("Kim"), &Value::Null));
    assert_eq!((&lees[0]["row"], &lees[0]["number"], &lees[0]["price"]), (&json!("1"), &json!("2"), &json!(PRICE_R)));
    assert_eq!(reading.get_as(lee, "/v1/me/bookings").await.ok()["bookings"], json!([]));
    assert_eq!(tickets(park).await?, json!([]));
    // Cancelled: no ticket any more, and the money is owed.
    let refund = socketing_domain::RefundId::new();
    let amount = story.total(&[0, 1, 5]);
    let last = story
        .tell(&[story.cancelled(booking, &[0, 1, 5], Cancellation::Buyer), story.refund_due(refund, payment, booking, kim, amount)])
        .await;
    let cancelled = reading.get_as(kim, &format!("/v1/me/bookings?min_position={last}")).await.ok()["bookings"][0].clone();
    assert_eq!(
        (&cancelled["state"], &cancelled["refund_state"], &cancelled["refund_amount"]),
        (&json!("cancelled"), &json!("due"), &json!(amount))
    );
    assert_eq!(tickets(lee).await?, json!([]));
    let last = story.tell(&[story.refund_completed(refund, booking, amount)]).await;
    let refunded = reading.get_as(kim, &format!("/v1/me/bookings?min_position={last}")).await.ok()["bookings"][0].clone();
    assert_eq!(refunded["refund_state"], "completed");
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_and_tickets_come_in_pages_the_latest_first() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let kim = AccountId::new();
    let mut wanted = Vec::new();
    let mut last = 0;
    for seats in [[0, 1], [2, 3], [4, 5]] {
        let (hold, booking, payment) = (HoldId::new(), BookingId::new(), PaymentId::new());
        wanted.insert(0, booking.to_string());
        last = story
            .tell(&[
                story.held(hold, &[kim], &seats),
                story.booked(booking, hold, &[kim], &seats),
                story.payment_started(payment, booking, kim, &seats),
                story.sold(booking, payment, &[kim], &seats),
            ])
            .await;
    }
    reading.reaches(last).await;
    let all = async |list: &str, of: &str| {
        let (mut seen, mut path) = (Vec::new(), format!("/v1/me/{list}?limit=2"));
        loop {
            let page = reading.get_as(kim, &path).await.ok();
            let page_of = page[list].as_array().context("a list")?;
            assert!(page_of.len() <= 2);
            seen.extend(page_of.iter().map(|entry| entry[of].to_string().replace('"', "")));
            let Some(next) = page["next"].as_str() else { return Ok::<_, anyhow::Error>(seen) };
            path = format!("/v1/me/{list}?limit=2&cursor={next}");
        }
    };
    assert_eq!(all("bookings", "booking_id").await?, wanted);
    assert_eq!(all("tickets", "seat").await?, ["4", "5", "2", "3", "0", "1"]);
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sales_are_for_the_organiser_and_operators() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let (kim, operator) = (AccountId::new(), AccountId::new());
    let mut events = signed_up(operator);
    events.push(role_granted(operator, Role::Operator));
    events.push(story.held(HoldId::new(), &[kim], &[0, 6]));
    let last = story.tell(&events).await;
    reading.reaches(last).await;
    let path = format!("/v1/performances/{}/sales?min_position={last}", story.performance);
    assert_eq!(reading.get(&path).await.problem(), (401, "unauthenticated"));
    assert_eq!(reading.get_as(kim, &path).await.problem(), (403, "forbidden"));
    let figures =
        |category: &str| json!({"category": category, "seats": 5, "held": 1, "booked": 0, "sold": 0, "revenue": 0, "refunded": 0});
    let expected = json!({"categories": [figures("R"), figures("S")], "position": last});
    assert_eq!(reading.get_as(story.organiser, &path).await.ok(), expected);
    assert_eq!(reading.get_as(operator, &path).await.ok(), expected);
    assert_eq!(reading.get_as_system(&path).await.ok(), expected);
    let performance = reading.get(&format!("/v1/performances/{}", story.performance)).await.ok();
    let left = |category: &str, price: i64| json!({"category": category, "price": price, "seats": 5, "free": 4});
    assert_eq!(performance["remaining"], json!([left("R", PRICE_R), left("S", PRICE_S)]));
    let nowhere = format!("/v1/performances/{}/sales", PerformanceId::new());
    assert_eq!(reading.get_as(operator, &nowhere).await.problem(), (404, "unknown_performance"));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_names_anothers_performance_gains_nothing() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let (honest, performance) = (story.organiser, story.performance);
    // Another organiser drafts and publishes a show that claims the same performance.
    story.turn_to_another_show();
    (story.performance, story.organiser) = (performance, AccountId::new());
    let last = story.tell(&[story.drafted(), story.published()]).await;
    reading.reaches(last).await;
    let sales = format!("/v1/performances/{performance}/sales");
    assert_eq!(reading.get_as(story.organiser, &sales).await.problem(), (403, "forbidden"));
    assert_eq!(reading.get_as(honest, &sales).await.status.as_u16(), 200);
    let shown = reading.get(&format!("/v1/performances/{performance}")).await.ok();
    assert_ne!(shown["show_id"], json!(story.show));
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_who_holds_a_seat() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let (kim, lee, park) = (AccountId::new(), AccountId::new(), AccountId::new());
    call(&db.pool, kim, "Kim").await?;
    let (booking, _, last) = book_together(&mut story, kim, lee).await;
    let performance = story.performance;
    let paths = [
        "/v1/shows".to_owned(),
        format!("/v1/shows/{}", story.show),
        format!("/v1/performances/{performance}"),
        format!("/v1/performances/{performance}/seats"),
    ];
    for path in paths.iter().map(|path| format!("{path}?min_position={last}")) {
        for body in [reading.get(&path).await.ok(), reading.get_as(park, &path).await.ok()] {
            let text = body.to_string();
            for secret in [kim.to_string(), lee.to_string(), booking.to_string(), "Kim".to_owned()] {
                assert!(!text.contains(&secret), "{path} tells {secret}");
            }
        }
    }
    for path in ["/v1/me/bookings", "/v1/me/tickets", "/v1/me/invitations", "/v1/me/wallet"] {
        assert_eq!(reading.get(path).await.problem(), (401, "unauthenticated"), "{path}");
        assert_eq!(reading.get_as_system(path).await.problem(), (403, "not_a_person"), "{path}");
    }
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_in_the_line_is_its_members_until_they_are_gone() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let (first, kim, lee, last_one) = (AccountId::new(), AccountId::new(), AccountId::new(), AccountId::new());
    let entries: Vec<EntryId> = (0..3).map(|_| EntryId::new()).collect();
    let party = PartyId::new();
    story
        .tell(&[
            story.joined(entries[0], 1, &[first], None),
            story.joined(entries[1], 2, &[kim, lee], Some(party)),
            story.joined(entries[2], 3, &[last_one], None),
        ])
        .await;
    let admitted = story.tell(&[story.admitted(entries[0], 1)]).await;
    let path = format!("/v1/performances/{}/line/me?min_position={admitted}", story.performance);
    let inside = reading.get_as(first, &path).await.ok();
    assert_eq!(
        (&inside["state"], &inside["ahead"], &inside["session_ends_at"]),
        (&json!("inside"), &json!(0), &json!("2027-01-15T08:15:00Z"))
    );
    for member in [kim, lee] {
        let place = reading.get_as(member, &path).await.ok();
        let expected = json!({"entry_id": entries[1], "number": 2, "state": "waiting", "ahead": 0, "waiting": 2, "party_id": party,
                              "members": [kim, lee], "position": admitted});
        assert_eq!(place, expected);
    }
    assert_eq!(reading.get_as(last_one, &path).await.ok()["ahead"], 1);
    assert_eq!(reading.get_as(AccountId::new(), &path).await.problem(), (404, "not_in_line"));
    let left = story.tell(&[story.departed(entries[1], 2)]).await;
    let path = format!("/v1/performances/{}/line/me?min_position={left}", story.performance);
    assert_eq!(reading.get_as(lee, &path).await.problem(), (404, "not_in_line"));
    let place = reading.get_as(last_one, &path).await.ok();
    assert_eq!((&place["ahead"], &place["waiting"]), (&json!(0), &json!(1)));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_parties_are_shown_to_who_is_in_them() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let (kim, lee, park) = (AccountId::new(), AccountId::new(), AccountId::new());
    for (account, nickname) in [(kim, "Kim"), (lee, "Lee"), (park, "Park")] {
        call(&db.pool, account, nickname).await?;
    }
    let id = PartyId::new();
    let formed =
        party::Event::PartyFormed { party: id, performance: story.performance, leader: kim, terms: Default::default(), unused_until: None };
    let invited = |account| party::Event::FriendInvited { account };
    let events = [formed, invited(lee), invited(park)].map(|event| story.party_event(id, event));
    let last = story.tell(&events).await;
    let asked = |position: u64| format!("/v1/me/invitations?min_position={position}");
    let of = reading.get_as(lee, &asked(last)).await.ok();
    assert_eq!(
        of["invitations"],
        json!([{"party_id": id, "performance_id": story.performance, "title": {"ko": "리어왕", "en": "King Lear"},
                "starts_at": "2027-01-16T08:00:00Z", "leader_nickname": "Kim", "state": "invited"}])
    );
    assert_eq!(of["parties"], json!([]));
    let accepted = party::Event::InvitationAccepted { account: lee };
    let frozen = party::Event::PartyFrozen { entry: EntryId::new(), members: vec![kim, lee] };
    let last = story.tell(&[story.party_event(id, accepted), story.party_event(id, frozen)]).await;
    for member in [kim, lee] {
        let of = reading.get_as(member, &asked(last)).await.ok();
        let party = &of["parties"][0];
        assert_eq!((&of["invitations"], &party["leader"], &party["members"]), (&json!([]), &json!(kim), &json!([kim, lee])));
        assert_eq!((&party["invited"], &party["frozen"]), (&json!([park]), &json!(true)));
        assert_eq!(party["nicknames"], json!({kim.to_string(): "Kim", lee.to_string(): "Lee", park.to_string(): "Park"}));
    }
    assert_eq!(reading.get_as(park, &asked(last)).await.ok()["invitations"][0]["state"], "closed");
    let elsewhere = format!("{}&performance={}", asked(last), PerformanceId::new());
    assert_eq!(reading.get_as(kim, &elsewhere).await.ok()["parties"], json!([]));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_shown_once_it_is_open() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let reading = TestReading::start(&db, None).await;
    let kim = AccountId::new();
    assert_eq!(reading.get_as(kim, "/v1/me/wallet").await.problem(), (503, "projection_behind"));
    let last = story.tell(&signed_up(kim)).await;
    let wallet = reading.get_as(kim, &format!("/v1/me/wallet?min_position={last}")).await.ok();
    assert_eq!(wallet, json!({"balance": 500_000, "position": last}));
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_touch_a_parked_stream_say_so_and_never_hide_the_callers_own_change() -> Result<()> {
    let db = TestDb::new().await;
    let (mut story, reading) = on_sale(&db).await;
    let kim = AccountId::new();
    let held = story.tell(&[story.held(HoldId::new(), &[kim], &[0])]).await;
    let impossible = story.tell(&[story.held(HoldId::new(), &[kim], &[0])]).await;
    let path = format!("/v1/performances/{}/seats", story.performance);
    reading.reaches(impossible).await;
    let map = reading.get(&format!("{path}?min_position={held}")).await.ok();
    assert_eq!((&map["parked_at"], &map["position"]), (&json!(impossible), &json!(impossible)));
    let hidden = reading.get(&format!("{path}?min_position={impossible}")).await;
    assert_eq!((hidden.problem(), &hidden.body["parked_at"]), ((503, "projection_parked"), &json!(impossible)));
    // The bookings' stream is the same one, but they don't look at holds: nothing of theirs is parked.
    assert_eq!(reading.get_as(kim, &format!("/v1/me/bookings?min_position={impossible}")).await.ok()["parked_at"], Value::Null);
    let (broken, mut events) = (story.performance, Vec::new());
    story.turn_to_another_show();
    events.extend(story.on_sale());
    let last = story.tell(&events).await;
    let other = reading.get(&format!("/v1/performances/{}/seats?min_position={last}", story.performance)).await.ok();
    assert_eq!(other["parked_at"], Value::Null, "{broken} concerns nobody else");
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_of_a_plan_that_is_larger_than_a_chunk_come_in_their_order() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 25, 100).await;
    let reading = TestReading::start(&db, None).await;
    story.tell(&story.on_sale()).await;
    let numbers = [0, 1_023, 1_024, 2_047, 2_048, 2_499];
    let last = story.tell(&[story.held(HoldId::new(), &[AccountId::new()], &numbers)]).await;
    let map = reading.get(&format!("/v1/performances/{}/seats?min_position={last}", story.performance)).await.ok();
    let seats = map["seats"].as_str().context("seats")?;
    let held: Vec<usize> = seats.match_indices('1').map(|(at, _)| at).collect();
    assert_eq!((seats.len(), held), (story.plan.seats.len(), numbers.map(|number| number as usize).to_vec()));
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_described_with_its_errors() -> Result<()> {
    let db = TestDb::new().await;
    let reading = TestReading::start(&db, None).await;
    let (_, document) = reading.projections.router().split_for_parts();
    let document = serde_json::to_value(&document)?;
    let paths = document["paths"].as_object().context("paths")?;
    assert_eq!(paths.len(), 19, "{:?}", paths.keys());
    for (path, item) in paths {
        let responses = item["get"]["responses"].as_object().context("responses")?;
        for status in ["200", "400", "500", "503"] {
            assert!(responses.contains_key(status), "{path} doesn't describe {status}");
        }
        let parameters = item["get"]["parameters"].as_array().context("parameters")?;
        assert!(parameters.iter().any(|parameter| parameter["name"] == "min_position"), "{path}");
        let needs_sign_in = path.starts_with("/v1/me/")
            || ["/line/me", "/line/why", "/line/steering", "/sales", "/suggestions"].iter().any(|end| path.ends_with(end));
        assert_eq!(
            item["get"]["security"].as_array().is_some_and(|ways| !ways.is_empty() && !ways.contains(&json!({}))),
            needs_sign_in,
            "{path}"
        );
    }
    reading.stop().await;
    Ok(())
}
