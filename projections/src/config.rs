//! The projections' own options.

use clap::Args;

/// When projections count as too far behind.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Projections")]
pub struct ProjectionArgs {
    /// Events that a projection may be behind the log before this process says it isn't ready.
    #[arg(long, env = "SOCKETING_PROJECTION_LAG", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub projection_lag: u64,
}
