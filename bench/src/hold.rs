//! `hold`: one seat each, over HTTP; and, in one run with it, the same clients against the bare echo route.

use crate::client::Connection;
use crate::measure::{Ended, Figures, Measure, Window, round};
use crate::server::{Running, ServerArgs};
use crate::venue::{Venue, Wish};
use crate::{Common, cpu, executor, pool, readers};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use socketing_domain::event::Actor;
use socketing_domain::{AccountId, HoldId, SystemClock};
use socketing_domain::{Clock, PerformanceId};
use socketing_event_store::{PgPool, log};
use socketing_service::auth::{Claims, Tokens};
use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

const WARM_UP: Duration = Duration::from_secs(3);
/// Seconds of the echo before the holds, and after them.
const ECHO_S: u64 = 5;
const SESSION_S: u32 = 43_200;
/// Turns that may wait for one connection, whose answers are late: more than an hour of them at the usual rate.
const TURNS_MAX: usize = 65_536;

#[derive(Args)]
pub(crate) struct HoldArgs {
    /// What else runs in the server.
    #[command(flatten)]
    server: ServerArgs,
    /// Before and after the holds, the bare echo route: how many holds there are beside exchanges that do nothing.
    #[arg(long)]
    echo: bool,
    /// A snapshot stays open on the database all the time.
    #[arg(long)]
    old_snapshot: bool,
    /// Commands a second, at fixed times, whatever the answers do; 0: each connection asks as soon as it was answered.
    #[arg(long, default_value_t = 0)]
    rate: u32,
}

/// What every client needs.
struct Load {
    venue: Arc<Venue>,
    tokens: Arc<HashMap<AccountId, String>>,
    measure: Measure,
    echo: bool,
}

impl Load {
    fn new(venue: &Arc<Venue>, tokens: &Arc<HashMap<AccountId, String>>, seconds: u64, echo: bool) -> Arc<Load> {
        let measure = Measure::new(Window::after(WARM_UP, seconds));
        Arc::new(Load { venue: venue.clone(), tokens: tokens.clone(), measure, echo })
    }

    /// The next wish, until the time is over or everything is sold out.
    fn wish(&self) -> Option<Wish> {
        if self.measure.window().over() {
            return None;
        }
        if self.echo { Some(self.venue.any_wish()) } else { self.venue.wish() }
    }
}

pub(crate) async fn run(common: &Common, args: &HoldArgs) -> Result<Figures> {
    let pool = pool(common).await?;
    let venue = {
        let executor = executor(&pool).await?;
        let venue = Venue::prepare(&pool, &executor, common.performances, common.hot).await?;
        executor.stop().await;
        Arc::new(venue)
    };
    if args.server.relay {
        readers::forget_copy(common).await?;
    }
    let server = Running::start(common, &args.server)?;
    let tokens = Arc::new(sign_in(&pool, &venue.people).await?);
    touch(&server, &venue, &tokens).await?;
    if args.server.notifier {
        stir(&server, &venue, &tokens).await?;
    }
    readers::caught_up(common, &pool, &server, &args.server).await?;
    settle_disk().await?;
    if args.echo {
        let figures = beside_echo(common, &server, &venue, &tokens).await?;
        server.stop()?;
        return Ok(figures);
    }
    let snapshot = if args.old_snapshot { Some(hold_snapshot(&pool).await?) } else { None };
    let before = log::head(&pool).await?.position;
    let load = Load::new(&venue, &tokens, common.seconds, false);
    let counting = tokio::spawn(cpu::per_event(pool.clone(), server.process(), load.measure.window()));
    match args.rate {
        0 => closed_loop(&server, &load, common.connections).await?,
        rate => open_loop(&server, &load, common.connections, rate).await?,
    }
    let ended = Instant::now();
    load.measure.is_valid()?;
    let mut figures = load.measure.figures();
    figures.extend(counting.await??);
    figures.insert("connections".into(), common.connections.into());
    if args.server.relay {
        readers::published(common, log::head(&pool).await?.position).await?;
        figures.insert("relay_lag_s".into(), json!(round(ended.elapsed().as_secs_f64())));
    }
    figures.insert("events".into(), json!(log::head(&pool).await?.position - before));
    drop(snapshot);
    server.stop()?;
    Ok(figures)
}

