//! No seat has two owners, at any prefix of the log: it is free, or of one hold, or of one booking.

use super::check::{Check, Seen};
use super::findings::Findings;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{Event as P, Line, Reseated};
use socketing_domain::{AccountId, BookingId, HoldId, PerformanceId, SeatIndex, Won};
use std::collections::{HashMap, HashSet};

/// Whose a seat is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    Hold(HoldId),
    Booking(BookingId),
}

/// A hold that lives.
struct Hold {
    members: Vec<AccountId>,
    seats: Vec<SeatIndex>,
}

/// A booking that lives.
struct Booking {
    account: AccountId,
    lines: Vec<Line>,
    sold: bool,
}

/// One performance's seats, folded.
#[derive(Default)]
struct Hall {
    seats: Option<u32>,
    owners: HashMap<SeatIndex, Owner>,
    holds: HashMap<HoldId, Hold>,
    bookings: HashMap<BookingId, Booking>,
    /// Ids that lived once: an id is never used again.
    ended: HashSet<uuid::Uuid>,
}

/// Folds the seats of every performance.
pub(crate) struct Seats {
    halls: HashMap<PerformanceId, Hall>,
    findings: Findings,
}

impl Seats {
    pub(crate) fn new() -> Seats {
        Seats { halls: HashMap::new(), findings: Findings::new("seats", "no seat has two owners, at any prefix of the log") }
    }
}

impl Check for Seats {
    fn event(&mut self, event: &Seen<'_>) {
        let Ok(recorded) = event.decoded else { return };
        let (StreamId::Performance(performance), Event::Performance(event)) = (recorded.stream, &recorded.event) else { return };
        self.findings.looked();
        let hall = self.halls.entry(performance).or_default();
        for fault in hall.evolve(event) {
            self.findings.fault(recorded.position, format!("performance {performance}: {fault}"));
        }
    }

    fn end(&mut self, _head: u64) {
        let taken: usize = self.halls.values().map(|hall| hall.owners.len()).sum();
        self.findings.note = Some(format!("{} performances, {taken} seats taken", self.halls.len()));
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}

impl Hall {
    /// Takes the event in and tells what it breaks. A broken event is taken in as it stands, so that one fault doesn't
    /// bring a hundred after it.
    fn evolve(&mut self, event: &P) -> Vec<String> {
        match event {
            P::PerformanceScheduled { seats, .. } => match self.seats.replace(*seats) {
                None => Vec::new(),
                Some(_) => vec!["scheduled twice".to_owned()],
            },
            P::SeatsHeld { hold, members, seats, .. } => self.hold(*hold, members, seats),
            P::HoldReleased { hold, seats, .. } => self.release(*hold, seats),
            P::SeatsBooked { booking, hold, account, lines, .. } => self.book(*booking, *hold, *account, lines),
            P::SeatsSold { booking, account, lines, .. } => self.sell(*booking, *account, lines),
            P::SharesReseated { shares, .. } => self.reseat(shares),
            P::BookingCancelled { booking, seats, .. } => self.cancel(*booking, seats),
            P::HoldExtended { hold, .. } if !self.holds.contains_key(hold) => vec![format!("hold {hold} is extended but doesn't live")],
            _ => Vec::new(),
        }
    }

    fn hold(&mut self, hold: HoldId, members: &[AccountId], seats: &[SeatIndex]) -> Vec<String> {
        let mut faults = Vec::new();
        if self.holds.contains_key(&hold) || self.ended.contains(&hold.0) {
            faults.push(format!("hold {hold} begins twice"));
        }
        let known = self.seats.unwrap_or(0);
        for &seat in seats {
            if seat.0 >= known {
                faults.push(format!("hold {hold} has seat {seat}, of {known} seats"));
            }
            if let Some(owner) = self.owners.insert(seat, Owner::Hold(hold)) {
                faults.push(format!("seat {seat} is held by {hold} while it is {}", owner.told()));
            }
        }
        self.holds.insert(hold, Hold { members: members.to_vec(), seats: seats.to_vec() });
        faults
    }

    fn release(&mut self, hold: HoldId, seats: &[SeatIndex]) -> Vec<String> {
        let mut faults = Vec::new();
        match self.holds.remove(&hold) {
            None => faults.push(format!("hold {hold} is released but doesn't live")),
            Some(held) if !same_seats(&held.seats, seats) => faults.push(format!("hold {hold} frees other seats than it held")),
            Some(_) => {}
        }
        faults.extend(self.free(seats, Owner::Hold(hold)));
        self.ended.insert(hold.0);
        faults
    }

