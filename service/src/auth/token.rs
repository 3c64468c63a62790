//! Session tokens: who, which session, until when, signed with HMAC-SHA256.
//!
//! `skt_` and 98 or so characters of URL-safe base64: a version byte, the session's id, the expiry in milliseconds, the
//! kind of actor and its id or name, then the signature of all that. The prefix lets scanners find leaked tokens.

use crate::secret;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use socketing_domain::{AccountId, Timestamp, event::Actor};
use sqlx::PgPool;
use std::fmt;
use uuid::Uuid;

const PREFIX: &str = "skt_";
const VERSION: u8 = 1;
const SIGNATURE_BYTES: usize = 32;
/// Version, session, expiry, kind.
const HEAD_BYTES: usize = 1 + 16 + 8 + 1;
/// Longer than any token there is: what is longer isn't decoded.
const TOKEN_CHARS_MAX: usize = 256;
const ACCOUNT: u8 = 1;
const SYSTEM: u8 = 2;

/// The row of `service_secrets` that holds the key.
const SECRET: &str = "session-tokens";

/// The parts of the system that may come in over HTTP with a token of their own.
pub const SYSTEM_PARTS: &[&str] = &["cli"];

/// What a token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claims {
    /// The session, which signing out ends.
    pub session: Uuid,
    /// Who.
    pub actor: Actor,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Why a token isn't valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidToken {
    /// It isn't of our making.
    #[error("the token is malformed")]
    Malformed,
    /// Its signature is wrong.
    #[error("the token's signature is wrong")]
    Forged,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// Signs and verifies tokens with one key.
#[derive(Clone)]
pub struct Tokens {
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(key not shown)")
    }
}

impl Tokens {
    /// With this key.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Tokens {
        Tokens { mac: Hmac::new_from_slice(key).expect("HMAC takes keys of any length") }
    }

    /// With the system's key; `None` before the first service has started.
    ///
    /// # Errors
    /// The database's.
    pub async fn load(pool: &PgPool) -> Result<Option<Tokens>, sqlx::Error> {
        Ok(secret::load(pool, SECRET).await?.map(|key| Tokens::new(&key)))
    }

    /// With the system's key, made now if there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn load_or_create(pool: &PgPool) -> Result<Tokens, sqlx::Error> {
        Ok(Tokens::new(&secret::load_or_create(pool, SECRET).await?))
    }

    /// The token that says this.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 16 + SIGNATURE_BYTES);
        bytes.push(VERSION);
        bytes.extend(claims.session.as_bytes());
        bytes.extend(claims.expires_at.as_millis().to_be_bytes());
        match claims.actor {
            Actor::Account(account) => {
                bytes.push(ACCOUNT);
                bytes.extend(account.0.as_bytes());
            }
            Actor::System(part) => {
                bytes.push(SYSTEM);
                bytes.extend(part.as_bytes());
            }
        }
        let signature = self.mac.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend(signature);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What a token says, if it is ours and its time isn't over.
    ///
    /// # Errors
    /// Why it isn't valid. The signature is compared in constant time.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        let encoded = token.strip_prefix(PREFIX).filter(|text| text.len() <= TOKEN_CHARS_MAX).ok_or(InvalidToken::Malformed)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidToken::Malformed)?;
        let signed = bytes.len().checked_sub(SIGNATURE_BYTES).filter(|signed| *signed >= HEAD_BYTES).ok_or(InvalidToken::Malformed)?;
        let (body, signature) = bytes.split_at(signed);
        self.mac.clone().chain_update(body).verify_slice(signature).map_err(|_| InvalidToken::Forged)?;
        let claims = read(body).ok_or(InvalidToken::Malformed)?;
        if claims.expires_at <= now {
            return Err(InvalidToken::Expired);
        }
        Ok(claims)
    }
}

fn read(body: &[u8]) -> Option<Claims> {
    let (version, rest) = body.split_first()?;
    let (session, rest) = rest.split_first_chunk::<16>()?;
    let (expires_at, rest) = rest.split_first_chunk::<8>()?;
    let (kind, who) = rest.split_first()?;
    if *version != VERSION {
        return None;
    }
    let actor = match *kind {
        ACCOUNT => Actor::Account(AccountId(Uuid::from_bytes(who.try_into().ok()?))),
        SYSTEM => Actor::System(SYSTEM_PARTS.iter().find(|part| part.as_bytes() == who)?),
        _ => return None,
    };
    let expires_at = Timestamp::from_millis(i64::from_be_bytes(*expires_at));
    Some(Claims { session: Uuid::from_bytes(*session), actor, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn claims(actor: Actor) -> Claims {
        Claims { session: Uuid::now_v7(), actor, expires_at: NOW.plus_seconds(60) }
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let tokens = Tokens::new(b"key");
        for actor in [Actor::Account(AccountId::new()), Actor::System("cli")] {
            let claims = claims(actor);
            let token = tokens.sign(&claims);
            assert!(token.len() <= TOKEN_CHARS_MAX);
            assert_eq!(tokens.verify(&token, NOW), Ok(claims));
        }
    }

    #[test]
    fn another_key_or_any_changed_bit_is_refused() {
        let tokens = Tokens::new(b"key");
        let token = tokens.sign(&claims(Actor::Account(AccountId::new())));
        assert_eq!(Tokens::new(b"other").verify(&token, NOW), Err(InvalidToken::Forged));
        let bytes = URL_SAFE_NO_PAD.decode(&token[PREFIX.len()..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(tokens.verify(&changed, NOW), Err(InvalidToken::Forged), "bit {bit}");
        }
    }

    #[test]
    fn it_ends_at_its_time() {
        let tokens = Tokens::new(b"key");
        let token = tokens.sign(&claims(Actor::Account(AccountId::new())));
        assert!(tokens.verify(&token, NOW.plus_seconds(59)).is_ok());
        assert_eq!(tokens.verify(&token, NOW.plus_seconds(60)), Err(InvalidToken::Expired));
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        let tokens = Tokens::new(b"key");
        let long = format!("{PREFIX}{}", "A".repeat(100_000));
        for bad in ["", "skt_", "skt_AAAA", "skt_!!!", "abc", "Bearer x", &long] {
            assert_eq!(tokens.verify(bad, NOW), Err(InvalidToken::Malformed), "{}", bad.len());
        }
    }

    #[test]
    fn only_known_parts_of_the_system_come_in() {
        let tokens = Tokens::new(b"key");
        let token = tokens.sign(&claims(Actor::System("timer")));
        assert_eq!(tokens.verify(&token, NOW), Err(InvalidToken::Malformed));
    }
}
