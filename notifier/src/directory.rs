//! Whom an event concerns, and how much of it they may see.
//!
//! Events name what they are about (an entry, a hold, a booking, a party), not always whose it is. A hall remembers that,
//! for one performance: the people of each entry in the line, of each live hold, each booking and each party. It is a fold
//! of the performance's streams and forgets what is over.

use socketing_domain::{
    AccountId, BookingId, EntryId, HoldId, PartyId, SeatIndex, account,
    event::{Event, StreamId},
    party,
    performance::{self, Line, Reseated},
    waiting_room,
};
use std::collections::HashMap;

/// How much of an event someone may see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Share {
    /// All of it.
    Whole,
    /// What concerns these seats, which someone else paid for; no amounts but the seats' own prices.
    Seats(Vec<SeatIndex>),
    /// That it happened.
    Notice,
}

/// People, with what they may see.
pub(crate) type Concerned = Vec<(AccountId, Share)>;

type People = Box<[AccountId]>;

/// What one performance's events are about, and whose that is.
#[derive(Default, Debug)]
pub(crate) struct Hall {
    entries: HashMap<EntryId, People>,
    holds: HashMap<HoldId, People>,
    bookings: HashMap<BookingId, Booking>,
    refunds: HashMap<BookingId, Refunds>,
    parties: HashMap<PartyId, Party>,
}

#[derive(Debug)]
struct Booking {
    buyer: AccountId,
    tickets: Box<[(AccountId, SeatIndex)]>,
}

/// Refunds of one booking that aren't back yet.
#[derive(Debug)]
struct Refunds {
    buyer: AccountId,
    due: u32,
}

#[derive(Debug)]
struct Party {
    leader: AccountId,
    members: Vec<AccountId>,
    invited: Vec<AccountId>,
}

/// Whom an event of an account or a wallet concerns: its owner; and who is asked to be friends. Nobody is told of a no.
pub(crate) fn of_person(stream: StreamId, event: &Event) -> Option<Concerned> {
    match (stream, event) {
        (StreamId::Account(account), Event::Account(account::Event::FriendRequested { friend, .. })) => {
            Some(vec![(account, Share::Whole), (*friend, Share::Notice)])
        }
        (StreamId::Account(account) | StreamId::Wallet(account), _) => Some(vec![(account, Share::Whole)]),
        _ => None,
    }
}

impl Hall {
    /// Folds an event of one of the performance's streams, and says whom it concerns.
    pub(crate) fn digest(&mut self, stream: StreamId, event: &Event) -> Concerned {
        match (stream, event) {
            (_, Event::WaitingRoom(event)) => whole(&self.line(event)),
            (_, Event::Performance(event)) => self.seats(event),
            (StreamId::Party(_, party), Event::Party(event)) => self.party(party, event),
            _ => Vec::new(),
        }
    }

