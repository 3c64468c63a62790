//! Who may open a live connection, and what one may do with it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use socketing_domain::event::Actor;
use socketing_domain::{AccountId, Clock, PerformanceId, SystemClock};
use socketing_notifier::LiveArgs;
use socketing_service::auth::{Caller, Claims, Tokens, Via};
use socketing_tests::live::{LiveClient, LiveOptions, Refused, TestLive};
use socketing_tests::{TestDb, eventually};
use uuid::Uuid;

struct Door {
    db: TestDb,
    live: TestLive,
}

impl Door {
    async fn new() -> Result<Door> {
        let db = TestDb::new().await;
        let live = TestLive::start(&db.pool, None).await?;
        Ok(Door { db, live })
    }

    fn origin(&self) -> String {
        format!("http://{}", self.live.address)
    }

    fn cookie(&self, account: AccountId) -> String {
        format!("socketing_session={}", self.live.auth.issue(account).token)
    }

    async fn knock(&self, headers: &[(&'static str, &str)]) -> Result<LiveClient> {
        LiveClient::open(self.live.address, headers).await
    }

    /// A token whose time is over.
    async fn expired(&self, account: AccountId) -> Result<String> {
        let tokens = Tokens::load_or_create(&self.db.pool).await?;
        Ok(tokens.sign(&Claims { session: Uuid::now_v7(), actor: Actor::Account(account), expires_at: SystemClock.now() }))
    }
}

fn refusal(answer: Result<LiveClient>) -> Result<Refused> {
    answer.err().context("it was let in")?.downcast()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_let_in_from_our_own_pages_only() -> Result<()> {
    let door = Door::new().await?;
    let account = AccountId::new();
    let cookie = door.cookie(account);
    let client = door.knock(&[("cookie", &cookie), ("origin", &door.origin())]).await?;
    assert_eq!(client.hello["account"], json!(account));

    let without = refusal(door.knock(&[("cookie", &cookie)]).await)?;
    assert_eq!((without.status, without.code.as_str()), (403, "origin_refused"));
    let elsewhere = refusal(door.knock(&[("cookie", &cookie), ("origin", "https://evil.example")]).await)?;
    assert_eq!((elsewhere.status, elsewhere.code.as_str()), (403, "origin_refused"));
    let nobody_elsewhere = refusal(door.knock(&[("origin", "https://evil.example")]).await)?;
    assert_eq!(nobody_elsewhere.status, 403);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_send_a_token_or_nothing() -> Result<()> {
    let door = Door::new().await?;
    let account = AccountId::new();
    assert_eq!(door.live.connect_as(account).await?.hello["account"], json!(account));
    assert_eq!(door.live.connect().await?.hello.get("account"), None);
    let forged = refusal(door.knock(&[("authorization", "Bearer forged")]).await)?;
    assert_eq!((forged.status, forged.code.as_str()), (401, "unauthenticated"));
    let late = format!("Bearer {}", door.expired(account).await?);
    let late = refusal(door.knock(&[("authorization", &late)]).await)?;
    assert_eq!((late.status, late.code.as_str()), (401, "session_expired"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_whose_cookie_has_run_out_sees_what_is_public() -> Result<()> {
    let door = Door::new().await?;
    let cookie = format!("socketing_session={}", door.expired(AccountId::new()).await?);
    let mut client = door.knock(&[("cookie", &cookie), ("origin", &door.origin())]).await?;
    assert_eq!(client.hello.get("account"), None);
    client.send(&json!({"type": "subscribe", "id": 1, "topic": "me"})).await?;
    assert_eq!(client.next().await?["code"], "unauthenticated");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_closes_what_is_open_also_when_another_process_does_it() -> Result<()> {
    let door = Door::new().await?;
    let issued = door.live.auth.issue(AccountId::new());
    let mut client = door.knock(&[("authorization", &format!("Bearer {}", issued.token))]).await?;
    let mut stays = door.live.connect_as(AccountId::new()).await?;
    let elsewhere = TestLive::start(&door.db.pool, None).await?;
    let claims = Tokens::load_or_create(&door.db.pool).await?.verify(&issued.token, SystemClock.now())?;
    let caller = Caller { actor: claims.actor, session: claims.session, expires_at: claims.expires_at, via: Via::Bearer };
    elsewhere.auth.revoke(&door.db.pool, &caller).await?;
    assert_eq!(u16::from(client.farewell().await?.code), 4401);
    stays.send(&json!({"type": "ping"})).await?;
    assert_eq!(stays.next().await?["type"], "pong");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_says_when_to_come_back() -> Result<()> {
    let db = TestDb::new().await;
    let args = LiveArgs { live_connections: 2, ..LiveArgs::default() };
    let live = TestLive::start_with(&db.pool, None, LiveOptions { args, ..LiveOptions::default() }).await?;
    let _one = live.connect().await?;
    let other = live.connect().await?;
    let full = refusal(live.connect().await)?;
    assert_eq!((full.status, full.code.as_str()), (503, "busy"));
    assert!(full.retry_after.is_some());
    drop(other);
    eventually("the place is free again", || async { live.connect().await.is_ok() }).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_sends_everyone_elsewhere() -> Result<()> {
    let door = Door::new().await?;
    let mut clients = [door.live.connect().await?, door.live.connect().await?];
    door.live.drain();
    for client in &mut clients {
        let reconnect = client.next().await?;
        assert_eq!(reconnect["type"], "reconnect");
        assert!(reconnect["after_ms"].as_u64().is_some_and(|wait| wait <= 5_000), "{reconnect}");
        assert_eq!(u16::from(client.farewell().await?.code), 1012);
    }
    let late = refusal(door.live.connect().await)?;
    assert_eq!((late.status, late.code.as_str()), (503, "unavailable"));
    door.live.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_done_is_answered_and_the_connection_goes_on() -> Result<()> {
    let door = Door::new().await?;
    let mut client = door.live.connect().await?;
    let performance = PerformanceId::new();
    let subscribe = |id: u32, topic: &str| json!({"type": "subscribe", "id": id, "topic": topic, "performance": performance});
    let cases: [(Value, Option<u32>, &str); 8] = [
        (subscribe(1, "seats"), Some(1), "unknown_performance"),
        (subscribe(2, "line"), Some(2), "unknown_performance"),
        (subscribe(3, "wallets"), Some(3), "unknown_topic"),
        (subscribe(4, "me"), Some(4), "unauthenticated"),
        (json!({"type": "subscribe", "id": 5, "topic": "seats"}), Some(5), "bad_message"),
        (json!({"type": "subscribe", "id": 6, "topic": "seats", "performance": "x"}), Some(6), "bad_message"),
        (json!({"type": "unsubscribe", "id": 7}), Some(7), "bad_message"),
        (json!({"type": "hello"}), None, "bad_message"),
    ];
    for (message, id, code) in cases {
        client.send(&message).await?;
        let answer = client.next().await?;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{message}");
        assert_eq!(answer.get("id"), id.map(|id| json!(id)).as_ref(), "{message}");
        assert!(answer["title"].is_string() && answer["hint"].is_string());
    }
    client.send_text("{").await?;
    assert_eq!(client.next().await?["code"], "bad_message");
    client.send(&json!({"type": "ping"})).await?;
    assert_eq!(client.next().await?["type"], "pong");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_told_in_the_clients_language() -> Result<()> {
    let door = Door::new().await?;
    let mut client = door.knock(&[("accept-language", "ko-KR,ko;q=0.9")]).await?;
    client.send(&json!({"type": "unsubscribe", "id": 1})).await?;
    let title = client.next().await?["title"].as_str().unwrap_or_default().to_owned();
    assert!(title.chars().any(|letter| ('가'..='힣').contains(&letter)), "{title}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_bounded() -> Result<()> {
    let door = Door::new().await?;
    let mut client = door.live.connect_as(AccountId::new()).await?;
    for id in 0..16 {
        client.send(&json!({"type": "subscribe", "id": id, "topic": "me"})).await?;
        assert_eq!(client.next().await?["type"], "snapshot");
    }
    client.send(&json!({"type": "subscribe", "id": 0, "topic": "me"})).await?;
    assert_eq!(client.next().await?["code"], "bad_message", "the id is in use");
    client.send(&json!({"type": "subscribe", "id": 16, "topic": "me"})).await?;
    assert_eq!(client.next().await?["code"], "too_many_subscriptions");
    client.send(&json!({"type": "unsubscribe", "id": 3})).await?;
    assert_eq!(client.next().await?["type"], "unsubscribed");
    client.send(&json!({"type": "subscribe", "id": 16, "topic": "me"})).await?;
    assert_eq!(client.next().await?["type"], "snapshot");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_talks_too_much_is_closed() -> Result<()> {
    let door = Door::new().await?;
    let mut client = door.live.connect().await?;
    for _ in 0..1_000 {
        if client.send(&json!({"type": "ping"})).await.is_err() {
            break;
        }
    }
    assert_eq!(u16::from(client.farewell().await?.code), 1008);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_ends_the_connection() -> Result<()> {
    let door = Door::new().await?;
    let mut client = door.live.connect().await?;
    client.send_text(&"x".repeat(10_000)).await?;
    assert!(client.next().await.is_err());
    door.live.connect().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_request_to_the_address_is_refused() -> Result<()> {
    let door = Door::new().await?;
    let answer = reqwest::get(format!("http://{}/v1/live", door.live.address)).await?;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let ready: Value = serde_json::from_str(&reqwest::get(format!("http://{}/readyz", door.live.address)).await?.text().await?)?;
    assert_eq!(ready["checks"]["live"]["ok"], true, "{ready}");
    Ok(())
}
