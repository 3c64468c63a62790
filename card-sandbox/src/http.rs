//! The protocol over HTTP, and the sandbox's own controls beside it.

use crate::Sandbox;
use crate::faults::{Fault, On, What};
use crate::ledger::{Charge, ChargeState, Refund, Refused};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Bytes of a request: the protocol's have a few hundred.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Characters of a merchant's reference.
const REFERENCE_CHARS_MAX: usize = 128;
/// Charges on one page of the list.
const PAGE_MAX: usize = 1_000;
/// Money in one charge, in won: the highest that 64 bits of JavaScript's numbers say exactly.
const AMOUNT_MAX: i64 = 1 << 53;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(crate) fn router(sandbox: Sandbox) -> Router {
    settle_what_was_pending(&sandbox);
    let merchants = Router::new()
        .route("/v1/charges", post(charge).get(charges))
        .route("/v1/charges/{reference}", get(ask))
        .route("/v1/charges/{reference}/void", post(void))
        .route("/v1/refunds", post(refund))
        .route("/v1/refunds/{reference}", get(ask_refund))
        .route("/sandbox/faults", post(order).get(ordered).delete(forget))
        .route("/sandbox/webhook-url", put(send_to))
        .layer(from_fn_with_state(sandbox.clone(), merchant));
    // What the buyer's browser asks itself, from any page.
    let buyers = Router::new().route("/v1/tokens", post(token).options(allow));
    merchants.merge(buyers).route("/healthz", get(|| async { "ok" })).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(sandbox)
}

/// Only who shows the key.
async fn merchant(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shown.and_then(|value| value.strip_prefix("Bearer ")) == Some(&sandbox.0.key) {
        return next.run(request).await;
    }
    refusal(StatusCode::UNAUTHORIZED, "unauthorized")
}

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "code": code }))).into_response()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Refused::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::NotRefundable => StatusCode::CONFLICT,
            Refused::Full | Refused::File(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        refusal(status, &self.to_string())
    }
}

/// The pages that a token is asked for from aren't ours.
const ANY_PAGE: [(HeaderName, HeaderValue); 3] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type")),
    (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
];

async fn allow() -> Response {
    (StatusCode::NO_CONTENT, ANY_PAGE).into_response()
}

#[derive(Deserialize)]
struct Card {
    card: SandboxCard,
}

/// The sandbox's cards, by what they do. It takes no numbers, so that nobody tries a real one.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SandboxCard {
    Approved,
    Declined,
}

async fn token(Json(body): Json<Card>) -> Response {
    let kind = match body.card {
        SandboxCard::Approved => "approved",
        SandboxCard::Declined => "declined",
    };
    (ANY_PAGE, Json(json!({ "token": format!("tok_{kind}_{}", Uuid::now_v7().simple()) }))).into_response()
}

#[derive(Deserialize)]
struct NewCharge {
    token: String,
    amount: i64,
    currency: String,
}

async fn charge(State(sandbox): State<Sandbox>, headers: HeaderMap, Json(body): Json<NewCharge>) -> Response {
    let Some(reference) = key(&headers) else { return refusal(StatusCode::BAD_REQUEST, "key_missing") };
    if body.currency != "KRW" || !(1..=AMOUNT_MAX).contains(&body.amount) {
        return refusal(StatusCode::BAD_REQUEST, "bad_amount");
    }
    let fault = sandbox.faults().take(On::Charge);
    if let Some(response) = before(fault).await {
        return response;
    }
    let decision = match fault {
        Some(What::Decline | What::ChargeLate { .. }) => ChargeState::Declined,
        Some(What::Pending { .. }) => ChargeState::Pending,
        _ => ChargeState::Succeeded,
    };
    let (charge, new) = match charge_once(&sandbox, reference, &body, decision) {
        Ok(charged) => charged,
        Err(refused) => return refused.into_response(),
    };
    match fault {
        Some(What::Pending { ms } | What::ChargeLate { ms }) if new => succeed_later(&sandbox, reference, ms),
        _ => {}
    }
    if new && charge.state != ChargeState::Pending {
        send_news(&sandbox, &charge);
    }
    after(fault).await;
    charge_answer(&charge)
}

/// The charge, and whether it is new.
fn charge_once(sandbox: &Sandbox, reference: &str, body: &NewCharge, decision: ChargeState) -> Result<(Charge, bool), Refused> {
    let mut ledger = sandbox.ledger();
    let new = ledger.charge_of(reference).is_none();
    Ok((ledger.charge(reference, &body.token, body.amount, decision)?, new))
}

