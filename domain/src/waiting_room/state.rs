//! What is known of a line: the fold of its events.

use super::Event;
use super::queue::Queue;
use crate::limits::{ENDED_REMEMBERED_MAX, WAITING_MAX};
use crate::recent::Recent;
use crate::reply::{EntryReply, EntryState};
use crate::{AccountId, EntryId, PartyId, ShowId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The line as it was set up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) show: ShowId,
    pub(super) sale_opens_at: Timestamp,
    pub(super) capacity: u32,
    pub(super) session_seconds: u32,
}

/// Who is on a place: one person, nearly always; that is why a party's members are apart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) id: EntryId,
    /// Who joined: alone, or as a party's leader.
    account: AccountId,
    group: Option<Box<Group>>,
}

/// The party of a place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Group {
    party: Option<PartyId>,
    members: Vec<AccountId>,
}

impl Place {
    fn new(id: EntryId, account: AccountId, party: Option<PartyId>, members: &[AccountId]) -> Place {
        let alone = party.is_none() && members == [account];
        Place { id, account, group: (!alone).then(|| Box::new(Group { party, members: members.to_vec() })) }
    }

    #[cfg(test)]
    pub(super) fn alone(id: EntryId, account: AccountId) -> Place {
        Place::new(id, account, None, &[account])
    }

    fn members(&self) -> &[AccountId] {
        self.group.as_ref().map_or(std::slice::from_ref(&self.account), |group| &group.members)
    }

    fn people(&self) -> u32 {
        self.members().len() as u32
    }
}

/// A place that was called.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Visit {
    place: Place,
    ends_at: Timestamp,
}

/// One place as it stands: in the line, or inside.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Entry<'a> {
    place: &'a Place,
    pub(super) number: u64,
    /// When the visit ends; `None` in the line.
    pub(super) session_ends_at: Option<Timestamp>,
}

impl<'a> Entry<'a> {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> EntryId {
        self.place.id
    }

    /// Who joined: alone, or as a party's leader.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.place.account
    }

    /// The party, if it is one.
    #[must_use]
    pub fn party(&self) -> Option<PartyId> {
        self.place.group.as_ref().and_then(|group| group.party)
    }

    /// Everyone on this place, whoever joined first.
    #[must_use]
    pub fn members(&self) -> &'a [AccountId] {
        self.place.members()
    }

    pub(super) fn people(&self) -> u32 {
        self.place.people()
    }

    /// Whether the visit has run out, though no timer may have said so yet.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.session_ends_at.is_some_and(|ends_at| ends_at <= now)
    }
}

/// What is known of a line: the fold of its events. A million may wait, so what is kept of one who waits is little: their
/// place, by its number, and the number of each person and whether an id is taken. The latter two, like the order of the
/// visits' ends, follow from the places, and are made again when a snapshot is read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct WaitingRoom {
    pub(super) sequence: u64,
    pub(super) opening: Option<Opening>,
    pub(super) last_number: u64,
    pub(super) queue: Queue,
    /// Visits, by the number of their place.
    #[serde(serialize_with = "crate::sorted::serialize")]
    pub(super) inside: HashMap<u64, Visit>,
    pub(super) departed: Recent<EntryId, ()>,
    pub(super) people_waiting: u32,
    pub(super) people_inside: u32,
    /// The number of each person's place.
    #[serde(skip_serializing)]
    pub(super) places: HashMap<AccountId, u64>,
    #[serde(skip_serializing)]
    pub(super) ids: HashSet<EntryId>,
    /// When visits end.
    #[serde(skip_serializing)]
    pub(super) sessions: BTreeSet<(Timestamp, u64)>,
}

/// A line as it stands in a snapshot: what the rest follows from.
#[derive(Deserialize)]
struct Stored {
    sequence: u64,
    opening: Option<Opening>,
    last_number: u64,
    queue: Queue,
    #[serde(deserialize_with = "crate::sorted::deserialize")]
    inside: HashMap<u64, Visit>,
    departed: Recent<EntryId, ()>,
    people_waiting: u32,
    people_inside: u32,
}

impl From<Stored> for WaitingRoom {
    fn from(stored: Stored) -> WaitingRoom {
        let Stored { sequence, opening, last_number, queue, inside, departed, people_waiting, people_inside } = stored;
        let mut places = HashMap::with_capacity((people_waiting + people_inside).min(WAITING_MAX as u32) as usize);
        let mut ids = HashSet::with_capacity(places.capacity());
        let within = inside.iter().map(|(number, visit)| (*number, &visit.place));
        for (number, place) in queue.iter().chain(within) {
            ids.insert(place.id);
            places.extend(place.members().iter().map(|member| (*member, number)));
        }
        let sessions = inside.iter().map(|(number, visit)| (visit.ends_at, *number)).collect();
        WaitingRoom { sequence, opening, last_number, queue, inside, departed, people_waiting, people_inside, places, ids, sessions }
    }
}

