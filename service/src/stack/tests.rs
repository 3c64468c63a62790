use super::*;
use crate::extract::{IdempotencyKey, Json, Path, Query};
use axum::{
    body::to_bytes,
    http::{Method, StatusCode, header::ACCEPT_LANGUAGE},
    routing::post,
};
use serde::Deserialize;
use serde_json::Value;
use socketing_domain::{HoldId, Refusal, SeatIndex, SystemClock, refusal::Reason};
use std::{
    io::{self, Write},
    sync::Mutex,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Paged {
    min_position: Option<u64>,
}

fn app() -> impl Serves {
    use socketing_domain::Clock as _;
    let refuse = || async {
        let mut refusal = Refusal::new(Reason::SeatTaken, "seat 7 is held");
        refusal.seats = vec![SeatIndex(7)];
        refusal.alternatives = vec![SeatIndex(8), SeatIndex(6)];
        refusal.retry_at = Some(SystemClock.now().plus_seconds(100));
        refusal.cause = Some(12);
        Problem::from(refusal).member("position", 41)
    };
    let router = Router::new()
        .route("/v1/name", post(|Json(named): Json<Named>| async move { named.name }))
        .route("/v1/holds/{hold}", get(|Path(hold): Path<HoldId>| async move { hold.to_string() }))
        .route("/v1/shows", get(|Query(page): Query<Paged>| async move { format!("{:?}", page.min_position) }))
        .route("/v1/key", post(|IdempotencyKey(key): IdempotencyKey| async move { key }))
        .route("/v1/refused", get(refuse))
        .route("/v1/broken", get(|| async { panic_on_purpose() }))
        .route("/v1/long", get(|| async { "x".repeat(10_000) }).post(|| async { "x".repeat(10_000) }))
        .route("/v1/endless", get(std::future::pending::<()>))
        .route("/v1/away/{id}", post(|| async { Problem::database("asking", &sqlx::Error::PoolTimedOut) }))
        .route("/v1/bare", get(|| async { (StatusCode::NOT_FOUND, "a layer's own words") }));
    finish(router, &StackConfig { trusted_proxies: Arc::new([]), request_timeout: Duration::from_millis(50) })
}

fn panic_on_purpose() -> String {
    panic!("a secret detail")
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    fn problem(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], problem::MEDIA_TYPE, "{}", self.text);
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["type"], format!("/problems/{}", body["code"].as_str().unwrap()));
        for member in ["title", "hint", "instance", "trace_id"] {
            assert!(body[member].is_string(), "{member} is missing in {body}");
        }
        body
    }
}

async fn send(request: Request) -> Answer {
    let response = app().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, 1_000_000).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

