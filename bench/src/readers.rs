//! Waiting for those who follow the log: nothing is measured while they still read what the preparation made.

use crate::client::Connection;
use crate::server::{Running, ServerArgs};
use crate::{Common, relay};
use anyhow::{Context, Result};
use socketing_event_store::{PgPool, checkpoint, log};
use socketing_projections::health::standings;
use socketing_projections::projection::Model;
use std::time::Duration;
use tokio::time::sleep;

/// The checkpoint of the process managers.
const PROCESSES: &str = "processes";
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Returns when whatever runs in the server has everything that the log holds now.
pub(crate) async fn caught_up(common: &Common, pool: &PgPool, server: &Running, running: &ServerArgs) -> Result<()> {
    let head = log::head(pool).await?.position;
    if running.relay {
        published(common, head).await?;
    }
    while running.projections && standings(pool, &Model::ALL).await?.iter().any(|standing| standing.position < head) {
        sleep(LOOK_EVERY).await;
    }
    while running.processes && checkpoint::load(pool, PROCESSES).await?.is_none_or(|checkpoint| checkpoint.position < head) {
        sleep(LOOK_EVERY).await;
    }
    while running.notifier && delivered(server).await?.is_none_or(|position| position < head) {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// How far the notifier's mailboxes are.
async fn delivered(server: &Running) -> Result<Option<u64>> {
    let mut connection = Connection::open(server.address()).await?;
    let answer = connection.post("/delivered", "", "null").await?;
    serde_json::from_slice(answer.body).context("reading how far the mailboxes are")
}

/// Forgets the copy of an earlier run's log, which the relay would rightly refuse to go on with.
pub(crate) async fn forget_copy(common: &Common) -> Result<()> {
    let client = relay::client(&common.nats_url).await?;
    let jetstream = socketing_nats::jetstream(&client);
    if socketing_nats::stream::find(&jetstream).await?.is_some() {
        jetstream.delete_stream(socketing_nats::stream::STREAM).await.context("deleting the stream")?;
    }
    Ok(())
}

/// Returns when JetStream has everything up to this position.
pub(crate) async fn published(common: &Common, position: u64) -> Result<()> {
    let jetstream = socketing_nats::jetstream(&relay::client(&common.nats_url).await?);
    loop {
        // The relay makes the stream when it starts.
        let stream = socketing_nats::stream::find(&jetstream).await.context("looking at the stream")?;
        if stream.is_some_and(|stream| stream.cached_info().state.last_sequence >= position) {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}
