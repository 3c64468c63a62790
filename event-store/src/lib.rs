//! The log in Postgres: the one truth of the system.
//!
//! Events stand in one order, by position: dense, from 1, in the order of their commits. Readers need only
//! `where position > $1 order by position limit $2`. Everything else (JetStream, read models) is a copy that can be
//! rebuilt from here.

mod error;
mod json;
mod pool;
mod raw_event;

pub mod append;
pub mod checkpoint;
pub mod command_log;
pub mod commits;
pub mod due;
pub mod load;
pub mod log;
pub mod pack;
pub mod patience;
pub mod repository;
pub mod shards;
pub mod singleton;
pub mod snapshot;

pub use checkpoint::Checkpoint;
pub use commits::Commits;
pub use error::StoreError;
pub use json::Json;
pub use pool::{POSTGRES_MAJOR_MIN, PoolOptions, connect, migrate, pending_migrations};
pub use raw_event::{DecodeCause, DecodeError, RawEvent};
pub use sqlx::postgres::PgPool;
