//! Seats over HTTP: the best ones for so many people, single seats that may not be left alone, and what can't be asked for.

use serde_json::{Value, json};
use socketing_domain::{EntryId, HoldId, PerformanceId};
use socketing_tests::api::{Reply, TestApi, TestPerson};
use socketing_tests::stage::{import, small_plan};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Three rows of eight on sale by these rules.
async fn on_sale(api: &TestApi, policies: &Value) -> PerformanceId {
    let organiser = api.person_with_role("organiser", "organiser").await;
    let plan = import(&api.db.pool, &small_plan(3, 8)).await.unwrap();
    let (show, performance) = (Uuid::now_v7(), PerformanceId::new());
    let body = json!({
        "show_id": show, "title": { "ko": "공연" }, "venue": { "ko": "극장" }, "plan": plan,
        "dates": [{ "performance": performance, "starts_at": "2099-01-01T10:00:00Z" }],
        "prices": [{ "category": "R", "price": 50_000 }], "sale_opens_at": "2020-01-01T00:00:00Z", "policies": policies,
    });
    assert_eq!(api.post("/v1/shows").token(&organiser.token).key("create").json(&body).send().await.status, 201);
    assert_eq!(api.post(&format!("/v1/shows/{show}/publish")).token(&organiser.token).key("publish").send().await.status, 200);
    api.on_sale(performance).await;
    performance
}

async fn inside(api: &TestApi, performance: PerformanceId, name: &str) -> TestPerson {
    let fan = api.person(name).await;
    let path = format!("/v1/performances/{performance}/line");
    let joined = api.post(&path).token(&fan.token).key("join").json(&json!({ "entry_id": EntryId::new() })).send().await;
    assert_eq!((joined.status.as_u16(), joined.text("state")), (200, "inside".to_owned()));
    fan
}

async fn best(api: &TestApi, performance: PerformanceId, fan: &TestPerson, key: &str, hold: HoldId, wishes: Value) -> Reply {
    let path = format!("/v1/performances/{performance}/holds/best");
    api.post(&path).token(&fan.token).key(key).json(&json!({ "hold_id": hold, "wishes": wishes })).send().await
}

