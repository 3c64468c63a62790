//! A party's block: claiming one's seat of it, and seeing who has paid their share. A share is a booking, and is paid as one.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors};
use crate::executor::SharesOf;
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::performance::Command;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::{DoneReply, SharesReply};
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{BookingId, HoldId, PerformanceId, SeatIndex};
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Json, Path};
use socketing_service::openapi::CommandHeaders;
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// A seat to claim.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewClaim)]
pub(super) struct Claim {
    /// One of the hold's seats.
    seat: SeatIndex,
}

body_command_errors!(ClaimErrors: UnknownPerformance, UnknownHold, HoldExpired, UnknownSeat, SeatClaimed, PerformanceStarted, Forbidden);

/// Claims a seat of the hold that one's party has: the ticket will be one's own.
///
/// Another claim takes the place of the last. Who claims nothing gets one of the seats that are left.
#[utoipa::path(post, path = "/v1/performances/{performance}/holds/{hold}/claim", operation_id = "claim_seat", tag = "seats",
    params(("performance" = PerformanceId, Path), ("hold" = HoldId, Path), CommandHeaders), request_body = Claim,
    responses((status = 200, description = "The seat is one's own, once it is booked.", body = Answer<DoneReply>), ClaimErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn claim(
    State(api): State<Api>,
    Path((performance, hold)): Path<(PerformanceId, HoldId)>,
    sender: Sender,
    Json(body): Json<Claim>,
) -> Result<Response, Problem> {
    let command = unit::Command::Performance(Command::ClaimSeat { hold, seat: body.seat });
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), command).await
}

socketing_service::error_responses!(
    SharesErrors: codes::INVALID_ID, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::NOT_A_PERSON, codes::BUSY, codes::TIMEOUT,
    codes::UNAVAILABLE, codes::INTERNAL, Code::of(Reason::UnknownBooking)
);

/// Tells how the shares stand that a booking is one of, to those who have one.
///
/// Asked of the writer, so that it is never older than an answered command.
#[utoipa::path(get, path = "/v1/performances/{performance}/bookings/{booking}/shares", operation_id = "shares", tag = "bookings",
    params(("performance" = PerformanceId, Path), ("booking" = BookingId, Path)),
    responses((status = 200, description = "The shares.", body = Answer<SharesReply>), SharesErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn shares(
    State(api): State<Api>,
    Path((performance, booking)): Path<(PerformanceId, BookingId)>,
    caller: Caller,
) -> Result<JsonAnswer<Answer<SharesReply>>, Problem> {
    let account = caller.account()?;
    let seen = api.0.executor.ask(UnitId::Performance(performance), SharesOf { booking, account }).await?;
    let reply = seen.answer.ok_or_else(|| Problem::new(Code::of(Reason::UnknownBooking)))?;
    Ok(JsonAnswer(Answer { position: seen.position, reply }))
}
