//! The server that benchmarks over HTTP run against: a process of its own, with the routes and layers of `socketing
//! serve`, and beside them a bare echo of JSON, which is what an HTTP server costs that does nothing.

use crate::{Common, executor, pool};
use anyhow::{Context, Result};
use axum::extract::Request;
use axum::routing::post;
use axum::{Json, Router};
use clap::{Args, Parser};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use socketing_command_api::config::CommandApiArgs;
use socketing_command_api::payments::Payments;
use socketing_command_api::{http, processes, snapshots};
use socketing_domain::SystemClock;
use socketing_nats::{NatsConfig, Relay, StreamOptions, Subscription};
use socketing_notifier::LiveArgs;
use socketing_projections::{ProjectionArgs, Projections};
use socketing_service::auth::Auth;
use socketing_service::config::{HttpArgs, LogArgs, SessionArgs};
use socketing_service::server::{Bounds, serve};
use socketing_service::shutdown::Shutdown;
use socketing_service::stack::{StackConfig, finish};
use socketing_service::telemetry;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{ServiceExt, service_fn};
use uuid::Uuid;

/// What runs in the server besides the commands.
#[derive(Args, Clone, Default)]
pub(crate) struct ServerArgs {
    /// The process managers.
    #[arg(long)]
    pub(crate) processes: bool,
    /// The relay to JetStream.
    #[arg(long)]
    pub(crate) relay: bool,
    /// The notifier.
    #[arg(long)]
    pub(crate) notifier: bool,
    /// The projections.
    #[arg(long)]
    pub(crate) projections: bool,
    /// Snapshots of a performance after so many of its events; 0: none.
    #[arg(long, default_value_t = 0)]
    pub(crate) snapshots: u64,
}

/// The options of the services, all at their defaults.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    command_api: CommandApiArgs,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    projections: ProjectionArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Serialize, Deserialize)]
struct Echo {
    hold_id: Uuid,
    seats: Vec<u32>,
}

async fn echo(Json(body): Json<Echo>) -> Json<Echo> {
    Json(body)
}

/// Serves until its input ends: the benchmark that started it is gone then.
pub(crate) async fn run(common: &Common, args: &ServerArgs) -> Result<()> {
    let defaults = Defaults::parse_from(["server"]);
    telemetry::init(&defaults.log)?;
    let pool = pool(common).await?;
    let shutdown = Shutdown::on_signals(std::time::Duration::ZERO)?;
    let auth = Auth::start(&pool, &defaults.session, defaults.http.origins(), shutdown.stop().clone()).await?;
    let executor = executor(&pool).await?;
    let clock = Arc::new(SystemClock);
    let payments = Payments::without_cards();
    let api = http::Api::new(
        pool.clone(),
        executor.clone(),
        auth.clone(),
        clock,
        &defaults.command_api,
        defaults.session.lifetime(),
        payments.clone(),
    )?;
    let mut routes = http::router(api);
    let subscription = match common.nats_url.is_empty() {
        true => None,
        false => {
            let client = nats(common).await?;
            let subscription = Subscription::start(socketing_nats::jetstream(&client));
            if args.relay {
                let relay = Relay::new(pool.clone(), &client, StreamOptions::default());
                let relay = relay.taking(executor.commits().clone()).telling(subscription.clone());
                tokio::spawn(relay.run(CancellationToken::new()));
            }
            Some(subscription)
        }
    };
    if args.processes {
        tokio::spawn(processes::run(
            pool.clone(),
            subscription.clone(),
            executor.clone(),
            payments,
            std::time::Duration::from_secs(120),
            CancellationToken::new(),
        ));
    }
    if args.snapshots > 0 {
        tokio::spawn(snapshots::run(pool.clone(), args.snapshots, CancellationToken::new()));
    }
    if args.projections {
        let parts = socketing_projections::Parts {
            pool: pool.clone(),
            subscription: subscription.clone(),
            auth: auth.clone(),
            args: defaults.projections.clone(),
        };
        routes = routes.merge(Projections::start(parts, &CancellationToken::new(), &TaskTracker::new()).router());
    }
    let notifier =
        args.notifier.then(|| socketing_notifier::start(pool.clone(), subscription.clone(), auth.clone(), &defaults.live, &shutdown));
    if let Some(notifier) = &notifier {
        routes = routes.merge(socketing_notifier::router(notifier));
    }
    let (router, _) = routes.split_for_parts();
    let delivered = post(async move || Json(notifier.map(|notifier| notifier.delivered())));
    let stack = finish(router, &StackConfig::from(&defaults.http));
    let bare = Router::new().route("/echo", post(echo)).route("/delivered", delivered);
    let service = service_fn(move |request: Request| match request.uri().path() {
        "/echo" | "/delivered" => bare.clone().oneshot(request).left_future(),
        _ => stack.clone().oneshot(request).right_future(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, service, stop.clone(), Bounds::from(&defaults.http)));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    stop.cancel();
    serving.await?;
    executor.stop().await;
    Ok(())
}

async fn nats(common: &Common) -> Result<async_nats::Client> {
    let config = NatsConfig { url: common.nats_url.clone(), name: "bench-server".into() };
    socketing_nats::connect(&config).await.context("connecting to NATS")
}

/// The server's process.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    pub(crate) fn start(common: &Common, args: &ServerArgs) -> Result<Running> {
        let flags =
            [(args.processes, "--processes"), (args.relay, "--relay"), (args.notifier, "--notifier"), (args.projections, "--projections")];
        let mut child = Command::new(std::env::current_exe()?)
            .arg("server")
            .args(["--database-url", &common.database_url, "--nats-url", &common.nats_url])
            .args(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| flag))
            .args(["--snapshots", &args.snapshots.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the server")?;
        let output = child.stdout.take().context("the server's output")?;
        let line = BufReader::new(output).lines().next().context("the server ended before it listened")??;
        Ok(Running { child, address: line.parse()? })
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().context("waiting for the server to end")?;
        Ok(())
    }
}
