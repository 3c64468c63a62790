//! Payments by card, with a provider that fails in every way there is, and process managers that stop at every step:
//! money balances, nobody pays without a seat, nobody has a seat without paying, and nothing in doubt is guessed.

use crate::processes::{Processes, WAITING, balance, book, count, happened, pay_by, person, statements_wait};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use socketing_command_api::payments::Payments;
use socketing_command_api::processes::{OpenPayment, State, open_payments};
use socketing_domain::event::Actor;
use socketing_domain::performance::{Command as Seats, Means};
use socketing_domain::show::Policies;
use socketing_domain::unit::Command;
use socketing_domain::{AccountId, BookingId, PaymentId, RefundId};
use socketing_tests::card::TestCards;
use socketing_tests::eventually;
use socketing_tests::stage::{PRICE, Stage};
use sqlx::PgPool;
use std::collections::HashMap;
use std::time::Duration;

/// Longer than any test takes: nothing is overdue.
const NEVER: Duration = Duration::from_secs(3_600);
/// Past after a second try.
const SOON: Duration = Duration::from_millis(400);

/// A performance on sale and a card provider.
struct Desk {
    stage: Stage,
    cards: TestCards,
}

impl Desk {
    async fn open() -> Result<Desk> {
        Ok(Desk { stage: Stage::new(10, 10, Policies::default()).await?, cards: TestCards::start().await })
    }

    fn processes(&self, deadline: Duration) -> Processes {
        Processes::start(&self.stage, self.cards.payments(deadline))
    }

    /// Someone books a seat and pays for it with a card of this kind.
    async fn buy(&self, seat: u32, card: &str) -> Result<(AccountId, BookingId, PaymentId)> {
        let fan = person(&self.stage).await?;
        let booking = book(&self.stage, fan, &[seat]).await?;
        let payment = pay_by(&self.stage, fan, booking, Means::Card(self.cards.token(card).await)).await?;
        Ok((fan, booking, payment))
    }

    async fn open_payments(&self, deadline: Duration) -> Vec<OpenPayment> {
        open_payments(&self.stage.db.pool, Some(State::InDoubt), deadline, 100).await.expect("open payments").payments
    }

    /// Every event was followed, and nothing is left to be done soon.
    async fn settles(&self) {
        settles(&self.stage.db.pool).await;
    }

    /// Once all is settled: every payment that sold seats, and no other, was taken and kept by the provider; every charge
    /// that wasn't kept went back whole; nothing was taken twice.
    async fn assert_balanced(&self) {
        self.settles().await;
        let rows: Vec<(String, Value)> = sqlx::query_as("select event_type, payload from events where aggregate_type = 'performance'")
            .fetch_all(&self.stage.db.pool)
            .await
            .expect("events");
        let mut kept: HashMap<String, i64> = HashMap::new();
        for (event_type, payload) in &rows {
            let event = &payload[event_type];
            let payment = format!("{}.{}", self.stage.performance, event["payment"].as_str().unwrap_or_default());
            match event_type.as_str() {
                "SeatsSold" => _ = kept.insert(payment, event["amount"].as_i64().unwrap()),
                "RefundDue" => _ = kept.remove(&payment),
                _ => {}
            }
        }
        for charge in self.cards.charges().await {
            let (amount, refunded) = (charge["amount"].as_i64().unwrap(), charge["refunded"].as_i64().unwrap());
            let here = kept.remove(charge["reference"].as_str().unwrap());
            match here {
                Some(sold) => assert_eq!((&charge["state"], amount, refunded), (&json!("succeeded"), sold, 0), "sold: {charge}"),
                None if charge["state"] == "succeeded" => assert_eq!(amount, refunded, "taken without a seat: {charge}"),
                None => assert_eq!(refunded, 0, "given back without being taken: {charge}"),
            }
        }
        assert!(kept.is_empty(), "seats without a charge: {kept:?}");
    }
}

