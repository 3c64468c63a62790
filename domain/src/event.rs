//! Events as the log knows them: which stream, which type and version, who and why.

use crate::{AccountId, CommandId, PartyId, PerformanceId, ShowId, Timestamp, account, party, performance, show, waiting_room, wallet};
use serde::{Deserialize, Serialize};
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
        match self {
            StreamId::Account(id) | StreamId::Wallet(id) => format!("booking.{}.{}.{event_type}", self.aggregate_type(), bucket(id.0)),
            StreamId::Party(_, id) => format!("booking.party.{}.{event_type}", bucket(id.0)),
            _ => format!("booking.{}.{}.{event_type}", self.aggregate_type(), self.aggregate_id()),
        }
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

/// Who made a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A person.
    Account(AccountId),
    /// The system itself; the name says which part: `timer`, `payments`, `publisher`, `accounts`, `cli`.
    System(&'static str),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Account(id) => write!(f, "account:{id}"),
            Actor::System(part) => write!(f, "system:{part}"),
        }
    }
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
