//! The best blocks, in the order of how good they are.

use super::index::Spot;
use super::{Block, Checked, Filter, Free, Index, Kind, Wishes};
use crate::limits::BLOCKS_FOUND_MAX;
use crate::plan::SeatKind;
use crate::refusal::Refusal;
use crate::{SeatIndex, Won};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Spaces for wheelchairs from which seats near one another are looked for.
const WHEELCHAIR_SEEDS_MAX: usize = 4;

/// What is looked in.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The plan's seats.
    pub index: &'a Index,
    /// Which of them can be had.
    pub free: &'a Free,
    /// What a seat of each category costs, in the plan's order.
    pub prices: &'a [Won],
    /// Whether a choice may not leave a single seat alone, if another one avoids it.
    pub no_orphans: bool,
}

/// What a block is ranked by, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank {
    /// The square of how far its middle is from the wanted seat, times the square of its seats; 0 if none is wanted.
    far: u128,
    /// What it costs.
    price: Reverse<i64>,
    /// How deep in their areas its rows are, and how far from the middle of their rows its seats, together.
    depth: u64,
    off: u64,
    first: SeatIndex,
}

/// One or two parts of chains: places in the index's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Candidate {
    rank: Rank,
    /// The first and the place after the last of each; the second part may be empty.
    parts: [(usize, usize); 2],
}

/// What a block's seats come to.
#[derive(Clone, Copy, Default)]
struct Sum {
    x: i64,
    y: i64,
    price: i64,
    depth: u64,
    off: u64,
    wheelchairs: usize,
}

