//! Cards over HTTP: paying, the provider's messages (doubled, late, forged, or none), what operators see.

use crate::cards::settles;
use crate::http_journey::Sale;
use reqwest::StatusCode;
use serde_json::{Value, json};
use socketing_command_api::payments::signature::WebhookSecret;
use socketing_domain::{BookingId, Clock, PaymentId, SystemClock};
use socketing_tests::api::{Reply, TestPerson};
use socketing_tests::card::{KEY, SECRET, TestCards};
use socketing_tests::eventually;

/// What every seat costs here.
const PRICE: i64 = 200_000;
/// Longer than any test takes.
const NEVER: &str = "3600";

/// A sale whose seats may be paid by card.
struct Desk {
    sale: Sale,
    cards: TestCards,
}

impl Desk {
    async fn open(deadline_seconds: &str) -> Desk {
        let cards = TestCards::start().await;
        let timeout = ["--card-timeout-ms", "300", "--payment-deadline-seconds", deadline_seconds];
        let known = ["--card-url", &cards.url, "--card-key", KEY, "--card-webhook-secret", SECRET];
        let sale = Sale::open_with(&[known.as_slice(), timeout.as_slice()].concat(), &json!({})).await;
        cards.send_webhooks_to(&sale.api.url).await;
        Desk { sale, cards }
    }

    async fn pay(&self, person: &TestPerson, booking: BookingId, card: &str) -> Reply {
        let body = json!({ "payment_id": PaymentId::new(), "method": "card", "card_token": self.cards.token(card).await });
        self.sale.send(person, &format!("bookings/{booking}/pay"), &body).await
    }

    async fn count(&self, event_type: &str) -> i64 {
        let count = sqlx::query_scalar("select count(*) from events where event_type = $1").bind(event_type);
        count.fetch_one(&self.sale.api.db.pool).await.expect("a count")
    }

    /// How a payment stands.
    async fn payment(&self, person: &TestPerson, booking: BookingId, payment: &str) -> Value {
        let path = format!("/v1/performances/{}/bookings/{booking}/payments/{payment}", self.sale.performance);
        self.sale.api.get(&path).token(&person.token).send().await.body
    }

    /// A message signed with this secret, so many seconds ago.
    async fn message(&self, secret: &str, seconds_ago: i64, body: &str) -> Reply {
        let at = SystemClock.now().as_millis() / 1000 - seconds_ago;
        let signature = WebhookSecret::new(secret).sign(at, body.as_bytes());
        self.signed(&at.to_string(), &signature, body).await
    }

    async fn signed(&self, at: &str, signature: &str, body: &str) -> Reply {
        let call = self.sale.api.post("/v1/webhooks/card").header("webhook-timestamp", at).header("webhook-signature", signature);
        call.body("application/json", body.as_bytes().to_vec()).send().await
    }
}

#[tokio::test]
async fn a_booking_is_paid_by_card() {
    let desk = Desk::open(NEVER).await;
    let methods = desk.sale.api.get("/v1/payment-methods").send().await;
    let tokens_url = format!("{}/v1/tokens", desk.cards.url);
    assert_eq!(methods.body["methods"], json!([{ "method": "socketpay" }, { "method": "card", "tokens_url": tokens_url }]));

    let minji = desk.sale.api.person("minji").await;
    let booking = desk.sale.book(&minji, &[0]).await;
    let path = format!("bookings/{booking}/pay");
    for bad in [
        json!({ "method": "card" }),
        json!({ "method": "card", "card_token": "4242424242424242" }),
        json!({ "card_token": "tok_approved" }),
    ] {
        let mut body = bad;
        body["payment_id"] = json!(PaymentId::new());
        let refused = desk.sale.send(&minji, &path, &body).await;
        assert_eq!(
            (refused.code(), &refused.body["errors"][0]["path"]),
            ("invalid_body".into(), &json!("/card_token")),
            "{}",
            refused.body
        );
    }
    let declined = desk.pay(&minji, booking, "declined").await;
    assert_eq!((declined.status.as_u16(), declined.text("state"), declined.text("reason")), (200, "failed".into(), "card_declined".into()));
    let paid = desk.pay(&minji, booking, "approved").await;
    assert_eq!((paid.status.as_u16(), paid.text("state"), &paid.body["amount"]), (200, "succeeded".into(), &json!(PRICE)), "{}", paid.body);
    let cancelled = desk.sale.send(&minji, &format!("bookings/{booking}/cancel"), &Value::Null).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    settles(&desk.sale.api.db.pool).await;
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, PRICE));
    let logged: String =
        sqlx::query_scalar("select string_agg(payload::text, '') from events").fetch_one(&desk.sale.api.db.pool).await.unwrap();
    assert!(!logged.contains("4242"), "a card's number is nowhere in the log");
}

