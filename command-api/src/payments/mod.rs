//! Who takes the money: providers behind one trait. SocketPay is the wallet, asked through the executor; cards are a
//! provider's outside, asked over HTTP.
//!
//! Whatever a provider is asked is idempotent by the payment's or the refund's id, so asking again is always safe, and is
//! what happens to everything in doubt. No outcome is ever guessed: a payment fails only when its provider says that it
//! has not been made and never will be.

pub mod card;
mod outcomes;
mod provider;
pub mod signature;
mod socketpay;

pub use outcomes::Outcomes;
pub(crate) use provider::{Charge, Doubt, Provider, Refund, Verdict};
pub(crate) use socketpay::SocketPay;

use card::CardProvider;
use std::time::Duration;

/// How payments are made.
#[derive(Clone, Debug)]
pub struct Payments {
    /// The card provider; without one, cards are refused.
    pub card: Option<CardProvider>,
    /// How long a payment may be in doubt. Then operators are told, and what the provider doesn't know by then is voided.
    pub deadline: Duration,
    /// Wakes those who wait for a payment's outcome.
    pub outcomes: Outcomes,
}

impl Payments {
    /// How long a payment may be in doubt, unless said otherwise: shorter than any booking waits to be paid, so that a
    /// fan whose payment came to nothing can try another way; longer than a provider's short outage.
    pub const DEADLINE_SECONDS: u32 = 120;

    /// SocketPay alone.
    #[must_use]
    pub fn without_cards() -> Payments {
        Payments { card: None, deadline: Duration::from_secs(Payments::DEADLINE_SECONDS.into()), outcomes: Outcomes::default() }
    }
}
