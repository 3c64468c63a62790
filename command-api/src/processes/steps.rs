//! Carrying intents out: commands through the executor, each with a key of its own.

use super::intent::Intent;
use crate::executor::{DetailsOf, Executor, Rejected, Request};
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_domain::show::Details;
use socketing_domain::unit::{Command, UnitId};
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, ShowId, Won, performance, waiting_room, wallet};
use uuid::Uuid;

/// A step that has to be tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// The executor didn't take it.
    #[error("{step} was not carried out: {rejected}")]
    NotTaken { step: &'static str, rejected: Rejected },
    /// A refusal that no retry of this program's own commands should meet: it is kept for an operator to see.
    #[error("{step} was refused: {refusal}")]
    Refused { step: &'static str, refusal: socketing_domain::Refusal },
    /// What the intent is about can't be seen.
    #[error("show {0} has no details yet")]
    NoDetails(ShowId),
}

/// Sends the commands of one intent.
pub(super) struct Steps<'a> {
    pub(super) executor: &'a Executor,
    /// The position of the event that caused the intent.
    pub(super) position: u64,
}

impl Steps<'_> {
    pub(super) async fn carry_out(&self, intent: Intent) -> Result<(), StepError> {
        match intent {
            Intent::OpenWallet { account } => self.open_wallet(account).await,
            Intent::PutOnSale { show } => self.put_on_sale(show).await,
            Intent::TakePayment { performance, booking, payment, account, amount } => {
                self.take_payment(performance, booking, payment, account, amount).await
            }
            Intent::PayBack { performance, payment, refund, account, amount } => {
                self.pay_back(performance, payment, refund, account, amount).await
            }
            Intent::MakeRoom { performance, booking, account } => self.make_room(performance, booking, account).await,
        }
    }

    async fn open_wallet(&self, account: AccountId) -> Result<(), StepError> {
        let command = Command::Wallet(wallet::Command::OpenWallet { account });
        self.must("open the wallet", UnitId::Wallet(account), command, "accounts", "open-wallet".to_owned()).await
    }

    async fn put_on_sale(&self, show: ShowId) -> Result<(), StepError> {
        let details = self.details(show).await?;
        for date in &details.dates {
            let unit = UnitId::Performance(date.performance);
            let schedule = Command::Performance(performance::Command::Schedule {
                show,
                plan: details.plan,
                starts_at: date.starts_at,
                sale_opens_at: details.sale_opens_at,
                prices: details.prices.clone(),
                policies: details.policies,
            });
            self.must("schedule the performance", unit, schedule, "publisher", "schedule".to_owned()).await?;
            let open = Command::Line(waiting_room::Command::OpenLine {
                show,
                sale_opens_at: details.sale_opens_at,
                capacity: details.policies.capacity,
                session_seconds: details.policies.session_seconds,
            });
            self.must("open the line", unit, open, "publisher", "open-line".to_owned()).await?;
        }
        Ok(())
    }

    async fn details(&self, show: ShowId) -> Result<Details, StepError> {
        let seen = self.executor.ask(UnitId::Show(show), DetailsOf {}).await;
        let seen = seen.map_err(|rejected| StepError::NotTaken { step: "look at the show", rejected })?;
        seen.answer.ok_or(StepError::NoDetails(show))
    }

    /// Charges the wallet, then tells the performance what came of it.
    async fn take_payment(
        &self,
        performance: PerformanceId,
        booking: BookingId,
        payment: PaymentId,
        account: AccountId,
        amount: Won,
    ) -> Result<(), StepError> {
        // Someone who pays right after signing up may be faster than the policy that opens their wallet.
        self.open_wallet(account).await?;
        let charge = Command::Wallet(wallet::Command::Charge { payment, performance, booking, amount });
        let charged = self.send(UnitId::Wallet(account), charge, "payments", format!("charge:{performance}:{payment}")).await;
        let outcome = match charged {
            Ok(()) => performance::Command::ConfirmPayment { payment, refund: RefundId(late_refund(payment)) },
            Err(Rejected::Refused { refusal, .. }) => {
                performance::Command::FailPayment { payment, reason: refusal.reason.code().to_owned() }
            }
            Err(rejected) => return Err(StepError::NotTaken { step: "charge the wallet", rejected }),
        };
        let unit = UnitId::Performance(performance);
        self.must("tell the payment's outcome", unit, Command::Performance(outcome), "payments", format!("outcome:{payment}")).await
    }

    async fn pay_back(
        &self,
        performance: PerformanceId,
        payment: PaymentId,
        refund: RefundId,
        account: AccountId,
        amount: Won,
    ) -> Result<(), StepError> {
        let put_back = Command::Wallet(wallet::Command::Refund { refund, payment, amount });
        let key = format!("refund:{performance}:{refund}");
        self.must("refund to the wallet", UnitId::Wallet(account), put_back, "payments", key).await?;
        let complete = Command::Performance(performance::Command::CompleteRefund { refund });
        self.must("complete the refund", UnitId::Performance(performance), complete, "payments", format!("refunded:{refund}")).await
    }

    async fn make_room(&self, performance: PerformanceId, booking: BookingId, account: AccountId) -> Result<(), StepError> {
        let depart = Command::Line(waiting_room::Command::Depart { account });
        match self.send(UnitId::Performance(performance), depart, "departures", format!("depart:{booking}")).await {
            // They left, or their visit ended, before the payment was known.
            Ok(()) | Err(Rejected::Refused { refusal: socketing_domain::Refusal { reason: Reason::NotInLine, .. }, .. }) => Ok(()),
            Err(rejected) => Err(failed("make room", rejected)),
        }
    }

    async fn must(&self, step: &'static str, unit: UnitId, command: Command, part: &'static str, key: String) -> Result<(), StepError> {
        self.send(unit, command, part, key).await.map_err(|rejected| failed(step, rejected))
    }

    async fn send(&self, unit: UnitId, command: Command, part: &'static str, key: String) -> Result<(), Rejected> {
        let causation = Some(self.position.to_string());
        let request = Request { unit, command, actor: Actor::System(part), key, traceparent: None, causation };
        self.executor.execute(request).await.map(drop)
    }
}

fn failed(step: &'static str, rejected: Rejected) -> StepError {
    match rejected {
        Rejected::Refused { refusal, .. } => StepError::Refused { step, refusal },
        rejected => StepError::NotTaken { step, rejected },
    }
}

/// The id of the refund of a payment that came too late: a payment has at most one, so its own id serves.
fn late_refund(payment: PaymentId) -> Uuid {
    payment.0
}
