//! What is asked of every provider.

use crate::executor::Rejected;
use serde::{Deserialize, Serialize};
use socketing_domain::refusal::Reason;
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, Refusal, Won};
use std::future::Future;

/// A payment to be taken. Its id is its client's, and unique within its performance only.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) performance: PerformanceId,
    pub(crate) booking: BookingId,
    pub(crate) payment: PaymentId,
    pub(crate) account: AccountId,
    pub(crate) amount: Won,
}

/// Money to be paid back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) performance: PerformanceId,
    pub(crate) payment: PaymentId,
    pub(crate) refund: RefundId,
    pub(crate) account: AccountId,
    pub(crate) amount: Won,
}

/// What a provider has done, for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// The money was taken.
    Taken,
    /// It was not, and never will be, for this reason.
    Refused(Reason),
}

/// Takes and gives back money. Everything is idempotent by the payment's or refund's id: it may be asked any number of
/// times, by several processes at once, before and after crashes.
pub(crate) trait Provider {
    /// What it needs to know besides the charge.
    type Means;

    /// Has a payment taken.
    ///
    /// # Errors
    /// [`Doubt`]: whether it was taken isn't known.
    fn charge(&self, charge: &Charge, means: &Self::Means) -> impl Future<Output = Result<Verdict, Doubt>> + Send;

    /// Finds out about a payment in doubt. What the provider knows nothing of is asked for again, or, if it is `overdue`,
    /// ruled out for good.
    ///
    /// # Errors
    /// [`Doubt`]: it still isn't known.
    fn resolve(&self, charge: &Charge, means: &Self::Means, overdue: bool) -> impl Future<Output = Result<Verdict, Doubt>> + Send;

    /// Has money paid back.
    ///
    /// # Errors
    /// [`Doubt`]: whether it was paid back isn't known.
    fn refund(&self, refund: &Refund) -> impl Future<Output = Result<(), Doubt>> + Send;
}

/// Why an outcome isn't known. It is asked about again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Doubt {
    /// The wallet's writer didn't take the command.
    #[error("{step} was not carried out: {rejected}")]
    NotTaken { step: &'static str, rejected: Box<Rejected> },
    /// A wallet refuses what no wallet should be asked: kept for an operator to see.
    #[error("{step} was refused: {refusal}")]
    Refused { step: &'static str, refusal: Box<Refusal> },
    /// No answer in time, or the connection was cut.
    #[error("{request}: no answer")]
    NoAnswer { request: &'static str, source: reqwest::Error },
    /// An answer that says nothing of the outcome.
    #[error("{request}: answered with status {status}")]
    Status { request: &'static str, status: u16 },
    /// An answer that isn't the protocol's.
    #[error("{request}: the answer can't be read")]
    Unreadable { request: &'static str, source: serde_json::Error },
    /// An answer that is longer than any of the protocol.
    #[error("{request}: the answer is too long")]
    TooLong { request: &'static str },
    /// The provider hasn't decided yet.
    #[error("{request}: the provider hasn't decided yet")]
    Pending { request: &'static str },
    /// An answer about something else: never taken for the payment's.
    #[error("{request}: asked about {asked} of {asked_won} won, told of {told} of {told_won} won")]
    OfAnother { request: &'static str, asked: String, asked_won: i64, told: String, told_won: i64 },
    /// This process has no card provider; another may.
    #[error("no card provider is configured here")]
    NoProvider,
}
