//! Who is asking: signed session tokens, sign-outs, and the extractor [`Caller`].
//!
//! A token is checked without a query: its signature and expiry by arithmetic, its sign-out against a copy in memory of
//! the table of revoked sessions, which every service reads once a second. A role is not in the token, because roles
//! change: whoever needs one looks it up.

mod cookie;
mod origin;
mod revocations;
mod roles;
mod token;

pub use cookie::{SESSION_COOKIE, clear as clear_cookie, set as set_cookie};
pub use origin::{Origin, Origins};
pub use revocations::Revocations;
pub use roles::role_in_read_model;
pub use token::{Claims, InvalidToken, SYSTEM_PARTS, Tokens};

use crate::{Problem, catalogue::codes, config::SessionArgs};
use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, Method, Uri, header::AUTHORIZATION, request::Parts},
};
use socketing_domain::{AccountId, Clock, SystemClock, Timestamp, event::Actor};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How a caller proved who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// `Authorization: Bearer`: a program, which sends it on purpose.
    Bearer,
    /// The session cookie: a browser, which sends it by itself, so that origins are checked.
    Cookie,
}

/// Who is asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// A person, or a part of the system.
    pub actor: Actor,
    /// The session, which signing out ends.
    pub session: Uuid,
    /// When the session ends by itself.
    pub expires_at: Timestamp,
    /// How they proved it.
    pub via: Via,
}

impl Caller {
    /// The person's account.
    ///
    /// # Errors
    /// `not_a_person` for a part of the system.
    pub fn account(&self) -> Result<AccountId, Problem> {
        match self.actor {
            Actor::Account(account) => Ok(account),
            Actor::System(_) => Err(Problem::new(codes::NOT_A_PERSON)),
        }
    }
}

/// A session that was just begun.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The bearer token; also the cookie's value.
    pub token: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Everything that authentication needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: Tokens,
    revocations: Revocations,
    origins: Origins,
    lifetime_s: u32,
}

impl Auth {
    /// Reads the key that tokens are signed with (making it if this is the first service that starts) and the sign-outs,
    /// and follows those until `stop`.
    ///
    /// # Errors
    /// The database's.
    pub async fn start(pool: &PgPool, session: &SessionArgs, origins: Origins, stop: CancellationToken) -> Result<Auth, sqlx::Error> {
        let tokens = Tokens::load_or_create(pool).await?;
        let revocations = Revocations::default();
        revocations.load(pool).await?;
        tokio::spawn(revocations.clone().follow(pool.clone(), stop));
        Ok(Auth::new(tokens, revocations, origins, session.lifetime()))
    }

    /// Of parts made elsewhere.
    #[must_use]
    pub fn new(tokens: Tokens, revocations: Revocations, origins: Origins, lifetime: Duration) -> Auth {
        let lifetime_s = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        Auth(Arc::new(Inner { tokens, revocations, origins, lifetime_s }))
    }

    /// Begins a session of a person.
    #[must_use]
    pub fn issue(&self, account: AccountId) -> Issued {
        let expires_at = SystemClock.now().plus_seconds(self.0.lifetime_s);
        let claims = Claims { session: Uuid::now_v7(), actor: Actor::Account(account), expires_at };
        Issued { token: self.0.tokens.sign(&claims), expires_at }
    }

    /// Ends a caller's session: here at once, in other processes within about a second.
    ///
    /// # Errors
    /// The database's; the session goes on then.
    pub async fn revoke(&self, pool: &PgPool, caller: &Caller) -> Result<(), sqlx::Error> {
        self.0.revocations.revoke(pool, caller.session, caller.expires_at).await
    }

    /// Who a request is from, or `None` if it says nothing about it.
    ///
    /// # Errors
    /// `unauthenticated` or `session_expired` for a token that isn't valid, `origin_refused` for a cookie that another
    /// site made the browser send.
    pub fn caller(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer);
            let token = token.ok_or_else(|| Problem::new(codes::UNAUTHENTICATED).detail("the Authorization header is no Bearer token"))?;
            return self.verify(token, Via::Bearer).map(Some);
        }
        let Some(token) = cookie::session(headers) else { return Ok(None) };
        let caller = self.verify(token, Via::Cookie)?;
        if !method.is_safe() {
            self.0.origins.check_unsafe(headers, uri)?;
        }
        Ok(Some(caller))
    }

    /// Who a WebSocket upgrade is from. Browsers let any page open a connection anywhere and send the cookie along, so
    /// the page's origin is checked whenever one is named, and a cookie without one isn't believed.
    ///
    /// # Errors
    /// As [`Auth::caller`]'s.
    pub fn upgrade_caller(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
        self.0.origins.check_upgrade(headers, uri)?;
        let caller = self.caller(&Method::GET, uri, headers)?;
        let unproven = caller.is_some_and(|caller| caller.via == Via::Cookie) && Origin::of(headers).is_none();
        if unproven {
            return Err(
                Problem::new(codes::ORIGIN_REFUSED).detail("a cookie on an upgrade needs an Origin header; programs send a Bearer token")
            );
        }
        Ok(caller)
    }

    /// Whether a session still holds: long connections ask this again now and then.
    #[must_use]
    pub fn is_live(&self, caller: &Caller) -> bool {
        caller.expires_at > SystemClock.now() && !self.0.revocations.contains(caller.session)
    }

    fn verify(&self, token: &str, via: Via) -> Result<Caller, Problem> {
        let claims = self.0.tokens.verify(token, SystemClock.now()).map_err(|invalid| match invalid {
            InvalidToken::Expired => Problem::new(codes::SESSION_EXPIRED).detail("the session's time is over"),
            InvalidToken::Malformed | InvalidToken::Forged => Problem::new(codes::UNAUTHENTICATED).detail("the token isn't one of ours"),
        })?;
        if self.0.revocations.contains(claims.session) {
            return Err(Problem::new(codes::SESSION_EXPIRED).detail("the session was signed out"));
        }
        Ok(Caller { actor: claims.actor, session: claims.session, expires_at: claims.expires_at, via })
    }
}

/// The token of `Bearer <token>`; the scheme's name is case-insensitive.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Auth: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Auth::from_ref(state).caller(&parts.method, &parts.uri, &parts.headers)?;
        caller.ok_or_else(|| Problem::new(codes::UNAUTHENTICATED))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller
where
    Auth: FromRef<S>,
{
    type Rejection = Problem;

    /// A cookie that has run out is no reason to refuse what is public: the browser sends it until it is replaced.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        let found = Auth::from_ref(state).caller(&parts.method, &parts.uri, &parts.headers);
        match found {
            Err(problem) if problem.code() != codes::ORIGIN_REFUSED && !parts.headers.contains_key(AUTHORIZATION) => Ok(None),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests;
