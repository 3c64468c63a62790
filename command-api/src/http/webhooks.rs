//! News from the card provider. Signed, bounded in age, and even then only a reason to ask the provider.

use super::Api;
use crate::payments::card::{CardProvider, Reference};
use crate::payments::signature::NotSigned;
use crate::processes;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use socketing_service::extract::parse;
use std::time::Duration;
use utoipa::ToSchema;

/// When a message was signed, in seconds since 1970.
const TIMESTAMP: &str = "webhook-timestamp";
/// What it was signed with.
const SIGNATURE: &str = "webhook-signature";
/// When the provider may send it again.
const AGAIN: Duration = Duration::from_secs(5);

/// What the provider says happened. Fields that aren't needed to ask about it are left unread.
#[derive(Deserialize, ToSchema)]
#[schema(as = CardNews)]
pub(super) struct News {
    /// The charge or the refund: `<performance>.<payment or refund>`.
    reference: String,
}

socketing_service::error_responses!(
    WebhookErrors: codes::BAD_JSON, codes::INVALID_BODY, codes::TOO_LARGE, codes::WEBHOOK_REFUSED, codes::BUSY, codes::TIMEOUT,
    codes::UNAVAILABLE, codes::INTERNAL
);

/// Takes news from the card provider.
///
/// Signed with HMAC-SHA256; at most 300 seconds old. Doubled, late and unknown messages change nothing. What happened is
/// asked of the provider, never taken from here.
#[utoipa::path(post, path = "/v1/webhooks/card", operation_id = "card_webhook", tag = "system",
    params(
        ("Webhook-Timestamp" = i64, Header, description = "When it was signed, in seconds since 1970."),
        ("Webhook-Signature" = String, Header, description = "`v1=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop and the body."),
    ),
    request_body(content = News, description = "The news."),
    responses((status = 204, description = "It is known."), WebhookErrors))]
pub(super) async fn card(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let refused = |why: &str| Problem::new(codes::WEBHOOK_REFUSED).detail(why);
    let provider = api.0.payments.card.as_ref().ok_or_else(|| refused("no card provider is configured here"))?;
    verify(&api, provider, &headers, &body).map_err(|not_signed| refused(&not_signed.to_string()))?;
    let news: News = parse(&body)?;
    let Ok(reference) = news.reference.parse::<Reference>() else {
        tracing::info!(reference = news.reference, "the card provider has news of something that isn't ours");
        return Ok(StatusCode::NO_CONTENT);
    };
    match processes::news_of(&api.0.pool, &api.0.executor, reference).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => {
            tracing::warn!(%reference, %error, "news from the card provider can't be taken now");
            Err(Problem::new(codes::BUSY).retry_after(AGAIN))
        }
    }
}

fn verify(api: &Api, provider: &CardProvider, headers: &HeaderMap, body: &[u8]) -> Result<(), NotSigned> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(NotSigned::Malformed);
    provider.webhooks().verify(header(TIMESTAMP)?, header(SIGNATURE)?, body, api.0.clock.now())
}