    fn book(&mut self, booking: BookingId, hold: HoldId, account: AccountId, lines: &[Line]) -> Vec<String> {
        let mut faults = Vec::new();
        let seats: Vec<SeatIndex> = lines.iter().map(|line| line.seat).collect();
        if self.bookings.contains_key(&booking) || self.ended.contains(&booking.0) {
            faults.push(format!("booking {booking} begins twice"));
        }
        match self.holds.get_mut(&hold) {
            None => faults.push(format!("booking {booking} is of hold {hold}, which doesn't live")),
            Some(held) => {
                if !seats.iter().all(|seat| held.seats.contains(seat)) {
                    faults.push(format!("booking {booking} has other seats than hold {hold}"));
                }
                if !held.members.contains(&account) {
                    faults.push(format!("booking {booking} is of {account}, whom hold {hold} isn't for"));
                }
                held.seats.retain(|seat| !seats.contains(seat));
            }
        }
        for &seat in &seats {
            let before = self.owners.insert(seat, Owner::Booking(booking));
            if before != Some(Owner::Hold(hold)) {
                faults.push(format!("seat {seat} is booked by {booking} while it is {}", before.map_or("free".to_owned(), Owner::told)));
            }
        }
        if self.holds.get(&hold).is_none_or(|held| held.seats.is_empty()) {
            self.holds.remove(&hold);
            self.ended.insert(hold.0);
        }
        self.bookings.insert(booking, Booking { account, lines: lines.to_vec(), sold: false });
        faults
    }

    fn sell(&mut self, booking: BookingId, account: AccountId, lines: &[Line]) -> Vec<String> {
        let mut faults = Vec::new();
        match self.bookings.get_mut(&booking) {
            None => faults.push(format!("booking {booking} is sold but doesn't live")),
            Some(known) => {
                if std::mem::replace(&mut known.sold, true) {
                    faults.push(format!("booking {booking} is sold twice"));
                }
                if known.account != account || known.lines != lines {
                    faults.push(format!("booking {booking} is sold with other seats, prices or people than it was booked with"));
                }
            }
        }
        for seat in lines.iter().map(|line| line.seat) {
            let before = self.owners.insert(seat, Owner::Booking(booking));
            if before != Some(Owner::Booking(booking)) {
                faults.push(format!("seat {seat} is sold to {booking} while it is {}", before.map_or("free".to_owned(), Owner::told)));
            }
        }
        faults
    }

    /// Shares of one block change seats among themselves.
    fn reseat(&mut self, shares: &[Reseated]) -> Vec<String> {
        let mut faults = Vec::new();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for share in shares {
            after.extend(share.lines.iter().map(|line| line.seat));
            let Some(known) = self.bookings.get_mut(&share.booking) else {
                faults.push(format!("share {} is reseated but doesn't live", share.booking));
                continue;
            };
            before.extend(known.lines.iter().map(|line| line.seat));
            let people = |lines: &[Line]| {
                let mut people: Vec<(AccountId, Won)> = lines.iter().map(|line| (line.holder, line.price)).collect();
                people.sort_unstable();
                people
            };
            if people(&known.lines) != people(&share.lines) || known.sold != share.paid {
                faults.push(format!("share {} is reseated as other people's, at other prices, or paid otherwise", share.booking));
            }
            known.lines.clone_from(&share.lines);
            self.owners.extend(share.lines.iter().map(|line| (line.seat, Owner::Booking(share.booking))));
        }
        if !same_seats(&before, &after) {
            faults.push("shares are reseated to seats that aren't theirs".to_owned());
        }
        faults
    }

    fn cancel(&mut self, booking: BookingId, seats: &[SeatIndex]) -> Vec<String> {
        let mut faults = Vec::new();
        match self.bookings.remove(&booking) {
            None => faults.push(format!("booking {booking} is cancelled but doesn't live")),
            Some(known) => {
                let booked: Vec<SeatIndex> = known.lines.iter().map(|line| line.seat).collect();
                if !same_seats(&booked, seats) {
                    faults.push(format!("booking {booking} frees other seats than it had"));
                }
            }
        }
        faults.extend(self.free(seats, Owner::Booking(booking)));
        self.ended.insert(booking.0);
        faults
    }

    fn free(&mut self, seats: &[SeatIndex], of: Owner) -> Vec<String> {
        let mut faults = Vec::new();
        for &seat in seats {
            match self.owners.get(&seat) {
                Some(&owner) if owner == of => drop(self.owners.remove(&seat)),
                Some(owner) => faults.push(format!("seat {seat}, {}, is freed by {}", owner.told(), of.told())),
                None => faults.push(format!("seat {seat} is freed but is free")),
            }
        }
        faults
    }
}

impl Owner {
    fn told(self) -> String {
        match self {
            Owner::Hold(hold) => format!("held by {hold}"),
            Owner::Booking(booking) => format!("of booking {booking}"),
        }
    }
}

fn same_seats(a: &[SeatIndex], b: &[SeatIndex]) -> bool {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_unstable();
    b.sort_unstable();
    a == b
}
