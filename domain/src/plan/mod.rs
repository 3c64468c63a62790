//! Seating plans: immutable, named by their hash.

mod check;
mod export;
mod geometry;
mod import;
mod loose;
mod pretix;
mod problems;
mod shapes;

use crate::seating::{Arranged, Index};
use crate::{SeatIndex, Won};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt, str::FromStr};
use utoipa::ToSchema;

/// SHA-256 of a plan's canonical JSON. Written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, ToSchema)]
#[schema(value_type = String, min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
pub struct PlanHash(pub [u8; 32]);

/// A point of the drawing, in the plan's own units (pretix: about a pixel).
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// A price category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Category {
    /// Its name, unique in the plan.
    pub name: String,
    /// Its colour, as `#rrggbb`.
    pub color: String,
}

/// A named part of the venue (구역).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its outline as a polygon; empty if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<Point>,
    /// What a seat of it costs, unless the show says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Won>,
}

/// A row of seats.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// The area it is in: a place in [`Plan::areas`].
    pub area: u16,
    /// What is printed on tickets, such as `12` or `A`.
    pub name: String,
}

/// What a seat is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatKind {
    /// Anybody.
    #[default]
    Standard,
    /// A wheelchair's space.
    Wheelchair,
    /// Beside a wheelchair's space, for who comes along.
    Companion,
}

/// One seat.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Seat {
    /// The importing organiser's id: unique in the plan (pretix: `uuid`, else `seat_guid`).
    pub id: String,
    /// Its number in its row, as printed.
    pub number: String,
    /// Its row: a place in [`Plan::rows`].
    pub row: u32,
    /// Its category: a place in [`Plan::categories`].
    pub category: u16,
    /// Where it stands: zone + row + seat.
    pub position: Point,
    /// What it is for.
    #[serde(default)]
    pub kind: SeatKind,
    /// The neighbour on its left as the row runs; none across an aisle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<SeatIndex>,
    /// The neighbour on its right as the row runs; none across an aisle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<SeatIndex>,
}

/// A shape that is only drawn: a stage, a bar, a text.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shape {
    /// Its outline, as a polygon.
    pub outline: Vec<Point>,
    /// Fill colour, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Text drawn at its centre, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A seating plan. Immutable: a changed plan is another plan, with another hash.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Price categories.
    pub categories: Vec<Category>,
    /// Areas.
    pub areas: Vec<Area>,
    /// Rows, grouped by area.
    pub rows: Vec<Row>,
    /// Seats, grouped by row, in the row's order. A seat's place here is its [`SeatIndex`].
    pub seats: Vec<Seat>,
    /// What is only drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<Shape>,
    /// Width and height of the drawing.
    pub size: Point,
    /// See [`Plan::index`].
    #[serde(skip)]
    #[schema(ignore)]
    pub arranged: Arranged,
}

/// One thing that is wrong with a plan, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A JSON pointer into what was uploaded, such as `/zones/0/rows/3/seats/7/category`.
    pub path: String,
    /// A stable code, such as `unknown_category`.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// A seat as people call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeatLabel<'a> {
    /// Its area's name.
    pub area: &'a str,
    /// Its row's name.
    pub row: &'a str,
    /// Its number.
    pub number: &'a str,
}

impl Plan {
    /// Reads a plan that someone uploaded: in the pretix format or our own (that of serde), told apart by their fields.
    ///
    /// # Errors
    /// Everything that is wrong with it, at most [`crate::limits::PLAN_PROBLEMS_MAX`] problems.
    pub fn import(json: &[u8]) -> Result<Plan, Vec<Problem>> {
        import::import(json)
    }

    /// The same plan in the pretix format. What that can't say is left out: kinds of seats, and neighbours and outlines that
    /// don't follow from where the seats stand.
    #[must_use]
    pub fn to_pretix(&self) -> serde_json::Value {
        export::pretix(self)
    }

    /// What a seat of a category costs by the plan: the price of the areas that have such seats, if those that have a price
    /// agree.
    #[must_use]
    pub fn price_of(&self, category: usize) -> Option<Won> {
        let of_category = self.seats.iter().filter(|seat| usize::from(seat.category) == category);
        let rows = of_category.filter_map(|seat| self.rows.get(seat.row as usize));
        let mut prices = rows.filter_map(|row| self.areas.get(usize::from(row.area))?.price);
        let first = prices.next()?;
        prices.all(|price| price == first).then_some(first)
    }

    /// The plan's name in the log: SHA-256 of its canonical JSON (serde's, fields in the order of the types).
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        let json = serde_json::to_vec(self).expect("a plan has string keys and finite numbers");
        PlanHash(Sha256::digest(&json).into())
    }

    /// Its seats, arranged for finding; made when it is first asked for. A plan isn't changed any more then.
    #[must_use]
    pub fn index(&self) -> &Index {
        self.arranged.get(self)
    }

    /// A seat, or `None` if the plan has no such seat.
    #[must_use]
    pub fn seat(&self, seat: SeatIndex) -> Option<&Seat> {
        self.seats.get(seat.at())
    }

    /// What a seat is called, or `None` if the plan has no such seat.
    #[must_use]
    pub fn label(&self, seat: SeatIndex) -> Option<SeatLabel<'_>> {
        let seat = self.seat(seat)?;
        let row = self.rows.get(seat.row as usize)?;
        let area = self.areas.get(usize::from(row.area))?;
        Some(SeatLabel { area: &area.name, row: &row.name, number: &seat.number })
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlanHash({self})")
    }
}

/// A text that isn't a plan's hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a plan's hash has 64 hex digits")]
pub struct NotAPlanHash;

impl FromStr for PlanHash {
    type Err = NotAPlanHash;

    fn from_str(text: &str) -> Result<PlanHash, NotAPlanHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(NotAPlanHash);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NotAPlanHash)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAPlanHash)?;
        }
        Ok(PlanHash(hash))
    }
}

impl Serialize for PlanHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PlanHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PlanHash, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
