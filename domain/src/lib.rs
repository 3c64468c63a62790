//! The rules of Socketing, pure: ids, money, time, plans, aggregates, their events.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time, randomness and facts from elsewhere are
//! arguments. Each aggregate's file reads in one order: events, state and `apply`, `decide`, the cqrs-es traits.

pub mod account;
mod card;
pub mod clock;
pub mod draw;
pub mod event;
pub mod hall;
pub mod ids;
pub mod limits;
pub mod money;
pub mod party;
pub mod performance;
pub mod plan;
mod recent;
pub mod refusal;
pub mod reply;
pub mod seating;
pub mod show;
pub mod snapshot;
mod sorted;
pub mod unit;
mod upcast;
pub mod waiting_room;
pub mod wallet;

pub use card::{CardToken, NotACardToken};
pub use clock::{Clock, SystemClock, Timestamp};
pub use ids::*;
pub use money::Won;
pub use refusal::Refusal;
pub use reply::Reply;
