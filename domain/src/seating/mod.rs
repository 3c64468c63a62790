//! Which free seats are the best for so many people who want to sit together.
//!
//! Everything here is a pure function of two things: a plan's [`Index`], which is made once per plan, and a [`Free`] map,
//! one bit a seat. The writer keeps such a map and decides with it; queries keep a published copy and only look. Both ask
//! [`Search::find`], so what is offered and what is held are found the same way.

mod alone;
mod find;
mod free;
mod index;
mod original;

pub use find::Search;
pub use free::Free;
pub use index::{Arranged, Index};

use crate::limits::SEATS_PER_HOLD_MAX;
use crate::plan::SeatKind;
use crate::refusal::{Reason, Refusal, refuse};
use crate::{SeatIndex, Won};
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use utoipa::ToSchema;

/// How the seats of a block lie. In the order of how good that is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = BlockKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Side by side in one row, no aisle between.
    Contiguous,
    /// In two rows, one part right behind the other, each side by side; the parts are as even as can be.
    Stacked,
    /// Near one another, and no more.
    #[default]
    Near,
}

/// Seats for people who want to sit together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Block {
    /// How they lie. What isn't `contiguous` is split.
    pub kind: Kind,
    /// The seats, from left to right, row by row.
    pub seats: Vec<SeatIndex>,
    /// What they cost together.
    pub total: Won,
}

/// Blocks as a part of something that must stay small, such as an error: one word, and nothing behind it without blocks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Block>", into = "Vec<Block>")]
pub struct Blocks(Option<Box<List>>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct List {
    blocks: Vec<Block>,
}

impl From<Vec<Block>> for Blocks {
    fn from(blocks: Vec<Block>) -> Blocks {
        Blocks((!blocks.is_empty()).then(|| Box::new(List { blocks })))
    }
}

impl From<Blocks> for Vec<Block> {
    fn from(blocks: Blocks) -> Vec<Block> {
        blocks.0.map(|list| list.blocks).unwrap_or_default()
    }
}

impl Deref for Blocks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        self.0.as_ref().map_or(&[], |list| &list.blocks)
    }
}

/// How "so many seats together" is answered. A policy of the show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adjacency {
    /// The best block, as `find` ranks them.
    #[default]
    Best,
    /// The rule of the 2024 system, from the seat that was chosen: its row to the right and left, then the nearest rows of
    /// its area, then the nearest seats of its area.
    Original,
}

/// What is wished for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wishes {
    /// How many seats: 1 to 64.
    #[schema(minimum = 1, maximum = 64, example = 3)]
    pub people: i64,
    /// How many of them are spaces for wheelchairs. The others are then companions' or ordinary seats. Without any, all are
    /// ordinary seats.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 64)]
    pub wheelchairs: i64,
    /// No seat costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_max: Option<Won>,
    /// Only seats of this category: its place in the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<u16>,
    /// Only seats of this area: its place in the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<u16>,
    /// The nearer to this seat, the better. Without it: the dearer, the nearer to the front of its area, and to the middle
    /// of its row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<SeatIndex>,
    /// Nothing that lies worse.
    #[serde(default)]
    pub at_worst: Kind,
}

/// Wishes that were held against the bounds and the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Checked {
    pub(crate) people: usize,
    pub(crate) filter: Filter,
    pub(crate) near: Option<SeatIndex>,
    pub(crate) at_worst: Kind,
}

/// Which seats come into question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Filter {
    /// A bit per category: [`crate::limits::CATEGORIES_MAX`] is 64.
    pub(crate) categories: u64,
    pub(crate) area: Option<u16>,
    pub(crate) kinds: Kinds,
    /// How many of a block's seats are spaces for wheelchairs.
    pub(crate) wheelchairs: usize,
}

/// Kinds of seats that are welcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kinds {
    pub(crate) standard: bool,
    pub(crate) wheelchair: bool,
    pub(crate) companion: bool,
}

impl Kinds {
    pub(crate) const fn has(self, kind: SeatKind) -> bool {
        match kind {
            SeatKind::Standard => self.standard,
            SeatKind::Wheelchair => self.wheelchair,
            SeatKind::Companion => self.companion,
        }
    }
}

impl Wishes {
    /// So many seats, wherever.
    #[must_use]
    pub fn of(people: usize) -> Wishes {
        Wishes { people: people as i64, ..Wishes::default() }
    }

    /// Holds the wishes against the bounds, the plan and its prices.
    ///
    /// # Errors
    /// `seat_count` for a number of people or wheelchairs that can't be, `unknown_seat`, `invalid`.
    pub(crate) fn check(&self, index: &Index, prices: &[Won]) -> Result<Checked, Refusal> {
        let most = SEATS_PER_HOLD_MAX as i64;
        if !(1..=most).contains(&self.people) {
            return refuse(Reason::SeatCount, format!("/people: 1 to {most}, not {}", self.people));
        }
        if !(0..=self.people).contains(&self.wheelchairs) {
            return refuse(Reason::SeatCount, format!("/wheelchairs: 0 to {}, the people, not {}", self.people, self.wheelchairs));
        }
        if let Some(near) = self.near.filter(|near| near.at() >= index.seats()) {
            let detail = format!("/near: the plan has seats 0 to {}", index.seats() - 1);
            return Err(Refusal::new(Reason::UnknownSeat, detail).with_seats(vec![near]));
        }
        if let Some(category) = self.category.filter(|category| usize::from(*category) >= prices.len()) {
            return refuse(Reason::Invalid, format!("/category: 0 to {}, not {category}", prices.len().saturating_sub(1)));
        }
        if let Some(area) = self.area.filter(|area| usize::from(*area) >= index.areas()) {
            return refuse(Reason::Invalid, format!("/area: 0 to {}, not {area}", index.areas().saturating_sub(1)));
        }
        let welcome = |at: usize, price: Won| {
            self.category.is_none_or(|only| usize::from(only) == at) && self.price_max.is_none_or(|most| price <= most)
        };
        let categories = prices.iter().enumerate().filter(|(at, price)| welcome(*at, **price)).fold(0, |bits, (at, _)| bits | 1 << at);
        let accessible = self.wheelchairs > 0;
        let kinds = Kinds { standard: true, wheelchair: accessible, companion: accessible };
        let filter = Filter { categories, area: self.area, kinds, wheelchairs: self.wheelchairs as usize };
        Ok(Checked { people: self.people as usize, filter, near: self.near, at_worst: self.at_worst })
    }
}

#[cfg(test)]
mod tests;
