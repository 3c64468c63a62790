//! A second, simple telling of a hall's rules: who has which seat, who is where, whose money is where. It is fed with the
//! events, refuses to believe those that break a promise, and says of each command whether it must be accepted.

use crate::common::{PRICES, at, opening};
use socketing_domain::event::Event;
use socketing_domain::performance::{Cancellation, Command as Seats, Event as OfSeats, Line, Method, Release};
use socketing_domain::waiting_room::{Departure, Event as OfLine};
use socketing_domain::{
    AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, RefundId, SeatIndex, Timestamp, party::Command as Party,
    party::Event as OfParty,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const LIMIT: usize = 2;
pub(crate) const CAPACITY: usize = 3;
const HOLD_SECONDS: u32 = 100;
const PAYMENT_SECONDS: u32 = 300;
const SESSION_SECONDS: u32 = 500;
const CLAIM_SECONDS: u32 = 50;

#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) account: AccountId,
    pub(crate) members: Vec<AccountId>,
    pub(crate) seats: Vec<SeatIndex>,
    pub(crate) until: Timestamp,
    pub(crate) extended: bool,
    /// `None` as long as it lives; then whether its seats were let go (not booked).
    pub(crate) let_go: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Standing {
    Unpaid,
    Paying,
    Paid,
    Cancelled,
    Expired,
}

#[derive(Clone, Debug)]
pub(crate) struct Booking {
    pub(crate) account: AccountId,
    pub(crate) hold: HoldId,
    pub(crate) lines: Vec<Line>,
    pub(crate) pay_by: Timestamp,
    pub(crate) standing: Standing,
    pub(crate) attempts: usize,
}

/// A payment: of which booking, whether the provider took the money, what we know, and whether it is owed back.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) booking: BookingId,
    pub(crate) method: Method,
    pub(crate) amount: i64,
    pub(crate) open: bool,
    pub(crate) failed: bool,
    pub(crate) taken: bool,
    pub(crate) refunded: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) account: AccountId,
    pub(crate) members: Vec<AccountId>,
    /// When the pass or the visit ends.
    pub(crate) until: Option<Timestamp>,
    /// Whether the pass was claimed.
    pub(crate) claimed: bool,
    pub(crate) gone: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct PartyState {
    pub(crate) members: Vec<AccountId>,
    pub(crate) invited: BTreeSet<AccountId>,
    pub(crate) frozen: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) curtain: Timestamp,
    pub(crate) holds: BTreeMap<HoldId, Hold>,
    pub(crate) bookings: BTreeMap<BookingId, Booking>,
    pub(crate) payments: BTreeMap<PaymentId, Payment>,
    /// Refunds, and whether they were completed.
    pub(crate) refunds: BTreeMap<RefundId, (i64, bool)>,
    pub(crate) entries: BTreeMap<EntryId, Entry>,
    pub(crate) parties: BTreeMap<PartyId, PartyState>,
    last_number: u64,
}

