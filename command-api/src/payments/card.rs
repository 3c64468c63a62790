//! The card provider, over HTTP by the protocol of `docs/card-provider.md`.
//!
//! A request that gets no answer, or one that says nothing, leaves the payment in doubt; it is never made under another
//! name. Retries are not made here: the table of intents puts them off, longer each time.

use super::signature::WebhookSecret;
use super::{Charge, Doubt, Provider, Refund, Verdict};
use reqwest::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use socketing_domain::refusal::Reason;
use socketing_domain::{CardToken, PerformanceId};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The header that names what a request does, however often it is sent.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Bytes of an answer: the protocol's have a few hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections kept open between requests.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// Where the provider is, and what it knows us by.
#[derive(Clone)]
pub struct CardConfig {
    /// Its address, without a slash at the end.
    pub url: String,
    /// Our key.
    pub key: String,
    /// The secret its messages are signed with.
    pub webhook_secret: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Requests under way at once.
    pub in_flight: usize,
}

/// The card provider. Cheap to clone.
#[derive(Clone)]
pub struct CardProvider(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    config: CardConfig,
    webhooks: WebhookSecret,
}

impl std::fmt::Debug for CardProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardProvider({}, key not shown)", self.0.config.url)
    }
}

/// What the provider calls a payment or a refund of ours. Clients choose these ids, so only the performance's makes them
/// unique: with the bare id, someone could have one payment's charge stand for another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reference {
    /// Of which performance.
    pub performance: PerformanceId,
    /// The payment's or the refund's id.
    pub id: Uuid,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.performance, self.id)
    }
}

impl std::str::FromStr for Reference {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Reference, uuid::Error> {
        let (performance, id) = text.split_once('.').unwrap_or((text, ""));
        Ok(Reference { performance: PerformanceId(performance.parse()?), id: id.parse()? })
    }
}

/// How a charge stands with the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChargeState {
    Pending,
    Succeeded,
    Declined,
    Voided,
}

/// Why it was declined. Reasons of later versions count as the general one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Declined {
    TokenRefused,
    #[default]
    #[serde(other)]
    CardDeclined,
}

#[derive(Deserialize)]
struct ChargeAnswer {
    reference: String,
    state: ChargeState,
    #[serde(default)]
    reason: Declined,
    amount: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefundState {
    Pending,
    Succeeded,
}

#[derive(Deserialize)]
struct RefundAnswer {
    reference: String,
    charge: String,
    state: RefundState,
    amount: i64,
}

impl CardProvider {
    /// The provider at this address.
    ///
    /// # Errors
    /// If the HTTP client can't be made.
    pub fn new(config: CardConfig) -> Result<CardProvider, reqwest::Error> {
        // `no_proxy`: the provider is named by the address it is reached at.
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let webhooks = WebhookSecret::new(&config.webhook_secret);
        Ok(CardProvider(Arc::new(Inner { http, config, webhooks })))
    }

    /// Where the buyer's browser gets a token for a card: from the provider itself.
    #[must_use]
    pub fn tokens_url(&self) -> String {
        format!("{}/v1/tokens", self.0.config.url)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.config.url
    }

    /// Requests under way at once.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.config.in_flight
    }

    /// What its messages are signed with.
    #[must_use]
    pub fn webhooks(&self) -> &WebhookSecret {
        &self.0.webhooks
    }

    /// What the provider knows of a payment; `None` if it has not heard of it yet.
    pub(crate) async fn ask(&self, charge: &Charge) -> Result<Option<Verdict>, Doubt> {
        let request = "ask the card provider about a charge";
        let path = format!("/v1/charges/{}", reference(charge));
        let response = self.send(request, Method::GET, &path, None::<(&str, &())>).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        settled(request, charge, &read(request, response).await?).map(Some)
    }

    /// Rules a charge out that the provider knows nothing of; of another, it is told how it stands.
    async fn void(&self, charge: &Charge) -> Result<Verdict, Doubt> {
        let request = "void a charge at the card provider";
        let path = format!("/v1/charges/{}/void", reference(charge));
        let response = self.send(request, Method::POST, &path, None::<(&str, &())>).await?;
        settled(request, charge, &read(request, response).await?)
    }

