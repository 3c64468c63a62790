//! Friends: asking, saying yes (which is asking back), saying no, and whether one may be suggested. Whom one has is a query.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors, command_errors};
use super::parties::Invitation;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::AccountId;
use socketing_domain::account::Command;
use socketing_domain::reply::DoneReply;
use socketing_domain::unit::{self, UnitId};
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Json, Path};
use socketing_service::openapi::CommandHeaders;
use utoipa::ToSchema;

body_command_errors!(RequestErrors: UnknownAccount, SelfFriend, FriendsFull, FriendChangesLimit, Invalid, Forbidden; codes::NOT_A_PERSON);

/// Asks someone to be friends, or says yes to being asked.
///
/// Two are friends when both have asked. Asking again within a day changes nothing.
#[utoipa::path(post, path = "/v1/me/friends", operation_id = "request_friend", tag = "friends", params(CommandHeaders),
    request_body = Invitation, responses((status = 200, description = "They are asked, or friends.", body = Answer<DoneReply>), RequestErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn request(State(api): State<Api>, sender: Sender, Json(body): Json<Invitation>) -> Result<Response, Problem> {
    let friend = body.friend(&api).await?;
    send(&api, sender, Command::RequestFriend { friend }).await
}

command_errors!(DismissErrors: UnknownAccount, SelfFriend, FriendChangesLimit, Forbidden; codes::NOT_A_PERSON);

/// Declines, takes one's request back, or ends a friendship.
///
/// The other isn't told. Whoever has asked remains someone who asked, as far as they see.
#[utoipa::path(post, path = "/v1/me/friends/{account}/dismiss", operation_id = "dismiss_friend", tag = "friends",
    params(("account" = AccountId, Path), CommandHeaders),
    responses((status = 200, description = "They aren't friends.", body = Answer<DoneReply>), DismissErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn dismiss(State(api): State<Api>, Path(friend): Path<AccountId>, sender: Sender) -> Result<Response, Problem> {
    send(&api, sender, Command::DismissFriend { friend }).await
}

/// Whether one may be suggested.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Suggestions {
    /// Whether others who have a page of the same performance open may be shown one's nickname.
    allowed: bool,
}

body_command_errors!(SuggestionsErrors: UnknownAccount, Forbidden; codes::NOT_A_PERSON);

/// Says whether one may be suggested to others as a friend. At first one may not.
#[utoipa::path(post, path = "/v1/me/suggestions", operation_id = "allow_suggestions", tag = "friends", params(CommandHeaders),
    request_body = Suggestions, responses((status = 200, description = "It is so.", body = Answer<DoneReply>), SuggestionsErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn suggestions(State(api): State<Api>, sender: Sender, Json(body): Json<Suggestions>) -> Result<Response, Problem> {
    send(&api, sender, Command::AllowSuggestions { allowed: body.allowed }).await
}

/// To the caller's own account.
async fn send(api: &Api, sender: Sender, command: Command) -> Result<Response, Problem> {
    let me = sender.caller.account()?;
    sender.answer(api, StatusCode::OK, UnitId::Account(me), unit::Command::Account(command)).await
}
