//! Friends over HTTP: asking and answering, who sees what of it, companions, and suggestions of those who allow them.

use crate::http_journey::Sale;
use serde_json::{Value, json};
use socketing_domain::limits::FRIEND_WORDS_PER_DAY_MAX;
use socketing_domain::{AccountId, PartyId, PerformanceId};
use socketing_projections::verify::verify;
use socketing_tests::api::{Reply, TestApi, TestPerson};
use socketing_tests::reading::TestReading;
use sqlx::PgPool;
use uuid::Uuid;

/// Says something of a friend, with a key of its own.
async fn post(api: &TestApi, person: &TestPerson, path: &str, body: &Value) -> Reply {
    let call = api.post(path).token(&person.token).key(&Uuid::now_v7().to_string());
    if body.is_null() { call.send().await } else { call.json(body).send().await }
}

async fn ask(api: &TestApi, person: &TestPerson, friend: &TestPerson) -> u64 {
    position(&post(api, person, "/v1/me/friends", &json!({ "account_id": friend.account })).await)
}

async fn dismiss(api: &TestApi, person: &TestPerson, friend: &TestPerson) -> u64 {
    position(&post(api, person, &format!("/v1/me/friends/{}/dismiss", friend.account), &Value::Null).await)
}

fn position(reply: &Reply) -> u64 {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["position"].as_u64().expect("a position")
}

async fn make_friends(api: &TestApi, one: &TestPerson, other: &TestPerson) -> u64 {
    ask(api, one, other).await;
    ask(api, other, one).await
}

/// The nicknames in a list.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|person| person["nickname"].as_str().expect("a nickname")).collect()
}

/// What someone sees: friends, requests, whom they asked.
async fn circle(reading: &TestReading, person: &TestPerson, position: u64) -> Value {
    let seen = reading.get_as(person.account, &format!("/v1/me/friends?min_position={position}")).await.ok();
    json!([names(&seen["friends"]), names(&seen["requests"]), names(&seen["asked"])])
}

