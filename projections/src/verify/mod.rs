//! Whether each read model is the fold of the log: folds the log a second time, in memory, by code that shares nothing
//! with the handlers, and compares row by row.
//!
//! Rows and checkpoints are read first, in one short snapshot, and the log afterwards: what stands in the log below a
//! checkpoint never changes, and a snapshot held open for the length of a fold would slow every commit. Memory holds all
//! rows and the fold's state.

mod catalogue;
mod line;
mod people;
mod sales;
mod seats;

use crate::plans::{PlanError, PlanFacts, Plans};
use crate::projection::Model;
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use socketing_domain::event::Recorded;
use socketing_domain::plan::PlanHash;
use socketing_event_store::{PgPool, StoreError, log};
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

/// Mismatches told in full per read model. Past these only the count grows.
pub const MISMATCHES_TOLD_MAX: usize = 100;

/// One row that isn't what the log says.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Mismatch {
    /// The read model's name.
    pub projection: &'static str,
    /// Which table and row.
    pub key: String,
    /// What the log says; absent if it knows no such row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What stands there; absent if there is no such row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
}

/// What the comparison of one read model came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Verified {
    /// The read model's name.
    pub projection: &'static str,
    /// Its checkpoint: the log was folded up to here.
    pub position: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows that differ.
    pub mismatched: u64,
    /// The first of them.
    pub mismatches: Vec<Mismatch>,
}

