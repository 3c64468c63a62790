//! What every request passes, from the outside in: the trace and the access log, the client's address, security headers,
//! problems in the request's language, a time limit, a net for panics, and compression.

use crate::{
    Problem,
    catalogue::codes,
    client::{self, Network},
    config::HttpArgs,
    problem,
    server::Serves,
    telemetry,
    trace::TraceContext,
};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::FutureExt;
use std::{
    any::Any,
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{DefaultPredicate, SizeAbove},
    },
};
use tracing::Level;

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

/// Puts all that surrounds a request around all routes of a process, and adds `/problems/{code}`. Call it once, last.
///
/// What surrounds a request is one service around the router, not a layer of its routes: such a layer costs each request four
/// allocations and copies of it, and six of them cost more than deciding a command.
pub fn finish(router: Router, config: &StackConfig) -> impl Serves + use<> {
    let (router, config) = (router.route("/problems/{code}", get(problem::describe)), config.clone());
    service_fn(move |request| around(&config, router.clone(), request).map(Ok))
}

/// All that surrounds one request. Neither this nor its parts are `async fn`s, whose futures keep their arguments beside what they
/// pass on: they were three times as large, and are copied.
fn around(config: &StackConfig, router: Router, mut request: Request) -> impl Future<Output = Response> + use<> {
    let begun = Instant::now();
    let context = TraceContext::of(request.headers());
    let method = request.method().clone();
    let told = problem::Told::by(&request, context.clone());
    request.extensions_mut().insert(context);
    client::identify(&mut request, &config.trusted_proxies);
    DefaultBodyLimit::max(BODY_BYTES_MAX).apply(&mut request); // a route that allows more says so inside
    let answered = guarded(config.request_timeout, handle(router, request));
    answered.map(move |response| {
        let mut response = told.render(response);
        secure(told.uri.path(), response.headers_mut());
        log(&method, &told, &response, begun.elapsed());
        response
    })
}

fn handle(router: Router, request: Request) -> impl Future<Output = Response> {
    let answered =
        if request.method().is_safe() { compressed(router, request).boxed().left_future() } else { router.oneshot(request).right_future() };
    answered.map(|response| response.unwrap_or_else(|never| match never {}))
}

/// Reads are answered compressed, where that is worth it and the client can read it. Commands have short answers.
async fn compressed(router: Router, request: Request) -> Result<Response, Infallible> {
    let worth_it = DefaultPredicate::new().and(SizeAbove::new(COMPRESS_BYTES_MIN));
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it);
    Ok(compression.layer(router).oneshot(request).await?.map(Body::new))
}

/// The access log: one line tells of a request, when it is answered; a span around it would cost as much as deciding a command.
fn log(method: &Method, told: &problem::Told, response: &Response, took: Duration) {
    let (status, took_ms) = (response.status(), took.as_millis() as u64);
    let cause = response.extensions().get::<Problem>().and_then(Problem::cause);
    // A level is a constant of the place that logs.
    macro_rules! line {
        ($level:expr, $what:literal) => {
            tracing::event!(
                target: "socketing::access",
                $level,
                status = status.as_u16(),
                took_ms,
                trace_id = told.trace.trace_id(),
                method = method.as_str(),
                route = route(told.uri.path()),
                error = cause,
                $what
            )
        };
    }
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        line!(Level::ERROR, "request failed");
    } else if status.is_server_error() {
        line!(Level::WARN, "request failed");
    } else if took >= SLOW {
        line!(Level::INFO, "slow request");
    } else {
        line!(Level::DEBUG, "request");
    }
}

/// A path with `{id}` for each of its parts that names one thing, so that a log's lines tell what was asked, and not of whom.
/// Ours all have digits, and nothing else has but the version.
fn route(path: &str) -> String {
    let part = |part| if part != "v1" && str::contains(part, |c: char| c.is_ascii_digit()) { "{id}" } else { part };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Headers that keep browsers from guessing, framing, and running what isn't ours; and from caching answers of the API.
const SECURE: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static("camera=(), geolocation=(), microphone=()")),
];

fn secure(path: &str, headers: &mut HeaderMap) {
    headers.reserve(SECURE.len() + 2);
    let policy = HeaderValue::from_static(if path.starts_with("/docs") { CSP_DOCS } else { CSP });
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in SECURE {
        headers.entry(name).or_insert(value);
    }
    if path.starts_with("/v1/") {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

/// The handler's answer, or why there is none. A request is given up after its time: what it set going isn't undone,
/// commands go on, and a retry learns the outcome. A panic of a handler is a bug: it costs its request a 500 and nobody
/// else anything; the panic hook logs it.
fn guarded(limit: Duration, handler: impl Future<Output = Response>) -> impl Future<Output = Response> {
    tokio::time::timeout(limit, AssertUnwindSafe(handler).catch_unwind()).map(|outcome| match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => after_panic(panic),
        Err(_) => Problem::new(codes::TIMEOUT).retry_after(Duration::from_secs(1)).into_response(),
    })
}

fn after_panic(panic: Box<dyn Any + Send>) -> Response {
    Problem::new(codes::INTERNAL).because(format!("panic: {}", telemetry::panic_text(&*panic))).into_response()
}

#[cfg(test)]
mod tests;
