//! Seating plans, as far as read models need them: each seat's category, what it is called and how the seats lie. Plans never change, so
//! they are kept in memory, within a bound.

use serde_json::value::RawValue;
use socketing_domain::plan::{Plan, PlanHash};
use socketing_domain::seating::Index;
use socketing_domain::{SeatIndex, limits};
use sqlx::postgres::PgConnection;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Seats of all plans kept, together: about 150 bytes each, so at most some 75 MB; and the largest plan always fits.
const SEATS_KEPT_MAX: usize = 500_000;
const _: () = assert!(SEATS_KEPT_MAX >= limits::PLAN_SEATS_MAX);

/// A plan without its drawing.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanFacts {
    /// Names of the price categories, in the plan's order.
    pub categories: Vec<String>,
    areas: Vec<String>,
    rows: Vec<(u16, String)>,
    seats: Vec<SeatFacts>,
    index: Index,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct SeatFacts {
    row: u32,
    category: u16,
    number: Box<str>,
}

/// What is printed on a ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label<'a> {
    /// The area's name.
    pub area: &'a str,
    /// The row's name.
    pub row: &'a str,
    /// The seat's number in its row.
    pub number: &'a str,
}

impl PlanFacts {
    /// How many seats it has.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Its seats, arranged for finding.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The seat's category: a place in [`PlanFacts::categories`]; `None` if the plan has no such seat.
    #[must_use]
    pub fn category(&self, seat: SeatIndex) -> Option<usize> {
        self.seats.get(seat.at()).map(|seat| usize::from(seat.category))
    }

    /// What the seat is called; `None` if the plan has no such seat.
    #[must_use]
    pub fn label(&self, seat: SeatIndex) -> Option<Label<'_>> {
        let seat = self.seats.get(seat.at())?;
        let (area, row) = self.rows.get(seat.row as usize)?;
        Some(Label { area: self.areas.get(usize::from(*area))?, row, number: &seat.number })
    }

    /// How many seats each category has, in the plan's order.
    #[must_use]
    pub fn seats_by_category(&self) -> Vec<u32> {
        let mut counts = vec![0; self.categories.len()];
        for seat in &self.seats {
            if let Some(count) = counts.get_mut(usize::from(seat.category)) {
                *count += 1;
            }
        }
        counts
    }
}

impl From<Plan> for PlanFacts {
    fn from(plan: Plan) -> PlanFacts {
        PlanFacts {
            index: Index::of(&plan),
            categories: plan.categories.into_iter().map(|category| category.name).collect(),
            areas: plan.areas.into_iter().map(|area| area.name).collect(),
            rows: plan.rows.into_iter().map(|row| (row.area, row.name)).collect(),
            seats: plan
                .seats
                .into_iter()
                .map(|seat| SeatFacts { row: seat.row, category: seat.category, number: seat.number.into_boxed_str() })
                .collect(),
        }
    }
}

/// Why a plan can't be had.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nobody imported it.
    #[error("there is no plan {hash}")]
    Unknown {
        /// Its hash.
        hash: PlanHash,
    },
    /// What is stored isn't a plan.
    #[error("plan {hash} can't be read")]
    Unreadable {
        /// Its hash.
        hash: PlanHash,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The database failed.
    #[error("can't load plan {hash}")]
    Database {
        /// Its hash.
        hash: PlanHash,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

/// The plans that were asked for lately.
#[derive(Debug, Default)]
pub struct Plans {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    plans: HashMap<PlanHash, Arc<PlanFacts>>,
    oldest_first: VecDeque<PlanHash>,
    seats: usize,
}

impl Plans {
    /// A plan, from memory or from the database.
    ///
    /// # Errors
    /// If nobody imported it, or it can't be loaded or read.
    pub async fn get(&self, connection: &mut PgConnection, hash: PlanHash) -> Result<Arc<PlanFacts>, PlanError> {
        if let Some(plan) = self.lock().plans.get(&hash) {
            return Ok(Arc::clone(plan));
        }
        let row: Option<(sqlx::types::Json<Box<RawValue>>,)> = sqlx::query_as("select plan from plans where hash = $1")
            .bind(hash.0.as_slice())
            .fetch_optional(connection)
            .await
            .map_err(|source| PlanError::Database { hash, source })?;
        let (json,) = row.ok_or(PlanError::Unknown { hash })?;
        // A large plan takes some 100 ms to parse: not on a thread that others' requests wait for.
        let plan = tokio::task::spawn_blocking(move || serde_json::from_str::<Plan>(json.0.get()).map(PlanFacts::from))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
            .map_err(|source| PlanError::Unreadable { hash, source })?;
        Ok(self.lock().keep(hash, Arc::new(plan)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // No code panics while it holds the lock, and what it guards is a cache of immutable values.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, hash: PlanHash, plan: Arc<PlanFacts>) -> Arc<PlanFacts> {
        if let Some(plan) = self.plans.get(&hash) {
            return Arc::clone(plan);
        }
        while self.seats + plan.seats() > SEATS_KEPT_MAX {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            self.seats -= self.plans.remove(&oldest).map_or(0, |plan| plan.seats());
        }
        self.seats += plan.seats();
        self.oldest_first.push_back(hash);
        self.plans.insert(hash, Arc::clone(&plan));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seats: usize) -> Arc<PlanFacts> {
        Arc::new(PlanFacts {
            categories: vec!["R".to_owned(), "S".to_owned()],
            areas: vec!["Floor".to_owned()],
            rows: vec![(0, "A".to_owned()), (0, "B".to_owned())],
            index: Index::default(),
            seats: (0..seats)
                .map(|i| SeatFacts { row: u32::from(i > 0), category: u16::from(i % 3 == 0), number: (i + 1).to_string().into() })
                .collect(),
        })
    }

    #[test]
    fn seats_have_labels_and_categories() {
        let plan = plan(4);
        assert_eq!(plan.label(SeatIndex(2)), Some(Label { area: "Floor", row: "B", number: "3" }));
        assert_eq!(plan.category(SeatIndex(3)), Some(1));
        assert_eq!(plan.seats_by_category(), [2, 2]);
        assert_eq!((plan.label(SeatIndex(4)), plan.category(SeatIndex(4))), (None, None));
    }

    #[test]
    fn the_oldest_plans_make_room() {
        let mut kept = Kept::default();
        let third = SEATS_KEPT_MAX / 3;
        for i in 0..5 {
            kept.keep(PlanHash([i; 32]), plan(third));
            assert!(kept.seats <= SEATS_KEPT_MAX);
        }
        assert_eq!(kept.plans.len(), 3);
        assert!(kept.plans.contains_key(&PlanHash([4; 32])) && !kept.plans.contains_key(&PlanHash([1; 32])));
    }

    #[test]
    fn a_plan_is_kept_once() {
        let mut kept = Kept::default();
        kept.keep(PlanHash([1; 32]), plan(10));
        kept.keep(PlanHash([1; 32]), plan(10));
        assert_eq!((kept.seats, kept.oldest_first.len()), (10, 1));
    }
}
