//! A sale over HTTP, from the plan to the refund.

use serde_json::{Value, json};
use socketing_domain::{BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId};
use socketing_tests::api::{Reply, TestApi, TestPerson};
use socketing_tests::eventually;
use socketing_tests::stage::small_plan;
use uuid::Uuid;

pub(crate) struct Sale {
    pub(crate) api: TestApi,
    pub(crate) performance: PerformanceId,
}

impl Sale {
    /// A plan is imported, a show drafted and published.
    async fn open(policies: &Value) -> Sale {
        Sale::open_with(&[], policies).await
    }

    /// The same, with these options of the command line.
    pub(crate) async fn open_with(options: &[&str], policies: &Value) -> Sale {
        let api = TestApi::start(options).await;
        let organiser = api.person_with_role("organiser", "organiser").await;
        let plan = api.post("/v1/plans").token(&organiser.token).json(&small_plan(2, 5)).send().await;
        assert_eq!(plan.status, 201, "{}", plan.body);
        let (show, performance) = (Uuid::now_v7(), PerformanceId::new());
        let body = json!({
            "show_id": show, "title": { "ko": "공연", "en": "Show" }, "venue": { "ko": "극장" }, "plan": plan.body["plan"],
            "dates": [{ "performance": performance, "starts_at": "2099-01-01T10:00:00Z" }],
            "prices": [{ "category": "R", "price": 200_000 }], "sale_opens_at": "2020-01-01T00:00:00Z", "policies": policies,
        });
        let created = api.post("/v1/shows").token(&organiser.token).key("create").json(&body).send().await;
        assert_eq!((created.status.as_u16(), created.text("show_id")), (201, show.to_string()), "{}", created.body);
        let published = api.post(&format!("/v1/shows/{show}/publish")).token(&organiser.token).key("publish").send().await;
        assert_eq!(published.status, 200, "{}", published.body);
        api.on_sale(performance).await;
        Sale { api, performance }
    }

    /// Sends a command of the performance, with a key of its own.
    pub(crate) async fn send(&self, person: &TestPerson, path: &str, body: &Value) -> Reply {
        self.send_with_key(person, path, body, &Uuid::now_v7().to_string()).await
    }

    pub(crate) async fn send_with_key(&self, person: &TestPerson, path: &str, body: &Value, key: &str) -> Reply {
        let call = self.api.post(&format!("/v1/performances/{}/{path}", self.performance)).token(&person.token).key(key);
        if body.is_null() { call.send().await } else { call.json(body).send().await }
    }

    /// Joins the line, holds seats, books them.
    pub(crate) async fn book(&self, person: &TestPerson, seats: &[u32]) -> BookingId {
        let joined = self.send(person, "line", &json!({ "entry_id": EntryId::new() })).await;
        assert_eq!(joined.text("state"), "inside", "{}", joined.body);
        let hold = HoldId::new();
        let held = self.send(person, "holds", &json!({ "hold_id": hold, "seats": seats })).await;
        assert_eq!(held.status, 201, "{}", held.body);
        let booking = BookingId::new();
        let booked = self.send(person, "bookings", &json!({ "booking_id": booking, "hold_id": hold })).await;
        assert_eq!((booked.status.as_u16(), booked.text("state")), (201, "unpaid".into()), "{}", booked.body);
        booking
    }
}

