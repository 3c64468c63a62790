//! Pieces of the API's description that services share: problems, the ways to sign in, headers of commands.

use crate::catalogue::Code;
use serde::Serialize;
use serde_json::json;
use socketing_domain::seating::Block;
use std::collections::BTreeMap;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
        example::ExampleBuilder,
        header::HeaderBuilder,
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// Problem details (RFC 9457): the body of every error.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Where the code is described.
    #[schema(example = "/problems/seat_taken")]
    pub r#type: String,
    /// What is the matter, in the request's language (Korean or English).
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for programmers, in English.
    pub detail: Option<String>,
    /// The path of the request.
    pub instance: Option<String>,
    /// The stable code.
    #[schema(example = "seat_taken")]
    pub code: String,
    /// What the person can do, in the request's language.
    pub hint: String,
    /// The trace to name when asking for help.
    pub trace_id: Option<String>,
    /// The seats that it is about.
    pub seats: Option<Vec<u32>>,
    /// Free seats nearby, nearest first.
    pub alternatives: Option<Vec<u32>>,
    /// Better choices of as many seats, the best first.
    pub blocks: Option<Vec<Block>>,
    /// When it may be tried again.
    pub retry_at: Option<String>,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u64>,
    /// The position in the log that a refusal was decided at.
    pub position: Option<u64>,
    /// What is wrong with the body, each with its JSON pointer.
    pub errors: Option<Vec<FieldError>>,
}

/// One thing that is wrong with a body, and where.
#[derive(Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer.
    pub path: String,
    /// A stable code.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// The shared components; merge it into a service's document.
#[derive(OpenApi)]
#[openapi(components(schemas(ProblemBody, FieldError, Block)), modifiers(&SignIn))]
pub struct Shared;

/// The two ways to say who one is.
struct SignIn;

impl Modify for SignIn {
    fn modify(&self, document: &mut Document) {
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of POST /v1/sessions or /v1/accounts.")).build();
        let cookie = ApiKeyValue::with_description(
            crate::auth::SESSION_COOKIE,
            "What browsers get; unsafe requests need an Origin that is allowed.",
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// The responses that these codes are answered with: one per status, with an example per code.
#[must_use]
pub fn error_responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(status, &codes)))).collect()
}

fn response(status: u16, codes: &[Code]) -> Response {
    let lines = codes.iter().map(|code| format!("`{code}`: {}", code.entry().en.title));
    let examples = codes.iter().map(|code| (code.to_string(), ExampleBuilder::new().value(Some(example(*code))).build()));
    let content =
        utoipa::openapi::ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
    let response = ResponseBuilder::new().description(lines.collect::<Vec<_>>().join("\n\n"));
    let response = response.content("application/problem+json", content);
    if matches!(status, 429 | 503) { response.header("Retry-After", retry_after()).build() } else { response.build() }
}

fn retry_after() -> utoipa::openapi::Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
    HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds after which to try again.")).build()
}

fn example(code: Code) -> serde_json::Value {
    let entry = code.entry();
    json!({
        "type": format!("{}{code}", crate::problem::TYPE_PREFIX),
        "title": entry.en.title,
        "status": entry.status.as_u16(),
        "code": entry.code,
        "hint": entry.en.hint,
    })
}

/// Declares a type that documents the codes an endpoint answers with, for `responses(…)` of `utoipa::path`:
/// `error_responses!(HoldErrors: codes::BUSY, Code::of(Reason::SeatTaken));`
#[macro_export]
macro_rules! error_responses {
    ($(#[$doc:meta])* $name:ident: $($code:expr),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> ::std::collections::BTreeMap<String, ::utoipa::openapi::RefOr<::utoipa::openapi::Response>> {
                $crate::openapi::error_responses(&[$($code),+])
            }
        }
    };
}

/// The headers of a command, for the description of its endpoint.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // only described: the extractors read the headers
pub struct CommandHeaders {
    /// A key of the client's choice, new for each command and the same for its retries: 1 to 255 visible ASCII characters,
    /// best a UUIDv7, which costs least to record. The same key gets the same answer for at least 24 hours; with another command it is refused.
    #[param(rename = "Idempotency-Key", required = true, example = "01980d2e-7f3a-7cc1-9d53-0c9a5b1f4e11")]
    pub idempotency_key: String,
    /// W3C trace context.
    #[param(rename = "traceparent")]
    pub traceparent: Option<String>,
}
