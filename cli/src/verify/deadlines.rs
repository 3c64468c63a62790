//! No hold, and no booking that waits for its money, lives beyond its deadline.
//!
//! What counts is when a thing was decided. A booking tells it (`pay_by` less the time to pay), so that is checked to
//! the millisecond. Where an event doesn't tell, the moment of its commit stands in, with [`COMMIT_GRACE`] for the way
//! from the decision to the commit. What merely outlives its deadline without being used is a fault once the log has
//! gone on for [`RELEASE_GRACE`] of busy time: while the system is down nobody releases anything, which is harmless.

use super::check::{Check, Seen};
use super::findings::Findings;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::Event as P;
use socketing_domain::{BookingId, HoldId, PerformanceId, Timestamp};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::Duration;

/// From a decision to its commit: the statement's own time limit, and some seconds for a stopped process.
const COMMIT_GRACE: Duration = Duration::from_secs(30);
/// Timers look every second; a busy system may be late by some more.
const RELEASE_GRACE: Duration = Duration::from_secs(30);
/// A longer silence of the log says nothing: the system may have been down. So much of it counts as busy time.
const BUSY_GAP_MAX: Duration = Duration::from_secs(2);

/// What has a deadline. Clients make the ids: they are unique within their performance only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Kept {
    Hold(PerformanceId, HoldId),
    Booking(PerformanceId, BookingId),
}

/// A deadline, and the busy time at which the log was seen to have passed it.
struct Deadline {
    at: Timestamp,
    passed: Option<Duration>,
    position: u64,
    /// A payment is in flight: the booking can't expire until its outcome is known.
    frozen: bool,
}

/// Folds what has a deadline, over all performances.
pub(crate) struct Deadlines {
    payment_seconds: HashMap<PerformanceId, u32>,
    kept: HashMap<Kept, Deadline>,
    /// Shares that stand or fall together: for each, all of them.
    together: HashMap<Kept, Vec<Kept>>,
    /// Those of which a payment is in flight.
    paying: HashSet<Kept>,
    upcoming: BinaryHeap<Reverse<(Timestamp, Kept)>>,
    last: Option<Timestamp>,
    busy: Duration,
    findings: Findings,
}

impl Deadlines {
    pub(crate) fn new() -> Deadlines {
        Deadlines {
            payment_seconds: HashMap::new(),
            kept: HashMap::new(),
            together: HashMap::new(),
            paying: HashSet::new(),
            upcoming: BinaryHeap::new(),
            last: None,
            busy: Duration::ZERO,
            findings: Findings::new("deadlines", "nothing is held, booked or paid beyond its deadline"),
        }
    }

    /// Time goes on to the moment of this event's commit.
    fn advance(&mut self, now: Timestamp) {
        let gap = self.last.map_or(Duration::ZERO, |last| last.until(now));
        self.busy += gap.min(BUSY_GAP_MAX);
        self.last = self.last.max(Some(now));
        while self.upcoming.peek().is_some_and(|Reverse((at, _))| *at < now) {
            let Some(Reverse((at, kept))) = self.upcoming.pop() else { break };
            if let Some(deadline) = self.kept.get_mut(&kept).filter(|deadline| deadline.at == at) {
                deadline.passed.get_or_insert(self.busy);
            }
        }
    }

    fn keep(&mut self, kept: Kept, at: Timestamp, position: u64) {
        self.findings.looked();
        self.upcoming.push(Reverse((at, kept)));
        self.kept.insert(kept, Deadline { at, passed: None, position, frozen: false });
    }

    /// It ended by itself. That must not have been long after its deadline.
    fn let_go(&mut self, kept: Kept, position: u64) {
        if let Some(deadline) = self.kept.remove(&kept)
            && let Some(late) = self.overdue(&deadline)
        {
            self.findings.fault(position, format!("{} ended {} s after its deadline {}", kept.told(), late.as_secs(), deadline.at));
        }
    }

    /// How long the log went on past the deadline, where that is longer than it may.
    fn overdue(&self, deadline: &Deadline) -> Option<Duration> {
        let late = self.busy.saturating_sub(deadline.passed.filter(|_| !deadline.frozen)?);
        (late > RELEASE_GRACE).then_some(late)
    }

    /// It was used: decided at `decided` if the event tells, else some time before `recorded_at`.
    fn used(&mut self, kept: Kept, decided: Option<Timestamp>, recorded_at: Timestamp, position: u64) {
        let Some(deadline) = self.kept.get(&kept) else { return };
        let late = match decided {
            Some(decided) => deadline.at.until(decided),
            None => deadline.at.until(recorded_at).saturating_sub(COMMIT_GRACE),
        };
        let at = deadline.at;
        self.findings
            .expect(late.is_zero(), position, || format!("{} is used {} ms after its deadline {at}", kept.told(), late.as_millis()));
    }

