//! What every service shares: problems in the words of one catalogue, who is asking, limits, the layers that every
//! answer passes, telemetry, health, configuration, and a server that drains.
//!
//! A service builds its own routes, gives them a state from which an [`auth::Auth`] can be taken, and hands the whole to
//! [`stack::finish`] and [`server::serve`].

pub mod auth;
pub mod catalogue;
pub mod client;
pub mod config;
pub mod extract;
pub mod health;
pub mod language;
pub mod limit;
pub mod openapi;
pub mod problem;
pub mod secret;
pub mod server;
pub mod shutdown;
pub mod signed;
pub mod stack;
pub mod telemetry;
pub mod trace;

pub use catalogue::Code;
pub use problem::Problem;
