//! Measures the relay: Postgres → JetStream, from a backlog.

use anyhow::Result;
use async_nats::Client;
use serde::Serialize;
use socketing_event_store::{PgPool, log};
use socketing_nats::{Relay, StreamOptions};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// How fast the relay was.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Events that were to be published.
    pub events: u64,
    /// From the relay's start to the last confirmation.
    pub took_ms: u64,
    /// Events published and confirmed per second.
    pub events_per_s: u64,
}

/// Publishes the whole log of `pool` to the empty server of `client`, whose user must be the relay's.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn measure(pool: &PgPool, client: &Client) -> Result<Figures> {
    let events = log::head(pool).await?.position;
    let relay = Relay::new(pool.clone(), client, StreamOptions { window_bytes: -1, ..StreamOptions::default() }, None);
    let (mut status, shutdown) = (relay.status(), CancellationToken::new());
    let began = Instant::now();
    let running = tokio::spawn(relay.run(shutdown.clone()));
    status.wait_for(|status| status.published >= events).await?;
    let took = began.elapsed();
    shutdown.cancel();
    running.await?;
    Ok(Figures { events, took_ms: took.as_millis() as u64, events_per_s: (events as f64 / took.as_secs_f64()) as u64 })
}
