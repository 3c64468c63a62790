//! A card provider of a test's own, which can be told to misbehave.

use crate::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use socketing_card_sandbox::{Options, Sandbox};
use socketing_command_api::payments::Payments;
use socketing_command_api::payments::card::{CardConfig, CardProvider};
use socketing_domain::CardToken;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// The key that the provider knows us by.
pub const KEY: &str = "the tests' key";
/// The secret that it signs with.
pub const SECRET: &str = "the tests' webhook secret";
/// How long an answer may take in tests: a request that is never answered costs this much.
pub const TIMEOUT: Duration = Duration::from_millis(300);

/// A running provider; its file outlives it, and goes with this value.
pub struct TestCards {
    /// Where it answers.
    pub url: String,
    folder: TempDir,
    /// Of its own, so that all of it can be ended at once: connections outlive the task that accepts them.
    runtime: Option<Runtime>,
    http: reqwest::Client,
}

impl Drop for TestCards {
    fn drop(&mut self) {
        self.stop();
    }
}

impl TestCards {
    /// Starts one.
    ///
    /// # Panics
    /// If it can't start.
    pub async fn start() -> TestCards {
        let folder = TempDir::new().expect("make a folder");
        let (url, runtime) = serve(&folder.path().join("charges.jsonl"), "127.0.0.1:0").await;
        TestCards { url, folder, runtime: Some(runtime), http: reqwest::Client::builder().no_proxy().build().expect("an HTTP client") }
    }

    /// Where its charges are kept.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("charges.jsonl")
    }

    /// It is gone, whatever it was doing; nobody answers.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// It is back, at the same address, with what it has decided.
    ///
    /// # Panics
    /// If it can't start.
    pub async fn start_again(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        let (_, runtime) = serve(&self.file(), &address).await;
        self.runtime = Some(runtime);
    }

    /// Payments that may be made by its cards, and be in doubt for so long.
    ///
    /// # Panics
    /// If the client can't be made.
    #[must_use]
    pub fn payments(&self, deadline: Duration) -> Payments {
        let (key, webhook_secret) = (KEY.to_owned(), SECRET.to_owned());
        let config = CardConfig { url: self.url.clone(), key, webhook_secret, timeout: TIMEOUT, in_flight: 16 };
        Payments { card: Some(CardProvider::new(config).expect("a client")), deadline, ..Payments::without_cards() }
    }

    /// A token of one of its cards: `approved` or `declined`.
    ///
    /// # Panics
    /// If there is none.
    pub async fn token(&self, card: &str) -> CardToken {
        let answer = self.http.post(format!("{}/v1/tokens", self.url)).json(&json!({ "card": card })).send().await.expect("a token");
        let answer: Value = answer.json().await.expect("JSON");
        answer["token"].as_str().expect("a token").parse().expect("a token")
    }

    /// Orders a fault, such as `{"on": "charge", "fault": "error"}`.
    ///
    /// # Panics
    /// If it isn't taken.
    pub async fn order(&self, fault: Value) {
        self.call(Method::POST, "/sandbox/faults", fault).await;
    }

    /// Forgets all orders.
    ///
    /// # Panics
    /// If it doesn't.
    pub async fn forget(&self) {
        self.call(Method::DELETE, "/sandbox/faults", Value::Null).await;
    }

    /// Charges a fresh card under a merchant's reference, as a request would that was under way for long.
    ///
    /// # Panics
    /// If it isn't answered.
    pub async fn charge(&self, reference: &str, amount: i64) -> Value {
        let body = json!({ "token": self.token("approved").await, "amount": amount, "currency": "KRW" });
        let request = self.http.post(format!("{}/v1/charges", self.url)).bearer_auth(KEY).header("idempotency-key", reference);
        request.json(&body).send().await.expect("an answer").json().await.expect("JSON")
    }

    /// Orders that aren't carried out yet.
    ///
    /// # Panics
    /// If it doesn't say.
    pub async fn orders_left(&self) -> usize {
        self.call(Method::GET, "/sandbox/faults", Value::Null).await.as_array().expect("a list").len()
    }

    /// Sends its messages to this API from now on.
    ///
    /// # Panics
    /// If it isn't taken.
    pub async fn send_webhooks_to(&self, api: &str) {
        self.call(Method::PUT, "/sandbox/webhook-url", json!({ "url": format!("{api}/v1/webhooks/card") })).await;
    }

    /// All charges that it knows of.
    ///
    /// # Panics
    /// If it doesn't say.
    pub async fn charges(&self) -> Vec<Value> {
        self.call(Method::GET, "/v1/charges", Value::Null).await["charges"].as_array().expect("a list").clone()
    }

    /// What it took, and what it gave back, in won.
    ///
    /// # Panics
    /// If it doesn't say.
    pub async fn taken_and_back(&self) -> (i64, i64) {
        let charges = self.charges().await;
        let taken = charges.iter().filter(|charge| charge["state"] == "succeeded");
        let sum = |of: &str| taken.clone().map(|charge| charge[of].as_i64().expect("an amount")).sum();
        (sum("amount"), sum("refunded"))
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(KEY).json(&body);
        let answer = request.send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or(Value::Null)
    }
}

async fn serve(file: &Path, address: &str) -> (String, Runtime) {
    let options = Options { key: KEY.to_owned(), webhook_secret: SECRET.to_owned(), webhook_url: None };
    let sandbox = Sandbox::open(file, options).expect("open the sandbox's file");
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (bound, address) = (oneshot::channel(), address.to_owned());
    runtime.spawn(async move {
        // The one before may still be closing.
        eventually("the port is free", || async { TcpListener::bind(&address).await.is_ok() }).await;
        let listener = TcpListener::bind(&address).await.expect("a port");
        let _ = bound.0.send(listener.local_addr().expect("the port"));
        _ = axum::serve(listener, sandbox.router()).await;
    });
    (format!("http://{}", bound.1.await.expect("the sandbox starts")), runtime)
}
