//! A crowd for several nodes: people who join lines, hold, release, book, pay and cancel, each step sent to any node, and
//! again under the same key to any other until it is answered. What was answered is remembered, and held against the log.

use crate::support::Servers;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use socketing_domain::event::Actor;
use socketing_domain::{AccountId, BookingId, Clock, EntryId, HoldId, PaymentId, PerformanceId, SystemClock};
use socketing_service::auth::{Claims, Tokens};
use socketing_tests::eventually;
use socketing_tests::stage::small_plan;
use sqlx::PgPool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The size of each hall.
const ROWS: u32 = 10;
const SEATS_PER_ROW: u32 = 20;
/// How long one try may take: a process that was stopped never answers.
const TRY_MAX: Duration = Duration::from_secs(8);
/// How long a command is sent again and again: longer than any fault lasts, with its healing.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// The pause before a command is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Shows on sale, and where their nodes are.
pub(crate) struct Sale {
    pub(crate) performances: Vec<PerformanceId>,
    nodes: Mutex<Vec<String>>,
    tokens: Tokens,
    http: reqwest::Client,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    answered: Vec<Answered>,
    /// Tries that got no answer, or were told to come back.
    later: u64,
    slowest: Duration,
    wrong: Vec<String>,
}

/// A command that was answered.
#[derive(Clone)]
struct Answered {
    sent: Sent,
    status: StatusCode,
    body: Value,
}

#[derive(Clone)]
struct Sent {
    token: String,
    key: String,
    path: String,
    body: Value,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) replayed: bool,
    pub(crate) retry_after: bool,
}

/// Somebody.
#[derive(Clone)]
pub(crate) struct Fan {
    token: String,
}

impl Fan {
    /// Whose session it is, for requests of a test's own.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

impl Sale {
    /// Puts so many performances on sale, through the first of these nodes.
    pub(crate) async fn open(servers: &Servers, nodes: Vec<String>, performances: usize, policies: &Value) -> Sale {
        let tokens = Tokens::load(&servers.db.pool).await.unwrap().expect("a node has started");
        let http = reqwest::Client::builder().no_proxy().timeout(TRY_MAX).build().unwrap();
        let performances: Vec<PerformanceId> = (0..performances).map(|_| PerformanceId::new()).collect();
        let sale = Sale { performances, nodes: Mutex::new(nodes), tokens, http, kept: Mutex::default() };
        let organiser = sale.organiser().await;
        let plan = sale.must(&organiser, "/v1/plans", serde_json::to_value(small_plan(ROWS, SEATS_PER_ROW)).unwrap()).await;
        let show = Uuid::now_v7();
        let dates: Vec<Value> = sale
            .performances
            .iter()
            .map(|performance| json!({ "performance": performance, "starts_at": "2099-01-01T10:00:00Z" }))
            .collect();
        let body = json!({
            "show_id": show, "title": { "ko": "공연" }, "venue": { "ko": "극장" }, "plan": plan["plan"], "dates": dates,
            "prices": [{ "category": "R", "price": 10_000 }], "sale_opens_at": "2020-01-01T00:00:00Z", "policies": policies,
        });
        sale.must(&organiser, "/v1/shows", body).await;
        sale.must(&organiser, &format!("/v1/shows/{show}/publish"), Value::Null).await;
        let expected = 2 * sale.performances.len() as i64;
        let ids: Vec<String> = sale.performances.iter().map(PerformanceId::to_string).collect();
        let query = "select count(*) from events where event_type in ('PerformanceScheduled', 'LineOpened') and aggregate_id = any($1)";
        eventually("the performances are on sale", || async {
            sqlx::query_scalar::<_, i64>(query).bind(&ids).fetch_one(&servers.db.pool).await.is_ok_and(|opened| opened == expected)
        })
        .await;
        sale
    }

    async fn organiser(&self) -> Fan {
        let email = format!("organiser-{}@example.org", Uuid::now_v7().simple());
        let nobody = Fan { token: String::new() };
        let signed_up = self.must(&nobody, "/v1/accounts", json!({ "email": email, "password": "a good password" })).await;
        let account: AccountId = signed_up["account_id"].as_str().unwrap().parse().unwrap();
        let system = Fan { token: self.token(Actor::System("cli")) };
        self.must(&system, &format!("/v1/accounts/{account}/role"), json!({ "role": "organiser" })).await;
        Fan { token: self.token(Actor::Account(account)) }
    }