impl Default for WaitingRoom {
    fn default() -> Self {
        WaitingRoom {
            sequence: 0,
            opening: None,
            last_number: 0,
            queue: Queue::default(),
            inside: HashMap::new(),
            departed: Recent::with_room(ENDED_REMEMBERED_MAX),
            people_waiting: 0,
            people_inside: 0,
            places: HashMap::new(),
            ids: HashSet::new(),
            sessions: BTreeSet::new(),
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
    pub fn place(&self, account: AccountId, now: Timestamp) -> Option<Entry<'_>> {
        self.kept_place(account).filter(|entry| !entry.is_over(now))
    }

    /// The pass of an account that is inside: its place, as long as the visit lasts.
    #[must_use]
    pub fn pass(&self, account: AccountId, now: Timestamp) -> Option<Entry<'_>> {
        self.place(account, now).filter(|entry| entry.session_ends_at.is_some())
    }

    /// An account's place as its people see it.
    #[must_use]
    pub fn reply(&self, account: AccountId) -> Option<EntryReply> {
        let entry = self.kept_place(account)?;
        let waits = entry.session_ends_at.is_none();
        Some(EntryReply {
            entry_id: entry.id(),
            number: entry.number,
            state: if waits { EntryState::Waiting } else { EntryState::Inside },
            ahead: if waits { self.queue.ahead(entry.number) } else { 0 },
            session_ends_at: entry.session_ends_at,
            party_id: entry.party(),
            members: entry.members().to_vec(),
        })
    }

    /// The place an account is on, though its visit may have run out.
    pub(super) fn kept_place(&self, account: AccountId) -> Option<Entry<'_>> {
        Some(self.entry(*self.places.get(&account)?))
    }

    /// The place with this number, which must be one.
    pub(super) fn entry(&self, number: u64) -> Entry<'_> {
        match self.inside.get(&number) {
            Some(Visit { place, ends_at }) => Entry { place, number, session_ends_at: Some(*ends_at) },
            None => Entry { place: self.queue.get(number), number, session_ends_at: None },
        }
    }

    /// The places that wait, the first first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Entry<'_>> {
        self.queue.iter().map(|(number, place)| Entry { place, number, session_ends_at: None })
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
                assert!(members.contains(account), "{entry} is joined by someone who isn't on it");
                self.joined(*number, Place::new(*entry, *account, *party, members));
            }
            Event::EntryAdmitted { entry, number, session_ends_at } => self.admitted(*entry, *number, *session_ends_at),
            Event::EntryDeparted { entry, number, .. } => self.left(*entry, *number),
        }
        let capacity = self.opening.as_ref().map_or(0, |opening| opening.capacity);
        assert!(self.people_inside <= capacity, "{} people inside, above {capacity}", self.people_inside);
    }

    fn joined(&mut self, number: u64, place: Place) {
        assert_eq!(number, self.last_number + 1, "numbers are given one after another");
        self.last_number = number;
        self.people_waiting += place.people();
        for member in place.members() {
            let before = self.places.insert(*member, number);
            assert!(before.is_none(), "{member} has two places");
        }
        assert!(self.ids.insert(place.id), "{} is two places", place.id);
        self.queue.push(number, place);
    }

    fn admitted(&mut self, id: EntryId, number: u64, session_ends_at: Timestamp) {
        let first = self.queue.iter().next().map(|(number, place)| (number, place.id));
        assert_eq!(first, Some((number, id)), "{id} is admitted before others who wait longer");
        let place = self.queue.remove(number);
        self.people_waiting -= place.people();
        self.people_inside += place.people();
        self.sessions.insert((session_ends_at, number));
        self.inside.insert(number, Visit { place, ends_at: session_ends_at });
    }

    fn left(&mut self, id: EntryId, number: u64) {
        let place = match self.inside.remove(&number) {
            None => {
                let place = self.queue.remove(number);
                self.people_waiting -= place.people();
                place
            }
            Some(Visit { place, ends_at }) => {
                self.people_inside -= place.people();
                assert!(self.sessions.remove(&(ends_at, number)), "{id} is inside without an end");
                place
            }
        };
        assert_eq!(place.id, id, "number {number} departs as another place");
        for member in place.members() {
            assert_eq!(self.places.remove(member), Some(number), "{member} was on another place");
        }
        assert!(self.ids.remove(&id), "{id} isn't a place");
        self.departed.insert(id, ());
    }
}
