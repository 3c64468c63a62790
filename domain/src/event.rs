//! Events as the log knows them: which stream, which type and version, who and why.

use crate::refusal::{Reason, Refusal, refuse};
use crate::upcast::{UPCASTS, upcast};
use crate::{AccountId, CommandId, PartyId, PerformanceId, ShowId, Timestamp, account, party, performance, show, waiting_room, wallet};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use uuid::Uuid;

/// The name of one stream: one aggregate's events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum StreamId {
    /// An account's.
    Account(AccountId),
    /// A wallet's.
    Wallet(AccountId),
    /// A show's.
    Show(ShowId),
    /// A performance's line.
    WaitingRoom(PerformanceId),
    /// A party's. Its name starts with the performance's id, so that everything of one performance loads by prefix.
    Party(PerformanceId, PartyId),
    /// A performance's seats.
    Performance(PerformanceId),
}

impl StreamId {
    /// The `aggregate_type` of the log's table: `account`, `wallet`, `show`, `waiting-room`, `party`, `performance`.
    #[must_use]
    pub const fn aggregate_type(&self) -> &'static str {
        match self {
            StreamId::Account(_) => "account",
            StreamId::Wallet(_) => "wallet",
            StreamId::Show(_) => "show",
            StreamId::WaitingRoom(_) => "waiting-room",
            StreamId::Party(..) => "party",
            StreamId::Performance(_) => "performance",
        }
    }

    /// The `aggregate_id` of the log's table: a UUID; for a party, `<performance>/<party>`.
    #[must_use]
    pub fn aggregate_id(&self) -> String {
        match self {
            StreamId::Account(id) | StreamId::Wallet(id) => id.to_string(),
            StreamId::Show(id) => id.to_string(),
            StreamId::WaitingRoom(id) | StreamId::Performance(id) => id.to_string(),
            StreamId::Party(performance, party) => format!("{performance}/{party}"),
        }
    }

    /// The stream that the log's table names so, or `None` if no stream has such a name.
    #[must_use]
    pub fn parse(aggregate_type: &str, aggregate_id: &str) -> Option<StreamId> {
        if aggregate_type == "party" {
            let (performance, party) = aggregate_id.split_once('/')?;
            return Some(StreamId::Party(performance.parse().ok()?, party.parse().ok()?));
        }
        let id: Uuid = aggregate_id.parse().ok()?;
        match aggregate_type {
            "account" => Some(StreamId::Account(id.into())),
            "wallet" => Some(StreamId::Wallet(id.into())),
            "show" => Some(StreamId::Show(id.into())),
            "waiting-room" => Some(StreamId::WaitingRoom(id.into())),
            "performance" => Some(StreamId::Performance(id.into())),
            _ => None,
        }
    }

    /// The JetStream subject of an event of this stream. Where a stream exists per person, the subject names one of
    /// 256 buckets (half a million subjects cost 145 MiB and 45 % of the rate, measured); the id is in a header.
    #[must_use]
    pub fn subject(&self, event_type: &str) -> String {
        let name = match self {
            StreamId::Account(id) | StreamId::Wallet(id) => bucket(id.0).to_string(),
            StreamId::Party(_, id) => bucket(id.0).to_string(),
            _ => self.aggregate_id(),
        };
        ["booking.", self.aggregate_type(), ".", &name, ".", event_type].concat()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.aggregate_type(), self.aggregate_id())
    }
}

/// The last byte of a UUIDv7 is random, so it spreads evenly.
const fn bucket(id: Uuid) -> u8 {
    id.as_bytes()[15]
}

/// One event of any aggregate.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of an account.
    Account(account::Event),
    /// Of a wallet.
    Wallet(wallet::Event),
    /// Of a show.
    Show(show::Event),
    /// Of a line.
    WaitingRoom(waiting_room::Event),
    /// Of a party.
    Party(party::Event),
    /// Of a performance.
    Performance(performance::Event),
}