    async fn must(&self, fan: &Fan, path: &str, body: Value) -> Value {
        let reply = self.send(fan, path, &body).await;
        assert!(reply.status.is_success(), "{path}: {} {}", reply.status, reply.body);
        reply.body
    }

    fn token(&self, actor: Actor) -> String {
        self.tokens.sign(&Claims { session: Uuid::now_v7(), actor, expires_at: SystemClock.now().plus_seconds(86_400) })
    }

    /// Somebody new, signed in.
    pub(crate) fn fan(&self) -> Fan {
        Fan { token: self.token(Actor::Account(AccountId::new())) }
    }

    /// From now on, commands go to these nodes.
    pub(crate) fn send_to(&self, nodes: Vec<String>) {
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    fn any_node(&self) -> String {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).choose(&mut rand::rng()).expect("there are nodes").clone()
    }

    /// Sends a command to one node, under the same key again while that is too busy to say anything.
    pub(crate) async fn ask_one(&self, node: &str, fan: &Fan, key: &str, path: &str, body: &Value) -> Result<Reply, reqwest::Error> {
        let sent = Sent { token: fan.token.clone(), key: key.to_owned(), path: path.to_owned(), body: body.clone() };
        let begun = Instant::now();
        loop {
            let reply = self.try_once(node, &sent).await?;
            if reply.status != StatusCode::SERVICE_UNAVAILABLE {
                return Ok(reply);
            }
            assert!(begun.elapsed() < ANSWERED_WITHIN, "{path} isn't answered within {ANSWERED_WITHIN:?}");
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn try_once(&self, node: &str, sent: &Sent) -> Result<Reply, reqwest::Error> {
        let mut request = self.http.post(format!("{node}{}", sent.path)).header("idempotency-key", &sent.key);
        if !sent.token.is_empty() {
            request = request.bearer_auth(&sent.token);
        }
        if !sent.body.is_null() {
            request = request.json(&sent.body);
        }
        read(request.send().await?).await
    }

    /// Asks one node something.
    pub(crate) async fn get(&self, node: &str, fan: &Fan, path: &str) -> Result<Reply, reqwest::Error> {
        read(self.http.get(format!("{node}{path}")).bearer_auth(&fan.token).send().await?).await
    }

    /// Sends a command to any node, under a key of its own, until one answers.
    pub(crate) async fn send(&self, fan: &Fan, path: &str, body: &Value) -> Reply {
        let sent = Sent { token: fan.token.clone(), key: Uuid::now_v7().to_string(), path: path.to_owned(), body: body.clone() };
        let reply = self.until_answered(&sent).await;
        // Paying again tells the payment as it is by then; accounts and plans need no key.
        if path.starts_with("/v1/performances") && !path.ends_with("/pay") {
            self.kept().answered.push(Answered { sent, status: reply.status, body: reply.body.clone() });
        }
        reply
    }

    async fn until_answered(&self, sent: &Sent) -> Reply {
        let begun = Instant::now();
        loop {
            let node = self.any_node();
            let reply = self.try_once(&node, sent).await;
            match reply {
                Ok(reply) if reply.status != StatusCode::SERVICE_UNAVAILABLE => {
                    let mut kept = self.kept();
                    kept.slowest = kept.slowest.max(begun.elapsed());
                    if reply.status.is_server_error() || reply.status == StatusCode::UNAUTHORIZED {
                        kept.wrong.push(format!("{}: {} {}", sent.path, reply.status, reply.body));
                    }
                    return reply;
                }
                Ok(reply) if !reply.retry_after => {
                    self.kept().wrong.push(format!("{}: 503 without Retry-After: {}", sent.path, reply.body))
                }
                _ => {}
            }
            self.kept().later += 1;
            assert!(begun.elapsed() < ANSWERED_WITHIN, "{} isn't answered within {ANSWERED_WITHIN:?}", sent.path);
            sleep(AGAIN_AFTER).await;
        }
    }

    /// Everything that was answered is answered the same again, by any node; and what was wrong is told.
    pub(crate) async fn check(&self, at_most: usize) {
        let (answered, wrong) = {
            let mut kept = self.kept();
            (std::mem::take(&mut kept.answered), std::mem::take(&mut kept.wrong))
        };
        assert!(wrong.is_empty(), "{wrong:#?}");
        let every = answered.len().div_ceil(at_most.max(1)).max(1);
        for Answered { sent, status, body } in answered.iter().step_by(every) {
            let again = self.until_answered(sent).await;
            assert_eq!((again.status, &again.body), (*status, body), "{} under the same key", sent.path);
        }
    }

    /// How many tries were told to come back or got no answer, and how long the slowest command took; since the last time.
    pub(crate) fn taken(&self) -> (u64, Duration) {
        let mut kept = self.kept();
        (std::mem::take(&mut kept.later), std::mem::take(&mut kept.slowest))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of a performance's commands.
    pub(crate) fn path(performance: PerformanceId, rest: &str) -> String {
        format!("/v1/performances/{performance}/{rest}")
    }

    /// One visit: in, a seat or two, and whatever comes of them.
    async fn visit(&self, dice: &mut StdRng) {
        let fan = self.fan();
        let performance = *self.performances.choose(dice).expect("there are performances");
        let send = async |rest: &str, body: Value| self.send(&fan, &Sale::path(performance, rest), &body).await;
        send("line", json!({ "entry_id": EntryId::new() })).await;
        let first = dice.random_range(0..ROWS * SEATS_PER_ROW - 1);
        let seats = if dice.random_bool(0.5) { vec![first] } else { vec![first, first + 1] };
        let hold = HoldId::new();
        let held = send("holds", json!({ "hold_id": hold, "seats": seats })).await;
        if held.status == StatusCode::CREATED && dice.random_bool(0.5) {
            let booking = BookingId::new();
            send("bookings", json!({ "booking_id": booking, "hold_id": hold })).await;
            send(&format!("bookings/{booking}/pay"), json!({ "payment_id": PaymentId::new(), "method": "socketpay" })).await;
            if dice.random_bool(0.8) {
                send(&format!("bookings/{booking}/cancel"), Value::Null).await;
            }
        } else if held.status == StatusCode::CREATED {
            send(&format!("holds/{hold}/release"), Value::Null).await;
        }
        send("line/leave", Value::Null).await;
    }
}

async fn read(response: reqwest::Response) -> Result<Reply, reqwest::Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await?;
    let mut body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    // Of a problem, the one thing that is each request's own.
    body.as_object_mut().and_then(|members| members.remove("trace_id"));
    Ok(Reply { status, body, replayed: headers.contains_key("idempotency-replayed"), retry_after: headers.contains_key("retry-after") })
}

/// People who visit, one after another, until they are told to stop.
pub(crate) struct Crowd {
    stop: CancellationToken,
    visitors: JoinSet<()>,
}

impl Crowd {
    pub(crate) fn gather(sale: &Arc<Sale>, visitors: u64, seed: u64) -> Crowd {
        let stop = CancellationToken::new();
        let mut crowd = Crowd { stop, visitors: JoinSet::new() };
        for nth in 0..visitors {
            let (sale, stop) = (sale.clone(), crowd.stop.clone());
            let mut dice = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(nth));
            crowd.visitors.spawn(async move {
                while !stop.is_cancelled() {
                    sale.visit(&mut dice).await;
                }
            });
        }
        crowd
    }

    /// Returns when everybody has finished their visit.
    pub(crate) async fn disperse(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.visitors.join_next().await {
            ended.expect("a visit");
        }
    }
}

/// How many holds there are by one id at most: more than one is a command that took effect twice.
pub(crate) async fn most_holds_by_one_id(pool: &PgPool) -> i64 {
    let query = "select coalesce(max(n), 0) from (select count(*) as n from events where event_type = 'SeatsHeld' group by payload->'SeatsHeld'->>'hold') as holds";
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}
