//! The server's clock, which every countdown goes by.

use super::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::Timestamp;
use utoipa::ToSchema;

/// This moment.
#[derive(Serialize, ToSchema)]
pub(super) struct Now {
    /// By the server's clock, which decides.
    now: Timestamp,
}

/// Tells the time.
#[utoipa::path(get, path = "/v1/time", operation_id = "time", tag = "system",
    responses((status = 200, description = "The server's time.", body = Now)))]
pub(super) async fn now(State(api): State<Api>) -> Json<Now> {
    Json(Now { now: api.0.clock.now() })
}