impl Model {
    pub(crate) fn new(curtain: Timestamp) -> Model {
        let (holds, bookings, payments, refunds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Model { curtain, holds, bookings, payments, refunds, entries: BTreeMap::new(), parties: BTreeMap::new(), last_number: 0 }
    }

    /// Everything that keeps this seat from others by the events alone.
    fn keepers(&self, seat: SeatIndex) -> usize {
        let holds = self.holds.values().filter(|hold| hold.let_go.is_none() && hold.seats.contains(&seat));
        let live = |booking: &&Booking| matches!(booking.standing, Standing::Unpaid | Standing::Paying | Standing::Paid);
        let bookings = self.bookings.values().filter(live).filter(|booking| booking.lines.iter().any(|line| line.seat == seat));
        holds.count() + bookings.count()
    }

    /// The place of a person whose visit hasn't run out.
    pub(crate) fn place(&self, person: AccountId, now: Timestamp) -> Option<&Entry> {
        let on = |entry: &&Entry| !entry.gone && entry.members.contains(&person) && entry.until.is_none_or(|until| until > now);
        self.entries.values().find(on)
    }

    fn pass(&self, person: AccountId, now: Timestamp) -> Option<&Entry> {
        self.place(person, now).filter(|entry| entry.claimed)
    }

    pub(crate) fn party_of(&self, person: AccountId) -> Option<PartyId> {
        self.parties.iter().find(|(_, party)| party.members.contains(&person)).map(|(id, _)| *id)
    }

    fn is_over(booking: &Booking, now: Timestamp) -> bool {
        booking.standing == Standing::Unpaid && booking.pay_by <= now
    }

    /// Seats of bookings that stand, for these people.
    fn owned(&self, people: &[AccountId], now: Timestamp) -> usize {
        let stands =
            |booking: &&Booking| !matches!(booking.standing, Standing::Cancelled | Standing::Expired) && !Self::is_over(booking, now);
        let lines = self.bookings.values().filter(stands).flat_map(|booking| &booking.lines);
        lines.filter(|line| people.contains(&line.holder)).count()
    }

    /// Whether a seat can be had by these people now: nobody has it, or what kept it has run out, or they hold it
    /// themselves.
    pub(crate) fn can_be_had(&self, seat: SeatIndex, by: &[AccountId], now: Timestamp) -> bool {
        let keeps = |hold: &&Hold| hold.let_go.is_none() && hold.seats.contains(&seat);
        let by_others = |hold: &Hold| hold.until > now && !hold.members.iter().any(|member| by.contains(member));
        let sold = |booking: &Booking| {
            let stands = !matches!(booking.standing, Standing::Cancelled | Standing::Expired) && !Self::is_over(booking, now);
            stands && booking.lines.iter().any(|line| line.seat == seat)
        };
        !self.holds.values().filter(keeps).any(by_others) && !self.bookings.values().any(sold)
    }

    /// Whether this must be accepted.
    pub(crate) fn accepts_join(&self, person: AccountId, entry: EntryId, party: Option<PartyId>, now: Timestamp) -> bool {
        if now >= self.curtain {
            return false;
        }
        if self.place(person, now).is_some() {
            return true;
        }
        let members = match party {
            None if self.party_of(person).is_some() => return false,
            None => vec![person],
            Some(id) => match self.parties.get(&id) {
                Some(party) if party.members[0] == person => party.members.clone(),
                _ => return false,
            },
        };
        let alone = members.iter().all(|member| self.place(*member, now).is_none());
        now >= opening() && alone && members.len() <= CAPACITY && !self.entries.contains_key(&entry)
    }

    pub(crate) fn accepts_claim(&self, person: AccountId, now: Timestamp) -> bool {
        self.place(person, now).is_some_and(|entry| entry.until.is_some())
    }

    pub(crate) fn accepts_leave(&self, person: AccountId) -> bool {
        self.entries.values().any(|entry| !entry.gone && entry.account == person)
    }

    pub(crate) fn accepts_party(&self, person: AccountId, id: PartyId, command: &Party, now: Timestamp) -> bool {
        let elsewhere = self.party_of(person).is_some_and(|other| other != id) || self.place(person, now).is_some();
        let party = self.parties.get(&id);
        let in_time = now < self.curtain;
        let accepted = match (command, party) {
            (Party::InviteFriend { friend }, None) => *friend != person && !elsewhere,
            (Party::InviteFriend { friend }, Some(party)) => party.members[0] == person && !party.members.contains(friend) && !party.frozen,
            (_, None) => false,
            (Party::AcceptInvitation, Some(party)) => {
                party.members.contains(&person) || party.invited.contains(&person) && !party.frozen && !elsewhere
            }
            (Party::DeclineInvitation, Some(party)) => party.invited.contains(&person),
            (Party::LeaveParty, Some(party)) => party.members[1..].contains(&person) && !party.frozen,
        };
        in_time && accepted
    }

    pub(crate) fn accepts_seats(&self, person: AccountId, command: &Seats, now: Timestamp) -> bool {
        let in_time = now < self.curtain;
        match command {
            Seats::HoldSeats { hold, seats } => in_time && now >= opening() && self.accepts_hold(person, *hold, seats, now),
            Seats::ExtendHold { hold } => in_time && self.live_hold(person, *hold, now).is_some_and(|hold| !hold.extended),
            Seats::ReleaseHold { hold } => self.holds.get(hold).is_some_and(|hold| hold.account == person && hold.let_go != Some(false)),
            Seats::Book { booking, hold } => match self.bookings.get(booking) {
                Some(known) => known.account == person && known.hold == *hold,
                None => in_time && self.live_hold(person, *hold, now).is_some(),
            },
            Seats::Pay { payment, booking, .. } => match (self.bookings.get(booking), self.payments.get(payment)) {
                (Some(known), _) if known.account != person => false,
                (Some(_), Some(payment)) => payment.booking == *booking,
                (Some(known), None) => match known.standing {
                    Standing::Paying | Standing::Paid => true,
                    Standing::Unpaid => known.pay_by > now && in_time && known.attempts < 16,
                    Standing::Cancelled | Standing::Expired => false,
                },
                (None, _) => false,
            },
            Seats::Cancel { booking, refund } => match self.bookings.get(booking) {
                Some(known) if known.account == person => match known.standing {
                    Standing::Cancelled => true,
                    Standing::Unpaid => in_time && known.pay_by > now,
                    Standing::Paid => in_time && !self.refunds.contains_key(refund),
                    Standing::Paying | Standing::Expired => false,
                },
                _ => false,
            },
            Seats::ConfirmPayment { payment, refund } => match self.payments.get(payment) {
                Some(payment) => !payment.failed || payment.refunded || !self.refunds.contains_key(refund),
                None => false,
            },
            Seats::FailPayment { payment, .. } => {
                self.payments.get(payment).is_some_and(|payment| payment.open || payment.failed && !payment.refunded)
            }
            Seats::CompleteRefund { refund } => self.refunds.contains_key(refund),
            Seats::Schedule { .. } => true,
        }
    }

    fn accepts_hold(&self, person: AccountId, id: HoldId, seats: &[SeatIndex], now: Timestamp) -> bool {
        let Some(entry) = self.pass(person, now) else { return false };
        let distinct: BTreeSet<&SeatIndex> = seats.iter().collect();
        if seats.is_empty() || distinct.len() != seats.len() || seats.iter().any(|seat| seat.0 >= 24) {
            return false;
        }
        if let Some(known) = self.holds.get(&id) {
            return known.let_go.is_none() && known.account == person && known.seats == seats && known.until > now;
        }
        let members = &entry.members;
        let room = seats.len() + self.owned(members, now) <= LIMIT * members.len();
        room && seats.iter().all(|seat| self.can_be_had(*seat, members, now))
    }

    fn live_hold(&self, person: AccountId, id: HoldId, now: Timestamp) -> Option<&Hold> {
        self.holds.get(&id).filter(|hold| hold.let_go.is_none() && hold.account == person && hold.until > now)
    }

    /// Takes an event in, if it keeps every promise.
    pub(crate) fn believe(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Performance(event) => self.believe_seats(event, now),
            Event::WaitingRoom(event) => self.believe_line(event, now),
            Event::Party(event) => self.believe_party(event),
            other => panic!("{other:?} is none of a hall's events"),
        }
        self.check();
    }