    async fn send<B: Serialize>(
        &self,
        request: &'static str,
        method: Method,
        path: &str,
        body: Option<(&str, &B)>,
    ) -> Result<Response, Doubt> {
        let Inner { http, config, .. } = &*self.0;
        let mut call = http.request(method, format!("{}{path}", config.url)).bearer_auth(&config.key);
        if let Some((key, body)) = body {
            call = call.header(IDEMPOTENCY_KEY, key).json(body);
        }
        call.send().await.map_err(|source| Doubt::NoAnswer { request, source })
    }
}

fn reference(charge: &Charge) -> Reference {
    Reference { performance: charge.performance, id: charge.payment.0 }
}

/// The answer of a request that was understood.
async fn read<T: for<'de> Deserialize<'de>>(request: &'static str, mut response: Response) -> Result<T, Doubt> {
    if response.status() != StatusCode::OK {
        return Err(Doubt::Status { request, status: response.status().as_u16() });
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|source| Doubt::NoAnswer { request, source })? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(Doubt::TooLong { request });
        }
        body.extend_from_slice(&part);
    }
    serde_json::from_slice(&body).map_err(|source| Doubt::Unreadable { request, source })
}

/// What an answer about a charge says. One that was voided before it was known has no amount.
fn settled(request: &'static str, charge: &Charge, answer: &ChargeAnswer) -> Result<Verdict, Doubt> {
    let amount = if answer.state == ChargeState::Voided { answer.amount } else { charge.amount.get() };
    same(request, &reference(charge).to_string(), amount, &answer.reference, answer.amount)?;
    match answer.state {
        ChargeState::Pending => Err(Doubt::Pending { request }),
        ChargeState::Succeeded => Ok(Verdict::Taken),
        ChargeState::Voided => Ok(Verdict::Refused(Reason::PaymentVoided)),
        ChargeState::Declined => Ok(Verdict::Refused(match answer.reason {
            Declined::CardDeclined => Reason::CardDeclined,
            Declined::TokenRefused => Reason::CardTokenRefused,
        })),
    }
}

fn same(request: &'static str, asked: &str, asked_won: i64, told: &str, told_won: i64) -> Result<(), Doubt> {
    if told == asked && told_won == asked_won {
        return Ok(());
    }
    Err(Doubt::OfAnother { request, asked: asked.to_owned(), asked_won, told: told.to_owned(), told_won })
}

impl Provider for CardProvider {
    type Means = CardToken;

    async fn charge(&self, charge: &Charge, token: &CardToken) -> Result<Verdict, Doubt> {
        let request = "charge a card";
        let body = json!({ "token": token, "amount": charge.amount.get(), "currency": "KRW" });
        let key = reference(charge).to_string();
        let response = self.send(request, Method::POST, "/v1/charges", Some((&key, &body))).await?;
        settled(request, charge, &read(request, response).await?)
    }

    async fn resolve(&self, charge: &Charge, token: &CardToken, overdue: bool) -> Result<Verdict, Doubt> {
        match self.ask(charge).await? {
            Some(verdict) => Ok(verdict),
            None if overdue => self.void(charge).await,
            None => self.charge(charge, token).await,
        }
    }

    async fn refund(&self, refund: &Refund) -> Result<(), Doubt> {
        let request = "refund to a card";
        let name = |id| Reference { performance: refund.performance, id }.to_string();
        let (key, charge, amount) = (name(refund.refund.0), name(refund.payment.0), refund.amount.get());
        let body = json!({ "charge": charge, "amount": amount });
        let response = self.send(request, Method::POST, "/v1/refunds", Some((&key, &body))).await?;
        let answer: RefundAnswer = read(request, response).await?;
        same(request, &key, amount, &answer.reference, answer.amount)?;
        same(request, &charge, amount, &answer.charge, answer.amount)?;
        match answer.state {
            RefundState::Pending => Err(Doubt::Pending { request }),
            RefundState::Succeeded => Ok(()),
        }
    }
}