#[tokio::test]
async fn without_a_provider_cards_are_refused() {
    let sale = Sale::open_with(&[], &json!({})).await;
    assert_eq!(sale.api.get("/v1/payment-methods").send().await.body["methods"], json!([{ "method": "socketpay" }]));
    let minji = sale.api.person("minji").await;
    let booking = sale.book(&minji, &[0]).await;
    let body = json!({ "payment_id": PaymentId::new(), "method": "card", "card_token": "tok_approved" });
    let refused = sale.send_with_key(&minji, &format!("bookings/{booking}/pay"), &body, "pay").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "method_unavailable".into()));
    let message = sale.api.post("/v1/webhooks/card").json(&json!({})).send().await;
    assert_eq!((message.status.as_u16(), message.code()), (401, "webhook_refused".into()));
    let paid = sale.send(&minji, &format!("bookings/{booking}/pay"), &json!({ "payment_id": PaymentId::new() })).await;
    assert_eq!(paid.text("state"), "succeeded", "SocketPay is the usual way: {}", paid.body);
}

/// A charge that is decided late is settled by the message, far sooner than it would be asked about again; a message that
/// is doubled, late, forged or never sent changes nothing in what comes of it.
#[tokio::test]
async fn messages_may_be_doubled_late_forged_or_lost() {
    let desk = Desk::open(NEVER).await;
    let orders =
        [json!({ "fault": "twice" }), json!({ "fault": "slow", "ms": 600 }), json!({ "fault": "forged" }), json!({ "fault": "never" })];
    for (nth, order) in orders.into_iter().enumerate() {
        let mut order = order;
        order["on"] = json!("webhook");
        desk.cards.order(order).await;
        desk.cards.order(json!({ "on": "charge", "fault": "pending", "ms": 300 })).await;
        let minji = desk.sale.api.person(&format!("minji{nth}")).await;
        let booking = desk.sale.book(&minji, &[nth as u32]).await;
        let begun = desk.pay(&minji, booking, "approved").await;
        let payment = begun.text("payment_id");
        eventually("it is paid", || async { desk.payment(&minji, booking, &payment).await["state"] == "succeeded" }).await;
        assert_eq!(desk.count("SeatsSold").await, nth as i64 + 1);
    }
    eventually("the faults were met", || async { desk.cards.orders_left().await == 0 }).await;
    settles(&desk.sale.api.db.pool).await;
    assert_eq!(desk.cards.taken_and_back().await, (4 * PRICE, 0));
    assert_eq!((desk.count("SeatsSold").await, desk.count("PaymentFailed").await), (4, 0));
}

