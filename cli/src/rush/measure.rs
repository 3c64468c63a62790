//! What a rush measures: how long each step took, how each fan ended, what was refused, and what must never happen.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest time that is told apart, in microseconds: longer than a rush may take.
const LONGEST_US: u64 = 3_600_000_000;
/// Violations told in full.
const VIOLATIONS_TOLD_MAX: usize = 50;

/// What is timed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// `POST /v1/accounts`, password hashing included.
    SignUp,
    /// Opening the live connection, up to its greeting.
    Connect,
    /// From subscribing to the seat map's snapshot, or what was missed.
    Snapshot,
    /// Inviting a friend.
    Invite,
    /// Accepting an invitation.
    Accept,
    /// Joining the line.
    Join,
    /// Claiming the pass that one was called to.
    Claim,
    /// Waiting in the line, up to the push that says one is inside. The fans' own time, not the system's.
    Line,
    /// A hold that succeeded.
    Hold,
    /// A hold of the best seats that succeeded.
    HoldBest,
    /// A hold that was refused.
    HoldRefused,
    /// From the answer to a hold until the fan's own map covers it.
    MapPush,
    /// Extending a hold.
    Extend,
    /// Booking.
    Book,
    /// Paying, up to the outcome.
    Pay,
    /// Cancelling.
    Cancel,
    /// From the answer to a cancellation until the refund is pushed.
    Refund,
    /// Leaving the line or the inside.
    Leave,
    /// Queries.
    Query,
}

/// One step's times, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Times {
    pub(crate) step: Step,
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// Everything measured. Shared by all fans.
#[derive(Default)]
pub(crate) struct Measures {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    times: BTreeMap<Step, Histogram<u64>>,
    refusals: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    violations: Vec<String>,
    violations_count: u64,
    later: u64,
    unanswered: u64,
    reconnections: u64,
}

/// The counts, as they are reported.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// How fans ended, by code.
    pub(crate) ends: BTreeMap<String, u64>,
    /// What was refused, by code.
    pub(crate) refusals: BTreeMap<String, u64>,
    /// Answers that said "later" (429, 503).
    pub(crate) later: u64,
    /// Requests that got no answer and were sent again under the same key.
    pub(crate) unanswered: u64,
    /// Live connections that were opened again.
    pub(crate) reconnections: u64,
    /// What must never happen.
    pub(crate) violations: u64,
    /// The first of those.
    pub(crate) violations_told: Vec<String>,
}

impl Measures {
    /// Notes how long a step took.
    pub(crate) fn took(&self, step: Step, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US);
        let mut inner = self.lock();
        let histogram = inner.times.entry(step).or_insert_with(new_histogram);
        histogram.saturating_record(micros);
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, code: &str) {
        *self.lock().refusals.entry(code.to_owned()).or_default() += 1;
    }

    /// Counts how a fan ended.
    pub(crate) fn ended(&self, code: &str) {
        *self.lock().ends.entry(code.to_owned()).or_default() += 1;
    }

    /// Notes something that must never happen.
    pub(crate) fn violation(&self, text: impl Into<String>) {
        let mut inner = self.lock();
        inner.violations_count += 1;
        if inner.violations.len() < VIOLATIONS_TOLD_MAX {
            inner.violations.push(text.into());
        }
    }

    /// Counts an answer that said "later".
    pub(crate) fn later(&self) {
        self.lock().later += 1;
    }

    /// Counts a request without an answer.
    pub(crate) fn unanswered(&self) {
        self.lock().unanswered += 1;
    }

    /// Counts a live connection that was opened again.
    pub(crate) fn reconnected(&self) {
        self.lock().reconnections += 1;
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> Counts {
        let inner = self.lock();
        Counts {
            ends: inner.ends.clone(),
            refusals: inner.refusals.clone(),
            later: inner.later,
            unanswered: inner.unanswered,
            reconnections: inner.reconnections,
            violations: inner.violations_count,
            violations_told: inner.violations.clone(),
        }
    }

    /// The times of every step that was taken.
    pub(crate) fn times(&self) -> Vec<Times> {
        let inner = self.lock();
        let at = |histogram: &Histogram<u64>, quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let times = inner.times.iter().map(|(step, histogram)| Times {
            step: *step,
            count: histogram.len(),
            p50_ms: at(histogram, 0.5),
            p90_ms: at(histogram, 0.9),
            p99_ms: at(histogram, 0.99),
            max_ms: at(histogram, 1.0),
        });
        times.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_histogram() -> Histogram<u64> {
    // Three digits up to an hour: 200 KB a step at most.
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are constants that hdrhistogram accepts")
}

impl Step {
    /// As a table shows it.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Step::SignUp => "sign up",
            Step::Connect => "connect live",
            Step::Snapshot => "seat map",
            Step::Invite => "invite",
            Step::Accept => "accept",
            Step::Join => "join line",
            Step::Claim => "claim pass",
            Step::Line => "(wait in line)",
            Step::Hold => "hold",
            Step::HoldBest => "hold the best",
            Step::HoldRefused => "hold, refused",
            Step::MapPush => "hold → own map",
            Step::Extend => "extend hold",
            Step::Book => "book",
            Step::Pay => "pay",
            Step::Cancel => "cancel",
            Step::Refund => "cancel → refund",
            Step::Leave => "leave",
            Step::Query => "query",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let measures = Measures::default();
        (1..=100).for_each(|ms| measures.took(Step::Hold, Duration::from_millis(ms)));
        let times = measures.times();
        assert_eq!(times.len(), 1);
        assert!((times[0].p50_ms - 50.0).abs() < 1.0 && (times[0].p99_ms - 99.0).abs() < 1.0 && (times[0].max_ms - 100.0).abs() < 1.0);
    }

    #[test]
    fn violations_are_counted_beyond_those_told() {
        let measures = Measures::default();
        (0..100).for_each(|n| measures.violation(n.to_string()));
        assert_eq!((measures.counts().violations, measures.counts().violations_told.len()), (100, VIOLATIONS_TOLD_MAX));
    }
}