impl Search<'_> {
    /// Up to [`BLOCKS_FOUND_MAX`] blocks, the best first, no two with a seat in common: what lies side by side before what
    /// is stacked, and that before what is only near. Nothing that holding would refuse.
    ///
    /// # Errors
    /// A [`Refusal`] of wishes that can't be: `seat_count`, `unknown_seat`, `invalid`.
    pub fn find(&self, wishes: &Wishes) -> Result<Vec<Block>, Refusal> {
        Ok(self.blocks(&wishes.check(self.index, self.prices)?))
    }

    pub(crate) fn blocks(&self, wishes: &Checked) -> Vec<Block> {
        let segments = self.segments(&wishes.filter);
        let mut found = Found { search: self, taken: Vec::new(), blocks: Vec::new(), avoidable: Vec::new() };
        found.take(self.contiguous(&segments, wishes));
        if wishes.at_worst >= Kind::Stacked && !found.is_full() {
            found.take(self.stacked(&segments, wishes));
        }
        if wishes.at_worst >= Kind::Near && !found.is_full() {
            self.near(wishes, &mut found);
        }
        found.blocks
    }

    pub(super) fn allows(&self, filter: &Filter, seat: SeatIndex) -> bool {
        let spot = &self.index.spots[seat.at()];
        self.free.has(seat)
            && filter.categories >> spot.category & 1 == 1
            && filter.kinds.has(spot.kind)
            && filter.area.is_none_or(|area| area == spot.area)
    }

    /// The longest parts of chains whose seats all come into question.
    pub(super) fn segments(&self, filter: &Filter) -> Vec<Range<usize>> {
        let mut segments = Vec::new();
        for chain in self.index.chains_of(filter.area) {
            let mut begin = chain.start;
            for place in chain.clone() {
                if self.allows(filter, self.index.order[place]) {
                    continue;
                }
                if begin < place {
                    segments.push(begin..place);
                }
                begin = place + 1;
            }
            if begin < chain.end {
                segments.push(begin..chain.end);
            }
        }
        segments
    }

    /// Every so many seats side by side within the segments, with what they come to.
    fn windows<'s>(&'s self, segments: &'s [Range<usize>], many: usize) -> impl Iterator<Item = (Range<usize>, Sum)> + 's {
        segments.iter().filter(move |segment| segment.len() >= many).flat_map(move |segment| {
            let mut sum = self.sum(segment.start..segment.start + many - 1);
            (segment.start..=segment.end - many).map(move |start| {
                sum.add(self.index.at(start + many - 1), self.prices);
                let whole = sum;
                sum.remove(self.index.at(start), self.prices);
                (start..start + many, whole)
            })
        })
    }

    fn sum(&self, places: Range<usize>) -> Sum {
        let mut sum = Sum::default();
        places.for_each(|place| sum.add(self.index.at(place), self.prices));
        sum
    }

    fn rank(&self, sum: &Sum, wishes: &Checked, first: usize) -> Rank {
        let many = wishes.people as i64;
        let far = wishes.near.map_or(0, |near| {
            let wanted = &self.index.spots[near.at()];
            square(sum.x - many * wanted.x) + square(sum.y - many * wanted.y)
        });
        Rank { far, price: Reverse(sum.price), depth: sum.depth, off: sum.off, first: self.index.order[first] }
    }

    fn contiguous(&self, segments: &[Range<usize>], wishes: &Checked) -> Vec<Candidate> {
        let windows = self.windows(segments, wishes.people).filter(|(_, sum)| sum.wheelchairs == wishes.filter.wheelchairs);
        let candidate = |(window, sum): (Range<usize>, Sum)| Candidate {
            rank: self.rank(&sum, wishes, window.start),
            parts: [(window.start, window.end), (0, 0)],
        };
        windows.map(candidate).collect()
    }

    /// Half of the people side by side, and the others, side by side too, right before or right behind them.
    fn stacked(&self, segments: &[Range<usize>], wishes: &Checked) -> Vec<Candidate> {
        let less = wishes.people / 2;
        if less == 0 {
            return Vec::new();
        }
        let mut candidates = Vec::new();
        for (window, sum) in self.windows(segments, less) {
            for towards in [(|spot| spot.before) as fn(&Spot) -> Option<SeatIndex>, |spot| spot.behind] {
                self.opposite(segments, &window, &sum, towards, wishes, &mut candidates);
            }
        }
        candidates
    }

    /// Adds what the larger part of a stacked block can be, given the smaller one.
    fn opposite(
        &self,
        segments: &[Range<usize>],
        window: &Range<usize>,
        sum: &Sum,
        towards: fn(&Spot) -> Option<SeatIndex>,
        wishes: &Checked,
        candidates: &mut Vec<Candidate>,
    ) {
        let more = wishes.people - window.len();
        let place = |place: usize| towards(self.index.at(place)).map(|seat| self.index.spots[seat.at()].place);
        let Some((low, high)) = span(window.clone().map(place)) else { return };
        let nth = segments.partition_point(|segment| segment.end <= low);
        let Some(segment) = segments.get(nth).filter(|segment| segment.start <= low && high < segment.end) else { return };
        let (first, last) = ((high + 1).saturating_sub(more).max(segment.start), low.min(segment.end.saturating_sub(more)));
        for start in first..=last {
            if start + more > segment.end {
                break;
            }
            let whole = sum.and(&self.sum(start..start + more));
            if whole.wheelchairs == wishes.filter.wheelchairs {
                let rank = self.rank(&whole, wishes, start);
                candidates.push(Candidate { rank, parts: [(start, start + more), (window.start, window.end)] });
            }
        }
    }

    /// Seats near one another, as long as there are any: around the wanted seat, around spaces for wheelchairs, or where
    /// free seats lie closest.
    fn near(&self, wishes: &Checked, found: &mut Found<'_>) {
        let allowed = |seat: &SeatIndex| self.allows(&wishes.filter, *seat);
        let mut pool: Vec<SeatIndex> = self.index.curve.iter().copied().filter(allowed).collect();
        let mut wheelchairs: Vec<SeatIndex> = Vec::new();
        for _ in 0..BLOCKS_FOUND_MAX {
            pool.retain(|seat| !found.taken.contains(&self.index.spots[seat.at()].place));
            if found.is_full() || pool.len() < wishes.people {
                return;
            }
            if wishes.filter.wheelchairs > 0 {
                wheelchairs = pool.iter().copied().filter(|seat| self.index.spots[seat.at()].kind == SeatKind::Wheelchair).collect();
            }
            let around = |point: (i64, i64)| self.around(&pool, point, wishes);
            let best = self.seeds(&pool, &wheelchairs, wishes).into_iter().filter_map(around).min();
            let Some((_, seats)) = best else { return };
            if !found.try_seats(&seats) {
                return;
            }
        }
    }

    /// Points around which seats are looked for.
    fn seeds(&self, pool: &[SeatIndex], wheelchairs: &[SeatIndex], wishes: &Checked) -> Vec<(i64, i64)> {
        let point = |seat: SeatIndex| (self.index.spots[seat.at()].x, self.index.spots[seat.at()].y);
        if let Some(near) = wishes.near {
            return vec![point(near)];
        }
        if wishes.filter.wheelchairs > 0 {
            let step = wheelchairs.len().div_ceil(WHEELCHAIR_SEEDS_MAX).max(1);
            return wheelchairs.iter().step_by(step).map(|seat| point(*seat)).collect();
        }
        let many = wishes.people;
        let starts = (0..=pool.len() - many).step_by((many / 2).max(1));
        let closest = starts.map(|start| extent(pool[start..start + many].iter().map(|seat| point(*seat)))).min();
        closest.into_iter().map(|(_, middle)| middle).collect()
    }

    /// The seats that are nearest to a point, and the square of how far the farthest of them is.
    fn around(&self, pool: &[SeatIndex], at: (i64, i64), wishes: &Checked) -> Option<(u128, Vec<SeatIndex>)> {
        let wheelchairs = wishes.filter.wheelchairs;
        let mut nearest = self.nearest(pool, at, wheelchairs, true)?;
        nearest.extend(self.nearest(pool, at, wishes.people - wheelchairs, false)?);
        let farthest = nearest.iter().map(|(distance, _)| *distance).max()?;
        Some((farthest, nearest.into_iter().map(|(_, seat)| seat).collect()))
    }

    fn nearest(&self, pool: &[SeatIndex], at: (i64, i64), many: usize, wheelchairs: bool) -> Option<Vec<(u128, SeatIndex)>> {
        if many == 0 {
            return Some(Vec::new());
        }
        let wanted = |seat: &&SeatIndex| (self.index.spots[seat.at()].kind == SeatKind::Wheelchair) == wheelchairs;
        let distance = |seat: &SeatIndex| {
            let spot = &self.index.spots[seat.at()];
            (square(spot.x - at.0) + square(spot.y - at.1), *seat)
        };
        let mut all: Vec<(u128, SeatIndex)> = pool.iter().filter(wanted).map(distance).collect();
        if all.len() < many {
            return None;
        }
        all.select_nth_unstable(many - 1);
        all.truncate(many);
        Some(all)
    }

    /// The best of what lies side by side in these segments and leaves nobody alone.
    pub(super) fn without_orphans(&self, wishes: &Checked) -> Vec<Block> {
        let mut candidates = self.contiguous(&self.segments(&wishes.filter), wishes);
        candidates.retain(|candidate| self.leaves_none_alone(candidate.parts[0].0..candidate.parts[0].1));
        let mut found = Found { search: self, taken: Vec::new(), blocks: Vec::new(), avoidable: Vec::new() };
        found.take(candidates);
        found.blocks
    }

    /// Whether so many seats side by side can be had, of those that come into question, without leaving one alone.
    pub(super) fn can_leave_none_alone(&self, filter: &Filter, many: usize) -> bool {
        let segments = self.segments(filter);
        self.windows(&segments, many).any(|(window, sum)| sum.wheelchairs == filter.wheelchairs && self.leaves_none_alone(window))
    }
}