/// Says of a declined card that it was charged: whether forged, or signed with the right secret, nobody gets a seat.
#[tokio::test]
async fn a_message_alone_gets_nobody_a_seat() {
    let desk = Desk::open(NEVER).await;
    let minji = desk.sale.api.person("minji").await;
    desk.cards.order(json!({ "on": "webhook", "fault": "forged" })).await;
    let booking = desk.sale.book(&minji, &[0]).await;
    let declined = desk.pay(&minji, booking, "declined").await;
    assert_eq!(declined.text("state"), "failed");
    desk.cards.order(json!({ "on": "ask", "fault": "error" })).await;
    let reference = format!("{}.{}", desk.sale.performance, declined.text("payment_id"));
    let claim = json!({ "reference": reference, "state": "succeeded" }).to_string();

    for (secret, seconds_ago) in [("another secret altogether", 0), (SECRET, 301), (SECRET, -301)] {
        let refused = desk.message(secret, seconds_ago, &claim).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (401, "webhook_refused".into()), "{secret} {seconds_ago}");
    }
    let now = SystemClock.now().as_millis() / 1000;
    let good = WebhookSecret::new(SECRET).sign(now, claim.as_bytes());
    for (at, signature, body) in [
        (now.to_string(), good.clone(), claim.replace("succeeded", "declined")),
        ((now + 1).to_string(), good.clone(), claim.clone()),
        (now.to_string(), good[..66].to_owned(), claim.clone()),
        ("today".into(), good.clone(), claim.clone()),
    ] {
        assert_eq!(desk.signed(&at, &signature, &body).await.code(), "webhook_refused", "{at} {signature} {body}");
    }
    settles(&desk.sale.api.db.pool).await;
    assert_eq!(desk.cards.orders_left().await, 1, "what was refused isn't even asked about");
    // Signed with the right secret, and repeated while it is young: it is asked about, and the provider says no.
    for _ in 0..3 {
        assert_eq!(desk.signed(&now.to_string(), &good, &claim).await.status, StatusCode::NO_CONTENT);
    }
    settles(&desk.sale.api.db.pool).await;
    assert_eq!(desk.cards.orders_left().await, 0, "what was signed is asked about");
    // Of something that isn't ours, or isn't there.
    for reference in
        ["ch_12345".to_owned(), format!("{}.{}", desk.sale.performance, PaymentId::new()), format!("{0}.{0}", PaymentId::new())]
    {
        let news = json!({ "reference": reference }).to_string();
        assert_eq!(desk.message(SECRET, 0, &news).await.status, StatusCode::NO_CONTENT, "{reference}");
    }
    assert_eq!(desk.message(SECRET, 0, "{}").await.code(), "invalid_body");
    assert_eq!(desk.message(SECRET, 0, "no JSON").await.code(), "bad_json");
    settles(&desk.sale.api.db.pool).await;
    assert_eq!((desk.count("SeatsSold").await, desk.count("RefundDue").await, desk.count("PaymentFailed").await), (0, 0, 1));
    assert_eq!(desk.cards.taken_and_back().await, (0, 0));
}

/// The provider says no, and takes the money later all the same. The seats may be someone else's by then: it goes back.
#[tokio::test]
async fn a_charge_that_succeeds_too_late_is_refunded() {
    let desk = Desk::open(NEVER).await;
    let (minji, jiho) = (desk.sale.api.person("minji").await, desk.sale.api.person("jiho").await);
    desk.cards.order(json!({ "on": "charge", "fault": "charge_late", "ms": 700 })).await;
    // The message of the success comes twice.
    desk.cards.order(json!({ "on": "webhook", "fault": "slow", "ms": 0 })).await;
    desk.cards.order(json!({ "on": "webhook", "fault": "twice" })).await;
    let booking = desk.sale.book(&minji, &[0]).await;
    let declined = desk.pay(&minji, booking, "approved").await;
    assert_eq!((declined.text("state"), declined.text("reason")), ("failed".into(), "card_declined".into()));
    let cancelled = desk.sale.send(&minji, &format!("bookings/{booking}/cancel"), &Value::Null).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    let others = desk.sale.book(&jiho, &[0]).await;
    assert_eq!(
        desk.sale.send(&jiho, &format!("bookings/{others}/pay"), &json!({ "payment_id": PaymentId::new() })).await.text("state"),
        "succeeded"
    );
    eventually("the money is back", || async { desk.count("RefundCompleted").await == 1 }).await;
    settles(&desk.sale.api.db.pool).await;
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, PRICE));
    assert_eq!((desk.count("RefundDue").await, desk.count("SeatsSold").await), (1, 1));
    let payment = desk.payment(&minji, booking, &declined.text("payment_id")).await;
    assert_eq!(payment["state"], "succeeded", "it is told as what it was: {payment}");
}

