//! The stream `BOOKING`, declared here: its settings with their reasons, how it is made, compared with the log, and made
//! again.
//!
//! It is a copy of the log that can be made again at any time; a message's stream sequence is its event's position.

use crate::config::SERVER_MIN;
use crate::message::{self, Incoming};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, PersistenceMode, RawMessageErrorKind, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use socketing_event_store::checkpoint::Mismatch;
use socketing_event_store::log::{self, Head};
use socketing_event_store::{PgPool, StoreError};
use std::error::Error;
use std::time::Duration;
use tokio::time::sleep;
use uuid::Uuid;

/// The stream's name.
pub const STREAM: &str = "BOOKING";
/// What it holds.
pub const SUBJECTS: &str = "booking.>";
/// Bytes kept by default: about two million events, some days of busy sales. Readers that want older ones read Postgres.
pub const WINDOW_BYTES: i64 = 1024 * 1024 * 1024;
/// A stream that is made anew begins so many events before the log's end at most: more would be discarded again by
/// [`WINDOW_BYTES`], and filling a million takes about half a minute.
pub const REFILL_EVENTS_MAX: u64 = 1_000_000;

/// Tries at making the stream anew: right after it was deleted, a busy server may not be able to (seen: error 10049, "error
/// creating store for stream").
const CREATE_TRIES: usize = 5;
/// The pause between two of them.
const CREATE_PAUSE: Duration = Duration::from_millis(200);

const LOG_KEY: &str = "socketing-log";
const INCARNATION_KEY: &str = "socketing-incarnation";

/// What an installation may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamOptions {
    /// Copies in a NATS cluster: 1 on one server, 3 over three.
    pub replicas: usize,
    /// Bytes kept.
    pub window_bytes: i64,
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions { replicas: 1, window_bytes: WINDOW_BYTES }
    }
}

/// Why the stream can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The server is too old.
    #[error("nats-server {found} is too old: {}.{} or later is needed", SERVER_MIN.0, SERVER_MIN.1)]
    ServerTooOld {
        /// Its version.
        found: String,
    },
    /// JetStream said no, or nothing.
    #[error("can't {operation}")]
    JetStream {
        /// What was tried, as it reads after "can't".
        operation: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The log couldn't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream holds another history than the log: nothing is published until an operator has it rebuilt.
    #[error("stream {STREAM} holds another history than the log: {0}")]
    OtherHistory(String),
}

impl StreamError {
    fn jetstream(operation: &'static str) -> impl Fn(Box<dyn Error + Send + Sync>) -> StreamError {
        move |source| StreamError::JetStream { operation, source }
    }
}

/// The stream's settings, for the log that `head` names.
#[must_use]
pub fn definition(head: &Head, options: &StreamOptions, first_sequence: u64) -> Config {
    let mut config = Config {
        name: STREAM.into(),
        // File, with the server's default sync_interval: Postgres is the proof, and a lost tail is filled again.
        storage: StorageType::File,
        // Confirmed before it is written: the end that a killed server loses is published again, as after a power cut. With
        // more copies than one, the server writes so by itself, and refuses to be told.
        persist_mode: (options.replicas == 1).then_some(PersistenceMode::Async),
        first_sequence: Some(first_sequence),
        ..Config::default()
    };
    settle(&mut config, head, options);
    config
}

/// Those settings that can be changed on a stream that exists.
fn settle(config: &mut Config, head: &Head, options: &StreamOptions) {
    config.description = Some("The log of Socketing, copied from PostgreSQL; sequence = position. Made again at any time.".into());
    config.subjects = vec![SUBJECTS.into()];
    config.retention = RetentionPolicy::Limits;
    // A window, oldest out: with `new`, a full stream would stop the relay.
    config.discard = DiscardPolicy::Old;
    config.max_bytes = options.window_bytes;
    // No limit by age or count: bytes are what the disk has, and the events of a quiet month are still worth looking at.
    config.max_age = Duration::ZERO;
    config.max_messages = -1;
    config.max_messages_per_subject = -1;
    // Nobody takes single events out of the copy, not even by mistake.
    config.deny_delete = true;
    config.deny_purge = true;
    // Reads of single messages needn't go through the leader.
    config.allow_direct = true;
    // The smallest that the server takes: the relay is fenced by the expected sequence, and message ids would cost
    // 170 bytes a message and a quarter of the speed.
    config.duplicate_window = Duration::from_millis(100);
    config.num_replicas = options.replicas;
    config.metadata.insert(LOG_KEY.into(), head.log_id.to_string());
    config.metadata.insert(INCARNATION_KEY.into(), head.incarnation.to_string());
}