/// Waits until every event was followed, and nothing is left to be done.
pub(crate) async fn settles(pool: &PgPool) {
    let settled = "select not exists (select from intents where next_try_at < clock_timestamp() + interval '1 minute')
        and (select position from checkpoints where name = 'processes') = (select position from log_head)";
    let is_settled = || async { sqlx::query_scalar::<_, Option<bool>>(settled).fetch_one(pool).await.ok().flatten() == Some(true) };
    eventually("everything is settled", || async { is_settled().await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_pays_once_and_its_money_goes_back_once() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = desk.processes(NEVER);
    let (fan, booking, _) = desk.buy(1, "approved").await?;
    happened(&desk.stage, "SeatsSold", 1).await;
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, 0));
    for key in ["cancel", "cancel-again"] {
        let cancel = Command::Performance(Seats::Cancel { booking, refund: RefundId(booking.0) });
        desk.stage.send(Actor::Account(fan), key, cancel).await.context("cancelling again changes nothing")?;
    }
    happened(&desk.stage, "RefundCompleted", 1).await;
    desk.assert_balanced().await;
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, PRICE));
    assert_eq!(balance(&desk.stage.executor, fan).await, Some(500_000), "the wallet has nothing to do with it");
    processes.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_declined_keeps_the_booking_and_pays_another_way() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = desk.processes(NEVER);
    let (fan, booking, _) = desk.buy(1, "declined").await?;
    happened(&desk.stage, "PaymentFailed", 1).await;
    // A token that was used, and one that the provider never made: refused for good, charged nothing.
    let used = desk.cards.token("approved").await;
    let other = person(&desk.stage).await?;
    let others = book(&desk.stage, other, &[2]).await?;
    pay_by(&desk.stage, other, others, Means::Card(used.clone())).await?;
    happened(&desk.stage, "SeatsSold", 1).await;
    for token in [used, "tok_out_of_nowhere".parse()?] {
        let before = count(&desk.stage.db.pool, "PaymentFailed").await;
        pay_by(&desk.stage, fan, booking, Means::Card(token)).await?;
        happened(&desk.stage, "PaymentFailed", before + 1).await;
    }
    let reasons: Vec<String> =
        sqlx::query_scalar("select payload #>> '{PaymentFailed,reason}' from events where event_type = 'PaymentFailed' order by position")
            .fetch_all(&desk.stage.db.pool)
            .await?;
    assert_eq!(reasons, ["card_declined", "card_token_refused", "card_token_refused"]);
    pay_by(&desk.stage, fan, booking, Means::Socketpay).await?;
    happened(&desk.stage, "SeatsSold", 2).await;
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, 0));
    assert_eq!(balance(&desk.stage.executor, fan).await, Some(500_000 - PRICE));
    processes.stop().await
}

/// Whatever goes wrong with the request, the payment is made in the end, and once.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_charge_is_asked_about_until_it_is_known() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = desk.processes(NEVER);
    let faults: [&[Value]; 8] = [
        &[json!({ "on": "charge", "fault": "slow", "ms": 200 })],
        &[json!({ "on": "charge", "fault": "slow", "ms": 600 })],
        &[json!({ "on": "charge", "fault": "error", "times": 2 })],
        &[json!({ "on": "charge", "fault": "time_out_before", "times": 2 })],
        &[json!({ "on": "charge", "fault": "time_out_after" })],
        &[json!({ "on": "charge", "fault": "time_out_after" }), json!({ "on": "ask", "fault": "error", "times": 2 })],
        &[json!({ "on": "charge", "fault": "time_out_after" }), json!({ "on": "ask", "fault": "time_out_before", "times": 2 })],
        &[json!({ "on": "charge", "fault": "pending", "ms": 400 })],
    ];
    for (nth, faults) in faults.into_iter().enumerate() {
        for fault in faults {
            desk.cards.order(fault.clone()).await;
        }
        desk.buy(nth as u32, "approved").await?;
        happened(&desk.stage, "SeatsSold", nth as i64 + 1).await;
        assert_eq!(desk.cards.orders_left().await, 0, "the fault was met: {faults:?}");
    }
    desk.assert_balanced().await;
    assert_eq!(desk.cards.taken_and_back().await, (8 * PRICE, 0));
    assert_eq!(count(&desk.stage.db.pool, "PaymentFailed").await, 0);
    processes.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_refund_pays_back_once() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = desk.processes(SOON);
    let faults = ["error", "time_out_before", "time_out_after"];
    for (nth, fault) in faults.into_iter().enumerate() {
        let (fan, booking, _) = desk.buy(nth as u32, "approved").await?;
        happened(&desk.stage, "SeatsSold", nth as i64 + 1).await;
        desk.cards.order(json!({ "on": "refund", "fault": fault, "times": 2 })).await;
        let cancel = Command::Performance(Seats::Cancel { booking, refund: RefundId(booking.0) });
        desk.stage.send(Actor::Account(fan), "cancel", cancel).await?;
        happened(&desk.stage, "RefundCompleted", nth as i64 + 1).await;
        assert_eq!(desk.cards.orders_left().await, 0, "{fault} was met");
    }
    desk.assert_balanced().await;
    assert_eq!(desk.cards.taken_and_back().await, (3 * PRICE, 3 * PRICE));
    processes.stop().await
}

