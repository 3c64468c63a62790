//! Carrying intents out: commands through the executor, each with a key of its own.

use super::intent::Intent;
use super::seeds::{self, SeedError};
use crate::executor::{AwaitsSeed, DetailsOf, Executor, Rejected, Request};
use crate::payments::card::CardProvider;
use crate::payments::{Charge, Doubt, Payments, Provider, Refund, SocketPay, Verdict};
use socketing_domain::draw;
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_domain::show::Details;
use socketing_domain::unit::{Command, UnitId};
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, RefundId, ShowId, performance, waiting_room, wallet};
use socketing_event_store::StoreError;
use sqlx::PgPool;
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
    /// What a provider did isn't known.
    #[error(transparent)]
    InDoubt(#[from] Doubt),
    /// The table of intents can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seed of a draw can't be made or read.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

/// Sends the commands of one intent.
pub(super) struct Steps<'a> {
    pub(super) pool: &'a PgPool,
    pub(super) executor: &'a Executor,
    pub(super) payments: &'a Payments,
    /// The position of the event that caused the intent; 0 if something else did.
    pub(super) position: u64,
    /// Whether a provider was asked before, and its answer isn't known.
    pub(super) in_doubt: bool,
    /// Whether that has been so for too long.
    pub(super) overdue: bool,
}

impl Steps<'_> {
    /// Carries an intent out; what it gives is to be done later.
    pub(super) async fn carry_out(&self, intent: Intent) -> Result<Option<Intent>, StepError> {
        match intent {
            Intent::OpenWallet { account } => self.open_wallet(account).await?,
            Intent::PutOnSale { show } => self.put_on_sale(show).await?,
            Intent::CommitDraw { performance } => self.commit_draw(performance).await?,
            Intent::RevealSeed { performance } => self.reveal_seed(performance).await?,
            Intent::SendAway { performance, account } => self.send_away(performance, account).await?,
            Intent::TakePayment(charge) => _ = self.take_payment(&self.wallets(), &charge, &()).await?,
            Intent::ChargeCard { charge, token } => {
                let verdict = self.take_payment(self.card()?, &charge, &token).await?;
                // The provider is taken at its word, and asked once more: its news of a change of mind may be lost.
                return Ok((verdict != Verdict::Taken).then_some(Intent::AskAgain(charge)));
            }
            Intent::AskAgain(charge) => self.ask_again(&charge).await?,
            Intent::PayBack(refund) => self.pay_back(&self.wallets(), &refund).await?,
            Intent::RefundCard(refund) => self.pay_back(self.card()?, &refund).await?,
            Intent::MakeRoom { performance, booking, account } => self.make_room(performance, booking, account).await?,
        }
        Ok(None)
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
                rules: details.policies.line,
            });
            self.must("open the line", unit, open, "publisher", "open-line".to_owned()).await?;
        }
        Ok(())
    }

    /// Under a new key each time: someone may be gone more than once, and repeating it does nothing.
    async fn send_away(&self, performance: PerformanceId, account: AccountId) -> Result<(), StepError> {
        let away = Command::Line(waiting_room::Command::SendAway { account });
        self.must("send someone away", UnitId::Performance(performance), away, "presence", Uuid::now_v7().to_string()).await
    }

    async fn commit_draw(&self, performance: PerformanceId) -> Result<(), StepError> {
        let seed = seeds::make(self.pool, performance).await?;
        let commit = Command::Line(waiting_room::Command::CommitDraw { commitment: draw::commitment(&seed) });
        self.must("commit to the draw", UnitId::Performance(performance), commit, "draw", "commit-draw".to_owned()).await
    }

    /// Nothing is to be told of a seed that was given up.
    async fn reveal_seed(&self, performance: PerformanceId) -> Result<(), StepError> {
        let awaited = self.executor.ask(UnitId::Performance(performance), AwaitsSeed {}).await;
        if !awaited.map_err(|rejected| StepError::NotTaken { step: "look at the draw", rejected })?.answer {
            return Ok(());
        }
        let seed = seeds::read(self.pool, performance).await?;
        let reveal = Command::Line(waiting_room::Command::RevealSeed { seed });
        self.must("reveal the seed", UnitId::Performance(performance), reveal, "draw", "reveal-seed".to_owned()).await
    }

    async fn details(&self, show: ShowId) -> Result<Details, StepError> {
        let seen = self.executor.ask(UnitId::Show(show), DetailsOf {}).await;
        let seen = seen.map_err(|rejected| StepError::NotTaken { step: "look at the show", rejected })?;
        seen.answer.ok_or(StepError::NoDetails(show))
    }

    /// Has a payment taken by its provider, then tells the performance what came of it.
    async fn take_payment<P: Provider>(&self, provider: &P, charge: &Charge, means: &P::Means) -> Result<Verdict, StepError> {
        let verdict = match self.in_doubt {
            false => provider.charge(charge, means).await?,
            true => provider.resolve(charge, means, self.overdue).await?,
        };
        self.tell(charge, verdict).await?;
        Ok(verdict)
    }

    /// There may be news of a payment: the provider is asked what it is. Its message alone is nobody's word.
    async fn ask_again(&self, charge: &Charge) -> Result<(), StepError> {
        match self.card()?.ask(charge).await? {
            Some(Verdict::Taken) => self.tell(charge, Verdict::Taken).await,
            // What was refused was told, or is found out by whoever charges.
            Some(Verdict::Refused(_)) | None => Ok(()),
        }
    }

    /// Each outcome has a key of its own: a payment that failed may still turn out to have been taken, and is refunded.
    async fn tell(&self, charge: &Charge, verdict: Verdict) -> Result<(), StepError> {
        let payment = charge.payment;
        let (outcome, key) = match verdict {
            Verdict::Taken => {
                let refund = RefundId(late_refund(payment));
                (performance::Command::ConfirmPayment { payment, refund }, format!("confirm:{payment}"))
            }
            Verdict::Refused(reason) => (
                performance::Command::FailPayment { payment, reason: reason.code().to_owned() },
                format!("fail:{payment}:{}", reason.code()),
            ),
        };
        let unit = UnitId::Performance(charge.performance);
        self.must("tell the payment's outcome", unit, Command::Performance(outcome), "payments", key).await?;
        self.payments.outcomes.told(payment);
        Ok(())
    }

    async fn pay_back(&self, provider: &impl Provider, refund: &Refund) -> Result<(), StepError> {
        provider.refund(refund).await?;
        let complete = Command::Performance(performance::Command::CompleteRefund { refund: refund.refund });
        let key = format!("refunded:{}", refund.refund);
        self.must("complete the refund", UnitId::Performance(refund.performance), complete, "payments", key).await
    }

    fn wallets(&self) -> SocketPay<'_> {
        SocketPay { executor: self.executor, causation: self.causation() }
    }

    fn card(&self) -> Result<&CardProvider, Doubt> {
        self.payments.card.as_ref().ok_or(Doubt::NoProvider)
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
        let request = Request { unit, command, actor: Actor::System(part), key, traceparent: None, causation: self.causation() };
        self.executor.execute(request).await.map(drop)
    }

    fn causation(&self) -> Option<String> {
        (self.position > 0).then(|| self.position.to_string())
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
