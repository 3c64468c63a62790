//! Lines: the counters are counted from the places, not kept along; and a draw is drawn again.

use super::{Fold, PlanMap, Table, key};
use crate::models::{departure_name, mode_name};
use crate::projection::Model;
use serde_json::{Value, json};
use socketing_domain::draw::{self, Digest, Key};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::waiting_room::{Departure, Event as Line, LineRules};
use socketing_domain::{AccountId, EntryId, PartyId, PerformanceId, Timestamp};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Lines {
    lines: HashMap<PerformanceId, Room>,
}

#[derive(Default)]
struct Room {
    sale_opens_at: Timestamp,
    capacity: u32,
    session_seconds: u32,
    rules: LineRules,
    flow: &'static str,
    draw: Draw,
    joined_number: u64,
    /// In the order in which they joined.
    places: Vec<Place>,
    by_entry: HashMap<EntryId, usize>,
}

#[derive(Default)]
struct Draw {
    committed: Option<(Digest, Timestamp, u64)>,
    closed: Option<(Digest, u64, u64)>,
    beacon: Option<String>,
    /// Of the beacon, given or named.
    source: Option<String>,
    lost: Option<(u64, String)>,
    revealed: Option<(Digest, u64)>,
    tickets: Vec<Digest>,
}

struct Place {
    entry: EntryId,
    number: u64,
    account: AccountId,
    party: Option<PartyId>,
    members: Vec<AccountId>,
    in_lobby: bool,
    claim_by: Option<Timestamp>,
    session_ends_at: Option<Timestamp>,
    departure: Option<Departure>,
    joined: u64,
    called: Option<u64>,
    entered: Option<u64>,
    departed: Option<u64>,
}

impl Place {
    fn state(&self) -> &'static str {
        match self {
            Place { departure: Some(_), .. } => "gone",
            Place { session_ends_at: Some(_), .. } => "inside",
            Place { claim_by: Some(_), .. } => "called",
            Place { in_lobby: true, .. } => "lobby",
            _ => "waiting",
        }
    }

    fn row(&self) -> Value {
        json!({
            "number": self.number,
            "account": self.account,
            "party": self.party,
            "members": self.members,
            "state": self.state(),
            "claim_by": self.claim_by.map(Timestamp::as_millis),
            "session_ends_at": self.session_ends_at.map(Timestamp::as_millis),
            "departure": self.departure.map(departure_name),
            "joined": self.joined,
            "called": self.called,
            "entered": self.entered,
            "departed": self.departed,
        })
    }
}

impl Room {
    fn place(&mut self, entry: &EntryId) -> Option<&mut Place> {
        self.by_entry.get(entry).and_then(|at| self.places.get_mut(*at))
    }

    fn count(&self, states: &[&str]) -> usize {
        self.places.iter().filter(|place| states.contains(&place.state())).count()
    }

    fn row(&self) -> Value {
        let let_in = self.places.iter().filter(|place| place.called.is_some());
        let Draw { committed, closed, beacon, source, lost, revealed, .. } = &self.draw;
        json!({
            "sale_opens_at": self.sale_opens_at.as_millis(),
            "capacity": self.capacity,
            "session_seconds": self.session_seconds,
            "mode": mode_name(self.rules.mode),
            "flow": self.flow,
            "admissions_per_minute": self.rules.admissions_per_minute,
            "claim_seconds": self.rules.claim_seconds,
            "waiting": self.count(&["lobby", "waiting"]),
            "inside": self.count(&["called", "inside"]),
            "called": self.count(&["called"]),
            "joined_number": self.joined_number,
            "admitted_number": let_in.map(|place| place.number).max().unwrap_or(0),
            "commitment": committed.map(|(commitment, _, _)| commitment),
            "lobby_opens_at": committed.map(|(_, opens, _)| opens.as_millis()),
            "committed": committed.map(|(_, _, position)| position),
            "root": closed.map(|(root, _, _)| root),
            "lobby_entries": closed.map(|(_, entries, _)| entries),
            "closed": closed.map(|(_, _, position)| position),
            "beacon": beacon,
            "beacon_source": source,
            "seed_lost": lost.as_ref().map(|(position, _)| position),
            "seed_lost_reason": lost.as_ref().map(|(_, reason)| reason),
            "seed": revealed.map(|(seed, _)| seed),
            "revealed": revealed.map(|(_, position)| position),
        })
    }