/// The echo, holds, and the echo again: a machine's pace changes within minutes, so they are measured within one.
async fn beside_echo(common: &Common, server: &Running, venue: &Arc<Venue>, tokens: &Arc<HashMap<AccountId, String>>) -> Result<Figures> {
    let per_s = async |seconds, echo| {
        let load = Load::new(venue, tokens, seconds, echo);
        closed_loop(server, &load, common.connections).await?;
        load.measure.is_valid()?;
        anyhow::Ok(load.measure.per_s())
    };
    let (before, holds, after) = (per_s(ECHO_S, true).await?, per_s(common.seconds, false).await?, per_s(ECHO_S, true).await?);
    let echo = f64::midpoint(before, after);
    let mut figures = Figures::new();
    figures.insert("per_s".into(), json!(round(echo)));
    figures.insert("hold_per_s".into(), json!(round(holds)));
    figures.insert("ratio_echo".into(), json!(round(holds / echo)));
    figures.insert("connections".into(), common.connections.into());
    Ok(figures)
}

/// Each connection asks as soon as it was answered.
async fn closed_loop(server: &Running, load: &Arc<Load>, connections: usize) -> Result<()> {
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let connection = Connection::open(server.address()).await?;
        clients.spawn(client(connection, load.clone()));
    }
    while let Some(ended) = clients.join_next().await {
        ended.context("a client died")??;
    }
    Ok(())
}

async fn client(mut connection: Connection, load: Arc<Load>) -> Result<()> {
    while let Some(wish) = load.wish() {
        let since = Instant::now();
        let ended = ask(&mut connection, &load, wish).await?;
        load.measure.ended(ended, since);
    }
    Ok(())
}

/// Commands at fixed times: latency counts from when a command should have been sent.
async fn open_loop(server: &Running, load: &Arc<Load>, connections: usize, rate: u32) -> Result<()> {
    let mut clients = JoinSet::new();
    let mut turns = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(server.address()).await?;
        let (turn, mut due) = mpsc::channel(TURNS_MAX);
        turns.push(turn);
        let load = load.clone();
        clients.spawn(async move {
            while let Some(due) = due.recv().await {
                let Some(wish) = load.wish() else { return anyhow::Ok(()) };
                let ended = ask(&mut connection, &load, wish).await?;
                load.measure.ended(ended, due);
            }
            Ok(())
        });
    }
    std::thread::spawn(move || pace(&turns, rate));
    while let Some(ended) = clients.join_next().await {
        ended.context("a client died")??;
    }
    Ok(())
}

/// Gives the turns out, each at its time, until nobody takes them any more. A thread of its own, for the runtime's timers
/// are a millisecond coarse: as much as an answer takes.
fn pace(turns: &[mpsc::Sender<Instant>], rate: u32) {
    let begin = Instant::now();
    for (nth, turn) in turns.iter().cycle().enumerate() {
        let due = begin + Duration::from_secs_f64(nth as f64 / f64::from(rate));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if turn.blocking_send(due).is_err() {
            return;
        }
    }
}

