//! `socketing rush`: a sale with a thousand fans, over real HTTP and a real WebSocket for each, against a running
//! system. Every fan ends with tickets or knows why not; what may never happen is counted as a violation.
//!
//! Who the fans are and what they mean to do is decided by the seed ([`script`]); what they then choose depends on what
//! they see, and on the order in which the system answers.

mod caller;
mod fan;
mod live;
mod measure;
mod party;
mod progress;
mod report;
mod script;
mod settle;
mod setup;
mod venue;

use crate::client::Api;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use caller::Shared;
use fan::{End, Fan, Sale};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
pub(crate) use progress::Phase;
pub(crate) use report::Report;
pub(crate) use script::Shares;
use setup::Terms;
use socketing_domain::plan::Plan;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Seats one person may have.
const SEATS_PER_PERSON: usize = 4;
/// How long a hold keeps its seats: short, so that forgotten ones come back within the rush.
const HOLD_SECONDS: u32 = 15;
/// How long a booking waits for its money.
const PAYMENT_SECONDS: u32 = 15;
/// How long one visit may last.
const SESSION_SECONDS: u32 = 60;
/// Connections of the fans' HTTP client that are kept while nothing is asked.
const IDLE_CONNECTIONS: usize = 256;

/// What is asked of a rush.
pub(crate) struct Options {
    pub(crate) fans: usize,
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
    pub(crate) shares: Shares,
    /// People inside at once; by default an eighth of the fans, so that a line forms.
    pub(crate) capacity: Option<u32>,
    /// From the opening to the end.
    pub(crate) time_limit: Duration,
    /// How long a system that went away may take to come back.
    pub(crate) patience: Duration,
}

/// Carries a rush out.
///
/// # Errors
/// If it can't be set up, or the system went away and didn't come back. What is broken is in the report.
pub(crate) async fn run(url: &str, database_url: &str, options: Options, output: Output) -> anyhow::Result<Report> {
    let shared = Arc::new(Shared::new(Api::new(url, IDLE_CONNECTIONS)?, options.patience));
    let scripts = script::write(options.fans, options.seed, options.shares);
    let run = &uuid::Uuid::now_v7().simple().to_string()[20..];

    let begin = Instant::now();
    let phase = Phase::begin(output, "sign-up", options.fans as u64);
    let people = setup::sign_up(&shared, run, options.fans, || phase.one()).await?;
    let sign_up = begin.elapsed();
    phase.end(&format!("{} accounts in {:.1} s", options.fans, sign_up.as_secs_f64()));

    let begin = Instant::now();
    let capacity = options.capacity.unwrap_or_else(|| default_capacity(options.fans));
    let terms = Terms {
        plan: options.plan,
        capacity,
        hold_seconds: HOLD_SECONDS,
        payment_seconds: PAYMENT_SECONDS,
        session_seconds: SESSION_SECONDS,
        seats_per_person: SEATS_PER_PERSON as u32,
    };
    let sale = Arc::new(setup::show(&shared, database_url, run, terms, options.fans).await?);
    let phase = Phase::begin(output, "connect", options.fans as u64);
    let fans = setup::connect(&shared, &sale, &people, scripts, || phase.one()).await?;
    let connect = begin.elapsed();
    phase.end(&format!("{} live connections in {:.1} s", options.fans, connect.as_secs_f64()));

    let fans = rush(&shared, &sale, fans, options.time_limit, output).await?;
    let rush = Instant::now().saturating_duration_since(sale.opening);

    let phase = Phase::begin(output, "settle", options.fans as u64);
    let settled = settle::settle(&shared, &sale, &fans, || phase.one()).await?;
    phase.end(&format!("{} of {} live maps equal the query API's", settled.maps_equal, options.fans));

    let counts = shared.measures.counts();
    let ended = |code: &str| counts.ends.get(code).copied().unwrap_or(0);
    let (served, unfinished) = (ended(report::TICKETS), ended(report::UNFINISHED));
    Ok(Report {
        seed: options.seed,
        fans: options.fans,
        seats: sale.venue.seats(),
        capacity,
        performance: sale.performance,
        sign_up_seconds: sign_up.as_secs_f64(),
        connect_seconds: connect.as_secs_f64(),
        rush_seconds: rush.as_secs_f64(),
        served,
        told: options.fans as u64 - served - unfinished,
        unfinished,
        settled,
        times: shared.measures.times(),
        counts,
    })
}

/// An eighth of the fans, so that a line forms; but room for a party.
fn default_capacity(fans: usize) -> u32 {
    u32::try_from(fans / 8).unwrap_or(u32::MAX).clamp(8, 1000)
}

/// All fans at once, until each has ended or the time is up. Their connections stay open.
async fn rush(shared: &Arc<Shared>, sale: &Arc<Sale>, fans: Vec<Fan>, time_limit: Duration, output: Output) -> anyhow::Result<Vec<Fan>> {
    let phase = Phase::begin(output, "rush", fans.len() as u64);
    // In one task: the fans' own work is small, and their connections have tasks of their own.
    let mut journeys: FuturesUnordered<_> = fans.into_iter().map(journey).collect();
    let mut done = Vec::with_capacity(journeys.len());
    let limit = sleep_until(sale.opening + time_limit);
    tokio::pin!(limit);
    loop {
        tokio::select! {
            journey = journeys.next() => match journey {
                Some((fan, end)) => {
                    note(shared, &fan, end);
                    done.push(fan);
                    phase.one();
                }
                None => break,
            },
            () = &mut limit, if !shared.stop.is_cancelled() => shared.stop.cancel(),
            _ = tokio::signal::ctrl_c() => {
                return Err(Failure::new(Exit::Failure, format!("interrupted when {} fans had ended", done.len())).into());
            }
            () = sleep(Duration::from_millis(500)) => if let Some(fan) = done.first() {
                phase.say(&standing(fan));
            },
        }
    }
    phase.end(&format!("{} fans in {:.1} s", done.len(), Instant::now().saturating_duration_since(sale.opening).as_secs_f64()));
    if shared.gone() {
        return Err(Failure::new(Exit::Unreachable, "the system went away during the rush and didn't come back")
            .hint("start it again with ./dev up, then look at what is left with `socketing verify`")
            .into());
    }
    Ok(done)
}

async fn journey(mut fan: Fan) -> (Fan, Option<End>) {
    let end = fan.journey().await;
    (fan, end)
}

fn note(shared: &Shared, fan: &Fan, end: Option<End>) {
    match end {
        Some(End::Tickets(_)) => shared.measures.ended(report::TICKETS),
        Some(End::Told(code)) => shared.measures.ended(&code),
        None => {
            shared.measures.ended(report::UNFINISHED);
            fan.violation(format!("neither served nor told why not when the time was up ({:?})", fan.script));
        }
    }
}

fn standing(fan: &Fan) -> String {
    let view = fan.live.view();
    let view = view.borrow();
    format!("{} waiting, {} seats free", view.waiting, view.free())
}
