//! Holds: all of the seats that were asked for, or none.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors, command_errors};
use crate::executor::HoldOf;
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::performance::Command;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::{DoneReply, HoldReply, LiveHold};
use socketing_domain::seating::Wishes;
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{HoldId, PerformanceId, SeatIndex};
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Json, Path, new_id};
use socketing_service::openapi::CommandHeaders;
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// Seats to hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHold {
    /// The new hold's id: a UUIDv7 made by the client.
    hold_id: HoldId,
    /// The seats, by their numbers in the plan.
    #[schema(example = json!([17, 18]))]
    seats: Vec<SeatIndex>,
}

body_command_errors!(HoldErrors: UnknownPerformance, SaleNotOpen, PerformanceStarted, NotAdmitted, NotLeader, NoSeats, UnknownSeat, SeatTwice,
    SeatTaken, SeatLeftAlone, SeatLimit, IdTaken, Invalid, Forbidden);

/// Holds seats, for oneself or for the whole party.
///
/// Seats held before are let go when it succeeds. A seat that was among them keeps its time: choosing again gives no more.
#[utoipa::path(post, path = "/v1/performances/{performance}/holds", operation_id = "hold_seats", tag = "seats",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewHold,
    responses((status = 201, description = "The seats are held.", body = Answer<HoldReply>), HoldErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn hold(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(body): Json<NewHold>,
) -> Result<Response, Problem> {
    new_id("hold_id", body.hold_id.0)?;
    let command = Command::HoldSeats { hold: body.hold_id, seats: body.seats };
    sender.answer(&api, StatusCode::CREATED, UnitId::Performance(performance), unit::Command::Performance(command)).await
}

/// The best seats to hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBestHold {
    /// The new hold's id: a UUIDv7 made by the client.
    hold_id: HoldId,
    /// What is wished for.
    wishes: Wishes,
}

body_command_errors!(BestErrors: UnknownPerformance, SaleNotOpen, PerformanceStarted, NotAdmitted, SeatCount, UnknownSeat, NoBlock,
    SeatTaken, SeatLimit, IdTaken, Invalid, Forbidden);

/// Holds the best seats for so many people, for oneself or for the whole party: all of them, or none.
///
/// Which, the performance decides when it comes to this command, so others can't be faster. `kind` says how they lie.
/// By the `original` adjacency of a show, and with `near`, they are found from that seat on, which must be free.
#[utoipa::path(post, path = "/v1/performances/{performance}/holds/best", operation_id = "hold_best", tag = "seats",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewBestHold,
    responses((status = 201, description = "The seats are held.", body = Answer<HoldReply>), BestErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn best(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(body): Json<NewBestHold>,
) -> Result<Response, Problem> {
    new_id("hold_id", body.hold_id.0)?;
    let command = Command::HoldBest { hold: body.hold_id, wishes: body.wishes };
    sender.answer(&api, StatusCode::CREATED, UnitId::Performance(performance), unit::Command::Performance(command)).await
}

command_errors!(ExtendErrors: UnknownPerformance, UnknownHold, HoldExpired, HoldExtendedAlready, NotAdmitted, PerformanceStarted, Forbidden);

/// Gives a hold its time again, once.
#[utoipa::path(post, path = "/v1/performances/{performance}/holds/{hold}/extend", operation_id = "extend_hold", tag = "seats",
    params(("performance" = PerformanceId, Path), ("hold" = HoldId, Path), CommandHeaders),
    responses((status = 200, description = "The hold runs longer.", body = Answer<HoldReply>), ExtendErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn extend(
    State(api): State<Api>,
    Path((performance, hold)): Path<(PerformanceId, HoldId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    let command = unit::Command::Performance(Command::ExtendHold { hold });
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), command).await
}

command_errors!(ReleaseErrors: UnknownPerformance, UnknownHold, HoldExpired, Forbidden);

/// Lets a hold go: its seats are free for others.
#[utoipa::path(post, path = "/v1/performances/{performance}/holds/{hold}/release", operation_id = "release_hold", tag = "seats",
    params(("performance" = PerformanceId, Path), ("hold" = HoldId, Path), CommandHeaders),
    responses((status = 200, description = "The seats are free.", body = Answer<DoneReply>), ReleaseErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn release(
    State(api): State<Api>,
    Path((performance, hold)): Path<(PerformanceId, HoldId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    let command = unit::Command::Performance(Command::ReleaseHold { hold });
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), command).await
}

socketing_service::error_responses!(
    MineErrors: codes::INVALID_ID, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::NOT_A_PERSON, codes::BUSY, codes::TIMEOUT,
    codes::UNAVAILABLE, codes::INTERNAL, Code::of(Reason::UnknownHold)
);

/// Tells the hold that one is a member of, whoever of the party chose; `unknown_hold` if there is none.
///
/// Asked of the writer, so that it is never older than an answered command.
#[utoipa::path(get, path = "/v1/performances/{performance}/holds/mine", operation_id = "my_hold", tag = "seats",
    params(("performance" = PerformanceId, Path)),
    responses((status = 200, description = "The hold.", body = Answer<LiveHold>), MineErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn mine(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    caller: Caller,
) -> Result<JsonAnswer<Answer<LiveHold>>, Problem> {
    let (account, now) = (caller.account()?, api.0.clock.now());
    let seen = api.0.executor.ask(UnitId::Performance(performance), HoldOf { account, now }).await?;
    let reply = seen.answer.ok_or_else(|| Problem::new(Code::of(Reason::UnknownHold)))?;
    Ok(JsonAnswer(Answer { position: seen.position, reply }))
}
