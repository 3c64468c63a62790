//! A second, simple telling of a hall's rules: who has which seat, who is where, whose money is where. It is fed with the
//! events, refuses to believe those that break a promise, and says of each command whether it must be accepted.

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
                Some(party) if !party.ended && party.leader == person => party.members.clone(),
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
        let in_time = now < self.curtain;
        let Some(party) = self.parties.get(&id) else {
            let forms = match command {
                Party::FormParty { .. } => true,
                Party::InviteFriend { friend } => *friend != person,
                _ => false,
            };
            return in_time && forms && !elsewhere;
        };
        let (leads, is_in) = (party.leader == person, party.members.contains(&person));
        let open = !party.frozen || self.place(party.leader, now).is_none();
        let accepted = match command {
            Party::FormParty { terms } => leads && party.terms == *terms,
            Party::InviteFriend { friend } => leads && *friend != person && !party.members.contains(friend) && open,
            Party::WithdrawInvitation { friend } => leads && !party.members.contains(friend),
            Party::AcceptInvitation => is_in || party.invited.contains(&person) && open && !elsewhere,
            Party::DeclineInvitation => party.invited.contains(&person),
            Party::JoinParty => !is_in && !party.expelled.contains(&person) && open && !elsewhere,
            Party::LeaveParty => is_in && open,
            Party::ExpelMember { member } => {
                leads && *member != person && (party.expelled.contains(member) || party.members.contains(member) && open)
            }
            Party::HandOver { member } => leads && (*member == person || party.members.contains(member) && open),
        };
        in_time && !party.ended && accepted
    }

    pub(crate) fn accepts_seats(&self, person: AccountId, command: &Seats, now: Timestamp) -> bool {
        let in_time = now < self.curtain;
        match command {
            Seats::HoldSeats { hold, seats } => in_time && now >= opening() && self.accepts_hold(person, *hold, seats, now),
            Seats::HoldBest { hold, wishes } => in_time && now >= opening() && self.accepts_best(person, *hold, wishes, now),
            Seats::ExtendHold { hold } => in_time && self.live_hold(person, *hold, now).is_some_and(|hold| !hold.extended),
            Seats::ReleaseHold { hold } => self.holds.get(hold).is_some_and(|hold| hold.account == person && hold.let_go != Some(false)),
            Seats::Book { booking, hold } => match self.bookings.get(booking) {
                Some(known) => self.booked_by(*booking, known) == person && known.hold == *hold,
                None => in_time && self.accepts_booking(person, *booking, *hold, now),
            },
            Seats::ClaimSeat { hold, seat } => in_time && self.accepts_seat(person, *hold, *seat, now),
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
                    Standing::Unpaid => in_time && known.pay_by > now && !self.hangs(known),
                    Standing::Paid => in_time && !self.refunds.contains_key(refund) && !self.hangs(known),
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

    fn booked_by(&self, id: BookingId, booking: &Booking) -> AccountId {
        booking.group.filter(|group| *group == id).map_or(booking.account, |group| self.shares[&group].account)
    }

    /// A hold as it lives now, and what its party agreed on.
    fn hold_and_party(&self, id: HoldId, now: Timestamp) -> Option<(&Hold, Option<&PartyState>)> {
        let hold = self.holds.get(&id).filter(|hold| hold.let_go.is_none() && hold.until > now)?;
        Some((hold, hold.party.map(|party| &self.parties[&party])))
    }

    fn accepts_booking(&self, person: AccountId, booking: BookingId, hold: HoldId, now: Timestamp) -> bool {
        let Some((hold, party)) = self.hold_and_party(hold, now) else { return false };
        match party.map(|party| (party.terms.pays, party.leader)) {
            Some((Pays::Leader, leader)) => person == leader && (hold.members.contains(&leader) || hold.account == person),
            Some((Pays::Shares | Pays::AllOrNone, _)) if hold.account == person => {
                let shares = holders(hold, person).into_iter().collect::<BTreeSet<_>>().len();
                (0..shares).all(|at| !self.bookings.contains_key(&BookingId(uuid::Uuid::from_u128(booking.0.as_u128() ^ at as u128))))
            }
            _ => hold.account == person,
        }
    }

    fn accepts_seat(&self, person: AccountId, hold: HoldId, seat: SeatIndex, now: Timestamp) -> bool {
        let Some((hold, _)) = self.hold_and_party(hold, now) else { return false };
        let another = hold.claims.iter().any(|(who, claimed)| *who != person && *claimed == seat);
        hold.members.contains(&person) && hold.seats.contains(&seat) && !another
    }

    /// Whether this person may choose for everyone on the place.
    fn may_pick(&self, person: AccountId, entry: &Entry) -> bool {
        let party = entry.party.map(|id| &self.parties[&id]);
        party.is_none_or(|party| party.terms.picks == Picks::Anyone || party.leader == person)
    }

    fn accepts_hold(&self, person: AccountId, id: HoldId, seats: &[SeatIndex], now: Timestamp) -> bool {
        let Some(entry) = self.pass(person, now).filter(|entry| self.may_pick(person, entry)) else { return false };
        let distinct: BTreeSet<&SeatIndex> = seats.iter().collect();
        if seats.is_empty() || distinct.len() != seats.len() || seats.iter().any(|seat| seat.0 >= 24) {
            return false;
        }
        if let Some(known) = self.holds.get(&id) {
            return known.let_go.is_none() && known.account == person && known.seats == seats && known.until > now;
        }
        let members = &entry.members;
        let room = seats.len() + self.owned(members, now) <= LIMIT * members.len();
        room && seats.iter().all(|seat| self.can_be_had(*seat, members, now)) && !self.leaves_one_alone(seats, members, now)
    }

    /// Whether these seats leave a single one alone though as many side by side of the same categories wouldn't.
    fn leaves_one_alone(&self, seats: &[SeatIndex], members: &[AccountId], now: Timestamp) -> bool {
        let free = |seat: u32| seat < 23 && self.can_be_had(SeatIndex(seat), members, now);
        let beside = |seat: u32| [(!seat.is_multiple_of(8)).then(|| seat - 1), (seat % 8 < 7).then_some(seat + 1)].into_iter().flatten();
        let alone = |choice: &[u32]| {
            let invites = |seat: u32| free(seat) && !choice.contains(&seat);
            choice.iter().flat_map(|seat| beside(*seat)).any(|seat| invites(seat) && !beside(seat).any(invites))
        };
        let numbers: Vec<u32> = seats.iter().map(|seat| seat.0).collect();
        let category = |seat: u32| seat >= 16;
        let alike = |seat: u32| numbers.iter().any(|chosen| category(*chosen) == category(seat));
        let wheelchair = numbers.contains(&23);
        let good = |first: u32| {
            let window: Vec<u32> = (first..first + numbers.len() as u32).collect();
            let in_a_row = window.iter().all(|seat| seat / 8 == first / 8 && *seat < 24);
            let had = |seat: u32| alike(seat) && self.can_be_had(SeatIndex(seat), members, now) && (seat < 23 || wheelchair);
            in_a_row && window.iter().all(|seat| had(*seat)) && window.contains(&23) == wheelchair && !alone(&window)
        };
        self.rules.no_orphans && alone(&numbers) && (0..24).any(good)
    }

    /// Until when these seats may be held, and whether that counts as extended: a seat that one of these people let go just
    /// now, or before its time had run out, keeps its time. (What a hold takes the place of is told first.)
    fn time_for(&self, seats: &[SeatIndex], members: &[AccountId], now: Timestamp) -> (Timestamp, bool) {
        let kept = members.iter().flat_map(|member| [self.kept.get(member), self.kept_before.get(member)]).flatten();
        let kept = kept.filter(|hold| hold.until > now && hold.seats.iter().any(|seat| seats.contains(seat)));
        kept.fold((now.plus_seconds(HOLD_SECONDS), false), |(until, extended), hold| (until.min(hold.until), extended || hold.extended))
    }

    /// Whether the best seats for so many people must be given: there are enough free ones, if nothing else is wished.
    fn accepts_best(&self, person: AccountId, id: HoldId, wishes: &Wishes, now: Timestamp) -> bool {
        let Some(entry) = self.pass(person, now).filter(|entry| self.may_pick(person, entry)) else { return false };
        let wheelchairs = wishes.wheelchairs;
        if !(1..=64).contains(&wishes.people) || !(0..=wishes.people).contains(&wheelchairs) || wishes.near.is_some_and(|near| near.0 >= 24)
        {
            return false;
        }
        if let Some(known) = self.holds.get(&id) {
            return known.let_go.is_none() && known.account == person && known.until > now;
        }
        let (members, people) = (&entry.members, wishes.people as usize);
        let free = |seats: std::ops::Range<u32>| seats.filter(|seat| self.can_be_had(SeatIndex(*seat), members, now)).count() as i64;
        let original = self.rules.adjacency == Adjacency::Original && wheelchairs == 0;
        let chosen = wishes.near.filter(|_| original);
        let chosen = chosen.is_none_or(|chosen| chosen.0 < 23 && self.can_be_had(chosen, members, now));
        chosen
            && people + self.owned(members, now) <= LIMIT * members.len()
            && wheelchairs <= free(23..24)
            && wishes.people - wheelchairs <= free(0..23)
    }

    fn live_hold(&self, person: AccountId, id: HoldId, now: Timestamp) -> Option<&Hold> {
        self.holds.get(&id).filter(|hold| hold.let_go.is_none() && hold.account == person && hold.until > now)
    }

    /// What comes next was decided at once.
    pub(crate) fn begin(&mut self) {
        self.kept_before = self.kept.clone();
    }

    /// Takes an event in, if it keeps every promise.
    pub(crate) fn believe(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Performance(event) => self.believe_seats(event, now),
            Event::WaitingRoom(event) => self.believe_line(event, now),
            Event::Party(event) => self.believe_party(event, now),
            other => panic!("{other:?} is none of a hall's events"),
        }
        self.check();
    }

    fn believe_seats(&mut self, event: &OfSeats, now: Timestamp) {
        match event {
            OfSeats::PerformanceScheduled { seats, .. } => assert_eq!(*seats, 24),
            OfSeats::SeatsHeld { hold, account, party, members, seats, expires_at, extended } => {
                assert!(now >= opening() && now < self.curtain, "held outside the sale");
                let entry = self.pass(*account, now).expect("only people inside hold seats");
                let sorted = |people: &[AccountId]| people.iter().copied().collect::<BTreeSet<_>>();
                assert_eq!(sorted(members), sorted(&entry.members), "held for everyone on the place");
                assert!(seats.iter().all(|seat| self.keepers(*seat) == 0), "a seat with two owners");
                assert!(seats.len() + self.owned(members, now) <= LIMIT * members.len(), "more seats than these people may have");
                assert_eq!((*expires_at, *extended), self.time_for(seats, members, now), "a seat that is kept keeps its time");
                let (account, members, seats) = (*account, members.clone(), seats.clone());
                assert_eq!(*party, entry.party, "held for the party that waited");
                let (party, claims, of) = (*party, BTreeMap::new(), seats.len());
                let new = Hold { account, members, seats, until: *expires_at, extended: *extended, party, claims, of, let_go: None };
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
                let hold = hold.clone();
                for member in &hold.members {
                    if *reason == Release::Expired {
                        self.kept.remove(member)
                    } else {
                        self.kept.insert(*member, hold.clone())
                    };
                }
            }
            OfSeats::SeatsBooked { booking, hold: id, account, lines, total, pay_by } => {
                let hold = self.holds.get_mut(id).unwrap();
                assert!(hold.until > now && hold.members.contains(account) && now < self.curtain);
                assert!(lines.iter().all(|line| hold.seats.contains(&line.seat)), "only seats of its hold are booked");
                for line in lines {
                    let claim = hold.claims.iter().find(|(_, seat)| **seat == line.seat);
                    assert!(claim.is_none_or(|(who, _)| *who == line.holder), "a claimed seat is somebody else's");
                }
                hold.seats.retain(|seat| lines.iter().all(|line| line.seat != *seat));
                assert!(lines.iter().all(|line| hold.members.contains(&line.holder)));
                assert!(lines.iter().all(|line| line.price.get() == PRICES[usize::from(line.seat.0 >= 16)]));
                assert_eq!(lines.iter().map(|line| line.price.get()).sum::<i64>(), total.get());
                assert_eq!(*pay_by, now.plus_seconds(PAYMENT_SECONDS));
                assert_eq!(hold.let_go, None, "a hold ends once");
                hold.let_go = hold.seats.is_empty().then_some(false);
                hold.members.iter().for_each(|member| drop(self.kept.remove(member)));
                let (account, hold, lines) = (*account, *id, lines.clone());
                let new = Booking { account, hold, lines, pay_by: *pay_by, standing: Standing::Unpaid, attempts: 0, group: None };
                assert!(self.bookings.insert(*booking, new).is_none(), "a booking's id is used once");
            }
            OfSeats::SeatClaimed { hold, seat, account } => {
                let hold = self.holds.get_mut(hold).unwrap();
                assert!(hold.let_go.is_none() && hold.until > now && hold.members.contains(account) && hold.seats.contains(seat));
                hold.claims.insert(*account, *seat);
                assert_eq!(hold.claims.values().collect::<BTreeSet<_>>().len(), hold.claims.len(), "a seat is claimed twice");
            }
            OfSeats::SharesOpened { group, party, account, bookings, all_or_none, pay_by, runs } => {
                let pays = self.parties[party].terms.pays;
                assert_eq!(pays, if *all_or_none { Pays::AllOrNone } else { Pays::Shares });
                let run_seats: BTreeSet<SeatIndex> = runs.iter().flat_map(|run| run.seats.clone()).collect();
                let mut seats = BTreeSet::new();
                for id in bookings {
                    let share = self.bookings.get_mut(id).unwrap();
                    assert!(share.standing == Standing::Unpaid && share.pay_by == *pay_by && share.group.replace(*group).is_none());
                    assert!(share.lines.iter().all(|line| line.holder == share.account), "everyone pays for their own seats");
                    seats.extend(share.lines.iter().map(|line| line.seat));
                }
                assert_eq!(run_seats, seats, "the runs are the block");
                let new = Shares { account: *account, bookings: bookings.clone(), all_or_none: *all_or_none };
                assert!(self.shares.insert(*group, new).is_none(), "a block is shared once");
            }
            OfSeats::SharesReseated { group, shares } => self.believe_reseated(*group, shares, now),
            OfSeats::BookingCancelled { booking: id, seats, reason } => {
                let booking = &self.bookings[id];
                assert!(booking.lines.iter().map(|line| line.seat).eq(seats.iter().copied()));
                let together = booking.group.filter(|group| self.shares[group].all_or_none);
                match reason {
                    Cancellation::Expired => {
                        assert!(Self::is_unpaid_in_time(booking, now), "expired too early, or though paid");
                        assert!(together.is_none_or(|group| !self.some(group, &[Standing::Paying])), "expired before the last outcome");
                    }
                    Cancellation::OtherShareUnpaid => {
                        let group = together.expect("it stands or falls with others");
                        assert!(booking.standing == Standing::Paid && booking.pay_by <= now);
                        assert!(self.some(group, &[Standing::Unpaid, Standing::Expired]) && !self.some(group, &[Standing::Paying]));
                    }
                    Cancellation::Buyer => {
                        assert!(matches!(booking.standing, Standing::Unpaid | Standing::Paid) && now < self.curtain);
                        assert!(!self.hangs(booking), "given up alone, though it stands or falls with others");
                    }
                }
                self.bookings.get_mut(id).unwrap().standing =
                    if *reason == Cancellation::Buyer { Standing::Cancelled } else { Standing::Expired };
            }
            event => self.believe_money(event, now),
        }
    }

    /// Shares change seats among themselves: nobody pays more, and those who stay are torn apart less.
    fn believe_reseated(&mut self, group: BookingId, shares: &[Reseated], now: Timestamp) {
        let stay = |model: &Model| {
            let stay = model.shares[&group].bookings.iter().map(|id| &model.bookings[id]);
            let stay = stay.filter(|booking| matches!(booking.standing, Standing::Paid | Standing::Paying));
            stay.flat_map(|booking| booking.lines.iter().map(|line| line.seat)).collect::<BTreeSet<_>>()
        };
        let all =
            |model: &Model| shares.iter().flat_map(|share| model.bookings[&share.booking].lines.clone()).map(|line| line.seat).collect();
        let before = (stay(self), all(self));
        for share in shares {
            let booking = self.bookings.get_mut(&share.booking).unwrap();
            assert!(booking.pay_by <= now && booking.group == Some(group));
            assert_eq!(share.paid, booking.standing == Standing::Paid);
            let people = |lines: &[Line]| lines.iter().map(|line| (line.holder, line.price)).collect::<BTreeSet<_>>();
            assert_eq!((people(&share.lines), share.lines.len()), (people(&booking.lines), booking.lines.len()));
            assert!(share.lines.iter().all(|line| line.price.get() == PRICES[usize::from(line.seat.0 >= 16)]), "nobody pays more");
            booking.lines.clone_from(&share.lines);
        }
        let after: (_, BTreeSet<SeatIndex>) = (stay(self), all(self));
        assert_eq!(before.1, after.1, "seats of nobody else");
        assert!(pieces(&after.0) <= pieces(&before.0), "torn apart: {:?} to {:?}", before.0, after.0);
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
                let waits = *party;
                match party {
                    Some(id) => assert!(self.parties[id].frozen && self.parties[id].members == *members && members[0] == *account),
                    None => assert!(*members == [*account] && self.party_of(*account).is_none()),
                }
                let (number, party) = (*number, waits);
                let new = Entry { number, party, account: *account, members: members.clone(), until: None, claimed: false, gone: false };
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

    fn believe_party(&mut self, event: &OfParty, now: Timestamp) {
        if let OfParty::PartyFormed { party, leader, terms, unused_until, .. } = event {
            let until = now.max(opening()).plus_seconds(86_400).min(self.curtain);
            assert_eq!(*unused_until, Some(until));
            let (leader, terms, unused_until) = (*leader, *terms, *unused_until);
            let formed = PartyState { leader, terms, unused_until, members: vec![leader], ..PartyState::default() };
            assert!(self.parties.insert(*party, formed).is_none(), "a party is formed once");
        }
    }

    /// What an event of a party does; its stream names the party.
    pub(crate) fn believe_in(&mut self, id: PartyId, event: &OfParty, now: Timestamp) {
        let leader = self.parties.get(&id).map(|party| party.leader).unwrap_or_default();
        let waits = self.place(leader, now).is_some();
        let Some(party) = self.parties.get_mut(&id) else { panic!("{event:?} of a party that was never formed") };
        assert!(!party.ended, "{event:?} of a party that has ended");
        match event {
            OfParty::PartyFormed { .. } => {}
            OfParty::FriendInvited { account } => {
                party.expelled.remove(account);
                assert!(!party.frozen && party.invited.insert(*account));
            }
            OfParty::InvitationAccepted { account } => {
                assert!(!party.frozen && party.invited.remove(account));
                party.members.push(*account);
            }
            OfParty::MemberJoined { account } => {
                assert!(!party.frozen && !party.invited.contains(account) && !party.expelled.contains(account));
                party.members.push(*account);
            }
            OfParty::InvitationDeclined { account } | OfParty::InvitationWithdrawn { account } => assert!(party.invited.remove(account)),
            OfParty::MemberLeft { account } => {
                assert!(!party.frozen && party.leader != *account);
                party.members.retain(|member| member != account);
            }
            OfParty::MemberExpelled { account } => {
                assert!(!party.frozen && party.leader != *account && party.expelled.insert(*account));
                party.members.retain(|member| member != account);
            }
            OfParty::LeaderChanged { leader } => {
                assert!(!party.frozen && party.members.contains(leader) && party.leader != *leader);
                party.leader = *leader;
                party.members.retain(|member| member != leader);
                party.members.insert(0, *leader);
            }
            OfParty::PartyFrozen { members, .. } => {
                assert_eq!(*members, party.members);
                assert!(!party.frozen);
                (party.frozen, party.unused_until) = (true, None);
            }
            OfParty::PartyThawed { party: thawed } => {
                assert!(*thawed == id && party.frozen && !waits, "thawed though it waits");
                party.frozen = false;
            }
            OfParty::PartyEnded { reason } => {
                match reason {
                    Ending::Dissolved => assert!(!party.frozen && party.members.len() == 1),
                    Ending::Unused => assert!(party.unused_until.is_some_and(|until| until <= now)),
                }
                (party.ended, party.members, party.invited) = (true, Vec::new(), BTreeSet::new());
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
