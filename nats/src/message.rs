//! An event as a message: a readable subject, CloudEvents headers (binary mode), the payload's bytes unchanged.
//!
//! ```text
//! booking.performance.01976e4c-….SeatsHeld
//! ce-specversion: 1.0
//! ce-id: 4711                                      the position
//! ce-source: /socketing/logs/<log>/<incarnation>
//! ce-type: socketing.performance.SeatsHeld.v1
//! ce-subject: performance/01976e4c-…                the stream
//! ce-sequence: 17                                  in the stream
//! ce-time: 2026-11-23T11:00:00.123Z
//! content-type: application/json
//! traceparent: 00-…
//! Socketing-Metadata: {"actor":"account:…","command":"…"}
//!
//! {"SeatsHeld":{…}}
//! ```
//!
//! Nothing of an event is lost on the way: [`decode`] gives back what [`encode`] was given. Each header costs the relay,
//! the server and every reader some time for each event, so nothing is said twice.

use async_nats::header::{HeaderMap, HeaderName, HeaderValue, NATS_EXPECTED_LAST_SEQUENCE};
use bytes::Bytes;
use serde::Deserialize;
use socketing_domain::Timestamp;
use socketing_domain::event::StreamId;
use socketing_event_store::log::Head;
use socketing_event_store::{Json, RawEvent};
use std::borrow::Cow;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

const CE_SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");
const CE_ID: HeaderName = HeaderName::from_static("ce-id");
const CE_SOURCE: HeaderName = HeaderName::from_static("ce-source");
const CE_TYPE: HeaderName = HeaderName::from_static("ce-type");
const CE_SUBJECT: HeaderName = HeaderName::from_static("ce-subject");
const CE_TIME: HeaderName = HeaderName::from_static("ce-time");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CE_SEQUENCE: HeaderName = HeaderName::from_static("ce-sequence");
const METADATA: HeaderName = HeaderName::from_static("Socketing-Metadata");

/// Characters of a name that go into a subject's token.
const TOKEN_CHARS_MAX: usize = 64;

/// What is published.
#[derive(Debug)]
pub struct Outgoing {
    /// The subject.
    pub subject: String,
    /// The headers, the expected last sequence included.
    pub headers: HeaderMap,
    /// The payload's bytes.
    pub body: Bytes,
}

/// What was received: an event, and the history it is from.
#[derive(Debug)]
pub struct Incoming {
    /// The event, as Postgres has it.
    pub event: RawEvent,
    /// The log it is from.
    pub log_id: Uuid,
    /// The history of that log.
    pub incarnation: Uuid,
}

/// A message that no relay of ours can have published.
#[derive(Debug, thiserror::Error)]
#[error("not a message of the relay: {header} {problem}")]
pub struct NotOurs {
    /// Which header (or `body`).
    pub header: &'static str,
    /// What about it.
    pub problem: &'static str,
}

/// Where the events of a log come from: the log and its history, as messages name them.
#[must_use]
pub fn source(head: &Head) -> String {
    format!("/socketing/logs/{}/{}", head.log_id, head.incarnation)
}

/// The message of an event from this [`source`]. It is accepted only right after the one before it.
#[must_use]
pub fn encode(event: &RawEvent, source: &str) -> Outgoing {
    let RawEvent { aggregate_type, aggregate_id, event_type, event_version, .. } = event;
    let mut headers = HeaderMap::new();
    let mut put = |name: HeaderName, text: String| headers.insert(name, header_value(text));
    put(NATS_EXPECTED_LAST_SEQUENCE, (event.position - 1).to_string());
    put(CE_SPECVERSION, "1.0".into());
    put(CE_ID, event.position.to_string());
    put(CE_SOURCE, source.to_owned());
    // Put together instead of formatted: text that grows is copied, for each event of a rush.
    put(CE_TYPE, ["socketing.", aggregate_type, ".", event_type, ".v", event_version].concat());
    put(CE_SUBJECT, [aggregate_type, "/", aggregate_id].concat());
    put(CE_TIME, event.recorded_at.to_string());
    put(CONTENT_TYPE, "application/json".into());
    put(CE_SEQUENCE, event.sequence.to_string());
    if let Some(traceparent) = traceparent(&event.metadata) {
        put(TRACEPARENT, traceparent);
    }
    put(METADATA, event.metadata.get().to_owned());
    Outgoing { subject: subject(event), headers, body: Bytes::copy_from_slice(event.payload.get().as_bytes()) }
}

