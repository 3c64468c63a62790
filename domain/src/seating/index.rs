//! A plan's seats, arranged for finding.

use super::{Block, Kind};
use crate::plan::{Plan, Seat, SeatKind};
use crate::{SeatIndex, Won};
use std::ops::Range;
use std::sync::OnceLock;

/// A seat this many times as far from the next row's as seats usually are has nobody right behind or before it.
const FAR: f64 = 1.75;

/// One seat, as finding sees it. Lengths are hundredths of the plan's unit, which coordinates are rounded to: sums are
/// exact.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Spot {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) area: u16,
    pub(super) category: u16,
    pub(super) kind: SeatKind,
    /// Which row of its area it is in, the front one being 0.
    pub(super) depth: u64,
    /// How far it is from the middle of its row.
    pub(super) off: u64,
    /// Its place in [`Index::order`].
    pub(super) place: usize,
    /// Its chain.
    pub(super) chain: usize,
    /// The seat right before it, in the row before; and the one right behind it.
    pub(super) before: Option<SeatIndex>,
    pub(super) behind: Option<SeatIndex>,
}

/// A plan's seats, arranged so that seats side by side lie side by side in memory. Made once per plan.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Index {
    pub(super) spots: Vec<Spot>,
    /// Every seat, chain by chain, from left to right. A chain is what neighbours make: a row, or a part of one between
    /// aisles. (A ring of neighbours is cut at its first seat.)
    pub(super) order: Vec<SeatIndex>,
    /// Each chain's places in `order`.
    pub(super) chains: Vec<Range<usize>>,
    /// Each area's chains.
    by_area: Vec<Range<usize>>,
    /// Every seat along a curve that fills the plan: what is near on it is near.
    pub(super) curve: Vec<SeatIndex>,
}

impl Index {
    /// Arranges a plan's seats. Takes some milliseconds for 50,000.
    #[must_use]
    pub fn of(plan: &Plan) -> Index {
        let spots = spots(plan);
        let mut index = Index { spots, ..Index::default() };
        index.link_chains(plan);
        index.link_rows(plan);
        index.curve = (0..plan.seats.len() as u32).map(SeatIndex).collect();
        let (left, top) = index.spots.iter().fold((0, 0), |(x, y), spot| (spot.x.min(x), spot.y.min(y)));
        let spots = &index.spots;
        index.curve.sort_by_cached_key(|seat| on_curve((spots[seat.at()].x - left) as u64, (spots[seat.at()].y - top) as u64));
        index
    }