/// The refusal's message makes the provider be asked at once, which isn't the question after the deadline: that one is asked
/// all the same, and finds what happened in between, whose own message is lost.
#[tokio::test]
async fn the_message_of_a_refusal_does_not_use_up_the_question_after_the_deadline() {
    let desk = Desk::open("3").await;
    let minji = desk.sale.api.person("minji").await;
    desk.cards.order(json!({ "on": "charge", "fault": "charge_late", "ms": 1000 })).await;
    desk.cards.order(json!({ "on": "webhook", "fault": "slow", "ms": 300 })).await;
    desk.cards.order(json!({ "on": "webhook", "fault": "never" })).await;
    let booking = desk.sale.book(&minji, &[0]).await;
    let declined = desk.pay(&minji, booking, "approved").await;
    assert_eq!((declined.text("state"), declined.text("reason")), ("failed".into(), "card_declined".into()));
    eventually("the money is back", || async { desk.count("RefundCompleted").await == 1 }).await;
    assert_eq!(desk.cards.orders_left().await, 0);
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, PRICE));
}

/// Pay answers within two seconds, and says where to look; operators see what is in doubt, and nobody else does.
#[tokio::test]
async fn operators_see_what_is_in_doubt() {
    let desk = Desk::open("1").await;
    let minji = desk.sale.api.person("minji").await;
    let operator = desk.sale.api.person_with_role("operator", "operator").await;
    let (booking, others) = (desk.sale.book(&minji, &[0]).await, "/v1/operator/payments");
    desk.cards.order(json!({ "on": "charge", "fault": "time_out_after" })).await;
    desk.cards.order(json!({ "on": "ask", "fault": "error", "times": 1000 })).await;
    let begun = desk.pay(&minji, booking, "approved").await;
    let payment = begun.text("payment_id");
    let address = format!("/v1/performances/{}/bookings/{booking}/payments/{payment}", desk.sale.performance);
    assert_eq!((begun.status.as_u16(), begun.text("state"), begun.header("location")), (202, "in_flight".into(), address));

    let see = |query: &str| desk.sale.api.get(&format!("{others}{query}")).token(&operator.token).send();
    eventually("it is overdue", || async { see("?state=in_doubt").await.body["overdue"] == 1 }).await;
    let seen = see("?state=in_doubt").await;
    let open = &seen.body["payments"][0];
    assert_eq!(
        (&seen.body["total"], &open["payment_id"], &open["kind"], &open["method"]),
        (&json!(1), &json!(payment), &json!("charge"), &json!("card"))
    );
    assert_eq!((&open["booking_id"], &open["account_id"], &open["amount"]), (&json!(booking), &json!(minji.account), &json!(PRICE)));
    assert!(open["attempts"].as_u64() > Some(0) && open["since"].is_string() && open["overdue"] == true, "{open}");
    assert!(open["last_error"].as_str().is_some_and(|error| error.contains("500")), "{open}");
    assert_eq!(see("?state=waiting").await.body["total"], 0);
    assert_eq!(see("").await.body["total"], 1);
    for bad in ["?state=lost", "?limit=0", "?limit=201"] {
        assert_eq!(see(bad).await.code(), "invalid_query", "{bad}");
    }
    assert_eq!(desk.sale.api.get(others).token(&minji.token).send().await.code(), "forbidden");
    assert_eq!(desk.sale.api.get(others).send().await.code(), "unauthenticated");

    desk.cards.forget().await;
    eventually("it is paid", || async { desk.payment(&minji, booking, &payment).await["state"] == "succeeded" }).await;
    settles(&desk.sale.api.db.pool).await;
    assert_eq!(see("").await.body["total"], 0);
}