/// The event of a message.
///
/// # Errors
/// [`NotOurs`] if the relay can't have published it.
pub fn decode(headers: &HeaderMap, body: &[u8]) -> Result<Incoming, NotOurs> {
    let headers = Headers(headers);
    let (aggregate_type, aggregate_id) = headers.text("ce-subject")?.split_once('/').ok_or(NotOurs::bad("ce-subject"))?;
    let (event_type, event_version) = type_and_version(headers.text("ce-type")?, aggregate_type).ok_or(NotOurs::bad("ce-type"))?;
    let (log_id, incarnation) = history(headers.text("ce-source")?).ok_or(NotOurs::bad("ce-source"))?;
    let time = OffsetDateTime::parse(headers.text("ce-time")?, &Rfc3339).map_err(|_| NotOurs::bad("ce-time"))?;
    let body = String::from_utf8(body.to_vec()).map_err(|_| NotOurs::bad("body"))?;
    let event = RawEvent {
        position: headers.parse("ce-id")?,
        aggregate_type: aggregate_type.to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        sequence: headers.parse("ce-sequence")?,
        event_type: event_type.to_owned(),
        event_version: event_version.to_owned(),
        payload: Json::parse(body).map_err(|_| NotOurs::bad("body"))?,
        metadata: Json::parse(headers.text("Socketing-Metadata")?.to_owned()).map_err(|_| NotOurs::bad("Socketing-Metadata"))?,
        recorded_at: Timestamp::from(time),
    };
    Ok(Incoming { event, log_id, incarnation })
}

