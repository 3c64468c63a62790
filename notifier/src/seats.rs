//! The topic `seats`: the state of every seat of a performance, and never whose it is.

use crate::{
    board::{Board, Wish},
    limits,
};
use socketing_domain::{
    SeatIndex,
    event::{Event, Recorded},
    performance,
};
use std::{fmt::Write, time::Duration};

/// A seat's state, as the digit that stands for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum SeatState {
    /// It can be had.
    Free = b'0',
    /// Someone is choosing.
    Held = b'1',
    /// Someone is paying.
    Booked = b'2',
    /// It is sold.
    Sold = b'3',
}

/// Every seat's state, as digits in the plan's order.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct SeatBoard {
    digits: Vec<u8>,
}

impl SeatBoard {
    /// So many seats, all free.
    pub(crate) fn free(seats: u32) -> SeatBoard {
        SeatBoard { digits: vec![SeatState::Free as u8; seats as usize] }
    }

    /// Takes all digits at once; false (and nothing changes) if there aren't as many as seats.
    pub(crate) fn replace(&mut self, digits: &str) -> bool {
        let fits = digits.len() == self.digits.len();
        if fits {
            self.digits.copy_from_slice(digits.as_bytes());
        }
        fits
    }

    /// Sets one seat; false if the plan has no such seat.
    pub(crate) fn set(&mut self, seat: SeatIndex, state: SeatState) -> bool {
        let Some(digit) = self.digits.get_mut(seat.at()) else { return false };
        *digit = state as u8;
        true
    }

    /// The digits, in the plan's order.
    pub(crate) fn digits(&self) -> &str {
        std::str::from_utf8(&self.digits).expect("digits are ASCII")
    }
}

impl std::fmt::Debug for SeatBoard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.digits())
    }
}

impl Board for SeatBoard {
    const TOPIC: &'static str = "seats";
    const STREAM: &'static str = "performance";
    const REST: Duration = Duration::ZERO;

    fn apply(&mut self, recorded: &Recorded, mark: &mut dyn FnMut(u64)) -> bool {
        use performance::Event as E;
        let Event::Performance(event) = &recorded.event else { return false };
        let mut all = |seats: &mut dyn Iterator<Item = SeatIndex>, state| {
            for seat in seats {
                if self.set(seat, state) {
                    mark(u64::from(seat.0));
                }
            }
            true
        };
        match event {
            E::PerformanceScheduled { .. } => false,
            E::SeatsHeld { seats, .. } => all(&mut seats.iter().copied(), SeatState::Held),
            E::SeatsBooked { lines, .. } => all(&mut lines.iter().map(|line| line.seat), SeatState::Booked),
            E::SeatsSold { lines, .. } => all(&mut lines.iter().map(|line| line.seat), SeatState::Sold),
            E::HoldReleased { seats, .. } | E::BookingCancelled { seats, .. } => all(&mut seats.iter().copied(), SeatState::Free),
            E::SharesReseated { shares, .. } => {
                for share in shares {
                    let state = if share.paid { SeatState::Sold } else { SeatState::Booked };
                    all(&mut share.lines.iter().map(|line| line.seat), state);
                }
                true
            }
            E::HoldExtended { .. }
            | E::SeatClaimed { .. }
            | E::SharesOpened { .. }
            | E::PaymentStarted { .. }
            | E::PaymentFailed { .. }
            | E::RefundDue { .. }
            | E::RefundCompleted { .. } => false,
        }
    }

    fn marks_max(&self) -> usize {
        // A change takes about nine bytes where the snapshot takes one a seat: beyond an eighth, a delta saves nothing.
        (self.digits.len() / 8).clamp(limits::RING_CHANGES_MIN, limits::RING_CHANGES_MAX)
    }

    fn snapshot(&self, _: Wish, json: &mut String) {
        json.push_str(r#","seats":""#);
        json.push_str(self.digits());
        json.push('"');
    }

    fn delta(&self, marks: &[u64], _: Wish, json: &mut String) {
        json.push_str(r#","changes":["#);
        let mut separator = "";
        for mark in marks {
            let Some(digit) = self.digits.get(*mark as usize) else { continue };
            write!(json, "{separator}[{mark},{}]", char::from(*digit)).expect("a string can be written to");
            separator = ",";
        }
        json.push(']');
    }
}