/// What is done before a request is looked at; the answer, if that is all.
async fn before(fault: Option<What>) -> Option<Response> {
    match fault {
        Some(What::Slow { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(What::Error) => return Some(refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal")),
        Some(What::TimeOutBefore) => std::future::pending().await,
        _ => {}
    }
    None
}

/// What is done after a request was carried out, before it is answered.
async fn after(fault: Option<What>) {
    if fault == Some(What::TimeOutAfter) {
        std::future::pending::<()>().await;
    }
}

fn charge_answer(charge: &Charge) -> Response {
    let Charge { reference, amount, state, reason, refunded, .. } = charge;
    let mut answer = json!({ "reference": reference, "amount": amount, "state": state, "refunded": refunded });
    if let Some(reason) = reason {
        answer["reason"] = reason.as_str().into();
    }
    Json(answer).into_response()
}

fn refund_answer(refund: &Refund) -> Response {
    let Refund { reference, charge, amount } = refund;
    Json(json!({ "reference": reference, "charge": charge, "amount": amount, "state": "succeeded" })).into_response()
}

fn key(headers: &HeaderMap) -> Option<&str> {
    let key = headers.get(IDEMPOTENCY_KEY)?.to_str().ok()?;
    (!key.is_empty() && key.len() <= REFERENCE_CHARS_MAX).then_some(key)
}

async fn ask(State(sandbox): State<Sandbox>, Path(reference): Path<String>) -> Response {
    let fault = sandbox.faults().take(On::Ask);
    if let Some(response) = before(fault).await {
        return response;
    }
    let known = sandbox.ledger().charge_of(&reference).cloned();
    after(fault).await;
    known.map_or_else(|| refusal(StatusCode::NOT_FOUND, "unknown_charge"), |charge| charge_answer(&charge))
}

async fn void(State(sandbox): State<Sandbox>, Path(reference): Path<String>) -> Response {
    let fault = sandbox.faults().take(On::Void);
    if let Some(response) = before(fault).await {
        return response;
    }
    let voided = sandbox.ledger().void(&reference);
    after(fault).await;
    voided.map_or_else(IntoResponse::into_response, |charge| charge_answer(&charge))
}

#[derive(Deserialize)]
struct NewRefund {
    charge: String,
    amount: i64,
}

async fn refund(State(sandbox): State<Sandbox>, headers: HeaderMap, Json(body): Json<NewRefund>) -> Response {
    let Some(reference) = key(&headers) else { return refusal(StatusCode::BAD_REQUEST, "key_missing") };
    let fault = sandbox.faults().take(On::Refund);
    if let Some(response) = before(fault).await {
        return response;
    }
    let refunded = sandbox.ledger().refund(reference, &body.charge, body.amount);
    after(fault).await;
    match refunded {
        Ok(refund) => {
            send(&sandbox, refund.reference.clone(), json!("succeeded"));
            refund_answer(&refund)
        }
        Err(refused) => refused.into_response(),
    }
}

async fn ask_refund(State(sandbox): State<Sandbox>, Path(reference): Path<String>) -> Response {
    let known = sandbox.ledger().refund_of(&reference).cloned();
    known.map_or_else(|| refusal(StatusCode::NOT_FOUND, "unknown_refund"), |refund| refund_answer(&refund))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    from: usize,
}

/// All charges in the order they came, a page at a time; `next` is the next page's `from`, on all but the last.
async fn charges(State(sandbox): State<Sandbox>, Query(page): Query<Page>) -> Response {
    let ledger = sandbox.ledger();
    let mut charges: Vec<Value> = ledger
        .charges_from(page.from)
        .take(PAGE_MAX + 1)
        .map(|charge| json!({ "reference": charge.reference, "amount": charge.amount, "state": charge.state, "refunded": charge.refunded }))
        .collect();
    let next = (charges.len() > PAGE_MAX).then_some(page.from + PAGE_MAX);
    charges.truncate(PAGE_MAX);
    Json(json!({ "charges": charges, "next": next })).into_response()
}

// Controls.

async fn order(State(sandbox): State<Sandbox>, Json(fault): Json<Fault>) -> StatusCode {
    if sandbox.faults().order(fault) { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn ordered(State(sandbox): State<Sandbox>) -> Response {
    Json(sandbox.faults().left()).into_response()
}

async fn forget(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.faults().clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Address {
    url: String,
}

async fn send_to(State(sandbox): State<Sandbox>, Json(body): Json<Address>) -> StatusCode {
    sandbox.0.webhooks.send_to(body.url);
    StatusCode::NO_CONTENT
}

// What happens on its own.

fn send_news(sandbox: &Sandbox, charge: &Charge) {
    send(sandbox, charge.reference.clone(), json!(charge.state));
}

fn send(sandbox: &Sandbox, reference: String, state: Value) {
    let fault = sandbox.faults().take(On::Webhook);
    let sandbox = sandbox.clone();
    tokio::spawn(async move { sandbox.0.webhooks.send(&reference, &state, fault).await });
}

fn succeed_later(sandbox: &Sandbox, reference: &str, ms: u64) {
    let (sandbox, reference) = (sandbox.clone(), reference.to_owned());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        succeed(&sandbox, &reference);
    });
}

fn succeed(sandbox: &Sandbox, reference: &str) {
    let charge = sandbox.ledger().succeed(reference);
    match charge {
        Ok(Some(charge)) => send_news(sandbox, &charge),
        Ok(None) => {}
        Err(error) => tracing::error!(reference, %error, "a charge can't be decided"),
    }
}

/// What a process that was killed hadn't decided is decided now.
fn settle_what_was_pending(sandbox: &Sandbox) {
    let pending = sandbox.ledger().pending();
    pending.iter().for_each(|reference| succeed(sandbox, reference));
}
