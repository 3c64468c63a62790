//! What happens in a line, and what may be asked of it.

use super::rules::LineRules;
use crate::draw::Digest;
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
    /// They were called and didn't come.
    Unclaimed,
    /// Someone who runs the line took the place away; the event before says who and why.
    Evicted,
    /// They were inside, or called, and had no page open for too long.
    Away,
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
        /// How it works.
        rules: LineRules,
    },
    /// The seed of the draw was made, and this binds it. From here on there is a lobby.
    DrawCommitted {
        /// The seed's hash.
        commitment: Digest,
        /// When the lobby opens: not before its commitment is public.
        lobby_opens_at: Timestamp,
    },
    /// What a source outside said is mixed into the draw.
    BeaconGiven {
        /// What it said.
        value: String,
        /// What it is, so that everybody can look it up.
        source: String,
    },
    /// The sale opened: who is in the lobby now is drawn, nobody else.
    LobbyClosed {
        /// The root of their tickets.
        root: Digest,
        /// How many places there are in the lobby.
        entries: u64,
    },
    /// The seed that was committed to is lost, so that nobody can ever tell it. What a source outside will say decides alone,
    /// with [`crate::draw::NO_SEED`] as the seed; which source, is said before anybody knows what it will say. A beacon that
    /// was given before doesn't count.
    SeedLost {
        /// The source: what the beacon must be of.
        beacon_source: String,
        /// How it came to this.
        reason: String,
    },
    /// The seed is public: everybody's number follows from it, and so it isn't said here.
    SeedRevealed {
        /// The seed.
        seed: Digest,
    },
    /// A person, or a party as one, took the next number; in the lobby it only says in which order they came, and the draw
    /// replaces it.
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
    /// The place was called: its people have a pass, for them to claim.
    EntryCalled {
        /// The place.
        entry: EntryId,
        /// Its number.
        number: u64,
        /// Until when the pass can be claimed.
        claim_by: Timestamp,
    },
    /// The pass was claimed, or the place came when there was room: from here on its people may choose seats, until the
    /// visit ends.
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
    /// Nobody is called until the line is resumed.
    LinePaused {
        /// Why.
        reason: String,
    },
    /// People are called, and may join, again.
    LineResumed {
        /// Why.
        reason: String,
    },
    /// Nobody joins any more; who waits is still called.
    DrainBegun {
        /// Why.
        reason: String,
    },
    /// From here on other limits count. Who is inside stays.
    LimitsChanged {
        /// People inside at once, passes that aren't claimed yet included.
        capacity: u32,
        /// People called in a minute, at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admissions_per_minute: Option<u32>,
        /// Why.
        reason: String,
    },
    /// A place is taken away; its departure follows.
    EvictionOrdered {
        /// The place.
        entry: EntryId,
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
}

crate::event::stored_events! {
    LineOpened = "2",
    DrawCommitted = "1",
    BeaconGiven = "1",
    LobbyClosed = "1",
    SeedLost = "1",
    SeedRevealed = "1",
    QueueJoined = "1",
    EntryCalled = "1",
    EntryAdmitted = "1",
    EntryDeparted = "1",
    LinePaused = "1",
    LineResumed = "1",
    DrainBegun = "1",
    LimitsChanged = "1",
    EvictionOrdered = "1",
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
        /// How it works.
        rules: LineRules,
    },
    /// Publishes the commitment to the draw's seed; the system's. Nothing happens where there is no draw, or no more.
    CommitDraw {
        /// The seed's hash.
        commitment: Digest,
    },
    /// Reveals the seed, after the lobby was closed; the system's. Repeating it does nothing.
    RevealSeed {
        /// The seed.
        seed: Digest,
    },
    /// Gives up a seed that is lost, and names the source that decides instead; an operator's.
    LoseSeed {
        /// What the seed that is kept would be committed to by, if one is kept: one that fits isn't lost.
        kept: Option<Digest>,
        /// What will decide: something to come that everybody can look up.
        beacon_source: String,
        /// How it came to this.
        reason: String,
    },
    /// Mixes what a source outside says into the draw, once, before the seed is revealed. Of a draw whose seed is lost, it
    /// gives everybody's number, after the lobby was closed.
    GiveBeacon {
        /// What it says.
        value: String,
        /// What it is.
        source: String,
    },
    /// Takes a place: alone, or with the party one leads. Someone who has a place keeps it, and is told it again.
    JoinQueue {
        /// The new place's id, made by the client.
        entry: EntryId,
        /// The party that waits as one.
        #[serde(default)]
        party: Option<PartyId>,
    },
    /// Claims the pass that one was called to. Who is inside stays.
    ClaimPass,
    /// Gives the place up.
    LeaveQueue,
    /// Ends the visit of people who have booked; the system's.
    Depart {
        /// The account whose place it is (any member's).
        account: AccountId,
    },
    /// Ends the visit of people who are gone from their page for too long; the system's. Who waits keeps the place.
    SendAway {
        /// The account whose place it is (any member's).
        account: AccountId,
    },
    /// Calls nobody until the line is resumed. This and what follows is for those who run the line: whether the asker is
    /// one of them stands in other streams, and is checked before.
    PauseLine {
        /// Why.
        reason: String,
    },
    /// Calls people, and lets them join, again.
    ResumeLine {
        /// Why.
        reason: String,
    },
    /// Lets nobody join any more, and calls who waits.
    DrainLine {
        /// Why.
        reason: String,
    },
    /// Sets other limits.
    ChangeLimits {
        /// People inside at once.
        capacity: u32,
        /// People called in a minute, at most; none: as many as there are places.
        admissions_per_minute: Option<u32>,
        /// Why.
        reason: String,
    },
    /// Takes a place away.
    Evict {
        /// The account whose place it is (any member's).
        account: AccountId,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `open_line`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::OpenLine { .. } => "open_line",
            Command::JoinQueue { .. } => "join_queue",
            Command::CommitDraw { .. } => "commit_draw",
            Command::RevealSeed { .. } => "reveal_seed",
            Command::LoseSeed { .. } => "lose_seed",
            Command::GiveBeacon { .. } => "give_beacon",
            Command::ClaimPass => "claim_pass",
            Command::LeaveQueue => "leave_queue",
            Command::Depart { .. } => "depart",
            Command::SendAway { .. } => "send_away",
            Command::PauseLine { .. } => "pause_line",
            Command::ResumeLine { .. } => "resume_line",
            Command::DrainLine { .. } => "drain_line",
            Command::ChangeLimits { .. } => "change_limits",
            Command::Evict { .. } => "evict",
        }
    }
}
