//! What the system can do on this machine. `./dev bench` starts the servers, runs these and the yardstick in turn, and
//! prints the ratios; docs/performance.md explains each figure.

mod aging;
mod client;
mod cpu;
mod engine;
mod find;
mod history;
mod hold;
mod join;
mod journey;
mod measure;
mod readers;
mod recover;
mod relay;
mod server;
mod statement;
mod venue;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use measure::Figures;
use socketing_command_api::executor::Executor;
use socketing_command_api::plans::PlanStore;
use socketing_domain::{PerformanceId, SystemClock};
use socketing_event_store::{PgPool, PoolOptions, log};
use std::sync::Arc;
use std::time::Duration;
use venue::Venue;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures the system on this machine; ./dev bench runs it")]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Args, Clone)]
struct Common {
    /// The database: migrated, of a throw-away cluster.
    #[arg(long, env = "DATABASE_URL", global = true, default_value = "")]
    database_url: String,
    /// The NATS server, where the benchmark needs one.
    #[arg(long, env = "NATS_URL", global = true, default_value = "")]
    nats_url: String,
    /// Seconds of steady state.
    #[arg(long, global = true, default_value_t = 20)]
    seconds: u64,
    /// Performances on sale at once.
    #[arg(long, global = true, default_value_t = 1)]
    hot: usize,
    /// Performances prepared before the clock: as many as the run sells out, and one more.
    #[arg(long, global = true, default_value_t = 12)]
    performances: usize,
    /// Connections, or commands in flight.
    #[arg(long, global = true, default_value_t = 512)]
    connections: usize,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Brings the database's schema up to date.
    Migrate,
    /// The executor in process.
    Engine,
    /// The batch's statement by itself.
    Statement {
        /// Rows of events, and as many outcomes, in one statement.
        #[arg(long, default_value_t = 1_000)]
        rows: usize,
    },
    /// A million people into one line, in process.
    Join,
    /// What a hold costs with ever more history.
    History,
    /// Everyone's whole way over HTTP.
    Journey,
    /// Holds over HTTP.
    Hold(hold::HoldArgs),
    /// A writer's cold start on a long history, without a snapshot and with one.
    Recover {
        /// Events of the history.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
        /// A line of people who wait, instead of a hall that is sold.
        #[arg(long)]
        line: bool,
    },
    /// The best seats for so many people, in process.
    Find,
    /// The relay, from a backlog: whatever the log holds, filled up to so many events.
    Relay {
        /// Events of the log.
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
    },
    /// The server that benchmarks over HTTP run against.
    Server(server::ServerArgs),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    // A load generator does with one thread, and leaves the rest of the cores to what it measures.
    let mut builder = match cli.benchmark {
        Benchmark::Hold(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(run(cli))
}

async fn run(cli: Cli) -> Result<()> {
    if !matches!(cli.benchmark, Benchmark::Server(_)) {
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    }
    let common = &cli.common;
    let figures = match &cli.benchmark {
        Benchmark::Migrate => {
            socketing_event_store::migrate(&pool(common).await?).await?;
            return Ok(());
        }
        Benchmark::Server(args) => return server::run(common, args).await,
        Benchmark::Engine => engine(common).await?,
        Benchmark::Statement { rows } => statement::run(&pool(common).await?, *rows, common.seconds).await?,
        Benchmark::Join => join::run(common).await?,
        Benchmark::Find => find::run()?,
        Benchmark::History => aging::run(common).await?,
        Benchmark::Journey => journey::run(common).await?,
        Benchmark::Recover { events, line } => recover(common, *events, *line).await?,
        Benchmark::Relay { events } => relay(common, *events).await?,
        Benchmark::Hold(args) => hold::run(common, args).await?,
    };
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}

async fn pool(common: &Common) -> Result<PgPool> {
    let options = PoolOptions { statement_timeout: Duration::from_secs(120), ..PoolOptions::new("socketing-bench", 10) };
    socketing_event_store::connect(&common.database_url, &options).await.context("connecting to the database")
}

async fn executor(pool: &PgPool) -> Result<Executor> {
    let executor = Executor::start(pool.clone(), PlanStore::new(pool.clone()), Arc::new(SystemClock), "http://127.0.0.1:1").await?;
    socketing_tests::eventually("the executor owns every shard", || async { executor.shards_owned() == 128 }).await;
    Ok(executor)
}

async fn recover(common: &Common, events: usize, line: bool) -> Result<Figures> {
    let (pool, performance) = (pool(common).await?, PerformanceId::new());
    match line {
        true => history::append(&pool, history::line(performance, events)).await?,
        false => history::append(&pool, history::sale(performance, events)).await?,
    }
    recover::measure(&pool, performance).await
}

async fn relay(common: &Common, events: u64) -> Result<Figures> {
    let (pool, client) = (pool(common).await?, relay::client(&common.nats_url).await?);
    let missing = events.saturating_sub(log::head(&pool).await?.position);
    if missing > 0 {
        history::append(&pool, history::sale(PerformanceId::new(), (missing as usize).max(history::SALE_EVENTS_MIN))).await?;
    }
    readers::forget_copy(common).await?;
    relay::measure(&pool, &client).await
}

async fn engine(common: &Common) -> Result<Figures> {
    let pool = pool(common).await?;
    let executor = executor(&pool).await?;
    let venue = Arc::new(Venue::prepare(&pool, &executor, common.performances, common.hot).await?);
    let figures = engine::run(&executor, venue, common.connections, common.seconds).await?;
    executor.stop().await;
    Ok(figures)
}
