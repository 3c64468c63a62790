//! What stands for a card: never its number.

use crate::limits::{CARD_TOKEN_CHARS_MAX, CARD_TOKEN_CHARS_MIN};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// How a card provider's tokens begin. A card's number can't, so none ever gets into the log by mistake.
const PREFIX: &str = "tok_";

/// A card, as its provider calls it: made by the provider's own page, worth nothing to anybody but us, used once.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^tok_[A-Za-z0-9_]+$", min_length = 12, max_length = 80, example = "tok_approved_01980d2e7f3a7cc19d530c9a")]
pub struct CardToken(String);

/// Why a text is no card token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a card token is {PREFIX} and letters, digits or underscores, {CARD_TOKEN_CHARS_MIN} to {CARD_TOKEN_CHARS_MAX} characters in all")]
pub struct NotACardToken;

impl CardToken {
    /// As the provider wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CardToken {
    type Error = NotACardToken;

    fn try_from(text: String) -> Result<CardToken, NotACardToken> {
        let fits = (CARD_TOKEN_CHARS_MIN..=CARD_TOKEN_CHARS_MAX).contains(&text.len());
        let plain = text.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        if fits && plain { Ok(CardToken(text)) } else { Err(NotACardToken) }
    }
}

impl FromStr for CardToken {
    type Err = NotACardToken;

    fn from_str(text: &str) -> Result<CardToken, NotACardToken> {
        text.to_owned().try_into()
    }
}

impl From<CardToken> for String {
    fn from(token: CardToken) -> String {
        token.0
    }
}

impl fmt::Display for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_what_a_provider_makes_and_never_a_number() {
        for good in ["tok_approved", "tok_00000000", "tok_Az9_01980d2e7f3a7cc19d530c9a"] {
            assert_eq!(good.parse::<CardToken>().map(String::from), Ok(good.to_owned()));
        }
        let long = format!("tok_{}", "a".repeat(CARD_TOKEN_CHARS_MAX - 3));
        for bad in ["", "tok_", "tok_1234567", "4242424242424242", "tok_4242 4242 4242", "tok_approved-1", "tok_카드카드카드", &long]
        {
            assert_eq!(bad.parse::<CardToken>(), Err(NotACardToken), "{bad}");
        }
        assert!(serde_json::from_str::<CardToken>(r#""4242424242424242""#).is_err());
    }
}
