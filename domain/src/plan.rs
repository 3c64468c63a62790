//! Seating plans: immutable, named by their hash.

use crate::SeatIndex;
use serde::{Deserialize, Serialize};

/// SHA-256 of a plan's canonical JSON. Written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PlanHash(pub [u8; 32]);

/// A point of the drawing, in the plan's own units (pretix: about a pixel).
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// A price category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Category {
    /// Its name, unique in the plan.
    pub name: String,
    /// Its colour, as `#rrggbb`.
    pub color: String,
}

/// A named part of the venue (구역).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its outline as a polygon; empty if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<Point>,
}

/// A row of seats.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The area it is in: a place in [`Plan::areas`].
    pub area: u16,
    /// What is printed on tickets, such as `12` or `A`.
    pub name: String,
}

/// What a seat is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
}

/// One thing that is wrong with a plan, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// A JSON pointer into what was uploaded, such as `/zones/0/rows/3/seats/7/category`.
    pub path: String,
    /// A stable code, such as `unknown_category`.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

// PLANNED SURFACE:
// impl Plan { pub fn import(json: &[u8]) -> Result<Plan, Vec<Problem>>; pub fn hash(&self) -> PlanHash; pub fn seat(&self, SeatIndex) -> Option<&Seat>;
//   pub fn label(&self, SeatIndex) -> SeatLabel{area,row,number} }
