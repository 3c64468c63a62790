//! `GET /v1/live`: who may open a live connection, and with which buffers.

use crate::{
    connection::{Visitor, serve},
    hub::Hub,
    limits,
    protocol::SUBPROTOCOL,
};
use axum::{
    extract::{State, WebSocketUpgrade},
    http::{HeaderMap, Uri, header::AUTHORIZATION},
    response::Response,
};
use socketing_service::{Problem, auth::Caller, catalogue::codes, language::Language};
use std::{sync::Arc, time::Duration};

/// When it makes sense to try again where every place is taken.
const RETRY_AFTER: Duration = Duration::from_secs(5);

socketing_service::error_responses! {
    /// Why an upgrade is refused.
    LiveErrors: codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::ORIGIN_REFUSED, codes::TOO_MANY_REQUESTS, codes::BUSY, codes::UNAVAILABLE
}

/// Opens a live connection: a WebSocket with the subprotocol `socketing.v1.json`.
///
/// Browsers send the session cookie and are let in from our own pages only; programs send a bearer token, or nothing if
/// public topics are all they want. The messages are described in `docs/live.md`.
#[utoipa::path(
    get,
    path = "/v1/live",
    tag = "live",
    security((), ("bearer" = []), ("cookie" = [])),
    responses((status = 101, description = "The connection speaks socketing.v1.json from here on."), LiveErrors)
)]
pub(crate) async fn live(
    State(hub): State<Arc<Hub>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    if hub.draining.is_cancelled() || hub.incarnation().is_none() {
        return Err(Problem::new(codes::UNAVAILABLE).detail("this instance is starting or stopping").retry_after(RETRY_AFTER));
    }
    let visitor = admit(&hub, &uri, &headers)?;
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(limits::READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(limits::WRITE_BUFFER_BYTES_MAX)
        .max_message_size(limits::MESSAGE_BYTES_MAX)
        .max_frame_size(limits::MESSAGE_BYTES_MAX);
    let tasks = hub.tasks.clone();
    Ok(upgrade.on_upgrade(move |socket| tasks.track_future(serve(socket, hub, visitor))))
}

fn admit(hub: &Hub, uri: &Uri, headers: &HeaderMap) -> Result<Visitor, Problem> {
    let full = || Problem::new(codes::BUSY).detail("every live connection of this instance is in use").retry_after(RETRY_AFTER);
    let slot = Arc::clone(&hub.slots).try_acquire_owned().map_err(|_| full())?;
    let entry = match caller(hub, uri, headers)? {
        Some(caller) => Some(hub.sessions.enter(caller).ok_or_else(too_many)?),
        None => None,
    };
    Ok(Visitor { entry, language: Language::of(headers), slot })
}

fn too_many() -> Problem {
    let most = limits::CONNECTIONS_PER_ACCOUNT_MAX;
    Problem::new(codes::TOO_MANY_REQUESTS).detail(format!("an account may have {most} live connections")).retry_after(RETRY_AFTER)
}

/// Who asks. A browser can't see why an upgrade failed, and a cookie that has run out is no reason to hide what is public:
/// such a visitor is let in as nobody, which the first message says.
fn caller(hub: &Hub, uri: &Uri, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    match hub.auth.upgrade_caller(uri, headers) {
        Err(problem) if problem.code() != codes::ORIGIN_REFUSED && !headers.contains_key(AUTHORIZATION) => Ok(None),
        found => found,
    }
}
