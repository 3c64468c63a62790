//! SocketPay: an account's balance. Charges and refunds are idempotent by their ids.

use crate::event::{Actor, Ask};
use crate::limits::WALLET_OPENING_WON;
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, Won};
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a new wallet holds.
const OPENING: Won = Won::new(WALLET_OPENING_WON).expect("an amount");

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

/// A payment that was taken.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Charge {
    performance: PerformanceId,
    booking: BookingId,
    amount: Won,
    refunded: Won,
}

/// What is known of a wallet: the fold of its events. Charges and refunds are remembered for ever.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Wallet {
    id: AccountId,
    sequence: u64,
    opened: bool,
    balance: Won,
    charges: HashMap<PaymentId, Charge>,
    refunds: HashMap<RefundId, (PaymentId, Won)>,
}

impl Wallet {
    /// A wallet nothing has happened to.
    #[must_use]
    pub fn new(id: AccountId) -> Wallet {
        Wallet { id, ..Wallet::default() }
    }

    /// Its id; the nil one if it was made without.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What it holds, once it is opened.
    #[must_use]
    pub fn balance(&self) -> Option<Won> {
        self.opened.then_some(self.balance)
    }

    /// Whether it was charged for a payment.
    #[must_use]
    pub fn charged(&self, payment: PaymentId) -> bool {
        self.charges.contains_key(&payment)
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::WalletOpened { account, balance } => {
                assert!(!self.opened, "the wallet of {account} is opened twice");
                assert!(self.id == AccountId::default() || self.id == *account, "{account}'s wallet is opened as {}'s", self.id);
                self.id = *account;
                self.opened = true;
                self.balance = *balance;
            }
            Event::WalletCharged { payment, performance, booking, amount, balance } => {
                assert_eq!(self.balance.checked_sub(*amount), Some(*balance), "{payment} leaves another balance");
                let charge = Charge { performance: *performance, booking: *booking, amount: *amount, refunded: Won::ZERO };
                let before = self.charges.insert(*payment, charge);
                assert!(self.opened && before.is_none(), "{payment} is charged twice, or before the wallet was opened");
                self.balance = *balance;
            }
            Event::WalletRefunded { refund, payment, amount, balance } => {
                assert_eq!(self.balance.checked_add(*amount), Some(*balance), "{refund} leaves another balance");
                let charge = self.charges.get_mut(payment).expect("only what was charged is refunded");
                charge.refunded = charge.refunded.checked_add(*amount).expect("refunds stay in bounds");
                assert!(charge.refunded <= charge.amount, "more of {payment} is refunded than was charged");
                let before = self.refunds.insert(*refund, (*payment, *amount));
                assert!(before.is_none(), "{refund} is made twice");
                self.balance = *balance;
            }
        }
    }

    /// Decides a command.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, command: &Command) -> Result<Vec<Event>, Refusal> {
        actor.system()?;
        match command {
            Command::OpenWallet { account } => self.open(*account),
            Command::Charge { payment, performance, booking, amount } => self.charge(*payment, *performance, *booking, *amount),
            Command::Refund { refund, payment, amount } => self.refund(*refund, *payment, *amount),
        }
    }

    fn open(&self, account: AccountId) -> Result<Vec<Event>, Refusal> {
        if self.id != AccountId::default() && self.id != account {
            return refuse(Reason::Invalid, format!("/account: {account}'s wallet can't be opened as {}'s", self.id));
        }
        if self.opened {
            return Ok(Vec::new());
        }
        Ok(vec![Event::WalletOpened { account, balance: OPENING }])
    }

    fn charge(&self, payment: PaymentId, performance: PerformanceId, booking: BookingId, amount: Won) -> Result<Vec<Event>, Refusal> {
        self.must_be_open()?;
        if let Some(charge) = self.charges.get(&payment) {
            if charge.performance == performance && charge.booking == booking && charge.amount == amount {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("payment {payment} was charged for something else"));
        }
        if amount == Won::ZERO {
            return refuse(Reason::Invalid, "/amount: a payment is of 1 won at least");
        }
        let Some(balance) = self.balance.checked_sub(amount) else {
            return refuse(Reason::InsufficientFunds, format!("the wallet holds {}, less than {amount}", self.balance));
        };
        Ok(vec![Event::WalletCharged { payment, performance, booking, amount, balance }])
    }

    fn refund(&self, refund: RefundId, payment: PaymentId, amount: Won) -> Result<Vec<Event>, Refusal> {
        self.must_be_open()?;
        if let Some(made) = self.refunds.get(&refund) {
            if *made == (payment, amount) {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("refund {refund} was made of something else"));
        }
        let Some(charge) = self.charges.get(&payment) else {
            return refuse(Reason::UnknownPayment, format!("this wallet was never charged for payment {payment}"));
        };
        let left = charge.amount.checked_sub(charge.refunded).unwrap_or_default();
        if amount == Won::ZERO || amount > left {
            return refuse(Reason::Invalid, format!("/amount: of payment {payment}, 1 won to {left} can be refunded, not {amount}"));
        }
        let Some(balance) = self.balance.checked_add(amount) else {
            return refuse(Reason::Invalid, format!("/amount: a wallet holds at most {}", Won::MAX));
        };
        Ok(vec![Event::WalletRefunded { refund, payment, amount, balance }])
    }

    fn must_be_open(&self) -> Result<(), Refusal> {
        if self.opened {
            return Ok(());
        }
        refuse(Reason::UnknownAccount, format!("account {} has no wallet", self.id))
    }
}

impl cqrs_es::Aggregate for Wallet {
    const TYPE: &'static str = "wallet";
    type Command = Ask<Command>;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, ask: Ask<Command>, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in self.decide(ask.actor, &ask.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.evolve(&event);
    }
}
