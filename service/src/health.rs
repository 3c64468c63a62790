//! `/livez`: the process runs. `/readyz`: what it depends on is there, each by name. `/version`.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer stands: probes, however many, cost the dependencies one look a second.
const FRESH: Duration = Duration::from_secs(1);

/// What a check found: what is fine, or what isn't, in a sentence without secrets.
pub type Finding = Result<String, String>;

/// What a check found in numbers, for programs: each by name, with its unit.
pub type Figures = Vec<(&'static str, u64)>;

type Check = Box<dyn Fn() -> BoxFuture<'static, (Finding, Figures)> + Send + Sync>;

/// The checks of one process. Build it with [`Health::check`], then serve [`Health::router`].
pub struct Health {
    draining: CancellationToken,
    checks: Vec<(&'static str, Check)>,
    timeout: Duration,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// Whether requests should be sent here.
    pub ready: bool,
    /// Whether the process was told to stop.
    pub draining: bool,
    /// Each check, by name.
    pub checks: BTreeMap<&'static str, CheckResult>,
}

/// What one check found.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CheckResult {
    /// Whether it passed.
    pub ok: bool,
    /// What it saw.
    pub detail: String,
    /// The same in numbers, where there are any: each by name, with its unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, u64>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The answer of `/version`.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct Version {
    /// The product.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The commit it was built from, where the build names one (`SOCKETING_COMMIT`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<&'static str>,
    /// The version of the API in its paths.
    pub api: &'static str,
}

/// This build's.
pub const VERSION: Version =
    Version { name: "socketing", version: env!("CARGO_PKG_VERSION"), commit: option_env!("SOCKETING_COMMIT"), api: "v1" };

impl Health {
    /// No checks yet; not ready from the moment that `draining` is cancelled.
    #[must_use]
    pub fn new(draining: CancellationToken) -> Health {
        Health { draining, checks: Vec::new(), timeout: CHECK_TIMEOUT }
    }

    /// With one more check. It runs at most once a second and gets two seconds.
    #[must_use]
    pub fn check<F, R>(mut self, name: &'static str, check: F) -> Health
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Finding> + Send + 'static,
    {
        self.checks.push((
            name,
            Box::new(move || {
                let found = check();
                Box::pin(async move { (found.await, Figures::new()) })
            }),
        ));
        self
    }

    /// The same, with a check that also has figures for programs.
    #[must_use]
    pub fn measure<F, R>(mut self, name: &'static str, check: F) -> Health
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = (Finding, Figures)> + Send + 'static,
    {
        self.checks.push((name, Box::new(move || Box::pin(check()))));
        self
    }

    /// With a check that Postgres answers.
    #[must_use]
    pub fn check_postgres(self, pool: sqlx::PgPool) -> Health {
        self.check("postgres", move || {
            let pool = pool.clone();
            async move {
                let answer: Result<i32, sqlx::Error> = sqlx::query_scalar("select 1").fetch_one(&pool).await;
                let answered = answer.map_err(|error| crate::problem::chain(&error));
                answered.map(|_| format!("{} of {} connections idle", pool.num_idle(), pool.size()))
            }
        })
    }

    /// The routes `/livez`, `/readyz` and `/version`.
    pub fn router(self) -> Router {
        let state = Arc::new(Cached { health: self, last: Mutex::new(None) });
        Router::new()
            .route("/livez", get(|| async { Json(serde_json::json!({ "live": true })) }))
            .route("/version", get(|| async { Json(VERSION) }))
            .route("/readyz", get(readyz).with_state(state))
    }

    async fn look(&self) -> Readiness {
        let checks: BTreeMap<_, _> =
            join_all(self.checks.iter().map(|(name, check)| run(name, check, self.timeout))).await.into_iter().collect();
        let ready = checks.values().all(|check| check.ok);
        Readiness { ready, draining: false, checks }
    }
}

async fn run(name: &'static str, check: &Check, timeout: Duration) -> (&'static str, CheckResult) {
    let begun = Instant::now();
    let found = tokio::time::timeout(timeout, check()).await;
    let late = |_| (Err(format!("no answer within {} ms", timeout.as_millis())), Figures::new());
    let (found, figures) = found.unwrap_or_else(late);
    let ok = found.is_ok();
    let (Ok(detail) | Err(detail)) = found;
    (name, CheckResult { ok, detail, figures: figures.into_iter().collect(), took_ms: begun.elapsed().as_millis() as u64 })
}

struct Cached {
    health: Health,
    last: Mutex<Option<(Instant, Readiness)>>,
}

async fn readyz(State(cached): State<Arc<Cached>>) -> Response {
    let mut last = cached.last.lock().await; // one look at a time; those who wait get its answer
    let fresh = last.as_ref().filter(|(seen, _)| seen.elapsed() < FRESH).map(|(_, readiness)| readiness.clone());
    let mut readiness = match fresh {
        Some(readiness) => readiness,
        None => {
            let readiness = cached.health.look().await;
            *last = Some((Instant::now(), readiness.clone()));
            readiness
        }
    };
    drop(last);
    readiness.draining = cached.health.draining.is_cancelled();
    readiness.ready &= !readiness.draining;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(readiness)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::to_bytes, extract::Request};
    use serde_json::Value;
    use tower::ServiceExt;

    async fn ask(router: &Router, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn ready_when_every_check_is_and_not_while_draining() {
        let draining = CancellationToken::new();
        let router = Health::new(draining.clone()).check("a", async || Ok("fine".into())).router();
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!((status, &body["checks"]["a"]["ok"]), (StatusCode::OK, &Value::Bool(true)));
        draining.cancel();
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!((status, &body["draining"]), (StatusCode::SERVICE_UNAVAILABLE, &Value::Bool(true)));
        assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_failing_or_silent_check_is_named() {
        let health = Health { timeout: Duration::from_millis(5), ..Health::new(CancellationToken::new()) }
            .check("broken", async || Err("no route to host".into()))
            .check("silent", std::future::pending);
        let (status, body) = ask(&health.router(), "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["checks"]["broken"]["detail"], "no route to host");
        assert_eq!(body["checks"]["silent"]["detail"], "no answer within 5 ms");
    }

    #[tokio::test]
    async fn figures_are_for_programs() {
        let health = Health::new(CancellationToken::new())
            .measure("relay", async || (Err("7 events behind".into()), vec![("lag_events", 7)]))
            .check("plain", async || Ok("fine".into()));
        let (_, body) = ask(&health.router(), "/readyz").await;
        assert_eq!(body["checks"]["relay"]["figures"], serde_json::json!({"lag_events": 7}));
        assert_eq!(body["checks"]["plain"].get("figures"), None);
    }

    #[tokio::test]
    async fn the_version_says_what_runs() {
        let (_, body) = ask(&Health::new(CancellationToken::new()).router(), "/version").await;
        assert_eq!((body["name"].as_str(), body["api"].as_str()), (Some("socketing"), Some("v1")));
    }
}