impl Event {
    /// The event's type, such as `SeatsHeld`: the storage format's name.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Event::Account(event) => event.name(),
            Event::Wallet(event) => event.name(),
            Event::Show(event) => event.name(),
            Event::WaitingRoom(event) => event.name(),
            Event::Party(event) => event.name(),
            Event::Performance(event) => event.name(),
        }
    }

    /// The version of the payload that this program writes for the event's type.
    #[must_use]
    pub fn event_version(&self) -> &'static str {
        match self {
            Event::Account(event) => event.version(),
            Event::Wallet(event) => event.version(),
            Event::Show(event) => event.version(),
            Event::WaitingRoom(event) => event.version(),
            Event::Party(event) => event.version(),
            Event::Performance(event) => event.version(),
        }
    }

    /// The payload as it is stored: `{"SeatsHeld": {…}}`, which cqrs-es's `SerializedEvent` reads too.
    #[must_use]
    pub fn payload_json(&self) -> String {
        serde_json::to_string(self).expect("events hold nothing that JSON can't say: string keys, finite numbers, bounded times")
    }

    /// Reads an event of the log, upcast to today's version.
    ///
    /// # Errors
    /// [`DecodeError`] if the program doesn't know the aggregate, the type or the version, or the payload isn't one.
    pub fn decode(aggregate_type: &str, event_type: &str, version: &str, payload: &str) -> Result<Event, DecodeError> {
        match aggregate_type {
            "account" => decode_as(event_type, version, payload).map(Event::Account),
            "wallet" => decode_as(event_type, version, payload).map(Event::Wallet),
            "show" => decode_as(event_type, version, payload).map(Event::Show),
            "waiting-room" => decode_as(event_type, version, payload).map(Event::WaitingRoom),
            "party" => decode_as(event_type, version, payload).map(Event::Party),
            "performance" => decode_as(event_type, version, payload).map(Event::Performance),
            _ => Err(DecodeError::UnknownAggregate { aggregate_type: aggregate_type.to_owned() }),
        }
    }
}

/// What the event types of one aggregate have in common. Implemented by `stored_events!`.
pub(crate) trait Stored: DeserializeOwned {
    /// Every event type with the version written today.
    const TYPES: &'static [(&'static str, &'static str)];

    /// The event's type.
    fn stored_name(&self) -> &'static str;
}

/// Names an aggregate's events and their versions once: `name()`, `version()`, the list of all types, cqrs-es's
/// `DomainEvent`. A variant that is missing here doesn't compile.
macro_rules! stored_events {
    ($($name:ident = $version:literal),+ $(,)?) => {
        impl Event {
            /// Every event type of this aggregate, with the version written today.
            pub const TYPES: &'static [(&'static str, &'static str)] = &[$((stringify!($name), $version)),+];

            /// The event's type: the storage format's name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {$(Event::$name { .. } => stringify!($name)),+}
            }

            /// The version of the payload that this program writes.
            #[must_use]
            pub const fn version(&self) -> &'static str {
                match self {$(Event::$name { .. } => $version),+}
            }
        }

        impl $crate::event::Stored for Event {
            const TYPES: &'static [(&'static str, &'static str)] = Event::TYPES;

            fn stored_name(&self) -> &'static str {
                self.name()
            }
        }

        impl cqrs_es::DomainEvent for Event {
            fn event_type(&self) -> String {
                self.name().to_owned()
            }

            fn event_version(&self) -> String {
                self.version().to_owned()
            }
        }
    };
}
pub(crate) use stored_events;

/// Reads one aggregate's event. Of today's version, the payload is parsed straight into the event.
fn decode_as<E: Stored>(event_type: &str, version: &str, payload: &str) -> Result<E, DecodeError> {
    let Some((_, today)) = E::TYPES.iter().find(|(name, _)| *name == event_type) else {
        return Err(DecodeError::UnknownType { event_type: event_type.to_owned() });
    };
    let event = if version == *today { serde_json::from_str(payload) } else { upcast_from(event_type, version, today, payload)? };
    let event: E =
        event.map_err(|source| DecodeError::Payload { event_type: event_type.to_owned(), version: version.to_owned(), source })?;
    if event.stored_name() != event_type {
        return Err(DecodeError::OtherType { event_type: event_type.to_owned(), payload_type: event.stored_name() });
    }
    Ok(event)
}

