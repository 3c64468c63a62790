//! Paying. The provider is asked outside any writer, so the outcome comes a moment after the command; the answer waits
//! for it a little, and says where to look if it takes longer.

use super::Api;
use super::answer::{Answer, done};
use super::command::{Sender, body_command_errors};
use crate::executor::{Done, PaymentOf};
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use socketing_domain::event::Actor;
use socketing_domain::performance::{Command, Means, Method};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::{PaymentReply, PaymentState};
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{BookingId, CardToken, PaymentId, PerformanceId};
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Json, Path, invalid, new_id};
use socketing_service::openapi::CommandHeaders;
use socketing_service::{Code, Problem};
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::sync::futures::Notified;
use tokio::time::timeout;
use utoipa::ToSchema;

/// How long the answer waits for the outcome.
const WAIT: Duration = Duration::from_secs(2);
/// How long it is before it looks all the same: another process may have told the outcome, or time.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How to pay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPayment {
    /// The new payment's id: a UUIDv7 made by the client.
    payment_id: PaymentId,
    /// The provider.
    #[serde(default)]
    method: Method,
    /// The card, by the token that its provider gave the buyer: for `card` only. Never a card's number.
    card_token: Option<CardToken>,
}

impl NewPayment {
    fn means(&self) -> Result<Means, Problem> {
        match (self.method, &self.card_token) {
            (Method::Socketpay, None) => Ok(Means::Socketpay),
            (Method::Card, Some(token)) => Ok(Means::Card(token.clone())),
            (Method::Card, None) => Err(invalid("/card_token", "paying by card needs the token of a card")),
            (Method::Socketpay, Some(_)) => Err(invalid("/card_token", "SocketPay takes no card")),
        }
    }
}

body_command_errors!(PayErrors: UnknownPerformance, UnknownBooking, BookingExpired, BookingCancelled, BookingPaid, PaymentInProgress,
    PerformanceStarted, IdTaken, Invalid, Forbidden; codes::METHOD_UNAVAILABLE);

/// Pays a booking.
///
/// Answers with the outcome if it is known within 2 seconds, else with 202 and the payment's address. While a payment
/// is in flight, or after one succeeded, that one is the answer: nobody pays twice.
#[utoipa::path(post, path = "/v1/performances/{performance}/bookings/{booking}/pay", operation_id = "pay", tag = "bookings",
    params(("performance" = PerformanceId, Path), ("booking" = BookingId, Path), CommandHeaders), request_body = NewPayment,
    responses((status = 200, description = "The payment and its outcome: it succeeded, or failed for a reason.", body = Answer<PaymentReply>),
        (status = 202, description = "The provider hasn't answered yet.", body = Answer<PaymentReply>,
            headers(("Location" = String, description = "The payment."), ("Retry-After" = u32, description = "Seconds until the next look."))),
        PayErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn pay(
    State(api): State<Api>,
    Path((performance, booking)): Path<(PerformanceId, BookingId)>,
    sender: Sender,
    Json(body): Json<NewPayment>,
) -> Result<Response, Problem> {
    new_id("payment_id", body.payment_id.0)?;
    let method = body.means()?;
    if method.method() == Method::Card && api.0.payments.card.is_none() && look(&api, performance, body.payment_id).await?.is_none() {
        return Err(Problem::new(codes::METHOD_UNAVAILABLE).detail("no card provider is configured here"));
    }
    // From here on: the outcome may be told before the command is answered.
    let mut told = pin!(api.0.payments.outcomes.place(body.payment_id).notified());
    told.as_mut().enable();
    let command = Command::Pay { payment: body.payment_id, booking, method };
    let accepted = sender.send(&api, UnitId::Performance(performance), unit::Command::Performance(command)).await?;
    let started: PaymentReply =
        serde_json::from_str(&accepted.reply).map_err(|error| Problem::internal("reading a payment's recorded answer", &error))?;
    if started.state != PaymentState::InFlight {
        // A repeated command tells the payment as it is now, so its own position may lie before the outcome.
        let position = accepted.position.max(api.0.executor.commits().last());
        return Ok(sender.with_limits(done(StatusCode::OK, &Done { position, ..accepted })));
    }
    let known = Answer { position: accepted.position, reply: started };
    let now = timeout(WAIT, outcome(&api, performance, &known, told)).await;
    let answer = match now {
        Ok(settled) => JsonAnswer(settled?).into_response(),
        Err(_) => in_flight(performance, known),
    };
    Ok(sender.with_limits(answer))
}

/// The payment, once it isn't in flight any more: whoever tells its outcome in this process wakes who waits for it.
async fn outcome<'a>(
    api: &'a Api,
    performance: PerformanceId,
    started: &Answer<PaymentReply>,
    mut told: Pin<&mut Notified<'a>>,
) -> Result<Answer<PaymentReply>, Problem> {
    let payment = started.reply.payment_id;
    loop {
        drop(timeout(LOOK_EVERY, told.as_mut()).await);
        told.set(api.0.payments.outcomes.place(payment).notified());
        told.as_mut().enable();
        let seen = look(api, performance, payment).await?;
        if let Some(Seen { reply, position, .. }) = seen.filter(|seen| seen.reply.state != PaymentState::InFlight) {
            return Ok(Answer { position: position.max(started.position), reply });
        }
    }
}

