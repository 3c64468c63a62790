//! `socketing serve`: runs the services, all in one process or each alone.

use crate::failure::{Exit, Failure};
use crate::serve;
use clap::{Args, ValueEnum};
use socketing_command_api::config::CommandApiArgs;
use socketing_notifier::LiveArgs;
use socketing_projections::ProjectionArgs;
use socketing_service::config::{DatabaseArgs, HttpArgs, LogArgs, NatsArgs, SessionArgs};
use socketing_service::telemetry;
use std::path::PathBuf;

/// Which services run in this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Role {
    /// All of them.
    #[default]
    All,
    /// Commands, the process managers and the relay.
    CommandApi,
    /// Read models and queries.
    Projections,
    /// Live connections.
    Notifier,
}

/// Every option of the services. What a role doesn't need is ignored.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// What runs in this process.
    #[arg(long, env = "SOCKETING_ROLE", value_enum, default_value_t)]
    pub(crate) role: Role,

    /// The folder of the built web UI; without it, only the API is served.
    #[arg(long, env = "SOCKETING_UI_DIR", value_name = "DIR", help_heading = "HTTP")]
    pub(crate) ui_dir: Option<PathBuf>,

    /// The NATS server as the user who may publish events. Without it, the same as --nats-url.
    #[arg(long, env = "SOCKETING_NATS_RELAY_URL", hide_env_values = true, value_name = "URL", help_heading = "NATS")]
    pub(crate) nats_relay_url: Option<String>,

    /// Copies of the stream in a NATS cluster: 1 on one server, 3 over three.
    #[arg(long, env = "SOCKETING_NATS_REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5), help_heading = "NATS")]
    pub(crate) nats_replicas: u32,

    /// Bytes of events that JetStream keeps; older ones are read from PostgreSQL.
    #[arg(long, env = "SOCKETING_NATS_WINDOW_BYTES", default_value_t = socketing_nats::stream::WINDOW_BYTES, value_parser = clap::value_parser!(i64).range(1_048_576..), help_heading = "NATS")]
    pub(crate) nats_window_bytes: i64,

    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) nats: NatsArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    #[command(flatten)]
    pub(crate) command_api: CommandApiArgs,
    #[command(flatten)]
    pub(crate) projections: ProjectionArgs,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl Role {
    /// Whether the process has this role.
    pub(crate) fn has(self, role: Role) -> bool {
        self == Role::All || self == role
    }
}

/// Runs until it is told to stop.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<Exit> {
    telemetry::init(&args.log).map_err(|error| Failure::new(Exit::Usage, "can't begin logging").because(error))?;
    serve::run(&args).await?;
    Ok(Exit::Ok)
}
