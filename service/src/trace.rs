//! W3C trace context: which trace a request belongs to, from the `traceparent` header or, without a valid one, new.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use rand::Rng;
use std::{convert::Infallible, fmt};

/// The header.
pub const TRACEPARENT: &str = "traceparent";

/// A trace, and the span of this request in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// A new trace, not sampled.
    #[must_use]
    pub fn new() -> TraceContext {
        TraceContext { trace: rand::rng().random_range(1..=u128::MAX), span: new_span(), flags: 0 }
    }

    /// The trace that a header's value names, or `None` if it isn't valid: as the specification says, a later version
    /// may say more after the flags, version `ff` is none, and neither id may be zero.
    #[must_use]
    pub fn parse(value: &str) -> Option<TraceContext> {
        let mut parts = value.splitn(5, '-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let more = parts.next().is_some();
        let version = hex(version, 2)?;
        if version == 0xff || (version == 0 && more) {
            return None;
        }
        let trace = hex(trace, 32).filter(|id| *id != 0)?;
        let span = hex(span, 16).filter(|id| *id != 0)?;
        Some(TraceContext { trace, span: span as u64, flags: hex(flags, 2)? as u8 & 1 })
    }

    /// A request's: the trace its header names, with a span of its own, or a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> TraceContext {
        let named = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(TraceContext::parse);
        named.map_or_else(TraceContext::new, |parent| TraceContext { span: new_span(), ..parent })
    }

    /// The trace's id: 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        TraceContext::new()
    }
}

impl fmt::Display for TraceContext {
    /// The header's value. Its digits are put down by hand: every command's event carries it, and the formatting of 128 bits
    /// was a percent of the server's time for a held seat.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put_hex(&mut text[3..35], self.trace);
        put_hex(&mut text[36..52], self.span.into());
        put_hex(&mut text[53..], self.flags.into());
        f.write_str(std::str::from_utf8(&text).expect("digits and dashes"))
    }
}

fn put_hex(digits: &mut [u8], mut number: u128) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

fn new_span() -> u64 {
    rand::rng().random_range(1..=u64::MAX)
}

/// Exactly so many lower-case hex digits, as a number.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl<S: Send + Sync> FromRequestParts<S> for TraceContext {
    type Rejection = Infallible;

    /// What the outer layer put there, so that logs, events and problems name one span.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| TraceContext::of(&parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_header_keeps_its_trace_and_gets_a_span() {
        assert_eq!(TraceContext::parse(VALID).unwrap().to_string(), VALID);
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, VALID.parse().unwrap());
        let own = TraceContext::of(&headers);
        assert_eq!(own.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(own.to_string(), VALID);
        assert!(TraceContext::parse(&own.to_string()).is_some());
    }

    #[test]
    fn what_is_not_valid_starts_a_new_trace() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
        assert!(TraceContext::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
    }
}
