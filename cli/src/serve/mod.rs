//! Puts the services together in one process, and takes them apart again in the right order.
//!
//! ```text
//! SIGTERM ─► not ready, live connections are asked to go elsewhere   (then the grace)
//!         ─► no new connections; requests in flight are answered     (within the drain's bound)
//!         ─► process managers stop ─► writers finish, leases are given up ─► the relay publishes the rest
//!         ─► projections finish their batch ─► live connections are closed
//! ```
//! What answers requests outlives the requests: the writers wait for the last command, the projections for the last query.

pub(crate) mod document;
mod parts;
mod ui;

use crate::commands::serve::ServeArgs;
use crate::failure::{Exit, Failure};
use anyhow::Context as _;
use axum::routing::get;
use parts::Parts;
use socketing_event_store::{PgPool, PoolOptions, connect, pending_migrations};
use socketing_service::health::Health;
use socketing_service::server::{self, Bounds, Serves};
use socketing_service::shutdown::Shutdown;
use socketing_service::stack::{self, StackConfig};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Reading a large read model or a whole stream at start takes longer than any command may.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs until it is told to stop.
///
/// # Errors
/// If it can't start. Whatever happens later is waited out, and logged.
pub(crate) async fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let begun = Instant::now();
    let shutdown = Shutdown::on_signals(args.http.grace()).context("watching for signals")?;
    let pool = database(args).await?;
    let listener = listen(args.http.listen).await?;
    let address = listener.local_addr().context("asking for the own address")?;
    let parts = Parts::start(args, &pool, address, &shutdown).await?;
    let service = routes(args, &parts, &pool, &shutdown)?;
    tracing::info!(url = %format!("http://{address}"), role = ?args.role, took_ms = begun.elapsed().as_millis() as u64, "serving");
    let cut = server::serve(listener, service, shutdown.stop().clone(), Bounds::from(&args.http)).await;
    tracing::info!(cut, "no more requests");
    parts.stop().await;
    pool.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Connects, and refuses a schema that isn't this program's.
async fn database(args: &ServeArgs) -> anyhow::Result<PgPool> {
    let url = args.database.url().map_err(|error| Failure::new(Exit::Usage, "don't know the database").because(error))?;
    let options = PoolOptions { statement_timeout: STATEMENT_TIMEOUT, ..PoolOptions::new("socketing", args.database.database_connections) };
    let pool = connect(url.expose(), &options).await.map_err(|error| {
        Failure::new(Exit::Unreachable, "can't use the database").because(error).hint("is PostgreSQL running, and is --database-url right?")
    })?;
    let pending = pending_migrations(&pool).await.context("looking at the schema")?;
    if !pending.is_empty() {
        let text = format!("the database's schema is older than this program: it lacks {}", pending.join(", "));
        return Err(Failure::new(Exit::Failure, text).hint("run `socketing migrate` first").into());
    }
    Ok(pool)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    Ok(TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Exit::Failure, format!("can't listen on {address}"))
            .because(error)
            .hint("another program may have the port: name another with --listen")
    })?)
}

/// All routes of this process: the API's, its description, the checks, the UI.
fn routes(args: &ServeArgs, parts: &Parts, pool: &PgPool, shutdown: &Shutdown) -> anyhow::Result<impl Serves + use<>> {
    let health = parts.health(Health::new(shutdown.draining().clone()).check_postgres(pool.clone()));
    let (api, described) = parts.router().split_for_parts();
    let document = document::merged([described]);
    let json = document.to_pretty_json().context("describing the API")?;
    let as_json = [("content-type", "application/json")];
    let router = api
        .merge(health.router())
        .merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json").try_it_out_enabled(true)))
        .route("/openapi.json", get(move || async move { (as_json, json) }));
    let router = match &args.ui_dir {
        None => router,
        Some(folder) if folder.join("index.html").is_file() => ui::beneath(router, folder, args.command_api.payments.card_url.as_deref()),
        Some(folder) => {
            let text = format!("there is no index.html in {}", folder.display());
            return Err(Failure::new(Exit::Usage, text).hint("build the web UI first, or leave --ui-dir out").into());
        }
    };
    Ok(stack::finish(router, &StackConfig::from(&args.http)))
}