impl NotOurs {
    const fn bad(header: &'static str) -> NotOurs {
        NotOurs { header, problem: "can't be read" }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl<'a> Headers<'a> {
    /// By a name that isn't copied: ten copies a message add up.
    fn text(&self, header: &'static str) -> Result<&'a str, NotOurs> {
        self.0.get(HeaderName::from_static(header)).map(HeaderValue::as_str).ok_or(NotOurs { header, problem: "is missing" })
    }

    fn parse<T: std::str::FromStr>(&self, header: &'static str) -> Result<T, NotOurs> {
        self.text(header)?.parse().map_err(|_| NotOurs::bad(header))
    }
}

/// `SeatsHeld` and `1`, of `socketing.performance.SeatsHeld.v1`.
fn type_and_version<'a>(ce_type: &'a str, aggregate_type: &str) -> Option<(&'a str, &'a str)> {
    ce_type.strip_prefix("socketing.")?.strip_prefix(aggregate_type)?.strip_prefix('.')?.split_once(".v")
}

/// The log and its incarnation, of `/socketing/logs/<log>/<incarnation>`.
fn history(ce_source: &str) -> Option<(Uuid, Uuid)> {
    let (log, incarnation) = ce_source.strip_prefix("/socketing/logs/")?.split_once('/')?;
    Some((log.parse().ok()?, incarnation.parse().ok()?))
}

/// The subject; for a stream that only a newer program knows (nodes are replaced one by one), one made of its names.
fn subject(event: &RawEvent) -> String {
    match StreamId::parse(&event.aggregate_type, &event.aggregate_id) {
        Some(stream) => stream.subject(&event.event_type),
        None => format!("booking.{}.unknown.{}", token(&event.aggregate_type), token(&event.event_type)),
    }
}

fn token(name: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let token: String = name.chars().take(TOKEN_CHARS_MAX).map(clean).collect();
    if token.is_empty() { "_".into() } else { token }
}

fn traceparent(metadata: &Json) -> Option<String> {
    if !metadata.get().contains("\"traceparent\"") {
        return None; // most events of a rush: not parsed for nothing
    }
    #[derive(Deserialize)]
    struct Trace<'a> {
        #[serde(borrow, default)]
        traceparent: Option<Cow<'a, str>>,
    }
    serde_json::from_str::<Trace<'_>>(metadata.get()).ok()?.traceparent.map(Cow::into_owned)
}

/// A header's value is one line. JSON has line breaks only between its tokens, where a space says the same.
fn header_value(text: String) -> HeaderValue {
    let bytes = text.as_bytes();
    let one_line = !bytes.contains(&b'\n') && !bytes.contains(&b'\r'); // by bytes: a tenth of the cost by characters
    if one_line { HeaderValue::from(text) } else { HeaderValue::from(text.replace(['\r', '\n'], " ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(aggregate_type: &str, aggregate_id: &str) -> RawEvent {
        RawEvent {
            position: 4711,
            aggregate_type: aggregate_type.into(),
            aggregate_id: aggregate_id.into(),
            sequence: 17,
            event_type: "SeatsHeld".into(),
            event_version: "2".into(),
            payload: Json::parse(r#"{"SeatsHeld": {"name": "좌석 \n", "n":1e2}}"#.into()).unwrap(),
            metadata: Json::parse("{\"actor\":\"system:timer\",\n\"traceparent\":\"00-a-b-01\"}".into()).unwrap(),
            recorded_at: Timestamp::from_millis(1_700_000_000_123),
        }
    }

    fn head() -> Head {
        Head { position: 5000, log_id: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) }
    }

    #[test]
    fn an_event_comes_back_as_it_was() {
        let party = "01976e4c-0000-7000-8000-000000000001/01976e4c-0000-7000-8000-0000000000ff";
        for (kind, id) in [("performance", "01976e4c-0000-7000-8000-000000000001"), ("waiting-room", "x"), ("party", party)] {
            let sent = event(kind, id);
            let message = encode(&sent, &source(&head()));
            let received = decode(&message.headers, &message.body).unwrap();
            assert_eq!(received.event.hash(), sent.hash());
            assert_eq!(received.event.payload.get(), sent.payload.get(), "byte for byte");
            assert_eq!(received.event.recorded_at, sent.recorded_at);
            assert_eq!(received.event.metadata.get(), sent.metadata.get().replace('\n', " "));
            assert_eq!((received.log_id, received.incarnation), (head().log_id, head().incarnation));
        }
    }

    #[test]
    fn the_message_is_readable() {
        let message =
            encode(&event("party", "01976e4c-0000-7000-8000-000000000001/01976e4c-0000-7000-8000-0000000000ff"), &source(&head()));
        assert_eq!(message.subject, "booking.party.255.SeatsHeld");
        let header = |name: &str| message.headers.get(name).map(HeaderValue::as_str).unwrap_or_default();
        assert_eq!(header("ce-type"), "socketing.party.SeatsHeld.v2");
        assert_eq!(header("ce-id"), "4711");
        assert_eq!(header("traceparent"), "00-a-b-01");
        assert_eq!(header("Nats-Expected-Last-Sequence"), "4710");
    }

    #[test]
    fn a_stream_of_a_newer_program_still_gets_a_subject() {
        assert_eq!(encode(&event("new.kind >", "whatever"), &source(&head())).subject, "booking.new_kind__.unknown.SeatsHeld");
    }

    #[test]
    fn strangers_are_told_apart() {
        assert!(decode(&HeaderMap::new(), b"{}").is_err());
        let message = encode(&event("performance", "x"), &source(&head()));
        assert!(decode(&message.headers, b"{not json").is_err());
        let mut headers = message.headers.clone();
        headers.insert("ce-id", "-1");
        assert!(decode(&headers, &message.body).is_err());
    }
}
