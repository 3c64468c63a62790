//! What is known of a line: the fold of its events.

use super::Event;
use super::finder::Finder;
use super::lobby::Draw;
use super::queue::Queue;
use super::rules::{LineRules, Mode};
use crate::draw::{self, Digest};
use crate::limits::{CAPACITY_MAX, ENDED_REMEMBERED_MAX, WAITING_MAX};
use crate::recent::Recent;
use crate::reply::{EntryReply, EntryState};
use crate::{AccountId, EntryId, PartyId, ShowId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A minute in microseconds.
const MINUTE_US: i64 = 60_000_000;

/// The line as it was set up, with the limits that count now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) show: ShowId,
    pub(super) sale_opens_at: Timestamp,
    pub(super) capacity: u32,
    pub(super) session_seconds: u32,
    pub(super) rules: LineRules,
}

/// Whether people get on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) enum Flow {
    /// They join and are called.
    #[default]
    Running,
    /// They join and aren't called.
    Paused,
    /// They are called and don't join.
    Draining,
}

/// Who is on a place: one person, nearly always; that is why a party's members are apart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) id: EntryId,
    /// Who joined: alone, or as a party's leader.
    pub(super) account: AccountId,
    group: Option<Box<Group>>,
}

/// The party of a place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Group {
    party: Option<PartyId>,
    members: Vec<AccountId>,
}

impl Place {
    pub(super) fn new(id: EntryId, account: AccountId, party: Option<PartyId>, members: &[AccountId]) -> Place {
        let alone = party.is_none() && members == [account];
        Place { id, account, group: (!alone).then(|| Box::new(Group { party, members: members.to_vec() })) }
    }

    #[cfg(test)]
    pub(super) fn alone(id: EntryId, account: AccountId) -> Place {
        Place::new(id, account, None, &[account])
    }

    pub(super) fn members(&self) -> &[AccountId] {
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
    /// When it ends; until it is claimed, when it must be.
    ends_at: Timestamp,
    claimed: bool,
}

/// Where a place's people are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// In the lobby or the line.
    Waiting,
    /// Called; they have until then to claim the pass.
    Called(Timestamp),
    /// Inside, until then.
    Inside(Timestamp),
}

/// One place as it stands: in the line, or inside.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Entry<'a> {
    place: &'a Place,
    pub(super) number: u64,
    /// Where its people are.
    pub(super) standing: Standing,
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

    /// Whether the pass or the visit has run out, though no timer may have said so yet.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        match self.standing {
            Standing::Waiting => false,
            Standing::Called(ends_at) | Standing::Inside(ends_at) => ends_at <= now,
        }
    }
}

/// What is known of a line: the fold of its events. A million may wait, so what is kept of one who waits is little: their
/// place, by its number, and how to find it. The latter, like the order of the visits' ends, follows from the places, and is
/// made again when a snapshot is read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct WaitingRoom {
    pub(super) sequence: u64,
    pub(super) opening: Option<Opening>,
    pub(super) draw: Option<Draw>,
    pub(super) flow: Flow,
    /// Until when the rate lets nobody else in, in microseconds since the epoch.
    pub(super) paced_until_us: i64,
    /// People of the largest place that ever was: capacity can't fall below it, or its people would wait for ever.
    pub(super) largest: u32,
    pub(super) last_number: u64,
    pub(super) queue: Queue,
    /// Visits, by the number of their place.
    #[serde(serialize_with = "crate::sorted::serialize")]
    pub(super) inside: HashMap<u64, Visit>,
    pub(super) departed: Recent<EntryId, ()>,
    pub(super) people_waiting: u32,
    /// Those with a pass that isn't claimed yet included.
    pub(super) people_inside: u32,
    /// Finds places by their people and their ids.
    #[serde(skip_serializing)]
    pub(super) finder: Finder,
    /// When visits end.
    #[serde(skip_serializing)]
    pub(super) sessions: BTreeSet<(Timestamp, u64)>,
    /// The tickets of the lobby, sorted, with the numbers of their places, until these are drawn: made as people come, so
    /// that a million aren't hashed and sorted at the opening.
    #[serde(skip_serializing)]
    pub(super) tickets: BTreeMap<Digest, u64>,
}

/// A line as it stands in a snapshot: what the rest follows from.
#[derive(Deserialize)]
struct Stored {
    sequence: u64,
    opening: Option<Opening>,
    draw: Option<Draw>,
    flow: Flow,
    paced_until_us: i64,
    largest: u32,
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
        let Stored { sequence, opening, draw, flow, paced_until_us, largest, last_number, queue, .. } = stored;
        let Stored { inside, departed, people_waiting, people_inside, .. } = stored;
        let finder = finder((people_waiting + people_inside).min(WAITING_MAX as u32), &queue, &inside);
        let tickets = WaitingRoom::tickets_of(draw.as_ref(), &queue);
        let sessions = inside.iter().map(|(number, visit)| (visit.ends_at, *number)).collect();
        WaitingRoom {
            sequence,
            opening,
            draw,
            flow,
            paced_until_us,
            largest,
            last_number,
            queue,
            inside,
            departed,
            people_waiting,
            people_inside,
            finder,
            sessions,
            tickets,
        }
    }
}

