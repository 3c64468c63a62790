//! Free seats near one that is taken.

use crate::SeatIndex;
use crate::limits::ALTERNATIVES_MAX;
use crate::plan::{Plan, Seat};

/// Up to [`ALTERNATIVES_MAX`] free seats: those of the same category first, then by distance. Only seats for the same
/// kind of person: a wheelchair's space is no alternative to a chair, nor a chair to it.
pub(super) fn nearby(plan: &Plan, taken: SeatIndex, free: impl Fn(SeatIndex) -> bool) -> Vec<SeatIndex> {
    let wanted = &plan.seats[taken.at()];
    let mut best: Vec<(Rank, SeatIndex)> = Vec::with_capacity(ALTERNATIVES_MAX + 1);
    for (at, seat) in plan.seats.iter().enumerate() {
        let index = SeatIndex(at as u32);
        if seat.kind != wanted.kind {
            continue;
        }
        let rank = Rank::of(seat, wanted);
        let full = best.len() == ALTERNATIVES_MAX;
        if full && best.last().is_some_and(|(worst, _)| !rank.is_before(worst)) || !free(index) {
            continue;
        }
        let place = best.partition_point(|(other, _)| !rank.is_before(other));
        best.insert(place, (rank, index));
        best.truncate(ALTERNATIVES_MAX);
    }
    best.into_iter().map(|(_, seat)| seat).collect()
}

/// How good an alternative a seat is.
struct Rank {
    other_category: bool,
    /// Squared, in the plan's units.
    distance: f64,
}

impl Rank {
    fn of(seat: &Seat, wanted: &Seat) -> Rank {
        let (dx, dy) =
            (f64::from(seat.position.x) - f64::from(wanted.position.x), f64::from(seat.position.y) - f64::from(wanted.position.y));
        Rank { other_category: seat.category != wanted.category, distance: dx * dx + dy * dy }
    }

    fn is_before(&self, other: &Rank) -> bool {
        (self.other_category, self.distance) < (other.other_category, other.distance)
    }
}
