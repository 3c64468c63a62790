//! JSON as text, handed on byte for byte.

use serde::de::IgnoredAny;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef, Postgres};
use std::fmt;

/// JSON that somebody has parsed already: Postgres, when it was stored. It isn't parsed again to be handed on.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Text of which nobody has said yet that it is JSON.
    ///
    /// # Errors
    /// If it isn't.
    pub fn parse(text: String) -> Result<Json, serde_json::Error> {
        serde_json::from_str::<IgnoredAny>(&text).map(|_| Json(text))
    }

    /// Text that Postgres has stored as JSON.
    pub(crate) const fn stored(text: String) -> Json {
        Json(text)
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl From<Json> for String {
    fn from(json: Json) -> String {
        json.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl sqlx::Type<Postgres> for Json {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("json")
    }
}

impl sqlx::Decode<'_, Postgres> for Json {
    fn decode(value: PgValueRef<'_>) -> Result<Json, BoxDynError> {
        Ok(Json(value.as_str()?.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_kept_as_it_stands_and_nothing_else_is_json() {
        let json = Json::parse("{\"a\": 1e2}".to_owned()).unwrap();
        assert_eq!(serde_json::to_string(&[&json]).unwrap(), "[{\"a\": 1e2}]");
        assert_eq!((json.to_string().as_str(), String::from(json.clone()).as_str()), (json.get(), json.get()));
        for text in ["", "{", "{} {}", "{a}"] {
            assert!(Json::parse(text.to_owned()).is_err(), "{text}");
        }
    }
}