async fn call(method: Method, path: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_refusal_becomes_a_problem_that_helps_onward() {
    let request = Request::get("/v1/refused")
        .header(ACCEPT_LANGUAGE, "ko-KR,ko;q=0.9,en;q=0.8")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = send(request.body(Body::empty()).unwrap()).await;
    let body = answer.problem();
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(body["title"], "다른 분이 먼저 잡은 좌석입니다");
    assert_eq!(body["detail"], "seat 7 is held");
    assert_eq!((&body["seats"], &body["alternatives"]), (&serde_json::json!([7]), &serde_json::json!([8, 6])));
    assert_eq!((&body["instance"], &body["position"]), (&Value::from("/v1/refused"), &Value::from(41)));
    assert_eq!(body["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert!(body["retry_at"].is_string() && body.get("cause").is_none());
    let seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=100).contains(&seconds) && body["retry_after"].as_u64().is_some(), "{seconds}");
    assert_eq!(
        (&answer.headers[header::CONTENT_LANGUAGE], &answer.headers[header::VARY]),
        (&"ko".parse().unwrap(), &"accept-language".parse().unwrap())
    );
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX));
    for (method, path, body, code) in [
        (Method::GET, "/v1/nothing", "", "not_found"),
        (Method::DELETE, "/v1/name", "", "method_not_allowed"),
        (Method::GET, "/v1/bare", "", "not_found"),
        (Method::GET, "/v1/endless", "", "timeout"),
        (Method::GET, "/v1/broken", "", "internal"),
        (Method::GET, "/v1/holds/7", "", "invalid_id"),
        (Method::GET, "/v1/shows?min_position=x", "", "invalid_query"),
        (Method::POST, "/v1/key", "", "idempotency_key_missing"),
        (Method::POST, "/v1/name", "{", "bad_json"),
        (Method::POST, "/v1/name", r#"{"name":1}"#, "invalid_body"),
        (Method::POST, "/v1/name", r#"{"name":"a","x":1}"#, "invalid_body"),
        (Method::POST, "/v1/name", &long, "too_large"),
        (Method::GET, "/problems/nonsense", "", "not_found"),
    ] {
        let answer = call(method, path, body).await;
        assert_eq!(answer.problem()["code"], code, "{path} {}", answer.text);
        assert!(!answer.text.contains("secret"));
    }
}

/// What is logged while this lives, by the thread that it lives on.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_that_failed_is_one_line_with_its_cause_and_the_trace_that_its_client_was_told() {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let panicked = call(Method::GET, "/v1/broken", "").await.problem();
    let unavailable = call(Method::POST, "/v1/away/7", "").await.problem();
    call(Method::GET, "/v1/refused", "").await;
    let lines: Vec<Value> = logged.lines().into_iter().filter(|line| line["target"] == "socketing::access").collect();
    let told = |line: &Value| {
        [&line["level"], &line["status"], &line["method"], &line["route"], &line["error"], &line["trace_id"]].map(Value::clone)
    };
    let of = |level: &str, status: u16, method: &str, route: &str, error: &str, problem: &Value| {
        [level.into(), status.into(), method.into(), route.into(), error.into(), problem["trace_id"].clone()]
    };
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            of("ERROR", 500, "GET", "/v1/broken", "panic: a secret detail", &panicked),
            of("WARN", 503, "POST", "/v1/away/{id}", "asking: pool timed out while waiting for an open connection", &unavailable),
        ]
    );
}

#[tokio::test]
async fn the_wrong_method_is_told_the_right_one() {
    assert_eq!(call(Method::GET, "/v1/name", "").await.headers[header::ALLOW], "POST");
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let request = Request::post("/v1/name").body(Body::from(r#"{"name":"a"}"#)).unwrap();
    assert_eq!(send(request).await.problem()["code"], "unsupported_media_type");
    assert_eq!(call(Method::POST, "/v1/name", r#"{"name":"kim"}"#).await.text, "kim");
}

#[tokio::test]
async fn a_code_leads_to_its_description() {
    let answer = call(Method::GET, "/problems/seat_taken", "").await;
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!((body["status"].as_u64(), body["en"]["title"].as_str()), (Some(409), Some("Someone else was faster for this seat")));
}

#[tokio::test]
async fn what_is_read_is_compressed_where_that_is_worth_it() {
    let encoding = async |method: Method, path: &str, accepted: &str| {
        let request = Request::builder().method(method).uri(path).header(header::ACCEPT_ENCODING, accepted);
        let response = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(encoding(Method::GET, "/v1/long", "gzip, br").await.as_deref(), Some("gzip"));
    assert_eq!(encoding(Method::GET, "/v1/long", "identity").await, None, "a client that can't read it");
    assert_eq!(encoding(Method::GET, "/v1/shows", "gzip, br").await, None, "a short answer");
    assert_eq!(encoding(Method::POST, "/v1/long", "gzip, br").await, None, "a command's answer");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect() {
    for path in ["/v1/shows", "/v1/nothing", "/docs/"] {
        let answer = call(Method::GET, path, "").await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'"));
        assert_eq!(policy.contains("unsafe-inline"), path == "/docs/");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers.get(header::CACHE_CONTROL).is_some(), path.starts_with("/v1"));
    }
}
