//! What every command over HTTP has in common: keys, sign-in, bodies, limits, problems.

use serde_json::{Value, json};
use socketing_domain::{EntryId, HoldId, PerformanceId};
use socketing_tests::api::{TestApi, TestPerson};
use socketing_tests::stage::{import, small_plan};
use uuid::Uuid;

/// A show of one performance that is on sale, with its organiser.
async fn show(api: &TestApi, policies: &Value) -> (TestPerson, PerformanceId) {
    let organiser = api.person_with_role("organiser", "organiser").await;
    let plan = import(&api.db.pool, &small_plan(2, 5)).await.unwrap();
    let (show, performance) = (Uuid::now_v7(), PerformanceId::new());
    let body = json!({
        "show_id": show, "title": { "ko": "공연" }, "venue": { "ko": "극장" }, "plan": plan,
        "dates": [{ "performance": performance, "starts_at": "2099-01-01T10:00:00Z" }],
        "prices": [{ "category": "R", "price": 50_000 }], "sale_opens_at": "2020-01-01T00:00:00Z", "policies": policies,
    });
    let created = api.post("/v1/shows").token(&organiser.token).key("create").json(&body).send().await;
    assert_eq!(created.status, 201, "{}", created.body);
    let published = api.post(&format!("/v1/shows/{show}/publish")).token(&organiser.token).key("publish").send().await;
    assert_eq!(published.status, 200, "{}", published.body);
    api.on_sale(performance).await;
    (organiser, performance)
}

#[tokio::test]
async fn the_key_decides_what_is_a_retry() {
    let api = TestApi::start(&[]).await;
    let (_, performance) = show(&api, &json!({})).await;
    let fan = api.person("minji").await;
    let path = format!("/v1/performances/{performance}/line");
    let join = |entry: EntryId| api.post(&path).token(&fan.token).json(&json!({ "entry_id": entry }));
    let (first, second) = (EntryId::new(), EntryId::new());

    let missing = join(first).send().await;
    assert_eq!((missing.status.as_u16(), missing.code()), (400, "idempotency_key_missing".into()));
    for bad in ["\"\"", "a b", &"k".repeat(256)] {
        assert_eq!(join(first).key(bad).send().await.code(), "idempotency_key_invalid", "{bad}");
    }
    let twice = join(first).key("a").key("b").send().await;
    assert_eq!(twice.code(), "idempotency_key_invalid");

    let joined = join(first).key("join").send().await;
    assert_eq!((joined.status.as_u16(), joined.text("entry_id"), joined.text("state")), (200, first.to_string(), "inside".into()));
    assert_eq!(joined.header("idempotency-replayed"), "");
    let again = join(first).key("\"join\"").send().await;
    assert_eq!((again.status, &again.body, again.header("idempotency-replayed")), (joined.status, &joined.body, "true".into()));
    let reused = join(second).key("join").send().await;
    assert_eq!((reused.status.as_u16(), reused.code()), (422, "idempotency_key_reused".into()));
}

