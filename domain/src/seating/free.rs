//! Which seats are free: one bit a seat.

use crate::SeatIndex;
use serde::{Deserialize, Serialize};

/// Which seats of a plan are free. Of 50,000 seats it has 6 KB, so a copy costs next to nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Free {
    seats: u32,
    bits: Vec<u64>,
}

impl Free {
    /// So many seats, none of them free.
    #[must_use]
    pub fn none(seats: usize) -> Free {
        Free { seats: seats as u32, bits: vec![0; seats.div_ceil(64)] }
    }

    /// So many seats, all of them free.
    #[must_use]
    pub fn all(seats: usize) -> Free {
        let mut free = Free::none(seats);
        (0..seats as u32).for_each(|seat| free.set(SeatIndex(seat), true));
        free
    }

    /// From a seat map's digits, in the plan's order: `0` is free.
    #[must_use]
    pub fn of_digits(digits: &[u8]) -> Free {
        let mut free = Free::none(digits.len());
        let zeros = digits.iter().enumerate().filter(|(_, digit)| **digit == b'0');
        zeros.for_each(|(at, _)| free.set(SeatIndex(at as u32), true));
        free
    }

    /// How many seats there are, free or not.
    #[must_use]
    pub const fn seats(&self) -> usize {
        self.seats as usize
    }

    /// Whether a seat is free; a seat that the plan doesn't have never is.
    #[must_use]
    pub fn has(&self, seat: SeatIndex) -> bool {
        self.bits.get(seat.at() / 64).is_some_and(|bits| bits >> (seat.at() % 64) & 1 == 1)
    }

    /// Says whether a seat is free.
    ///
    /// # Panics
    /// If there is no such seat.
    pub fn set(&mut self, seat: SeatIndex, free: bool) {
        assert!(seat.0 < self.seats, "there is no seat {seat} among {}", self.seats);
        let bit = 1 << (seat.at() % 64);
        let bits = &mut self.bits[seat.at() / 64];
        *bits = if free { *bits | bit } else { *bits & !bit };
    }
}