/// Finds all places that wait or are inside.
fn finder(people: u32, queue: &Queue, inside: &HashMap<u64, Visit>) -> Finder {
    let numbers = queue.iter().map(|(number, _)| number).chain(inside.keys().copied());
    Finder::of(people as usize, numbers, |number| place(queue, inside, number))
}

/// The place with this number, which must be one.
fn place<'a>(queue: &'a Queue, inside: &'a HashMap<u64, Visit>, number: u64) -> &'a Place {
    inside.get(&number).map_or_else(|| queue.get(number), |visit| &visit.place)
}

impl Default for WaitingRoom {
    fn default() -> Self {
        WaitingRoom {
            sequence: 0,
            opening: None,
            draw: None,
            flow: Flow::Running,
            paced_until_us: 0,
            largest: 0,
            last_number: 0,
            queue: Queue::default(),
            inside: HashMap::new(),
            departed: Recent::with_room(ENDED_REMEMBERED_MAX),
            people_waiting: 0,
            people_inside: 0,
            finder: Finder::default(),
            sessions: BTreeSet::new(),
            tickets: BTreeMap::new(),
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

    /// The show whose line it is, once it is open.
    #[must_use]
    pub fn show(&self) -> Option<ShowId> {
        self.opening.as_ref().map(|opening| opening.show)
    }

    /// How many people are inside, those with a pass that isn't claimed yet included.
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
        self.place(account, now).filter(|entry| matches!(entry.standing, Standing::Inside(_)))
    }

    /// An account's place as its people see it.
    #[must_use]
    pub fn reply(&self, account: AccountId) -> Option<EntryReply> {
        let entry = self.kept_place(account)?;
        let (state, claim_by, session_ends_at) = match entry.standing {
            Standing::Waiting if self.is_undrawn(entry.number) => (EntryState::Lobby, None, None),
            Standing::Waiting => (EntryState::Waiting, None, None),
            Standing::Called(claim_by) => (EntryState::Called, Some(claim_by), None),
            Standing::Inside(ends_at) => (EntryState::Inside, None, Some(ends_at)),
        };
        Some(EntryReply {
            entry_id: entry.id(),
            number: if state == EntryState::Lobby { 0 } else { entry.number },
            state,
            ahead: if state == EntryState::Waiting { self.queue.ahead(entry.number) } else { 0 },
            claim_by,
            session_ends_at,
            party_id: entry.party(),
            members: entry.members().to_vec(),
        })
    }

    /// The place an account is on, though its visit may have run out.
    pub(super) fn kept_place(&self, account: AccountId) -> Option<Entry<'_>> {
        let number = self.finder.number(account, |number| place(&self.queue, &self.inside, number))?;
        Some(self.entry(number))
    }

    /// Whether a place that is there has this id.
    pub(super) fn has(&self, id: EntryId) -> bool {
        self.finder.has(id, |number| place(&self.queue, &self.inside, number))
    }

