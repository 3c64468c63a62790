//! Single seats that a choice would leave alone.
//!
//! A seat is alone if it is free and nobody who comes later can sit beside someone on it: no seat beside it is free.
//! Spaces for wheelchairs and their companions' seats don't count: they stand alone by nature.

use super::{Block, Checked, Filter, Kind, Kinds, Search};
use crate::SeatIndex;
use crate::plan::SeatKind;
use std::ops::Range;

impl Search<'_> {
    /// The seats that this choice would leave alone, though somebody may have sat down beside them before.
    #[must_use]
    pub fn left_alone(&self, choice: &[SeatIndex]) -> Vec<SeatIndex> {
        let places: Vec<usize> = choice.iter().map(|seat| self.index.spots[seat.at()].place).collect();
        let chosen = |place: usize| places.contains(&place);
        let mut alone: Vec<SeatIndex> = Vec::new();
        for beside in places.iter().flat_map(|place| self.beside(*place)) {
            let company = self.beside(beside).any(|other| self.invites(other) && !chosen(other));
            let seat = self.index.order[beside];
            if self.invites(beside) && !chosen(beside) && !company && !alone.contains(&seat) {
                alone.push(seat);
            }
        }
        alone
    }

    /// The choices that are better than this one, if it may not be had: it leaves a seat alone, and another of as many seats
    /// of the same area and the same categories doesn't.
    #[must_use]
    pub fn better_than(&self, choice: &[SeatIndex]) -> Option<Vec<Block>> {
        if !self.no_orphans || self.left_alone(choice).is_empty() {
            return None;
        }
        let wishes = self.alike(choice, Kind::Contiguous);
        Some(self.without_orphans(&wishes)).filter(|blocks| !blocks.is_empty())
    }

    /// Blocks of as many seats, of the same area and the same categories, near this choice.
    pub(crate) fn alike(&self, choice: &[SeatIndex], at_worst: Kind) -> Checked {
        Checked { people: choice.len(), filter: self.scope(choice), near: choice.first().copied(), at_worst }
    }

    /// The seats that would do as well as these: of the same area, categories and kinds.
    pub(super) fn scope(&self, choice: &[SeatIndex]) -> Filter {
        let spots = || choice.iter().map(|seat| &self.index.spots[seat.at()]);
        let wheelchairs = spots().filter(|spot| spot.kind == SeatKind::Wheelchair).count();
        let companions = spots().any(|spot| spot.kind == SeatKind::Companion);
        Filter {
            categories: spots().fold(0, |bits, spot| bits | 1 << spot.category),
            area: spots().map(|spot| spot.area).min(),
            kinds: Kinds { standard: true, wheelchair: wheelchairs > 0, companion: wheelchairs > 0 || companions },
            wheelchairs,
        }
    }

    /// [`Search::left_alone`] is empty, for seats side by side.
    pub(super) fn leaves_none_alone(&self, window: Range<usize>) -> bool {
        let inside = |place: usize| window.contains(&place);
        let ends = [window.start, window.end - 1].into_iter().flat_map(|end| self.beside(end)).filter(|place| !inside(*place));
        ends.filter(|place| self.invites(*place)).all(|place| self.beside(place).any(|other| self.invites(other) && !inside(other)))
    }

    /// The places beside a place.
    fn beside(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let chain = self.index.chains[self.index.at(place).chain].clone();
        let left = place.checked_sub(1).filter(|left| chain.contains(left));
        let right = Some(place + 1).filter(|right| chain.contains(right));
        left.into_iter().chain(right)
    }

    /// Whether an ordinary seat is free.
    fn invites(&self, place: usize) -> bool {
        self.index.at(place).kind == SeatKind::Standard && self.free.has(self.index.order[place])
    }
}
