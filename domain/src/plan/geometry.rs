//! Where seats stand: distances, neighbours, outlines.

use super::{Plan, Point, Seat};
use crate::SeatIndex;
use std::ops::Range;

/// A gap this many times the usual distance of a row's seats is an aisle.
const AISLE: f64 = 1.75;

/// A row needs this many distances to have a usual one of its own; a shorter row takes the whole plan's.
const OWN_PITCH: usize = 3;

/// Directions in which an outline keeps its distance from the outermost seats.
const AROUND: [(f64, f64); 8] =
    [(1.0, 0.0), (0.707, 0.707), (0.0, 1.0), (-0.707, 0.707), (-1.0, 0.0), (-0.707, -0.707), (0.0, -1.0), (0.707, -0.707)];

/// A coordinate as plans keep it: to a hundredth, which survives being written and read.
pub(super) fn rounded(coordinate: f64) -> f32 {
    ((coordinate * 100.0).round() / 100.0 + 0.0) as f32
}

/// A point as plans keep it.
pub(super) fn point(x: f64, y: f64) -> Point {
    Point { x: rounded(x), y: rounded(y) }
}

/// Says of each seat which ones are beside it: the ones before and after it in its row, unless an aisle lies between.
/// Returns the plan's usual distance of neighbours.
pub(super) fn link(plan: &mut Plan) -> f64 {
    let rows = rows(&plan.seats);
    let mut all: Vec<f64> = rows.iter().flat_map(|row| distances(&plan.seats[row.clone()])).collect();
    let usual = median(&mut all);
    for row in rows {
        link_row(&mut plan.seats[row.clone()], row.start, usual);
    }
    usual
}

fn link_row(seats: &mut [Seat], first: usize, usual: f64) {
    let distances = distances(seats);
    let pitch = if distances.len() >= OWN_PITCH { median(&mut distances.clone()) } else { usual };
    for (at, distance) in distances.into_iter().enumerate() {
        if distance <= AISLE * pitch {
            seats[at].right = Some(SeatIndex((first + at + 1) as u32));
            seats[at + 1].left = Some(SeatIndex((first + at) as u32));
        }
    }
}

/// Each row's place in the list of seats, which is grouped by row.
fn rows(seats: &[Seat]) -> Vec<Range<usize>> {
    let mut start = 0;
    let row = |group: &[Seat]| {
        let row = start..start + group.len();
        start = row.end;
        row
    };
    seats.chunk_by(|a, b| a.row == b.row).map(row).collect()
}

fn distances(seats: &[Seat]) -> Vec<f64> {
    let distance = |pair: &[Seat]| {
        let (a, b) = (pair[0].position, pair[1].position);
        f64::from(a.x - b.x).hypot(f64::from(a.y - b.y))
    };
    seats.windows(2).map(distance).collect()
}

fn median(numbers: &mut [f64]) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    let middle = numbers.len() / 2;
    *numbers.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The convex outline of some points, at a distance from them; empty without points.
pub(super) fn outline(points: impl Iterator<Item = Point>, distance: f64) -> Vec<Point> {
    let inner = hull(points.map(|point| (f64::from(point.x), f64::from(point.y))).collect());
    let around = |(x, y): (f64, f64)| AROUND.map(|(dx, dy)| (x + dx * distance, y + dy * distance));
    hull(inner.into_iter().flat_map(around).collect()).into_iter().map(|(x, y)| point(x, y)).collect()
}

/// The convex hull, by Andrew's monotone chain.
fn hull(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let mut lower = chain(points.iter());
    let upper = chain(points.iter().rev());
    lower.pop();
    lower.extend(&upper[..upper.len() - 1]);
    lower
}

/// One side of the hull: from one end to the other, always turning the same way.
fn chain<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> Vec<(f64, f64)> {
    let mut chain: Vec<(f64, f64)> = Vec::new();
    for &next in points {
        while let [.., a, b] = chain[..] {
            if (b.0 - a.0) * (next.1 - a.1) - (b.1 - a.1) * (next.0 - a.0) > 0.0 {
                break;
            }
            chain.pop();
        }
        chain.push(next);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hull_has_the_outermost_points_alone() {
        let square = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
        let inside = [(1.0, 1.0), (2.0, 2.0), (3.0, 1.0), (2.0, 0.0), (4.0, 2.0), (0.0, 0.0)];
        let mut found = hull(square.into_iter().chain(inside).collect());
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        assert_eq!(found, [(0.0, 0.0), (0.0, 4.0), (4.0, 0.0), (4.0, 4.0)]);
        assert_eq!(hull(vec![(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]).len(), 2);
        assert_eq!(hull(vec![(1.0, 1.0); 3]), [(1.0, 1.0)]);
        assert!(hull(Vec::new()).is_empty());
    }

    #[test]
    fn an_outline_has_an_area_even_around_one_seat() {
        let around = outline([Point { x: 10.0, y: 20.0 }].into_iter(), 5.0);
        assert_eq!(around.len(), 8);
        assert!(around.iter().all(|point| (point.x - 10.0).hypot(point.y - 20.0) <= 5.01));
        assert!(outline(std::iter::empty(), 5.0).is_empty());
    }

    #[test]
    fn a_coordinate_survives_being_written_and_read() {
        for coordinate in [0.1 + 0.2, -0.0, 1e7, -1e7, 123_456.789, 2.005, 1.0 / 3.0] {
            let kept = rounded(coordinate);
            let read: f32 = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
            assert_eq!(read.to_bits(), kept.to_bits());
        }
        assert_eq!(rounded(-0.0).to_bits(), 0.0_f32.to_bits());
    }
}
