//! The line: joining it, alone or with one's party, and leaving it.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors, command_errors};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::reply::{DoneReply, EntryReply};
use socketing_domain::unit::{self, UnitId};
use socketing_domain::waiting_room::Command;
use socketing_domain::{EntryId, PartyId, PerformanceId};
use socketing_service::Problem;
use socketing_service::extract::{Json, Path, new_id};
use socketing_service::openapi::CommandHeaders;
use utoipa::ToSchema;

/// A place to take.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEntry {
    /// The new place's id: a UUIDv7 made by the client. In a draw it is the nonce that the client chose: with the account's
    /// id, it makes the ticket.
    entry_id: EntryId,
    /// The party that waits as one; only its leader can bring it.
    #[serde(default)]
    party_id: Option<PartyId>,
}

body_command_errors!(JoinErrors: UnknownPerformance, PerformanceStarted, SaleNotOpen, LineDraining, LineFull, UnknownParty, PartyEnded, NotLeader, PartyFrozen, InAnotherParty,
    IdTaken, Invalid, Forbidden);

/// Joins the line.
///
/// Who has a place keeps it, and is told it again.
#[utoipa::path(post, path = "/v1/performances/{performance}/line", operation_id = "join_line", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewEntry,
    responses((status = 200, description = "The place.", body = Answer<EntryReply>), JoinErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn join(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(body): Json<NewEntry>,
) -> Result<Response, Problem> {
    new_id("entry_id", body.entry_id.0)?;
    let command = Command::JoinQueue { entry: body.entry_id, party: body.party_id };
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), unit::Command::Line(command)).await
}

command_errors!(ClaimErrors: NotInLine, NotCalled, PassExpired, Forbidden);

/// Claims the pass that one was called to: from here on its people may choose seats.
///
/// Who is inside already is told so again. For a party, any member does it for all.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/claim", operation_id = "claim_pass", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders),
    responses((status = 200, description = "Inside.", body = Answer<EntryReply>), ClaimErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn claim(State(api): State<Api>, Path(performance): Path<PerformanceId>, sender: Sender) -> Result<Response, Problem> {
    let command = unit::Command::Line(Command::ClaimPass);
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), command).await
}

command_errors!(LeaveErrors: UnknownPerformance, NotInLine, NotLeader, DrawUnderWay, Forbidden);

/// Gives up the place in the line, or the visit inside.
///
/// A party's place is its leader's to give up.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/leave", operation_id = "leave_line", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders),
    responses((status = 200, description = "The place is given up.", body = Answer<DoneReply>), LeaveErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn leave(State(api): State<Api>, Path(performance): Path<PerformanceId>, sender: Sender) -> Result<Response, Problem> {
    let command = unit::Command::Line(Command::LeaveQueue);
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), command).await
}
