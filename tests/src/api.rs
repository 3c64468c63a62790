//! The command API on a real port, over a real log, and a client that holds it to its own description.

use crate::stage::start_executor;
use crate::{TestDb, eventually};
use clap::Parser;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use socketing_command_api::config::CommandApiArgs;
use socketing_command_api::executor::Executor;
use socketing_command_api::{http, processes};
use socketing_domain::event::Actor;
use socketing_domain::{AccountId, Clock, PerformanceId, SystemClock};
use socketing_service::auth::{Auth, Claims, Tokens};
use socketing_service::config::{HttpArgs, SessionArgs};
use socketing_service::server::{Bounds, serve};
use socketing_service::stack::{StackConfig, finish};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The options of the command API, as the command line has them.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    api: CommandApiArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    session: SessionArgs,
}

/// A running command API with its process managers; stopped with this value.
pub struct TestApi {
    /// The log.
    pub db: TestDb,
    /// What decides.
    pub executor: Executor,
    /// Where it answers: `http://127.0.0.1:port`.
    pub url: String,
    client: reqwest::Client,
    description: Value,
    stop: CancellationToken,
    parts: Vec<JoinHandle<()>>,
}

impl Drop for TestApi {
    fn drop(&mut self) {
        self.stop.cancel();
        self.parts.iter().for_each(JoinHandle::abort);
    }
}

/// How long people may have no page open.
const AWAY: Duration = Duration::from_secs(5);

impl TestApi {
    /// With these options of the command line, and the defaults of all others.
    ///
    /// # Panics
    /// If it can't start.
    pub async fn start(options: &[&str]) -> TestApi {
        let options = Options::try_parse_from(["test"].iter().chain(options)).expect("options of the command API");
        let db = TestDb::new().await;
        let executor = start_executor(&db.pool, Arc::new(SystemClock)).await.expect("start the executor");
        let stop = CancellationToken::new();
        let auth = Auth::start(&db.pool, &options.session, options.http.origins(), stop.clone()).await.expect("start sessions");
        let lifetime = options.session.lifetime();
        let payments = options.api.payments.payments().expect("make the card provider's client");
        let api = http::Api::new(db.pool.clone(), executor.clone(), auth, Arc::new(SystemClock), &options.api, lifetime, payments.clone());
        let (router, document) = http::router(api.expect("start the pool for passwords")).split_for_parts();
        let service = finish(router, &StackConfig::from(&options.http));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("the port"));
        let served = serve(listener, service, stop.clone(), Bounds::from(&options.http));
        let followed = processes::run(db.pool.clone(), None, executor.clone(), payments, AWAY, stop.clone());
        let parts = vec![tokio::spawn(async { _ = served.await }), tokio::spawn(followed)];
        let description = serde_json::to_value(document).expect("a description");
        let client = reqwest::Client::new();
        TestApi { db, executor, url, client, description, stop, parts }
    }

    /// A request without anything but its method and path.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.url));
        Call { api: self, method, path: path.to_owned(), request }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// A `POST`.
    #[must_use]
    pub fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    /// Someone who just signed up, called as their address says.
    ///
    /// # Panics
    /// If they can't.
    pub async fn person(&self, name: &str) -> TestPerson {
        let body = json!({ "email": format!("{name}@example.com"), "password": "correct horse", "nickname": name });
        let reply = self.post("/v1/accounts").json(&body).send().await;
        assert_eq!(reply.status, 201, "{name} signs up: {}", reply.body);
        let text = |member: &str| reply.body[member].as_str().expect("a string").to_owned();
        TestPerson { account: text("account_id").parse().expect("an id"), nickname: text("nickname"), token: text("token") }
    }

    /// Someone with a role, given by the system as `socketing user create` does.
    ///
    /// # Panics
    /// If it can't be given.
    pub async fn person_with_role(&self, name: &str, role: &str) -> TestPerson {
        let person = self.person(name).await;
        let path = format!("/v1/accounts/{}/role", person.account);
        let reply = self.post(&path).token(&self.system_token().await).key("grant").json(&json!({ "role": role })).send().await;
        assert_eq!(reply.status, 200, "{name} becomes {role}: {}", reply.body);
        person
    }

    /// A token of the command line.
    ///
    /// # Panics
    /// If the key isn't there.
    pub async fn system_token(&self) -> String {
        let tokens = Tokens::load(&self.db.pool).await.expect("read the key").expect("the key was made at start");
        let expires_at = SystemClock.now().plus_seconds(60);
        tokens.sign(&Claims { session: Uuid::now_v7(), actor: Actor::System("cli"), expires_at })
    }

    /// Returns once the performance and its line are open, as they soon are when a show was published.
    pub async fn on_sale(&self, performance: PerformanceId) {
        let query = "select count(*) from events where aggregate_id = $1 and event_type in ('PerformanceScheduled', 'LineOpened')";
        eventually("the performance is on sale", || async {
            let opened: i64 = sqlx::query_scalar(query).bind(performance.to_string()).fetch_one(&self.db.pool).await.expect("read the log");
            opened == 2
        })
        .await;
    }

    /// The codes that the description has for an operation and a status; `None` if there is no such operation.
    fn documented(&self, method: &Method, path: &str, status: StatusCode) -> Option<Vec<String>> {
        let paths = self.description["paths"].as_object()?;
        let path = path.split('?').next().unwrap_or_default();
        let mut items: Vec<_> = paths.iter().filter(|(template, _)| fits(template, path)).collect();
        items.sort_by_key(|(template, _)| template.matches('{').count());
        let operation = items.first()?.1.get(method.as_str().to_lowercase())?;
        let content = &operation["responses"][status.as_str()]["content"]["application/problem+json"];
        Some(content["examples"].as_object().map(|examples| examples.keys().cloned().collect()).unwrap_or_default())
    }
}

/// Whether a path is one of a template's, such as `/v1/plans/{plan}`.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
}

/// Someone who signed up.
#[derive(Clone, Debug)]
pub struct TestPerson {
    /// Their account.
    pub account: AccountId,
    /// What others call them.
    pub nickname: String,
    /// Their bearer token.
    pub token: String,
}

/// A request on its way.
pub struct Call<'a> {
    api: &'a TestApi,
    method: Method,
    path: String,
    request: reqwest::RequestBuilder,
}

impl Call<'_> {
    /// With a bearer token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With an `Idempotency-Key`.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// With any body, of this content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.header("content-type", content_type).body(body);
        self
    }

    /// Sends it. A problem in answer must be one that the description has for this operation.
    ///
    /// # Panics
    /// If there is no answer, or one that the description doesn't have.
    pub async fn send(self) -> Reply {
        let response = self.request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body: Value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        let reply = Reply { status, headers, body };
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(reply.header("content-type"), "application/problem+json", "{} {}: {}", self.method, self.path, reply.body);
            if let Some(documented) = self.api.documented(&self.method, &self.path, status) {
                assert!(documented.contains(&reply.code()), "{} {} isn't described to answer {}", self.method, self.path, reply.body);
            }
        }
        reply
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body: `Null` if empty, a string if it isn't JSON.
    pub body: Value,
}

impl Reply {
    /// A problem's code; empty if it is none.
    #[must_use]
    pub fn code(&self) -> String {
        self.body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header; empty if it isn't there.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    }

    /// A member that must be a string.
    ///
    /// # Panics
    /// If it isn't.
    #[must_use]
    pub fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("{member} is no string in {}", self.body)).to_owned()
    }
}
