//! The relay: Postgres → JetStream, from a backlog. Nothing else runs.

use crate::measure::Figures;
use anyhow::{Context, Result};
use async_nats::Client;
use serde_json::json;
use socketing_event_store::{PgPool, log};
use socketing_nats::{NatsConfig, Relay, StreamOptions, connect, is_connected};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long the server may take to answer, before the clock.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A client for [`measure`]. The URL's user must be the relay's.
pub(crate) async fn client(url: &str) -> Result<Client> {
    let client = connect(&NatsConfig { url: url.to_owned(), name: "socketing-bench".into() }).await?;
    let connected = async {
        while !is_connected(&client) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(CONNECT_MAX, connected).await.context("NATS doesn't answer")?;
    Ok(client)
}

/// Publishes the whole log of `pool` into a stream that isn't there yet, to the last confirmation. The log must not grow meanwhile.
pub(crate) async fn measure(pool: &PgPool, client: &Client) -> Result<Figures> {
    let events = log::head(pool).await?.position;
    let relay = Relay::new(pool.clone(), client, StreamOptions::default());
    let (mut status, shutdown) = (relay.status(), CancellationToken::new());
    let began = Instant::now();
    let running = tokio::spawn(relay.run(shutdown.clone()));
    status.wait_for(|status| status.published >= events).await?;
    let took = began.elapsed();
    shutdown.cancel();
    running.await?;
    let mut figures = Figures::new();
    figures.insert("events_per_s".into(), json!((events as f64 / took.as_secs_f64()).round()));
    figures.insert("events".into(), json!(events));
    figures.insert("took_ms".into(), json!(took.as_millis() as u64));
    Ok(figures)
}
