//! One batch of events: rows, parked events and checkpoint in one transaction.

use super::RunError;
use crate::projection::{HandlerError, Model, Projection};
use socketing_domain::event::Recorded;
use socketing_event_store::{Checkpoint, RawEvent, checkpoint};
use socketing_service::problem::chain;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;

/// Characters of an error that are kept with a parked event: a sentence and its causes.
const ERROR_CHARS_MAX: usize = 1_000;

/// What became of a batch.
pub(super) enum Applied {
    /// All of it is written.
    Committed,
    /// An event can't be handled, now or later: nothing is written.
    Refused(HandlerError),
}

/// An event that waits for its handler to be mended.
struct Parked<'a> {
    event: &'a RawEvent,
    /// `None`: it waits behind another of its stream.
    error: Option<String>,
}

type StreamKey = (String, String);

fn stream_of(event: &RawEvent) -> StreamKey {
    (event.aggregate_type.clone(), event.aggregate_id.clone())
}

/// Applies a batch with one call of the handler: the usual way.
pub(super) async fn apply_at_once(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    at: &Checkpoint,
    to: &Checkpoint,
    events: &[Arc<RawEvent>],
) -> Result<Applied, RunError> {
    let model = projection.model();
    let relevant: Vec<&RawEvent> = relevant(projection, events).collect();
    if relevant.is_empty() {
        // Nothing to write but how far we are: one statement.
        checkpoint::store(connection, model.reader(), at.position, to).await?;
        return Ok(Applied::Committed);
    }
    let mut tx = connection.begin().await.map_err(RunError::database("begin a batch"))?;
    // First, so that the checkpoint's row is locked: a second owner, or whoever retries parked events, waits here.
    checkpoint::store(&mut tx, model.reader(), at.position, to).await?;
    let mut streams = parked_streams(&mut tx, model).await?;
    let (recorded, parked) = decode_all(projection, &relevant, &mut streams);
    park(&mut tx, model, &parked).await?;
    if !recorded.is_empty() {
        match projection.handle(&mut tx, &recorded).await {
            Ok(()) => {}
            Err(error) if error.is_repeatable() => {
                tx.rollback().await.map_err(RunError::database("undo a batch"))?;
                return Ok(Applied::Refused(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    tx.commit().await.map_err(RunError::database("commit a batch"))?;
    Ok(Applied::Committed)
}

/// Applies a batch event by event, each within a savepoint, and parks the streams of those that can't be handled.
pub(super) async fn apply_one_by_one(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    at: &Checkpoint,
    to: &Checkpoint,
    events: &[Arc<RawEvent>],
) -> Result<(), RunError> {
    let model = projection.model();
    let mut tx = connection.begin().await.map_err(RunError::database("begin a batch"))?;
    checkpoint::store(&mut tx, model.reader(), at.position, to).await?;
    let mut streams = parked_streams(&mut tx, model).await?;
    let mut parking = Vec::new();
    for event in relevant(projection, events) {
        if streams.contains(&stream_of(event)) {
            parking.push(Parked { event, error: None });
        } else if let Err(error) = handle_one(&mut tx, projection, event).await? {
            streams.insert(stream_of(event));
            parking.push(parked(model, event, error));
        }
    }
    park(&mut tx, model, &parking).await?;
    tx.commit().await.map_err(RunError::database("commit a batch"))
}

/// Handles one event within a savepoint. The inner error is one that would repeat, with its causes.
pub(super) async fn handle_one(
    tx: &mut PgConnection,
    projection: &dyn Projection,
    event: &RawEvent,
) -> Result<Result<(), String>, RunError> {
    let recorded = match event.decode() {
        Ok(recorded) => recorded,
        Err(error) => return Ok(Err(short(&error))),
    };
    let mut savepoint = tx.begin().await.map_err(RunError::database("set a savepoint"))?;
    match projection.handle(&mut savepoint, std::slice::from_ref(&recorded)).await {
        Ok(()) => savepoint.commit().await.map_err(RunError::database("release a savepoint"))?,
        Err(error) if error.is_repeatable() => {
            savepoint.rollback().await.map_err(RunError::database("go back to a savepoint"))?;
            return Ok(Err(short(&error)));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Ok(()))
}

/// The events of streams that the projection reads, in order.
fn relevant<'a>(projection: &dyn Projection, events: &'a [Arc<RawEvent>]) -> impl Iterator<Item = &'a RawEvent> {
    let streams = projection.streams();
    events.iter().map(Arc::as_ref).filter(move |event| streams.contains(&event.aggregate_type.as_str()))
}

/// Reads the events of streams that aren't parked. One that can't be read parks its stream.
fn decode_all<'a>(
    projection: &dyn Projection,
    events: &[&'a RawEvent],
    streams: &mut HashSet<StreamKey>,
) -> (Vec<Recorded>, Vec<Parked<'a>>) {
    let (mut recorded, mut parked) = (Vec::with_capacity(events.len()), Vec::new());
    for &event in events {
        if !streams.is_empty() && streams.contains(&stream_of(event)) {
            parked.push(Parked { event, error: None });
            continue;
        }
        match event.decode() {
            Ok(event) => recorded.push(event),
            Err(error) => {
                streams.insert(stream_of(event));
                parked.push(self::parked(projection.model(), event, short(&error)));
            }
        }
    }
    (recorded, parked)
}

fn parked(model: Model, event: &RawEvent, error: String) -> Parked<'_> {
    tracing::error!(
        projection = %model, position = event.position, stream = format!("{} {}", event.aggregate_type, event.aggregate_id), error,
        "an event can't be handled; its stream is parked"
    );
    Parked { event, error: Some(error) }
}

fn short(error: &(dyn Error + 'static)) -> String {
    chain(error).chars().take(ERROR_CHARS_MAX).collect()
}

/// The streams that are parked. Few, if any: each has one event with an error.
async fn parked_streams(tx: &mut PgConnection, model: Model) -> Result<HashSet<StreamKey>, RunError> {
    let rows: Vec<StreamKey> = sqlx::query_as("select distinct aggregate_type, aggregate_id from parked_events where projection = $1")
        .bind(model.name())
        .fetch_all(tx)
        .await
        .map_err(RunError::database("read parked_events"))?;
    Ok(rows.into_iter().collect())
}

async fn park(tx: &mut PgConnection, model: Model, parked: &[Parked<'_>]) -> Result<(), RunError> {
    if parked.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into parked_events (projection, aggregate_type, aggregate_id, position, error)
         select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::text[])",
    )
    .bind(model.name())
    .bind(parked.iter().map(|parked| parked.event.aggregate_type.as_str()).collect::<Vec<&str>>())
    .bind(parked.iter().map(|parked| parked.event.aggregate_id.as_str()).collect::<Vec<&str>>())
    .bind(parked.iter().map(|parked| i64::try_from(parked.event.position).unwrap_or(i64::MAX)).collect::<Vec<i64>>())
    .bind(parked.iter().map(|parked| parked.error.as_deref()).collect::<Vec<Option<&str>>>())
    .execute(tx)
    .await
    .map_err(RunError::database("write parked_events"))?;
    Ok(())
}
