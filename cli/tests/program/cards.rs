//! People pay by card while the server, and the card provider, are killed at random moments, and the provider fails in
//! every way there is. In the end everybody's money is where it belongs, by the log and by the provider.

use crate::support::{Servers, Serving, free_port};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use socketing_tests::{TestProcess, eventually};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

const KEY: &str = "the test's key";
const SECRET: &str = "the test's webhook secret";
const FANS: u32 = 24;
/// How often the server is killed; the provider is, every other time.
const KILLS: u32 = 4;
/// How far apart, in events of the log: up to so many.
const EVENTS_APART: std::ops::Range<i64> = 4..40;
/// How long one thing may take, kills and all.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before a request that got no answer is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// Everything that can go wrong with a request; orders die with the provider, so a few are given after each start.
const FAULTS: [(&str, &str); 12] = [
    ("charge", r#"{"fault":"slow","ms":400}"#),
    ("charge", r#"{"fault":"error","times":2}"#),
    ("charge", r#"{"fault":"time_out_before"}"#),
    ("charge", r#"{"fault":"time_out_after","times":2}"#),
    ("charge", r#"{"fault":"pending","ms":700}"#),
    ("charge", r#"{"fault":"charge_late","ms":500}"#),
    ("ask", r#"{"fault":"error"}"#),
    ("ask", r#"{"fault":"time_out_before"}"#),
    ("refund", r#"{"fault":"time_out_after"}"#),
    ("refund", r#"{"fault":"error"}"#),
    ("webhook", r#"{"fault":"twice"}"#),
    ("webhook", r#"{"fault":"forged"}"#),
];

/// A system with a card provider.
struct Desk {
    servers: Servers,
    serving: Serving,
    cards: TestProcess,
    cards_url: String,
    http: Client,
}

impl Desk {
    async fn open() -> Desk {
        let servers = Servers::start().await;
        let (port, cards_port) = (free_port(), free_port());
        let cards_url = format!("http://127.0.0.1:{cards_port}");
        let cards = start_cards(&servers, cards_port, port);
        let serving = serve(&servers, port, &cards_url).await;
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Desk { servers, serving, cards, cards_url, http }
    }

    async fn kill_server(&mut self) {
        self.serving.kill();
        self.serving = serve(&self.servers, self.serving.port(), &self.cards_url).await;
    }

    async fn kill_cards(&mut self) {
        self.cards.kill();
        let port = self.cards_url.rsplit(':').next().unwrap().parse().unwrap();
        self.cards = start_cards(&self.servers, port, self.serving.port());
        self.cards_ready().await;
    }

    async fn cards_ready(&self) {
        let url = format!("{}/healthz", self.cards_url);
        eventually("the sandbox is ready", || async { self.http.get(&url).send().await.is_ok() }).await;
    }

    async fn order(&self, dice: &mut StdRng) {
        for _ in 0..4 {
            let (on, fault) = FAULTS.choose(dice).unwrap();
            let mut order: Value = serde_json::from_str(fault).unwrap();
            order["on"] = json!(on);
            let sent = self.http.post(format!("{}/sandbox/faults", self.cards_url)).bearer_auth(KEY).json(&order).send().await;
            assert_eq!(sent.unwrap().status(), StatusCode::NO_CONTENT, "{order}");
        }
    }

    fn fan(&self) -> Fan {
        Fan { http: self.http.clone(), url: self.serving.url.clone(), cards_url: self.cards_url.clone(), token: String::new() }
    }

    async fn count(&self, event_type: &str) -> i64 {
        let count = sqlx::query_scalar("select count(*) from events where event_type = $1").bind(event_type);
        count.fetch_one(&self.servers.db.pool).await.unwrap()
    }

    async fn position(&self) -> i64 {
        sqlx::query_scalar("select position from log_head").fetch_one(&self.servers.db.pool).await.unwrap()
    }

    /// Every event was followed, and nothing is left to be done soon.
    async fn settles(&self) {
        let settled = "select not exists (select from intents where next_try_at < clock_timestamp() + interval '1 minute')
            and (select position from checkpoints where name = 'processes') = (select position from log_head)";
        let pool = &self.servers.db.pool;
        let is_settled = || async { sqlx::query_scalar::<_, Option<bool>>(settled).fetch_one(pool).await.unwrap() == Some(true) };
        let deadline = Instant::now() + PATIENCE;
        while !is_settled().await {
            assert!(Instant::now() < deadline, "payments aren't settled");
            sleep(PAUSE).await;
        }
    }

    /// `socketing verify`, with the provider's charges.
    async fn verify(&self) -> (Option<i32>, Value) {
        let arguments = ["verify", "--json", "--quiet", "--patience", "60", "--card-url", &self.cards_url, "--card-key", KEY];
        let ran = self.servers.run(&self.serving.url, &arguments).await;
        let report = serde_json::from_str(&ran.out()).unwrap_or_else(|_| panic!("verify says: {}", ran.err()));
        (ran.code(), report)
    }
}

fn start_cards(servers: &Servers, port: u16, api_port: u16) -> TestProcess {
    let (listen, file) = (format!("127.0.0.1:{port}"), servers.file("charges.jsonl"));
    let webhooks = format!("http://127.0.0.1:{api_port}/v1/webhooks/card");
    let environment = [("SOCKETING_CARD_KEY", KEY), ("SOCKETING_CARD_WEBHOOK_SECRET", SECRET), ("SOCKETING_CARD_WEBHOOK_URL", &webhooks)];
    servers.spawn("cards", &["card-sandbox", "--listen", &listen, "--file", &file], &environment)
}

async fn serve(servers: &Servers, port: u16, cards_url: &str) -> Serving {
    let environment = [
        ("SOCKETING_CARD_URL", cards_url),
        ("SOCKETING_CARD_KEY", KEY),
        ("SOCKETING_CARD_WEBHOOK_SECRET", SECRET),
        ("SOCKETING_CARD_TIMEOUT_MS", "300"),
        ("SOCKETING_PAYMENT_DEADLINE_SECONDS", "5"),
    ];
    servers.serve_with(port, "all", &environment).await
}

/// Someone who goes on asking under the same key until there is an answer.
#[derive(Clone)]
struct Fan {
    http: Client,
    url: String,
    cards_url: String,
    token: String,
}

impl Fan {
    /// Any answer of the API but 5xx and 429.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let (deadline, key) = (Instant::now() + PATIENCE, Uuid::now_v7().to_string());
        loop {
            assert!(Instant::now() < deadline, "no answer to {method} {path}");
            let request =
                self.http.request(method.clone(), format!("{}{path}", self.url)).bearer_auth(&self.token).header("idempotency-key", &key);
            let request = if body.is_null() { request } else { request.json(body) };
            match request.send().await {
                Ok(answer) if !answer.status().is_server_error() && answer.status() != StatusCode::TOO_MANY_REQUESTS => {
                    let status = answer.status();
                    if let Ok(body) = answer.json().await {
                        return (status, body);
                    }
                }
                _ => {}
            }
            sleep(PAUSE).await;
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, body) = self.ask(Method::POST, path, body).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    async fn card_token(&self) -> Value {
        let url = format!("{}/v1/tokens", self.cards_url);
        loop {
            match self.http.post(&url).json(&json!({ "card": "approved" })).send().await {
                Ok(answer) => return answer.json::<Value>().await.unwrap()["token"].clone(),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Signs up: before anything is killed, since that has no key to try again under.
    async fn sign_up(mut self, nth: u32) -> Fan {
        let body = json!({ "email": format!("fan{nth}@example.org"), "password": "a good password" });
        self.token = self.post("/v1/accounts", &body).await["token"].as_str().unwrap().to_owned();
        self
    }

    /// Books a seat, and pays by card until it is paid; the last resort is SocketPay. Every third cancels then.
    async fn buy(self, nth: u32, performance: String) {
        let of = format!("/v1/performances/{performance}");
        let (entry, hold, booking) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        self.post(&format!("{of}/line"), &json!({ "entry_id": entry })).await;
        self.post(&format!("{of}/holds"), &json!({ "hold_id": hold, "seats": [nth] })).await;
        self.post(&format!("{of}/bookings"), &json!({ "booking_id": booking, "hold_id": hold })).await;
        for attempt in 0..4 {
            let mut pay = json!({ "payment_id": Uuid::now_v7() });
            if attempt < 3 {
                pay["method"] = json!("card");
                pay["card_token"] = self.card_token().await;
            }
            let mut payment = self.post(&format!("{of}/bookings/{booking}/pay"), &pay).await;
            let deadline = Instant::now() + PATIENCE;
            while payment["state"] == "in_flight" {
                assert!(Instant::now() < deadline, "fan {nth}'s payment stays in flight: {payment}");
                sleep(PAUSE).await;
                let path = format!("{of}/bookings/{booking}/payments/{}", payment["payment_id"].as_str().unwrap());
                payment = self.ask(Method::GET, &path, &Value::Null).await.1;
            }
            if payment["state"] == "succeeded" {
                break;
            }
        }
        if nth.is_multiple_of(3) {
            self.post(&format!("{of}/bookings/{booking}/cancel"), &Value::Null).await;
        }
    }
}

/// One of the demo's performances: another may open later, and be scheduled first.
const OPEN_PERFORMANCE: &str = "select aggregate_id from events where event_type = 'PerformanceScheduled'
    and (payload #>> '{PerformanceScheduled,sale_opens_at}')::timestamptz < clock_timestamp() order by position limit 1";

#[tokio::test(flavor = "multi_thread")]
async fn money_balances_whoever_is_killed_while_people_pay_by_card() {
    let seed = std::env::var("SOCKETING_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| rand::rng().random::<u64>());
    println!("SOCKETING_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut desk = Desk::open().await;
    desk.cards_ready().await;
    let ran = desk.servers.run(&desk.serving.url, &["demo", "--quiet"]).await;
    assert_eq!(ran.code(), Some(0), "{}", ran.err());
    eventually("the demo is on sale", || async { desk.count("LineOpened").await > 0 }).await;
    let performance: String = sqlx::query_scalar(OPEN_PERFORMANCE).fetch_one(&desk.servers.db.pool).await.unwrap();
    let fans = join_all((0..FANS).map(|nth| desk.fan().sign_up(nth))).await;
    let fans: Vec<_> = (0..FANS).zip(fans).map(|(nth, fan)| tokio::spawn(fan.buy(nth, performance.clone()))).collect();
    let buying = tokio::spawn(join_all(fans));
    eventually("fans pay", || async { desk.count("PaymentStarted").await > 0 }).await;
    for kill in 0..KILLS {
        desk.order(&mut dice).await;
        let moment = desk.position().await + dice.random_range(EVENTS_APART);
        // All may be bought before: then it is killed once more for nothing, which must not matter either.
        eventually("the sale goes on", || async { desk.position().await >= moment || buying.is_finished() }).await;
        if kill % 2 == 1 {
            desk.kill_cards().await;
        }
        desk.kill_server().await;
    }
    for bought in buying.await.unwrap() {
        bought.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    desk.settles().await;
    let (code, report) = desk.verify().await;
    assert_eq!(code, Some(0), "seed {seed}: {report:#}");
    let cards = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "cards").unwrap();
    assert!(cards["checked"].as_u64().unwrap() >= u64::from(FANS), "seed {seed}: {report:#}");
    assert_eq!(desk.count("BookingCancelled").await, i64::from(FANS / 3), "seed {seed}");

    // `socketing payments` says the same, and `verify` finds what nobody asked for.
    let ran = desk.servers.run(&desk.serving.url, &["payments", "--state", "in_doubt"]).await;
    assert!(ran.code() == Some(0) && ran.out().contains("0 open, 0 overdue"), "{}{}", ran.out(), ran.err());
    let stray = json!({ "token": desk.fan().card_token().await, "amount": 7, "currency": "KRW" });
    let reference = format!("{performance}.{}", Uuid::now_v7());
    let charge =
        desk.http.post(format!("{}/v1/charges", desk.cards_url)).bearer_auth(KEY).header("idempotency-key", reference).json(&stray);
    assert_eq!(charge.send().await.unwrap().status(), StatusCode::OK);
    let (code, report) = desk.verify().await;
    assert_eq!(code, Some(3), "a charge that nobody asked for is found: {report:#}");
}
