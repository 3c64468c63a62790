//! SocketPay: an account's wallet. Its writer is asked like any other, so an answer is never lost for good: what was
//! asked before is answered as it was.

use super::{Charge, Doubt, Provider, Refund, Verdict};
use crate::executor::{Executor, Rejected, Request};
use socketing_domain::AccountId;
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_domain::unit::{Command, UnitId};
use socketing_domain::wallet::Command as Wallet;

/// The parts of the system that wallets' events name.
const OPENS: Actor = Actor::System("accounts");
const MOVES: Actor = Actor::System("payments");

/// Wallets, through the executor.
pub(crate) struct SocketPay<'a> {
    pub(crate) executor: &'a Executor,
    /// The position of the event that everything here follows from.
    pub(crate) causation: Option<String>,
}

impl SocketPay<'_> {
    async fn send(&self, actor: Actor, account: AccountId, command: Wallet, key: String) -> Result<(), Rejected> {
        let (unit, command) = (UnitId::Wallet(account), Command::Wallet(command));
        let request = Request { unit, command, actor, key, traceparent: None, causation: self.causation.clone() };
        self.executor.execute(request).await.map(drop)
    }

    async fn take(&self, charge: &Charge, key: String) -> Result<Verdict, Doubt> {
        let Charge { performance, booking, payment, account, amount } = *charge;
        match self.send(MOVES, account, Wallet::Charge { payment, performance, booking, amount }, key).await {
            Ok(()) => Ok(Verdict::Taken),
            Err(Rejected::Refused { refusal, .. }) => Ok(Verdict::Refused(refusal.reason)),
            Err(rejected) => Err(doubt("charge the wallet", rejected)),
        }
    }
}

impl Provider for SocketPay<'_> {
    type Means = ();

    async fn charge(&self, charge: &Charge, (): &()) -> Result<Verdict, Doubt> {
        let key = format!("charge:{}:{}", charge.performance, charge.payment);
        match self.take(charge, key.clone()).await? {
            Verdict::Refused(Reason::UnknownAccount) => {}
            verdict => return Ok(verdict),
        }
        // Someone who pays right after signing up may be faster than the policy that opens their wallet. That refusal stands
        // under its key, so the charge has another from here on; a wallet is charged once for a payment, whatever the key.
        let open = Wallet::OpenWallet { account: charge.account };
        let opened = self.send(OPENS, charge.account, open, "open-wallet".to_owned()).await;
        opened.map_err(|rejected| doubt("open the wallet", rejected))?;
        self.take(charge, format!("{key}:opened")).await
    }

    async fn resolve(&self, charge: &Charge, (): &(), _overdue: bool) -> Result<Verdict, Doubt> {
        self.charge(charge, &()).await
    }

    async fn refund(&self, refund: &Refund) -> Result<(), Doubt> {
        let Refund { performance, payment, refund, account, amount } = *refund;
        let put_back = Wallet::Refund { refund, payment, amount };
        let put = self.send(MOVES, account, put_back, format!("refund:{performance}:{refund}")).await;
        put.map_err(|rejected| doubt("refund to the wallet", rejected))
    }
}

fn doubt(step: &'static str, rejected: Rejected) -> Doubt {
    match rejected {
        Rejected::Refused { refusal, .. } => Doubt::Refused { step, refusal: Box::new(refusal) },
        rejected => Doubt::NotTaken { step, rejected: Box::new(rejected) },
    }
}
