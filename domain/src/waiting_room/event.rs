//! What happens in a line, and what may be asked of it.

use crate::{AccountId, EntryId, PartyId, ShowId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why an entry left the line or the inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// Its people left by themselves.
    Left,
    /// The visit lasted longer than the session limit.
    SessionOver,
    /// They have what they came for.
    Booked,
}

/// What happened in a line. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The line was set up for its performance.
    LineOpened {
        /// Of which show.
        show: ShowId,
        /// Before this, nobody gets in.
        sale_opens_at: Timestamp,
        /// People inside at once.
        capacity: u32,
        /// How long one visit may last.
        session_seconds: u32,
    },
    /// A person, or a party as one, took the next number.
    QueueJoined {
        /// The place.
        entry: EntryId,
        /// Its number, from 1, in order of arrival; never given twice.
        number: u64,
        /// Who joined (a party's leader).
        account: AccountId,
        /// The party, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        party: Option<PartyId>,
        /// Everyone who waits on this place, the leader included.
        members: Vec<AccountId>,
    },
    /// The place was called: from here on it is a pass, the right of its people to choose seats until the visit ends.
    EntryAdmitted {
        /// The place.
        entry: EntryId,
        /// Its number.
        number: u64,
        /// When the visit ends.
        session_ends_at: Timestamp,
    },
    /// The place is no more, in the line or inside.
    EntryDeparted {
        /// The place.
        entry: EntryId,
        /// Its number.
        number: u64,
        /// Why.
        reason: Departure,
    },
}

crate::event::stored_events! {
    LineOpened = "1",
    QueueJoined = "1",
    EntryAdmitted = "1",
    EntryDeparted = "1",
}

/// What may be asked of a line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Sets the line up; the system's. Repeating it does nothing.
    OpenLine {
        /// Of which show.
        show: ShowId,
        /// Before this, nobody gets in.
        sale_opens_at: Timestamp,
        /// People inside at once.
        capacity: u32,
        /// How long one visit may last.
        session_seconds: u32,
    },
    /// Takes a place: alone, or with the party one leads. Someone who has a place keeps it, and is told it again.
    JoinQueue {
        /// The new place's id, made by the client.
        entry: EntryId,
        /// The party that waits as one.
        #[serde(default)]
        party: Option<PartyId>,
    },
    /// Gives the place up.
    LeaveQueue,
    /// Ends the visit of people who have booked; the system's.
    Depart {
        /// The account whose place it is (any member's).
        account: AccountId,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `open_line`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::OpenLine { .. } => "open_line",
            Command::JoinQueue { .. } => "join_queue",
            Command::LeaveQueue => "leave_queue",
            Command::Depart { .. } => "depart",
        }
    }
}