fn seats(reply: &Reply) -> Vec<u64> {
    reply.body["seats"].as_array().unwrap().iter().map(|seat| seat.as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_best_seats_are_held_by_one_command_and_the_same_key_gives_them_again() {
    let api = TestApi::start(&[]).await;
    let performance = on_sale(&api, &json!({})).await;
    let (minji, jiho) = (inside(&api, performance, "minji").await, inside(&api, performance, "jiho").await);
    let hold = HoldId::new();
    let first = best(&api, performance, &minji, "k", hold, json!({ "people": 2 })).await;
    assert_eq!((first.status.as_u16(), seats(&first), first.text("kind")), (201, vec![3, 4], "contiguous".to_owned()));
    assert_eq!(first.body["total"], 100_000);
    let other = best(&api, performance, &jiho, "k", HoldId::new(), json!({ "people": 2 })).await;
    assert_eq!(seats(&other), [1, 2], "whatever others hold");
    let again = best(&api, performance, &minji, "k", hold, json!({ "people": 2 })).await;
    assert_eq!((again.status, &again.body, again.header("idempotency-replayed")), (first.status, &first.body, "true".to_owned()));
    let split = json!({ "people": 4, "near": 5, "at_worst": "contiguous" });
    let one_row = best(&api, performance, &minji, "k2", HoldId::new(), split).await;
    assert_eq!((one_row.text("kind"), one_row.body["seats"].as_array().unwrap().len()), ("contiguous".to_owned(), 4));
}

#[tokio::test]
async fn everyone_who_asks_for_the_best_at_once_gets_seats_of_their_own() {
    let api = TestApi::start(&[]).await;
    let performance = on_sale(&api, &json!({ "capacity": 100 })).await;
    let mut fans = Vec::new();
    for nth in 0..12 {
        fans.push(inside(&api, performance, &format!("fan{nth}")).await);
    }
    let asked = fans.iter().map(|fan| best(&api, performance, fan, "k", HoldId::new(), json!({ "people": 2 })));
    let replies = futures::future::join_all(asked).await;
    let held: Vec<u64> = replies.iter().flat_map(seats).collect();
    assert_eq!((held.len(), held.iter().collect::<BTreeSet<_>>().len()), (24, 24), "all 24 seats, each once");
    let late = inside(&api, performance, "late").await;
    let none = best(&api, performance, &late, "k", HoldId::new(), json!({ "people": 2 })).await;
    assert_eq!((none.status.as_u16(), none.code()), (409, "no_block".to_owned()));
}

#[tokio::test]
async fn what_cant_be_is_refused_in_both_languages_and_changes_nothing() {
    let api = TestApi::start(&[]).await;
    let performance = on_sale(&api, &json!({})).await;
    let fan = inside(&api, performance, "minji").await;
    let count = "select count(*) from events where aggregate_type = 'performance'";
    let events = || async { sqlx::query_scalar::<_, i64>(count).fetch_one(&api.db.pool).await.unwrap() };
    let before = events().await;
    let best = |wishes: Value| ("holds/best", json!({ "hold_id": HoldId::new(), "wishes": wishes }));
    let some = |seats: Value| ("holds", json!({ "hold_id": HoldId::new(), "seats": seats }));
    for (nth, ((path, body), code)) in [
        (best(json!({ "people": 0 })), "seat_count"),
        (best(json!({ "people": -1 })), "seat_count"),
        (best(json!({ "people": 1_000_000_000 })), "seat_count"),
        (best(json!({ "people": 2, "wheelchairs": 3 })), "seat_count"),
        (best(json!({ "people": 5 })), "seat_limit"),
        (best(json!({ "people": 1, "near": 24 })), "unknown_seat"),
        (best(json!({ "people": 1, "category": 9 })), "invalid"),
        (best(json!({ "people": 1, "area": 9 })), "invalid"),
        (some(json!([])), "no_seats"),
        (some(json!([3, 4, 3])), "seat_twice"),
        (some(json!([3, 24])), "unknown_seat"),
        (some(json!([4_000_000_000_u32])), "unknown_seat"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut titles = BTreeSet::new();
        for language in ["ko", "en"] {
            let path = format!("/v1/performances/{performance}/{path}");
            let ask = api.post(&path).token(&fan.token).key(&format!("{nth}{language}")).header("accept-language", language);
            let refused = ask.json(&body).send().await;
            assert_eq!(refused.code(), code, "{body}: {}", refused.body);
            assert!(!refused.text("hint").is_empty(), "the way on");
            titles.insert(refused.text("title"));
        }
        assert_eq!(titles.len(), 2, "{code} in Korean and in English");
    }
    assert_eq!(events().await, before);
}

#[tokio::test]
async fn a_single_seat_left_alone_is_refused_with_better_choices() {
    let api = TestApi::start(&[]).await;
    let performance = on_sale(&api, &json!({ "no_orphans": true })).await;
    let fan = inside(&api, performance, "minji").await;
    let path = format!("/v1/performances/{performance}/holds");
    let hold = |seats: Value, key: &str| {
        api.post(&path).token(&fan.token).key(key).json(&json!({ "hold_id": HoldId::new(), "seats": seats })).send()
    };
    let refused = hold(json!([1, 2]), "a").await;
    assert_eq!((refused.status.as_u16(), refused.code(), &refused.body["seats"]), (409, "seat_left_alone".to_owned(), &json!([0])));
    let better = refused.body["blocks"][0].clone();
    assert_eq!(better["kind"], "contiguous");
    assert_eq!(hold(better["seats"].clone(), "b").await.status, 201, "what is named can be had");
}

#[tokio::test]
async fn choosing_again_gives_no_more_time() {
    let api = TestApi::start(&[]).await;
    let performance = on_sale(&api, &json!({})).await;
    let fan = inside(&api, performance, "minji").await;
    let path = format!("/v1/performances/{performance}/holds");
    let hold = |seats: Value, key: &str| {
        api.post(&path).token(&fan.token).key(key).json(&json!({ "hold_id": HoldId::new(), "seats": seats })).send()
    };
    let first = hold(json!([3]), "a").await;
    let more = hold(json!([3, 4]), "b").await;
    assert_eq!(more.text("expires_at"), first.text("expires_at"), "a seat that is kept keeps its time");
    let release = format!("{path}/{}/release", more.text("hold_id"));
    assert_eq!(api.post(&release).token(&fan.token).key("c").send().await.status, 200);
    assert_eq!(hold(json!([4]), "d").await.text("expires_at"), first.text("expires_at"), "letting go and taking back gives none");
    let extend = format!("{path}/{}/extend", more.text("hold_id"));
    assert_eq!(api.post(&extend).token(&fan.token).key("e").send().await.code(), "unknown_hold");
}
