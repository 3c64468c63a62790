//! The `Idempotency-Key` header: one key per command, the same key for its retries.

use crate::{Problem, catalogue::codes};
use axum::{extract::FromRequestParts, http::request::Parts};
use socketing_domain::limits::IDEMPOTENCY_KEY_BYTES_MAX;

/// The header.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A command's key: 1 to 255 visible ASCII bytes. A structured-field string (`"…"`) counts without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey(pub String);

impl IdempotencyKey {
    /// The key that a header's value holds, or `None` if it holds none.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<IdempotencyKey> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let key = if text.starts_with('"') { unquote(text)? } else { text.to_owned() };
        let fits = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(IdempotencyKey(key))
    }
}

/// The content of a structured field's string (RFC 9651, 4.2.5): a backslash precedes only a quote or a backslash.
fn unquote(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return None,
            '\\' => content.push(rest.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => content.push(c),
        }
    }
    Some(content)
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = values.next().ok_or(codes::IDEMPOTENCY_KEY_MISSING)?;
        let invalid = || Problem::new(codes::IDEMPOTENCY_KEY_INVALID);
        if values.next().is_some() {
            return Err(invalid().detail("more than one Idempotency-Key"));
        }
        IdempotencyKey::parse(value.as_bytes()).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Option<String> {
        IdempotencyKey::parse(value.as_bytes()).map(|key| key.0)
    }

    #[test]
    fn visible_ascii_is_a_key_with_or_without_quotes() {
        assert_eq!(key("abc-1"), Some("abc-1".into()));
        assert_eq!(key(r#""abc-1""#), Some("abc-1".into()));
        assert_eq!(key(r#""a\"b\\c""#), Some(r#"a"b\c"#.into()));
        assert_eq!(key(&"k".repeat(255)), Some("k".repeat(255)));
    }

    #[test]
    fn anything_else_is_none() {
        for bad in ["", "  ", "a b", r#""""#, r#"""#, r#""a"#, r#""a"b""#, r#""a\b""#, r#""a\""#, "키", "a\u{7f}"] {
            assert_eq!(key(bad), None, "{bad}");
        }
        assert_eq!(key(&"k".repeat(256)), None);
    }
}