async fn ask(connection: &mut Connection, load: &Load, wish: Wish) -> Result<Ended> {
    let Wish { performance, account, seat } = wish;
    // Put together instead of formatted: what the clients take, the server can't have.
    let (mut hold, mut hall) = (Uuid::encode_buffer(), Uuid::encode_buffer());
    let (hold, hall) = (HoldId::new().0.hyphenated().encode_lower(&mut hold), performance.0.hyphenated().encode_lower(&mut hall));
    let body = [r#"{"hold_id":""#, hold, r#"","seats":["#, &seat.to_string(), "]}"].concat();
    let answer = if load.echo {
        connection.post("/echo", "", &body).await?
    } else {
        let headers = ["authorization: Bearer ", &load.tokens[&account], "\r\nidempotency-key: ", hold, "\r\n"].concat();
        connection.post(&["/v1/performances/", hall, "/holds"].concat(), &headers, &body).await?
    };
    Ok(match answer.status {
        200 | 201 => Ended::Accepted,
        429 | 503 => Ended::Busy,
        status => {
            tracing::warn!(status, body = %String::from_utf8_lossy(answer.body), "refused");
            Ended::Refused
        }
    })
}

/// A signed token for everyone, as the server would have given them.
pub(crate) async fn sign_in(pool: &PgPool, people: &[AccountId]) -> Result<HashMap<AccountId, String>> {
    let tokens = Tokens::load(pool).await?.context("the server made no key for tokens")?;
    let expires_at = SystemClock.now().plus_seconds(SESSION_S);
    let sign = |account: &AccountId| {
        let claims = Claims { session: Uuid::now_v7(), actor: Actor::Account(*account), expires_at };
        (*account, tokens.sign(&claims))
    };
    Ok(people.iter().map(sign).collect())
}

/// Has the server load every performance before the clock: asks for no seats, which is refused.
pub(crate) async fn touch(server: &Running, venue: &Venue, tokens: &HashMap<AccountId, String>) -> Result<()> {
    let mut connection = Connection::open(server.address()).await?;
    for (performance, person) in venue.performances.iter().zip(&venue.people) {
        loaded(&mut connection, *performance, &tokens[person]).await?;
    }
    Ok(())
}

async fn loaded(connection: &mut Connection, performance: PerformanceId, token: &str) -> Result<()> {
    loop {
        let key = Uuid::now_v7();
        let headers = format!("authorization: Bearer {token}\r\nidempotency-key: {key}\r\n");
        let body = format!(r#"{{"hold_id":"{}","seats":[]}}"#, HoldId::new());
        let answer = connection.post(&format!("/v1/performances/{performance}/holds"), &headers, &body).await?;
        match answer.status {
            503 => sleep(Duration::from_millis(50)).await,
            400..=499 => return Ok(()),
            status => anyhow::bail!("touching {performance}: {status} {}", String::from_utf8_lossy(answer.body)),
        }
    }
}

/// Has the notifier read every performance before the clock, as one that has run since the line was opened would have it: it
/// does at the first event that comes by. A seat is held and let go.
async fn stir(server: &Running, venue: &Venue, tokens: &HashMap<AccountId, String>) -> Result<()> {
    let mut connection = Connection::open(server.address()).await?;
    // Each by somebody else: so many commands of one account at once would meet its limit.
    for (performance, person) in venue.performances.iter().zip(&venue.people) {
        let (hold, token) = (HoldId::new(), &tokens[person]);
        let holds = format!("/v1/performances/{performance}/holds");
        for (path, body) in
            [(holds.clone(), format!(r#"{{"hold_id":"{hold}","seats":[0]}}"#)), (format!("{holds}/{hold}/release"), String::new())]
        {
            let headers = format!("authorization: Bearer {token}\r\nidempotency-key: {}\r\n", Uuid::now_v7());
            let answer = connection.post(&path, &headers, &body).await?;
            anyhow::ensure!(answer.status < 400, "{path}: {} {}", answer.status, String::from_utf8_lossy(answer.body));
        }
    }
    Ok(())
}

/// Has what the preparation wrote reach the disk before the clock: else the kernel flushes it some time in the run, and commits
/// wait behind it for a tenth of a second and more.
async fn settle_disk() -> Result<()> {
    let synced = tokio::task::spawn_blocking(|| Command::new("sync").status()).await?.context("running sync")?;
    anyhow::ensure!(synced.success(), "sync: {synced}");
    Ok(())
}

/// What a backup does to the database: a transaction whose snapshot stays open until it is dropped.
async fn hold_snapshot(pool: &PgPool) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let mut transaction = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *transaction).await?;
    sqlx::query("select position from log_head").execute(&mut *transaction).await?;
    Ok(transaction)
}