/// What was found so far.
struct Found<'a> {
    search: &'a Search<'a>,
    /// The places of the blocks' seats.
    taken: Vec<usize>,
    blocks: Vec<Block>,
    /// What is known of whether leaving a seat alone can be avoided.
    avoidable: Vec<(Filter, bool)>,
}

impl Found<'_> {
    fn is_full(&self) -> bool {
        self.blocks.len() >= BLOCKS_FOUND_MAX
    }

    /// Takes the best ones, no two with a seat in common.
    fn take(&mut self, candidates: Vec<Candidate>) {
        // Making the heap is linear, and only few are taken from it.
        let mut best: BinaryHeap<Reverse<Candidate>> = candidates.into_iter().map(Reverse).collect::<Vec<_>>().into();
        while !self.is_full()
            && let Some(Reverse(Candidate { parts, .. })) = best.pop()
        {
            let places = || parts.into_iter().flat_map(|(start, end)| start..end);
            if !places().any(|place| self.taken.contains(&place)) {
                let seats: Vec<SeatIndex> = places().map(|place| self.search.index.order[place]).collect();
                self.try_seats(&seats);
            }
        }
    }

    /// Takes these, unless holding them would be refused. Whether they were taken.
    fn try_seats(&mut self, seats: &[SeatIndex]) -> bool {
        if self.refused(seats) {
            return false;
        }
        let search = self.search;
        self.taken.extend(seats.iter().map(|seat| search.index.spots[seat.at()].place));
        self.blocks.push(search.index.block(seats.to_vec(), search.prices));
        true
    }

    fn refused(&mut self, seats: &[SeatIndex]) -> bool {
        if !self.search.no_orphans || self.search.left_alone(seats).is_empty() {
            return false;
        }
        let scope = self.search.scope(seats);
        if let Some((_, avoidable)) = self.avoidable.iter().find(|(known, _)| *known == scope) {
            return *avoidable;
        }
        let avoidable = self.search.can_leave_none_alone(&scope, seats.len());
        self.avoidable.push((scope, avoidable));
        avoidable
    }
}

