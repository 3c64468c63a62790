//! Putting a performance on sale.

use super::{Event, Facts, Performance};
use crate::plan::PlanHash;
use crate::refusal::{Reason, Refusal, refuse};
use crate::show::{CategoryPrice, Policies, check};
use crate::{ShowId, Timestamp};

/// What a show says of one of its performances.
pub(super) struct Terms<'a> {
    pub(super) show: ShowId,
    pub(super) hash: PlanHash,
    pub(super) starts_at: Timestamp,
    pub(super) sale_opens_at: Timestamp,
    pub(super) prices: &'a [CategoryPrice],
    pub(super) policies: &'a Policies,
}

impl Performance {
    pub(super) fn decide_schedule(&self, facts: &Facts<'_>, terms: &Terms<'_>) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = &self.schedule {
            if known.show == terms.show {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("the performance is one of show {}", known.show));
        }
        let Some(plan) = facts.plan else {
            return refuse(Reason::Invalid, format!("/plan: there is no plan {}", terms.hash));
        };
        if terms.sale_opens_at >= terms.starts_at {
            return refuse(Reason::Invalid, format!("/sale_opens_at: {} isn't before the performance begins", terms.sale_opens_at));
        }
        check::policies(terms.policies)?;
        Ok(vec![Event::PerformanceScheduled {
            show: terms.show,
            plan: terms.hash,
            seats: plan.seats.len() as u32,
            starts_at: terms.starts_at,
            sale_opens_at: terms.sale_opens_at,
            prices: check::prices_by_category(plan, terms.prices)?,
            seats_per_person: terms.policies.seats_per_person,
            hold_seconds: terms.policies.hold_seconds,
            payment_seconds: terms.policies.payment_seconds,
            no_orphans: terms.policies.no_orphans,
            adjacency: terms.policies.adjacency,
        }])
    }
}
