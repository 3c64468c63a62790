use super::*;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use std::sync::LazyLock;

fn auth() -> Auth {
    Auth::new(Tokens::new(b"key"), Revocations::default(), Origins::default(), Duration::from_secs(60))
}

fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
}

fn code(found: Result<Option<Caller>, Problem>) -> &'static str {
    found.unwrap_err().code().as_str()
}

static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/v1/me"));

#[test]
fn a_bearer_token_names_its_account_from_anywhere() {
    let account = AccountId::new();
    let token = auth().issue(account).token;
    let headers = headers(&[(AUTHORIZATION, &format!("bearer {token}")), (ORIGIN, "https://evil.example"), (HOST, "us.example")]);
    let caller = auth().caller(&Method::POST, &URI, &headers).unwrap().unwrap();
    assert_eq!((caller.actor, caller.via), (Actor::Account(account), Via::Bearer));
}

#[test]
fn a_cookie_acts_only_from_our_own_pages() {
    let account = AccountId::new();
    let cookie = format!("theme=dark; {SESSION_COOKIE}={}; other=1", auth().issue(account).token);
    let ours = headers(&[(COOKIE, &cookie), (HOST, "us.example"), (ORIGIN, "https://us.example")]);
    let theirs = headers(&[(COOKIE, &cookie), (HOST, "us.example"), (ORIGIN, "https://evil.example")]);
    let unnamed = headers(&[(COOKIE, &cookie), (HOST, "us.example")]);

    assert_eq!(auth().caller(&Method::POST, &URI, &ours).unwrap().unwrap().account().unwrap(), account);
    assert_eq!(code(auth().caller(&Method::POST, &URI, &theirs)), "origin_refused");
    assert_eq!(code(auth().caller(&Method::DELETE, &URI, &unnamed)), "origin_refused");
    assert!(auth().caller(&Method::GET, &URI, &unnamed).unwrap().is_some(), "reading changes nothing");

    assert!(auth().upgrade_caller(&URI, &ours).unwrap().is_some());
    assert_eq!(code(auth().upgrade_caller(&URI, &theirs)), "origin_refused");
    assert_eq!(code(auth().upgrade_caller(&URI, &unnamed)), "origin_refused");
}

#[test]
fn an_upgrade_needs_no_token_but_no_other_site_may_ask() {
    let nobody = headers(&[(HOST, "us.example")]);
    let elsewhere = headers(&[(HOST, "us.example"), (ORIGIN, "https://evil.example")]);
    assert_eq!(auth().upgrade_caller(&URI, &nobody), Ok(None));
    assert_eq!(code(auth().upgrade_caller(&URI, &elsewhere)), "origin_refused");
}

#[test]
fn what_is_not_valid_says_why() {
    let none = HeaderMap::new();
    assert_eq!(auth().caller(&Method::GET, &URI, &none), Ok(None));
    for (value, expected) in [("Basic abc", "unauthenticated"), ("Bearer", "unauthenticated"), ("Bearer skt_x", "unauthenticated")] {
        assert_eq!(code(auth().caller(&Method::GET, &URI, &headers(&[(AUTHORIZATION, value)]))), expected, "{value}");
    }
    let over = Auth::new(Tokens::new(b"key"), Revocations::default(), Origins::default(), Duration::ZERO);
    let token = format!("Bearer {}", over.issue(AccountId::new()).token);
    assert_eq!(code(over.caller(&Method::GET, &URI, &headers(&[(AUTHORIZATION, &token)]))), "session_expired");
}

#[test]
fn the_system_is_no_person() {
    let claims = Claims { session: Uuid::now_v7(), actor: Actor::System("cli"), expires_at: SystemClock.now().plus_seconds(60) };
    let token = format!("Bearer {}", Tokens::new(b"key").sign(&claims));
    let caller = auth().caller(&Method::POST, &URI, &headers(&[(AUTHORIZATION, &token)])).unwrap().unwrap();
    assert_eq!(caller.account().unwrap_err().code(), codes::NOT_A_PERSON);
}

#[tokio::test]
async fn the_extractors_tell_required_from_optional() {
    let state = auth();
    let (mut parts, ()) =
        axum::http::Request::builder().uri("/v1/me").header(COOKIE, "socketing_session=skt_old").body(()).unwrap().into_parts();
    let required = <Caller as FromRequestParts<Auth>>::from_request_parts(&mut parts, &state).await;
    assert_eq!(required.unwrap_err().code(), codes::UNAUTHENTICATED);
    let optional = <Caller as OptionalFromRequestParts<Auth>>::from_request_parts(&mut parts, &state).await;
    assert_eq!(optional, Ok(None));
}