    fn draw(&mut self, seed: Digest, position: u64) {
        self.draw.revealed = Some((seed, position));
        let Some((root, _, _)) = self.draw.closed else { return };
        let beacon = self.draw.beacon.as_deref().unwrap_or_default();
        let lobby = self.places.iter_mut().filter(|place| place.state() == "lobby");
        let tickets = lobby.map(|place| (draw::ticket(place.account, place.entry), place));
        for ((ticket, place), number) in Key::new(&seed, &root, beacon).order(tickets).into_iter().zip(1..) {
            (place.number, place.in_lobby) = (number, false);
            self.draw.tickets.push(ticket);
        }
    }

    fn join(&mut self, event: &Recorded, what: &Line) {
        let Line::QueueJoined { entry, number, account, party, members } = what else { return };
        let in_lobby = self.draw.committed.is_some() && self.draw.closed.is_none();
        self.joined_number = self.joined_number.max(*number);
        self.by_entry.insert(*entry, self.places.len());
        self.places.push(Place {
            entry: *entry,
            number: *number,
            account: *account,
            party: *party,
            members: members.clone(),
            in_lobby,
            claim_by: None,
            session_ends_at: None,
            departure: None,
            joined: event.position,
            called: None,
            entered: None,
            departed: None,
        });
    }
}

impl Fold for Lines {
    fn model(&self) -> Model {
        Model::Line
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::WaitingRoom(performance) = event.stream else { return };
        let Event::WaitingRoom(what) = &event.event else { return };
        let room = self.lines.entry(performance).or_default();
        let position = event.position;
        match what {
            Line::LineOpened { sale_opens_at, capacity, session_seconds, rules, .. } => {
                (room.sale_opens_at, room.capacity, room.session_seconds) = (*sale_opens_at, *capacity, *session_seconds);
                (room.rules, room.flow) = (*rules, "running");
            }
            Line::DrawCommitted { commitment, lobby_opens_at } => room.draw.committed = Some((*commitment, *lobby_opens_at, position)),
            Line::BeaconGiven { value, source } => {
                (room.draw.beacon, room.draw.source) = (Some(value.clone()), Some(source.clone()));
            }
            Line::SeedLost { beacon_source, reason } => {
                (room.draw.beacon, room.draw.source) = (None, Some(beacon_source.clone()));
                room.draw.lost = Some((position, reason.clone()));
            }
            Line::LobbyClosed { root, entries } => room.draw.closed = Some((*root, *entries, position)),
            Line::SeedRevealed { seed } => room.draw(*seed, position),
            Line::QueueJoined { .. } => room.join(event, what),
            Line::EntryCalled { entry, claim_by, .. } => {
                if let Some(place) = room.place(entry) {
                    (place.claim_by, place.called) = (Some(*claim_by), Some(position));
                }
            }
            Line::EntryAdmitted { entry, session_ends_at, .. } => {
                if let Some(place) = room.place(entry) {
                    (place.session_ends_at, place.entered) = (Some(*session_ends_at), Some(position));
                    place.called = place.called.or(Some(position));
                }
            }
            Line::EntryDeparted { entry, reason, .. } => {
                if let Some(place) = room.place(entry) {
                    (place.departure, place.departed) = (Some(*reason), Some(position));
                }
            }
            Line::LinePaused { .. } => room.flow = "paused",
            Line::LineResumed { .. } => room.flow = "running",
            Line::DrainBegun { .. } => room.flow = "draining",
            Line::LimitsChanged { capacity, admissions_per_minute, .. } => {
                (room.capacity, room.rules.admissions_per_minute) = (*capacity, *admissions_per_minute);
            }
            Line::EvictionOrdered { .. } => {}
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let (mut lines, mut entries, mut members, mut tickets) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        for (performance, room) in &self.lines {
            lines.insert(performance.to_string(), room.row());
            for place in &room.places {
                entries.insert(key(performance, place.entry), place.row());
                members.extend(place.members.iter().map(|member| (key(performance, member), json!(place.entry))));
            }
            tickets.extend(room.draw.tickets.iter().zip(1..).map(|(ticket, number)| (key(performance, number), json!(ticket))));
        }
        vec![
            Table { name: "lines", rows: lines },
            Table { name: "line_entries", rows: entries },
            Table { name: "line_members", rows: members },
            Table { name: "draw_tickets", rows: tickets },
        ]
    }
}
