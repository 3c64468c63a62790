//! The read side at work: runners, queries over HTTP, and what a test asks of them.

use crate::{PATIENCE, TestDb, TestNats, eventually};
use axum::http::StatusCode;
use serde_json::Value;
use socketing_domain::{AccountId, Clock, SystemClock, event::Actor};
use socketing_event_store::log;
use socketing_projections::verify::{Verified, verify};
use socketing_projections::{Model, Parts, ProjectionArgs, Projections};
use socketing_service::auth::{Auth, Claims, Origins, Revocations, Tokens};
use socketing_service::health::Health;
use socketing_service::server::{Bounds, serve};
use socketing_service::stack::{StackConfig, finish};
use sqlx::PgPool;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Projections and their queries, on a port of their own.
pub struct TestReading {
    /// What runs.
    pub projections: Projections,
    /// Where the queries answer.
    pub url: String,
    auth: Auth,
    tokens: Tokens,
    client: reqwest::Client,
    stop: CancellationToken,
    tasks: TaskTracker,
    pool: PgPool,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its version, if it has one.
    pub etag: Option<String>,
    /// Its body; null if it has none.
    pub body: Value,
}

impl Answer {
    /// The body, after checking that all went well.
    ///
    /// # Panics
    /// If it didn't.
    #[must_use]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body
    }

    /// The status and the problem's code.
    #[must_use]
    pub fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }
}

impl TestReading {
    /// Starts all projections and the queries. Without a NATS server they read the log from Postgres.
    ///
    /// # Panics
    /// If they can't be started.
    pub async fn start(db: &TestDb, nats: Option<&TestNats>) -> TestReading {
        let subscription = match nats {
            Some(nats) => Some(nats.subscription().await),
            None => None,
        };
        let tokens = Tokens::load_or_create(&db.pool).await.expect("load the key of tokens");
        let auth = Auth::new(tokens.clone(), Revocations::default(), Origins::new(Vec::new()), Duration::from_secs(3_600));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let parts = Parts { pool: db.pool.clone(), subscription, auth: auth.clone(), args: ProjectionArgs { projection_lag: 1_000 } };
        let projections = Projections::start(parts, &stop, &tasks);
        let url = TestReading::serve(&projections, &stop, &tasks).await;
        TestReading { projections, url, auth, tokens, client: reqwest::Client::new(), stop, tasks, pool: db.pool.clone() }
    }

    async fn serve(projections: &Projections, stop: &CancellationToken, tasks: &TaskTracker) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen on loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (routes, _) = projections.router().split_for_parts();
        let routes = routes.merge(projections.checks(Health::new(stop.clone())).router());
        let config = StackConfig { trusted_proxies: Vec::new().into(), request_timeout: Duration::from_secs(30) };
        let bounds = Bounds { connections: 1_000, drain: Duration::from_secs(1) };
        tasks.spawn(serve(listener, finish(routes, &config), stop.clone(), bounds));
        url
    }

    /// Waits until every projection has come so far.
    ///
    /// # Panics
    /// If one doesn't.
    pub async fn reaches(&self, position: u64) {
        for model in Model::ALL {
            let reached = self.projections.progress().reach(model, position, Instant::now() + PATIENCE).await;
            reached.unwrap_or_else(|late| panic!("{model} doesn't reach {position}: {late:?}"));
        }
    }

    /// Asks without saying who asks.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(path, None, None).await
    }

    /// Asks as a person.
    pub async fn get_as(&self, account: AccountId, path: &str) -> Answer {
        self.ask(path, Some(self.auth.issue(account).token), None).await
    }

    /// Asks as a part of the system.
    pub async fn get_as_system(&self, path: &str) -> Answer {
        let expires_at = SystemClock.now().plus_seconds(60);
        let token = self.tokens.sign(&Claims { session: Uuid::now_v7(), actor: Actor::System("cli"), expires_at });
        self.ask(path, Some(token), None).await
    }

    /// Asks whether what one has is still so.
    pub async fn get_unless(&self, etag: &str, path: &str) -> Answer {
        self.ask(path, None, Some(etag)).await
    }

    async fn ask(&self, path: &str, token: Option<String>, etag: Option<&str>) -> Answer {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        let response = request.send().await.expect("an answer");
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let status = response.status();
        let body = response.bytes().await.expect("a body");
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
        Answer { status, etag, body }
    }

    /// Stops everything in good order.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until all that is in the log is in the read models, and checks that those equal a second fold of it.
    ///
    /// # Panics
    /// If they don't.
    pub async fn is_the_fold_of_the_log(&self) {
        let head = log::head(&self.pool).await.expect("the log's head").position;
        self.reaches(head).await;
        assert_verified(&self.pool).await;
    }
}

/// Checks that every read model equals a second fold of the log.
///
/// # Panics
/// If one doesn't.
pub async fn assert_verified(pool: &PgPool) {
    let wrong: Vec<Verified> = verify(pool).await.expect("verify").into_iter().filter(|verified| verified.mismatched > 0).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Waits until the stored checkpoint of a projection is there.
///
/// # Panics
/// If it doesn't come so far.
pub async fn stored_checkpoint_reaches(pool: &PgPool, model: Model, position: u64) {
    eventually("the stored checkpoint is there", || async {
        let stored = socketing_event_store::checkpoint::load(pool, model.reader()).await;
        stored.is_ok_and(|stored| stored.is_some_and(|stored| stored.position >= position))
    })
    .await;
}
