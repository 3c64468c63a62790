//! The server is killed in the middle of a rush, again and again, at moments that a seed decides, and started again. The
//! fans go on under the same keys; nothing that was answered is lost, nothing happens twice.

use crate::support::Servers;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use socketing_tests::eventually;

/// How often the server is killed.
const KILLS: usize = 3;
/// How far apart, in events of the log: up to so many.
const EVENTS_APART: std::ops::Range<i64> = 10..160;

#[tokio::test]
async fn a_rush_survives_kills_at_random_moments() {
    let seed = std::env::var("SOCKETING_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| rand::rng().random::<u64>());
    println!("SOCKETING_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let servers = Servers::start().await;
    let mut serving = servers.serve("all").await;
    let (url, port, fans_seed) = (serving.url.clone(), serving.port(), seed.to_string());
    let arguments = ["rush", "--fans", "60", "--seed", &fans_seed, "--capacity", "16", "--patience", "60", "--json", "--quiet"];
    let rush = servers.begin(&url, &arguments);
    eventually("fans are in the line", || async { count(&servers, "QueueJoined").await >= 10 }).await;
    for _ in 0..KILLS {
        let moment = position(&servers).await + dice.random_range(EVENTS_APART);
        // The rush may be over before: then it is killed once more for nothing, which must not matter either.
        eventually("the sale goes on", || async { position(&servers).await >= moment || is_quiet(&servers).await }).await;
        serving.kill();
        serving = servers.serve_on(port, "all").await;
    }
    let ran = rush.await.unwrap();
    assert_eq!(ran.code(), Some(0), "seed {seed}: {}{}\n{}", ran.out(), ran.err(), servers.log("all"));
    let report: Value = serde_json::from_str(&ran.out()).unwrap();
    assert_eq!(report["settled"]["maps_equal"], 60, "seed {seed}: {report:#}");
    let (code, report) = servers.verify("60").await;
    assert_eq!(code, Some(0), "seed {seed}: {report:#}");
}

async fn position(servers: &Servers) -> i64 {
    sqlx::query_scalar("select position from log_head").fetch_one(&servers.db.pool).await.unwrap()
}

async fn count(servers: &Servers, event_type: &str) -> i64 {
    sqlx::query_scalar("select count(*) from events where event_type = $1").bind(event_type).fetch_one(&servers.db.pool).await.unwrap()
}

/// Nothing has happened for longer than any fan thinks or forgets.
async fn is_quiet(servers: &Servers) -> bool {
    let quiet = "select clock_timestamp() - max(recorded_at) > interval '25 s' from events";
    sqlx::query_scalar(quiet).fetch_one(&servers.db.pool).await.unwrap()
}
