//! Money balances, to the won: what was charged is sold, refunded, owed, or in doubt; no wallet is ever negative, and each
//! says what its own history says.
//!
//! What a wallet was charged, the log tells. What a card was charged, its provider knows: the log tells of it when the
//! outcome came, and until then all that was asked for is in doubt. [`super::cards`] asks the provider itself.

use super::check::{Check, Seen};
use super::findings::Findings;
use crate::output::grouped;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{Cancellation, Event as P, Method};
use socketing_domain::wallet::Event as W;
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, Won};
use std::collections::HashMap;

/// How far a payment is, by its performance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    InFlight,
    Failed,
    Sold,
}

/// One payment, as performance and wallet tell it.
struct Payment {
    booking: BookingId,
    account: AccountId,
    method: Method,
    amount: Won,
    stage: Stage,
    charged: Won,
    refund: Option<Refund>,
    begun: u64,
}

/// The one refund a payment may have.
struct Refund {
    id: RefundId,
    amount: Won,
    paid_back: bool,
    completed: bool,
}

/// One booking's price, whether it was sold, and why it ended.
struct Booking {
    total: Won,
    sold: bool,
    ended: Option<Cancellation>,
}

/// Shares that stand or fall together.
struct Shares {
    performance: PerformanceId,
    bookings: Vec<BookingId>,
    begun: u64,
}

/// Clients make the ids of bookings and payments: they are unique within their performance only.
type Of<Id> = (PerformanceId, Id);

/// Folds wallets, payments and bookings.
pub(crate) struct Money {
    wallets: HashMap<AccountId, Won>,
    payments: HashMap<Of<PaymentId>, Payment>,
    bookings: HashMap<Of<BookingId>, Booking>,
    refunds: HashMap<RefundId, Of<PaymentId>>,
    /// Blocks of which all shares are paid, or none is.
    all_or_none: Vec<Shares>,
    findings: Findings,
}

/// Sums in the end, in won. Wider than [`Won`]: they are sums over the whole log.
#[derive(Default, PartialEq, Eq, Debug)]
struct Sums {
    charged: i128,
    sold: i128,
    refunded: i128,
    owed: i128,
    in_doubt: i128,
}

impl Money {
    pub(crate) fn new() -> Money {
        Money {
            wallets: HashMap::new(),
            payments: HashMap::new(),
            bookings: HashMap::new(),
            refunds: HashMap::new(),
            all_or_none: Vec::new(),
            findings: Findings::new("money", "charged = sold + refunded + owed + in doubt, and no wallet is negative"),
        }
    }

    fn wallet(&mut self, of: AccountId, event: &W) -> Result<(), String> {
        match event {
            W::WalletOpened { account, balance } => {
                let twice = self.wallets.insert(of, *balance).is_some();
                require(!twice && *account == of, || format!("wallet {of} is opened twice, or as {account}"))
            }
            W::WalletCharged { payment, performance, booking, amount, balance } => {
                let before = self.move_to(of, *balance)?;
                require(before.checked_sub(*amount) == Some(*balance), || {
                    format!("wallet {of} goes from {before} to {balance} by a charge of {amount}")
                })?;
                self.charge(of, (*performance, *payment), *booking, *amount)
            }
            W::WalletRefunded { refund, payment, amount, balance } => {
                let before = self.move_to(of, *balance)?;
                require(before.checked_add(*amount) == Some(*balance), || {
                    format!("wallet {of} goes from {before} to {balance} by a refund of {amount}")
                })?;
                self.pay_back(of, *refund, *payment, *amount)
            }
        }
    }

    /// The wallet's balance before, and from now on the one that its event tells.
    fn move_to(&mut self, of: AccountId, balance: Won) -> Result<Won, String> {
        self.wallets.insert(of, balance).ok_or_else(|| format!("wallet {of} moves before it is opened"))
    }

    fn charge(&mut self, of: AccountId, key: Of<PaymentId>, booking: BookingId, amount: Won) -> Result<(), String> {
        let id = key.1;
        let payment =
            self.payments.get_mut(&key).ok_or_else(|| format!("wallet {of} is charged for payment {id}, which was never started"))?;
        let once = payment.charged == Won::ZERO;
        payment.charged = payment.charged.checked_add(amount).unwrap_or(Won::MAX);
        require(once, || format!("payment {id} is charged twice"))?;
        let by_wallet = payment.method == Method::Socketpay;
        require(by_wallet && (payment.account, payment.booking, payment.amount) == (of, booking, amount), || {
            format!(
                "payment {id} of {} by {} ({:?}) is charged as {amount} to the wallet {of}",
                payment.amount, payment.account, payment.method
            )
        })
    }

