//! Payments and refunds whose outcome the performance doesn't know yet, as operators see them.

use serde::{Deserialize, Serialize};
use socketing_domain::performance::Method;
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, Timestamp, Won};
use socketing_event_store::StoreError;
use sqlx::{PgPool, Row, types::Json};
use std::time::Duration;
use utoipa::ToSchema;

/// How far the provider was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody outside was asked yet.
    Waiting,
    /// The provider was asked, and what it did isn't known.
    InDoubt,
}

/// What is to be moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Money to be taken.
    Charge,
    /// Money to be given back.
    Refund,
}

/// A payment or refund whose outcome isn't known yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenPayment {
    /// Whether it is taken or given back.
    pub kind: Kind,
    /// The provider.
    pub method: Method,
    /// Of which performance.
    pub performance_id: PerformanceId,
    /// The payment.
    pub payment_id: PaymentId,
    /// Of which booking; absent for a refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<BookingId>,
    /// The refund, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// Whose money.
    pub account_id: AccountId,
    /// How much.
    pub amount: Won,
    /// How far the provider was asked.
    pub state: State,
    /// Since when: in doubt, or waiting.
    pub since: Timestamp,
    /// Whether that is longer than the deadline.
    pub overdue: bool,
    /// Tries that didn't tell.
    pub attempts: u32,
    /// What came of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it is tried again.
    pub next_try_at: Timestamp,
}

/// Payments and refunds that are open, the longest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenPayments {
    /// These.
    pub payments: Vec<OpenPayment>,
    /// How many there are in all.
    pub total: u64,
    /// How many of them are overdue.
    pub overdue: u64,
}

/// What an intent that moves money says; the others' fields differ.
#[derive(Deserialize)]
struct Moved {
    performance: PerformanceId,
    payment: PaymentId,
    account: AccountId,
    amount: Won,
    booking: Option<BookingId>,
    refund: Option<RefundId>,
}

/// The open payments and refunds in this state, or in any, the longest first.
///
/// # Errors
/// The database's.
pub async fn open_payments(pool: &PgPool, state: Option<State>, deadline: Duration, limit: u32) -> Result<OpenPayments, StoreError> {
    let state = state.map(|state| match state {
        State::Waiting => "waiting",
        State::InDoubt => "in_doubt",
    });
    let rows = sqlx::query(
        "with open as (
             select lane, state, intent, attempts, last_error, next_try_at, coalesce(in_doubt_since, created_at) as since
             from intents
             where intent ->> 'intent' in ('take_payment', 'charge_card', 'pay_back', 'refund_card') and ($1::text is null or state = $1)
         )
         select *, clock_timestamp() - since > $2 as overdue, count(*) over () as total,
                count(*) filter (where clock_timestamp() - since > $2) over () as overdue_total
         from open order by since limit $3",
    )
    .bind(state)
    .bind(deadline)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
    .map_err(StoreError::query("read open payments"))?;
    let count = |name: &str| rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(name).map(|count| count as u64));
    let (total, overdue) = (count("total"), count("overdue_total"));
    let read = || -> Result<OpenPayments, sqlx::Error> {
        let payments = rows.iter().map(open_payment).collect::<Result<_, _>>()?;
        Ok(OpenPayments { payments, total: total?, overdue: overdue? })
    };
    read().map_err(StoreError::query("read an open payment"))
}

fn open_payment(row: &sqlx::postgres::PgRow) -> Result<OpenPayment, sqlx::Error> {
    let Json(moved) = row.try_get::<Json<Moved>, _>("intent")?;
    Ok(OpenPayment {
        kind: if moved.refund.is_some() { Kind::Refund } else { Kind::Charge },
        method: if row.try_get::<&str, _>("lane")? == "card" { Method::Card } else { Method::Socketpay },
        performance_id: moved.performance,
        payment_id: moved.payment,
        booking_id: moved.booking,
        refund_id: moved.refund,
        account_id: moved.account,
        amount: moved.amount,
        state: if row.try_get::<&str, _>("state")? == "in_doubt" { State::InDoubt } else { State::Waiting },
        since: moment(row, "since")?,
        overdue: row.try_get("overdue")?,
        attempts: row.try_get::<i32, _>("attempts")? as u32,
        last_error: row.try_get("last_error")?,
        next_try_at: moment(row, "next_try_at")?,
    })
}

fn moment(row: &sqlx::postgres::PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    let at: time::OffsetDateTime = row.try_get(column)?;
    Ok(at.into())
}