    fn believe_seats(&mut self, event: &OfSeats, now: Timestamp) {
        match event {
            OfSeats::PerformanceScheduled { seats, .. } => assert_eq!(*seats, 24),
            OfSeats::SeatsHeld { hold, account, members, seats, expires_at, .. } => {
                assert!(now >= opening() && now < self.curtain, "held outside the sale");
                let entry = self.pass(*account, now).expect("only people inside hold seats");
                let sorted = |people: &[AccountId]| people.iter().copied().collect::<BTreeSet<_>>();
                assert_eq!(sorted(members), sorted(&entry.members), "held for everyone on the place");
                assert!(seats.iter().all(|seat| self.keepers(*seat) == 0), "a seat with two owners");
                assert!(seats.len() + self.owned(members, now) <= LIMIT * members.len(), "more seats than these people may have");
                assert_eq!(*expires_at, now.plus_seconds(HOLD_SECONDS));
                let (account, members, seats) = (*account, members.clone(), seats.clone());
                let new = Hold { account, members, seats, until: *expires_at, extended: false, let_go: None };
                assert!(self.holds.insert(*hold, new).is_none(), "a hold's id is used once");
            }
            OfSeats::HoldExtended { hold, expires_at } => {
                let hold = self.holds.get_mut(hold).unwrap();
                assert!(!hold.extended && hold.let_go.is_none() && hold.until > now);
                assert_eq!(*expires_at, hold.until.plus_seconds(HOLD_SECONDS));
                (hold.until, hold.extended) = (*expires_at, true);
            }
            OfSeats::HoldReleased { hold, seats, reason } => {
                let hold = self.holds.get_mut(hold).unwrap();
                assert_eq!(hold.seats, *seats);
                assert_eq!(hold.until <= now, *reason == Release::Expired, "released as {reason:?} at {now}");
                assert_eq!(hold.let_go.replace(true), None, "a hold ends once");
            }
            OfSeats::SeatsBooked { booking, hold: id, account, lines, total, pay_by } => {
                let hold = self.holds.get_mut(id).unwrap();
                assert!(hold.until > now && hold.account == *account && now < self.curtain);
                assert!(lines.iter().map(|line| line.seat).eq(hold.seats.iter().copied()));
                assert!(lines.iter().all(|line| hold.members.contains(&line.holder)));
                assert!(lines.iter().all(|line| line.price.get() == PRICES[usize::from(line.seat.0 >= 16)]));
                assert_eq!(lines.iter().map(|line| line.price.get()).sum::<i64>(), total.get());
                assert_eq!(*pay_by, now.plus_seconds(PAYMENT_SECONDS));
                assert_eq!(hold.let_go.replace(false), None, "a hold ends once");
                let (account, hold, lines) = (*account, *id, lines.clone());
                let new = Booking { account, hold, lines, pay_by: *pay_by, standing: Standing::Unpaid, attempts: 0 };
                assert!(self.bookings.insert(*booking, new).is_none(), "a booking's id is used once");
            }
            OfSeats::BookingCancelled { booking, seats, reason } => {
                let booking = self.bookings.get_mut(booking).unwrap();
                assert!(booking.lines.iter().map(|line| line.seat).eq(seats.iter().copied()));
                match reason {
                    Cancellation::Expired => assert!(Self::is_over(booking, now), "expired too early, or though paid"),
                    Cancellation::Buyer => assert!(matches!(booking.standing, Standing::Unpaid | Standing::Paid) && now < self.curtain),
                }
                booking.standing = if *reason == Cancellation::Buyer { Standing::Cancelled } else { Standing::Expired };
            }
            event => self.believe_money(event, now),
        }
    }

