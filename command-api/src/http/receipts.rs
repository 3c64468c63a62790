//! Receipts: what the system states about one's place, signed, so that it can be shown to others.

use super::Api;
use crate::executor::TicketOf;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::TicketReply;
use socketing_domain::unit::UnitId;
use socketing_domain::{PerformanceId, Timestamp};
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::Path;
use socketing_service::signed::Signed;
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// What a receipt states.
#[derive(Serialize)]
struct Receipt {
    /// What kind of statement it is.
    statement: &'static str,
    performance_id: PerformanceId,
    #[serde(flatten)]
    ticket: TicketReply,
    /// A position of the log that covers it.
    position: u64,
    stated_at: Timestamp,
}

socketing_service::error_responses!(
    ReceiptErrors: codes::INVALID_ID, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::NOT_A_PERSON, codes::BUSY, codes::TIMEOUT,
    codes::UNAVAILABLE, codes::INTERNAL, Code::of(Reason::NotInLine)
);

/// A signed receipt for one's place: whose it is, its ticket in the draw, and what the draw was committed to.
///
/// Asked of the writer, so that it is never older than an answered command.
#[utoipa::path(get, path = "/v1/performances/{performance}/line/receipt", operation_id = "line_receipt", tag = "line",
    params(("performance" = PerformanceId, Path)),
    responses((status = 200, description = "The receipt.", body = Signed), ReceiptErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn receipt(
    State(api): State<Api>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
) -> Result<Json<Signed>, Problem> {
    let account = caller.account()?;
    let seen = api.0.executor.ask(UnitId::Performance(performance), TicketOf { account }).await?;
    let ticket = seen.answer.ok_or_else(|| Problem::new(Code::of(Reason::NotInLine)))?;
    let (position, stated_at) = (seen.position, api.0.clock.now());
    let receipt = Receipt { statement: "socketing.receipt.v1", performance_id: performance, ticket, position, stated_at };
    api.signer().await?.sign(&receipt).map(Json).map_err(|error| Problem::internal("signing a receipt", &error))
}

socketing_service::error_responses!(KeyErrors: codes::BUSY, codes::TIMEOUT, codes::UNAVAILABLE, codes::INTERNAL);

/// The key that statements are signed with.
#[derive(Serialize, ToSchema)]
pub(super) struct StatementKey {
    /// `Ed25519`.
    algorithm: &'static str,
    /// The public key, in hex.
    #[schema(min_length = 64, max_length = 64)]
    key: String,
}

/// The public key of all statements that the system signs.
#[utoipa::path(get, path = "/v1/statement-key", operation_id = "statement_key", tag = "line",
    responses((status = 200, description = "The key.", body = StatementKey), KeyErrors))]
pub(super) async fn key(State(api): State<Api>) -> Result<Json<StatementKey>, Problem> {
    Ok(Json(StatementKey { algorithm: "Ed25519", key: api.signer().await?.public_key() }))
}
