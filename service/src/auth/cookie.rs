//! The session cookie of browsers.

use crate::client::Client;
use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use std::time::Duration;

/// Its name.
pub const SESSION_COOKIE: &str = "socketing_session";

/// The token in the request's cookie, if there is one.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, token)| *name == SESSION_COOKIE && !token.is_empty()).map(|(_, token)| token)
}

/// `Set-Cookie` with a token: out of reach for scripts, not sent along from other sites (except when a link is
/// followed), and only over https where the client came that way.
///
/// # Panics
/// Never: tokens are ASCII.
#[must_use]
pub fn set(token: &str, lifetime: Duration, client: &Client) -> HeaderValue {
    let secure = if client.https { "; Secure" } else { "" };
    let cookie = format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", lifetime.as_secs());
    HeaderValue::try_from(cookie).expect("tokens are ASCII")
}

/// `Set-Cookie` that makes the browser forget it.
#[must_use]
pub fn clear(client: &Client) -> HeaderValue {
    set("", Duration::ZERO, client)
}
