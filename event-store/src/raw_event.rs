//! An event as the log's table holds it, unparsed: what the relay publishes and readers get.

use crate::Json;
use serde::Serialize;
use sha2::{Digest, Sha256};
use socketing_domain::Timestamp;
use socketing_domain::event::{self, Event, Metadata, Recorded, StreamId};

/// A row of `events`. The payload's and the metadata's bytes are handed on as they stand.
#[derive(Clone, Debug, Serialize)]
pub struct RawEvent {
    /// Its place in the one log, from 1, dense.
    pub position: u64,
    /// Its stream's kind.
    pub aggregate_type: String,
    /// Its stream's name within the kind.
    pub aggregate_id: String,
    /// Its place in its stream, from 1.
    pub sequence: u64,
    /// What happened, in the past tense.
    pub event_type: String,
    /// The version of the payload's format.
    pub event_version: String,
    /// The facts, JSON.
    pub payload: Json,
    /// Who, why and within which trace, JSON.
    pub metadata: Json,
    /// When it was committed, by Postgres's clock.
    pub recorded_at: Timestamp,
}

impl RawEvent {
    /// SHA-256 of what the event says and where it stands: two logs that agree on the hash at a position agree there.
    /// Fields are length-prefixed, so that no two events read the same.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.position.to_be_bytes());
        hash.update(self.sequence.to_be_bytes());
        for field in [&self.aggregate_type, &self.aggregate_id, &self.event_type, &self.event_version, self.payload.get()] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field.as_bytes());
        }
        hash.finalize().into()
    }

    /// The event in the domain's words, upcast to today's version.
    ///
    /// # Errors
    /// [`DecodeError`] if this program doesn't know the stream, the type or the version, or what stands there isn't one.
    pub fn decode(&self) -> Result<Recorded, DecodeError> {
        let failed = |cause| DecodeError { position: self.position, event_type: self.event_type.clone(), cause };
        let stream = StreamId::parse(&self.aggregate_type, &self.aggregate_id)
            .ok_or_else(|| failed(DecodeCause::Stream(format!("{} {}", self.aggregate_type, self.aggregate_id))))?;
        let event = Event::decode(&self.aggregate_type, &self.event_type, &self.event_version, self.payload.get())
            .map_err(|error| failed(DecodeCause::Event(error)))?;
        let metadata: Metadata = serde_json::from_str(self.metadata.get()).map_err(|error| failed(DecodeCause::Metadata(error)))?;
        Ok(Recorded { position: self.position, stream, sequence: self.sequence, event, metadata, recorded_at: self.recorded_at })
    }
}

/// An event of the log that this program can't read. It names the event; the cause says what about it.
#[derive(Debug, thiserror::Error)]
#[error("can't read {event_type} at position {position}")]
pub struct DecodeError {
    /// Where it stands.
    pub position: u64,
    /// What it is.
    pub event_type: String,
    /// Why.
    #[source]
    pub cause: DecodeCause,
}

/// What about an event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeCause {
    /// No stream has such a name.
    #[error("no stream is called {0}")]
    Stream(String),
    /// The domain doesn't know the type or the version, or the payload isn't one.
    #[error(transparent)]
    Event(event::DecodeError),
    /// The metadata isn't ours.
    #[error("the metadata can't be read")]
    Metadata(#[source] serde_json::Error),
}
