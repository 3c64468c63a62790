//! Errors as clients see them: RFC 9457 problem details, in the words of the [catalogue](crate::catalogue).
//!
//! A [`Problem`] is made where something fails. The layers around all routes then write it in the request's language, with the
//! request's path and trace. What goes to clients is a code, the catalogue's texts, a detail written for them, and
//! named members; never an inner error: that is the problem's cause, which is logged by whoever answers.

use crate::{
    catalogue::{Code, codes},
    language::Language,
    trace::TraceContext,
};
use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use socketing_domain::{Clock, Refusal, SystemClock, Timestamp};
use std::{error::Error, fmt, time::Duration};

/// The media type of problems.
pub const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Where the description of a code is found; with the code after it, the problem's `type`.
pub const TYPE_PREFIX: &str = "/problems/";

/// Something that a client is told it can't have, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, PartialEq, Debug)]
struct Inner {
    code: Code,
    detail: Option<String>,
    members: Map<String, Value>,
    headers: HeaderMap,
    retry: Option<Retry>,
    cause: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Retry {
    After(Duration),
    At(Timestamp),
}

impl Retry {
    /// Whole seconds from now, at least 1: `Retry-After: 0` would invite a busy loop.
    fn seconds(self) -> u64 {
        let wait = match self {
            Retry::After(wait) => wait,
            Retry::At(moment) => SystemClock.now().until(moment),
        };
        wait.as_secs_f64().ceil().max(1.0) as u64
    }
}

impl Problem {
    /// A problem with nothing but its code.
    #[must_use]
    pub fn new(code: Code) -> Problem {
        Problem(Box::new(Inner { code, detail: None, members: Map::new(), headers: HeaderMap::new(), retry: None, cause: None }))
    }

    /// With a sentence for programmers, in English, naming values and bounds.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.0.detail = Some(detail.into());
        self
    }

