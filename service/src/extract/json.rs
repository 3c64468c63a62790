//! JSON bodies: bounded, and refused with the place that is wrong.

use super::invalid;
use crate::{Problem, catalogue::codes};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use futures::{FutureExt, future::ready};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

/// A JSON body. The bound on its size is the route's [`axum::extract::DefaultBodyLimit`]; nesting is bounded by the
/// parser (128 levels), so that no body can exhaust the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    fn from_request(request: Request, state: &S) -> impl Future<Output = Result<Self, Problem>> + Send {
        if !is_json(request.headers()) {
            return ready(Err(Problem::new(codes::UNSUPPORTED_MEDIA_TYPE))).left_future();
        }
        Bytes::from_request(request, state).map(read).right_future()
    }
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<Json<T>, Problem> {
    let body = body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(codes::TOO_LARGE),
        _ => Problem::new(codes::BAD_JSON).detail("the body ended before it was complete"),
    })?;
    check_object(&body)?;
    parse(&body).map(Json)
}

/// All bodies are objects. Without this, a struct could also be sent as an array of its fields' values.
fn check_object(body: &[u8]) -> Result<(), Problem> {
    if body.trim_ascii_start().first().is_none_or(|first| *first == b'{') {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(body).map_err(|error| bad(&error))?;
    Err(invalid("", "the body must be a JSON object"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A body's value.
///
/// # Errors
/// `bad_json` where it isn't JSON; `invalid_body` with the JSON pointer of what is wrong where it is.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() { invalid(path, without_place(&inner)) } else { bad(&inner) }
    })?;
    deserializer.end().map_err(|error| bad(&error))?;
    Ok(value)
}

fn bad(error: &serde_json::Error) -> Problem {
    Problem::new(codes::BAD_JSON).detail(error.to_string())
}

/// The parser's sentence without its "at line 1 column 20": the pointer says it better.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The JSON pointer (RFC 6901) of a path.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use serde::Deserialize;
    use serde_json::Value;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        seats: Vec<u32>,
        #[serde(default)]
        inner: Option<Box<Order>>,
    }

    fn refused(body: &str) -> (String, Option<String>) {
        let problem = parse::<Order>(body.as_bytes()).unwrap_err();
        let json = problem.to_json(Language::En);
        let path = json.get("errors").map(|errors| errors[0]["path"].as_str().unwrap().to_owned());
        (json["code"].as_str().unwrap().to_owned(), path)
    }

    #[test]
    fn a_good_body_is_read() {
        assert_eq!(parse::<Order>(br#" {"seats":[1,2]} "#).unwrap(), Order { seats: vec![1, 2], inner: None });
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        assert_eq!(refused(r#"{"seats":[1,"x"]}"#), ("invalid_body".into(), Some("/seats/1".into())));
        assert_eq!(refused(r#"{"seats":[],"inner":{"seats":[-1]}}"#), ("invalid_body".into(), Some("/inner/seats/0".into())));
        assert_eq!(refused(r#"{"seats":[],"inner":{"seats":[],"a/b":1}}"#), ("invalid_body".into(), Some("/inner/a~1b".into())));
        assert_eq!(refused(r#"{}"#), ("invalid_body".into(), Some(String::new())));
        assert_eq!(refused(r#"{"seats":[],"seats":[]}"#).0, "invalid_body");
    }

    #[test]
    fn what_is_no_json_is_bad() {
        for body in ["", "{", "nonsense", r#"{"seats":[]} x"#, "\u{feff}{}", "{\"seats\":[1,]}"] {
            assert_eq!(refused(body), ("bad_json".into(), None), "{body}");
        }
    }

    #[test]
    fn a_body_is_an_object() {
        let code = |body: &str| check_object(body.as_bytes()).map_err(|problem| problem.code());
        assert_eq!(code(" {"), Ok(()));
        assert_eq!(code("[[1]]"), Err(codes::INVALID_BODY));
        assert_eq!(code("7"), Err(codes::INVALID_BODY));
        assert_eq!(code("[1"), Err(codes::BAD_JSON));
        assert_eq!(code(&"[".repeat(1_000_000)), Err(codes::BAD_JSON));
    }

    #[test]
    fn nesting_without_end_is_refused_without_exhausting_the_stack() {
        let deep = format!("{}1{}", r#"{"seats":[],"inner":"#.repeat(100_000), "}".repeat(100_000));
        assert_eq!(refused(&deep), ("bad_json".into(), None));
        let problem = parse::<Value>("[".repeat(1_000_000).as_bytes()).unwrap_err();
        assert_eq!(problem.code(), codes::BAD_JSON);
    }
}
