//! Lines: the counters are counted from the places, not kept along.

use super::{Fold, PlanMap, Table, key};
use crate::projection::Model;
use serde_json::{Value, json};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::waiting_room::{Departure, Event as Line};
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
    /// In the order in which they joined.
    places: Vec<Place>,
    by_entry: HashMap<EntryId, usize>,
}

struct Place {
    entry: EntryId,
    number: u64,
    account: AccountId,
    party: Option<PartyId>,
    members: Vec<AccountId>,
    session_ends_at: Option<Timestamp>,
    departure: Option<Departure>,
}

impl Place {
    fn state(&self) -> &'static str {
        match (self.departure, self.session_ends_at) {
            (Some(_), _) => "gone",
            (None, Some(_)) => "inside",
            (None, None) => "waiting",
        }
    }
}

impl Room {
    fn place(&mut self, entry: &EntryId) -> Option<&mut Place> {
        self.by_entry.get(entry).and_then(|at| self.places.get_mut(*at))
    }

    fn count(&self, state: &str) -> usize {
        self.places.iter().filter(|place| place.state() == state).count()
    }

    fn row(&self) -> Value {
        let admitted = self.places.iter().filter(|place| place.session_ends_at.is_some());
        json!({
            "sale_opens_at": self.sale_opens_at.as_millis(),
            "capacity": self.capacity,
            "session_seconds": self.session_seconds,
            "waiting": self.count("waiting"),
            "inside": self.count("inside"),
            "joined_number": self.places.iter().map(|place| place.number).max().unwrap_or(0),
            "admitted_number": admitted.map(|place| place.number).max().unwrap_or(0),
        })
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
        match what {
            Line::LineOpened { sale_opens_at, capacity, session_seconds, .. } => {
                (room.sale_opens_at, room.capacity, room.session_seconds) = (*sale_opens_at, *capacity, *session_seconds);
            }
            Line::QueueJoined { entry, number, account, party, members } => {
                room.by_entry.insert(*entry, room.places.len());
                let (entry, number, account, party, members) = (*entry, *number, *account, *party, members.clone());
                room.places.push(Place { entry, number, account, party, members, session_ends_at: None, departure: None });
            }
            Line::EntryAdmitted { entry, session_ends_at, .. } => {
                if let Some(place) = room.place(entry) {
                    place.session_ends_at = Some(*session_ends_at);
                }
            }
            Line::EntryDeparted { entry, reason, .. } => {
                if let Some(place) = room.place(entry) {
                    place.departure = Some(*reason);
                }
            }
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let (mut lines, mut entries, mut members) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (performance, room) in &self.lines {
            lines.insert(performance.to_string(), room.row());
            for place in &room.places {
                let row = json!({
                    "number": place.number,
                    "account": place.account,
                    "party": place.party,
                    "members": place.members,
                    "state": place.state(),
                    "session_ends_at": place.session_ends_at.map(Timestamp::as_millis),
                    "departure": place.departure,
                });
                entries.insert(key(performance, place.entry), row);
                members.extend(place.members.iter().map(|member| (key(performance, member), json!(place.entry))));
            }
        }
        vec![
            Table { name: "lines", rows: lines },
            Table { name: "line_entries", rows: entries },
            Table { name: "line_members", rows: members },
        ]
    }
}