#[tokio::test]
async fn two_friends_wait_hold_book_pay_and_cancel() {
    let sale = Sale::open(&json!({ "seats_per_person": 2 })).await;
    let (minji, jiho) = (sale.api.person("minji").await, sale.api.person("jiho").await);
    let party = PartyId::new();

    let invited = sale.send(&minji, &format!("parties/{party}/invitations"), &json!({ "nickname": "jiho" })).await;
    assert_eq!((invited.status.as_u16(), &invited.body["invited"]), (200, &json!([jiho.account])), "{}", invited.body);
    let accepted = sale.send(&jiho, &format!("parties/{party}/accept"), &Value::Null).await;
    assert_eq!(accepted.body["members"], json!([minji.account, jiho.account]));

    let joined = sale.send(&minji, "line", &json!({ "entry_id": EntryId::new(), "party_id": party })).await;
    assert_eq!((joined.text("state"), &joined.body["number"]), ("inside".into(), &json!(1)), "{}", joined.body);
    assert_eq!(sale.send(&jiho, &format!("parties/{party}/leave"), &Value::Null).await.code(), "party_frozen");

    let hold = HoldId::new();
    let held = sale.send(&minji, "holds", &json!({ "hold_id": hold, "seats": [0, 1] })).await;
    assert_eq!((held.status.as_u16(), &held.body["total"]), (201, &json!(400_000)), "{}", held.body);
    assert_eq!(sale.send(&minji, &format!("holds/{hold}/extend"), &Value::Null).await.status, 200);
    assert_eq!(sale.send(&minji, &format!("holds/{hold}/extend"), &Value::Null).await.code(), "hold_extended_already");

    let booking = BookingId::new();
    let booked = sale.send(&minji, "bookings", &json!({ "booking_id": booking, "hold_id": hold })).await;
    assert_eq!((booked.status.as_u16(), &booked.body["total"]), (201, &json!(400_000)), "{}", booked.body);
    let holders: Vec<&Value> = booked.body["lines"].as_array().unwrap().iter().map(|line| &line["holder"]).collect();
    assert_eq!(holders, [&json!(minji.account), &json!(jiho.account)]);

    let payment = PaymentId::new();
    let pay = json!({ "payment_id": payment, "method": "socketpay" });
    let paid = sale.send_with_key(&minji, &format!("bookings/{booking}/pay"), &pay, "pay").await;
    assert_eq!((paid.status.as_u16(), paid.text("state")), (200, "succeeded".into()), "{}", paid.body);
    let again = sale.send_with_key(&minji, &format!("bookings/{booking}/pay"), &pay, "pay").await;
    assert_eq!((again.status.as_u16(), again.text("state"), again.text("payment_id")), (200, "succeeded".into(), payment.to_string()));

    let path = format!("/v1/performances/{}/bookings/{booking}/payments/{payment}", sale.performance);
    let seen = sale.api.get(&path).token(&minji.token).send().await;
    assert_eq!((seen.text("state"), &seen.body["amount"]), ("succeeded".into(), &json!(400_000)));
    assert_eq!(sale.api.get(&path).token(&jiho.token).send().await.code(), "unknown_payment", "a payment is its payer's alone");

    assert_eq!(sale.send(&jiho, &format!("bookings/{booking}/cancel"), &Value::Null).await.status.as_u16() / 100, 4);
    let cancelled = sale.send_with_key(&minji, &format!("bookings/{booking}/cancel"), &Value::Null, "cancel").await;
    assert_eq!((cancelled.status.as_u16(), cancelled.text("state")), (200, "cancelled".into()), "{}", cancelled.body);
    assert_eq!(cancelled.body["refund"]["amount"], json!(400_000));
    let replayed = sale.send_with_key(&minji, &format!("bookings/{booking}/cancel"), &Value::Null, "cancel").await;
    assert_eq!(replayed.body, cancelled.body);
    eventually("the money is back, once", || async {
        let refunds: Vec<i64> =
            sqlx::query_scalar("select (payload #>> '{WalletRefunded,amount}')::bigint from events where event_type = 'WalletRefunded'")
                .fetch_all(&sale.api.db.pool)
                .await
                .unwrap();
        refunds == [400_000]
    })
    .await;
}

#[tokio::test]
async fn what_the_wallet_cannot_pay_fails_and_can_be_tried_again() {
    let sale = Sale::open(&json!({})).await;
    let minji = sale.api.person("minji").await;
    let booking = sale.book(&minji, &[0, 1, 2]).await;
    let pay = |payment: PaymentId| json!({ "payment_id": payment, "method": "socketpay" });
    let path = format!("bookings/{booking}/pay");
    let first = sale.send(&minji, &path, &pay(PaymentId::new())).await;
    assert_eq!((first.status.as_u16(), first.text("state"), first.text("reason")), (200, "failed".into(), "insufficient_funds".into()));
    let second = sale.send(&minji, &path, &pay(PaymentId::new())).await;
    assert_eq!((second.text("state"), second.text("reason")), ("failed".into(), "insufficient_funds".into()));
    assert_ne!(second.text("payment_id"), first.text("payment_id"));
}

#[tokio::test]
async fn only_organisers_draft_and_only_their_own_is_published() {
    let sale = Sale::open(&json!({})).await;
    let (fan, other) = (sale.api.person("minji").await, sale.api.person_with_role("other", "organiser").await);
    let show: String = sqlx::query_scalar("select aggregate_id from events where event_type = 'ShowPublished'")
        .fetch_one(&sale.api.db.pool)
        .await
        .unwrap();
    let publish = |person: &TestPerson| sale.api.post(&format!("/v1/shows/{show}/publish")).token(&person.token).key("p").send();
    assert_eq!(publish(&other).await.code(), "forbidden");
    let draft = |plan: &str, more: Value| {
        let mut body = json!({
            "show_id": Uuid::now_v7(), "title": { "ko": "공연" }, "venue": { "ko": "극장" }, "plan": plan,
            "dates": [{ "performance": PerformanceId::new(), "starts_at": "2099-01-01T10:00:00Z" }],
            "prices": [{ "category": "R", "price": 1 }], "sale_opens_at": "2020-01-01T00:00:00Z",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let create = |person: &TestPerson, key: &str, body: &Value| sale.api.post("/v1/shows").token(&person.token).key(key).json(body).send();
    let plan: Vec<u8> = sqlx::query_scalar("select hash from plans").fetch_one(&sale.api.db.pool).await.unwrap();
    let plan: String = plan.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(create(&fan, "1", &draft(&plan, json!({}))).await.code(), "forbidden");
    assert_eq!(create(&other, "1", &draft(&plan, json!({ "preset": "original" }))).await.status, 201);
    assert_eq!(create(&other, "2", &draft(&plan, json!({ "preset": "original", "policies": {} }))).await.code(), "invalid_body");
    assert_eq!(create(&other, "3", &draft(&plan, json!({ "policies": { "hold_second": 3 } }))).await.code(), "invalid_body");
    assert_eq!(create(&other, "4", &draft(&"0".repeat(64), json!({}))).await.status.as_u16() / 100, 4);
    assert_eq!(create(&other, "5", &draft("nonsense", json!({}))).await.code(), "invalid_body");
}
