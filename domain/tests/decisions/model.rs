//! A second, simple telling of a hall's rules: who has which seat, who is where, whose money is where. It is fed with the
//! events, refuses to believe those that break a promise, and says of each command whether it must be accepted.

mod accepts;
mod believes;

use crate::common::{PRICES, at, opening, policies};
use socketing_domain::event::Event;
use socketing_domain::party::{Ending, Pays, Picks, Terms};
use socketing_domain::performance::{Cancellation, Command as Seats, Event as OfSeats, Line, Method, Release, Reseated};
use socketing_domain::seating::{Adjacency, Wishes};
use socketing_domain::show::Policies;
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
    pub(crate) party: Option<PartyId>,
    /// Seats that members claimed, and by whom.
    pub(crate) claims: BTreeMap<AccountId, SeatIndex>,
    /// How many seats it had before any was booked.
    of: usize,
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
    /// The shares that it is one of.
    pub(crate) group: Option<BookingId>,
}

/// Shares of one block.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    account: AccountId,
    bookings: Vec<BookingId>,
    all_or_none: bool,
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
    party: Option<PartyId>,
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
    pub(crate) leader: AccountId,
    pub(crate) terms: Terms,
    pub(crate) members: Vec<AccountId>,
    pub(crate) invited: BTreeSet<AccountId>,
    pub(crate) expelled: BTreeSet<AccountId>,
    pub(crate) frozen: bool,
    pub(crate) ended: bool,
    unused_until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) curtain: Timestamp,
    pub(crate) rules: Policies,
    pub(crate) holds: BTreeMap<HoldId, Hold>,
    pub(crate) bookings: BTreeMap<BookingId, Booking>,
    pub(crate) payments: BTreeMap<PaymentId, Payment>,
    /// Refunds, and whether they were completed.
    pub(crate) refunds: BTreeMap<RefundId, (i64, bool)>,
    pub(crate) entries: BTreeMap<EntryId, Entry>,
    pub(crate) parties: BTreeMap<PartyId, PartyState>,
    /// The last hold that each person let go before its time, until the next one ends.
    kept: BTreeMap<AccountId, Hold>,
    /// The same before the last command.
    kept_before: BTreeMap<AccountId, Hold>,
    pub(crate) shares: BTreeMap<BookingId, Shares>,
    last_number: u64,
}

impl Model {
    pub(crate) fn new(curtain: Timestamp) -> Model {
        let (holds, bookings, payments, refunds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (entries, parties, shares) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (kept, kept_before) = (BTreeMap::new(), BTreeMap::new());
        Model {
            rules: policies(),
            curtain,
            kept,
            kept_before,
            holds,
            bookings,
            payments,
            refunds,
            entries,
            parties,
            shares,
            last_number: 0,
        }
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

    /// Shares keep their seats until their timer says otherwise.
    fn is_over(booking: &Booking, now: Timestamp) -> bool {
        booking.group.is_none() && Self::is_unpaid_in_time(booking, now)
    }

    fn is_unpaid_in_time(booking: &Booking, now: Timestamp) -> bool {
        booking.standing == Standing::Unpaid && booking.pay_by <= now
    }

    /// Whether one of these shares is in this standing.
    fn some(&self, group: BookingId, standings: &[Standing]) -> bool {
        self.shares[&group].bookings.iter().any(|id| standings.contains(&self.bookings[id].standing))
    }

    /// Whether a booking stands or falls with others that wait for money.
    fn hangs(&self, booking: &Booking) -> bool {
        booking.group.is_some_and(|group| self.shares[&group].all_or_none && self.some(group, &[Standing::Unpaid, Standing::Paying]))
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
        let cancelled = |payment: &&Payment| {
            let booking = &self.bookings[&payment.booking];
            matches!(booking.standing, Standing::Cancelled | Standing::Expired)
        };
        let owed = self.payments.values().filter(|payment| payment.taken && !payment.refunded).filter(cancelled);
        owed.map(|payment| payment.amount).sum()
    }

    /// What holds when a decision is done.
    pub(crate) fn check_settled(&self) {
        assert_eq!(self.between_cancellation_and_refund(), 0, "a paid booking was cancelled without a refund");
        let whole = |hold: &Hold| hold.let_go.is_some() || hold.seats.len() == hold.of;
        assert!(self.holds.values().all(whole), "a hold was booked in part");
    }

    /// What holds when time has done all it does.
    pub(crate) fn check_nothing_is_due(&self, now: Timestamp) {
        assert!(self.holds.values().all(|hold| hold.let_go.is_some() || hold.until > now), "a hold outlives its time");
        let waits = |group| self.shares[&group].all_or_none && self.some(group, &[Standing::Paying]);
        let outlives = |booking: &Booking| Self::is_unpaid_in_time(booking, now) && !booking.group.is_some_and(waits);
        assert!(!self.bookings.values().any(outlives), "a booking outlives its time");
        let unused = |party: &PartyState| !party.ended && party.unused_until.is_some_and(|until| until <= now);
        assert!(!self.parties.values().any(unused), "a party that nobody used outlives its time");
        let here = || self.entries.values().filter(|entry| !entry.gone);
        assert!(here().all(|entry| entry.until.is_none_or(|until| until > now)), "a visit outlives its time");
        let inside: usize = here().filter(|entry| entry.until.is_some()).map(|entry| entry.members.len()).sum();
        let head = here().filter(|entry| entry.until.is_none()).min_by_key(|entry| entry.number);
        assert!(head.is_none_or(|head| inside + head.members.len() > CAPACITY), "the head of the line fits and waits");
    }
}

/// Whose each seat of a hold will be when this person books it.
fn holders(hold: &Hold, booker: AccountId) -> Vec<AccountId> {
    let mut waiting: Vec<AccountId> = hold.members.clone();
    waiting.sort_by_key(|member| *member != booker);
    waiting.retain(|member| !hold.claims.contains_key(member));
    let mut waiting = waiting.into_iter();
    let claimer = |seat: &SeatIndex| hold.claims.iter().find(|(_, claimed)| *claimed == seat).map(|(who, _)| *who);
    hold.seats.iter().map(|seat| claimer(seat).or_else(|| waiting.next()).unwrap_or(booker)).collect()
}

/// In how many pieces these seats lie: rows of eight.
fn pieces(seats: &BTreeSet<SeatIndex>) -> usize {
    seats.iter().filter(|seat| seat.0.is_multiple_of(8) || !seats.contains(&SeatIndex(seat.0 - 1))).count()
}

/// A short sale: it begins at second 0, and the performance so much later.
pub(crate) fn short_curtain() -> Timestamp {
    at(4_000)
}
