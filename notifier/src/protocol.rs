//! The messages of the subprotocol `socketing.v1.json`, one JSON object a message. `docs/live.md` describes them for those
//! who write clients.

use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use socketing_domain::{AccountId, PerformanceId, Timestamp};
use socketing_service::{Problem, language::Language};
use uuid::Uuid;

/// The subprotocol's name.
pub const SUBPROTOCOL: &str = "socketing.v1.json";

/// What a client says.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Begins a subscription, under an id that the client chooses.
    Subscribe(Subscribe),
    /// Ends one.
    Unsubscribe {
        /// Which.
        id: u32,
    },
    /// Asks for the time.
    Ping,
}

/// What is subscribed to.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Subscribe {
    /// Stands in every message of the subscription.
    pub(crate) id: u32,
    /// `seats`, `line` or `me`.
    pub(crate) topic: String,
    /// Whose seats or line.
    #[serde(default)]
    pub(crate) performance: Option<PerformanceId>,
    /// The position that the client has: it gets just what it missed, where that is known.
    #[serde(default)]
    pub(crate) after: Option<u64>,
    /// For `line`: the client's number.
    #[serde(default)]
    pub(crate) number: Option<u64>,
}

/// The id in a message that can't be understood otherwise.
#[derive(Deserialize)]
pub(crate) struct Identified {
    pub(crate) id: Option<u32>,
}

/// What the server says, besides snapshots and deltas (which rooms and mailboxes write).
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Reply<'a> {
    /// The first message.
    Hello {
        now: Timestamp,
        position: u64,
        incarnation: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        account: Option<AccountId>,
    },
    /// The subscription ended, as was asked.
    Unsubscribed { id: u32 },
    /// The time.
    Pong { now: Timestamp },
    /// The server is going away; come back so much later.
    Reconnect { after_ms: u64 },
    /// A message couldn't be done, or a subscription ended by itself.
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u32>,
        code: &'a str,
        title: &'a str,
        hint: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    },
}

impl Reply<'_> {
    /// The message as it is sent.
    pub(crate) fn encode(&self) -> Utf8Bytes {
        serde_json::to_string(self).expect("replies are plain JSON").into()
    }
}

/// A problem as a message. Its cause stays here, in the log.
pub(crate) fn error(id: Option<u32>, problem: &Problem, language: Language) -> Utf8Bytes {
    if let Some(error) = problem.cause() {
        tracing::warn!(code = problem.code().as_str(), error, "a subscription can't be served");
    }
    let members = problem.to_json(language);
    let text = |name: &str| members.get(name).and_then(serde_json::Value::as_str);
    Reply::Error {
        id,
        code: problem.code().as_str(),
        title: text("title").unwrap_or_default(),
        hint: text("hint").unwrap_or_default(),
        detail: text("detail"),
    }
    .encode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_service::catalogue::codes;

    #[test]
    fn requests_are_read() {
        let performance = PerformanceId::new();
        let text = format!(r#"{{"type":"subscribe","id":1,"topic":"seats","performance":"{performance}","after":7,"unknown":true}}"#);
        let expected = Subscribe { id: 1, topic: "seats".into(), performance: Some(performance), after: Some(7), number: None };
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), Request::Subscribe(expected));
        assert_eq!(serde_json::from_str::<Request>(r#"{"type":"unsubscribe","id":2}"#).unwrap(), Request::Unsubscribe { id: 2 });
        assert_eq!(serde_json::from_str::<Request>(r#"{"type":"ping"}"#).unwrap(), Request::Ping);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "{}", "[]", "1", r#"{"type":"subscribe"}"#, r#"{"type":"subscribe","id":-1,"topic":"me"}"#, r#"{"type":"drop"}"#] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_speak_the_clients_language() {
        let problem = Problem::new(codes::UNKNOWN_TOPIC).detail("no topic is called x");
        let korean = error(Some(3), &problem, Language::Ko);
        assert!(korean.starts_with(r#"{"type":"error","id":3,"code":"unknown_topic","title":""#), "{korean}");
        assert!(korean.ends_with(r#","detail":"no topic is called x"}"#), "{korean}");
        assert_ne!(korean, error(Some(3), &problem, Language::En));
    }
}
