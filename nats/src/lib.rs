//! JetStream as the log's transport: the stream, the relay that fills it, the subscription that receives
//! what is new, the feed that reads it.
//!
//! Postgres is the truth; the stream is a copy of it that may lose its tail, be emptied or be away. The relay publishes
//! each event at the sequence that is its position; a reader knows the next position it wants, skips lower ones, and
//! reads from Postgres whatever the stream hasn't got.

mod backoff;
mod config;
mod wake;

pub mod feed;
pub mod message;
pub mod relay;
pub mod stream;
pub mod subscription;

pub use config::{ACK_TIMEOUT, ConnectError, IN_FLIGHT_MAX, NatsConfig, REQUEST_TIMEOUT, SERVER_MIN, connect, is_connected, jetstream};
pub use feed::{Feed, FeedError};
pub use relay::{Relay, RelayState, RelayStatus};
pub use stream::StreamOptions;
pub use subscription::Subscription;