    /// How many seats the plan has.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.spots.len()
    }

    /// How many areas the plan has.
    #[must_use]
    pub fn areas(&self) -> usize {
        self.by_area.len()
    }

    /// How these seats lie.
    #[must_use]
    pub fn kind_of(&self, seats: &[SeatIndex]) -> Kind {
        let mut places: Vec<usize> = seats.iter().map(|seat| self.spots[seat.at()].place).collect();
        places.sort_unstable();
        let cut = (1..places.len()).filter(|at| !self.side_by_side(places[at - 1], places[*at])).collect::<Vec<_>>();
        match cut[..] {
            [] => Kind::Contiguous,
            [at] if self.stacked(&places[..at], &places[at..]) => Kind::Stacked,
            _ => Kind::Near,
        }
    }

    fn side_by_side(&self, a: usize, b: usize) -> bool {
        a + 1 == b && self.at(a).chain == self.at(b).chain
    }

    /// Whether one part is right before or right behind the other, and the parts are as even as can be.
    fn stacked(&self, a: &[usize], b: &[usize]) -> bool {
        let lies = |less: &[usize], more: &[usize], towards: fn(&Spot) -> Option<SeatIndex>| {
            let there = |place: &usize| towards(self.at(*place)).is_some_and(|seat| more.contains(&self.spots[seat.at()].place));
            less.len() <= more.len() && less.iter().all(there)
        };
        let beside = |less, more| lies(less, more, |spot| spot.before) || lies(less, more, |spot| spot.behind);
        a.len().abs_diff(b.len()) <= 1 && (beside(a, b) || beside(b, a))
    }

    /// The seat at a place of the order.
    pub(super) fn at(&self, place: usize) -> &Spot {
        &self.spots[self.order[place].at()]
    }

    /// The chains of an area, or of all.
    pub(super) fn chains_of(&self, area: Option<u16>) -> &[Range<usize>] {
        match area {
            Some(area) => &self.chains[self.by_area[usize::from(area)].clone()],
            None => &self.chains,
        }
    }

    /// These seats as a block.
    pub(super) fn block(&self, mut seats: Vec<SeatIndex>, prices: &[Won]) -> Block {
        seats.sort_unstable_by_key(|seat| self.spots[seat.at()].place);
        let price = |seat: &SeatIndex| prices.get(usize::from(self.spots[seat.at()].category)).copied().unwrap_or_default();
        Block { kind: self.kind_of(&seats), total: seats.iter().map(price).sum(), seats }
    }

    fn link_chains(&mut self, plan: &Plan) {
        let mut known = vec![false; plan.seats.len()];
        let starts = plan.seats.iter().enumerate().filter(|(_, seat)| seat.left.is_none()).map(|(at, _)| at);
        let rings = 0..plan.seats.len();
        for first in starts.chain(rings).collect::<Vec<usize>>() {
            let (chain, begin) = (self.chains.len(), self.order.len());
            let mut next = Some(SeatIndex(first as u32));
            while let Some(seat) = next.filter(|seat| !std::mem::replace(&mut known[seat.at()], true)) {
                let spot = &mut self.spots[seat.at()];
                (spot.chain, spot.place) = (chain, self.order.len());
                self.order.push(seat);
                next = plan.seats[seat.at()].right;
            }
            if self.order.len() > begin {
                self.chains.push(begin..self.order.len());
            }
        }
        self.group_by_area(plan.areas.len());
    }

    /// Sorts the chains by area, in the order of their first seats, and lays `order` out anew.
    fn group_by_area(&mut self, areas: usize) {
        let mut chains = std::mem::take(&mut self.chains);
        chains.sort_by_key(|chain| (self.at(chain.start).area, self.order[chain.start..chain.end].iter().min().copied()));
        let before = std::mem::take(&mut self.order);
        for chain in chains {
            let begin = self.order.len();
            for seat in &before[chain] {
                let spot = &mut self.spots[seat.at()];
                (spot.chain, spot.place) = (self.chains.len(), self.order.len());
                self.order.push(*seat);
            }
            self.chains.push(begin..self.order.len());
        }
        let area_of = |chain: &Range<usize>| usize::from(self.at(chain.start).area);
        let known = self.chains.last().map_or(0, |chain| area_of(chain) + 1);
        self.by_area = (0..areas.max(known))
            .map(|area| {
                self.chains.partition_point(|chain| area_of(chain) < area)..self.chains.partition_point(|chain| area_of(chain) <= area)
            })
            .collect();
    }

    /// Says of each seat which ones are right before and right behind it, in the rows before and after it of its area.
    fn link_rows(&mut self, plan: &Plan) {
        let rows: Vec<Range<usize>> = rows(&plan.seats);
        let pairs = || rows.windows(2).filter(|pair| plan.seats[pair[0].start].row + 1 == plan.seats[pair[1].start].row);
        let pairs = pairs().filter(|pair| self.spots[pair[0].start].area == self.spots[pair[1].start].area);
        let mut behind: Vec<(usize, usize, f64)> = Vec::new();
        let mut before: Vec<(usize, usize, f64)> = Vec::new();
        for pair in pairs {
            let (front, back) = (pair[0].clone(), pair[1].clone());
            behind.extend(self.across(front.clone(), back.clone()));
            before.extend(self.across(back, front));
        }
        let usual = median(behind.iter().chain(&before).map(|(_, _, distance)| *distance).collect());
        for (seat, other, _) in behind.into_iter().filter(|(_, _, distance)| *distance <= FAR * usual) {
            self.spots[seat].behind = Some(SeatIndex(other as u32));
        }
        for (seat, other, _) in before.into_iter().filter(|(_, _, distance)| *distance <= FAR * usual) {
            self.spots[seat].before = Some(SeatIndex(other as u32));
        }
    }

    /// For each seat of a row the one of another row that is opposite, as the row runs, and how far it is.
    fn across(&self, row: Range<usize>, other: Range<usize>) -> Vec<(usize, usize, f64)> {
        let (first, last) = (&self.spots[row.start], &self.spots[row.end - 1]);
        let (dx, dy) = ((last.x - first.x) as f64, (last.y - first.y) as f64);
        let along = |seat: usize| self.spots[seat].x as f64 * dx + self.spots[seat].y as f64 * dy;
        let sorted = |seats: Range<usize>| {
            let mut seats: Vec<(f64, usize)> = seats.map(|seat| (along(seat), seat)).collect();
            seats.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            seats
        };
        let (row, other) = (sorted(row), sorted(other));
        let mut at = 0;
        let opposite = |(here, seat): (f64, usize)| {
            while at + 1 < other.len() && (other[at + 1].0 - here).abs() <= (other[at].0 - here).abs() {
                at += 1;
            }
            let (a, b) = (&self.spots[seat], &self.spots[other[at].1]);
            (seat, other[at].1, ((a.x - b.x) as f64).hypot((a.y - b.y) as f64))
        };
        row.into_iter().map(opposite).collect()
    }
}

