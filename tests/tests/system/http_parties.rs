//! Parties over HTTP: made by a link, joined with one tap, paid by shares; and what everyone has in the end.

use crate::http_journey::Sale;
use serde_json::{Value, json};
use socketing_domain::{BookingId, EntryId, HoldId, PartyId, PaymentId};
use socketing_tests::api::{Reply, TestPerson};
use socketing_tests::eventually;
use socketing_tests::reading::TestReading;

/// Three people, the first of whom leads a party that pays so.
struct Friends {
    sale: Sale,
    people: [TestPerson; 3],
    party: PartyId,
}

impl Friends {
    async fn meet(pays: &str, policies: &Value) -> Friends {
        let sale = Sale::open_with(&[], policies).await;
        let people = [sale.api.person("minji").await, sale.api.person("jiho").await, sale.api.person("sora").await];
        let party = PartyId::new();
        let friends = Friends { sale, people, party };
        let formed = friends.send(0, "parties", &json!({ "party_id": party, "pays": pays })).await;
        assert_eq!((formed.status.as_u16(), &formed.body["terms"]["pays"]), (201, &json!(pays)), "{}", formed.body);
        friends
    }

    async fn send(&self, who: usize, path: &str, body: &Value) -> Reply {
        self.sale.send(&self.people[who], path, body).await
    }

    async fn of_party(&self, who: usize, what: &str) -> Reply {
        self.send(who, &format!("parties/{}/{what}", self.party), &Value::Null).await
    }

    /// All are in it, and inside, and seats 0, 1 and 2 are booked: whose shares are which bookings.
    async fn book(&self) -> Vec<(String, String)> {
        for who in [1, 2] {
            assert_eq!(self.of_party(who, "join").await.status, 200);
        }
        let joined = self.send(0, "line", &json!({ "entry_id": EntryId::new(), "party_id": self.party })).await;
        assert_eq!(joined.text("state"), "inside", "{}", joined.body);
        let (hold, booking) = (HoldId::new(), BookingId::new());
        let held = self.send(0, "holds", &json!({ "hold_id": hold, "seats": [0, 1, 2] })).await;
        assert_eq!(held.status, 201, "{}", held.body);
        assert_eq!(self.send(2, &format!("holds/{hold}/claim"), &json!({ "seat": 0 })).await.status, 200);
        assert_eq!(self.send(1, &format!("holds/{hold}/claim"), &json!({ "seat": 0 })).await.code(), "seat_claimed");
        let booked = self.send(0, "bookings", &json!({ "booking_id": booking, "hold_id": hold })).await;
        assert_eq!((booked.status.as_u16(), &booked.body["total"]), (201, &json!(200_000)), "{}", booked.body);
        let shares = self.shares(0, &booking.to_string()).await;
        let seats: Vec<&Value> = shares["shares"].as_array().unwrap().iter().map(|share| &share["seats"]).collect();
        assert_eq!(seats, [&json!([1]), &json!([0]), &json!([2])], "who books is first, and whoever claimed seat 0 has it");
        let share = |share: &Value| (share["account"].as_str().unwrap().to_owned(), share["booking_id"].as_str().unwrap().to_owned());
        shares["shares"].as_array().unwrap().iter().map(share).collect()
    }

