//! The card provider's charges, held against the log: nobody pays without a seat, nobody has a seat without paying.
//!
//! The provider goes on working while it is asked, so what doesn't fit is asked about once more before it is a fault.

use super::check::Seen;
use super::findings::Findings;
use crate::output::grouped;
use anyhow::Context as _;
use reqwest::StatusCode;
use serde::Deserialize;
use socketing_command_api::payments::card::Reference;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{Event as P, Method};
use socketing_domain::{PaymentId, PerformanceId, RefundId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the provider is, and what it knows us by.
pub(crate) struct CardProvider {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// A charge, as the provider has it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Charge {
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) state: String,
    #[serde(default)]
    pub(super) refunded: i64,
}

#[derive(Deserialize)]
struct Page {
    charges: Vec<Charge>,
    next: Option<usize>,
}

impl CardProvider {
    pub(crate) fn new(url: String, key: String) -> anyhow::Result<CardProvider> {
        // `no_proxy`: the provider is named by the address it is reached at.
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(CardProvider { http, url: url.trim_end_matches('/').to_owned(), key })
    }

    async fn all(&self) -> anyhow::Result<Vec<Charge>> {
        let (mut charges, mut from) = (Vec::new(), Some(0));
        while let Some(place) = from {
            let page = self.http.get(format!("{}/v1/charges?from={place}", self.url)).bearer_auth(&self.key).send().await;
            let page = page.and_then(reqwest::Response::error_for_status).context("asking the card provider for its charges")?;
            let page: Page = page.json().await.context("reading the card provider's charges")?;
            charges.extend(page.charges);
            from = page.next;
        }
        Ok(charges)
    }

    async fn one(&self, reference: &str) -> anyhow::Result<Option<Charge>> {
        let asked = self.http.get(format!("{}/v1/charges/{reference}", self.url)).bearer_auth(&self.key).send().await;
        let answer = asked.context("asking the card provider about a charge")?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.json().await.context("reading the card provider's charge")?))
    }
}

/// A payment by card, as the log tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Payment {
    amount: i64,
    sold: bool,
    failed: bool,
    /// Whether it is owed back; and whether it is back.
    refund: Option<bool>,
    begun: u64,
}

impl Payment {
    /// What is wrong between this payment and what its provider has, if anything is.
    pub(super) fn fault(&self, charge: Option<&Charge>) -> Option<String> {
        let taken = charge.filter(|charge| charge.state == "succeeded");
        let Some(charge) = taken else {
            let seats = self.sold || self.refund.is_some();
            return seats.then(|| "is sold or refunded here, and its provider took nothing".to_owned());
        };
        if charge.amount != self.amount {
            return Some(format!("is of {} won, and its provider took {}", self.amount, charge.amount));
        }
        match self.refund {
            None if charge.refunded > 0 => Some(format!("isn't owed back, and its provider gave {} won back", charge.refunded)),
            None if self.failed => Some(format!("failed here, and its provider took {} won", charge.amount)),
            Some(true) if charge.refunded != self.amount => {
                Some(format!("is back here, and its provider gave {} of {} won back", charge.refunded, self.amount))
            }
            _ => None,
        }
    }
}

/// Folds payments by card, and compares them with the provider's charges.
pub(super) struct Cards {
    provider: Option<CardProvider>,
    charges: Vec<Charge>,
    payments: BTreeMap<String, Payment>,
    refunds: HashMap<(PerformanceId, RefundId), String>,
    performances: HashSet<PerformanceId>,
}

impl Cards {
    /// With the charges that the provider has now.
    pub(super) async fn open(provider: Option<CardProvider>) -> anyhow::Result<Cards> {
        let charges = match &provider {
            Some(provider) => provider.all().await?,
            None => Vec::new(),
        };
        let (payments, refunds, performances) = Default::default();
        Ok(Cards { provider, charges, payments, refunds, performances })
    }

    /// Takes in the next event of the log.
    pub(super) fn event(&mut self, event: &Seen<'_>) {
        let Ok(recorded) = event.decoded else { return };
        if let (StreamId::Performance(of), Event::Performance(event)) = (recorded.stream, &recorded.event) {
            self.performance(of, event, recorded.position);
        }
    }