/// Why it couldn't be found out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The read models can't be read.
    #[error("can't read the read models")]
    Rows(#[from] sqlx::Error),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// A plan can't be had.
    #[error("can't get a plan")]
    Plan(#[from] PlanError),
    /// A row isn't JSON.
    #[error("can't read a row of {table}")]
    Row {
        /// Of which table.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// A table's rows, as they ought to be.
struct Table {
    name: &'static str,
    rows: HashMap<String, Value>,
}

type PlanMap = HashMap<PlanHash, Arc<PlanFacts>>;

/// One read model's second fold.
trait Fold {
    /// Which one.
    fn model(&self) -> Model;
    /// Takes in the next event.
    fn event(&mut self, event: &Recorded);
    /// The plans that [`Fold::tables`] wants to know.
    fn plans_wanted(&self) -> Vec<PlanHash> {
        Vec::new()
    }
    /// The rows that ought to be there.
    fn tables(&self, plans: &PlanMap) -> Vec<Table>;
}

fn folds() -> Vec<Box<dyn Fold>> {
    vec![
        Box::new(catalogue::Catalogue::default()),
        Box::new(seats::SeatMaps::default()),
        Box::new(sales::Sales::default()),
        Box::new(seats::Bookings::default()),
        Box::new(line::Lines::default()),
        Box::new(people::Parties::default()),
        Box::new(people::Wallets::default()),
        Box::new(people::Accounts::default()),
        Box::new(people::Friends::default()),
    ]
}

/// How each table's rows are read: the name, and a statement that gives keys and rows as JSON. Moments are milliseconds.
const TABLES: &[(Model, &str, &str)] = &[
    (
        Model::Catalogue,
        "catalogue_shows",
        "select show_id::text, json_build_object('organiser', organiser, 'title', title, 'venue', venue, 'plan', encode(plan, 'hex'),
            'prices', prices, 'policies', policies, 'sale_opens_at', (extract(epoch from sale_opens_at) * 1000)::bigint,
            'published', published)::text from catalogue_shows",
    ),
    (
        Model::Catalogue,
        "catalogue_performances",
        "select performance_id || ' ' || show_id, json_build_object('starts_at', (extract(epoch from starts_at) * 1000)::bigint,
            'scheduled', scheduled)::text from catalogue_performances",
    ),
    (
        Model::SeatMap,
        "seat_maps",
        "select performance_id::text, json_build_object('plan', encode(plan, 'hex'), 'seats', seats, 'changed_at', changed_at)::text
         from seat_maps",
    ),
    (Model::SeatMap, "seat_map_chunks", "select performance_id || ' chunk ' || chunk, to_json(states)::text from seat_map_chunks"),
    (
        Model::Sales,
        "sales",
        "select performance_id || ' ' || ordinal, json_build_object('category', category, 'seats', seats, 'held', held,
            'booked', booked, 'sold', sold, 'revenue', revenue, 'refunded', refunded)::text from sales",
    ),
    (Model::Sales, "sales_performances", "select performance_id::text, to_json(encode(plan, 'hex'))::text from sales_performances"),
    (
        Model::Sales,
        "sales_bookings",
        "select performance_id || ' ' || booking_id, json_build_object('seats', seats, 'prices', prices, 'state', state)::text
         from sales_bookings",
    ),
    (
        Model::Bookings,
        "bookings",
        "select performance_id || ' ' || booking_id, json_build_object('account', account_id, 'state', state, 'total', total,
            'paid', paid, 'sold_with', sold_with, 'refund_due', refund_due, 'refund_completed', refund_completed,
            'pay_by', (extract(epoch from pay_by) * 1000)::bigint, 'payment', payment_id, 'failure', payment_failure,
            'booked_at', booked_at, 'share_group', share_group, 'all_or_none', share_all_or_none)::text from bookings",
    ),
    (
        Model::Bookings,
        "booking_lines",
        "select performance_id || ' ' || booking_id || ' seat ' || seat,
            json_build_object('price', price, 'holder', holder)::text from booking_lines",
    ),
    (
        Model::Line,
        "lines",
        "select performance_id::text, json_build_object('sale_opens_at', (extract(epoch from sale_opens_at) * 1000)::bigint,
            'capacity', capacity, 'session_seconds', session_seconds, 'mode', mode, 'flow', flow,
            'admissions_per_minute', admissions_per_minute, 'claim_seconds', claim_seconds, 'waiting', waiting, 'inside', inside,
            'called', called, 'joined_number', joined_number, 'admitted_number', admitted_number,
            'commitment', encode(commitment, 'hex'), 'lobby_opens_at', (extract(epoch from lobby_opens_at) * 1000)::bigint,
            'committed', committed_position, 'root', encode(root, 'hex'), 'lobby_entries', lobby_entries, 'closed', closed_position,
            'beacon', beacon, 'beacon_source', beacon_source, 'seed', encode(seed, 'hex'), 'revealed', revealed_position,
            'seed_lost', seed_lost_position, 'seed_lost_reason', seed_lost_reason)::text
         from lines",
    ),
    (
        Model::Line,
        "line_entries",
        "select performance_id || ' ' || entry_id, json_build_object('number', number, 'account', account_id, 'party', party_id,
            'members', members, 'state', state, 'claim_by', (extract(epoch from claim_by) * 1000)::bigint,
            'session_ends_at', (extract(epoch from session_ends_at) * 1000)::bigint, 'departure', departure,
            'joined', joined_position, 'called', called_position, 'entered', entered_position, 'departed', departed_position)::text
         from line_entries",
    ),
    (Model::Line, "draw_tickets", "select performance_id || ' ' || number, to_json(encode(ticket, 'hex'))::text from draw_tickets"),
    (Model::Line, "line_members", "select performance_id || ' ' || account_id, to_json(entry_id)::text from line_members"),
    (
        Model::Parties,
        "parties",
        "select performance_id || ' ' || party_id, json_build_object('leader', leader, 'frozen', frozen, 'entry', entry_id,
            'picks', picks, 'pays', pays, 'ended', ended)::text from parties",
    ),
    (
        Model::Parties,
        "party_members",
        "select performance_id || ' ' || party_id || ' ' || account_id, to_json(state)::text from party_members",
    ),
    (Model::Wallets, "wallets", "select account_id::text, to_json(balance)::text from wallets"),
    (Model::Accounts, "account_roles", "select account_id::text, to_json(role)::text from account_roles"),
    (
        Model::Friends,
        "friend_words",
        "select account_id || ' ' || friend_id, json_build_object('wants', wants, 'position', position)::text from friend_words",
    ),
    (Model::Friends, "suggestible_accounts", "select account_id::text, to_json(allowed)::text from suggestible_accounts"),
];

/// What was read in one snapshot.
struct Found {
    /// Per model, where it is and whether it is of the log's history.
    checkpoints: HashMap<&'static str, (u64, bool)>,
    /// Per table, its rows; JSON as text, which takes less room.
    tables: HashMap<&'static str, HashMap<String, Box<str>>>,
    parked: Vec<(String, String, i64, Option<String>)>,
}

