//! The other end: what other nodes forward to this one.

use super::wire::{Asked, Message, PATH, SIGNATURE, Told};
use crate::executor::{Executor, Rejected, limits};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use socketing_service::Problem;
use socketing_service::catalogue::codes;

/// The route that other nodes forward to. It is for them alone: what isn't signed with their secret is refused.
pub fn router(executor: Executor) -> Router {
    Router::new().route(PATH, post(take)).layer(DefaultBodyLimit::max(limits::FORWARD_BYTES_MAX)).with_state(executor)
}

async fn take(State(executor): State<Executor>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get(SIGNATURE).map(|value| value.as_bytes()).unwrap_or_default();
    if !executor.inner.forwarder.secret.is_right(&body, signature) {
        return Problem::new(codes::UNAUTHENTICATED).into_response();
    }
    let message = serde_json::from_slice::<Message>(&body).map_err(|error| error.to_string());
    match message.and_then(|message| message.asked().ok_or_else(|| "it names no unit or actor of this program".to_owned())) {
        Ok(asked) => Json(executor.answer(asked).await).into_response(),
        Err(reason) => {
            tracing::error!(reason, "another node's message can't be read: is its program newer?");
            Problem::new(codes::BAD_JSON).into_response()
        }
    }
}

impl Executor {
    async fn answer(&self, asked: Asked) -> Told {
        match asked {
            Asked::Command(request) => {
                let outcome = match self.execute_here(*request).await {
                    Err(Rejected::NotOwner(request)) if self.is_ours_after_all(request.unit.shard()).await => {
                        self.execute_here(*request).await
                    }
                    outcome => outcome,
                };
                Told::of(outcome, self.commits().last())
            }
            Asked::Question(unit, question) => {
                let seen = match self.ask_here(unit, question.clone()).await {
                    Ok(None) if self.is_ours_after_all(unit.shard()).await => self.ask_here(unit, question).await,
                    seen => seen,
                };
                match seen {
                    Ok(Some(seen)) => Told::Seen { answer: seen.answer, committed: seen.position },
                    Ok(None) => Told::NotOwner,
                    Err(rejected) => Told::of(Err(rejected), self.commits().last()),
                }
            }
        }
    }

    /// The sender has looked at the leases, so it may know earlier than this node what this node was given.
    async fn is_ours_after_all(&self, shard: u16) -> bool {
        if let Err(error) = self.inner.keeper.refresh().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "whose the leases are could not be looked up");
        }
        self.inner.ownership.epoch(shard).is_some()
    }
}
