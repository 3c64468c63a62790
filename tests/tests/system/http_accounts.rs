//! Sign-up, sign-in and sign-out over HTTP.

use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use socketing_command_api::accounts::{Email, HashPool, people};
use socketing_domain::AccountId;
use socketing_service::auth::{Auth, Origins};
use socketing_service::config::SessionArgs;
use socketing_tests::api::{Reply, TestApi};
use socketing_tests::eventually;
use tokio_util::sync::CancellationToken;

fn minji(password: &str) -> serde_json::Value {
    json!({ "email": "minji@example.com", "password": password })
}

async fn sign_in(api: &TestApi, password: &str) -> Reply {
    api.post("/v1/sessions").json(&minji(password)).send().await
}

/// The cookie that an answer sets, as a request sends it.
fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

async fn count(api: &TestApi, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&api.db.pool).await.unwrap()
}

#[tokio::test]
async fn who_signs_up_is_signed_in_with_an_account_in_the_log() {
    let api = TestApi::start(&[]).await;
    let reply = api.post("/v1/accounts").json(&json!({ "email": " Minji@Example.com ", "password": "correct horse" })).send().await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.body["role"], "fan");
    assert!(reply.body["position"].as_u64().is_some_and(|position| position > 0));
    let set = reply.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/") && !set.contains("Secure"), "{set}");

    let me = api.get("/v1/me").token(&reply.text("token")).send().await;
    assert_eq!((me.text("email"), me.text("nickname")), ("minji@example.com".into(), reply.text("nickname")));
    assert_eq!(api.get("/v1/me").header("cookie", &cookie(&reply)).send().await.body, me.body);
    let nickname = reply.text("nickname");
    assert!(nickname.chars().all(|c| ('가'..='힣').contains(&c)), "{nickname}");

    assert_eq!(count(&api, "select count(*) from events where event_type = 'AccountOpened'").await, 1);
    assert_eq!(count(&api, "select count(*) from people where opened").await, 1);
    assert_eq!(count(&api, "select count(*) from people where password_hash like '$argon2id$v=19$m=19456,t=2,p=1$%'").await, 1);
    eventually("the wallet is opened", || async {
        count(&api, "select count(*) from events where event_type = 'WalletOpened'").await == 1
    })
    .await;
}

#[tokio::test]
async fn nothing_personal_or_secret_reaches_the_log() {
    let api = TestApi::start(&[]).await;
    let person = api.person("minji").await;
    let friend = api.person("jiho").await;
    let path = format!("/v1/performances/{}/parties/{}/invitations", uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let invited = api.post(&path).token(&person.token).key("invite").json(&json!({ "nickname": friend.nickname })).send().await;
    assert_eq!(invited.code(), "unknown_performance");
    for secret in ["minji", "jiho", "correct horse", "argon2", &person.token] {
        for table in ["events", "command_log", "command_packs", "intents"] {
            let query = format!("select count(*) from {table} as t where position($1 in t::text) > 0");
            let found: i64 = sqlx::query_scalar(&query).bind(secret).fetch_one(&api.db.pool).await.unwrap();
            assert_eq!(found, 0, "{secret} stands in {table}");
        }
    }
}

#[tokio::test]
async fn an_address_and_a_nickname_belong_to_one() {
    let api = TestApi::start(&[]).await;
    api.person("minji").await;
    let again = |email: &str, nickname: &str| json!({ "email": email, "password": "another", "nickname": nickname });
    let reply = api.post("/v1/accounts").json(&again("MINJI@example.com", "other")).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "email_taken".into()));
    let reply = api.post("/v1/accounts").json(&again("other@example.com", "minji")).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "nickname_taken".into()));
}

#[tokio::test]
async fn of_many_who_want_one_address_at_once_one_gets_it() {
    let api = TestApi::start(&[]).await;
    let body = minji("correct horse");
    let replies = join_all((0..8).map(|_| api.post("/v1/accounts").json(&body).send())).await;
    let mut codes: Vec<String> = replies.iter().map(|reply| format!("{} {}", reply.status.as_u16(), reply.code())).collect();
    codes.sort();
    assert_eq!(codes, [vec!["201 ".to_owned()], vec!["409 email_taken".to_owned(); 7]].concat());
    assert_eq!(count(&api, "select count(*) from people").await, 1);
}

#[tokio::test]
async fn what_does_not_fit_is_named_all_at_once() {
    let api = TestApi::start(&[]).await;
    let reply = api.post("/v1/accounts").json(&json!({ "email": "minji", "password": "short", "nickname": "a\u{200b}" })).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (422, "invalid_body".into()));
    let paths: Vec<_> = reply.body["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/email", "/password", "/nickname"]);
    let long = "x".repeat(129);
    let reply = api.post("/v1/accounts").json(&minji(&long)).send().await;
    assert_eq!((reply.code(), reply.body["errors"][0]["path"].as_str()), ("invalid_body".into(), Some("/password")));
    assert_eq!(count(&api, "select count(*) from people").await, 0);
}