fn in_flight(performance: PerformanceId, known: Answer<PaymentReply>) -> Response {
    let PaymentReply { booking_id, payment_id, .. } = known.reply;
    let address = format!("/v1/performances/{performance}/bookings/{booking_id}/payments/{payment_id}");
    let location = HeaderValue::try_from(address).expect("ids are ASCII");
    (StatusCode::ACCEPTED, [(LOCATION, location), (RETRY_AFTER, HeaderValue::from_static("1"))], JsonAnswer(known)).into_response()
}

/// A payment as its writer has it.
struct Seen {
    reply: PaymentReply,
    payer: Actor,
    position: u64,
}

async fn look(api: &Api, performance: PerformanceId, payment: PaymentId) -> Result<Option<Seen>, Problem> {
    let seen = api.0.executor.ask(UnitId::Performance(performance), PaymentOf { payment }).await?;
    let position = seen.position;
    Ok(seen.answer.map(|(reply, payer)| Seen { reply, payer: Actor::Account(payer), position }))
}

socketing_service::error_responses!(
    PaymentErrors: codes::INVALID_ID, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::BUSY, codes::TIMEOUT, codes::UNAVAILABLE,
    codes::INTERNAL, Code::of(Reason::UnknownPayment)
);

/// Tells how a payment stands, to whoever pays.
#[utoipa::path(get, path = "/v1/performances/{performance}/bookings/{booking}/payments/{payment}", operation_id = "payment", tag = "bookings",
    params(("performance" = PerformanceId, Path), ("booking" = BookingId, Path), ("payment" = PaymentId, Path)),
    responses((status = 200, description = "The payment.", body = Answer<PaymentReply>), PaymentErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn payment(
    State(api): State<Api>,
    Path((performance, booking, payment)): Path<(PerformanceId, BookingId, PaymentId)>,
    caller: Caller,
) -> Result<JsonAnswer<Answer<PaymentReply>>, Problem> {
    let seen = look(&api, performance, payment).await?;
    let theirs = seen.filter(|seen| seen.reply.booking_id == booking && seen.payer == caller.actor);
    let Seen { reply, position, .. } = theirs.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPayment)))?;
    Ok(JsonAnswer(Answer { position, reply }))
}

/// The ways to pay.
#[derive(Serialize, ToSchema)]
pub(super) struct PaymentMethods {
    /// Those that are open here, the usual one first.
    methods: Vec<PaymentMethod>,
}

/// One way to pay.
#[derive(Serialize, ToSchema)]
pub(super) struct PaymentMethod {
    method: Method,
    /// Where the buyer's browser gets a token for a card: from the provider itself, so that no number comes here.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_url: Option<String>,
}

/// Tells which ways to pay there are.
#[utoipa::path(get, path = "/v1/payment-methods", operation_id = "payment_methods", tag = "bookings",
    responses((status = 200, description = "The ways to pay.", body = PaymentMethods)))]
pub(super) async fn methods(State(api): State<Api>) -> JsonAnswer<PaymentMethods> {
    let socketpay = PaymentMethod { method: Method::Socketpay, tokens_url: None };
    let card = api.0.payments.card.as_ref().map(|card| PaymentMethod { method: Method::Card, tokens_url: Some(card.tokens_url()) });
    JsonAnswer(PaymentMethods { methods: std::iter::once(socketpay).chain(card).collect() })
}
