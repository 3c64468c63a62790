//! What every command's request carries: who asks, under which key, within which trace.

use super::Api;
use crate::executor::{Done, Request};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures::TryFutureExt;
use socketing_domain::event::Actor;
use socketing_domain::unit::{Command, UnitId};
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::extract::IdempotencyKey;
use socketing_service::limit::Allowed;
use socketing_service::trace::TraceContext;

/// Who sends a command, and what comes with it. Extracting it counts against the caller's rate.
pub(super) struct Sender {
    pub(super) caller: Caller,
    key: String,
    traceparent: String,
    allowed: Option<Allowed>,
}

impl FromRequestParts<Api> for Sender {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Sender, Problem> {
        let caller = <Caller as FromRequestParts<Api>>::from_request_parts(parts, api).await?;
        let allowed = match caller.actor {
            Actor::Account(account) => Some(api.0.limits.command.check(account)?),
            Actor::System(_) => None, // operators' tools: their work comes in bulk
        };
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(parts, api).await?;
        let Ok(trace) = TraceContext::from_request_parts(parts, api).await;
        Ok(Sender { caller, key, traceparent: trace.to_string(), allowed })
    }
}

impl Sender {
    /// Has a command carried out.
    pub(super) fn send<'a>(
        &self,
        api: &'a Api,
        unit: UnitId,
        command: Command,
    ) -> impl Future<Output = Result<Done, Problem>> + Send + use<'a> {
        let (key, traceparent) = (self.key.clone(), self.traceparent.clone());
        carry_out(api, Request { unit, command, actor: self.caller.actor, key, traceparent: Some(traceparent), causation: None })
    }

    /// Has a command carried out and answers with what came of it.
    pub(super) fn answer(
        self,
        api: &Api,
        status: StatusCode,
        unit: UnitId,
        command: Command,
    ) -> impl Future<Output = Result<Response, Problem>> + Send + use<'_> {
        let Sender { caller, key, traceparent, allowed } = self;
        let done = carry_out(api, Request { unit, command, actor: caller.actor, key, traceparent: Some(traceparent), causation: None });
        done.map_ok(move |done| limits(allowed, super::answer::done(status, &done)))
    }

    /// With the headers that say what is left of the caller's rate.
    pub(super) fn with_limits(self, response: Response) -> Response {
        limits(self.allowed, response)
    }
}

/// Neither this nor what calls it is an `async fn`: such a future keeps its arguments beside the future that it waits for,
/// twice; from the executor up to here, they grew to seven kilobytes, which every request carried along.
fn carry_out(api: &Api, request: Request) -> impl Future<Output = Result<Done, Problem>> + Send + use<'_> {
    api.0.executor.execute(request).err_into()
}

fn limits(allowed: Option<Allowed>, response: Response) -> Response {
    match allowed {
        Some(allowed) => (allowed, response).into_response(),
        None => response,
    }
}

/// The codes that any command may be answered with, before those of its own.
macro_rules! command_errors {
    ($(#[$doc:meta])* $name:ident: $($reason:ident),* $(; $($code:expr),+)?) => {
        socketing_service::error_responses!(
            $(#[$doc])* $name:
            socketing_service::catalogue::codes::IDEMPOTENCY_KEY_MISSING,
            socketing_service::catalogue::codes::IDEMPOTENCY_KEY_INVALID,
            socketing_service::catalogue::codes::IDEMPOTENCY_KEY_REUSED,
            socketing_service::catalogue::codes::INVALID_ID,
            socketing_service::catalogue::codes::UNAUTHENTICATED,
            socketing_service::catalogue::codes::SESSION_EXPIRED,
            socketing_service::catalogue::codes::ORIGIN_REFUSED,
            socketing_service::catalogue::codes::TOO_MANY_REQUESTS,
            socketing_service::catalogue::codes::BUSY,
            socketing_service::catalogue::codes::TIMEOUT,
            socketing_service::catalogue::codes::UNAVAILABLE,
            socketing_service::catalogue::codes::INTERNAL
            $(, socketing_service::Code::of(socketing_domain::refusal::Reason::$reason))*
            $($(, $code)+)?
        );
    };
}

/// The same for a command with a body.
macro_rules! body_command_errors {
    ($(#[$doc:meta])* $name:ident: $($reason:ident),* $(; $($code:expr),+)?) => {
        $crate::http::command::command_errors!(
            $(#[$doc])* $name: $($reason),*;
            socketing_service::catalogue::codes::BAD_JSON,
            socketing_service::catalogue::codes::INVALID_BODY,
            socketing_service::catalogue::codes::UNSUPPORTED_MEDIA_TYPE,
            socketing_service::catalogue::codes::TOO_LARGE
            $($(, $code)+)?
        );
    };
}

pub(super) use {body_command_errors, command_errors};