#[tokio::test]
async fn a_refusal_is_replayed_as_it_was() {
    let api = TestApi::start(&[]).await;
    let (_, performance) = show(&api, &json!({})).await;
    let (minji, jiho) = (api.person("minji").await, api.person("jiho").await);
    for fan in [&minji, &jiho] {
        let path = format!("/v1/performances/{performance}/line");
        let joined = api.post(&path).token(&fan.token).key("join").json(&json!({ "entry_id": EntryId::new() })).send().await;
        assert_eq!(joined.status, 200);
    }
    let holds = format!("/v1/performances/{performance}/holds");
    let (first, second) = (HoldId::new(), HoldId::new());
    let hold = |fan: &TestPerson, hold: HoldId, key: &str| {
        api.post(&holds).token(&fan.token).key(key).header("accept-language", "ko").json(&json!({ "hold_id": hold, "seats": [2, 3] }))
    };
    let held = hold(&minji, first, "k").send().await;
    assert_eq!((held.status.as_u16(), &held.body["seats"], &held.body["total"]), (201, &json!([2, 3]), &json!(100_000)));

    let taken = hold(&jiho, second, "k").send().await;
    assert_eq!((taken.status.as_u16(), taken.code()), (409, "seat_taken".into()));
    assert_eq!(taken.text("title"), "다른 분이 먼저 잡은 좌석입니다");
    assert_eq!(taken.text("instance"), holds);
    assert!(!taken.body["seats"].as_array().unwrap().is_empty() && !taken.body["alternatives"].as_array().unwrap().is_empty());
    assert!(taken.body["position"].as_u64().unwrap() >= held.body["position"].as_u64().unwrap());

    let release = format!("{holds}/{first}/release");
    assert_eq!(api.post(&release).token(&minji.token).key("release").send().await.status, 200);
    let replayed = hold(&jiho, second, "k").send().await;
    assert_eq!((replayed.code(), &replayed.body["position"]), ("seat_taken".into(), &taken.body["position"]));
    assert_eq!(hold(&jiho, HoldId::new(), "another").send().await.status, 201, "a new key asks anew");
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_with_their_place() {
    let api = TestApi::start(&[]).await;
    let fan = api.person("minji").await;
    let path = format!("/v1/performances/{}/holds", PerformanceId::new());
    let send = |body: String| api.post(&path).token(&fan.token).key("k").body("application/json", body).send();
    let id = HoldId::new();
    for (body, code, place) in [
        (format!(r#"{{"hold_id":"{id}","seats":[1,-2]}}"#), "invalid_body", "/seats/1"),
        (format!(r#"{{"hold_id":"{id}","seats":[1],"extra":0}}"#), "invalid_body", "/extra"),
        (r#"{"hold_id":"x","seats":[1]}"#.to_owned(), "invalid_body", "/hold_id"),
        (r#"{"hold_id":"6f0f3c1e-63c4-4a30-8d4b-2c7b7a1f0b11","seats":[1]}"#.to_owned(), "invalid_body", "/hold_id"),
        (format!(r#"{{"hold_id":"{id}"}}"#), "invalid_body", ""),
        ("{".to_owned(), "bad_json", "-"),
        ("[".repeat(50_000), "bad_json", "-"),
        (format!(r#"{{"hold_id":"{id}","seats":[{}1]}}"#, "1,".repeat(100_000)), "too_large", "-"),
    ] {
        let reply = send(body.clone()).await;
        assert_eq!(reply.code(), code, "{}", reply.body);
        assert_eq!(reply.body["errors"][0]["path"].as_str().unwrap_or("-"), place, "{}", reply.body);
    }
    let reply = api.post(&path).token(&fan.token).key("k").body("text/plain", "{}").send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (415, "unsupported_media_type".into()));
    let recorded: i64 =
        sqlx::query_scalar("select count(*) from command_log where command = 'hold_seats'").fetch_one(&api.db.pool).await.unwrap();
    assert_eq!(recorded, 0, "what can't be read isn't recorded");
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_to() {
    let api = TestApi::start(&[]).await;
    let path = format!("/v1/performances/{}/line/leave", PerformanceId::new());
    let reply = api.post(&path).key("k").send().await;
    assert_eq!((reply.status.as_u16(), reply.code(), reply.header("www-authenticate")), (401, "unauthenticated".into(), "Bearer".into()));
    assert_eq!(api.post(&path).key("k").token("skt_forged").send().await.code(), "unauthenticated");
}

#[tokio::test]
async fn addresses_that_are_none_are_problems() {
    let api = TestApi::start(&[]).await;
    let fan = api.person("minji").await;
    let reply = api.get("/v1/nothing/here").header("accept-language", "ko").send().await;
    assert_eq!((reply.status.as_u16(), reply.code(), reply.text("title")), (404, "not_found".into(), "찾는 것이 없습니다".into()));
    let reply = api.get("/v1/accounts").send().await;
    assert_eq!((reply.status.as_u16(), reply.code(), reply.header("allow")), (405, "method_not_allowed".into(), "POST".into()));
    let reply = api.post("/v1/performances/7/line/leave").token(&fan.token).key("k").send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (400, "invalid_id".into()));
    let reply = api.post(&format!("/v1/performances/{}/line/leave", PerformanceId::new())).token(&fan.token).key("k").send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (404, "not_in_line".into()));
}

#[tokio::test]
async fn commands_are_limited_per_account() {
    let api = TestApi::start(&["--command-rate", "2/h"]).await;
    let (minji, jiho) = (api.person("minji").await, api.person("jiho").await);
    let path = format!("/v1/performances/{}/line/leave", PerformanceId::new());
    let leave = |person: &TestPerson, key: &str| api.post(&path).token(&person.token).key(key).send();
    let first = leave(&minji, "a").await;
    assert_eq!(first.code(), "not_in_line");
    assert_eq!(leave(&minji, "b").await.code(), "not_in_line");
    let refused = leave(&minji, "c").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "too_many_requests".into()));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(leave(&jiho, "a").await.code(), "not_in_line", "others aren't");
}

#[tokio::test]
async fn the_events_carry_the_requests_trace() {
    let api = TestApi::start(&[]).await;
    let body = json!({ "email": "minji@example.com", "password": "correct horse" });
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let reply = api.post("/v1/accounts").header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01")).json(&body).send().await;
    assert_eq!(reply.status, 201);
    let metadata: String =
        sqlx::query_scalar("select metadata::text from events where event_type = 'AccountOpened'").fetch_one(&api.db.pool).await.unwrap();
    assert!(metadata.contains(trace) && metadata.contains("system:accounts"), "{metadata}");
}

#[tokio::test]
async fn the_server_tells_its_time() {
    let api = TestApi::start(&[]).await;
    let now = api.get("/v1/time").send().await.text("now");
    assert!(now.starts_with("20") && now.ends_with('Z'), "{now}");
}
