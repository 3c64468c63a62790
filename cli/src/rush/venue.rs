//! The seating plan as a crowd sees it: which seats are the good ones, and which stand side by side.

use rand::Rng;
use rand::rngs::StdRng;
use socketing_domain::SeatIndex;
use socketing_domain::plan::{Plan, Point};

/// The digit of a free seat on the map.
pub(crate) const FREE: u8 = b'0';
/// The digit of a sold seat.
pub(crate) const SOLD: u8 = b'3';
/// A plan, with everyone's opinion of it.
#[derive(Debug)]
pub(crate) struct Venue {
    plan: Plan,
    /// Seats from the best to the worst.
    ranked: Vec<SeatIndex>,
}

impl Venue {
    /// Everyone agrees on what is good: near the middle of the front.
    pub(crate) fn new(plan: Plan) -> Venue {
        let stage = front(&plan);
        let mut ranked: Vec<(f32, SeatIndex)> =
            plan.seats.iter().enumerate().map(|(index, seat)| (distance(seat.position, stage), SeatIndex(index as u32))).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Venue { plan, ranked: ranked.into_iter().map(|(_, seat)| seat).collect() }
    }

    /// How many seats there are.
    pub(crate) fn seats(&self) -> usize {
        self.plan.seats.len()
    }

    /// The names of the categories that seats use, in the plan's order.
    pub(crate) fn categories(&self) -> Vec<&str> {
        let used = |category: usize| self.plan.seats.iter().any(|seat| usize::from(seat.category) == category);
        let names = self.plan.categories.iter().enumerate();
        names.filter(|(category, _)| used(*category)).map(|(_, category)| category.name.as_str()).collect()
    }

    /// Chooses seats that are free on this map: a good one, and its free neighbours; or, where a row has no room, the
    /// best free seats near it. `None` if fewer are free.
    pub(crate) fn choose(&self, map: &[u8], count: usize, dice: &mut StdRng) -> Option<Vec<SeatIndex>> {
        let free: Vec<SeatIndex> = self.ranked.iter().copied().filter(|seat| is_free(map, *seat)).collect();
        if free.len() < count || count == 0 {
            return None;
        }
        let favourite = zipf(free.len(), dice);
        // The favourite may stand alone: look a little further down the list for a place where all fit side by side.
        let together = free.iter().cycle().skip(favourite).take(free.len().min(64)).find_map(|seat| self.block(map, *seat, count));
        Some(together.unwrap_or_else(|| {
            let start = favourite.min(free.len() - count);
            free[start..start + count].to_vec()
        }))
    }

    /// So many free seats side by side, this one among them.
    fn block(&self, map: &[u8], seat: SeatIndex, count: usize) -> Option<Vec<SeatIndex>> {
        let mut block = vec![seat];
        self.extend(map, &mut block, count, |plan, seat| plan.seats[seat.at()].right);
        block.reverse();
        self.extend(map, &mut block, count, |plan, seat| plan.seats[seat.at()].left);
        (block.len() == count).then_some(block)
    }

    fn extend(&self, map: &[u8], block: &mut Vec<SeatIndex>, count: usize, next: impl Fn(&Plan, SeatIndex) -> Option<SeatIndex>) {
        while block.len() < count {
            let neighbour = block.last().and_then(|seat| next(&self.plan, *seat));
            match neighbour.filter(|seat| is_free(map, *seat)) {
                Some(seat) => block.push(seat),
                None => return,
            }
        }
    }
}

fn is_free(map: &[u8], seat: SeatIndex) -> bool {
    map.get(seat.at()) == Some(&FREE)
}

/// A rank from 0, with a weight of 1 / (rank + 1): of a thousand free seats, two thirds of the crowd want the best hundred.
fn zipf(ranks: usize, dice: &mut StdRng) -> usize {
    // The inverse of the harmonic sum, by its integral: exact enough for a crowd.
    let uniform: f64 = dice.random();
    let rank = ((ranks as f64 + 1.0).ln() * uniform).exp() - 1.0;
    (rank as usize).min(ranks - 1)
}

/// The middle of the front edge: plans are drawn with the stage above.
fn front(plan: &Plan) -> Point {
    let count = plan.seats.len().max(1) as f32;
    let x = plan.seats.iter().map(|seat| seat.position.x / count).sum();
    let y = plan.seats.iter().map(|seat| seat.position.y).fold(f32::INFINITY, f32::min);
    Point { x, y }
}

fn distance(a: Point, b: Point) -> f32 {
    (a.x - b.x).hypot(a.y - b.y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use socketing_domain::plan::{Area, Category, Row, Seat, SeatKind};

    /// Two rows of five, the third seat of each followed by an aisle.
    fn venue() -> Venue {
        let seat = |index: u32| {
            let (row, place) = (index / 5, index % 5);
            Seat {
                id: index.to_string(),
                number: (place + 1).to_string(),
                row,
                category: 0,
                position: Point { x: place as f32 * 10.0, y: row as f32 * 10.0 },
                kind: SeatKind::Standard,
                left: (place != 0 && place != 3).then(|| SeatIndex(index - 1)),
                right: (place != 2 && place != 4).then(|| SeatIndex(index + 1)),
            }
        };
        Venue::new(Plan {
            name: "small".into(),
            categories: vec![Category { name: "A".into(), color: "#000000".into() }],
            areas: vec![Area { name: "floor".into(), outline: Vec::new(), price: None }],
            rows: vec![Row { area: 0, name: "1".into() }, Row { area: 0, name: "2".into() }],
            seats: (0..10).map(seat).collect(),
            shapes: Vec::new(),
            size: Point { x: 50.0, y: 20.0 },
            ..Plan::default()
        })
    }

    #[test]
    fn seats_are_free_and_side_by_side_where_there_is_room() {
        let (venue, mut dice) = (venue(), StdRng::seed_from_u64(1));
        for _ in 0..200 {
            let mut seats = venue.choose(b"0000000000", 3, &mut dice).unwrap();
            seats.sort_unstable();
            assert!(seats == [0, 1, 2].map(SeatIndex) || seats == [5, 6, 7].map(SeatIndex), "{seats:?}");
        }
        let mut apart = venue.choose(b"1010110101", 4, &mut dice).unwrap();
        apart.sort_unstable();
        assert_eq!(apart, [1, 3, 6, 8].map(SeatIndex));
        assert_eq!(venue.choose(b"1010110101", 5, &mut dice), None);
    }

    #[test]
    fn good_seats_are_wanted_by_most() {
        let (venue, mut dice) = (venue(), StdRng::seed_from_u64(2));
        let mut wanted = [0_u32; 10];
        for _ in 0..1000 {
            wanted[venue.choose(b"0000000000", 1, &mut dice).unwrap()[0].at()] += 1;
        }
        assert_eq!(wanted.iter().max(), Some(&wanted[2]), "the middle of the first row is the best: {wanted:?}");
        assert!(wanted.iter().all(|count| *count > 0), "somebody takes every seat: {wanted:?}");
    }
}