    fn pay_back(&mut self, of: AccountId, id: RefundId, payment: PaymentId, amount: Won) -> Result<(), String> {
        let key = self.refunds.get(&id).filter(|key| key.1 == payment);
        let known = key.and_then(|key| self.payments.get_mut(key)).filter(|known| known.account == of && known.method == Method::Socketpay);
        let refund = known.and_then(|known| known.refund.as_mut()).filter(|refund| refund.id == id && refund.amount == amount);
        let refund = refund.ok_or_else(|| format!("wallet {of} is paid {amount} back by refund {id}, which isn't due"))?;
        require(!std::mem::replace(&mut refund.paid_back, true), || format!("refund {id} is paid back twice"))
    }

    fn performance(&mut self, of: PerformanceId, event: &P, position: u64) -> Result<(), String> {
        match event {
            P::SeatsBooked { booking, lines, total, .. } => {
                self.bookings.insert((of, *booking), Booking { total: *total, sold: false, ended: None });
                let sum: Won = lines.iter().map(|line| line.price).sum();
                require(sum == *total, || format!("booking {booking} has seats for {sum} but a total of {total}"))
            }
            P::PaymentStarted { payment, booking, account, method, amount } => {
                let (booking, account, method, amount) = (*booking, *account, method.method(), *amount);
                let (stage, charged, refund) = (Stage::InFlight, Won::ZERO, None);
                self.start((of, *payment), Payment { booking, account, method, amount, stage, charged, refund, begun: position })
            }
            P::PaymentFailed { payment, .. } => {
                let known = self.payment((of, *payment))?;
                let was = std::mem::replace(&mut known.stage, Stage::Failed);
                let charged = known.charged;
                require(was == Stage::InFlight && charged == Won::ZERO, || {
                    format!("payment {payment} fails though it is {was:?} and charged {charged}")
                })
            }
            P::SeatsSold { booking, payment, amount, .. } => self.sell((of, *payment), *booking, *amount),
            P::SharesOpened { bookings, all_or_none: true, .. } => {
                self.all_or_none.push(Shares { performance: of, bookings: bookings.clone(), begun: position });
                Ok(())
            }
            P::BookingCancelled { booking, reason, .. } => {
                let known =
                    self.bookings.get_mut(&(of, *booking)).ok_or_else(|| format!("booking {booking} is cancelled but was never made"))?;
                known.ended = Some(*reason);
                Ok(())
            }
            P::RefundDue { refund, payment, amount, account, method, .. } => self.owe(*refund, (of, *payment), *account, *method, *amount),
            P::RefundCompleted { refund, amount, .. } => self.complete(*refund, *amount),
            _ => Ok(()),
        }
    }

    fn start(&mut self, key: Of<PaymentId>, payment: Payment) -> Result<(), String> {
        let (performance, id) = key;
        let (booking, amount) = (payment.booking, payment.amount);
        require(self.payments.insert(key, payment).is_none(), || format!("payment {id} is started twice"))?;
        let total = self.bookings.get(&(performance, booking)).map(|booking| booking.total);
        require(total == Some(amount), || format!("payment {id} is of {amount}, its booking {booking} of {total:?}"))
    }

    fn sell(&mut self, key: Of<PaymentId>, booking: BookingId, amount: Won) -> Result<(), String> {
        let id = key.1;
        if let Some(known) = self.bookings.get_mut(&(key.0, booking)) {
            known.sold = true;
        }
        let payment = self.payment(key)?;
        let was = std::mem::replace(&mut payment.stage, Stage::Sold);
        if payment.method == Method::Card {
            payment.charged = payment.amount;
        }
        require(was == Stage::InFlight && payment.charged == amount && payment.booking == booking, || {
            format!("booking {booking} is sold for {amount}, but payment {id} is {was:?} and charged {}", payment.charged)
        })
    }

    fn owe(&mut self, id: RefundId, key: Of<PaymentId>, account: AccountId, method: Method, amount: Won) -> Result<(), String> {
        let once = self.refunds.insert(id, key).is_none();
        let payment = key.1;
        let known = self.payment(key)?;
        let first = known.refund.replace(Refund { id, amount, paid_back: false, completed: false }).is_none();
        require(once && first, || format!("payment {payment} is refunded twice"))?;
        if known.method == Method::Card && known.stage == Stage::Failed {
            known.charged = known.amount; // it was charged after all
        }
        require(known.account == account && known.method == method && known.charged == amount, || {
            format!("refund {id} owes {amount} to {account}, but payment {payment} took {} from {}", known.charged, known.account)
        })
    }

