//! What a running system says of its copies: a relay that is behind, a restored database, a damaged stream.

use crate::support::{Servers, Serving};
use serde_json::Value;
use socketing_event_store::{PgPool, log};
use socketing_nats::stream::STREAM;
use socketing_tests::{TestLog, eventually};
use std::fs;

/// Appends events beside the program, whose leases they take: it has them again some seconds later.
async fn fill(servers: &Servers, count: usize) -> u64 {
    TestLog::new(&servers.db.pool).await.fill(count).await
}

async fn checks(serving: &Serving) -> Value {
    let answer = reqwest::get(format!("{}/readyz", serving.url)).await.expect("the program answers");
    answer.json::<Value>().await.expect("readyz is JSON")["checks"].take()
}

async fn published(pool: &PgPool, serving: &Serving) -> bool {
    let head = log::head(pool).await.expect("the log answers").position;
    checks(serving).await["relay"]["figures"]["published_position"] == head
}

/// NATS goes and comes back: commands go on, `/readyz` says how far behind the copy is, to people and to programs, and the
/// log says when it has caught up.
#[tokio::test]
async fn a_relay_that_is_behind_says_so() {
    let mut servers = Servers::start().await;
    let serving = servers.serve("all").await;
    fill(&servers, 10).await;
    eventually("everything is published", || published(&servers.db.pool, &serving)).await;
    assert_eq!(checks(&serving).await["relay"]["figures"]["lag_events"], 0);

    servers.nats.kill();
    fill(&servers, 2_000).await;
    eventually("commands go on", || async { sign_up(&serving).await["position"].as_u64().is_some_and(|position| position > 2_010) }).await;
    eventually("it says so", || async {
        let relay = checks(&serving).await["relay"].take();
        relay["ok"] == false
            && relay["figures"]["lag_events"].as_u64().is_some_and(|lag| lag > 2_000)
            && relay["detail"].as_str().is_some_and(|detail| detail.contains("events behind"))
    })
    .await;
    assert!(servers.log("all").contains("the relay waits; commands go on"));

    servers.nats.restart();
    eventually("it has caught up", || published(&servers.db.pool, &serving)).await;
    eventually("and is fine", || async { checks(&serving).await["relay"]["ok"] == true }).await;
    let said = servers.log("all");
    assert!(said.contains("the relay publishes again") && said.contains("the relay has caught up"), "{said}");
}

async fn sign_up(serving: &Serving) -> Value {
    let email = format!("{}@example.org", uuid::Uuid::now_v7().simple());
    let body = serde_json::json!({ "email": email, "password": "a good password" });
    let http = reqwest::Client::new();
    let answer = http.post(format!("{}/v1/accounts", serving.url)).json(&body).send().await.expect("the program answers");
    answer.json().await.expect("an account")
}

/// The database is put back to an older state, and nobody says so: the stream has seen more. Relay, process managers and
/// projections stop, and say why; nothing of the lost history gets into the read models.
#[tokio::test]
async fn a_restored_database_stops_whoever_reads_the_log_with_an_alarm() {
    let servers = Servers::start().await;
    let mut serving = servers.serve("all").await;
    fill(&servers, 50).await;
    eventually("everything is published", || published(&servers.db.pool, &serving)).await;
    assert_eq!(serving.terminate(), Some(0));
    let backup = servers.db.copy().await;

    let mut serving = servers.serve("all").await;
    fill(&servers, 30).await;
    eventually("everything is published", || published(&servers.db.pool, &serving)).await;
    assert_eq!(serving.terminate(), Some(0));
    servers.db.put_back(backup).await;

    let serving = servers.begin_to_serve("all");
    eventually("whoever reads the log is alarmed", || async {
        let Ok(answer) = reqwest::get(format!("{}/readyz", serving.url)).await else { return false };
        let checks = answer.json::<Value>().await.expect("readyz is JSON")["checks"].take();
        let still = |detail: &str| detail.contains("stands still") || detail.contains("stand still");
        let alarmed = |check: &str| checks[check]["ok"] == false && checks[check]["detail"].as_str().is_some_and(still);
        alarmed("relay") && alarmed("processes") && alarmed("projection:seat_map") && alarmed("projection:sales")
    })
    .await;
    let said = servers.log("all");
    assert!(said.contains("the relay has stopped") && said.contains("the projection stands still"), "{said}");
    let checkpoints: Vec<i64> = sqlx::query_scalar("select position from checkpoints").fetch_all(&servers.db.pool).await.unwrap();
    assert!(checkpoints.iter().all(|position| *position <= 50), "nothing of the lost history was taken: {checkpoints:?}");
}

/// One byte of the stream's files is another: nobody notices but `verify`, which names the positions.
#[tokio::test]
async fn verify_reports_a_damaged_block() {
    let mut servers = Servers::start().await;
    let mut serving = servers.serve("all").await;
    fill(&servers, 20_000).await; // several files
    eventually("everything is published", || published(&servers.db.pool, &serving)).await;
    assert_eq!(serving.terminate(), Some(0));
    servers.nats.stop();
    let blocks = servers.nats.blocks(STREAM);
    assert!(blocks.len() > 1, "the first one isn't the stream's end");
    let block = &blocks[0];
    let mut bytes = fs::read(block).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(block, bytes).unwrap();
    servers.nats.restart();
    let (code, report) = servers.verify("0").await;
    assert_eq!(code, Some(3), "{report:#}");
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "jetstream").expect("the check");
    assert!(check["failed"].as_u64().unwrap() > 0, "{check:#}");
    assert!(check["faults"][0]["detail"].as_str().unwrap().contains("no message for this event"), "{check:#}");
}
