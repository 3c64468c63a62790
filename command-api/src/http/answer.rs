//! What the executor answers, as HTTP.

use crate::executor::{Done, Rejected};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use axum::response::Response;
use serde::Serialize;
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use std::time::Duration;
use utoipa::ToSchema;

/// Set on the answer of a command that was carried out before, under the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Headers that an answer has in the end, at most: two here, two of the limit, eight that protect. Room for them all at once,
/// else the map grows twice on the way.
const HEADERS: usize = 12;

/// What an accepted command is answered with.
#[derive(Serialize, ToSchema)]
pub(super) struct Answer<T> {
    /// The log's position that covers the command: queries with this `min_position` see it.
    pub(super) position: u64,
    #[serde(flatten)]
    pub(super) reply: T,
}

/// The recorded answer, byte for byte, with its position.
pub(super) fn done(status: StatusCode, done: &Done) -> Response {
    let mut response = Response::new(Body::from(done.body()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if done.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Problem {
        match rejected {
            Rejected::Refused { refusal, position } => Problem::from(refusal).member("position", position),
            Rejected::KeyReused => Problem::new(codes::IDEMPOTENCY_KEY_REUSED),
            Rejected::Busy { retry_after_s } => Problem::new(codes::BUSY).retry_after(Duration::from_secs(retry_after_s.into())),
            Rejected::NotOwner(_) => Problem::new(codes::BUSY).retry_after(Duration::from_secs(1)), // never leaves the executor
            Rejected::Internal => Problem::new(codes::INTERNAL),
        }
    }
}