    fn complete(&mut self, id: RefundId, amount: Won) -> Result<(), String> {
        let payment = self.refunds.get(&id).copied().ok_or_else(|| format!("refund {id} is completed but was never due"))?;
        let payment = self.payment(payment)?;
        let by_card = payment.method == Method::Card;
        let refund = payment.refund.as_mut().filter(|refund| refund.id == id);
        let refund = refund.ok_or_else(|| format!("refund {id} is completed, but another is due"))?;
        require(!std::mem::replace(&mut refund.completed, true), || format!("refund {id} is completed twice"))?;
        refund.paid_back |= by_card; // the provider said so, and nothing else in the log does
        require(refund.paid_back && refund.amount == amount, || format!("refund {id} of {amount} is completed before the wallet has it"))
    }

    fn payment(&mut self, key: Of<PaymentId>) -> Result<&mut Payment, String> {
        self.payments.get_mut(&key).ok_or_else(|| format!("payment {} was never started", key.1))
    }

    /// Puts each charge where it belongs in the end, and tells the payments for which no place is right.
    fn balance(&mut self) -> Sums {
        let mut sums = Sums::default();
        let mut faults = Vec::new();
        for ((performance, id), payment) in &self.payments {
            let may_be_charged = payment.method == Method::Card && payment.stage == Stage::InFlight;
            let charged = i128::from(if may_be_charged { payment.amount.get() } else { payment.charged.get() });
            sums.charged += charged;
            let cancelled = self.bookings.get(&(*performance, payment.booking)).is_some_and(|booking| booking.ended.is_some());
            match (&payment.refund, payment.stage) {
                (Some(refund), _) if refund.paid_back => sums.refunded += i128::from(refund.amount.get()),
                (Some(refund), _) => sums.owed += i128::from(refund.amount.get()),
                (None, Stage::Sold) if cancelled => {
                    faults.push((payment.begun, format!("booking {} is cancelled, its payment {id} not refunded", payment.booking)))
                }
                (None, Stage::Sold) => sums.sold += i128::from(payment.amount.get()),
                (None, Stage::InFlight) => sums.in_doubt += charged,
                (None, Stage::Failed) => {}
            }
        }
        faults.extend(self.all_or_none.iter().filter_map(|shares| self.torn(shares)));
        faults.sort();
        for (position, fault) in faults {
            self.findings.fault(position, fault);
        }
        sums
    }
}

impl Money {
    /// Whether some of these shares fell at their deadline, while others stayed sold.
    fn torn(&self, shares: &Shares) -> Option<(u64, String)> {
        let bookings = || shares.bookings.iter().filter_map(|id| self.bookings.get(&(shares.performance, *id)));
        let fell = bookings().any(|share| matches!(share.ended, Some(Cancellation::Expired | Cancellation::OtherShareUnpaid)));
        let stands = bookings().any(|share| share.sold && share.ended.is_none());
        (fell && stands).then(|| (shares.begun, "of shares that stand or fall together, some were sold and others fell".to_owned()))
    }
}

impl Check for Money {
    fn event(&mut self, event: &Seen<'_>) {
        let Ok(recorded) = event.decoded else { return };
        let found = match (recorded.stream, &recorded.event) {
            (StreamId::Wallet(of), Event::Wallet(event)) => self.wallet(of, event),
            (StreamId::Performance(of), Event::Performance(event)) => self.performance(of, event, recorded.position),
            _ => return,
        };
        self.findings.looked();
        if let Err(fault) = found {
            self.findings.fault(recorded.position, fault);
        }
    }

    fn end(&mut self, head: u64) {
        let sums = self.balance();
        let Sums { charged, sold, refunded, owed, in_doubt } = sums;
        let told = |won: i128| grouped(u64::try_from(won).unwrap_or(0));
        let note = format!(
            "charged {} = sold {} + refunded {} + owed {} + in doubt {} won",
            told(charged),
            told(sold),
            told(refunded),
            told(owed),
            told(in_doubt)
        );
        self.findings.expect(charged == sold + refunded + owed + in_doubt, head, || format!("money doesn't balance: {note}"));
        self.findings.note = Some(note);
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}

fn require(claim: bool, fault: impl FnOnce() -> String) -> Result<(), String> {
    if claim { Ok(()) } else { Err(fault()) }
}