/// A stream that continues the log.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    /// The log's head.
    pub head: Head,
    /// The stream's last sequence: the next message must be the event after this position.
    pub last_sequence: u64,
}

/// Makes the stream if it is missing, brings its settings up to date, and compares its end with the log, and the sequence
/// `suspect`, at which a message was refused. A stream that something else was published to can't be made right, nor can one
/// of a single copy become one of several: it is made again.
///
/// # Errors
/// [`StreamError::OtherHistory`] if it holds another history than the log; otherwise if NATS or Postgres fail.
pub async fn prepare(jetstream: &Context, pool: &PgPool, options: &StreamOptions, suspect: Option<u64>) -> Result<Prepared, StreamError> {
    check_server(jetstream)?;
    let Some(stream) = find(jetstream).await? else {
        return create(jetstream, &log::head(pool).await?, options).await;
    };
    let standing = examine(&stream, pool, suspect).await?;
    if let Some(stray) = standing.stray {
        tracing::warn!(stray, "stream {STREAM} holds a message that the relay didn't publish; it is made again");
        return recreate(jetstream, pool, options).await;
    }
    if options.replicas > 1 && stream.cached_info().config.persist_mode == Some(PersistenceMode::Async) {
        tracing::info!(replicas = options.replicas, "stream {STREAM} was made for one copy; it is made again for several");
        return recreate(jetstream, pool, options).await;
    }
    update(jetstream, &stream, &standing.prepared.head, options).await?;
    Ok(standing.prepared)
}

/// Deletes the stream and makes it anew for the log as it is now: what an operator orders after the log's history was
/// replaced (a restore). Readers notice nothing but a pause: what they miss they read from Postgres.
///
/// # Errors
/// If NATS or Postgres fail.
pub async fn recreate(jetstream: &Context, pool: &PgPool, options: &StreamOptions) -> Result<Prepared, StreamError> {
    let head = log::head(pool).await?;
    if find(jetstream).await?.is_some() {
        jetstream.delete_stream(STREAM).await.map_err(|error| StreamError::jetstream("delete stream BOOKING")(error.into()))?;
    }
    for _ in 1..CREATE_TRIES {
        match create(jetstream, &head, options).await {
            Err(StreamError::JetStream { .. }) => sleep(CREATE_PAUSE).await,
            made => return made,
        }
    }
    create(jetstream, &head, options).await
}

fn check_server(jetstream: &Context) -> Result<(), StreamError> {
    let client = jetstream.client();
    if !crate::is_connected(&client) {
        return Err(StreamError::jetstream("reach NATS")("not connected".into()));
    }
    if client.is_server_compatible(SERVER_MIN.0, SERVER_MIN.1, 0) {
        return Ok(());
    }
    Err(StreamError::ServerTooOld { found: client.server_info().version })
}

/// The stream, or `None` if there is none of that name.
///
/// # Errors
/// If JetStream can't be asked.
pub async fn find(jetstream: &Context) -> Result<Option<Stream>, StreamError> {
    match jetstream.get_stream(STREAM).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(StreamError::jetstream("look at stream BOOKING")(error.into())),
        },
    }
}

async fn create(jetstream: &Context, head: &Head, options: &StreamOptions) -> Result<Prepared, StreamError> {
    let first_sequence = head.position.saturating_sub(REFILL_EVENTS_MAX) + 1;
    let created = jetstream.create_stream(definition(head, options, first_sequence)).await;
    created.map_err(|error| StreamError::jetstream(creation(&error.kind()))(error.into()))?;
    tracing::info!(first_sequence, "made stream {STREAM}");
    Ok(Prepared { head: *head, last_sequence: first_sequence - 1 })
}

fn creation(kind: &CreateStreamErrorKind) -> &'static str {
    match kind {
        CreateStreamErrorKind::JetStreamUnavailable => "make stream BOOKING (is JetStream enabled in the server's configuration?)",
        _ => "make stream BOOKING",
    }
}

async fn update(jetstream: &Context, stream: &Stream, head: &Head, options: &StreamOptions) -> Result<(), StreamError> {
    let found = &stream.cached_info().config;
    let mut wanted = found.clone();
    settle(&mut wanted, head, options);
    if wanted == *found {
        return Ok(());
    }
    jetstream.update_stream(wanted).await.map_err(|error| StreamError::jetstream("update the settings of stream BOOKING")(error.into()))?;
    tracing::info!("updated the settings of stream {STREAM}");
    Ok(())
}

struct Standing {
    prepared: Prepared,
    /// What stands at the stream's end, if the relay can't have put it there.
    stray: Option<String>,
}

