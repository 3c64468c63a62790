//! The operators' tools against a running system: the demo, people, plans, the log.

use crate::support::{Ran, Servers};
use serde_json::Value;
use std::io::Write as _;
use std::process::Stdio;
use tokio::task::spawn_blocking;

#[tokio::test]
async fn the_demo_people_plans_and_the_log() {
    let servers = Servers::start().await;
    let serving = servers.serve("all").await;
    let url = serving.url.as_str();

    let first = json(&servers.run(url, &["demo", "-o", "json"]).await);
    let second = json(&servers.run(url, &["demo", "-o", "json"]).await);
    assert_eq!(first["logins"], second["logins"]);
    let ids = |demo: &Value| demo["shows"].as_array().unwrap().iter().map(|show| show["show_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second), "the second time, everything is there");
    let signed_in = sign_in(url, &first["logins"][3]).await;
    assert_eq!(signed_in["role"], "operator");

    // `user create` reads the password from its input.
    let operator = ["user", "create", "--role", "operator", "--email", "op@example.org", "--password-stdin", "-o", "json"];
    let mut child = servers.command(url, &operator).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a good password\n").unwrap();
    let made = spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["role"], "operator");
    let login = serde_json::json!({ "email": "op@example.org", "password": "a good password" });
    assert_eq!(sign_in(url, &login).await["role"], "operator");

    let folder = tempfile::tempdir().unwrap();
    let hash = first_plan(&servers).await;
    let plan: Value = reqwest::get(format!("{url}/v1/plans/{hash}")).await.unwrap().json().await.unwrap();
    let file = folder.path().join("plan.json");
    std::fs::write(&file, plan.to_string()).unwrap();
    let imported = json(&servers.run(url, &["plan", "import", file.to_str().unwrap(), "-o", "json"]).await);
    assert_eq!(imported["plan"].as_str(), Some(hash.as_str()), "the same plan has the same name");

    let account = made["account_id"].as_str().unwrap();
    let events = json(&servers.run(url, &["events", "cat", "account", account, "-o", "json"]).await);
    let types: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["AccountOpened", "RoleGranted"]);
    let tail = servers.run(url, &["events", "tail", "-n", "2", "-o", "json"]).await;
    assert_eq!(tail.out().lines().count(), 2, "{}", tail.err());
    let nobody = uuid::Uuid::now_v7().to_string();
    assert_eq!(servers.run(url, &["events", "cat", "wallet", &nobody]).await.code(), Some(1));

    let (code, report) = servers.verify("60").await;
    assert_eq!(code, Some(0), "{report:#}");
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out()).unwrap_or_else(|_| panic!("{}{}", ran.out(), ran.err()))
}

async fn sign_in(url: &str, login: &Value) -> Value {
    let body = serde_json::json!({ "email": login["email"], "password": login["password"] });
    let answer = reqwest::Client::new().post(format!("{url}/v1/sessions")).json(&body).send().await.unwrap();
    answer.json().await.unwrap()
}

/// The demo's plan, by its name.
async fn first_plan(servers: &Servers) -> String {
    sqlx::query_scalar("select encode(hash, 'hex') from plans limit 1").fetch_one(&servers.db.pool).await.unwrap()
}
