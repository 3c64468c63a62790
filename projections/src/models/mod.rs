//! The read models, one per file: how events change rows. Each handler loads the rows that a batch touches, folds the
//! batch over them in memory, and writes what changed with one statement per table.

mod accounts;
mod bookings;
mod catalogue;
mod friends;
mod line;
mod parties;
mod sales;
pub(crate) mod seat_map;
mod wallets;

pub(crate) use line::{departure_name, mode_name};

use crate::plans::Plans;
use crate::projection::{HandlerError, Projection};
use socketing_domain::event::{Recorded, StreamId};
use socketing_domain::{PerformanceId, Timestamp};
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// Every read model's fold.
#[must_use]
pub fn all(plans: &Arc<Plans>) -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(catalogue::Catalogue),
        Arc::new(seat_map::SeatMap),
        Arc::new(sales::Sales::new(Arc::clone(plans))),
        Arc::new(bookings::Bookings),
        Arc::new(line::Lines),
        Arc::new(parties::Parties),
        Arc::new(wallets::Wallets),
        Arc::new(accounts::Accounts),
        Arc::new(friends::Friends),
    ]
}

/// The performance whose seats or line the event's stream is.
fn performance_of(event: &Recorded) -> Result<PerformanceId, HandlerError> {
    match event.stream {
        StreamId::Performance(id) | StreamId::WaitingRoom(id) | StreamId::Party(id, _) => Ok(id),
        other => Err(HandlerError::misfit(event, format!("stream {other} is no performance's"))),
    }
}

/// Numbers that Postgres has as `bigint`. Positions, sequences and amounts stay far below its end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn moment(at: Timestamp) -> OffsetDateTime {
    at.to_datetime()
}

/// An update must find as many rows as the events name: fewer means that an event came before what it rests on.
fn expect_rows(found: u64, ids: &[Uuid], first: &Recorded, what: &str) -> Result<(), HandlerError> {
    if found == ids.len() as u64 {
        return Ok(());
    }
    Err(HandlerError::misfit(first, format!("{found} of {} {what} are there", ids.len())))
}