/// What the provider doesn't know at the deadline fails only when the provider has ruled it out; a request that was under
/// way all the time then finds itself ruled out.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_never_heard_of_is_voided_there_before_it_fails_here() -> Result<()> {
    let desk = Desk::open().await?;
    desk.cards.order(json!({ "on": "charge", "fault": "time_out_before", "times": 100 })).await;
    // As long as voiding gets no answer, nothing is known.
    desk.cards.order(json!({ "on": "void", "fault": "time_out_before" })).await;
    desk.cards.order(json!({ "on": "void", "fault": "time_out_after" })).await;
    let processes = desk.processes(SOON);
    desk.buy(1, "approved").await?;
    happened(&desk.stage, "PaymentFailed", 1).await;
    let charges = desk.cards.charges().await;
    assert_eq!(charges.iter().map(|charge| &charge["state"]).collect::<Vec<_>>(), ["voided"]);
    let reason: String = sqlx::query_scalar("select payload #>> '{PaymentFailed,reason}' from events where event_type = 'PaymentFailed'")
        .fetch_one(&desk.stage.db.pool)
        .await?;
    assert_eq!(reason, "payment_voided");
    desk.cards.forget().await;
    let late = desk.cards.charge(charges[0]["reference"].as_str().unwrap(), PRICE).await;
    assert_eq!((&late["state"], desk.cards.taken_and_back().await), (&json!("voided"), (0, 0)), "the request that was late");
    desk.assert_balanced().await;
    processes.stop().await
}

/// Charged, and the answer lost, and nobody to ask until long after the deadline: nothing is guessed, an operator sees it,
/// others pay meanwhile, and it is sold in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_doubt_waits_for_its_provider_and_operators_see_it() -> Result<()> {
    let mut desk = Desk::open().await?;
    desk.cards.order(json!({ "on": "charge", "fault": "time_out_after" })).await;
    desk.cards.order(json!({ "on": "charge", "fault": "time_out_before", "times": 100 })).await;
    let processes = desk.processes(SOON);
    let (fan, booking, payment) = desk.buy(1, "approved").await?;
    eventually("it is charged", || async { desk.cards.charges().await.len() == 1 }).await;
    desk.cards.stop();
    let seen = || async { desk.open_payments(SOON).await.pop().filter(|open| open.overdue && open.attempts >= 3) };
    eventually("an operator sees it", || async { seen().await.is_some() }).await;
    let open = seen().await.context("it is still in doubt")?;
    assert_eq!((open.payment_id, open.booking_id, open.account_id, open.amount.get()), (payment, Some(booking), fan, PRICE));
    assert!(open.last_error.is_some_and(|error| error.contains("no answer")), "the last error is told");
    let other = person(&desk.stage).await?;
    let others = book(&desk.stage, other, &[2]).await?;
    pay_by(&desk.stage, other, others, Means::Socketpay).await?;
    happened(&desk.stage, "SeatsSold", 1).await;
    assert_eq!(count(&desk.stage.db.pool, "PaymentFailed").await, 0, "nothing is guessed");
    desk.cards.start_again().await;
    happened(&desk.stage, "SeatsSold", 2).await;
    desk.settles().await;
    assert_eq!((desk.cards.taken_and_back().await, desk.open_payments(SOON).await.len()), ((PRICE, 0), 0));
    processes.stop().await
}