#[tokio::test]
async fn signing_in_needs_the_right_password() {
    let api = TestApi::start(&[]).await;
    let person = api.person("minji").await;
    let reply = sign_in(&api, "correct horse").await;
    assert_eq!((reply.status.as_u16(), reply.text("account_id")), (200, person.account.to_string()));
    assert_eq!(api.get("/v1/me").token(&reply.text("token")).send().await.status, 200);
    let wrong = sign_in(&api, "wrong horse").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.code(), wrong.header("www-authenticate")),
        (401, "invalid_credentials".into(), "Bearer".into())
    );
    let unknown = api.post("/v1/sessions").json(&json!({ "email": "jiho@example.com", "password": "x" })).send().await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (401, "unknown_email".into()));
}

#[tokio::test]
async fn signing_in_opens_an_account_whose_sign_up_was_cut_short() {
    let api = TestApi::start(&[]).await;
    let hash = HashPool::start(1, 1).unwrap().hash("correct horse".into()).await.unwrap();
    let email = Email::parse("minji@example.com").unwrap();
    people::insert(&api.db.pool, AccountId::new(), &email, None, &hash, &mut StdRng::seed_from_u64(1)).await.unwrap();
    assert_eq!(count(&api, "select count(*) from events").await, 0);
    assert_eq!(sign_in(&api, "correct horse").await.status, 200);
    assert_eq!(sign_in(&api, "correct horse").await.status, 200);
    assert_eq!(count(&api, "select count(*) from events where event_type = 'AccountOpened'").await, 1);
    assert_eq!(count(&api, "select count(*) from people where opened").await, 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_in_every_process() {
    let api = TestApi::start(&[]).await;
    let person = api.person("minji").await;
    let elsewhere =
        Auth::start(&api.db.pool, &SessionArgs { session_hours: 1 }, Origins::default(), CancellationToken::new()).await.unwrap();
    let headers = || {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", person.token).parse().unwrap());
        headers
    };
    let asked = || elsewhere.caller(&axum::http::Method::GET, &"/".parse().unwrap(), &headers());
    assert!(asked().unwrap().is_some());

    let other = sign_in(&api, "correct horse").await.text("token");
    let out = api.call(reqwest::Method::DELETE, "/v1/sessions/current").token(&person.token).send().await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").starts_with("socketing_session=;") && out.header("set-cookie").contains("Max-Age=0"));

    assert_eq!(api.get("/v1/me").token(&person.token).send().await.code(), "session_expired");
    eventually("another process knows", || async { asked().is_err() }).await;
    assert_eq!(api.get("/v1/me").token(&other).send().await.status, 200, "another session of the same person goes on");
}

#[tokio::test]
async fn a_cookie_acts_only_from_our_own_pages() {
    let api = TestApi::start(&["--allowed-origins", "https://box-office.example"]).await;
    api.person("minji").await;
    let signed_in = sign_in(&api, "correct horse").await;
    let cookie = cookie(&signed_in);
    let sign_out = || api.call(reqwest::Method::DELETE, "/v1/sessions/current").header("cookie", &cookie);
    for refused in [sign_out().header("origin", "https://evil.example"), sign_out()] {
        let reply = refused.send().await;
        assert_eq!((reply.status.as_u16(), reply.code()), (403, "origin_refused".into()));
    }
    assert_eq!(api.get("/v1/me").header("cookie", &cookie).send().await.status, 200, "reading needs no origin");
    let granted = api.post("/v1/accounts/018f0000-0000-7000-8000-000000000000/role").header("cookie", &cookie).key("k");
    let granted = granted.header("origin", "https://box-office.example").json(&json!({ "role": "operator" })).send().await;
    assert_eq!(granted.code(), "forbidden", "an allowed origin passes, the role doesn't");
    assert_eq!(sign_out().header("origin", &api.url).send().await.status, 204);
    assert_eq!(api.get("/v1/me").header("cookie", &cookie).send().await.code(), "session_expired");
}

#[tokio::test]
async fn over_https_the_cookie_stays_there() {
    let api = TestApi::start(&[]).await;
    let reply = api.post("/v1/accounts").header("x-forwarded-proto", "https").json(&minji("correct horse")).send().await;
    assert!(reply.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn guessing_is_limited_per_account_and_address() {
    let options = ["--sign-in-rate", "3/h", "--sign-in-account-rate", "5/h", "--trusted-proxies", "127.0.0.1"];
    let api = TestApi::start(&options).await;
    api.person("minji").await;
    api.person("jiho").await;
    let from = |address: &'static str, who: &'static str, password: &'static str| {
        let body = json!({ "email": format!("{who}@example.com"), "password": password });
        api.post("/v1/sessions").header("x-forwarded-for", address).json(&body).send()
    };
    for _ in 0..3 {
        assert_eq!(from("203.0.113.5", "minji", "wrong").await.code(), "invalid_credentials");
    }
    let refused = from("203.0.113.5", "minji", "correct horse").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "too_many_attempts".into()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(wait >= 1 && refused.body["retry_after"].as_u64().is_some());
    assert_eq!(refused.header("ratelimit-policy"), "\"sign-in\";q=3;w=3600");
    assert!(refused.header("ratelimit").starts_with("\"sign-in\";r=0;t="));

    assert_eq!(from("203.0.113.5", "jiho", "correct horse").await.status, 200, "another account isn't limited");
    assert_eq!(from("203.0.113.6", "minji", "correct horse").await.status, 200, "nor is another address");
    assert_eq!(from("203.0.113.7", "minji", "wrong").await.code(), "invalid_credentials");
    let spread = from("203.0.113.8", "minji", "wrong").await;
    assert_eq!(spread.code(), "too_many_attempts", "guessing from many addresses is limited too");
}

#[tokio::test]
async fn an_address_has_a_limit_for_all_accounts_together() {
    let api = TestApi::start(&["--sign-in-address-rate", "2/h", "--sign-up-rate", "1/h", "--trusted-proxies", "127.0.0.1"]).await;
    let attempt = |nth: u32| {
        let body = json!({ "email": format!("nobody{nth}@example.com"), "password": "x" });
        api.post("/v1/sessions").header("x-forwarded-for", "2001:db8::1").json(&body).send()
    };
    assert_eq!(attempt(1).await.code(), "unknown_email");
    assert_eq!(attempt(2).await.code(), "unknown_email");
    assert_eq!(attempt(3).await.code(), "too_many_attempts");
    let sign_up = |nth: u32| {
        let body = json!({ "email": format!("new{nth}@example.com"), "password": "correct horse" });
        api.post("/v1/accounts").header("x-forwarded-for", "2001:db8::2").json(&body).send()
    };
    assert_eq!(sign_up(1).await.status, 201);
    assert_eq!(sign_up(2).await.code(), "too_many_requests");
}

#[tokio::test]
async fn when_too_many_sign_up_at_once_some_are_told_to_come_back() {
    let api = TestApi::start(&["--password-threads", "1", "--password-queue", "1"]).await;
    let sign_up = |nth: u32| {
        let body = json!({ "email": format!("fan{nth}@example.com"), "password": "correct horse" });
        api.post("/v1/accounts").json(&body).send()
    };
    let replies = join_all((0..40).map(sign_up)).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for reply in &refused {
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "busy".into()));
        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    }
    assert_eq!(count(&api, "select count(*) from people where opened").await, made.len() as i64, "who was refused left nothing behind");
}

#[tokio::test]
async fn friends_are_found_by_their_exact_nickname() {
    let api = TestApi::start(&[]).await;
    let (minji, jiho) = (api.person("minji").await, api.person("jiho").await);
    let found = api.get("/v1/people?nickname=jiho").token(&minji.token).send().await;
    assert_eq!(found.body, json!({ "account_id": jiho.account.to_string(), "nickname": "jiho" }));
    let by_link = format!("/v1/people?account_id={}", jiho.account);
    assert_eq!(api.get(&by_link).token(&minji.token).send().await.body, found.body);
    assert_eq!(api.get(&format!("{by_link}&nickname=jiho")).token(&minji.token).send().await.code(), "invalid_query");
    assert_eq!(api.get("/v1/people?nickname=jih").token(&minji.token).send().await.code(), "unknown_account");
    assert_eq!(api.get("/v1/people?nickname=jiho").send().await.code(), "unauthenticated");
    assert_eq!(api.get("/v1/people").token(&minji.token).send().await.code(), "invalid_query");
}

#[tokio::test]
async fn roles_are_given_by_operators_and_count_at_once() {
    let api = TestApi::start(&[]).await;
    let operator = api.person_with_role("operator", "operator").await;
    let minji = api.person("minji").await;
    let path = format!("/v1/accounts/{}/role", minji.account);
    let give = |token: &str, key: &str, role: &str| api.post(&path).token(token).key(key).json(&json!({ "role": role })).send();
    assert_eq!(give(&minji.token, "a", "operator").await.code(), "forbidden");
    assert_eq!(give(&operator.token, "b", "organiser").await.status, 200);
    assert_eq!(api.get("/v1/me").token(&minji.token).send().await.text("role"), "organiser");
    assert_eq!(sign_in(&api, "correct horse").await.text("role"), "organiser");
    assert_eq!(give(&operator.token, "c", "emperor").await.code(), "invalid_body");
    let nobody = format!("/v1/accounts/{}/role", AccountId::new());
    let reply = api.post(&nobody).token(&operator.token).key("d").json(&json!({ "role": "fan" })).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (404, "unknown_account".into()));
}
