//! The pretix format of seating plans. Old revisions are welcome: what they lack has a default, and what we don't know is
//! ignored.

use super::loose::{List, Object, Scalar};
use super::problems::{Problems, unreadable};
use super::shapes::{RawShape, color};
use super::{Area, Category, Plan, Point, Problem, Row, Seat, SeatKind, Shape, geometry};
use crate::Won;
use crate::limits::{CATEGORIES_MAX, COORDINATE_MAX, NAME_CHARS_MAX, PLAN_AREAS_MAX, PLAN_SEATS_MAX, PRICE_MAX_WON};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

/// Drawn where a category has no colour that we can read.
const GREY: &str = "#808080";

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawPlan {
    name: Scalar,
    categories: List<RawCategory>,
    zones: List<RawZone>,
    size: Object<RawSize>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawSize {
    width: Scalar,
    height: Scalar,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawCategory {
    name: Scalar,
    color: Scalar,
    price: Scalar,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawZone {
    name: Scalar,
    zone_id: Scalar,
    position: Object<RawPoint>,
    rows: List<RawRow>,
    areas: List<RawShape>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawRow {
    row_number: Scalar,
    position: Object<RawPoint>,
    seats: List<RawSeat>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawSeat {
    uuid: Scalar,
    seat_guid: Scalar,
    seat_number: Scalar,
    category: Scalar,
    position: Object<RawPoint>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub(super) struct RawPoint {
    x: Scalar,
    y: Scalar,
}

/// Reads a plan in the pretix format.
pub(super) fn read(json: &[u8]) -> Result<Plan, Vec<Problem>> {
    match serde_json::from_slice::<RawPlan>(json) {
        Ok(raw) => Reader::default().plan(&raw),
        Err(error) => unreadable(&error),
    }
}

/// What is read so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Problems,
    categories: Vec<Category>,
    /// What each costs, where the plan says it in whole won.
    prices: Vec<Option<Won>>,
    by_name: HashMap<String, u16>,
    areas: Vec<Area>,
    rows: Vec<Row>,
    seats: Vec<Seat>,
    ids: HashSet<String>,
    shapes: Vec<Shape>,
}

impl Reader {
    fn plan(mut self, raw: &RawPlan) -> Result<Plan, Vec<Problem>> {
        let name = self.name("/name", &raw.name).unwrap_or_default();
        self.read_categories(&raw.categories);
        let found = count(&raw.zones);
        if found == 0 {
            self.problems.add("/zones", "no_seats", "the plan has no seats");
        }
        if found > PLAN_SEATS_MAX {
            self.problems.add("/zones", "too_many", format!("a plan has at most {PLAN_SEATS_MAX} seats, not {found}"));
            return self.problems.none_or(Plan::default());
        }
        for (at, zone) in self.items("/zones", &raw.zones) {
            self.zone(&format!("/zones/{at}"), zone);
        }
        if self.areas.len().max(self.shapes.len()) > PLAN_AREAS_MAX {
            self.problems.add("/zones", "too_many", format!("a plan has at most {PLAN_AREAS_MAX} zones, and as many drawings"));
        }
        let size = self.size(&raw.size);
        let Reader { problems, categories, prices, areas, rows, seats, shapes, .. } = self;
        let drawn = size.unwrap_or_default();
        let plan = problems.none_or(Plan { name, categories, areas, rows, seats, shapes, size: drawn, ..Plan::default() })?;
        Ok(finished(plan, &prices, size.is_none()))
    }

    fn read_categories(&mut self, categories: &List<RawCategory>) {
        for (at, raw) in self.items("/categories", categories) {
            let path = format!("/categories/{at}");
            if let Scalar::Number(price) = raw.price
                && price < 0.0
            {
                self.problems.add(format_args!("{path}/price"), "negative_price", format!("a price is never negative, as {price} is"));
            }
            let Some(name) = self.name(format_args!("{path}/name"), &raw.name) else { continue };
            if self.by_name.insert(name.clone(), self.categories.len() as u16).is_some() {
                self.problems.add(format_args!("{path}/name"), "duplicate_category", format!("there are two categories {name:?}"));
            }
            self.prices.push(whole(&raw.price));
            self.categories.push(Category { name, color: color(&raw.color).unwrap_or_else(|| GREY.to_owned()) });
            if self.categories.len() > CATEGORIES_MAX {
                self.problems.add("/categories", "too_many", format!("a plan has at most {CATEGORIES_MAX} categories"));
                return;
            }
        }
    }

    fn zone(&mut self, path: &str, raw: &RawZone) {
        let named = if matches!(raw.name, Scalar::Absent) { ("zone_id", &raw.zone_id) } else { ("name", &raw.name) };
        let name = self.text(format_args!("{path}/{}", named.0), named.1).unwrap_or_default();
        let Some(origin) = self.point(format_args!("{path}/position"), &raw.position, false) else { return };
        let before = self.seats.len();
        for (at, row) in self.items(format_args!("{path}/rows"), &raw.rows) {
            self.row(&format!("{path}/rows/{at}"), row, origin);
        }
        if self.seats.len() > before {
            self.areas.push(Area { name, outline: Vec::new(), price: None });
        }
        for (at, shape) in self.items(format_args!("{path}/areas"), &raw.areas) {
            let shape = self.shape(&format!("{path}/areas/{at}"), shape, origin);
            self.shapes.extend(shape);
        }
    }

    fn row(&mut self, path: &str, raw: &RawRow, zone: (f64, f64)) {
        let name = self.text(format_args!("{path}/row_number"), &raw.row_number).unwrap_or_default();
        let Some(position) = self.point(format_args!("{path}/position"), &raw.position, false) else { return };
        let origin = (zone.0 + position.0, zone.1 + position.1);
        let before = self.seats.len();
        for (at, seat) in self.items(format_args!("{path}/seats"), &raw.seats) {
            let seat = self.seat(&format!("{path}/seats/{at}"), seat, origin);
            self.seats.extend(seat);
        }
        if self.seats.len() > before {
            self.rows.push(Row { area: self.areas.len() as u16, name });
        }
    }

    fn seat(&mut self, path: &str, raw: &RawSeat, row: (f64, f64)) -> Option<Seat> {
        let id = self.id(path, raw);
        let number = self.name(format_args!("{path}/seat_number"), &raw.seat_number);
        let category = self.category(path, &raw.category);
        let position = self.point(format_args!("{path}/position"), &raw.position, true);
        let (x, y) = position.map(|(x, y)| (row.0 + x, row.1 + y))?;
        if !in_range(x) || !in_range(y) {
            self.problems.add(format_args!("{path}/position"), "bad_number", format!("the seat stands at {x}, {y}: too far away"));
            return None;
        }
        let (position, row) = (geometry::point(x, y), self.rows.len() as u32);
        Some(Seat { id: id?, number: number?, row, category: category?, position, kind: SeatKind::Standard, left: None, right: None })
    }

    /// The seat's id: its uuid, or in old revisions, which have none, its guid. (Where there are uuids, guids repeat.)
    fn id(&mut self, path: &str, raw: &RawSeat) -> Option<String> {
        let (field, id) = match raw.uuid {
            Scalar::Absent => ("seat_guid", &raw.seat_guid),
            _ => ("uuid", &raw.uuid),
        };
        let id = self.name(format_args!("{path}/{field}"), id)?;
        if !self.ids.insert(id.clone()) {
            self.problems.add(format_args!("{path}/{field}"), "duplicate_seat", format!("there are two seats {id:?}"));
            return None;
        }
        Some(id)
    }

    fn category(&mut self, path: &str, raw: &Scalar) -> Option<u16> {
        let name = self.name(format_args!("{path}/category"), raw)?;
        let known = self.by_name.get(&name).copied();
        if known.is_none() {
            self.problems.add(format_args!("{path}/category"), "unknown_category", format!("the plan has no category {name:?}"));
        }
        known
    }

    /// The drawing's size, if the plan says it.
    fn size(&mut self, raw: &Object<RawSize>) -> Option<Point> {
        let Object::Good(raw) = raw else { return None };
        let width = self.number("/size/width", &raw.width, None)?;
        let height = self.number("/size/height", &raw.height, None)?;
        (width > 0.0 && height > 0.0).then(|| geometry::point(width, height))
    }

    /// The objects of a list, each with its place. What is no object, and what is no list, is a problem.
    fn items<'a, T>(&mut self, path: impl Display, list: &'a List<T>) -> &'a [(usize, T)] {
        match list {
            List::Absent => &[],
            List::Other => {
                self.problems.add(path, "not_a_list", "this is a list");
                &[]
            }
            List::Items { good, bad } => {
                for at in bad {
                    self.problems.add(format_args!("{path}/{at}"), "not_an_object", "this is an object");
                }
                good
            }
        }
    }

    /// A text that can't be empty.
    fn name(&mut self, path: impl Display, scalar: &Scalar) -> Option<String> {
        let name = self.text(&path, scalar)?;
        if name.is_empty() {
            self.problems.add(path, "missing", "this can't be missing or empty");
            return None;
        }
        Some(name)
    }

    /// A text, without spaces around it; empty if it is missing. A number stands for its digits.
    pub(super) fn text(&mut self, path: impl Display, scalar: &Scalar) -> Option<String> {
        let text = match scalar {
            Scalar::Absent => String::new(),
            Scalar::Text(text) => text.trim().to_owned(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Other => {
                self.problems.add(path, "not_a_text", "this is a text");
                return None;
            }
        };
        if text.chars().count() > NAME_CHARS_MAX {
            self.problems.add(path, "too_long", format!("this has at most {NAME_CHARS_MAX} characters"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.problems.add(path, "bad_text", "this has no control characters");
            return None;
        }
        Some(text)
    }

    /// A point; the origin if it is missing and may be.
    pub(super) fn point(&mut self, path: impl Display, raw: &Object<RawPoint>, needed: bool) -> Option<(f64, f64)> {
        match raw {
            Object::Good(point) => self.coordinates(path, point),
            Object::Absent if !needed => Some((0.0, 0.0)),
            Object::Absent => {
                self.problems.add(path, "missing", "this can't be missing");
                None
            }
            Object::Other => {
                self.problems.add(path, "not_an_object", "this is an object with x and y");
                None
            }
        }
    }

    pub(super) fn coordinates(&mut self, path: impl Display, point: &RawPoint) -> Option<(f64, f64)> {
        let x = self.number(format_args!("{path}/x"), &point.x, None);
        let y = self.number(format_args!("{path}/y"), &point.y, None);
        Some((x?, y?))
    }

    /// A number within bounds.
    pub(super) fn number(&mut self, path: impl Display, scalar: &Scalar, default: Option<f64>) -> Option<f64> {
        match scalar {
            Scalar::Number(number) if in_range(*number) => Some(*number),
            Scalar::Absent if default.is_some() => default,
            _ => {
                self.problems.add(path, "bad_number", format!("this is a number from -{COORDINATE_MAX} to {COORDINATE_MAX}"));
                None
            }
        }
    }
}

/// Whether a coordinate is one that a drawing can have.
pub(super) fn in_range(number: f64) -> bool {
    (-COORDINATE_MAX..=COORDINATE_MAX).contains(&number)
}

fn count(zones: &List<RawZone>) -> usize {
    let List::Items { good: zones, .. } = zones else { return 0 };
    let seats = |row: &RawRow| match &row.seats {
        List::Items { good, bad } => good.len() + bad.len(),
        List::Absent | List::Other => 0,
    };
    let rows = |zone: &RawZone| match &zone.rows {
        List::Items { good, .. } => good.iter().map(|(_, row)| seats(row)).sum(),
        List::Absent | List::Other => 0,
    };
    zones.iter().map(|(_, zone)| rows(zone)).sum()
}

/// A price in whole won that a seat may have.
fn whole(price: &Scalar) -> Option<Won> {
    let Scalar::Number(price) = price else { return None };
    let may_be = (1.0..=PRICE_MAX_WON as f64).contains(price) && price.fract() == 0.0;
    if may_be { Won::new(*price as i64) } else { None }
}

/// What the format doesn't say: who sits beside whom, where areas end, how large the drawing is.
fn finished(mut plan: Plan, prices: &[Option<Won>], unsized_: bool) -> Plan {
    let pitch = geometry::link(&mut plan);
    let mut by_area: Vec<Vec<(Point, u16)>> = vec![Vec::new(); plan.areas.len()];
    for seat in &plan.seats {
        by_area[usize::from(plan.rows[seat.row as usize].area)].push((seat.position, seat.category));
    }
    for (area, seats) in plan.areas.iter_mut().zip(by_area) {
        let category = seats.first().map(|(_, category)| *category);
        let only = category.filter(|only| seats.iter().all(|(_, category)| category == only));
        area.price = only.and_then(|only| prices[usize::from(only)]);
        area.outline = geometry::outline(seats.into_iter().map(|(position, _)| position), pitch.max(1.0));
    }
    if unsized_ {
        let corners = || plan.areas.iter().flat_map(|area| &area.outline);
        let (x, y) = (corners().map(|corner| corner.x).fold(1.0, f32::max), corners().map(|corner| corner.y).fold(1.0, f32::max));
        plan.size = Point { x, y };
    }
    plan
}