    /// The place with this number, which must be one.
    pub(super) fn entry(&self, number: u64) -> Entry<'_> {
        match self.inside.get(&number) {
            Some(Visit { place, ends_at, claimed: true }) => Entry { place, number, standing: Standing::Inside(*ends_at) },
            Some(Visit { place, ends_at, claimed: false }) => Entry { place, number, standing: Standing::Called(*ends_at) },
            None => Entry { place: self.queue.get(number), number, standing: Standing::Waiting },
        }
    }

    /// The places that wait, the first first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Entry<'_>> {
        self.queue.iter().map(|(number, place)| Entry { place, number, standing: Standing::Waiting })
    }

    /// How many people may be inside at once.
    pub(super) fn capacity(&self) -> u32 {
        match &self.opening {
            Some(Opening { rules: LineRules { mode: Mode::Open, .. }, .. }) => CAPACITY_MAX,
            Some(opening) => opening.capacity,
            None => 0,
        }
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::LineOpened { show, sale_opens_at, capacity, session_seconds, rules } => {
                assert!(self.opening.is_none(), "a line is opened twice");
                let (show, sale_opens_at, capacity) = (*show, *sale_opens_at, *capacity);
                self.opening = Some(Opening { show, sale_opens_at, capacity, session_seconds: *session_seconds, rules: *rules });
            }
            Event::DrawCommitted { commitment, lobby_opens_at } => self.committed(*commitment, *lobby_opens_at),
            Event::BeaconGiven { value, .. } => self.beacon_given(value),
            Event::LobbyClosed { root, entries } => self.lobby_closed(*root, *entries),
            Event::SeedLost { beacon_source, .. } => self.seed_lost(beacon_source),
            Event::SeedRevealed { seed } => self.drawn(seed),
            Event::QueueJoined { entry, number, account, party, members } => {
                assert!(members.contains(account), "{entry} is joined by someone who isn't on it");
                self.joined(*number, Place::new(*entry, *account, *party, members));
            }
            Event::EntryCalled { entry, number, claim_by } => self.called(*entry, *number, *claim_by),
            Event::EntryAdmitted { entry, number, session_ends_at } => self.admitted(*entry, *number, *session_ends_at),
            Event::EntryDeparted { entry, number, .. } => self.left(*entry, *number),
            Event::LinePaused { .. } => self.flow = Flow::Paused,
            Event::LineResumed { .. } => self.flow = Flow::Running,
            Event::DrainBegun { .. } => self.flow = Flow::Draining,
            Event::LimitsChanged { capacity, admissions_per_minute, .. } => self.limits_changed(*capacity, *admissions_per_minute),
            Event::EvictionOrdered { entry, number, .. } => {
                assert_eq!(self.entry(*number).id(), *entry, "number {number} is evicted as another place");
            }
        }
    }

    fn joined(&mut self, number: u64, place: Place) {
        assert_eq!(number, self.last_number + 1, "numbers are given one after another");
        self.last_number = number;
        self.largest = self.largest.max(place.people());
        self.people_waiting += place.people();
        if self.takes_tickets() {
            self.tickets.insert(draw::ticket(place.account, place.id), number);
        }
        self.queue.push(number, place);
        self.finder.add(number, |number| self::place(&self.queue, &self.inside, number));
    }

    fn called(&mut self, id: EntryId, number: u64, claim_by: Timestamp) {
        let claim_seconds = self.opening.as_ref().map_or(0, |opening| opening.rules.claim_seconds);
        self.let_in(id, number, claim_by, false, claim_seconds);
    }

    /// A pass is claimed, or the place gets in as it comes.
    fn admitted(&mut self, id: EntryId, number: u64, session_ends_at: Timestamp) {
        let Some(visit) = self.inside.get_mut(&number) else {
            let session_seconds = self.opening.as_ref().map_or(0, |opening| opening.session_seconds);
            return self.let_in(id, number, session_ends_at, true, session_seconds);
        };
        assert!(visit.place.id == id && !visit.claimed, "{id} claims a pass that isn't there to be claimed");
        assert!(self.sessions.remove(&(visit.ends_at, number)), "{id} is called without an end");
        (visit.ends_at, visit.claimed) = (session_ends_at, true);
        self.sessions.insert((session_ends_at, number));
    }

    /// The first place that waits gets a pass or is inside, until `ends_at`, which is `seconds` from when it was called.
    fn let_in(&mut self, id: EntryId, number: u64, ends_at: Timestamp, claimed: bool, seconds: u32) {
        let first = self.queue.iter().next().map(|(number, place)| (number, place.id));
        assert_eq!(first, Some((number, id)), "{id} is let in before others who wait longer");
        let place = self.queue.remove(number);
        self.people_waiting -= place.people();
        self.people_inside += place.people();
        let capacity = self.capacity();
        assert!(self.people_inside <= capacity, "{} people inside, above {capacity}", self.people_inside);
        let called_at_us = (ends_at.as_millis() - i64::from(seconds) * 1_000) * 1_000;
        self.paced_until_us = self.paced(self.paced_until_us, called_at_us, place.people());
        self.sessions.insert((ends_at, number));
        self.inside.insert(number, Visit { place, ends_at, claimed });
    }

    /// Until when the rate lets nobody else in, once so many people more were let in.
    pub(super) fn paced(&self, paced_until_us: i64, now_us: i64, people: u32) -> i64 {
        match self.opening.as_ref().and_then(|opening| opening.rules.admissions_per_minute) {
            Some(rate) => paced_until_us.max(now_us) + (MINUTE_US * i64::from(people)).div_euclid(i64::from(rate)) + 1,
            None => paced_until_us,
        }
    }

    fn limits_changed(&mut self, capacity: u32, admissions_per_minute: Option<u32>) {
        let opening = self.opening.as_mut().expect("limits change only in a line that is open");
        opening.capacity = capacity;
        // Another rate begins anew: nobody waits for the sake of one that doesn't count any more.
        if opening.rules.admissions_per_minute != admissions_per_minute {
            opening.rules.admissions_per_minute = admissions_per_minute;
            self.paced_until_us = 0;
        }
    }

    fn left(&mut self, id: EntryId, number: u64) {
        let place = match self.inside.remove(&number) {
            None => {
                let place = self.queue.remove(number);
                self.people_waiting -= place.people();
                place
            }
            Some(Visit { place, ends_at, .. }) => {
                self.people_inside -= place.people();
                assert!(self.sessions.remove(&(ends_at, number)), "{id} is inside without an end");
                place
            }
        };
        assert_eq!(place.id, id, "number {number} departs as another place");
        if self.takes_tickets() {
            let ticket = self.tickets.remove(&draw::ticket(place.account, id));
            assert_eq!(ticket, Some(number), "{id} has no ticket");
        }
        self.finder.remove(number, &place);
        self.departed.insert(id, ());
    }
}