    fn performance(&mut self, performance: PerformanceId, event: &P, recorded_at: Timestamp, position: u64) {
        match event {
            P::PerformanceScheduled { payment_seconds, .. } => drop(self.payment_seconds.insert(performance, *payment_seconds)),
            P::SeatsHeld { hold, expires_at, .. } => self.keep(Kept::Hold(performance, *hold), *expires_at, position),
            P::HoldExtended { hold, expires_at } => {
                self.used(Kept::Hold(performance, *hold), None, recorded_at, position);
                self.keep(Kept::Hold(performance, *hold), *expires_at, position);
            }
            P::HoldReleased { hold, .. } => self.let_go(Kept::Hold(performance, *hold), position),
            P::SeatsBooked { booking, hold, pay_by, .. } => {
                let to_pay = self.payment_seconds.get(&performance).map_or(0, |seconds| i64::from(*seconds));
                let decided = Timestamp::from_millis(pay_by.as_millis() - to_pay * 1000);
                self.used(Kept::Hold(performance, *hold), Some(decided), recorded_at, position);
                self.kept.remove(&Kept::Hold(performance, *hold));
                self.keep(Kept::Booking(performance, *booking), *pay_by, position);
            }
            P::PaymentStarted { booking, .. } => {
                self.used(Kept::Booking(performance, *booking), None, recorded_at, position);
                self.pays(Kept::Booking(performance, *booking), true);
            }
            P::PaymentFailed { booking, .. } => self.pays(Kept::Booking(performance, *booking), false),
            P::SeatsSold { booking, .. } => {
                self.pays(Kept::Booking(performance, *booking), false);
                self.kept.remove(&Kept::Booking(performance, *booking));
            }
            P::SharesOpened { bookings, all_or_none: true, .. } => {
                let all: Vec<Kept> = bookings.iter().map(|id| Kept::Booking(performance, *id)).collect();
                self.together.extend(all.iter().map(|share| (*share, all.clone())));
            }
            P::BookingCancelled { booking, .. } => self.let_go(Kept::Booking(performance, *booking), position),
            P::SeatClaimed { .. } | P::SharesOpened { .. } | P::SharesReseated { .. } | P::RefundDue { .. } | P::RefundCompleted { .. } => {
            }
        }
    }

    /// While a share's payment is in flight, the others that stand or fall with it wait for its outcome too.
    fn pays(&mut self, booking: Kept, begins: bool) {
        let changed = if begins { self.paying.insert(booking) } else { self.paying.remove(&booking) };
        if !changed {
            return;
        }
        let all = self.together.get(&booking).cloned().unwrap_or_else(|| vec![booking]);
        let frozen = all.iter().any(|share| self.paying.contains(share));
        all.into_iter().for_each(|share| self.freeze(share, frozen));
    }

    /// While a payment is in flight the booking's time stands still; after that it is overdue from now on.
    fn freeze(&mut self, booking: Kept, frozen: bool) {
        let busy = self.busy;
        if let Some(deadline) = self.kept.get_mut(&booking) {
            deadline.frozen = frozen;
            deadline.passed = deadline.passed.map(|_| busy);
        }
    }
}

impl Check for Deadlines {
    fn event(&mut self, event: &Seen<'_>) {
        self.advance(event.raw.recorded_at);
        let Ok(recorded) = event.decoded else { return };
        if let (StreamId::Performance(performance), Event::Performance(event)) = (recorded.stream, &recorded.event) {
            self.performance(performance, event, recorded.recorded_at, recorded.position);
        }
    }

    fn end(&mut self, _head: u64) {
        let mut left: Vec<(u64, Kept, Timestamp, Duration)> = Vec::new();
        for (kept, deadline) in &self.kept {
            left.extend(self.overdue(deadline).map(|late| (deadline.position, *kept, deadline.at, late)));
        }
        left.sort_unstable();
        for (position, kept, at, late) in left {
            self.findings.fault(position, format!("{} still lives {} s after its deadline {at}", kept.told(), late.as_secs()));
        }
        self.findings.note = Some(format!("{} still live", self.kept.len()));
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}

impl Kept {
    fn told(self) -> String {
        match self {
            Kept::Hold(_, hold) => format!("hold {hold}"),
            Kept::Booking(_, booking) => format!("booking {booking}"),
        }
    }
}