fn spots(plan: &Plan) -> Vec<Spot> {
    let hundredths = |coordinate: f32| (f64::from(coordinate) * 100.0).round() as i64;
    let mut depth_of_area: Vec<u64> = vec![0; plan.areas.len().max(1)];
    let mut spots = Vec::with_capacity(plan.seats.len());
    for row in rows(&plan.seats) {
        let seats = &plan.seats[row];
        let area = plan.rows.get(seats[0].row as usize).map_or(0, |row| row.area);
        let depth = depth_of_area.get(usize::from(area)).copied().unwrap_or_default();
        if let Some(next) = depth_of_area.get_mut(usize::from(area)) {
            *next += 1;
        }
        let many = seats.len() as i64;
        let middle = |of: fn(&Seat) -> f32| seats.iter().map(|seat| hundredths(of(seat))).sum::<i64>() / many;
        let (x, y) = (middle(|seat| seat.position.x), middle(|seat| seat.position.y));
        spots.extend(seats.iter().map(|seat| {
            let at = (hundredths(seat.position.x), hundredths(seat.position.y));
            let off = ((at.0 - x) as f64).hypot((at.1 - y) as f64).round() as u64;
            let (category, kind) = (seat.category, seat.kind);
            Spot { x: at.0, y: at.1, area, category, kind, depth, off, place: 0, chain: 0, before: None, behind: None }
        }));
    }
    spots
}

/// Each row's seats: they are grouped by row.
fn rows(seats: &[Seat]) -> Vec<Range<usize>> {
    let mut start = 0;
    let row = |group: &[Seat]| {
        let row = start..start + group.len();
        start = row.end;
        row
    };
    seats.chunk_by(|a, b| a.row == b.row).map(row).collect()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    let middle = numbers.len() / 2;
    *numbers.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// A point's place on Morton's curve: the bits of its coordinates, in turn.
fn on_curve(x: u64, y: u64) -> u128 {
    let bit = |number: u64, bit: u32| u128::from(number >> bit & 1);
    (0..u64::BITS).fold(0, |place, at| place | bit(x, at) << (2 * at) | bit(y, at) << (2 * at + 1))
}

/// A plan's [`Index`], made when it is first asked for. A copy of the plan, which may be changed, begins without one; two
/// plans are equal whether or not they have theirs yet.
#[derive(Debug, Default)]
pub struct Arranged(OnceLock<Box<Index>>);

impl Arranged {
    pub(crate) fn get(&self, plan: &Plan) -> &Index {
        self.0.get_or_init(|| Box::new(Index::of(plan)))
    }
}

impl Clone for Arranged {
    fn clone(&self) -> Arranged {
        Arranged::default()
    }
}

impl PartialEq for Arranged {
    fn eq(&self, _: &Arranged) -> bool {
        true
    }
}
