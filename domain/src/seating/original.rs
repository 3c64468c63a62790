//! The rule of the 2024 system: from a seat that was chosen, to its right and left, then row by row, then whatever is near;
//! all within its area, all or nothing. One thing is better here: seats that are truly side by side come first.

use super::{Filter, Search};
use crate::SeatIndex;

impl Search<'_> {
    /// So many seats from the chosen one on, itself included, of those that come into question; `None` if there aren't so
    /// many in its area, or the chosen seat isn't one of them.
    #[must_use]
    pub(crate) fn original(&self, chosen: SeatIndex, people: usize, filter: &Filter) -> Option<Vec<SeatIndex>> {
        let spot = &self.index.spots[chosen.at()];
        let filter = Filter { area: Some(spot.area), ..*filter };
        if !self.allows(&filter, chosen) {
            return None;
        }
        self.side_by_side(chosen, people, &filter).or_else(|| self.row_by_row(chosen, people, &filter))
    }

    /// To the right and to the left in turn, as long as there are neighbours.
    fn side_by_side(&self, chosen: SeatIndex, people: usize, filter: &Filter) -> Option<Vec<SeatIndex>> {
        let spot = &self.index.spots[chosen.at()];
        let chain = &self.index.chains[spot.chain];
        let allowed = |place: usize| chain.contains(&place) && self.allows(filter, self.index.order[place]);
        let (mut first, mut last) = (spot.place, spot.place);
        while last - first + 1 < people {
            let before = last - first;
            if allowed(last + 1) {
                last += 1;
            }
            if last - first + 1 < people && first > 0 && allowed(first - 1) {
                first -= 1;
            }
            if last - first == before {
                return None;
            }
        }
        Some(self.index.order[first..=last].to_vec())
    }

    fn row_by_row(&self, chosen: SeatIndex, people: usize, filter: &Filter) -> Option<Vec<SeatIndex>> {
        let mut rows = self.rows_of(chosen);
        let depth = self.index.spots[chosen.at()].depth;
        rows.sort_by_key(|(row, _)| row.abs_diff(depth));
        let middle = rows.first()?.1.iter().position(|seat| *seat == chosen)?;
        let mut taken = vec![chosen];
        for (row, seats) in &rows {
            let first = usize::from(*row == depth);
            self.outwards(seats, middle, first, people, filter, &mut taken);
        }
        let mut rest: Vec<(u64, usize, SeatIndex)> = Vec::new();
        for (row, seats) in &rows {
            let free = seats.iter().enumerate().filter(|(_, seat)| self.allows(filter, **seat) && !taken.contains(seat));
            rest.extend(free.map(|(at, seat)| (row.abs_diff(depth), at.abs_diff(middle), *seat)));
        }
        rest.sort_unstable();
        let missing = people.saturating_sub(taken.len());
        taken.extend(rest.into_iter().take(missing).map(|(_, _, seat)| seat));
        (taken.len() == people).then_some(taken)
    }

    /// From the middle to the right and to the left, until neither side gives a seat.
    fn outwards(&self, row: &[SeatIndex], middle: usize, first: usize, people: usize, filter: &Filter, taken: &mut Vec<SeatIndex>) {
        for offset in first.. {
            let left = middle.checked_sub(offset).filter(|_| offset > 0);
            let sides = [row.get(middle + offset), left.and_then(|left| row.get(left))];
            let mut given = false;
            for seat in sides.into_iter().flatten().filter(|seat| self.allows(filter, **seat)) {
                if taken.len() == people {
                    return;
                }
                given = true;
                taken.push(*seat);
            }
            if !given {
                return;
            }
        }
    }

    /// Each row of the seat's area, with its depth, its seats as the row runs.
    fn rows_of(&self, seat: SeatIndex) -> Vec<(u64, Vec<SeatIndex>)> {
        let area = self.index.spots[seat.at()].area;
        let mut rows: Vec<(u64, Vec<SeatIndex>)> = Vec::new();
        for (at, spot) in self.index.spots.iter().enumerate().filter(|(_, spot)| spot.area == area) {
            match rows.last_mut() {
                Some((depth, seats)) if *depth == spot.depth => seats.push(SeatIndex(at as u32)),
                _ => rows.push((spot.depth, vec![SeatIndex(at as u32)])),
            }
        }
        rows
    }
}
