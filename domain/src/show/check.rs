//! What an organiser says of a show, held against the bounds and against its plan. Every refusal names the field.

use super::{CategoryPrice, Date, Details, Policies, Text};
use crate::limits::{
    ADMISSIONS_PER_MINUTE_MAX, CAPACITY_MAX, CLAIM_SECONDS_MAX, LOBBY_SECONDS_MAX, NAME_CHARS_MAX, PERFORMANCES_MAX, POLICY_SECONDS_MAX,
    PRICE_MAX_WON, SEATS_PER_PERSON_MAX,
};
use crate::plan::Plan;
use crate::refusal::{Reason, Refusal, refuse};
use crate::waiting_room::LineRules;
use crate::{PerformanceId, Timestamp, Won};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Checks all of a show's details.
pub(super) fn details(details: &Details, plan: Option<&Plan>) -> Result<(), Refusal> {
    text("/title", &details.title)?;
    text("/venue", &details.venue)?;
    let Some(plan) = plan else {
        return refuse(Reason::Invalid, format!("/plan: there is no plan {}", details.plan));
    };
    dates(&details.dates, details.sale_opens_at)?;
    prices_by_category(plan, &details.prices)?;
    policies(&details.policies)
}

fn text(field: &str, text: &Text) -> Result<(), Refusal> {
    one_line(&format!("{field}/ko"), &text.ko, NAME_CHARS_MAX)?;
    match &text.en {
        Some(english) => one_line(&format!("{field}/en"), english, NAME_CHARS_MAX),
        None => Ok(()),
    }
}

/// Checks a text of one line.
pub(crate) fn one_line(field: &str, text: &str, chars_max: usize) -> Result<(), Refusal> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > chars_max {
        return refuse(Reason::Invalid, format!("{field}: 1 to {chars_max} characters, not all of them spaces; it has {chars}"));
    }
    if text.chars().any(char::is_control) {
        return refuse(Reason::Invalid, format!("{field}: no control characters"));
    }
    Ok(())
}

fn dates(dates: &[Date], sale_opens_at: Timestamp) -> Result<(), Refusal> {
    within("/dates", dates.len(), 1..=PERFORMANCES_MAX)?;
    let mut seen = HashSet::new();
    for (at, date) in dates.iter().enumerate() {
        if date.performance == PerformanceId::default() || !seen.insert(date.performance) {
            return refuse(Reason::Invalid, format!("/dates/{at}/performance: {} is nil or named twice", date.performance));
        }
        if date.starts_at <= sale_opens_at {
            return refuse(Reason::Invalid, format!("/dates/{at}/starts_at: {} isn't after the sale opens", date.starts_at));
        }
    }
    Ok(())
}

/// The price of each of the plan's categories, in the plan's order: the show's, else the plan's own; nothing for a category
/// that no seat uses and nobody priced.
pub(crate) fn prices_by_category(plan: &Plan, prices: &[CategoryPrice]) -> Result<Vec<CategoryPrice>, Refusal> {
    let mut known: HashMap<&str, Option<Won>> = plan.categories.iter().map(|category| (category.name.as_str(), None)).collect();
    for (at, CategoryPrice { category, price }) in prices.iter().enumerate() {
        let Some(slot) = known.get_mut(category.as_str()) else {
            return refuse(Reason::Invalid, format!("/prices/{at}/category: the plan has no category {category:?}"));
        };
        if slot.replace(*price).is_some() {
            return refuse(Reason::Invalid, format!("/prices/{at}/category: {category:?} is priced twice"));
        }
        within(&format!("/prices/{at}/price"), price.get(), 1..=PRICE_MAX_WON)?;
    }
    let used: HashSet<u16> = plan.seats.iter().map(|seat| seat.category).collect();
    let of_category = |(at, name): (usize, &String)| match known[name.as_str()].or_else(|| plan.price_of(at)) {
        Some(price) => Ok(CategoryPrice { category: name.clone(), price }),
        None if used.contains(&(at as u16)) => refuse(Reason::Invalid, format!("/prices: category {name:?} has seats and no price")),
        None => Ok(CategoryPrice { category: name.clone(), price: Won::ZERO }),
    };
    plan.categories.iter().map(|category| &category.name).enumerate().map(of_category).collect()
}

/// Checks the rules a show is sold by.
pub(crate) fn policies(policies: &Policies) -> Result<(), Refusal> {
    within("/policies/seats_per_person", policies.seats_per_person, 1..=SEATS_PER_PERSON_MAX)?;
    within("/policies/hold_seconds", policies.hold_seconds, 1..=POLICY_SECONDS_MAX)?;
    within("/policies/payment_seconds", policies.payment_seconds, 1..=POLICY_SECONDS_MAX)?;
    within("/policies/capacity", policies.capacity, 1..=CAPACITY_MAX)?;
    within("/policies/session_seconds", policies.session_seconds, 1..=POLICY_SECONDS_MAX)?;
    line_rules("/policies/line", &policies.line)
}

/// Checks the rules of a line.
pub(crate) fn line_rules(field: &str, rules: &LineRules) -> Result<(), Refusal> {
    if let Some(rate) = rules.admissions_per_minute {
        within(&format!("{field}/admissions_per_minute"), rate, 1..=ADMISSIONS_PER_MINUTE_MAX)?;
    }
    within(&format!("{field}/claim_seconds"), rules.claim_seconds, 1..=CLAIM_SECONDS_MAX)?;
    within(&format!("{field}/lobby_seconds"), rules.lobby_seconds, 1..=LOBBY_SECONDS_MAX)
}

/// Checks a number against its bounds.
pub(crate) fn within<N: PartialOrd + Display>(field: &str, value: N, bounds: RangeInclusive<N>) -> Result<(), Refusal> {
    if bounds.contains(&value) {
        return Ok(());
    }
    refuse(Reason::Invalid, format!("{field}: {} to {}, not {value}", bounds.start(), bounds.end()))
}
