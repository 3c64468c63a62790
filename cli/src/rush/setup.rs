//! What a rush needs before it begins: accounts for its fans, an organiser, a show of its own, and everyone connected.

use super::caller::{Caller, Shared};
use super::fan::{Fan, Promises, Sale};
use super::live::Live;
use super::measure::Step;
use super::party::Ties;
use super::script::{Company, Script};
use super::venue::Venue;
use crate::client::{Api, Ask};
use crate::failure::{Exit, Failure};
use crate::operator;
use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use socketing_domain::account::Role;
use socketing_domain::plan::Plan;
use socketing_domain::{Clock as _, SystemClock, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// Sign-ups in flight. The server hashes passwords in a small pool and answers "later" beyond its queue.
const SIGN_UPS_AT_ONCE: usize = 12;
/// Connections opened at once.
const CONNECTIONS_AT_ONCE: usize = 64;
/// How long the performance may take to go on sale after its show was published.
const SCHEDULED_MAX: Duration = Duration::from_secs(30);
/// How long a fan's connection may take to show the map.
const CONNECTED_MAX: Duration = Duration::from_secs(60);
/// From the show's making to its opening: at least, and for each fan, who connects and gathers friends meanwhile.
const LEAD: (Duration, Duration) = (Duration::from_secs(6), Duration::from_millis(20));
/// The password of all of them. They are people of a test, on this machine only.
const PASSWORD: &str = "rush-rush-rush";
/// Prices, from the best category to the worst; four of the best are more than a wallet holds.
const PRICES_WON: [i64; 6] = [150_000, 120_000, 90_000, 70_000, 50_000, 30_000];

/// What a rush sells, and by which rules.
pub(crate) struct Terms {
    pub(crate) plan: Plan,
    pub(crate) capacity: u32,
    pub(crate) hold_seconds: u32,
    pub(crate) payment_seconds: u32,
    pub(crate) session_seconds: u32,
    pub(crate) seats_per_person: u32,
}

/// One of the rush's people.
pub(crate) struct Person {
    pub(crate) account: Uuid,
    pub(crate) token: Arc<str>,
}

/// Signs everyone up. `done` is called for each.
pub(crate) async fn sign_up(shared: &Shared, run: &str, fans: usize, done: impl Fn()) -> anyhow::Result<Vec<Person>> {
    let people = stream::iter(0..fans).map(|index| async move { person(shared, &format!("rush-{run}-{index}@example.org")).await });
    people.buffered(SIGN_UPS_AT_ONCE).inspect_ok(|_| done()).try_collect().await
}

async fn person(shared: &Shared, email: &str) -> anyhow::Result<Person> {
    let body = json!({ "email": email, "password": PASSWORD });
    let begin = Instant::now();
    let answer = shared.api.call_patiently(Ask::post("/v1/accounts", &body)).await;
    let answer = answer.map_err(|error| error.failure(&shared.api, &format!("signing up {email}")))?.body;
    shared.measures.took(Step::SignUp, begin.elapsed());
    let account = answer["account_id"].as_str().and_then(|id| id.parse().ok()).context("an answer to a sign-up without an account_id")?;
    let token = answer["token"].as_str().context("an answer to a sign-up without a token")?;
    Ok(Person { account, token: token.into() })
}

/// Makes the organiser, imports the plan, makes and publishes the show, and waits until its performance is on sale.
pub(crate) async fn show(shared: &Shared, database_url: &str, run: &str, terms: Terms, fans: usize) -> anyhow::Result<Sale> {
    let api = &shared.api;
    let organiser = person(shared, &format!("rush-{run}-organiser@example.org")).await?;
    let token = operator::system_token(database_url).await?;
    operator::grant(api, &token, organiser.account, Role::Organiser).await?;
    let ahead_ms = clock_ahead(api).await?;
    let plan = operator::import_plan(api, &organiser.token, &serde_json::to_value(&terms.plan)?).await?;
    let lead = LEAD.0 + LEAD.1 * u32::try_from(fans).unwrap_or(u32::MAX);
    let (opening, opens_at) = (Instant::now() + lead, server_time(ahead_ms, lead));
    let performance = Uuid::now_v7();
    let venue = Venue::new(terms.plan);
    let show = json!({
        "show_id": Uuid::now_v7(),
        "title": { "ko": format!("러시 {run}"), "en": format!("Rush {run}") },
        "venue": { "ko": "러시 홀", "en": "Rush hall" },
        "plan": plan,
        "dates": [{ "performance": performance, "starts_at": opens_at.plus_seconds(86_400) }],
        "prices": prices(&venue),
        "sale_opens_at": opens_at,
        "policies": {
            "seats_per_person": terms.seats_per_person,
            "hold_seconds": terms.hold_seconds,
            "payment_seconds": terms.payment_seconds,
            "capacity": terms.capacity,
            "session_seconds": terms.session_seconds,
        },
    });
    operator::publish_show(api, &organiser.token, &show).await?;
    scheduled(api, performance).await?;
    Ok(Sale { performance, venue, opens_at, opening, ahead_ms, session_seconds: terms.session_seconds })
}

fn prices(venue: &Venue) -> Vec<Value> {
    let categories = venue.categories();
    let price = |nth: usize| PRICES_WON[nth.min(PRICES_WON.len() - 1)];
    categories.iter().enumerate().map(|(nth, category)| json!({ "category": category, "price": price(nth) })).collect()
}

/// How far the server's clock is ahead of this one, in milliseconds, as well as one question tells.
async fn clock_ahead(api: &Api) -> anyhow::Result<i64> {
    let before = SystemClock.now().as_millis();
    let answer = api.call(Ask::get("/v1/time")).await.map_err(|error| error.failure(api, "asking for the time"))?.body;
    let after = SystemClock.now().as_millis();
    let theirs: Timestamp = serde_json::from_value(answer["now"].clone()).context("reading the server's time")?;
    Ok(theirs.as_millis() - (before + after) / 2)
}

fn server_time(ahead_ms: i64, later: Duration) -> Timestamp {
    let later = i64::try_from(later.as_millis()).unwrap_or(0);
    Timestamp::from_millis(SystemClock.now().as_millis() + ahead_ms + later)
}

async fn scheduled(api: &Api, performance: Uuid) -> anyhow::Result<()> {
    let path = format!("/v1/performances/{performance}/seats");
    let deadline = Instant::now() + SCHEDULED_MAX;
    loop {
        match api.call(Ask::get(&path)).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error.failure(api, "waiting for the performance to go on sale").into());
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Connects everyone, and ties friends together.
pub(crate) async fn connect(
    shared: &Arc<Shared>,
    sale: &Arc<Sale>,
    people: &[Person],
    scripts: Vec<Script>,
    done: impl Fn(),
) -> anyhow::Result<Vec<Fan>> {
    let fans = stream::iter(scripts).map(|script| fan(shared, sale, people, script));
    let mut fans: Vec<Fan> = fans.buffered(CONNECTIONS_AT_ONCE).inspect_ok(|_| done()).try_collect().await?;
    let watches: Vec<_> = fans.iter().map(|fan| fan.ties.watch()).collect();
    for fan in &mut fans {
        if let Company::Follows(leader) = fan.script.company {
            fan.ties.follow(watches[leader].clone());
        }
    }
    Ok(fans)
}

async fn fan(shared: &Arc<Shared>, sale: &Arc<Sale>, people: &[Person], script: Script) -> anyhow::Result<Fan> {
    let token = Arc::clone(&people[script.index].token);
    let live = Live::open(Arc::clone(shared), Arc::clone(&token), sale.performance);
    let mut view = live.view();
    let shown = view.wait_for(|view| view.map.len() == sale.venue.seats() && view.resyncs > 0);
    let shown = timeout(CONNECTED_MAX, shown).await;
    if !matches!(shown, Ok(Ok(_))) {
        let text = format!("a live connection didn't show the seat map within {} s", CONNECTED_MAX.as_secs());
        return Err(Failure::new(Exit::Failure, text).hint("look at the server's log; is the notifier running?").into());
    }
    drop(shown);
    let mut ties = Ties::new();
    if let Company::Leads(friends) = &script.company {
        ties.accounts = friends.iter().map(|&friend| (friend, people[friend].account)).collect();
    }
    let caller = Caller { shared: Arc::clone(shared), token };
    let dice = script.dice();
    Ok(Fan { script, caller, sale: Arc::clone(sale), live, promises: Promises::default(), dice, ties })
}
