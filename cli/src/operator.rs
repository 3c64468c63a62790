//! What operators' commands do through the API, with the system's own token.

use crate::client::{Api, Ask};
use crate::failure::{Exit, Failure};
use anyhow::Context as _;
use serde_json::{Value, json};
use socketing_domain::account::Role;
use socketing_domain::event::Actor;
use socketing_domain::{Clock as _, SystemClock};
use socketing_event_store::{PgPool, PoolOptions};
use socketing_service::auth::{Claims, Tokens};
use uuid::Uuid;

/// How long the system's own token lives: as long as one command of an operator.
const TOKEN_SECONDS: u32 = 300;

/// Connects to the system's database.
///
/// # Errors
/// If it can't be reached.
pub(crate) async fn database(url: &str, options: &PoolOptions) -> anyhow::Result<PgPool> {
    let connected = socketing_event_store::connect(url, options).await;
    Ok(connected.map_err(|error| {
        Failure::new(Exit::Unreachable, "can't use the system's database")
            .because(error)
            .hint("start it with ./dev up, or name another with --database-url")
    })?)
}

/// A short-lived token of the system itself. Whoever can read its database may have one.
///
/// # Errors
/// If the database can't be reached, or the system has never run.
pub(crate) async fn system_token(database_url: &str) -> anyhow::Result<String> {
    let pool = database(database_url, &PoolOptions::new("socketing-cli", 2)).await?;
    let tokens = Tokens::load(&pool).await.context("reading the key that tokens are signed with")?;
    let tokens = tokens.ok_or_else(|| Failure::new(Exit::Failure, "the system has never run").hint("start it with ./dev up"))?;
    let expires_at = SystemClock.now().plus_seconds(TOKEN_SECONDS);
    Ok(tokens.sign(&Claims { session: Uuid::now_v7(), actor: Actor::System("cli"), expires_at }))
}

/// Gives an account a role.
///
/// # Errors
/// What the API says.
pub(crate) async fn grant(api: &Api, token: &str, account: Uuid, role: Role) -> anyhow::Result<()> {
    let (path, key) = (format!("/v1/accounts/{account}/role"), Uuid::now_v7().to_string());
    let body = json!({ "role": role });
    let granted = api.call_patiently(Ask::post(&path, &body).by(token).key(&key)).await;
    granted.map_err(|error| error.failure(api, "granting the role"))?;
    Ok(())
}

/// Imports a plan and returns its hash.
///
/// # Errors
/// What the API says.
pub(crate) async fn import_plan(api: &Api, token: &str, plan: &Value) -> anyhow::Result<Value> {
    let imported = api.call_patiently(Ask::post("/v1/plans", plan).by(token)).await;
    Ok(imported.map_err(|error| error.failure(api, "importing the plan"))?.body["plan"].clone())
}

/// Makes a show and publishes it; returns the log position that covers it.
///
/// # Errors
/// What the API says.
pub(crate) async fn publish_show(api: &Api, token: &str, show: &Value) -> anyhow::Result<u64> {
    let key = Uuid::now_v7().to_string();
    let made = api.call_patiently(Ask::post("/v1/shows", show).by(token).key(&key)).await;
    made.map_err(|error| error.failure(api, "making the show"))?;
    let path = format!("/v1/shows/{}/publish", show["show_id"].as_str().unwrap_or_default());
    let key = Uuid::now_v7().to_string();
    let published = api.call_patiently(Ask::post(&path, &json!({})).by(token).key(&key)).await;
    let answer = published.map_err(|error| error.failure(api, "publishing the show"))?.body;
    Ok(answer["position"].as_u64().unwrap_or(0))
}