/// A provider that answers nobody keeps nobody else's payment waiting, however many wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_nobody_keeps_nobody_else_waiting() -> Result<()> {
    let desk = Desk::open().await?;
    desk.cards.order(json!({ "on": "charge", "fault": "time_out_before", "times": 1000 })).await;
    let processes = desk.processes(NEVER);
    for seat in 0..40 {
        desk.buy(seat, "approved").await?;
    }
    let other = person(&desk.stage).await?;
    let others = book(&desk.stage, other, &[50]).await?;
    pay_by(&desk.stage, other, others, Means::Socketpay).await?;
    happened(&desk.stage, "SeatsSold", 1).await;
    assert_eq!(desk.cards.charges().await.len(), 0, "no card was charged when SocketPay's payment went through");
    desk.cards.forget().await;
    happened(&desk.stage, "SeatsSold", 41).await;
    desk.settles().await;
    assert_eq!(desk.cards.taken_and_back().await, (40 * PRICE, 0));
    processes.stop().await
}

/// Without a provider, what was begun with one waits: it isn't failed, nor taken for SocketPay's.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_a_card_payment_waits() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = Processes::start(&desk.stage, Payments::without_cards());
    let (fan, ..) = desk.buy(1, "approved").await?;
    let tried = || async { desk.open_payments(NEVER).await.pop().is_some_and(|open| open.attempts >= 2) };
    eventually("it is tried and put off", || async { tried().await }).await;
    assert_eq!(balance(&desk.stage.executor, fan).await, Some(500_000));
    processes.stop().await?;
    let processes = desk.processes(NEVER);
    happened(&desk.stage, "SeatsSold", 1).await;
    desk.assert_balanced().await;
    processes.stop().await
}

// The process managers are stopped at each step.

/// Stopped after the intent was written, while the provider is being asked: before, and after it has charged.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_the_provider_is_asked() -> Result<()> {
    for (fault, charged) in [("time_out_before", 0), ("time_out_after", 1)] {
        let desk = Desk::open().await?;
        desk.cards.order(json!({ "on": "charge", "fault": fault })).await;
        let processes = desk.processes(NEVER);
        desk.buy(1, "approved").await?;
        eventually("it is in doubt, and the provider was asked", || async {
            desk.open_payments(NEVER).await.len() == 1 && desk.cards.orders_left().await == 0
        })
        .await;
        processes.crash(&desk.stage).await?;
        assert_eq!((desk.cards.charges().await.len(), count(&desk.stage.db.pool, "SeatsSold").await), (charged, 0), "{fault}");
        let processes = desk.processes(NEVER);
        happened(&desk.stage, "SeatsSold", 1).await;
        desk.assert_balanced().await;
        processes.stop().await?;
    }
    Ok(())
}

/// Stopped when the provider has answered and the performance wasn't told: no commit goes through meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_before_the_performance_is_told() -> Result<()> {
    let desk = Desk::open().await?;
    desk.buy(1, "approved").await?;
    let mut blocker = desk.stage.db.pool.begin().await?;
    sqlx::query("select position from log_head for update").execute(&mut *blocker).await?;
    let processes = desk.processes(NEVER);
    eventually("it is charged", || async { desk.cards.charges().await.len() == 1 }).await;
    assert_eq!(desk.open_payments(NEVER).await.len(), 1, "in doubt until the performance knows");
    processes.crash(&desk.stage).await?;
    assert_eq!(count(&desk.stage.db.pool, "SeatsSold").await, 0);
    blocker.rollback().await?;
    let processes = desk.processes(NEVER);
    happened(&desk.stage, "SeatsSold", 1).await;
    desk.assert_balanced().await;
    processes.stop().await
}

