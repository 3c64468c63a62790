//! Waiting longer after each failure, within a bound.

use std::time::Duration;

/// Delays from `first`, doubling up to `longest`.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest, next: first }
    }

    /// How long to wait now.
    pub(crate) fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (self.next * 2).min(self.longest);
        delay
    }

    /// Something worked.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}