    fn believe_money(&mut self, event: &OfSeats, now: Timestamp) {
        match event {
            OfSeats::PaymentStarted { payment, booking: id, account, method, amount } => {
                let booking = self.bookings.get_mut(id).unwrap();
                assert!(booking.standing == Standing::Unpaid && booking.pay_by > now && now < self.curtain && booking.account == *account);
                assert_eq!(booking.lines.iter().map(|line| line.price.get()).sum::<i64>(), amount.get());
                booking.standing = Standing::Paying;
                booking.attempts += 1;
                let (method, amount) = (method.method(), amount.get());
                let new = Payment { booking: *id, method, amount, open: true, failed: false, taken: false, refunded: false };
                assert!(self.payments.insert(*payment, new).is_none(), "a payment's id is used once");
            }
            OfSeats::PaymentFailed { payment, booking, .. } => {
                let payment = self.payments.get_mut(payment).unwrap();
                assert!(payment.open && payment.booking == *booking, "a payment has one outcome");
                (payment.open, payment.failed) = (false, true);
                self.bookings.get_mut(booking).unwrap().standing = Standing::Unpaid;
            }
            OfSeats::SeatsSold { booking, payment, lines, amount, .. } => {
                let payment = self.payments.get_mut(payment).unwrap();
                assert!(payment.open && payment.booking == *booking && payment.amount == amount.get(), "a payment has one outcome");
                (payment.open, payment.taken) = (false, true);
                let booking = self.bookings.get_mut(booking).unwrap();
                assert!(booking.standing == Standing::Paying && booking.lines == *lines);
                booking.standing = Standing::Paid;
            }
            OfSeats::RefundDue { refund, payment, booking, method, amount, .. } => {
                let payment = self.payments.get_mut(payment).unwrap();
                assert!(!payment.refunded && payment.booking == *booking && payment.amount == amount.get(), "money goes back once");
                assert_eq!(payment.method, *method, "money goes back the way it came");
                payment.refunded = true;
                payment.taken = true;
                assert!(self.refunds.insert(*refund, (amount.get(), false)).is_none(), "a refund's id is used once");
            }
            OfSeats::RefundCompleted { refund, amount, .. } => {
                let refund = self.refunds.get_mut(refund).unwrap();
                assert!(*refund == (amount.get(), false), "money goes back once");
                refund.1 = true;
            }
            other => panic!("{other:?} isn't about money"),
        }
    }

