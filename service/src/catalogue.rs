//! The one catalogue of errors: each code's status, and what to tell people in Korean and English. It is the file
//! `service/errors.json`, which the web UI imports too.

use crate::language::Language;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use socketing_domain::refusal::Reason;
use std::{collections::HashMap, fmt, sync::LazyLock};

/// The catalogue's text, as it is embedded and served.
pub const JSON: &str = include_str!("../errors.json");

/// One code's entry.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The stable code.
    pub code: String,
    /// The HTTP status that it is answered with.
    #[serde(deserialize_with = "status")]
    pub status: StatusCode,
    /// What it says in Korean.
    pub ko: Texts,
    /// What it says in English.
    pub en: Texts,
}

/// What an error says to a person.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// What is the matter, in one sentence without a full stop.
    pub title: String,
    /// What the person can do.
    pub hint: String,
}

impl Entry {
    /// The texts in one language.
    #[must_use]
    pub const fn texts(&self, language: Language) -> &Texts {
        match language {
            Language::Ko => &self.ko,
            Language::En => &self.en,
        }
    }
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
    StatusCode::from_u16(u16::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    errors: Vec<Entry>,
}

/// Every entry, in the file's order.
pub static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let file: File = serde_json::from_str(JSON).expect("service/errors.json is well-formed: a test reads it");
    file.errors
});

static BY_CODE: LazyLock<HashMap<&'static str, &'static Entry>> =
    LazyLock::new(|| ENTRIES.iter().map(|entry| (entry.code.as_str(), entry)).collect());

/// A code of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

impl Code {
    /// The code as clients know it, such as `seat_taken`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The code of a reason of the domain.
    #[must_use]
    pub const fn of(reason: Reason) -> Code {
        Code(reason.code())
    }

    /// Its entry.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        BY_CODE.get(self.0).copied().expect("every code is in the catalogue: a test compares them")
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.entry().status
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal),+ $(,)?) => {
        /// The codes that are not the domain's: of requests, sessions, limits, queries and the live connection.
        /// What each means and when it is answered stands in the catalogue.
        #[allow(missing_docs)] // the catalogue documents each, in two languages
        pub mod codes {
            use super::Code;
            $(pub const $name: Code = Code($code);)+
            /// All of them.
            pub const ALL: &[Code] = &[$($name),+];
        }
    };
}

codes! {
    BAD_JSON = "bad_json",
    INVALID_BODY = "invalid_body",
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type",
    TOO_LARGE = "too_large",
    INVALID_ID = "invalid_id",
    INVALID_QUERY = "invalid_query",
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing",
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid",
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused",
    NOT_FOUND = "not_found",
    METHOD_NOT_ALLOWED = "method_not_allowed",
    UNAUTHENTICATED = "unauthenticated",
    SESSION_EXPIRED = "session_expired",
    INVALID_CREDENTIALS = "invalid_credentials",
    UNKNOWN_EMAIL = "unknown_email",
    EMAIL_TAKEN = "email_taken",
    NICKNAME_TAKEN = "nickname_taken",
    ORIGIN_REFUSED = "origin_refused",
    NOT_A_PERSON = "not_a_person",
    TOO_MANY_ATTEMPTS = "too_many_attempts",
    TOO_MANY_REQUESTS = "too_many_requests",
    BUSY = "busy",
    TIMEOUT = "timeout",
    UNAVAILABLE = "unavailable",
    INTERNAL = "internal",
    METHOD_UNAVAILABLE = "method_unavailable",
    WEBHOOK_REFUSED = "webhook_refused",
    PLAN_INVALID = "plan_invalid",
    UNKNOWN_PLAN = "unknown_plan",
    POSITION_UNKNOWN = "position_unknown",
    PROJECTION_BEHIND = "projection_behind",
    PROJECTION_PARKED = "projection_parked",
    BAD_MESSAGE = "bad_message",
    UNKNOWN_TOPIC = "unknown_topic",
    TOO_MANY_SUBSCRIPTIONS = "too_many_subscriptions",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn known() -> BTreeSet<&'static str> {
        let reasons = Reason::ALL.iter().map(|reason| reason.code());
        codes::ALL.iter().map(|code| code.as_str()).chain(reasons).collect()
    }

    #[test]
    fn the_catalogue_has_every_code_once_and_no_other() {
        let listed: Vec<&str> = ENTRIES.iter().map(|entry| entry.code.as_str()).collect();
        let listed_once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), listed_once.len(), "a code stands in the catalogue twice");
        assert_eq!(listed_once, known());
    }

    #[test]
    fn every_entry_is_an_error_and_says_something_in_both_languages() {
        for entry in ENTRIES.iter() {
            assert!(entry.status.is_client_error() || entry.status.is_server_error(), "{}", entry.code);
            for text in [&entry.ko.title, &entry.ko.hint, &entry.en.title, &entry.en.hint] {
                assert!(!text.trim().is_empty() && text.trim() == text, "{}: {text:?}", entry.code);
            }
            assert!(entry.ko.title.chars().any(|c| ('가'..='힣').contains(&c)), "{}: no Korean", entry.code);
            assert!(entry.en.title.is_ascii() && entry.en.hint.is_ascii(), "{}: English isn't plain", entry.code);
            assert!(!entry.ko.title.ends_with('.') && !entry.en.title.ends_with('.'), "{}: a title has a full stop", entry.code);
            assert!(entry.ko.hint.ends_with('.') && entry.en.hint.ends_with('.'), "{}: a hint has no full stop", entry.code);
        }
    }
}
