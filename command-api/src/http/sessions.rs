//! Signing in and out.
//!
//! An unknown address is told so (`unknown_email`): sign-up must tell that an address is taken anyway, so hiding it here
//! would only puzzle people who mistyped theirs. What is hidden is the password, and guessing it is limited per account
//! and address before anything is hashed.

use super::Api;
use super::roles::role_of;
use crate::accounts::people::{self, Person};
use crate::accounts::{Email, PasswordError};
use crate::executor::{Done, Request};
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use socketing_domain::account::{Command, Role};
use socketing_domain::event::Actor;
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{AccountId, Timestamp};
use socketing_service::Problem;
use socketing_service::auth::{Caller, clear_cookie, set_cookie};
use socketing_service::catalogue::codes;
use socketing_service::client::Client;
use socketing_service::extract::Json;
use socketing_service::limit::Allowed;
use socketing_service::trace::TraceContext;
use utoipa::ToSchema;

/// The part of the system that opens accounts, as the log names it.
const ACCOUNTS: Actor = Actor::System("accounts");
/// The key of the one command that opens an account: repeating it gets the same answer.
const OPEN: &str = "open";

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    /// The e-mail address of the account.
    #[schema(example = "minji@example.com")]
    email: String,
    /// Its password.
    password: String,
}

/// A session that was just begun.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedIn {
    account_id: AccountId,
    /// What others call them.
    nickname: String,
    /// What they may do.
    role: Role,
    /// For `Authorization: Bearer`.
    token: String,
    /// When the session ends by itself.
    expires_at: Timestamp,
}

pub(super) type Cookie = AppendHeaders<[(axum::http::HeaderName, axum::http::HeaderValue); 1]>;

socketing_service::error_responses!(
    SignInErrors: codes::BAD_JSON, codes::INVALID_BODY, codes::UNSUPPORTED_MEDIA_TYPE, codes::TOO_LARGE, codes::INVALID_CREDENTIALS,
    codes::UNKNOWN_EMAIL, codes::TOO_MANY_ATTEMPTS, codes::BUSY, codes::TIMEOUT, codes::UNAVAILABLE, codes::INTERNAL
);

/// Signs in: the answer has a bearer token, and sets the cookie of browsers.
#[utoipa::path(post, path = "/v1/sessions", operation_id = "sign_in", tag = "accounts", request_body = Credentials,
    responses((status = 200, description = "The session.", body = SignedIn,
        headers(("Set-Cookie" = String, description = "The session, for browsers."))), SignInErrors))]
pub(super) async fn sign_in(
    State(api): State<Api>,
    client: Client,
    trace: TraceContext,
    Json(body): Json<Credentials>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(codes::UNKNOWN_EMAIL);
    let email = Email::parse(&body.email).ok_or_else(unknown)?;
    let allowed = count_attempt(&api, &client, &email)?;
    let person = people::by_email(&api.0.pool, &email).await.map_err(|error| Problem::database("signing in", &error))?;
    let person = person.ok_or_else(unknown)?;
    let right = api.0.hashes.verify(body.password, person.password_hash.clone()).await.map_err(busy)?;
    if !right {
        return Err(Problem::new(codes::INVALID_CREDENTIALS));
    }
    let Person { account_id: account, nickname, .. } = person;
    if !person.opened {
        opened(&api, account, &trace).await?;
    }
    let role = role_of(&api, &Actor::Account(account)).await?;
    let (signed_in, cookie) = begin(&api, &client, account, nickname, role);
    Ok((allowed, cookie, JsonAnswer(signed_in)).into_response())
}

/// Every attempt counts, right or wrong: to tell them apart, the password would have to be hashed first.
fn count_attempt(api: &Api, client: &Client, email: &Email) -> Result<Allowed, Problem> {
    let limits = &api.0.limits;
    if !client.is_local() {
        limits.sign_in_address.check(client.network())?;
    }
    let allowed = limits.sign_in.check((email, client.network()))?;
    limits.sign_in_account.check(email)?;
    Ok(allowed)
}

/// Begins a session, with the cookie that carries it.
pub(super) fn begin(api: &Api, client: &Client, account: AccountId, nickname: String, role: Role) -> (SignedIn, Cookie) {
    let issued = api.0.auth.issue(account);
    let cookie = AppendHeaders([(SET_COOKIE, set_cookie(&issued.token, api.0.session, client))]);
    (SignedIn { account_id: account, nickname, role, token: issued.token, expires_at: issued.expires_at }, cookie)
}

/// Opens the account in the log and notes that it is: after sign-up, and again at sign-in if it wasn't done then.
/// Returns the position that covers it.
pub(super) async fn opened(api: &Api, account: AccountId, trace: &TraceContext) -> Result<u64, Problem> {
    let request = Request {
        unit: UnitId::Account(account),
        command: unit::Command::Account(Command::OpenAccount { account }),
        actor: ACCOUNTS,
        key: OPEN.to_owned(),
        traceparent: Some(trace.to_string()),
        causation: None,
    };
    let Done { position, .. } = api.0.executor.execute(request).await?;
    if let Err(error) = people::set_opened(&api.0.pool, account).await {
        tracing::warn!(%account, %error, "an account is open, but its row doesn't say so; its next sign-in repeats it");
    }
    Ok(position)
}

/// A full pool, or a hash that argon2 can't read.
pub(super) fn busy(error: PasswordError) -> Problem {
    match error {
        PasswordError::Busy { retry_after } => Problem::new(codes::BUSY).retry_after(retry_after),
        broken @ PasswordError::Broken(_) => Problem::internal("hashing a password", &broken),
    }
}

socketing_service::error_responses!(
    SignOutErrors: codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::ORIGIN_REFUSED, codes::TIMEOUT, codes::UNAVAILABLE,
    codes::INTERNAL
);

/// Signs out: the session's token and cookie are worth nothing any more, in any process within about a second.
#[utoipa::path(delete, path = "/v1/sessions/current", operation_id = "sign_out", tag = "accounts",
    responses((status = 204, description = "Signed out."), SignOutErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn sign_out(State(api): State<Api>, client: Client, caller: Caller) -> Result<Response, Problem> {
    api.0.auth.revoke(&api.0.pool, &caller).await.map_err(|error| Problem::database("signing out", &error))?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(SET_COOKIE, clear_cookie(&client))])).into_response())
}