/// Compares the stream's end, and a suspect sequence before it, with the log.
async fn examine(stream: &Stream, pool: &PgPool, suspect: Option<u64>) -> Result<Standing, StreamError> {
    let info = stream.cached_info();
    let last_sequence = info.state.last_sequence;
    let last = message_at(stream, last_sequence).await?;
    // Messages are sent before the ones ahead of them are confirmed. So one that a stray took the place of is refused,
    // but those behind it are accepted: the stream's end looks right, and only the refusal tells.
    let suspect = match suspect.filter(|suspect| *suspect < last_sequence) {
        Some(suspect) => message_at(stream, suspect).await?,
        None => Found::Nothing,
    };
    let head = log::head(pool).await?; // after the stream: what stands there was in the log before
    check_identity(stream, &head)?;
    let mut stray = None;
    for found in [suspect, last] {
        match found {
            Found::Stray(problem) => stray = Some(problem),
            Found::Ours(incoming) => compare(*incoming, &head, pool).await?,
            Found::Nothing => {} // expired, or a damaged block: the incarnation agreed, readers fill the gap
        }
    }
    if stray.is_none() && last_sequence > head.position {
        return Err(StreamError::OtherHistory(beyond(last_sequence, &head)));
    }
    Ok(Standing { prepared: Prepared { head, last_sequence }, stray })
}

/// How the stream's end isn't of the log, though it says that it is of this incarnation: then the log was restored or lost
/// its tail, and the stream knows what happened before. `None` if all is well, or the stream says itself that it is of
/// another history, or holds something that no relay published (which the relay mends).
///
/// # Errors
/// If NATS or Postgres fail.
pub async fn compare_copy(jetstream: &Context, pool: &PgPool, incarnation: Uuid) -> Result<Option<Mismatch>, StreamError> {
    let Some(stream) = find(jetstream).await? else { return Ok(None) };
    let last = message_at(&stream, stream.cached_info().state.last_sequence).await?;
    let head = log::head(pool).await?; // after the stream: what stands there was in the log before
    match last {
        Found::Ours(last) if last.incarnation == incarnation && head.incarnation == incarnation => {
            match compare(*last, &head, pool).await {
                Ok(()) => Ok(None),
                Err(StreamError::OtherHistory(difference)) => Ok(Some(Mismatch::Copy(difference))),
                Err(error) => Err(error),
            }
        }
        _ => Ok(None),
    }
}

/// The stream says in its settings which log it is a copy of.
fn check_identity(stream: &Stream, head: &Head) -> Result<(), StreamError> {
    let info = stream.cached_info();
    let name = |key: &str| info.config.metadata.get(key).map_or("none", String::as_str);
    let (log, incarnation) = (name(LOG_KEY), name(INCARNATION_KEY));
    let is_unused = info.state.last_sequence == 0 && log == "none"; // made by hand
    if is_unused || (log == head.log_id.to_string() && incarnation == head.incarnation.to_string()) {
        return Ok(());
    }
    Err(StreamError::OtherHistory(format!(
        "it is a copy of log {log}, incarnation {incarnation}; this is log {}, incarnation {}",
        head.log_id, head.incarnation
    )))
}

async fn compare(last: Incoming, head: &Head, pool: &PgPool) -> Result<(), StreamError> {
    if (last.log_id, last.incarnation) != (head.log_id, head.incarnation) {
        return Err(StreamError::OtherHistory(format!("its last message is of log {}, incarnation {}", last.log_id, last.incarnation)));
    }
    let position = last.event.position;
    if position > head.position {
        return Err(StreamError::OtherHistory(beyond(position, head)));
    }
    let ours = log::event_at(pool, position).await?;
    if ours.is_some_and(|event| event.hash() == last.event.hash()) {
        return Ok(());
    }
    Err(StreamError::OtherHistory(format!("at position {position} the log has another event")))
}

fn beyond(sequence: u64, head: &Head) -> String {
    format!("it reaches to {sequence}, the log only to {}", head.position)
}

enum Found {
    /// Published by a relay; it says that its position is its sequence.
    Ours(Box<Incoming>),
    /// Published by somebody else.
    Stray(String),
    /// Not there any more, or never.
    Nothing,
}

async fn message_at(stream: &Stream, sequence: u64) -> Result<Found, StreamError> {
    if sequence == 0 {
        return Ok(Found::Nothing);
    }
    let message = match stream.get_raw_message(sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(Found::Nothing),
        Err(error) => return Err(StreamError::jetstream("read a message of stream BOOKING")(error.into())),
    };
    Ok(match message::decode(&message.headers, &message.payload) {
        Ok(incoming) if incoming.event.position == sequence => Found::Ours(Box::new(incoming)),
        Ok(incoming) => Found::Stray(format!("sequence {sequence} says it is position {}", incoming.event.position)),
        Err(error) => Found::Stray(format!("sequence {sequence}: {error}")),
    })
}
