//! Statements that can be shown to others: JSON, signed with Ed25519, checkable by anybody who has the public key.
//!
//! What is signed is the text as it stands, so that nobody has to agree on how JSON is written.

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::fmt;
use utoipa::ToSchema;

/// The row of `service_secrets` that holds the key pair.
const SECRET: &str = "statements";

/// A statement and its signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Signed {
    /// What is stated: JSON, as a text, which is what is signed.
    pub statement: String,
    /// The Ed25519 signature of the text's bytes, in hex.
    #[schema(min_length = 128, max_length = 128)]
    pub signature: String,
    /// The public key, in hex: the one at `/v1/statement-key`.
    #[schema(min_length = 64, max_length = 64)]
    pub key: String,
}

/// Why statements can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The database can't be asked.
    #[error("can't read the key of statements")]
    Database(#[from] sqlx::Error),
    /// The stored key is none, or none can be made.
    #[error("the key of statements is damaged, or none can be made")]
    Key,
}

/// Signs statements with the system's key.
pub struct Signer(Ed25519KeyPair);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(key not shown)")
    }
}

impl Signer {
    /// With the system's key, made now if there is none: the first insert wins, and everyone reads the row.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn load_or_create(pool: &PgPool) -> Result<Signer, SignerError> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SignerError::Key)?;
        sqlx::query("insert into service_secrets (name, secret) values ($1, $2) on conflict (name) do nothing")
            .bind(SECRET)
            .bind(made.as_ref())
            .execute(pool)
            .await?;
        let stored: Vec<u8> = sqlx::query_scalar("select secret from service_secrets where name = $1").bind(SECRET).fetch_one(pool).await?;
        Ed25519KeyPair::from_pkcs8(&stored).map(Signer).map_err(|_| SignerError::Key)
    }

    /// The public key, in hex.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// States something.
    ///
    /// # Errors
    /// If it can't be written as JSON.
    pub fn sign(&self, statement: &impl Serialize) -> Result<Signed, serde_json::Error> {
        let statement = serde_json::to_string(statement)?;
        let signature = hex(self.0.sign(statement.as_bytes()).as_ref());
        Ok(Signed { statement, signature, key: self.public_key() })
    }
}

impl Signed {
    /// Whether the signature is by the owner of this public key (in hex), whatever key the statement names.
    #[must_use]
    pub fn is_by(&self, public_key: &str) -> bool {
        let (Some(key), Some(signature)) = (bytes(public_key), bytes(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(self.statement.as_bytes(), &signature).is_ok()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Signer(Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("the key"))
    }

    #[test]
    fn a_statement_is_its_signers_and_nobody_elses() {
        let (ours, theirs) = (signer(), signer());
        let signed = ours.sign(&serde_json::json!({ "number": 7 })).expect("it is signed");
        assert!(signed.is_by(&ours.public_key()) && !signed.is_by(&theirs.public_key()));
        let forged = Signed { statement: signed.statement.replace('7', "1"), ..signed.clone() };
        assert!(!forged.is_by(&ours.public_key()));
        for key in ["", "0", "zz", "é0"] {
            assert!(!signed.is_by(key) && !Signed { signature: key.to_owned(), ..signed.clone() }.is_by(&ours.public_key()));
        }
    }
}
