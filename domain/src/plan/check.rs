//! Our own format, as the product writes it itself: held against everything that the rest of the program relies on.

use super::problems::{Problems, unreadable};
use super::{Plan, Point, Problem, Seat};
use crate::SeatIndex;
use crate::limits::{CATEGORIES_MAX, COORDINATE_MAX, NAME_CHARS_MAX, OUTLINE_POINTS_MAX, PLAN_AREAS_MAX, PLAN_SEATS_MAX, PRICE_MAX_WON};
use std::collections::HashSet;
use std::fmt::Display;

/// Reads a plan in our own format.
pub(super) fn read(json: &[u8]) -> Result<Plan, Vec<Problem>> {
    let plan: Plan = match serde_json::from_slice(json) {
        Ok(plan) => plan,
        Err(error) => return unreadable(&error),
    };
    let mut check = Check { plan: &plan, problems: Problems::default() };
    check.sizes();
    check.categories();
    check.areas_and_rows();
    check.seats();
    check.shapes();
    let problems = check.problems;
    problems.none_or(plan)
}

struct Check<'a> {
    plan: &'a Plan,
    problems: Problems,
}

impl Check<'_> {
    fn sizes(&mut self) {
        let plan = self.plan;
        self.at_most("/categories", plan.categories.len(), CATEGORIES_MAX);
        self.at_most("/areas", plan.areas.len(), PLAN_AREAS_MAX);
        self.at_most("/rows", plan.rows.len(), PLAN_SEATS_MAX);
        self.at_most("/seats", plan.seats.len(), PLAN_SEATS_MAX);
        self.at_most("/shapes", plan.shapes.len(), PLAN_AREAS_MAX);
        if plan.seats.is_empty() {
            self.problems.add("/seats", "no_seats", "the plan has no seats");
        }
        self.name("/name", &plan.name);
        self.point("/size", plan.size);
    }

    fn categories(&mut self) {
        let mut seen = HashSet::new();
        for (at, category) in self.plan.categories.iter().enumerate() {
            self.name(format_args!("/categories/{at}/name"), &category.name);
            self.color(format_args!("/categories/{at}/color"), &category.color);
            if !seen.insert(&category.name) {
                let detail = format!("there are two categories {:?}", category.name);
                self.problems.add(format_args!("/categories/{at}/name"), "duplicate_category", detail);
            }
        }
    }

    fn areas_and_rows(&mut self) {
        let plan = self.plan;
        for (at, area) in plan.areas.iter().enumerate() {
            self.text(format_args!("/areas/{at}/name"), &area.name);
            self.outline(format_args!("/areas/{at}/outline"), &area.outline);
            if area.price.is_some_and(|price| !(1..=PRICE_MAX_WON).contains(&price.get())) {
                self.problems.add(format_args!("/areas/{at}/price"), "bad_price", format!("a seat costs 1 to {PRICE_MAX_WON} won"));
            }
        }
        for (at, row) in plan.rows.iter().enumerate() {
            self.text(format_args!("/rows/{at}/name"), &row.name);
            self.within(format_args!("/rows/{at}/area"), usize::from(row.area), plan.areas.len());
            if at > 0 && plan.rows[at - 1].area > row.area {
                self.problems.add(format_args!("/rows/{at}/area"), "bad_order", "rows are grouped by area, in the areas' order");
            }
        }
    }

    fn seats(&mut self) {
        let plan = self.plan;
        let mut seen = HashSet::new();
        for (at, seat) in plan.seats.iter().enumerate() {
            let path = format!("/seats/{at}");
            self.name(format_args!("{path}/id"), &seat.id);
            self.name(format_args!("{path}/number"), &seat.number);
            self.point(format_args!("{path}/position"), seat.position);
            self.within(format_args!("{path}/row"), seat.row as usize, plan.rows.len());
            self.within(format_args!("{path}/category"), usize::from(seat.category), plan.categories.len());
            if !seen.insert(&seat.id) {
                self.problems.add(format_args!("{path}/id"), "duplicate_seat", format!("there are two seats {:?}", seat.id));
            }
            if at > 0 && plan.seats[at - 1].row > seat.row {
                self.problems.add(format_args!("{path}/row"), "bad_order", "seats are grouped by row, in the rows' order");
            }
            self.neighbour(&format!("{path}/left"), at, seat.left, |other| other.right);
            self.neighbour(&format!("{path}/right"), at, seat.right, |other| other.left);
        }
    }

    /// A neighbour is another seat of the same row, and has this one for its neighbour on the other side.
    fn neighbour(&mut self, path: &str, at: usize, neighbour: Option<SeatIndex>, back: fn(&Seat) -> Option<SeatIndex>) {
        let Some(neighbour) = neighbour else { return };
        let Some(other) = self.plan.seat(neighbour) else {
            self.problems.add(path, "bad_reference", format!("the plan has no seat {neighbour}"));
            return;
        };
        if neighbour.at() == at || other.row != self.plan.seats[at].row || back(other) != Some(SeatIndex(at as u32)) {
            let detail = format!("seat {neighbour} isn't in this row, or doesn't have this one for its neighbour");
            self.problems.add(path, "bad_neighbour", detail);
        }
    }

    fn shapes(&mut self) {
        for (at, shape) in self.plan.shapes.iter().enumerate() {
            self.outline(format_args!("/shapes/{at}/outline"), &shape.outline);
            if let Some(color) = &shape.color {
                self.color(format_args!("/shapes/{at}/color"), color);
            }
            if let Some(text) = &shape.text {
                self.text(format_args!("/shapes/{at}/text"), text);
            }
        }
    }

    fn at_most(&mut self, path: &str, found: usize, most: usize) {
        if found > most {
            self.problems.add(path, "too_many", format!("at most {most}, not {found}"));
        }
    }

    fn within(&mut self, path: impl Display, reference: usize, known: usize) {
        if reference >= known {
            self.problems.add(path, "bad_reference", format!("there are {known}, counted from 0"));
        }
    }

    fn name(&mut self, path: impl Display, text: &str) {
        if text.trim().is_empty() {
            self.problems.add(&path, "missing", "this can't be empty");
        }
        self.text(path, text);
    }

    fn text(&mut self, path: impl Display, text: &str) {
        if text.chars().count() > NAME_CHARS_MAX {
            self.problems.add(&path, "too_long", format!("this has at most {NAME_CHARS_MAX} characters"));
        }
        if text.chars().any(char::is_control) {
            self.problems.add(&path, "bad_text", "this has no control characters");
        }
    }

    fn color(&mut self, path: impl Display, color: &str) {
        let digits = color.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.problems.add(path, "bad_color", "a colour is written as #rrggbb");
        }
    }

    fn outline(&mut self, path: impl Display, outline: &[Point]) {
        if outline.len() > OUTLINE_POINTS_MAX {
            self.problems.add(&path, "too_many", format!("at most {OUTLINE_POINTS_MAX} points, not {}", outline.len()));
            return;
        }
        for (at, point) in outline.iter().enumerate() {
            self.point(format_args!("{path}/{at}"), *point);
        }
    }

    fn point(&mut self, path: impl Display, point: Point) {
        for (name, number) in [("x", point.x), ("y", point.y)] {
            if !super::pretix::in_range(f64::from(number)) {
                let detail = format!("this is a number from -{COORDINATE_MAX} to {COORDINATE_MAX}");
                self.problems.add(format_args!("{path}/{name}"), "bad_number", detail);
            }
        }
    }
}
