//! What is known of a line: the fold of its events.

use super::Event;
use super::queue::Queue;
use crate::limits::ENDED_REMEMBERED_MAX;
use crate::recent::Recent;
use crate::reply::{EntryReply, EntryState};
use crate::{AccountId, EntryId, PartyId, ShowId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The line as it was set up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) show: ShowId,
    pub(super) sale_opens_at: Timestamp,
    pub(super) capacity: u32,
    pub(super) session_seconds: u32,
}

/// One place: in the line, or inside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub(super) number: u64,
    pub(super) account: AccountId,
    pub(super) party: Option<PartyId>,
    pub(super) members: Vec<AccountId>,
    /// When the visit ends; `None` in the line.
    pub(super) session_ends_at: Option<Timestamp>,
}

impl Entry {
    /// Who joined: alone, or as a party's leader.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The party, if it is one.
    #[must_use]
    pub const fn party(&self) -> Option<PartyId> {
        self.party
    }

    /// Everyone on this place, whoever joined first.
    #[must_use]
    pub fn members(&self) -> &[AccountId] {
        &self.members
    }

    pub(super) fn people(&self) -> u32 {
        self.members.len() as u32
    }

    /// Whether the visit has run out, though no timer may have said so yet.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.session_ends_at.is_some_and(|ends_at| ends_at <= now)
    }
}

/// What is known of a line: the fold of its events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WaitingRoom {
    pub(super) sequence: u64,
    pub(super) opening: Option<Opening>,
    pub(super) last_number: u64,
    #[serde(with = "crate::sorted")]
    pub(super) entries: HashMap<EntryId, Entry>,
    /// The place of each person who has one.
    #[serde(with = "crate::sorted")]
    pub(super) places: HashMap<AccountId, EntryId>,
    pub(super) queue: Queue,
    pub(super) people_waiting: u32,
    pub(super) people_inside: u32,
    /// When visits end.
    pub(super) sessions: BTreeSet<(Timestamp, EntryId)>,
    pub(super) departed: Recent<EntryId, ()>,
}

impl Default for WaitingRoom {
    fn default() -> Self {
        WaitingRoom {
            sequence: 0,
            opening: None,
            last_number: 0,
            entries: HashMap::new(),
            places: HashMap::new(),
            queue: Queue::default(),
            people_waiting: 0,
            people_inside: 0,
            sessions: BTreeSet::new(),
            departed: Recent::with_room(ENDED_REMEMBERED_MAX),
        }
    }
}

impl WaitingRoom {
    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many people wait.
    #[must_use]
    pub const fn people_waiting(&self) -> u32 {
        self.people_waiting
    }

    /// How many people are inside.
    #[must_use]
    pub const fn people_inside(&self) -> u32 {
        self.people_inside
    }

    /// The place an account is on, in the line or inside; none once its visit has run out.
    #[must_use]
    pub fn place(&self, account: AccountId, now: Timestamp) -> Option<(EntryId, &Entry)> {
        let (id, entry) = self.kept_place(account)?;
        (!entry.is_over(now)).then_some((id, entry))
    }

    /// The pass of an account that is inside: its place, as long as the visit lasts.
    #[must_use]
    pub fn pass(&self, account: AccountId, now: Timestamp) -> Option<&Entry> {
        let (_, entry) = self.place(account, now)?;
        entry.session_ends_at.is_some().then_some(entry)
    }

    /// An account's place as its people see it.
    #[must_use]
    pub fn reply(&self, account: AccountId) -> Option<EntryReply> {
        let (id, entry) = self.kept_place(account)?;
        let waits = entry.session_ends_at.is_none();
        Some(EntryReply {
            entry_id: id,
            number: entry.number,
            state: if waits { EntryState::Waiting } else { EntryState::Inside },
            ahead: if waits { self.queue.ahead(entry.number) } else { 0 },
            session_ends_at: entry.session_ends_at,
            party_id: entry.party,
            members: entry.members.clone(),
        })
    }

    /// The place an account is on, though its visit may have run out.
    pub(super) fn kept_place(&self, account: AccountId) -> Option<(EntryId, &Entry)> {
        let id = *self.places.get(&account)?;
        Some((id, &self.entries[&id]))
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::LineOpened { show, sale_opens_at, capacity, session_seconds } => {
                assert!(self.opening.is_none(), "a line is opened twice");
                let (show, sale_opens_at, capacity, session_seconds) = (*show, *sale_opens_at, *capacity, *session_seconds);
                self.opening = Some(Opening { show, sale_opens_at, capacity, session_seconds });
            }
            Event::QueueJoined { entry, number, account, party, members } => {
                let members = members.clone();
                self.joined(*entry, Entry { number: *number, account: *account, party: *party, members, session_ends_at: None });
            }
            Event::EntryAdmitted { entry, number, session_ends_at } => self.admitted(*entry, *number, *session_ends_at),
            Event::EntryDeparted { entry, number, .. } => self.left(*entry, *number),
        }
        let capacity = self.opening.as_ref().map_or(0, |opening| opening.capacity);
        assert!(self.people_inside <= capacity, "{} people inside, above {capacity}", self.people_inside);
    }

    fn joined(&mut self, id: EntryId, entry: Entry) {
        assert!(entry.members.contains(&entry.account), "{id} is joined by someone who isn't on it");
        assert_eq!(entry.number, self.last_number + 1, "numbers are given one after another");
        self.last_number = entry.number;
        self.queue.push(entry.number, id);
        self.people_waiting += entry.people();
        for member in &entry.members {
            let before = self.places.insert(*member, id);
            assert!(before.is_none(), "{member} has two places");
        }
        let before = self.entries.insert(id, entry);
        assert!(before.is_none(), "{id} is two places");
    }

    fn admitted(&mut self, id: EntryId, number: u64, session_ends_at: Timestamp) {
        assert_eq!(self.queue.iter().next(), Some(id), "{id} is admitted before others who wait longer");
        let entry = self.entries.get_mut(&id).expect("only a place is admitted");
        assert!(entry.number == number && entry.session_ends_at.is_none(), "{id} is admitted twice, or as number {number}");
        entry.session_ends_at = Some(session_ends_at);
        self.people_waiting -= entry.people();
        self.people_inside += entry.people();
        self.sessions.insert((session_ends_at, id));
        self.queue.remove(number);
    }

    fn left(&mut self, id: EntryId, number: u64) {
        let entry = self.entries.remove(&id).expect("only a place departs");
        assert_eq!(entry.number, number, "{id} departs as another number");
        match entry.session_ends_at {
            None => {
                self.people_waiting -= entry.people();
                self.queue.remove(number);
            }
            Some(ends_at) => {
                self.people_inside -= entry.people();
                assert!(self.sessions.remove(&(ends_at, id)), "{id} is inside without an end");
            }
        }
        for member in &entry.members {
            assert_eq!(self.places.remove(member), Some(id), "{member} was on another place");
        }
        self.departed.insert(id, ());
    }
}
