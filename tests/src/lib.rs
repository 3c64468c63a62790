//! What the end-to-end tests stand on: databases, NATS servers and processes of their own, each gone when its test ends,
//! however it ends.
//!
//! The servers' places come from the environment, which `./dev test` sets. A test that lacks them fails and says so; none
//! is skipped.

mod database;
mod log;
mod nats;
mod postgres;
mod process;
mod wait;

pub mod api;
pub mod card;
pub mod live;
pub mod proxy;
pub mod reading;
pub mod relay;
pub mod stage;
pub mod story;

pub use database::TestDb;
pub use log::TestLog;
pub use nats::TestNats;
pub use postgres::TestPostgres;
pub use process::TestProcess;
pub use proxy::FaultProxy;
pub use reading::TestReading;
pub use relay::TestRelay;
pub use wait::{PATIENCE, eventually, within};

/// The value of an environment variable that `./dev test` sets.
fn required(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} isn't set: run the tests with ./dev test, which starts the servers they need"))
}
