//! Sign-up. No command with a key: the unique e-mail address is the key. A repeated sign-up is told that the address has
//! an account, and signs in.

use super::Api;
use super::sessions::{SignedIn, begin, busy, opened};
use crate::accounts::people::{self, SignUpError};
use crate::accounts::{Email, Nickname, nickname, password};
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use socketing_domain::AccountId;
use socketing_domain::account::Role;
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use socketing_service::client::Client;
use socketing_service::extract::Json;
use socketing_service::trace::TraceContext;
use utoipa::ToSchema;

/// Someone new.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
    /// Their e-mail address: what they sign in with.
    #[schema(example = "minji@example.com")]
    email: String,
    /// 6 to 128 characters.
    #[schema(min_length = 6, max_length = 128)]
    password: String,
    /// What others call them, up to 30 characters; without it they get a random one.
    #[serde(default)]
    #[schema(max_length = 30)]
    nickname: Option<String>,
}

/// What is kept of someone new, once it fits.
struct Fitting {
    email: Email,
    password: String,
    nickname: Option<Nickname>,
}

impl NewPerson {
    /// Everything that doesn't fit is named at once.
    fn check(self) -> Result<Fitting, Problem> {
        let email = Email::parse(&self.email);
        let password_fits = password::CHARS.contains(&self.password.chars().count());
        let nickname = self.nickname.as_deref().filter(|name| !name.trim().is_empty());
        let chosen = nickname.map(Nickname::parse);
        let (least, most) = (password::CHARS.start(), password::CHARS.end());
        let wrong = [
            (email.is_none(), "/email", "this is no e-mail address".to_owned()),
            (!password_fits, "/password", format!("a password has {least} to {most} characters")),
            (chosen == Some(None), "/nickname", format!("a nickname has 1 to {} characters, all visible", nickname::CHARS_MAX)),
        ];
        match (email, wrong.iter().any(|(bad, ..)| *bad)) {
            (Some(email), false) => Ok(Fitting { email, password: self.password, nickname: chosen.flatten() }),
            _ => Err(unfit(wrong.iter().filter(|(bad, ..)| *bad).map(|(_, path, detail)| (*path, detail.as_str())))),
        }
    }
}

fn unfit<'a>(wrong: impl Iterator<Item = (&'a str, &'a str)>) -> Problem {
    let (mut errors, mut lines) = (Vec::new(), Vec::new());
    for (path, detail) in wrong {
        errors.push(json!({ "path": path, "code": "invalid", "detail": detail }));
        lines.push(format!("{path}: {detail}"));
    }
    Problem::new(codes::INVALID_BODY).detail(lines.join("; ")).member("errors", errors)
}

/// A new account, signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedUp {
    #[serde(flatten)]
    signed_in: SignedIn,
    /// The log's position that covers the account: queries with this `min_position` know it.
    position: u64,
}

socketing_service::error_responses!(
    SignUpErrors: codes::BAD_JSON, codes::INVALID_BODY, codes::UNSUPPORTED_MEDIA_TYPE, codes::TOO_LARGE, codes::EMAIL_TAKEN,
    codes::NICKNAME_TAKEN, codes::TOO_MANY_REQUESTS, codes::BUSY, codes::TIMEOUT, codes::UNAVAILABLE, codes::INTERNAL
);

/// Signs up, and in: the answer has a bearer token, and sets the cookie of browsers.
///
/// The wallet with 500,000 won follows within moments.
#[utoipa::path(post, path = "/v1/accounts", operation_id = "sign_up", tag = "accounts", request_body = NewPerson,
    responses((status = 201, description = "The account, signed in.", body = SignedUp,
        headers(("Set-Cookie" = String, description = "The session, for browsers."))), SignUpErrors))]
pub(super) async fn sign_up(
    State(api): State<Api>,
    client: Client,
    trace: TraceContext,
    Json(body): Json<NewPerson>,
) -> Result<Response, Problem> {
    if !client.is_local() {
        api.0.limits.sign_up.check(client.network())?;
    }
    let Fitting { email, password, nickname } = body.check()?;
    people::check_free(&api.0.pool, &email, nickname.as_ref()).await.map_err(taken)?;
    let hash = api.0.hashes.hash(password).await.map_err(busy)?;
    let account = AccountId::new();
    let mut rng = StdRng::from_os_rng();
    let nickname = people::insert(&api.0.pool, account, &email, nickname.as_ref(), &hash, &mut rng).await.map_err(taken)?;
    let position = opened(&api, account, &trace).await?;
    let (signed_in, cookie) = begin(&api, &client, account, nickname, Role::Fan);
    Ok((StatusCode::CREATED, cookie, JsonAnswer(SignedUp { signed_in, position })).into_response())
}

fn taken(error: SignUpError) -> Problem {
    match error {
        SignUpError::EmailTaken => codes::EMAIL_TAKEN.into(),
        SignUpError::NicknameTaken => codes::NICKNAME_TAKEN.into(),
        SignUpError::Database(error) => Problem::database("signing a person up", &error),
    }
}
