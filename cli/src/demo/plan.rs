//! The demo's hall: two areas in arcs around a stage, each cut by an aisle, drawn by a little geometry.

use socketing_domain::SeatIndex;
use socketing_domain::plan::{Area, Category, Plan, Point, Row, Seat, SeatKind, Shape};
use std::f32::consts::PI;

/// Where the stage stands, and what everything is arranged around.
const STAGE: Point = Point { x: 800.0, y: 120.0 };
/// From seat to seat along a row, and from row to row.
const SEAT_STEP: f32 = 26.0;
const ROW_STEP: f32 = 34.0;
/// How far the arcs reach to either side of the middle.
const HALF_ANGLE: f32 = PI * 0.36;
/// The aisle in the middle takes the room of so many seats.
const AISLE_SEATS: f32 = 2.4;
const SIZE: Point = Point { x: 1600.0, y: 1060.0 };

/// One tier of the hall.
struct Tier {
    name: &'static str,
    /// From the stage to its first row.
    radius: f32,
    /// Each row's name and category.
    rows: Vec<(String, u16)>,
}

/// The hall: 613 seats in four categories.
pub(crate) fn plan() -> Plan {
    let category = |name: &str, color: &str| Category { name: name.into(), color: color.into() };
    let mut plan = Plan {
        name: "소케팅 아레나 / Socketing Arena".into(),
        categories: vec![category("VIP", "#d6336c"), category("R", "#f08c00"), category("S", "#2f9e44"), category("A", "#1971c2")],
        areas: Vec::new(),
        rows: Vec::new(),
        seats: Vec::new(),
        shapes: vec![stage()],
        size: SIZE,
        ..Plan::default()
    };
    for tier in tiers() {
        add_tier(&mut plan, &tier);
    }
    wheelchairs(&mut plan);
    plan
}

fn tiers() -> [Tier; 2] {
    let floor = |nth: usize| ((nth + 1).to_string(), if nth < 4 { 0 } else { 1 });
    let balcony = |nth: usize| (char::from(b'A' + nth as u8).to_string(), if nth < 3 { 2 } else { 3 });
    [
        Tier { name: "1층 / Floor", radius: 170.0, rows: (0..11).map(floor).collect() },
        Tier { name: "2층 / Balcony", radius: 640.0, rows: (0..6).map(balcony).collect() },
    ]
}

fn add_tier(plan: &mut Plan, tier: &Tier) {
    let area = plan.areas.len() as u16;
    let depth = tier.rows.len() as f32 * ROW_STEP;
    let outline = sector(tier.radius - ROW_STEP * 0.7, tier.radius + depth - ROW_STEP * 0.3);
    plan.areas.push(Area { name: tier.name.into(), outline, price: None });
    for (nth, (name, category)) in tier.rows.iter().enumerate() {
        plan.rows.push(Row { area, name: name.clone() });
        add_row(plan, tier.radius + nth as f32 * ROW_STEP, *category);
    }
}

/// A row: two blocks of the same length, to the left and to the right of the aisle.
fn add_row(plan: &mut Plan, radius: f32, category: u16) {
    let step = SEAT_STEP / radius;
    let aisle = AISLE_SEATS * step;
    let block = ((HALF_ANGLE - aisle / 2.0) / step).floor() as usize;
    let row = plan.rows.len() as u32 - 1;
    let first = plan.seats.len();
    for place in 0..2 * block {
        let from_aisle = if place < block { place as f32 - block as f32 + 0.5 } else { (place - block) as f32 + 0.5 };
        let angle = from_aisle * step + aisle / 2.0 * from_aisle.signum();
        let index = SeatIndex((first + place) as u32);
        let at_edge = |edge: usize| place % block == edge;
        plan.seats.push(Seat {
            id: format!("{row}-{}", place + 1),
            number: (place + 1).to_string(),
            row,
            category,
            position: at(radius, angle),
            kind: SeatKind::Standard,
            left: (!at_edge(0)).then(|| SeatIndex(index.0 - 1)),
            right: (!at_edge(block - 1)).then(|| SeatIndex(index.0 + 1)),
        });
    }
}

/// The floor's last row has two places for wheelchairs at its aisle, each with a companion's seat beside it.
fn wheelchairs(plan: &mut Plan) {
    let last = plan.rows.iter().rposition(|row| row.area == 0).unwrap_or(0) as u32;
    let places: Vec<usize> = (0..plan.seats.len()).filter(|&seat| plan.seats[seat].row == last).collect();
    let middle = places.len() / 2;
    for (place, kind) in [
        (middle - 2, SeatKind::Companion),
        (middle - 1, SeatKind::Wheelchair),
        (middle, SeatKind::Wheelchair),
        (middle + 1, SeatKind::Companion),
    ] {
        plan.seats[places[place]].kind = kind;
    }
}

/// A point on an arc, to the tenth: the canonical JSON stays short.
fn at(radius: f32, angle: f32) -> Point {
    let round = |value: f32| (value * 10.0).round() / 10.0;
    Point { x: round(STAGE.x + radius * angle.sin()), y: round(STAGE.y + radius * angle.cos()) }
}

/// The outline of a tier: along the inner arc and back along the outer.
fn sector(inner: f32, outer: f32) -> Vec<Point> {
    const CORNERS: i8 = 16;
    let half = HALF_ANGLE + 0.03;
    let angle = |corner: i8| half * f32::from(corner) / f32::from(CORNERS);
    let there = (-CORNERS..=CORNERS).map(|corner| at(inner, angle(corner)));
    let back = (-CORNERS..=CORNERS).rev().map(|corner| at(outer, angle(corner)));
    there.chain(back).collect()
}

fn stage() -> Shape {
    let corner = |x: f32, y: f32| Point { x: STAGE.x + x, y: STAGE.y + y };
    Shape {
        outline: vec![corner(-190.0, -90.0), corner(190.0, -90.0), corner(150.0, 50.0), corner(-150.0, 50.0)],
        color: Some("#343a40".into()),
        text: Some("STAGE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hall_is_a_valid_plan() {
        let json = serde_json::to_vec(&plan()).unwrap();
        assert_eq!(Plan::import(&json).unwrap(), plan());
    }

    #[test]
    fn it_has_two_areas_an_aisle_and_room_for_a_crowd() {
        let plan = plan();
        assert_eq!(plan.areas.len(), 2);
        assert!((300..=1000).contains(&plan.seats.len()), "{} seats", plan.seats.len());
        let alone = plan.seats.iter().filter(|seat| seat.left.is_none() && seat.right.is_none()).count();
        assert_eq!(alone, 0);
        let starts = plan.seats.iter().filter(|seat| seat.left.is_none()).count();
        assert_eq!(starts, 2 * plan.rows.len(), "each row is cut once");
    }

    #[test]
    fn no_two_seats_touch_and_all_are_on_the_drawing() {
        let plan = plan();
        for (index, a) in plan.seats.iter().enumerate() {
            assert!((0.0..SIZE.x).contains(&a.position.x) && (0.0..SIZE.y).contains(&a.position.y), "{a:?}");
            for b in &plan.seats[..index] {
                assert!((a.position.x - b.position.x).hypot(a.position.y - b.position.y) > 20.0, "{a:?} {b:?}");
            }
        }
    }
}