    fn performance(&mut self, of: PerformanceId, event: &P, position: u64) {
        let name = |payment: &PaymentId| Reference { performance: of, id: payment.0 }.to_string();
        match event {
            P::PerformanceScheduled { .. } => _ = self.performances.insert(of),
            P::PaymentStarted { payment, method, amount, .. } if method.method() == Method::Card => {
                let payment_now = Payment { amount: amount.get(), sold: false, failed: false, refund: None, begun: position };
                self.payments.insert(name(payment), payment_now);
            }
            P::SeatsSold { payment, .. } => self.change(&name(payment), |payment| payment.sold = true),
            P::PaymentFailed { payment, .. } => self.change(&name(payment), |payment| payment.failed = true),
            P::RefundDue { refund, payment, .. } => {
                self.change(&name(payment), |payment| payment.refund = Some(false));
                self.refunds.insert((of, *refund), name(payment));
            }
            P::RefundCompleted { refund, .. } => {
                if let Some(payment) = self.refunds.get(&(of, *refund)).cloned() {
                    self.change(&payment, |payment| payment.refund = Some(true));
                }
            }
            _ => {}
        }
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Payment)) {
        if let Some(payment) = self.payments.get_mut(name) {
            change(payment);
        }
    }

    /// What was found; nothing where no provider is known.
    pub(super) async fn finish(self) -> anyhow::Result<Option<Findings>> {
        let Some(provider) = &self.provider else { return Ok(None) };
        let mut findings = Findings::new("cards", "what the card provider took is sold, back, or known to be owed or in doubt");
        let charges: HashMap<&str, &Charge> = self.charges.iter().map(|charge| (charge.reference.as_str(), charge)).collect();
        for (name, payment) in &self.payments {
            findings.looked();
            if payment.fault(charges.get(name.as_str()).copied()).is_none() {
                continue;
            }
            if let Some(fault) = payment.fault(provider.one(name).await?.as_ref()) {
                findings.fault(payment.begun, format!("payment {name} {fault}"));
            }
        }
        for charge in &self.charges {
            let kept = charge.state == "succeeded" && charge.refunded < charge.amount;
            // Of a performance that isn't this log's, another system may have asked for it.
            let ours = charge.reference.parse().is_ok_and(|of: Reference| self.performances.contains(&of.performance));
            let known = !ours || self.payments.contains_key(&charge.reference);
            findings.expect(!kept || known, 0, || {
                format!("the provider took {} won for {}, which nobody asked for", charge.amount, charge.reference)
            });
        }
        let taken = self.charges.iter().filter(|charge| charge.state == "succeeded");
        let (taken, back) = taken.fold((0, 0), |(taken, back), charge| (taken + charge.amount, back + charge.refunded));
        let told = |won: i64| grouped(u64::try_from(won).unwrap_or(0));
        findings.note = Some(format!("the provider took {} and gave {} back", told(taken), told(back)));
        Ok(Some(findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(state: &str, amount: i64, refunded: i64) -> Option<Charge> {
        Some(Charge { reference: "p".into(), amount, state: state.into(), refunded })
    }

    #[test]
    fn a_payment_and_its_charge_must_fit() {
        let begun = Payment { amount: 5, sold: false, failed: false, refund: None, begun: 1 };
        let sold = Payment { sold: true, ..begun.clone() };
        let failed = Payment { failed: true, ..begun.clone() };
        let owed = Payment { refund: Some(false), ..sold.clone() };
        let back = Payment { refund: Some(true), ..sold.clone() };
        let late = Payment { refund: Some(true), ..failed.clone() };
        let fits: [(&Payment, Option<Charge>); 13] = [
            (&begun, None),
            (&begun, charge("pending", 5, 0)),
            (&begun, charge("succeeded", 5, 0)),
            (&begun, charge("declined", 5, 0)),
            (&failed, None),
            (&failed, charge("declined", 5, 0)),
            (&failed, charge("voided", 0, 0)),
            (&sold, charge("succeeded", 5, 0)),
            (&owed, charge("succeeded", 5, 0)),
            (&owed, charge("succeeded", 5, 5)),
            (&back, charge("succeeded", 5, 5)),
            (&late, charge("succeeded", 5, 5)),
            (&Payment { refund: Some(false), ..failed.clone() }, charge("succeeded", 5, 0)),
        ];
        for (payment, charge) in fits {
            assert_eq!(payment.fault(charge.as_ref()), None, "{payment:?} {charge:?}");
        }
        let wrong = [
            (&sold, None, "took nothing"),
            (&sold, charge("declined", 5, 0), "took nothing"),
            (&owed, charge("voided", 0, 0), "took nothing"),
            (&sold, charge("succeeded", 4, 0), "is of 5 won"),
            (&begun, charge("succeeded", 6, 0), "is of 5 won"),
            (&sold, charge("succeeded", 5, 5), "isn't owed back"),
            (&failed, charge("succeeded", 5, 0), "failed here"),
            (&back, charge("succeeded", 5, 0), "is back here"),
            (&late, charge("succeeded", 5, 4), "is back here"),
        ];
        for (payment, charge, why) in wrong {
            let fault = payment.fault(charge.as_ref()).unwrap_or_default();
            assert!(fault.contains(why), "{payment:?} {charge:?}: {fault}");
        }
    }
}
