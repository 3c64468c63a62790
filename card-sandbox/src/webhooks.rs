//! Messages to the merchant: signed, sent again until they are taken, or as it was ordered.

use crate::faults::What;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// Times that a message is sent until it is taken.
const TRIES_MAX: u32 = 5;
/// The pause after the first; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What forgers sign with.
const FORGED: &str = "a secret that someone made up";

/// Sends messages.
pub(crate) struct Webhooks {
    http: reqwest::Client,
    secret: String,
    url: Mutex<Option<String>>,
}

impl Webhooks {
    pub(crate) fn new(secret: &str, url: Option<String>) -> io::Result<Webhooks> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(io::Error::other)?;
        Ok(Webhooks { http, secret: secret.to_owned(), url: Mutex::new(url) })
    }

    /// Where messages go from now on.
    pub(crate) fn send_to(&self, url: String) {
        *self.url.lock().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    /// Sends the news of a charge or a refund, or misbehaves.
    pub(crate) async fn send(&self, reference: &str, state: &Value, fault: Option<What>) {
        match fault {
            Some(What::Never) => {}
            Some(What::Slow { ms }) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                self.deliver(reference, state, &self.secret).await;
            }
            Some(What::Twice) => {
                self.deliver(reference, state, &self.secret).await;
                self.deliver(reference, state, &self.secret).await;
            }
            Some(What::Forged) => self.deliver(reference, &json!("succeeded"), FORGED).await,
            _ => self.deliver(reference, state, &self.secret).await,
        }
    }

    async fn deliver(&self, reference: &str, state: &Value, secret: &str) {
        let Some(url) = self.url.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        let body = json!({ "id": Uuid::now_v7(), "reference": reference, "state": state }).to_string();
        let mut pause = PAUSE;
        for _ in 0..TRIES_MAX {
            let at_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let request = self.http.post(&url).header("content-type", "application/json");
            let signed = request.header("webhook-timestamp", at_s).header("webhook-signature", sign(secret, at_s, &body));
            match signed.body(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() || answer.status().as_u16() == 401 => return,
                Ok(answer) => tracing::warn!(reference, status = answer.status().as_u16(), "a message wasn't taken"),
                Err(error) => tracing::warn!(reference, %error, "a message couldn't be sent"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

fn sign(secret: &str, at_s: u64, body: &str) -> String {
    let mac: Hmac<Sha256> = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    let digest = mac.chain_update(format!("{at_s}.{body}")).finalize().into_bytes();
    digest.iter().fold("v1=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
