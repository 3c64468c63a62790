//! `find`, in process: 50,000 seats, nine of ten sold, wishes of all kinds. Measured is what a query does once it has the
//! map's digits: it makes the free map of them and searches.

use crate::measure::Figures;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use socketing_domain::plan::{Area, Category, Plan, Point, Row, Seat, SeatKind};
use socketing_domain::seating::{Free, Index, Kind, Search, Wishes};
use socketing_domain::{SeatIndex, Won};
use std::time::Instant;

const AREAS: u32 = 25;
const ROWS: u32 = 40;
/// Seats of a row, cut by an aisle in the middle.
const ROW: u32 = 50;
const CATEGORIES: u16 = 5;
const SOLD: f64 = 0.9;
/// Maps, and searches in each.
const MAPS: u64 = 20;
const SEARCHES: u32 = 1_000;

/// Finds 20,000 times.
pub(crate) fn run() -> Result<Figures> {
    let plan = stadium();
    let index = Index::of(&plan);
    let prices = (1..=i64::from(CATEGORIES)).map(|nth| Won::new(nth * 30_000)).collect::<Option<Vec<Won>>>().context("a price")?;
    let mut took = Histogram::<u64>::new(3)?;
    let (mut found, mut contiguous) = (0_u64, 0_u64);
    for seed in 0..MAPS {
        let mut random = StdRng::seed_from_u64(seed);
        let digits: Vec<u8> = plan.seats.iter().map(|_| if random.random_bool(SOLD) { b'3' } else { b'0' }).collect();
        for _ in 0..SEARCHES {
            let wishes = any_wishes(&mut random);
            let began = Instant::now();
            let free = Free::of_digits(&digits);
            let search = Search { index: &index, free: &free, prices: &prices, no_orphans: seed % 2 == 1 };
            let blocks = search.find(&wishes).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
            took.record(began.elapsed().as_nanos() as u64)?;
            found += u64::from(!blocks.is_empty());
            contiguous += u64::from(blocks.first().is_some_and(|block| block.kind == Kind::Contiguous));
        }
    }
    let searches = MAPS * u64::from(SEARCHES);
    ensure!(found * 2 > searches, "only {found} of {searches} searches found anything");
    let ms = |quantile: f64| took.value_at_quantile(quantile) as f64 / 1e6;
    let figures = json!({
        "seats": plan.seats.len(), "sold": SOLD, "searches": searches, "found": found, "contiguous": contiguous,
        "per_s": 1e9 / took.mean(), "p50_ms": ms(0.5), "p99_ms": ms(0.99), "p999_ms": ms(0.999), "max_ms": took.max() as f64 / 1e6,
    });
    figures.as_object().cloned().context("figures are an object")
}

/// A wish like a fan's: mostly of few, half of them with a price, an area, a category or a seat to be near to.
fn any_wishes(random: &mut StdRng) -> Wishes {
    let wishes = Wishes::of(random.random_range(1..=8));
    match random.random_range(0..8) {
        0 => Wishes { price_max: Won::new(random.random_range(1..=5) * 30_000), ..wishes },
        1 => Wishes { area: Some(random.random_range(0..AREAS as u16)), ..wishes },
        2 => Wishes { category: Some(random.random_range(0..CATEGORIES)), ..wishes },
        3 => Wishes { near: Some(SeatIndex(random.random_range(0..AREAS * ROWS * ROW))), ..wishes },
        _ => wishes,
    }
}

/// 50,000 seats: 25 areas of 40 rows of 50 seats, each row cut by an aisle.
fn stadium() -> Plan {
    let seat = |at: u32| {
        let (area, row, place) = (at / (ROWS * ROW), at / ROW, at % ROW);
        let (across, down) = ((area % 5) as f32 * 1_500.0, (area / 5) as f32 * 1_500.0);
        let aisle = if place < ROW / 2 { 0.0 } else { 40.0 };
        Seat {
            id: at.to_string(),
            number: (place + 1).to_string(),
            row,
            category: (area % u32::from(CATEGORIES)) as u16,
            position: Point { x: across + place as f32 * 20.0 + aisle, y: down + (row % ROWS) as f32 * 25.0 },
            kind: SeatKind::Standard,
            left: (!place.is_multiple_of(ROW / 2)).then(|| SeatIndex(at - 1)),
            right: (!(place + 1).is_multiple_of(ROW / 2)).then_some(SeatIndex(at + 1)),
        }
    };
    Plan {
        name: "Stadium".to_owned(),
        categories: (0..CATEGORIES).map(|nth| Category { name: nth.to_string(), color: "#000000".to_owned() }).collect(),
        areas: (0..AREAS).map(|nth| Area { name: nth.to_string(), outline: Vec::new(), price: None }).collect(),
        rows: (0..AREAS * ROWS).map(|row| Row { area: (row / ROWS) as u16, name: (row % ROWS + 1).to_string() }).collect(),
        seats: (0..AREAS * ROWS * ROW).map(seat).collect(),
        ..Plan::default()
    }
}