    fn believe_line(&mut self, event: &OfLine, now: Timestamp) {
        match event {
            OfLine::LineOpened { capacity, .. } => assert_eq!(*capacity as usize, CAPACITY),
            OfLine::QueueJoined { entry, number, account, party, members } => {
                assert!(now >= opening() && now < self.curtain, "joined outside the sale");
                assert_eq!(*number, self.last_number + 1);
                self.last_number = *number;
                match party {
                    Some(id) => assert!(self.parties[id].frozen && self.parties[id].members == *members && members[0] == *account),
                    None => assert!(*members == [*account] && self.party_of(*account).is_none()),
                }
                let new = Entry { number: *number, account: *account, members: members.clone(), until: None, claimed: false, gone: false };
                assert!(self.entries.insert(*entry, new).is_none(), "an entry's id is used once");
            }
            OfLine::EntryCalled { entry, number, claim_by } => {
                self.is_next(*number);
                let entry = self.entries.get_mut(entry).unwrap();
                assert!(!entry.gone && entry.until.is_none() && entry.number == *number);
                assert_eq!(*claim_by, now.plus_seconds(CLAIM_SECONDS));
                entry.until = Some(*claim_by);
            }
            OfLine::EntryAdmitted { entry, number, session_ends_at } => {
                let called = self.entries[entry].until;
                match called {
                    Some(claim_by) => assert!(claim_by > now, "claimed too late"),
                    None => self.is_next(*number),
                }
                let entry = self.entries.get_mut(entry).unwrap();
                assert!(!entry.gone && !entry.claimed && entry.number == *number);
                assert_eq!(*session_ends_at, now.plus_seconds(SESSION_SECONDS));
                (entry.until, entry.claimed) = (Some(*session_ends_at), true);
            }
            OfLine::EntryDeparted { entry, number, reason } => {
                let entry = self.entries.get_mut(entry).unwrap();
                assert!(!entry.gone && entry.number == *number);
                let over = entry.until.is_some_and(|until| until <= now);
                assert_eq!(over && entry.claimed, *reason == Departure::SessionOver, "departed as {reason:?} at {now}");
                assert_eq!(over && !entry.claimed, *reason == Departure::Unclaimed, "departed as {reason:?} at {now}");
                entry.gone = true;
            }
            other => panic!("{other:?} is for the line's own random tests"),
        }
    }

    fn is_next(&self, number: u64) {
        let waits_longer = |entry: &&Entry| !entry.gone && entry.until.is_none() && entry.number < number;
        assert_eq!(self.entries.values().find(waits_longer).map(|entry| entry.number), None, "overtaken by {number}");
    }

    fn believe_party(&mut self, event: &OfParty) {
        if let OfParty::PartyFormed { party, leader, .. } = event {
            let formed = PartyState { members: vec![*leader], ..PartyState::default() };
            assert!(self.parties.insert(*party, formed).is_none(), "a party is formed once");
        }
    }