impl Sum {
    fn add(&mut self, spot: &Spot, prices: &[Won]) {
        self.x += spot.x;
        self.y += spot.y;
        self.price += price(spot, prices);
        self.depth += spot.depth;
        self.off += spot.off;
        self.wheelchairs += usize::from(spot.kind == SeatKind::Wheelchair);
    }

    fn remove(&mut self, spot: &Spot, prices: &[Won]) {
        self.x -= spot.x;
        self.y -= spot.y;
        self.price -= price(spot, prices);
        self.depth -= spot.depth;
        self.off -= spot.off;
        self.wheelchairs -= usize::from(spot.kind == SeatKind::Wheelchair);
    }

    fn and(&self, other: &Sum) -> Sum {
        Sum {
            x: self.x + other.x,
            y: self.y + other.y,
            price: self.price + other.price,
            depth: self.depth + other.depth,
            off: self.off + other.off,
            wheelchairs: self.wheelchairs + other.wheelchairs,
        }
    }
}

fn price(spot: &Spot, prices: &[Won]) -> i64 {
    prices.get(usize::from(spot.category)).map_or(0, |price| price.get())
}

fn square(number: i64) -> u128 {
    u128::from(number.unsigned_abs()).pow(2)
}

/// The lowest and the highest, if there are all.
fn span(mut places: impl Iterator<Item = Option<usize>>) -> Option<(usize, usize)> {
    let first = places.next()??;
    places.try_fold((first, first), |(low, high), place| place.map(|place| (low.min(place), high.max(place))))
}

/// The square of the diagonal of the box around some points, and its middle.
fn extent(points: impl Iterator<Item = (i64, i64)>) -> (u128, (i64, i64)) {
    let everywhere = (i64::MAX, i64::MAX, i64::MIN, i64::MIN);
    let (left, top, right, bottom) =
        points.fold(everywhere, |(left, top, right, bottom), (x, y)| (left.min(x), top.min(y), right.max(x), bottom.max(y)));
    (square(right - left) + square(bottom - top), (i64::midpoint(left, right), i64::midpoint(top, bottom)))
}
