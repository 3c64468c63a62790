//! News from the card provider: never believed, only a reason to ask at once.
//!
//! So a message may be lost, late, doubled, out of order, or signed by someone who stole the secret: nothing changes but
//! the moment at which the provider is asked.
//!
//! Its questions have position 0, since no event caused them. The question that follows a refusal after the deadline has
//! its payment's, and stays where it is: the refusal's own news would use it up while the provider may still change its
//! mind.

use super::intent::Intent;
use crate::executor::{Executor, PaymentOf, Rejected};
use crate::payments::Charge;
use crate::payments::card::Reference;
use socketing_domain::PaymentId;
use socketing_domain::reply::PaymentState;
use socketing_domain::unit::UnitId;
use socketing_event_store::StoreError;
use sqlx::{PgPool, types::Json};
use uuid::Uuid;

/// Why news can't be taken now. The provider sends it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// The performance can't be looked at.
    #[error("the performance can't be looked at: {0}")]
    Performance(Rejected),
    /// The table of intents can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The card provider says that there is news of this charge or refund. What waits for it is tried at once; a payment that
/// isn't known to be taken is asked about, also one that failed here: it may have been taken all the same, too late.
///
/// # Errors
/// [`NotTaken`]: nothing was done.
pub(crate) async fn news_of(pool: &PgPool, executor: &Executor, reference: Reference) -> Result<(), NotTaken> {
    hurry(pool, reference).await?;
    let payment = PaymentId(reference.id);
    let seen = executor.ask(UnitId::Performance(reference.performance), PaymentOf { payment }).await.map_err(NotTaken::Performance)?;
    let Some((reply, account)) = seen.answer.filter(|(reply, _)| reply.state != PaymentState::Succeeded) else { return Ok(()) };
    let charge = Charge { performance: reference.performance, booking: reply.booking_id, payment, account, amount: reply.amount };
    Ok(ask(pool, &Intent::AskAgain(charge), reference.id).await?)
}

/// Tries now what was put off, all but the question after the deadline. The performance is compared too: ids are unique within one only.
async fn hurry(pool: &PgPool, reference: Reference) -> Result<(), StoreError> {
    sqlx::query(
        "update intents set next_try_at = clock_timestamp()
         where lane = 'card' and coalesce(intent ->> 'refund', intent ->> 'payment') = $1 and intent ->> 'performance' = $2
           and next_try_at > clock_timestamp() and (state = 'in_doubt' or position = 0)",
    )
    .bind(reference.id.to_string())
    .bind(reference.performance.to_string())
    .execute(pool)
    .await
    .map_err(StoreError::query("hurry an intent"))?;
    Ok(())
}

/// Adds the question, unless it is there: a message that comes a hundred times is one question.
async fn ask(pool: &PgPool, question: &Intent, payment: Uuid) -> Result<(), StoreError> {
    sqlx::query(
        "insert into intents (id, position, lane, intent)
         select $1, 0, $2, $3::jsonb::json
         where not exists (
             select from intents
             where lane = 'card' and coalesce(intent ->> 'refund', intent ->> 'payment') = $4
               and position = 0 and intent::jsonb = $3::jsonb)",
    )
    .bind(Uuid::now_v7())
    .bind(question.lane().name())
    .bind(Json(question))
    .bind(payment.to_string())
    .execute(pool)
    .await
    .map_err(StoreError::query("add a question to the card provider"))?;
    Ok(())
}