    async fn shares(&self, who: usize, booking: &str) -> Value {
        let path = format!("/v1/performances/{}/bookings/{booking}/shares", self.sale.performance);
        let reply = self.sale.api.get(&path).token(&self.people[who].token).send().await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    async fn pay(&self, who: usize, shares: &[(String, String)]) -> u64 {
        let account = self.people[who].account.to_string();
        let (_, booking) = shares.iter().find(|(owner, _)| *owner == account).expect("a share");
        let paid = self.send(who, &format!("bookings/{booking}/pay"), &json!({ "payment_id": PaymentId::new() })).await;
        assert_eq!((paid.status.as_u16(), paid.text("state")), (200, "succeeded".to_owned()), "{}", paid.body);
        paid.body["position"].as_u64().unwrap()
    }

    async fn tickets(&self, reading: &TestReading, position: u64) -> Vec<usize> {
        let mut counts = Vec::new();
        for person in &self.people {
            let tickets = reading.get_as(person.account, &format!("/v1/me/tickets?min_position={position}")).await.ok();
            counts.push(tickets["tickets"].as_array().unwrap().len());
        }
        counts
    }

    async fn head(&self) -> u64 {
        let head: i64 = sqlx::query_scalar("select position from log_head").fetch_one(&self.sale.api.db.pool).await.unwrap();
        u64::try_from(head).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_join_by_the_address_and_everyone_pays_a_share() {
    let friends = Friends::meet("shares", &json!({ "seats_per_person": 2 })).await;
    let reading = TestReading::start(&friends.sale.api.db, None).await;
    let link = format!("/v1/performances/{}/parties/{}", friends.sale.performance, friends.party);
    let seen = reading.get(&format!("{link}?min_position={}", friends.head().await)).await.ok();
    assert_eq!((&seen["leader_nickname"], &seen["people"], &seen["terms"]["pays"]), (&json!("minji"), &json!(1), &json!("shares")));

    let shares = friends.book().await;
    assert_eq!(friends.of_party(1, "join").await.code(), "already_member");
    assert_eq!(friends.of_party(0, "join").await.code(), "own_party");
    let late = friends.sale.api.person("late").await;
    let joined = friends.sale.send(&late, &format!("parties/{}/join", friends.party), &Value::Null).await;
    assert_eq!(joined.code(), "party_frozen");
    assert!(!joined.text("hint").is_empty(), "{}", joined.body);

    friends.pay(0, &shares).await;
    let position = friends.pay(2, &shares).await;
    assert_eq!(friends.tickets(&reading, position).await, [1, 0, 1]);
    let position = friends.pay(1, &shares).await;
    assert_eq!(friends.tickets(&reading, position).await, [1, 1, 1]);
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_go_back_with_refunds_unless_all_are_paid_in_time() {
    let friends = Friends::meet("all_or_none", &json!({ "seats_per_person": 2, "payment_seconds": 4 })).await;
    let reading = TestReading::start(&friends.sale.api.db, None).await;
    let shares = friends.book().await;
    friends.pay(0, &shares).await;
    let position = friends.pay(1, &shares).await;
    assert_eq!(friends.tickets(&reading, position).await, [0, 0, 0], "nobody has a ticket before all have paid");
    eventually("both are refunded, once", || async {
        let refunds: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'RefundCompleted'")
            .fetch_one(&friends.sale.api.db.pool)
            .await
            .unwrap();
        refunds == 2
    })
    .await;
    let states: Vec<Value> =
        friends.shares(2, &shares[0].1).await["shares"].as_array().unwrap().iter().map(|share| share["state"].clone()).collect();
    assert_eq!(states, ["expired", "expired", "expired"]);
    reading.reaches(friends.head().await).await;
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_deadline_the_unpaid_seat_goes_back_and_friends_stay_together() {
    let friends = Friends::meet("shares", &json!({ "seats_per_person": 2, "payment_seconds": 4 })).await;
    let reading = TestReading::start(&friends.sale.api.db, None).await;
    let shares = friends.book().await;
    friends.pay(1, &shares).await; // seat 2
    friends.pay(2, &shares).await; // seat 0; seat 1, between them, isn't paid
    eventually("the seat goes back", || async {
        let told: i64 = sqlx::query_scalar("select count(*) from events where event_type in ('SharesReseated', 'BookingCancelled')")
            .fetch_one(&friends.sale.api.db.pool)
            .await
            .unwrap();
        told == 2
    })
    .await;
    let told = friends.shares(1, &shares[1].1).await;
    let stays: Vec<&Value> = told["shares"].as_array().unwrap()[1..].iter().map(|share| &share["seats"]).collect();
    let mut seats: Vec<u64> = stays.iter().map(|seats| seats[0].as_u64().unwrap()).collect();
    seats.sort_unstable();
    assert_eq!(seats[0] + 1, seats[1], "{told}");
    reading.reaches(friends.head().await).await;
    assert_eq!(friends.tickets(&reading, friends.head().await).await, [0, 1, 1]);
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_leads_until_it_hands_the_party_over() {
    let friends = Friends::meet("chooser", &json!({})).await;
    let reading = TestReading::start(&friends.sale.api.db, None).await;
    let (jiho, sora) = (friends.people[1].account, friends.people[2].account);
    friends.of_party(1, "join").await;
    let invited = friends.send(0, &format!("parties/{}/invitations", friends.party), &json!({ "nickname": "sora" })).await;
    assert_eq!(invited.body["invited"], json!([sora]), "{}", invited.body);
    assert_eq!(friends.of_party(0, &format!("invitations/{sora}/withdraw")).await.body["invited"], json!([]));
    assert_eq!(friends.of_party(1, &format!("members/{jiho}/expel")).await.code(), "not_leader");
    assert_eq!(friends.of_party(0, &format!("members/{jiho}/expel")).await.status, 200);
    let refused = friends.of_party(1, "join").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "expelled_from_party".to_owned()));
    friends.of_party(2, "join").await;
    assert_eq!(friends.of_party(0, &format!("members/{sora}/lead")).await.text("leader"), sora.to_string());
    let left = friends.of_party(2, "leave").await;
    assert_eq!(left.body["members"], json!([friends.people[0].account]), "whoever is left leads");
    assert_eq!(friends.of_party(0, "leave").await.body["ended"], json!(true));
    assert_eq!(friends.of_party(1, "join").await.code(), "party_ended");
    reading.reaches(friends.head().await).await;
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
}
