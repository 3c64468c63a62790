//! Finding a friend by nickname, or by the account that a link names.

use super::Api;
use crate::accounts::people;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use socketing_domain::AccountId;
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::Query;
use socketing_service::{Code, Problem};
use utoipa::{IntoParams, ToSchema};

/// Whom to find.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// The whole nickname.
    nickname: Option<String>,
    /// The account; give one of the two.
    account_id: Option<AccountId>,
}

/// Someone else, as far as others may see.
#[derive(Serialize, ToSchema)]
pub(super) struct Friend {
    account_id: AccountId,
    nickname: String,
}

socketing_service::error_responses!(
    FindErrors: codes::INVALID_QUERY, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::TOO_MANY_REQUESTS, codes::TIMEOUT,
    codes::UNAVAILABLE, codes::INTERNAL, Code::of(Reason::UnknownAccount)
);

/// Finds someone by their exact nickname, or by their account, to invite them.
///
/// Counts against the caller's rate, so that nobody reads out the whole list of people by guessing.
#[utoipa::path(get, path = "/v1/people", operation_id = "find_person", tag = "accounts", params(Named),
    responses((status = 200, description = "The person.", body = Friend), FindErrors), security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn find(State(api): State<Api>, caller: Caller, Query(named): Query<Named>) -> Result<Json<Friend>, Problem> {
    if let Actor::Account(account) = caller.actor {
        api.0.limits.command.check(account)?;
    }
    let found = match (named.account_id, named.nickname) {
        (Some(account), None) => people::by_account(&api.0.pool, account).await,
        (None, Some(nickname)) => people::by_nickname(&api.0.pool, nickname.trim()).await,
        _ => return Err(Problem::new(codes::INVALID_QUERY).detail("give account_id or nickname, one of the two")),
    };
    let found = found.map_err(|error| Problem::database("looking up a person", &error))?;
    let person = found.ok_or_else(|| Problem::new(Code::of(Reason::UnknownAccount)))?;
    Ok(Json(Friend { account_id: person.account_id, nickname: person.nickname }))
}