/// One fold, and how far it goes.
struct Folding {
    fold: Box<dyn Fold>,
    position: u64,
}

/// Compares every read model with the fold of the log up to its checkpoint.
///
/// # Errors
/// If the database can't be asked. What differs is in the result.
pub async fn verify(pool: &PgPool) -> Result<Vec<Verified>, VerifyError> {
    let mut found = read(pool).await?;
    let mut foldings: Vec<Folding> = folds().into_iter().map(|fold| Folding { position: found.position(fold.model()), fold }).collect();
    fold_log(pool, &mut foldings).await?;
    let mut verified = Vec::new();
    for Folding { fold, position } in foldings {
        let plans = plans(pool, &*fold).await?;
        let mut comparison = Comparison::new(fold.model(), position);
        comparison.standing(&found);
        for table in fold.tables(&plans) {
            let rows = found.tables.remove(table.name).unwrap_or_default();
            comparison.table(table, rows)?;
        }
        verified.push(comparison.verified);
    }
    Ok(verified)
}

impl Found {
    fn position(&self, model: Model) -> u64 {
        self.checkpoints.get(model.name()).map_or(0, |(position, _)| *position)
    }
}

async fn read(pool: &PgPool) -> Result<Found, VerifyError> {
    let mut tx = pool.begin_with("begin isolation level repeatable read read only").await?;
    // A large read model takes longer to read than any query may.
    sqlx::query("set local statement_timeout = 0").execute(&mut *tx).await?;
    let names: Vec<&str> = Model::ALL.iter().map(|model| model.reader()).collect();
    let rows: Vec<(String, i64, bool)> = sqlx::query_as(
        "select c.name, c.position, c.incarnation = h.incarnation from checkpoints c cross join log_head h where c.name = any($1)",
    )
    .bind(names)
    .fetch_all(&mut *tx)
    .await?;
    let checkpoint = |model: Model| {
        let (_, position, same) = rows.iter().find(|(name, _, _)| name == model.reader())?;
        Some((model.name(), (u64::try_from(*position).unwrap_or(0), *same)))
    };
    let checkpoints = Model::ALL.into_iter().filter_map(checkpoint).collect();
    let parked = sqlx::query_as(
        "select projection, aggregate_type || ' ' || aggregate_id, min(position), max(error) from parked_events
         group by projection, aggregate_type, aggregate_id order by min(position)",
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut tables = HashMap::new();
    for (_, name, sql) in TABLES {
        tables.insert(*name, rows_of(&mut tx, sql).await?);
    }
    tx.commit().await?;
    Ok(Found { checkpoints, tables, parked })
}

async fn rows_of(tx: &mut PgConnection, sql: &'static str) -> Result<HashMap<String, Box<str>>, sqlx::Error> {
    let mut rows = HashMap::new();
    let mut stream = sqlx::query_as::<_, (String, String)>(sql).fetch(tx);
    while let Some((key, row)) = stream.try_next().await? {
        rows.insert(key, row.into_boxed_str());
    }
    Ok(rows)
}

/// Gives every fold the events up to its checkpoint. One that can't be read is none to any fold: its stream is parked,
/// which is told.
async fn fold_log(pool: &PgPool, foldings: &mut [Folding]) -> Result<(), StoreError> {
    let last = foldings.iter().map(|folding| folding.position).max().unwrap_or(0);
    let mut after = 0;
    while after < last {
        let page = log::read_after(pool, after, log::PAGE_EVENTS_MAX).await?;
        let Some(end) = page.last() else { return Ok(()) };
        after = end.position;
        for event in page.iter().filter_map(|raw| raw.decode().ok()) {
            for folding in foldings.iter_mut().filter(|folding| event.position <= folding.position) {
                folding.fold.event(&event);
            }
        }
    }
    Ok(())
}

async fn plans(pool: &PgPool, fold: &dyn Fold) -> Result<PlanMap, VerifyError> {
    let (mut plans, cache) = (PlanMap::new(), Plans::default());
    for hash in fold.plans_wanted() {
        let mut connection = pool.acquire().await?;
        plans.insert(hash, cache.get(&mut connection, hash).await?);
    }
    Ok(plans)
}

/// The comparison of one read model.
struct Comparison {
    verified: Verified,
}

impl Comparison {
    fn new(model: Model, position: u64) -> Comparison {
        Comparison { verified: Verified { projection: model.name(), position, rows: 0, mismatched: 0, mismatches: Vec::new() } }
    }

    /// What is wrong with the read model as a whole.
    fn standing(&mut self, found: &Found) {
        let name = self.verified.projection;
        if found.checkpoints.get(name).is_some_and(|(_, same_history)| !same_history) {
            self.differ("checkpoint".to_owned(), None, Some("of another history of the log".into()));
        }
        for (_, stream, position, error) in found.parked.iter().filter(|(projection, ..)| projection == name) {
            self.differ(format!("parked {stream}"), None, Some(serde_json::json!({ "since": position, "error": error })));
        }
    }

    fn table(&mut self, expected: Table, mut found: HashMap<String, Box<str>>) -> Result<(), VerifyError> {
        let mut keys: Vec<(String, Value)> = expected.rows.into_iter().collect();
        keys.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (key, expected_row) in keys {
            self.verified.rows += 1;
            let found_row = found.remove(&key).map(|text| parse(expected.name, &text)).transpose()?;
            if found_row.as_ref() != Some(&expected_row) {
                self.differ(format!("{} {key}", expected.name), Some(expected_row), found_row);
            }
        }
        let mut extra: Vec<(String, Box<str>)> = found.into_iter().collect();
        extra.sort();
        for (key, text) in extra {
            self.verified.rows += 1;
            let row = parse(expected.name, &text)?;
            self.differ(format!("{} {key}", expected.name), None, Some(row));
        }
        Ok(())
    }

    fn differ(&mut self, key: String, expected: Option<Value>, found: Option<Value>) {
        self.verified.mismatched += 1;
        if self.verified.mismatches.len() < MISMATCHES_TOLD_MAX {
            self.verified.mismatches.push(Mismatch { projection: self.verified.projection, key, expected, found });
        }
    }
}

fn parse(table: &'static str, text: &str) -> Result<Value, VerifyError> {
    serde_json::from_str(text).map_err(|source| VerifyError::Row { table, source })
}

/// A row's key of two ids, as [`TABLES`] writes it.
fn key(a: impl Display, b: impl Display) -> String {
    format!("{a} {b}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(&str, &str)]) -> HashMap<String, Box<str>> {
        rows.iter().map(|(key, row)| ((*key).to_owned(), Box::from(*row))).collect()
    }

    fn compare(expected: &[(&str, i64)], found: &[(&str, &str)]) -> Verified {
        let mut comparison = Comparison::new(Model::Wallets, 7);
        let expected = expected.iter().map(|(key, row)| ((*key).to_owned(), Value::from(*row))).collect();
        comparison.table(Table { name: "wallets", rows: expected }, rows(found)).unwrap();
        comparison.verified
    }

    #[test]
    fn equal_rows_are_counted_and_nothing_is_said() {
        let verified = compare(&[("a", 1), ("b", 2)], &[("b", "2"), ("a", "1")]);
        assert_eq!((verified.rows, verified.mismatched, verified.mismatches), (2, 0, vec![]));
    }

    #[test]
    fn changed_missing_and_extra_rows_are_told() {
        let verified = compare(&[("a", 1), ("b", 2)], &[("a", "3"), ("c", "4")]);
        let told: Vec<(String, Option<Value>, Option<Value>)> =
            verified.mismatches.into_iter().map(|mismatch| (mismatch.key, mismatch.expected, mismatch.found)).collect();
        let number = |number: i64| Some(Value::from(number));
        assert_eq!(
            told,
            [
                ("wallets a".to_owned(), number(1), number(3)),
                ("wallets b".to_owned(), number(2), None),
                ("wallets c".to_owned(), None, number(4)),
            ]
        );
    }

    #[test]
    fn what_is_told_is_bounded() {
        let expected: Vec<(String, i64)> = (0..250).map(|i| (i.to_string(), i)).collect();
        let expected: Vec<(&str, i64)> = expected.iter().map(|(key, row)| (key.as_str(), *row)).collect();
        let verified = compare(&expected, &[]);
        assert_eq!((verified.mismatched, verified.mismatches.len()), (250, MISMATCHES_TOLD_MAX));
    }
}
