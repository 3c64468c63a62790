//! What a read model is: a name, a version, its tables, and how events change their rows.

use crate::plans::PlanError;
use futures::future::BoxFuture;
use socketing_domain::event::Recorded;
use sqlx::postgres::PgConnection;
use std::fmt;

/// The read models, in the order in which they are listed everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Model {
    /// Shows and their performances.
    Catalogue,
    /// Every seat's state.
    SeatMap,
    /// Figures per performance and category.
    Sales,
    /// Bookings and tickets.
    Bookings,
    /// Who waits, who is inside.
    Line,
    /// Parties and invitations.
    Parties,
    /// Balances.
    Wallets,
    /// Roles.
    Accounts,
    /// Friends, requests, and who may be suggested.
    Friends,
}

impl Model {
    /// Every read model.
    pub const ALL: [Model; 9] = [
        Model::Catalogue,
        Model::SeatMap,
        Model::Sales,
        Model::Bookings,
        Model::Line,
        Model::Parties,
        Model::Wallets,
        Model::Accounts,
        Model::Friends,
    ];

    /// Its name, in tables, logs and health reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Model::Catalogue => "catalogue",
            Model::SeatMap => "seat_map",
            Model::Sales => "sales",
            Model::Bookings => "bookings",
            Model::Line => "line",
            Model::Parties => "parties",
            Model::Wallets => "wallets",
            Model::Accounts => "accounts",
            Model::Friends => "friends",
        }
    }

    /// The name of its checkpoint and of its lease.
    #[must_use]
    pub const fn reader(self) -> &'static str {
        match self {
            Model::Catalogue => "projection:catalogue",
            Model::SeatMap => "projection:seat_map",
            Model::Sales => "projection:sales",
            Model::Bookings => "projection:bookings",
            Model::Line => "projection:line",
            Model::Parties => "projection:parties",
            Model::Wallets => "projection:wallets",
            Model::Accounts => "projection:accounts",
            Model::Friends => "projection:friends",
        }
    }

    /// Its place in [`Model::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One read model's fold of the log. The runner gives it each event once, in order, and commits what it writes together
/// with its checkpoint; so it keeps nothing in memory that a rollback would make wrong.
pub trait Projection: Send + Sync + 'static {
    /// Which one.
    fn model(&self) -> Model;

    /// Rises with every change of what [`Projection::handle`] writes: the rows are then folded anew.
    fn version(&self) -> i32;

    /// The tables that only it writes; emptied before a fold from zero.
    fn tables(&self) -> &'static [&'static str];

    /// The kinds of streams that it reads. All of their events come, so that one it doesn't know can't slip by.
    fn streams(&self) -> &'static [&'static str];

    /// Writes what the events change, on the runner's transaction.
    ///
    /// # Errors
    /// If the database fails, or an event doesn't fit the rows; nothing of the batch is kept then.
    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>>;
}

/// Why a batch of events couldn't be written.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// A statement failed.
    #[error("can't {operation}")]
    Database {
        /// What was tried, as it reads after "can't".
        operation: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// An event says something that can't follow from what came before.
    #[error("event {position} doesn't fit: {detail}")]
    Misfit {
        /// The event's position; of a batch that was written at once, the first event's.
        position: u64,
        /// What is wrong.
        detail: String,
    },
    /// The plan that an event names can't be had.
    #[error("can't get the plan that event {position} names")]
    Plan {
        /// The event's position.
        position: u64,
        /// Why.
        #[source]
        source: PlanError,
    },
}

impl HandlerError {
    /// Wraps sqlx's error; `operation` reads well after "can't".
    pub fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> HandlerError {
        move |source| HandlerError::Database { operation, source }
    }

    pub(crate) fn misfit(event: &Recorded, detail: impl Into<String>) -> HandlerError {
        HandlerError::Misfit { position: event.position, detail: detail.into() }
    }

    /// Whether the same event would fail the same way for ever. Then its stream is parked; anything else (an outage, a
    /// missing table) concerns all events alike and is waited out.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        match self {
            HandlerError::Misfit { .. } => true,
            HandlerError::Database { source, .. } => is_bad_value(source),
            HandlerError::Plan { source, .. } => match source {
                PlanError::Unknown { .. } | PlanError::Unreadable { .. } => true,
                PlanError::Database { source, .. } => is_bad_value(source),
            },
        }
    }
}

/// Classes of SQLSTATE: 22 data exception, 23 integrity constraint violation.
fn is_bad_value(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|cause| cause.code()).is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
