//! Events for the unit tests of this crate.

use socketing_domain::{
    AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, SeatIndex, Timestamp, Won,
    event::{Event, Metadata, Recorded, StreamId},
    party,
    performance::{self, Line},
    waiting_room,
};
use std::sync::Arc;

/// An event of the seats of a performance.
pub(crate) fn seats(position: u64, performance: PerformanceId, event: performance::Event) -> Arc<Recorded> {
    recorded(position, StreamId::Performance(performance), Event::Performance(event))
}

/// An event of a performance's line.
pub(crate) fn line(position: u64, performance: PerformanceId, event: waiting_room::Event) -> Arc<Recorded> {
    recorded(position, StreamId::WaitingRoom(performance), Event::WaitingRoom(event))
}

/// An event of a party.
pub(crate) fn of_party(position: u64, performance: PerformanceId, id: PartyId, event: party::Event) -> Arc<Recorded> {
    recorded(position, StreamId::Party(performance, id), Event::Party(event))
}

fn recorded(position: u64, stream: StreamId, event: Event) -> Arc<Recorded> {
    Arc::new(Recorded { position, stream, sequence: position, event, metadata: Metadata::default(), recorded_at: Timestamp::default() })
}

/// Someone holds seats.
pub(crate) fn held(account: AccountId, hold: HoldId, chosen: &[u32]) -> performance::Event {
    performance::Event::SeatsHeld {
        hold,
        account,
        party: None,
        members: vec![account],
        seats: chosen.iter().copied().map(SeatIndex).collect(),
        expires_at: Timestamp::default(),
        extended: false,
    }
}

/// A hold ended.
pub(crate) fn released(hold: HoldId, seats: &[u32]) -> performance::Event {
    performance::Event::HoldReleased { hold, seats: seats.iter().copied().map(SeatIndex).collect(), reason: performance::Release::Released }
}

/// Seats with the people who will sit there.
pub(crate) fn lines(tickets: &[(u32, AccountId)]) -> Vec<Line> {
    let price = Won::new(50_000).unwrap();
    tickets.iter().map(|(seat, holder)| Line { seat: SeatIndex(*seat), price, holder: *holder }).collect()
}

/// Seats were sold.
pub(crate) fn sold(booking: BookingId, account: AccountId, tickets: &[(u32, AccountId)]) -> performance::Event {
    performance::Event::SeatsSold { booking, payment: PaymentId::new(), account, lines: lines(tickets), amount: Won::new(100_000).unwrap() }
}

/// Someone took a number.
pub(crate) fn joined(entry: EntryId, number: u64, members: &[AccountId]) -> waiting_room::Event {
    waiting_room::Event::QueueJoined {
        entry,
        number,
        account: members.first().copied().unwrap_or_default(),
        party: None,
        members: members.to_vec(),
    }
}

/// A number was called.
pub(crate) fn admitted(entry: EntryId, number: u64) -> waiting_room::Event {
    waiting_room::Event::EntryAdmitted { entry, number, session_ends_at: Timestamp::default() }
}

/// A number went away.
pub(crate) fn departed(entry: EntryId, number: u64) -> waiting_room::Event {
    waiting_room::Event::EntryDeparted { entry, number, reason: waiting_room::Departure::Left }
}
