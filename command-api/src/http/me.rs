//! Who one is.

use super::Api;
use super::roles::role_of;
use crate::accounts::people;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::AccountId;
use socketing_domain::account::Role;
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use utoipa::ToSchema;

/// The caller.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    account_id: AccountId,
    email: String,
    /// What others call them.
    nickname: String,
    /// What they may do.
    role: Role,
}

socketing_service::error_responses!(
    MeErrors: codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::NOT_A_PERSON, codes::BUSY, codes::TIMEOUT, codes::UNAVAILABLE,
    codes::INTERNAL
);

/// Tells who is signed in.
#[utoipa::path(get, path = "/v1/me", operation_id = "me", tag = "accounts",
    responses((status = 200, description = "The caller.", body = Me), MeErrors), security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn me(State(api): State<Api>, caller: Caller) -> Result<Json<Me>, Problem> {
    let account = caller.account()?;
    let person = people::by_account(&api.0.pool, account).await.map_err(|error| Problem::database("looking up the caller", &error))?;
    let person = person.ok_or_else(|| Problem::new(codes::SESSION_EXPIRED).detail("the account doesn't exist any more"))?;
    let role = role_of(&api, &caller.actor).await?;
    Ok(Json(Me { account_id: account, email: person.email, nickname: person.nickname, role }))
}
