//! What can go wrong between the log and its readers. Each error names the operation and keeps its cause.

use uuid::Uuid;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database's URL can't be read. The URL itself is left out: it may hold a password.
    #[error("the database URL can't be read (expected postgres://user:password@host:port/database)")]
    BadUrl(#[source] sqlx::Error),
    /// No connection.
    #[error("can't connect to PostgreSQL at {target}")]
    Connect {
        /// Host, port and database, without the password.
        target: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The server is older than what the schema needs.
    #[error("PostgreSQL at {target} has version {found}, but {needed} or later is needed")]
    ServerTooOld {
        /// Host, port and database.
        target: String,
        /// Its major version.
        found: u32,
        /// The oldest major version that works.
        needed: u32,
    },
    /// The schema couldn't be brought up to date.
    #[error("can't migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("can't {operation}")]
    Query {
        /// What was tried, as it reads after "can't".
        operation: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// postgres-es's repository failed.
    #[error("can't read stream {stream} through postgres-es")]
    Repository {
        /// The stream.
        stream: String,
        /// Why.
        #[source]
        source: cqrs_es::persist::PersistenceError,
    },
    /// An event can't be read: it is damaged, or newer than this program.
    #[error(transparent)]
    Decode(#[from] crate::DecodeError),
    /// A stream lacks events: the log is damaged.
    #[error("stream {stream} goes on with event {found} where {expected} is next")]
    Gap {
        /// The stream.
        stream: String,
        /// The sequence that is next.
        expected: u64,
        /// The one that stands there.
        found: u64,
    },
    /// The log has no event where one was.
    #[error("the log has no event at position {position}")]
    NoEvent {
        /// Where.
        position: u64,
    },
    /// `log_head` has no row: the schema is damaged.
    #[error("the log has no head row")]
    NoHead,
    /// Somebody else moved the checkpoint: what was about to be committed would have been applied twice.
    #[error("checkpoint {name} isn't at {from} any more: another owner moved it")]
    CheckpointMoved {
        /// The reader.
        name: String,
        /// Where it was expected.
        from: u64,
    },
    /// The lease isn't ours any more.
    #[error("lease {name} (epoch {epoch}) isn't held by {owner} any more")]
    LeaseLost {
        /// The singleton.
        name: String,
        /// Our epoch.
        epoch: u64,
        /// Who we are.
        owner: Uuid,
    },
}

impl StoreError {
    /// Wraps sqlx's error; `operation` reads well after "can't".
    pub fn query(operation: impl Into<String>) -> impl FnOnce(sqlx::Error) -> StoreError {
        let operation = operation.into();
        move |source| StoreError::Query { operation, source }
    }

    /// Whether trying again later may help: the database is unreachable, busy or restarting, rather than refusing what
    /// was asked.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Connect { source, .. } | StoreError::Query { source, .. } => is_transient(source),
            _ => false,
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
            true
        }
        // Classes: 08 connection, 40 rollback, 53 resources, 55 lock not available, 57 operator intervention.
        sqlx::Error::Database(cause) => {
            cause.code().is_some_and(|code| ["08", "40", "53", "55", "57"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}