/// Stopped when the performance was told and the intent wasn't deleted: the outcome arrives twice.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_before_the_intent_is_deleted() -> Result<()> {
    let desk = Desk::open().await?;
    let pool = &desk.stage.db.pool;
    // Whoever deletes a card's intent waits for this test; whoever writes one doesn't.
    sqlx::raw_sql(
        "create function wait_for_test() returns trigger language plpgsql as
             $$ begin perform pg_advisory_xact_lock(4711); return old; end $$;
         create trigger wait_for_test before delete on intents for each row when (old.lane = 'card') execute function wait_for_test()",
    )
    .execute(pool)
    .await?;
    let mut blocker = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(4711)").execute(&mut *blocker).await?;
    let processes = desk.processes(NEVER);
    desk.buy(1, "approved").await?;
    happened(&desk.stage, "SeatsSold", 1).await;
    eventually("the intent is being deleted", || statements_wait(pool, 1)).await;
    processes.crash(&desk.stage).await?;
    // A statement that waits doesn't notice that its client is gone: this one's is stopped with it, and waited for.
    let stopped: bool = sqlx::query_scalar(&format!("select pg_terminate_backend(pid, 10000) {WAITING}")).fetch_one(pool).await?;
    assert!(stopped, "the statement is stopped");
    blocker.rollback().await?;
    assert_eq!(desk.open_payments(NEVER).await.len(), 1, "the intent is still there");
    let processes = desk.processes(NEVER);
    desk.assert_balanced().await;
    assert_eq!((count(&desk.stage.db.pool, "SeatsSold").await, desk.cards.charges().await.len()), (1, 1));
    processes.stop().await
}

/// The same for money that goes back: asked and not told, told and not deleted.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_money_goes_back() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = desk.processes(NEVER);
    let (fan, booking, _) = desk.buy(1, "approved").await?;
    happened(&desk.stage, "SeatsSold", 1).await;
    desk.settles().await;
    desk.cards.order(json!({ "on": "refund", "fault": "time_out_after" })).await;
    let cancel = Command::Performance(Seats::Cancel { booking, refund: RefundId(booking.0) });
    desk.stage.send(Actor::Account(fan), "cancel", cancel).await?;
    eventually("the money is back", || async { desk.cards.taken_and_back().await == (PRICE, PRICE) }).await;
    processes.crash(&desk.stage).await?;
    assert_eq!(count(&desk.stage.db.pool, "RefundCompleted").await, 0);
    let processes = desk.processes(NEVER);
    happened(&desk.stage, "RefundCompleted", 1).await;
    desk.assert_balanced().await;
    processes.stop().await
}

/// A change of mind that nobody sends news of: the provider is asked once more, after the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_asked_about_once_more() -> Result<()> {
    let desk = Desk::open().await?;
    let processes = desk.processes(SOON * 2);
    desk.cards.order(json!({ "on": "charge", "fault": "charge_late", "ms": 50 })).await;
    desk.buy(1, "approved").await?;
    happened(&desk.stage, "PaymentFailed", 1).await;
    happened(&desk.stage, "RefundCompleted", 1).await;
    desk.assert_balanced().await;
    assert_eq!(desk.cards.taken_and_back().await, (PRICE, PRICE));
    processes.stop().await
}

/// Everything at once: process managers that come and go, a provider that comes and goes and fails, people who pay both
/// ways and cancel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_stops_or_fails_money_balances() -> Result<()> {
    const FANS: u32 = 30;
    let mut desk = Desk::open().await?;
    let faults = ["error", "time_out_before", "time_out_after", "decline"];
    for nth in 0..24 {
        let on = ["charge", "ask", "refund", "void"][nth % 4];
        let fault = faults[(nth / 4) % if on == "charge" { 4 } else { 3 }];
        desk.cards.order(json!({ "on": on, "fault": fault })).await;
    }
    let mut bookings = Vec::new();
    for seat in 0..FANS {
        bookings.push(desk.buy(seat, "approved").await?);
    }
    for round in 0..6 {
        let before = count(&desk.stage.db.pool, "SeatsSold").await;
        let processes = desk.processes(NEVER);
        let got_on = || async {
            count(&desk.stage.db.pool, "SeatsSold").await > before || desk.open_payments(NEVER).await.iter().any(|open| open.attempts > 0)
        };
        eventually("a payment gets on", || async { got_on().await }).await;
        processes.crash(&desk.stage).await?;
        if round % 2 == 1 {
            desk.cards.stop();
            desk.cards.start_again().await;
        }
    }
    let processes = desk.processes(NEVER);
    for (fan, booking, _) in bookings.iter().step_by(3) {
        // Refused while the payment is in flight, or because it failed and ran out: both are fine here.
        let cancel = Command::Performance(Seats::Cancel { booking: *booking, refund: RefundId(booking.0) });
        let _ = desk.stage.send(Actor::Account(*fan), "cancel", cancel).await;
    }
    desk.assert_balanced().await;
    processes.stop().await
}
