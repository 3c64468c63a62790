//! A performance with its line and its parties: one unit, decided by one writer.

use crate::event::{Event, StreamId};
use crate::{PartyId, PerformanceId, party::Party, performance::Performance, waiting_room::WaitingRoom};
use std::collections::HashMap;

/// A performance, its line and its parties.
#[derive(Debug)]
pub struct Hall {
    id: PerformanceId,
    performance: Performance,
    line: WaitingRoom,
    parties: HashMap<PartyId, Party>,
}

impl Hall {
    /// A hall nothing has happened in.
    #[must_use]
    pub fn new(id: PerformanceId) -> Hall {
        Hall {
            id,
            performance: Performance::default(),
            line: WaitingRoom::default(),
            parties: HashMap::new(),
        }
    }

    /// The seats.
    #[must_use]
    pub const fn performance(&self) -> &Performance {
        &self.performance
    }

    /// The line.
    #[must_use]
    pub const fn line(&self) -> &WaitingRoom {
        &self.line
    }

    /// A party of this performance.
    #[must_use]
    pub fn party(&self, party: PartyId) -> Option<&Party> {
        self.parties.get(&party)
    }

    pub(crate) fn apply(&mut self, stream: &StreamId, event: &Event) {
        assert_eq!(
            stream.unit(),
            crate::unit::UnitId::Performance(self.id),
            "{stream} belongs to another unit"
        );
        match (stream, event) {
            (StreamId::Performance(_), Event::Performance(event)) => self.performance.evolve(event),
            (StreamId::WaitingRoom(_), Event::WaitingRoom(event)) => self.line.evolve(event),
            (StreamId::Party(_, party), Event::Party(event)) => self.parties.entry(*party).or_default().evolve(event),
            (stream, event) => panic!("{} is no event of {stream}", event.event_type()),
        }
    }

    pub(crate) fn sequence(&self, stream: &StreamId) -> u64 {
        match stream {
            StreamId::Performance(_) => self.performance.sequence(),
            StreamId::WaitingRoom(_) => self.line.sequence(),
            StreamId::Party(_, party) => self.parties.get(party).map_or(0, Party::sequence),
            _ => 0,
        }
    }
}
