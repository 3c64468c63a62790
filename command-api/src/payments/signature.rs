//! Signatures of the card provider's messages: HMAC-SHA256 of the time and the body, with a secret that both know.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use socketing_domain::Timestamp;

/// Seconds that a message may be old, or ahead: an old one may be repeated by whoever overheard it; clocks differ a little.
pub const AGE_SECONDS_MAX: i64 = 300;
/// The version of the signature, before its hexadecimal digits.
const SCHEME: &str = "v1=";

/// Why a message isn't believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSigned {
    /// The time isn't whole seconds, or the signature not `v1=` and 64 hexadecimal digits.
    #[error("the signature or its time is malformed")]
    Malformed,
    /// It was signed too long ago, or is from the future.
    #[error("the signature is older than {AGE_SECONDS_MAX} s, or from the future")]
    Stale,
    /// It was signed with another secret, or something was changed.
    #[error("the signature is wrong")]
    Forged,
}

/// The secret shared with the card provider.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

impl WebhookSecret {
    /// From the option's text.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(secret: &str) -> WebhookSecret {
        WebhookSecret(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length"))
    }

    /// The signature of a message sent at this second since 1970.
    #[must_use]
    pub fn sign(&self, at_s: i64, body: &[u8]) -> String {
        let digest = self.mac(at_s, body).finalize().into_bytes();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{SCHEME}{hex}")
    }

    /// Whether a message was signed with this secret, not long ago. Compares in constant time.
    ///
    /// # Errors
    /// Why it isn't believed.
    pub fn verify(&self, at: &str, signature: &str, body: &[u8], now: Timestamp) -> Result<(), NotSigned> {
        let at_s: i64 = at.parse().map_err(|_| NotSigned::Malformed)?;
        let bytes = signature.strip_prefix(SCHEME).and_then(unhex).ok_or(NotSigned::Malformed)?;
        self.mac(at_s, body).verify_slice(&bytes).map_err(|_| NotSigned::Forged)?;
        let age = now.as_millis() / 1000 - at_s;
        if age.abs() > AGE_SECONDS_MAX { Err(NotSigned::Stale) } else { Ok(()) }
    }

    fn mac(&self, at_s: i64, body: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(at_s.to_string()).chain_update(".").chain_update(body)
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(not shown)")
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_800_000_000;

    fn now(seconds: i64) -> Timestamp {
        Timestamp::from_millis((AT + seconds) * 1000)
    }

    #[test]
    fn what_was_signed_just_now_is_believed() {
        let secret = WebhookSecret::new("secret");
        let signature = secret.sign(AT, b"body");
        for seconds in [0, 1, -1, AGE_SECONDS_MAX, -AGE_SECONDS_MAX] {
            assert_eq!(secret.verify(&AT.to_string(), &signature, b"body", now(seconds)), Ok(()));
        }
        for seconds in [AGE_SECONDS_MAX + 1, -AGE_SECONDS_MAX - 1] {
            assert_eq!(secret.verify(&AT.to_string(), &signature, b"body", now(seconds)), Err(NotSigned::Stale));
        }
    }

    #[test]
    fn the_signature_is_the_documented_one() {
        // printf '1800000000.body' | openssl dgst -sha256 -hmac secret
        let expected = "v1=1d26931343beaba0d64eb505a123c227f639c345becfd8d121c41755e6a46674";
        assert_eq!(WebhookSecret::new("secret").sign(AT, b"body"), expected);
    }

    #[test]
    fn another_secret_time_or_body_is_forged() {
        let secret = WebhookSecret::new("secret");
        let signature = secret.sign(AT, b"body");
        let at = AT.to_string();
        assert_eq!(WebhookSecret::new("other").verify(&at, &signature, b"body", now(0)), Err(NotSigned::Forged));
        assert_eq!(secret.verify(&at, &signature, b"other", now(0)), Err(NotSigned::Forged));
        assert_eq!(secret.verify(&(AT + 1).to_string(), &signature, b"body", now(0)), Err(NotSigned::Forged));
        for byte in 3..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[byte] = if changed[byte] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(secret.verify(&at, &changed, b"body", now(0)), Err(NotSigned::Forged), "digit {byte}");
        }
    }

    #[test]
    fn what_is_no_signature_is_malformed() {
        let secret = WebhookSecret::new("secret");
        let good = secret.sign(AT, b"body");
        for bad in ["", "v1=", "v2=00", &good[3..], &good[..66], &format!("{good}0"), &format!("v1={}", "+1".repeat(32))] {
            let verdict = secret.verify(&AT.to_string(), bad, b"body", now(0));
            assert!(matches!(verdict, Err(NotSigned::Malformed | NotSigned::Forged)), "{bad}: {verdict:?}");
        }
        for at in ["", "now", "1.5", "99999999999999999999"] {
            assert_eq!(secret.verify(at, &good, b"body", now(0)), Err(NotSigned::Malformed), "{at}");
        }
    }
}
