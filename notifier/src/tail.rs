//! The last events that the follower read, for whoever comes after it at a pace of their own.

use crate::{limits, room::lock};
use socketing_domain::event::Recorded;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;
use uuid::Uuid;

/// Which reading of the log something belongs to: another one begins when the log is another one, or is read anew.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(crate) struct Reading {
    /// Of how many.
    nth: u64,
    /// The history that is read.
    pub(crate) incarnation: Uuid,
}

/// The end of the log as it was read, [`limits::TAIL_EVENTS_MAX`] events of it.
#[derive(Default, Debug)]
pub(crate) struct Tail {
    kept: Mutex<Kept>,
    /// Wakes whoever comes after.
    pub(crate) stirred: Notify,
}

#[derive(Default, Debug)]
struct Kept {
    reading: Reading,
    /// Everything after this, up to `end`, is among `events`, if this program can read it.
    after: u64,
    end: u64,
    events: VecDeque<Arc<Recorded>>,
}

/// What comes next.
#[derive(PartialEq, Debug)]
pub(crate) enum Next {
    /// Nothing yet.
    Nothing,
    /// These, and everything is told up to this position.
    Events(Vec<Arc<Recorded>>, u64),
    /// Some that aren't kept any more; the log has them. It was read up to this position.
    Gone(u64),
    /// Another reading of the log, which begins after this position.
    Anew(Reading, u64),
}

impl Tail {
    /// The log is read anew, after this position of this history.
    pub(crate) fn begin(&self, position: u64, incarnation: Uuid) {
        let mut kept = lock(&self.kept);
        let reading = Reading { nth: kept.reading.nth + 1, incarnation };
        *kept = Kept { reading, after: position, end: position, events: VecDeque::new() };
        drop(kept);
        self.stirred.notify_one();
    }

    /// Takes the next events, all up to `position`. Never waits: the oldest make room.
    pub(crate) fn put(&self, events: &[Arc<Recorded>], position: u64) {
        let mut kept = lock(&self.kept);
        kept.events.extend(events.iter().cloned());
        kept.end = position;
        while kept.events.len() > limits::TAIL_EVENTS_MAX
            && let Some(oldest) = kept.events.pop_front()
        {
            kept.after = oldest.position;
        }
        drop(kept);
        self.stirred.notify_one();
    }

    /// What comes after this position of this reading.
    pub(crate) fn next(&self, reading: Reading, position: u64) -> Next {
        let kept = lock(&self.kept);
        if kept.reading != reading {
            return Next::Anew(kept.reading, kept.after);
        }
        if position >= kept.end {
            return Next::Nothing;
        }
        if position < kept.after {
            return Next::Gone(kept.end);
        }
        let from = kept.events.partition_point(|event| event.position <= position);
        let events: Vec<_> = kept.events.range(from..).take(limits::BATCH_EVENTS_MAX).cloned().collect();
        let is_all = from + events.len() == kept.events.len();
        let last = events.last().filter(|_| !is_all).map_or(kept.end, |event| event.position);
        Next::Events(events, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{held, seats};
    use socketing_domain::{AccountId, HoldId, PerformanceId};

    fn events(positions: std::ops::RangeInclusive<u64>) -> Vec<Arc<Recorded>> {
        positions.map(|position| seats(position, PerformanceId::new(), held(AccountId::new(), HoldId::new(), &[1]))).collect()
    }

    fn positions(next: Next) -> (Vec<u64>, u64) {
        let Next::Events(events, end) = next else { panic!("{next:?}") };
        (events.iter().map(|event| event.position).collect(), end)
    }

    #[test]
    fn who_comes_after_gets_everything_in_order_or_is_sent_to_the_log() {
        let tail = Tail::default();
        let (nothing, incarnation) = (Reading::default(), Uuid::from_u128(7));
        assert_eq!(tail.next(nothing, 0), Next::Nothing);
        tail.begin(10, incarnation);
        let first = Reading { nth: 1, incarnation };
        assert_eq!(tail.next(nothing, 0), Next::Anew(first, 10));
        assert_eq!(tail.next(first, 10), Next::Nothing);
        let read: Vec<_> = events(11..=14).into_iter().filter(|event| event.position != 13).collect();
        tail.put(&read, 14);
        assert_eq!(positions(tail.next(first, 10)), (vec![11, 12, 14], 14));
        assert_eq!(positions(tail.next(first, 13)), (vec![14], 14));
        tail.put(&[], 15); // this program can't read it
        assert_eq!(positions(tail.next(first, 14)), (vec![], 15));
        let more = limits::TAIL_EVENTS_MAX as u64;
        tail.put(&events(16..=15 + more), 15 + more);
        assert_eq!(tail.next(first, 13), Next::Gone(15 + more));
        let (some, end) = positions(tail.next(first, 14));
        assert_eq!((some[0], some.len(), end), (16, limits::BATCH_EVENTS_MAX, 15 + limits::BATCH_EVENTS_MAX as u64));
        tail.begin(7, incarnation);
        assert_eq!(tail.next(first, 15), Next::Anew(Reading { nth: 2, incarnation }, 7));
    }
}
