//! SocketPay: an account's balance. Charges and refunds are idempotent by their ids.

use crate::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, Won};
use serde::{Deserialize, Serialize};

/// What happened to a wallet. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The wallet was opened with its first balance.
    WalletOpened {
        /// Whose.
        account: AccountId,
        /// What it holds.
        balance: Won,
    },
    /// A payment was taken from it.
    WalletCharged {
        /// The payment; charged at most once.
        payment: PaymentId,
        /// For what.
        performance: PerformanceId,
        /// For which booking.
        booking: BookingId,
        /// How much.
        amount: Won,
        /// What is left.
        balance: Won,
    },
    /// A refund was put back.
    WalletRefunded {
        /// The refund; made at most once.
        refund: RefundId,
        /// Of which payment.
        payment: PaymentId,
        /// How much.
        amount: Won,
        /// What it holds now.
        balance: Won,
    },
}

crate::event::stored_events! {
    WalletOpened = "1",
    WalletCharged = "1",
    WalletRefunded = "1",
}

/// What may be asked of a wallet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Opens it with 500,000 won. Repeating it does nothing.
    OpenWallet {
        /// Whose.
        account: AccountId,
    },
    /// Takes a payment; refused with `insufficient_funds`. Repeating a payment that was taken does nothing.
    Charge {
        /// The payment.
        payment: PaymentId,
        /// For what.
        performance: PerformanceId,
        /// For which booking.
        booking: BookingId,
        /// How much.
        amount: Won,
    },
    /// Puts a refund back, of a payment that this wallet made, at most what it paid. Repeating it does nothing.
    Refund {
        /// The refund.
        refund: RefundId,
        /// Of which payment.
        payment: PaymentId,
        /// How much.
        amount: Won,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `open_wallet`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::OpenWallet { .. } => "open_wallet",
            Command::Charge { .. } => "charge",
            Command::Refund { .. } => "refund",
        }
    }
}

/// What is known of a wallet: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Wallet {
    sequence: u64,
}

impl Wallet {
    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, _event: &Event) {
        self.sequence += 1;
    }
}
