//! Roles: what an account may do, and giving one.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors};
use crate::executor::RoleOf;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::AccountId;
use socketing_domain::account::{Command, Role};
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::DoneReply;
use socketing_domain::unit::{self, UnitId};
use socketing_service::extract::{Json, Path};
use socketing_service::openapi::CommandHeaders;
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// The role of whoever asks, from the account's own committed state: a role that was just taken away counts at once.
/// The system's own parts may do what operators may.
pub(super) async fn role_of(api: &Api, actor: &Actor) -> Result<Role, Problem> {
    let Actor::Account(account) = actor else { return Ok(Role::Operator) };
    let seen = api.0.executor.ask(UnitId::Account(*account), RoleOf {}).await?;
    Ok(seen.answer.unwrap_or_default())
}

/// Refuses whoever has none of these roles.
pub(super) async fn require(api: &Api, actor: &Actor, roles: &[Role]) -> Result<(), Problem> {
    let role = role_of(api, actor).await?;
    if roles.contains(&role) {
        return Ok(());
    }
    Err(Problem::new(Code::of(Reason::Forbidden)).detail(format!("this needs one of the roles {roles:?}, not {role:?}").to_lowercase()))
}

/// A role to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    /// What the account may do from now on.
    role: Role,
}

body_command_errors!(GrantErrors: UnknownAccount, Forbidden);

/// Gives an account a role.
///
/// For operators.
#[utoipa::path(post, path = "/v1/accounts/{account}/role", operation_id = "grant_role", tag = "accounts",
    params(("account" = AccountId, Path), CommandHeaders), request_body = NewRole,
    responses((status = 200, description = "The account has the role.", body = Answer<DoneReply>), GrantErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn grant(
    State(api): State<Api>,
    Path(account): Path<AccountId>,
    sender: Sender,
    Json(body): Json<NewRole>,
) -> Result<Response, Problem> {
    require(&api, &sender.caller.actor, &[Role::Operator]).await?;
    let command = unit::Command::Account(Command::GrantRole { role: body.role });
    sender.answer(&api, StatusCode::OK, UnitId::Account(account), command).await
}