async fn open_page(pool: &PgPool, performance: PerformanceId, account: AccountId) {
    sqlx::query("insert into presence (performance_id, account_id, instance) values ($1, $2, $3)")
        .bind(performance.0)
        .bind(account.0)
        .bind(Uuid::now_v7())
        .execute(pool)
        .await
        .expect("open a page");
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_are_two_who_ask_each_other_and_a_no_is_told_to_nobody() {
    let api = TestApi::start(&[]).await;
    let reading = TestReading::start(&api.db, None).await;
    let [minji, jiho, sora] = [api.person("minji").await, api.person("jiho").await, api.person("sora").await];
    let asked = position(&post(&api, &minji, "/v1/me/friends", &json!({ "nickname": " jiho " })).await);
    assert_eq!(circle(&reading, &minji, asked).await, json!([[], [], ["jiho"]]));
    assert_eq!(circle(&reading, &jiho, asked).await, json!([[], ["minji"], []]));
    assert_eq!(circle(&reading, &sora, asked).await, json!([[], [], []]), "it is nobody else's");

    let declined = dismiss(&api, &jiho, &minji).await;
    assert_eq!(circle(&reading, &jiho, declined).await, json!([[], [], []]));
    assert_eq!(circle(&reading, &minji, declined).await, json!([[], [], ["jiho"]]), "as if there were no answer");

    let friends = ask(&api, &jiho, &minji).await;
    ask(&api, &sora, &minji).await;
    let friends = friends.max(ask(&api, &minji, &sora).await);
    assert_eq!(circle(&reading, &minji, friends).await, json!([["jiho", "sora"], [], []]));
    assert_eq!(circle(&reading, &jiho, friends).await, json!([["minji"], [], []]), "and nothing of minji's others");

    let removed = dismiss(&api, &minji, &jiho).await;
    assert_eq!(circle(&reading, &minji, removed).await, json!([["sora"], [], []]));
    assert_eq!(circle(&reading, &jiho, removed).await, json!([[], [], ["minji"]]));
    let back = dismiss(&api, &jiho, &minji).await;
    assert_eq!(circle(&reading, &jiho, back).await, json!([[], [], []]));

    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    sqlx::query("update friend_words set wants = true where account_id = $1 and friend_id = $2")
        .bind(minji.account.0)
        .bind(jiho.account.0)
        .execute(&api.db.pool)
        .await
        .unwrap();
    let told: Vec<String> = verify(&api.db.pool).await.unwrap().into_iter().flat_map(|model| model.mismatches).map(|one| one.key).collect();
    assert_eq!(told, [format!("friend_words {} {}", minji.account, jiho.account)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_is_refused_and_what_is_said_twice_is_said_once() {
    let api = TestApi::start(&["--command-rate", "1000/s"]).await;
    let [minji, jiho] = [api.person("minji").await, api.person("jiho").await];
    let refused = async |body: Value, code: &str| {
        for language in ["ko", "en"] {
            let call = api.post("/v1/me/friends").token(&minji.token).key(&Uuid::now_v7().to_string()).header("accept-language", language);
            let reply = call.json(&body).send().await;
            assert_eq!(reply.code(), code, "{body}: {}", reply.body);
            assert!(!reply.text("title").is_empty() && !reply.text("hint").is_empty(), "{}", reply.body);
        }
    };
    refused(json!({ "account_id": minji.account }), "self_friend").await;
    refused(json!({ "nickname": "minji" }), "self_friend").await;
    refused(json!({ "nickname": "nobody" }), "unknown_account").await;
    refused(json!({ "account_id": AccountId::new() }), "unknown_account").await;
    refused(json!({}), "invalid_body").await;
    refused(json!({ "nickname": "jiho", "account_id": jiho.account }), "invalid_body").await;
    let alone = post(&api, &minji, &format!("/v1/me/friends/{}/dismiss", minji.account), &Value::Null).await;
    assert_eq!(alone.code(), "self_friend");

    let said = async || {
        let sql = "select count(*) from events where aggregate_id = $1 and event_type like 'Friend%'";
        sqlx::query_scalar::<_, i64>(sql).bind(minji.account.to_string()).fetch_one(&api.db.pool).await.unwrap()
    };
    assert_eq!(said().await, 0, "nothing was changed");
    ask(&api, &minji, &jiho).await;
    ask(&api, &minji, &jiho).await;
    assert_eq!(said().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_are_changed_so_often_a_day() {
    let api = TestApi::start(&["--command-rate", "1000/s"]).await;
    let [minji, jiho] = [api.person("minji").await, api.person("jiho").await];
    let path = format!("/v1/me/friends/{}/dismiss", jiho.account);
    let mut words = 0;
    let refused = loop {
        let reply = post(&api, &minji, &path, &Value::Null).await;
        if reply.status != 200 {
            break reply;
        }
        words += 1;
        assert!(words <= 2 * FRIEND_WORDS_PER_DAY_MAX, "nobody says more, though midnight may come meanwhile");
    };
    assert!(words >= FRIEND_WORDS_PER_DAY_MAX);
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "friend_changes_limit".to_owned()), "{}", refused.body);
    assert!(!refused.text("retry_at").is_empty(), "{}", refused.body);
    ask(&api, &jiho, &minji).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn companions_are_who_was_in_a_party_lately_and_is_no_friend_yet() {
    let sale = Sale::open_with(&[], &json!({})).await;
    let api = &sale.api;
    let reading = TestReading::start(&api.db, None).await;
    let [minji, jiho, sora, haru] =
        [api.person("minji").await, api.person("jiho").await, api.person("sora").await, api.person("haru").await];
    let party = PartyId::new();
    for friend in [&jiho, &sora, &haru] {
        sale.send(&minji, &format!("parties/{party}/invitations"), &json!({ "account_id": friend.account })).await;
    }
    for friend in [&jiho, &sora] {
        assert_eq!(sale.send(friend, &format!("parties/{party}/accept"), &Value::Null).await.status, 200);
    }
    let companions = async |person: &TestPerson, position: u64| {
        let seen = reading.get_as(person.account, &format!("/v1/me/companions?min_position={position}")).await.ok();
        let mut names: Vec<String> = names(&seen["people"]).into_iter().map(str::to_owned).collect();
        names.sort();
        names
    };
    let asked = ask(api, &minji, &jiho).await;
    assert_eq!(companions(&minji, asked).await, ["jiho", "sora"], "haru was invited only");
    assert_eq!(companions(&sora, asked).await, ["jiho", "minji"]);
    assert!(companions(&haru, asked).await.is_empty());
    let friends = ask(api, &jiho, &minji).await;
    assert_eq!(companions(&minji, friends).await, ["sora"], "friends have a list of their own");
    let dismissed = dismiss(api, &minji, &sora).await;
    assert!(companions(&minji, dismissed).await.is_empty());
    assert_eq!(companions(&sora, dismissed).await, ["jiho", "minji"], "sora learns nothing of it");
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_people_who_allow_it_and_are_here_are_suggested_and_friends_of_friends_come_first() {
    let api = TestApi::start(&[]).await;
    let reading = TestReading::start(&api.db, None).await;
    let performance = PerformanceId::new();
    let mut people = Vec::new();
    for name in ["minji", "friend", "near", "far", "shy", "away", "asked"] {
        people.push(api.person(name).await);
    }
    let [minji, friend, near, far, shy, away, asked] = people.try_into().expect("seven");
    for person in [&minji, &friend, &near, &far, &shy, &asked] {
        open_page(&api.db.pool, performance, person.account).await;
    }
    open_page(&api.db.pool, performance, near.account).await; // on a second device
    open_page(&api.db.pool, PerformanceId::new(), away.account).await;
    let allow = async |person: &TestPerson, allowed: bool| {
        position(&post(&api, person, "/v1/me/suggestions", &json!({ "allowed": allowed })).await)
    };
    let suggested = async |position: u64| {
        let path = format!("/v1/performances/{performance}/suggestions?min_position={position}");
        let seen = reading.get_as(minji.account, &path).await.ok();
        names(&seen["people"]).into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    make_friends(&api, &minji, &friend).await;
    let silent = make_friends(&api, &friend, &near).await;
    assert!(suggested(silent).await.is_empty(), "at first nobody may be suggested");
    for person in [&minji, &friend, &near, &far, &away, &asked] {
        allow(person, true).await;
    }
    let position = ask(&api, &minji, &asked).await;
    for _ in 0..10 {
        assert_eq!(suggested(position).await, ["near", "far"], "not oneself, friends, who was asked, is elsewhere or says no");
    }
    let mine = reading.get_as(near.account, &format!("/v1/me/friends?min_position={position}")).await.ok();
    assert_eq!(mine["suggestions_allowed"], true);
    let position = allow(&near, false).await;
    assert_eq!(suggested(position).await, ["far"]);
    sqlx::query("update presence set gone_at = clock_timestamp() where account_id = $1")
        .bind(far.account.0)
        .execute(&api.db.pool)
        .await
        .unwrap();
    assert!(suggested(position).await.is_empty());
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
}
