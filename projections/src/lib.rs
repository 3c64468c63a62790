//! Read models: copies of the log for whoever asks, and the queries over them.
//!
//! Each projection follows the log by itself ([`runner`]): rows and checkpoint change in one transaction, so a read
//! model is always the fold of the log up to its checkpoint, whatever crashes. Queries ([`query`]) read rows and
//! checkpoint in one snapshot and say the position that they rest on; who has written something waits for its position.
//! [`verify`] folds the log a second time, in memory and by other code, and compares.

pub mod config;
pub mod health;
pub mod plans;
pub mod progress;
pub mod projection;
pub mod query;
pub mod runner;
pub mod verify;

mod models;
mod service;

pub use config::ProjectionArgs;
pub use models::all as projections;
pub use projection::{HandlerError, Model, Projection};
pub use service::{Parts, Projections};