    /// How many things it remembers.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + self.holds.len() + self.bookings.len() + self.refunds.len() + self.parties.len()
    }

    fn line(&mut self, event: &waiting_room::Event) -> People {
        use waiting_room::Event as E;
        match event {
            E::LineOpened { .. }
            | E::DrawCommitted { .. }
            | E::BeaconGiven { .. }
            | E::SeedLost { .. }
            | E::LobbyClosed { .. }
            | E::SeedRevealed { .. }
            | E::LinePaused { .. }
            | E::LineResumed { .. }
            | E::DrainBegun { .. }
            | E::LimitsChanged { .. } => People::default(),
            E::QueueJoined { entry, members, .. } => {
                self.entries.insert(*entry, members.as_slice().into());
                members.as_slice().into()
            }
            E::EntryCalled { entry, .. } | E::EntryAdmitted { entry, .. } | E::EvictionOrdered { entry, .. } => {
                self.entries.get(entry).cloned().unwrap_or_default()
            }
            E::EntryDeparted { entry, .. } => self.entries.remove(entry).unwrap_or_default(),
        }
    }

    fn seats(&mut self, event: &performance::Event) -> Concerned {
        use performance::Event as E;
        match event {
            E::PerformanceScheduled { .. } => Vec::new(),
            E::SeatsHeld { hold, members, .. } => {
                self.holds.insert(*hold, members.as_slice().into());
                whole(members)
            }
            E::HoldExtended { hold, .. } | E::SeatClaimed { hold, .. } => {
                self.holds.get(hold).map_or_else(Vec::new, |people| whole(people))
            }
            E::HoldReleased { hold, .. } => self.holds.remove(hold).map_or_else(Vec::new, |people| whole(&people)),
            E::SeatsBooked { booking, hold, account, lines, .. } => {
                self.holds.remove(hold);
                self.book(*booking, *account, lines).concerned()
            }
            E::SharesOpened { bookings, .. } => whole(&self.buyers(bookings)),
            E::SharesReseated { shares, .. } => {
                let concerned = |hall: &mut Hall, share: &Reseated| {
                    let buyer = hall.bookings.get(&share.booking)?.buyer;
                    hall.book(share.booking, buyer, &share.lines);
                    Some((buyer, Share::Notice))
                };
                shares.iter().filter_map(|share| concerned(self, share)).collect()
            }
            E::SeatsSold { booking, account, lines, .. } => self.book(*booking, *account, lines).concerned(),
            E::BookingCancelled { booking, .. } => self.bookings.remove(booking).map_or_else(Vec::new, |booking| booking.concerned()),
            E::PaymentStarted { account, .. } => whole(&[*account]),
            E::PaymentFailed { booking, .. } => self.bookings.get(booking).map_or_else(Vec::new, |booking| whole(&[booking.buyer])),
            E::RefundDue { booking, account, .. } => {
                self.refunds.entry(*booking).or_insert(Refunds { buyer: *account, due: 0 }).due += 1;
                whole(&[*account])
            }
            E::RefundCompleted { booking, .. } => self.refunded(*booking),
        }
    }

    fn buyers(&self, bookings: &[BookingId]) -> Vec<AccountId> {
        bookings.iter().filter_map(|id| self.bookings.get(id)).map(|booking| booking.buyer).collect()
    }

    fn book(&mut self, booking: BookingId, buyer: AccountId, lines: &[Line]) -> &Booking {
        let tickets = lines.iter().map(|line| (line.holder, line.seat)).collect();
        self.bookings.entry(booking).insert_entry(Booking { buyer, tickets }).into_mut()
    }

    fn refunded(&mut self, booking: BookingId) -> Concerned {
        let Some(refunds) = self.refunds.get_mut(&booking) else { return Vec::new() };
        let buyer = refunds.buyer;
        refunds.due -= 1;
        if refunds.due == 0 {
            self.refunds.remove(&booking);
        }
        whole(&[buyer])
    }

    fn party(&mut self, id: PartyId, event: &party::Event) -> Concerned {
        use party::Event as E;
        if let E::PartyFormed { leader, .. } = event {
            self.parties.insert(id, Party { leader: *leader, members: Vec::new(), invited: Vec::new() });
            return whole(&[*leader]);
        }
        let Some(party) = self.parties.get_mut(&id) else { return Vec::new() };
        match event {
            E::PartyFormed { .. } => Vec::new(),
            E::FriendInvited { account } => {
                add(&mut party.invited, *account);
                party.insiders_and(*account)
            }
            E::InvitationAccepted { account } => {
                remove(&mut party.invited, *account);
                add(&mut party.members, *account);
                party.insiders_and(*account)
            }
            E::InvitationDeclined { account } | E::InvitationWithdrawn { account } => {
                remove(&mut party.invited, *account);
                party.insiders_and(*account)
            }
            E::MemberJoined { account } => {
                add(&mut party.members, *account);
                party.insiders_and(*account)
            }
            E::LeaderChanged { leader } => {
                add(&mut party.members, party.leader); // who led is a member like the others
                party.leader = *leader;
                party.insiders_and(*leader)
            }
            E::PartyThawed { .. } => party.insiders().map(|account| (account, Share::Whole)).collect(),
            E::PartyEnded { .. } => {
                let concerned = party.frozen();
                self.parties.remove(&id);
                concerned
            }
            E::MemberLeft { account } | E::MemberExpelled { account } => {
                remove(&mut party.members, *account);
                party.insiders_and(*account)
            }
            E::PartyFrozen { .. } => party.frozen(),
        }
    }
}

impl Booking {
    /// Who pays sees all; whoever else has a ticket sees that ticket.
    fn concerned(&self) -> Concerned {
        let mut concerned = vec![(self.buyer, Share::Whole)];
        for (holder, seat) in &self.tickets {
            match concerned.iter_mut().find(|(account, _)| account == holder) {
                Some((_, Share::Seats(seats))) => seats.push(*seat),
                Some(_) => {}
                None => concerned.push((*holder, Share::Seats(vec![*seat]))),
            }
        }
        concerned
    }
}

impl Party {
    fn insiders(&self) -> impl Iterator<Item = AccountId> {
        std::iter::once(self.leader).chain(self.members.iter().copied().filter(|member| *member != self.leader))
    }

    /// The party's people and the one whom the event is about. Others who are invited learn nothing of each other.
    fn insiders_and(&self, account: AccountId) -> Concerned {
        let mut people: Vec<AccountId> = self.insiders().collect();
        add(&mut people, account);
        whole(&people)
    }

    /// Open invitations end when the party goes into the line: who has one is told that, and no more.
    fn frozen(&mut self) -> Concerned {
        let mut concerned: Concerned = self.insiders().map(|account| (account, Share::Whole)).collect();
        concerned.extend(self.invited.drain(..).map(|account| (account, Share::Notice)));
        concerned
    }
}

fn whole(people: &[AccountId]) -> Concerned {
    people.iter().map(|account| (*account, Share::Whole)).collect()
}

fn add(people: &mut Vec<AccountId>, account: AccountId) {
    if !people.contains(&account) {
        people.push(account);
    }
}

fn remove(people: &mut Vec<AccountId>, account: AccountId) {
    people.retain(|person| *person != account);
}

#[cfg(test)]
mod tests;
