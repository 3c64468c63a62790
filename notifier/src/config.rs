//! Options of the notifier.

use clap::Args;
use std::time::Duration;

/// How live connections are served.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Live connections")]
pub struct LiveArgs {
    /// Live connections (WebSockets) that this process holds at most; whoever comes later gets 503 and tries again.
    #[arg(long, env = "SOCKETING_LIVE_CONNECTIONS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub live_connections: u32,

    /// Seconds over which clients are spread when they are asked to reconnect, so that they don't all come back at once.
    #[arg(long, env = "SOCKETING_RECONNECT_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub reconnect_seconds: u64,
}

impl LiveArgs {
    /// Over how long reconnecting clients are spread.
    #[must_use]
    pub const fn reconnect_spread(&self) -> Duration {
        Duration::from_secs(self.reconnect_seconds)
    }
}

impl Default for LiveArgs {
    fn default() -> LiveArgs {
        LiveArgs { live_connections: 20_000, reconnect_seconds: 5 }
    }
}
