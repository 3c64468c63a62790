//! The layers that every request passes, from the outside in: compression, the trace and the access log, the client's
//! address, security headers, problems in the request's language, a time limit, and a net for panics.

use crate::{
    Problem,
    catalogue::codes,
    client::{self, Network},
    config::HttpArgs,
    problem,
    trace::TraceContext,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::FutureExt;
use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{DefaultPredicate, SizeAbove},
    },
};
use tracing::Instrument;

/// Bytes of a request's body, unless its route allows more: the largest ordinary one, a show with a year of dates, has
/// about 40 KB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// A request that takes longer is logged even when all goes well.
const SLOW: Duration = Duration::from_secs(1);
/// Answers below this aren't worth compressing.
const COMPRESS_BYTES_MIN: u64 = 1024;

/// What pages may load and reach: this very host, and nothing else.
pub const CSP: &str =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// The documentation's page writes styles into its elements.
const CSP_DOCS: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
                        form-action 'self'; frame-ancestors 'none'";

/// What the layers need to know.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Proxies whose word on the client's address is believed.
    pub trusted_proxies: Arc<[Network]>,
    /// After which a request is answered with `timeout`.
    pub request_timeout: Duration,
}

impl From<&HttpArgs> for StackConfig {
    fn from(args: &HttpArgs) -> StackConfig {
        StackConfig { trusted_proxies: args.proxies(), request_timeout: args.request_timeout() }
    }
}

/// Puts the layers around all routes of a process, and adds `/problems/{code}`. Call it once, last.
pub fn finish(router: Router, config: &StackConfig) -> Router {
    let compression = DefaultPredicate::new().and(SizeAbove::new(COMPRESS_BYTES_MIN));
    router
        .route("/problems/{code}", get(problem::describe))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(catch_panics))
        .layer(from_fn_with_state(config.request_timeout, limit_time))
        .layer(from_fn(problem::render))
        .layer(from_fn(secure))
        .layer(from_fn_with_state(Arc::clone(&config.trusted_proxies), client::identify))
        .layer(from_fn(trace))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compression))
}

/// Gives the request its trace, and logs it: failures and slow ones always, others at debug.
async fn trace(mut request: Request, next: Next) -> Response {
    let context = TraceContext::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "-".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", trace_id = context.trace_id(), %method, route);
    request.extensions_mut().insert(context);
    let begun = Instant::now();
    async move {
        let response = next.run(request).await;
        log(&response, begun.elapsed());
        response
    }
    .instrument(span)
    .await
}

fn log(response: &Response, took: Duration) {
    let (status, took_ms) = (response.status().as_u16(), took.as_millis() as u64);
    if response.status().is_server_error() {
        tracing::warn!(target: "socketing::access", status, took_ms, "request failed");
    } else if took >= SLOW {
        tracing::info!(target: "socketing::access", status, took_ms, "slow request");
    } else {
        tracing::debug!(target: "socketing::access", status, took_ms, "request");
    }
}

/// Headers that keep browsers from guessing, framing, and running what isn't ours; and from caching answers of the API.
async fn secure(request: Request, next: Next) -> Response {
    let docs = request.uri().path().starts_with("/docs");
    let api = request.uri().path().starts_with("/v1/");
    let mut response = next.run(request).await;
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, if docs { CSP_DOCS } else { CSP });
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    if api {
        set(header::CACHE_CONTROL, "no-store");
    }
    response
}

/// Gives a request up after its time. What it set going isn't undone: commands go on, and a retry learns the outcome.
async fn limit_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(codes::TIMEOUT).retry_after(Duration::from_secs(1)).into_response(),
    }
}

/// A panic of a handler is a bug: it costs its request a 500 and nobody else anything. The panic hook logs it.
async fn catch_panics(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => after_panic(panic),
    }
}

fn after_panic(_panic: Box<dyn Any + Send>) -> Response {
    Problem::new(codes::INTERNAL).into_response()
}

#[cfg(test)]
mod tests;