/// Reads an event of an older version. The outer error is a version that can't be brought up, the inner one a bad payload.
fn upcast_from<E: Stored>(event_type: &str, version: &str, today: &str, payload: &str) -> Result<serde_json::Result<E>, DecodeError> {
    let unknown = || DecodeError::UnknownVersion { event_type: event_type.to_owned(), version: version.to_owned() };
    let from: u32 = version.parse().map_err(|_| unknown())?;
    let to: u32 = today.parse().expect("versions are written as whole numbers, which a test checks");
    if from >= to {
        return Err(unknown());
    }
    match serde_json::from_str(payload) {
        Ok(value) => upcast(UPCASTS, event_type, from, to, value).map(serde_json::from_value),
        Err(error) => Ok(Err(error)),
    }
}

/// Why an event of the log can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The log names an aggregate that this program doesn't have.
    #[error("no aggregate is called {aggregate_type}")]
    UnknownAggregate {
        /// The name in the log.
        aggregate_type: String,
    },
    /// The log names a stream that can't be one.
    #[error("no stream is called {aggregate_type} {aggregate_id}")]
    UnknownStream {
        /// The aggregate's name in the log.
        aggregate_type: String,
        /// The stream's name in the log.
        aggregate_id: String,
    },
    /// The aggregate has no such event.
    #[error("no event is called {event_type}")]
    UnknownType {
        /// The name in the log.
        event_type: String,
    },
    /// The version is newer than this program, or was never written.
    #[error("event {event_type} has no version {version} that this program can read")]
    UnknownVersion {
        /// The event's type.
        event_type: String,
        /// The version in the log.
        version: String,
    },
    /// The payload isn't what its type and version say.
    #[error("the payload of event {event_type} version {version} can't be read")]
    Payload {
        /// The event's type.
        event_type: String,
        /// The version in the log.
        version: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The payload is another event's.
    #[error("the payload of event {event_type} is one of {payload_type}")]
    OtherType {
        /// The type in the log.
        event_type: String,
        /// The type in the payload.
        payload_type: &'static str,
    },
    /// The metadata isn't an event's.
    #[error("the metadata of event {event_type} can't be read")]
    Metadata {
        /// The event's type.
        event_type: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
}

/// Who made a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A person.
    Account(AccountId),
    /// The system itself; the name says which part: `timer`, `payments`, `publisher`, `accounts`, `cli`.
    System(&'static str),
}

impl Actor {
    /// The person, where only a person will do.
    pub(crate) fn person(self) -> Result<AccountId, Refusal> {
        match self {
            Actor::Account(id) => Ok(id),
            Actor::System(part) => refuse(Reason::Forbidden, format!("{part} is a part of the system; only a person may do this")),
        }
    }

    /// Whether it is the system, where only the system may.
    pub(crate) fn system(self) -> Result<(), Refusal> {
        match self {
            Actor::Account(_) => refuse(Reason::Forbidden, "only the system itself may do this"),
            Actor::System(_) => Ok(()),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Account(id) => write!(f, "account:{id}"),
            Actor::System(part) => write!(f, "system:{part}"),
        }
    }
}

/// A command with everything that its decision rests on. It is what cqrs-es's `Aggregate` calls the command.
#[derive(Clone, PartialEq, Debug)]
pub struct Ask<C, F = ()> {
    /// What is asked.
    pub command: C,
    /// Who asks.
    pub actor: Actor,
    /// This moment.
    pub now: Timestamp,
    /// What the decision rests on besides the aggregate's state.
    pub facts: F,
}

/// Who, why, and within which trace. All strings, as cqrs-es's metadata are.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// `account:<id>` or `system:<part>`.
    pub actor: String,
    /// The command that made the event.
    pub command: CommandId,
    /// What made the command: the position of an event, for process managers. Absent for people and timers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<String>,
    /// W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// An event as it stands in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Recorded {
    /// Its place in the one log, from 1, dense.
    pub position: u64,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in its stream, from 1.
    pub sequence: u64,
    /// The event itself, upcast to today's version.
    pub event: Event,
    /// Who and why.
    pub metadata: Metadata,
    /// When it was committed, by Postgres's clock.
    pub recorded_at: Timestamp,
}
