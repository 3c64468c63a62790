//! The HTTP API, as the program's commands use it.

use crate::failure::{Exit, Failure};
use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long one answer may take. The API's own longest wait is 5 s; a hundred sign-ups may queue for password hashing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take: the machine is this one, or near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a call that was told to come back later does so.
const LATER_MAX: u32 = 60;

/// Where the API is. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: Arc<str>,
}

/// One request. Paths begin with a slash.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    method: Method,
    path: &'a str,
    token: Option<&'a str>,
    key: Option<&'a str>,
    body: Option<&'a Value>,
}

/// An answer that isn't an error.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `null` where there is no body.
    pub(crate) body: Value,
}

/// Why there is no such answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer came: whether the request was carried out isn't known.
    #[error("no answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The API said no.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// Something answered that isn't this API.
    #[error("{status} without a body of this API")]
    Garbled {
        /// The answer's status.
        status: StatusCode,
    },
}

/// What the API says when it says no (RFC 9457, with a stable code).
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) hint: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Value,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.detail, self.code, self.status.as_u16())
    }
}

impl std::error::Error for Problem {}

impl<'a> Ask<'a> {
    /// A query.
    pub(crate) fn get(path: &'a str) -> Ask<'a> {
        Ask { method: Method::GET, path, token: None, key: None, body: None }
    }

    /// Anything that changes something.
    pub(crate) fn post(path: &'a str, body: &'a Value) -> Ask<'a> {
        Ask { method: Method::POST, path, token: None, key: None, body: Some(body) }
    }

    /// By whom.
    pub(crate) fn by(mut self, token: &'a str) -> Ask<'a> {
        self.token = Some(token);
        self
    }

    /// A command: under this idempotency key.
    pub(crate) fn key(mut self, key: &'a str) -> Ask<'a> {
        self.key = Some(key);
        self
    }
}

impl Api {
    /// The API at this address. At most `idle` connections are kept open between requests.
    ///
    /// # Errors
    /// If the HTTP client can't be made.
    pub(crate) fn new(base: &str, idle: usize) -> anyhow::Result<Api> {
        // `no_proxy`: a proxy in the environment is meant for the world outside, not for the system next door.
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(idle)
            .tcp_nodelay(true)
            .build()?;
        Ok(Api { http, base: base.trim_end_matches('/').into() })
    }

    /// Its address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends one request, once.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) async fn call(&self, ask: Ask<'_>) -> Result<Answer, CallError> {
        let mut request = self.http.request(ask.method, format!("{}{}", self.base, ask.path));
        if let Some(token) = ask.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = ask.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(CallError::NoAnswer)?;
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = response.bytes().await.map_err(CallError::NoAnswer)?;
        let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        match body {
            Ok(body) if status.is_success() => Ok(Answer { body }),
            Ok(body) => Err(problem(status, body, retry_after.map(Duration::from_secs))),
            Err(_) => Err(CallError::Garbled { status }),
        }
    }

    /// Sends a request again, with patience, as long as the answer is "later" (429, 503 with `Retry-After`).
    ///
    /// # Errors
    /// [`CallError`], the last "later" included.
    pub(crate) async fn call_patiently(&self, ask: Ask<'_>) -> Result<Answer, CallError> {
        for _ in 0..LATER_MAX {
            match self.call(ask.clone()).await {
                Err(CallError::Problem(problem)) if problem.later().is_some() => {
                    tokio::time::sleep(problem.later().unwrap_or_default()).await;
                }
                result => return result,
            }
        }
        self.call(ask).await
    }
}

impl Problem {
    /// How long to wait, if the answer was "later".
    pub(crate) fn later(&self) -> Option<Duration> {
        let temporary = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        self.retry_after.filter(|_| temporary)
    }
}

fn problem(status: StatusCode, body: Value, retry_after: Option<Duration>) -> CallError {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(code) = text("code") else { return CallError::Garbled { status } };
    let detail = text("detail").or_else(|| text("title")).unwrap_or_else(|| code.clone());
    let hint = text("hint");
    CallError::Problem(Box::new(Problem { status, code, detail, hint, retry_after, body }))
}

impl CallError {
    /// As the end of a command: `doing` says what was tried, at which address.
    pub(crate) fn failure(self, api: &Api, doing: &str) -> Failure {
        match self {
            CallError::NoAnswer(error) => Failure::new(Exit::Unreachable, format!("{doing}: no answer from {}", api.base()))
                .because(error)
                .hint("start it with ./dev up, or name another system with --url"),
            CallError::Problem(problem) => {
                let failure = Failure::new(Exit::Failure, format!("{doing}: {problem}"));
                match &problem.hint {
                    Some(hint) => failure.hint(hint.clone()),
                    None => failure,
                }
            }
            CallError::Garbled { status } => {
                Failure::new(Exit::Unreachable, format!("{doing}: {} answers {status}, but not as Socketing does", api.base()))
                    .hint("is that the right address? name another with --url")
            }
        }
    }
}
