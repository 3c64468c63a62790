//! `socketing config check`: reads the services' options as `serve` would, and tries what they name.

use super::serve::ServeArgs;
use crate::failure::Exit;
use crate::output::{Output, table};
use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;
use socketing_event_store::{PoolOptions, connect, pending_migrations};
use socketing_nats::{NatsConfig, SERVER_MIN};
use socketing_service::problem::chain;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long NATS may take to answer.
const NATS_MAX: Duration = Duration::from_secs(5);

/// What can be done with the configuration.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Read the options of `serve` (the same flags and variables), and try the database, NATS and the web files.
    Check(Box<ServeArgs>),
}

/// One thing that was tried.
#[derive(Serialize)]
struct Tried {
    what: &'static str,
    ok: bool,
    detail: String,
    #[serde(skip)]
    unreachable: bool,
}

/// Tries everything; exit code 4 where something can't be reached, 1 where it can't be used.
pub(crate) async fn run(command: ConfigCommand, output: Output) -> anyhow::Result<Exit> {
    let ConfigCommand::Check(args) = command;
    let tried = vec![database(&args).await, nats(&args).await, pages(&args)];
    output.answer(&tried, |tried| {
        let row = |tried: &Tried| vec![tried.what.to_owned(), if tried.ok { "ok" } else { "no" }.to_owned(), tried.detail.clone()];
        table(&["what", "", "detail"], 0..0, tried.iter().map(row))
    })?;
    Ok(match tried.iter().find(|tried| !tried.ok) {
        None => Exit::Ok,
        Some(_) if tried.iter().any(|tried| tried.unreachable) => Exit::Unreachable,
        Some(_) => Exit::Failure,
    })
}

fn good(what: &'static str, detail: String) -> Tried {
    Tried { what, ok: true, detail, unreachable: false }
}

fn bad(what: &'static str, unreachable: bool, detail: String) -> Tried {
    Tried { what, ok: false, detail, unreachable }
}

async fn database(args: &ServeArgs) -> Tried {
    const WHAT: &str = "database";
    let url = match args.database.url() {
        Ok(url) => url,
        Err(error) => return bad(WHAT, false, chain(&error)),
    };
    let pool = match connect(url.expose(), &PoolOptions::new("socketing-config", 1)).await {
        Ok(pool) => pool,
        Err(error) => return bad(WHAT, error.is_transient(), chain(&error)),
    };
    match pending_migrations(&pool).await {
        Ok(pending) if pending.is_empty() => good(WHAT, format!("{url}, schema up to date")),
        Ok(pending) => bad(WHAT, false, format!("{url} lacks {}: run `socketing migrate`", pending.join(", "))),
        Err(error) => bad(WHAT, error.is_transient(), chain(&error)),
    }
}

async fn nats(args: &ServeArgs) -> Tried {
    const WHAT: &str = "NATS";
    let url = match args.nats.url() {
        Ok(url) => url,
        Err(error) => return bad(WHAT, false, chain(&error)),
    };
    match answer(url.expose()).await {
        Ok(Some(version)) => good(WHAT, format!("{url}, nats-server {version}")),
        Ok(None) => {
            bad(WHAT, true, format!("no usable answer from {url}: it must be nats-server {}.{} or later", SERVER_MIN.0, SERVER_MIN.1))
        }
        Err(error) => bad(WHAT, false, format!("{error:#}")),
    }
}

/// The server's version, if it answers in time and is new enough.
async fn answer(url: &str) -> anyhow::Result<Option<String>> {
    let client = socketing_nats::connect(&NatsConfig { url: url.to_owned(), name: "socketing-config".to_owned() })
        .await
        .context("reading the NATS URL")?;
    let deadline = Instant::now() + NATS_MAX;
    while !socketing_nats::is_connected(&client) {
        if Instant::now() > deadline {
            return Ok(None);
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(client.is_server_compatible(SERVER_MIN.0, SERVER_MIN.1, 0).then(|| client.server_info().version))
}

fn pages(args: &ServeArgs) -> Tried {
    const WHAT: &str = "web UI";
    match &args.ui_dir {
        None => good(WHAT, "none: only the API is served".to_owned()),
        Some(folder) if folder.join("index.html").is_file() => good(WHAT, folder.display().to_string()),
        Some(folder) => bad(WHAT, false, format!("there is no index.html in {}", folder.display())),
    }
}