    /// What an event of a party does; its stream names the party.
    pub(crate) fn believe_in(&mut self, id: PartyId, event: &OfParty) {
        let Some(party) = self.parties.get_mut(&id) else { panic!("{event:?} of a party that was never formed") };
        match event {
            OfParty::PartyFormed { .. } => {}
            OfParty::FriendInvited { account } => assert!(!party.frozen && party.invited.insert(*account)),
            OfParty::InvitationAccepted { account } => {
                assert!(!party.frozen && party.invited.remove(account));
                party.members.push(*account);
            }
            OfParty::InvitationDeclined { account } => assert!(party.invited.remove(account)),
            OfParty::MemberLeft { account } => {
                assert!(!party.frozen && party.members[0] != *account);
                party.members.retain(|member| member != account);
            }
            OfParty::PartyFrozen { members, .. } => {
                assert_eq!(*members, party.members);
                assert!(!party.frozen);
                party.frozen = true;
            }
        }
        self.check();
    }

    /// What holds after every event.
    fn check(&self) {
        assert!((0..24).all(|seat| self.keepers(SeatIndex(seat)) <= 1), "a seat with two owners");
        let on_places = self.entries.values().filter(|entry| !entry.gone).flat_map(|entry| &entry.members);
        let mut seen = BTreeSet::new();
        assert!(on_places.into_iter().all(|person| seen.insert(person)), "a person on two places");
        let inside = self.entries.values().filter(|entry| !entry.gone && entry.until.is_some()).map(|entry| entry.members.len());
        assert!(inside.sum::<usize>() <= CAPACITY, "more people inside than fit");
        let mut in_parties = BTreeSet::new();
        assert!(self.parties.values().flat_map(|party| &party.members).all(|person| in_parties.insert(person)), "a person in two parties");
        let charged: i64 = self.payments.values().filter(|payment| payment.taken).map(|payment| payment.amount).sum();
        let paid = self.bookings.values().filter(|booking| booking.standing == Standing::Paid);
        let sold: i64 = paid.flat_map(|booking| &booking.lines).map(|line| line.price.get()).sum();
        let owed_or_back: i64 = self.refunds.values().map(|(amount, _)| amount).sum();
        let between = self.between_cancellation_and_refund();
        assert_eq!(charged, sold + owed_or_back + between, "money got lost");
    }

    /// What was paid for bookings whose cancellation was told just now, and whose refund is told next.
    fn between_cancellation_and_refund(&self) -> i64 {
        let cancelled = |payment: &&Payment| self.bookings[&payment.booking].standing == Standing::Cancelled;
        let owed = self.payments.values().filter(|payment| payment.taken && !payment.refunded).filter(cancelled);
        owed.map(|payment| payment.amount).sum()
    }

    /// What holds when a decision is done.
    pub(crate) fn check_settled(&self) {
        assert_eq!(self.between_cancellation_and_refund(), 0, "a paid booking was cancelled without a refund");
    }

    /// What holds when time has done all it does.
    pub(crate) fn check_nothing_is_due(&self, now: Timestamp) {
        assert!(self.holds.values().all(|hold| hold.let_go.is_some() || hold.until > now), "a hold outlives its time");
        assert!(!self.bookings.values().any(|booking| Self::is_over(booking, now)), "a booking outlives its time");
        let here = || self.entries.values().filter(|entry| !entry.gone);
        assert!(here().all(|entry| entry.until.is_none_or(|until| until > now)), "a visit outlives its time");
        let inside: usize = here().filter(|entry| entry.until.is_some()).map(|entry| entry.members.len()).sum();
        let head = here().filter(|entry| entry.until.is_none()).min_by_key(|entry| entry.number);
        assert!(head.is_none_or(|head| inside + head.members.len() > CAPACITY), "the head of the line fits and waits");
    }
}

/// A short sale: it begins at second 0, and the performance so much later.
pub(crate) fn short_curtain() -> Timestamp {
    at(4_000)
}
