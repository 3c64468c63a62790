//! `socketing card-sandbox`: a card provider of our own, for the demo and for tests.

use crate::failure::{Exit, Failure};
use anyhow::Context as _;
use clap::Args;
use socketing_card_sandbox::{Options, Sandbox};
use socketing_service::config::{LogArgs, Secret};
use socketing_service::shutdown::Shutdown;
use socketing_service::telemetry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where, and known by what.
#[derive(Args, Debug)]
pub(crate) struct CardSandboxArgs {
    /// The address and port to listen on. Never a public one: it gives tokens and charges to anybody.
    #[arg(long, env = "SOCKETING_CARD_SANDBOX_LISTEN", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,

    /// The file that charges are kept in.
    #[arg(long, env = "SOCKETING_CARD_SANDBOX_FILE", default_value = "card-sandbox.jsonl", value_name = "FILE")]
    file: PathBuf,

    /// The key that its merchant shows.
    #[arg(long, env = "SOCKETING_CARD_KEY", hide_env_values = true)]
    key: Secret,

    /// The secret that its messages are signed with.
    #[arg(long, env = "SOCKETING_CARD_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Secret,

    /// Where its messages go, such as http://127.0.0.1:8600/v1/webhooks/card. It may be told later.
    #[arg(long, env = "SOCKETING_CARD_WEBHOOK_URL", value_name = "URL")]
    webhook_url: Option<String>,

    #[command(flatten)]
    log: LogArgs,
}

/// Runs until it is told to stop.
pub(crate) async fn run(args: CardSandboxArgs) -> anyhow::Result<Exit> {
    telemetry::init(&args.log).map_err(|error| Failure::new(Exit::Usage, "can't begin logging").because(error))?;
    let (key, webhook_secret) = (args.key.expose().to_owned(), args.webhook_secret.expose().to_owned());
    let options = Options { key, webhook_secret, webhook_url: args.webhook_url };
    let sandbox = Sandbox::open(&args.file, options).with_context(|| format!("opening {}", args.file.display()))?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("listening on {}", args.listen))?;
    let shutdown = Shutdown::on_signals(Duration::ZERO).context("watching for signals")?;
    tracing::info!(url = %format!("http://{}", listener.local_addr()?), "the card sandbox serves");
    // Everything that was told is in the file, so it ends at once.
    tokio::select! {
        served = axum::serve(listener, sandbox.router()) => served.context("serving")?,
        () = shutdown.stop().cancelled() => {}
    }
    Ok(Exit::Ok)
}