    /// With one more member of the body.
    ///
    /// # Panics
    /// If the value can't be written as JSON, which no value of a plain type can cause.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Serialize) -> Problem {
        let value = serde_json::to_value(value).expect("plain values are JSON");
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// With the time after which it makes sense to try again: `Retry-After`, and `retry_after` in seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.0.retry = Some(Retry::After(wait));
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.0.headers.insert(name, value);
        self
    }

    /// With what it came of, for the log: never for clients.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Problem {
        self.0.cause = Some(cause.into());
        self
    }

    /// Something went wrong that no client can mend: the client gets a bare 500, the log its causes.
    #[must_use]
    pub fn internal(doing: &str, error: &(dyn Error + 'static)) -> Problem {
        Problem::new(codes::INTERNAL).because(format!("{doing}: {}", chain(error)))
    }

    /// What this service depends on can't be reached: the client gets 503, the log its causes.
    #[must_use]
    pub fn unavailable(doing: &str, error: &(dyn Error + 'static)) -> Problem {
        Problem::new(codes::UNAVAILABLE).retry_after(Duration::from_secs(2)).because(format!("{doing}: {}", chain(error)))
    }

    /// A query or statement failed: 503 if the database can't be reached or has no connection to spare, else 500.
    #[must_use]
    pub fn database(doing: &str, error: &sqlx::Error) -> Problem {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Problem::unavailable(doing, error)
            }
            sqlx::Error::Database(inner) if passing(inner.code().as_deref()) => Problem::unavailable(doing, error),
            _ => Problem::internal(doing, error),
        }
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What it came of, if that is for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// The members that any carrier shows, an HTTP answer as well as a message of the live connection.
    #[must_use]
    pub fn to_json(&self, language: Language) -> Map<String, Value> {
        let entry = self.0.code.entry();
        let texts = entry.texts(language);
        let mut body = Map::new();
        body.insert("type".into(), format!("{TYPE_PREFIX}{}", entry.code).into());
        body.insert("title".into(), texts.title.as_str().into());
        body.insert("status".into(), entry.status.as_u16().into());
        if let Some(detail) = &self.0.detail {
            body.insert("detail".into(), detail.as_str().into());
        }
        body.insert("code".into(), entry.code.as_str().into());
        body.insert("hint".into(), texts.hint.as_str().into());
        body.extend(self.0.members.clone());
        if let Some(retry) = self.0.retry {
            body.insert("retry_after".into(), retry.seconds().into());
        }
        body
    }

    fn respond(self, language: Language, instance: Option<&str>, trace: Option<&TraceContext>) -> Response {
        let mut body = self.to_json(language);
        if let Some(path) = instance {
            body.insert("instance".into(), path.into());
        }
        if let Some(trace) = trace {
            body.insert("trace_id".into(), trace.trace_id().into());
        }
        let mut response = (self.status(), Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        headers.append(VARY, HeaderValue::from_static("accept-language"));
        if let Some(retry) = self.0.retry {
            headers.insert(RETRY_AFTER, retry.seconds().into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

/// Postgres's states that pass by themselves: connection trouble, shutdown, too many connections, timeouts, read-only
/// (a failover in progress).
fn passing(state: Option<&str>) -> bool {
    state.is_some_and(|state| {
        state.starts_with("08")
            || state.starts_with("53")
            || state.starts_with("57")
            || matches!(state, "25006" | "55P03" | "40001" | "40P01")
    })
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

impl From<Code> for Problem {
    fn from(code: Code) -> Problem {
        Problem::new(code)
    }
}

impl From<Refusal> for Problem {
    /// What the domain says, with the seats it is about, free ones nearby, and when it may be tried again. Which event
    /// was the cause stays inside: it would tell how busy the others are.
    fn from(refusal: Refusal) -> Problem {
        let mut problem = Problem::new(Code::of(refusal.reason)).detail(refusal.detail);
        if !refusal.seats.is_empty() {
            problem = problem.member("seats", refusal.seats);
        }
        if !refusal.alternatives.is_empty() {
            problem = problem.member("alternatives", refusal.alternatives);
        }
        if !refusal.blocks.is_empty() {
            problem = problem.member("blocks", refusal.blocks);
        }
        if let Some(moment) = refusal.retry_at {
            problem = problem.member("retry_at", moment);
            problem.0.retry = Some(Retry::At(moment));
        }
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.detail {
            Some(detail) => write!(f, "{}: {detail}", self.0.code),
            None => write!(f, "{}: {}", self.0.code, self.0.code.entry().en.title),
        }
    }
}

impl Error for Problem {}

impl IntoResponse for Problem {
    /// In English and without the request's path: the layers around all routes write it anew with both.
    fn into_response(self) -> Response {
        self.respond(Language::default(), None, None)
    }
}

/// Who is told of a problem: in which language, about which path, within which trace.
pub(crate) struct Told {
    language: Language,
    pub(crate) uri: Uri,
    pub(crate) trace: TraceContext,
}

impl Told {
    /// The sender of a request.
    pub(crate) fn by(request: &Request, trace: TraceContext) -> Told {
        Told { language: Language::of(request.headers()), uri: request.uri().clone(), trace }
    }

    /// Writes problems in the request's language, with its path and trace. An error that no handler made (an unknown path
    /// or method, a body that a layer refused) becomes a problem here, so that every error has one shape.
    pub(crate) fn render(&self, mut response: Response) -> Response {
        let problem = match response.extensions_mut().remove::<Problem>() {
            Some(problem) => problem,
            None => match unnamed(&response) {
                Some(code) => Problem::new(code),
                None => return response,
            },
        };
        let written = problem.respond(self.language, Some(self.uri.path()), Some(&self.trace));
        merge(response, written)
    }
}

/// The code of an error answer that isn't a problem yet: one with no body, or with a layer's plain text.
fn unnamed(response: &Response) -> Option<Code> {
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let bare = content_type.is_none_or(|kind| kind.starts_with(b"text/plain"));
    if !bare {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(codes::NOT_FOUND),
        StatusCode::METHOD_NOT_ALLOWED => Some(codes::METHOD_NOT_ALLOWED),
        StatusCode::PAYLOAD_TOO_LARGE => Some(codes::TOO_LARGE),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(codes::UNSUPPORTED_MEDIA_TYPE),
        status if status.is_client_error() => Some(codes::INVALID_BODY),
        status if status.is_server_error() => Some(codes::INTERNAL),
        _ => None,
    }
}

/// The written problem, with the headers that inner layers had put on the answer (`Allow`, rate limits, cookies).
fn merge(response: Response, mut written: Response) -> Response {
    let (parts, _) = response.into_parts();
    for (name, value) in &parts.headers {
        if !matches!(*name, CONTENT_TYPE | CONTENT_LENGTH | CONTENT_LANGUAGE | RETRY_AFTER) && !written.headers().contains_key(name) {
            written.headers_mut().append(name, value.clone());
        }
    }
    written
}

/// Answers with the catalogue's entry of a code (a problem's `type` leads here), or 404.
pub async fn describe(axum::extract::Path(code): axum::extract::Path<String>) -> Response {
    let Some(entry) = crate::catalogue::ENTRIES.iter().find(|entry| entry.code == code) else {
        return Problem::new(codes::NOT_FOUND).into_response();
    };
    let texts = |texts: &crate::catalogue::Texts| serde_json::json!({ "title": texts.title, "hint": texts.hint });
    let body = serde_json::json!({
        "code": entry.code,
        "status": entry.status.as_u16(),
        "ko": texts(&entry.ko),
        "en": texts(&entry.en),
    });
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(body.to_string())).into_response()
}
