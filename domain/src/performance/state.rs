//! What is known of a performance: the fold of its events.

use super::{Cancellation, Event, Line, Method, Release, Run};
use crate::limits::ENDED_REMEMBERED_MAX;
use crate::plan::PlanHash;
use crate::recent::Recent;
use crate::reply::Claim;
use crate::seating::{Adjacency, Free};
use crate::{AccountId, BookingId, HoldId, PartyId, PaymentId, RefundId, SeatIndex, ShowId, Timestamp, Won};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The performance as it was put on sale.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub(super) show: ShowId,
    pub(super) plan: PlanHash,
    pub(super) starts_at: Timestamp,
    pub(super) sale_opens_at: Timestamp,
    /// By the plan's categories.
    pub(super) prices: Vec<Won>,
    pub(super) seats_per_person: u16,
    pub(super) hold_seconds: u32,
    pub(super) payment_seconds: u32,
    pub(super) no_orphans: bool,
    pub(super) adjacency: Adjacency,
}

impl Schedule {
    /// When the performance begins, and when its sale opens.
    pub(crate) const fn moments(&self) -> (Timestamp, Timestamp) {
        (self.starts_at, self.sale_opens_at)
    }
}

/// Who has a seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) enum Owner {
    #[default]
    Nobody,
    Hold(HoldId),
    Booking(BookingId),
}

/// One seat: who has it, and the sequence of the event that took it when it was free.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) owner: Owner,
    pub(super) since: u64,
}

/// A hold that hasn't ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) account: AccountId,
    pub(super) members: Vec<AccountId>,
    pub(super) seats: Vec<SeatIndex>,
    pub(super) expires_at: Timestamp,
    pub(super) extended: bool,
    pub(super) party: Option<PartyId>,
    /// Which seats members claimed.
    pub(super) claims: Vec<Claim>,
}

/// What is kept of a hold that was let go before its time had run out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) seats: Vec<SeatIndex>,
    pub(super) expires_at: Timestamp,
    pub(super) extended: bool,
}

/// What became of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum HoldEnd {
    Released(Release),
    Booked(BookingId),
}

/// How a booking stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Standing {
    Unpaid,
    Paying(PaymentId),
    Paid(PaymentId),
    Cancelled,
    Expired,
}

/// A booking. Remembered for ever.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Booking {
    pub(super) hold: HoldId,
    pub(super) account: AccountId,
    pub(super) lines: Vec<Line>,
    pub(super) total: Won,
    pub(super) pay_by: Timestamp,
    pub(super) standing: Standing,
    /// Payments that were started.
    pub(super) attempts: u32,
    /// The latest refund that it caused.
    pub(super) refund: Option<RefundId>,
    /// The shares that it is one of.
    pub(super) group: Option<BookingId>,
}

/// The shares of one block. Remembered for ever.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Shares {
    pub(super) party: PartyId,
    pub(super) account: AccountId,
    pub(super) bookings: Vec<BookingId>,
    pub(super) all_or_none: bool,
    pub(super) pay_by: Timestamp,
    pub(super) runs: Vec<Run>,
}

/// How a payment stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    InFlight,
    Taken,
    Failed {
        reason: String,
    },
    /// Taken, and owed back: of a booking that was cancelled since, or because the booking couldn't be paid any more.
    Refunded,
}

/// A payment. Remembered for ever.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) booking: BookingId,
    pub(super) account: AccountId,
    /// How it is paid, and paid back.
    pub(super) method: Method,
    pub(super) amount: Won,
    pub(super) outcome: Outcome,
}

/// A refund. Remembered for ever.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) booking: BookingId,
    pub(super) amount: Won,
    pub(super) completed: bool,
}

/// What is known of one person at this performance.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Person {
    /// Seats of unpaid and paid bookings whose holder this is.
    pub(super) seats: u32,
    /// Bookings that are neither paid nor over, with a seat whose holder this is.
    pub(super) unpaid: Vec<BookingId>,
    /// Bookings this person ever made.
    pub(super) made: u32,
}

/// What runs out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Timer {
    Hold(HoldId),
    Booking(BookingId),
    /// Of shares, by their common name.
    Shares(BookingId),
}

/// What is known of a performance: the fold of its events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Performance {
    pub(super) sequence: u64,
    pub(super) schedule: Option<Schedule>,
    /// By [`SeatIndex`].
    pub(super) seats: Vec<Place>,
    /// Those that nobody has.
    pub(super) free: Free,
    #[serde(with = "crate::sorted")]
    pub(super) holds: HashMap<HoldId, Hold>,
    pub(super) ended_holds: Recent<HoldId, (AccountId, HoldEnd)>,
    /// The hold that each person is a member of. At most one.
    #[serde(with = "crate::sorted")]
    pub(super) hold_of: HashMap<AccountId, HoldId>,
    /// The last hold that each person let go or replaced, until the next one ends.
    #[serde(with = "crate::sorted")]
    pub(super) let_go: HashMap<AccountId, Kept>,
    #[serde(with = "crate::sorted")]
    pub(super) bookings: HashMap<BookingId, Booking>,
    #[serde(with = "crate::sorted")]
    pub(super) shares: HashMap<BookingId, Shares>,
    #[serde(with = "crate::sorted")]
    pub(super) payments: HashMap<PaymentId, Payment>,
    #[serde(with = "crate::sorted")]
    pub(super) refunds: HashMap<RefundId, Refund>,
    #[serde(with = "crate::sorted")]
    pub(super) people: HashMap<AccountId, Person>,
    /// When holds, unpaid bookings and shares run out. A booking with a payment in flight doesn't.
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
}

impl Default for Performance {
    fn default() -> Self {
        Performance {
            sequence: 0,
            schedule: None,
            seats: Vec::new(),
            free: Free::default(),
            holds: HashMap::new(),
            ended_holds: Recent::with_room(ENDED_REMEMBERED_MAX),
            hold_of: HashMap::new(),
            let_go: HashMap::new(),
            bookings: HashMap::new(),
            shares: HashMap::new(),
            payments: HashMap::new(),
            refunds: HashMap::new(),
            people: HashMap::new(),
            timers: BTreeSet::new(),
        }
    }
}

impl Performance {
    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::PerformanceScheduled {
                show,
                plan,
                seats,
                starts_at,
                sale_opens_at,
                prices,
                seats_per_person,
                hold_seconds,
                payment_seconds,
                no_orphans,
                adjacency,
            } => self.on_scheduled(
                *seats,
                Schedule {
                    show: *show,
                    plan: *plan,
                    starts_at: *starts_at,
                    sale_opens_at: *sale_opens_at,
                    prices: prices.iter().map(|price| price.price).collect(),
                    seats_per_person: *seats_per_person,
                    hold_seconds: *hold_seconds,
                    payment_seconds: *payment_seconds,
                    no_orphans: *no_orphans,
                    adjacency: *adjacency,
                },
            ),
            Event::SeatsHeld { hold, account, party, members, seats, expires_at, extended } => {
                let (account, party, members, seats) = (*account, *party, members.clone(), seats.clone());
                let (expires_at, extended) = (*expires_at, *extended);
                self.on_held(*hold, Hold { account, members, seats, expires_at, extended, party, claims: Vec::new() });
            }
            Event::HoldExtended { hold, expires_at } => self.on_extended(*hold, *expires_at),
            Event::HoldReleased { hold, seats, reason } => {
                let released = self.end_hold(*hold, HoldEnd::Released(*reason));
                assert_eq!(released.seats, *seats, "{hold} had other seats");
                self.give_up(Owner::Hold(*hold), seats.iter().copied());
                if *reason != Release::Expired {
                    self.remember(&released);
                }
            }
            Event::SeatsBooked { booking, hold, account, lines, total, pay_by } => {
                let (hold, account, lines, total, pay_by) = (*hold, *account, lines.clone(), *total, *pay_by);
                let (standing, attempts, refund, group) = (Standing::Unpaid, 0, None, None);
                self.on_booked(*booking, Booking { hold, account, lines, total, pay_by, standing, attempts, refund, group });
            }
            Event::SeatClaimed { hold, seat, account } => self.on_claimed(*hold, Claim { seat: *seat, account: *account }),
            Event::SharesOpened { group, party, account, bookings, all_or_none, pay_by, runs } => {
                let (party, account, bookings, all_or_none, runs) = (*party, *account, bookings.clone(), *all_or_none, runs.clone());
                self.on_shares_opened(*group, Shares { party, account, bookings, all_or_none, pay_by: *pay_by, runs });
            }
            Event::SharesReseated { group, shares } => self.on_reseated(*group, shares),
            Event::PaymentStarted { payment, booking, account, method, amount } => {
                let (booking, account, method, amount) = (*booking, *account, method.method(), *amount);
                self.on_payment(*payment, Payment { booking, account, method, amount, outcome: Outcome::InFlight });
            }
            Event::PaymentFailed { payment, booking, reason } => self.on_failed(*payment, *booking, reason),
            Event::SeatsSold { booking, payment, account, lines, amount } => self.on_sold(*booking, *payment, *account, lines, *amount),
            Event::BookingCancelled { booking, seats, reason } => self.on_cancelled(*booking, seats, *reason),
            Event::RefundDue { refund, payment, booking, method, amount, .. } => {
                self.on_refund_due(*refund, *payment, *method, Refund { booking: *booking, amount: *amount, completed: false });
            }
            Event::RefundCompleted { refund, booking, amount } => self.on_refunded(*refund, *booking, *amount),
        }
    }

    fn on_scheduled(&mut self, seats: u32, schedule: Schedule) {
        assert!(self.schedule.is_none(), "a performance is scheduled twice");
        assert!(seats > 0 && schedule.seats_per_person > 0, "a performance without seats, or with none for a person");
        self.seats = vec![Place::default(); seats as usize];
        self.free = Free::all(seats as usize);
        self.schedule = Some(schedule);
    }

    fn on_held(&mut self, id: HoldId, hold: Hold) {
        assert!(!hold.seats.is_empty() && hold.members.contains(&hold.account), "{id} has no seats, or is for others");
        for seat in &hold.seats {
            let place = &mut self.seats[seat.at()];
            assert_eq!(place.owner, Owner::Nobody, "{id} takes seat {seat}, which isn't free");
            *place = Place { owner: Owner::Hold(id), since: self.sequence };
            self.free.set(*seat, false);
        }
        for member in &hold.members {
            let before = self.hold_of.insert(*member, id);
            assert_eq!(before, None, "{member} has two holds");
        }
        assert!(self.timers.insert((hold.expires_at, Timer::Hold(id))), "{id} has two timers");
        let before = self.holds.insert(id, hold);
        assert!(before.is_none(), "{id} is two holds");
    }

    fn on_extended(&mut self, id: HoldId, expires_at: Timestamp) {
        let hold = self.holds.get_mut(&id).expect("only a live hold is extended");
        assert!(!hold.extended && hold.expires_at <= expires_at, "{id} is extended twice, or shortened");
        assert!(self.timers.remove(&(hold.expires_at, Timer::Hold(id))), "{id} has no timer");
        hold.extended = true;
        hold.expires_at = expires_at;
        self.timers.insert((expires_at, Timer::Hold(id)));
    }

    fn end_hold(&mut self, id: HoldId, end: HoldEnd) -> Hold {
        let hold = self.holds.remove(&id).expect("only a live hold ends");
        assert!(self.timers.remove(&(hold.expires_at, Timer::Hold(id))), "{id} has no timer");
        for member in &hold.members {
            assert_eq!(self.hold_of.remove(member), Some(id), "{member} had another hold");
            self.let_go.remove(member);
        }
        self.ended_holds.insert(id, (hold.account, end));
        hold
    }

    fn give_up(&mut self, owner: Owner, seats: impl Iterator<Item = SeatIndex>) {
        for seat in seats {
            let place = &mut self.seats[seat.at()];
            assert_eq!(place.owner, owner, "seat {seat} is another's");
            *place = Place::default();
            self.free.set(seat, true);
        }
    }

    /// Remembers until when its people might have had these seats: taking them again doesn't give them more time.
    fn remember(&mut self, hold: &Hold) {
        for member in &hold.members {
            let kept = Kept { seats: hold.seats.clone(), expires_at: hold.expires_at, extended: hold.extended };
            self.let_go.insert(*member, kept);
        }
    }

    fn on_booked(&mut self, id: BookingId, booking: Booking) {
        self.take_from_hold(id, &booking);
        assert_eq!(booking.lines.iter().map(|line| line.price).sum::<Won>(), booking.total, "{id} costs something else");
        for line in &booking.lines {
            let place = &mut self.seats[line.seat.at()];
            assert_eq!(place.owner, Owner::Hold(booking.hold), "seat {} is another's", line.seat);
            place.owner = Owner::Booking(id);
            self.people.entry(line.holder).or_default().seats += 1;
        }
        for holder in holders(&booking.lines) {
            self.people.entry(holder).or_default().unpaid.push(id);
        }
        self.people.entry(booking.account).or_default().made += 1;
        assert!(self.timers.insert((booking.pay_by, Timer::Booking(id))), "{id} has two timers");
        let before = self.bookings.insert(id, booking);
        assert!(before.is_none(), "{id} is two bookings");
    }

    /// A booking takes its seats out of its hold, which ends with the last of them.
    fn take_from_hold(&mut self, id: BookingId, booking: &Booking) {
        let hold = self.holds.get_mut(&booking.hold).expect("only a live hold is booked");
        assert!(hold.members.contains(&booking.account), "{} is booked by someone else", booking.hold);
        let before = hold.seats.len();
        hold.seats.retain(|seat| !booking.lines.iter().any(|line| line.seat == *seat));
        assert_eq!(hold.seats.len() + booking.lines.len(), before, "{id} has other seats than its hold");
        if hold.seats.is_empty() {
            self.end_hold(booking.hold, HoldEnd::Booked(id));
        }
    }

    fn on_payment(&mut self, id: PaymentId, payment: Payment) {
        let booking = self.bookings.get_mut(&payment.booking).expect("only a booking is paid");
        assert_eq!(booking.standing, Standing::Unpaid, "{} is paid though it can't be", payment.booking);
        assert!(booking.account == payment.account && booking.total == payment.amount, "{id} pays something else");
        let (pay_by, group) = (booking.pay_by, booking.group);
        booking.standing = Standing::Paying(id);
        booking.attempts += 1;
        match group {
            Some(group) => self.wind(group),
            None => assert!(self.timers.remove(&(pay_by, Timer::Booking(payment.booking))), "{} has no timer", payment.booking),
        }
        let before = self.payments.insert(id, payment);
        assert!(before.is_none(), "{id} is two payments");
    }

    fn on_failed(&mut self, id: PaymentId, booking_id: BookingId, reason: &str) {
        let payment = self.payments.get_mut(&id).expect("only a payment fails");
        assert!(payment.outcome == Outcome::InFlight && payment.booking == booking_id, "{id} fails though its outcome is known");
        payment.outcome = Outcome::Failed { reason: reason.to_owned() };
        let booking = self.bookings.get_mut(&booking_id).expect("a payment has a booking");
        assert_eq!(booking.standing, Standing::Paying(id), "{booking_id} isn't being paid by {id}");
        booking.standing = Standing::Unpaid;
        match booking.group {
            Some(group) => self.wind(group),
            None => drop(self.timers.insert((booking.pay_by, Timer::Booking(booking_id)))),
        }
    }

    fn on_sold(&mut self, id: BookingId, payment_id: PaymentId, account: AccountId, lines: &[Line], amount: Won) {
        let payment = self.payments.get_mut(&payment_id).expect("only a payment sells");
        assert!(payment.outcome == Outcome::InFlight && payment.amount == amount, "{payment_id} is taken twice, or as another amount");
        payment.outcome = Outcome::Taken;
        let booking = self.bookings.get_mut(&id).expect("only a booking is sold");
        assert_eq!(booking.standing, Standing::Paying(payment_id), "{id} isn't being paid by {payment_id}");
        assert!(booking.account == account && booking.lines == lines && booking.total == amount, "{id} is sold as something else");
        booking.standing = Standing::Paid(payment_id);
        let group = booking.group;
        for holder in holders(lines) {
            self.no_longer_unpaid(holder, id);
        }
        group.into_iter().for_each(|group| self.wind(group));
    }

    fn on_cancelled(&mut self, id: BookingId, seats: &[SeatIndex], reason: Cancellation) {
        let booking = self.bookings.get_mut(&id).expect("only a booking is cancelled");
        let before = booking.standing;
        booking.standing = match reason {
            Cancellation::Buyer => Standing::Cancelled,
            Cancellation::Expired | Cancellation::OtherShareUnpaid => Standing::Expired,
        };
        assert!(booking.lines.iter().map(|line| line.seat).eq(seats.iter().copied()), "{id} had other seats");
        let (lines, pay_by, group) = (booking.lines.clone(), booking.pay_by, booking.group);
        match before {
            Standing::Unpaid => {
                assert!(group.is_some() || self.timers.remove(&(pay_by, Timer::Booking(id))), "{id} has no timer");
                holders(&lines).into_iter().for_each(|holder| self.no_longer_unpaid(holder, id));
            }
            Standing::Paid(_) => assert_ne!(reason, Cancellation::Expired, "{id} expires though it is paid"),
            Standing::Paying(_) | Standing::Cancelled | Standing::Expired => panic!("{id} is cancelled though it is {before:?}"),
        }
        for line in &lines {
            self.people.get_mut(&line.holder).expect("a holder is known").seats -= 1;
        }
        self.give_up(Owner::Booking(id), seats.iter().copied());
        group.into_iter().for_each(|group| self.wind(group));
    }

    fn no_longer_unpaid(&mut self, holder: AccountId, booking: BookingId) {
        let unpaid = &mut self.people.get_mut(&holder).expect("a holder is known").unpaid;
        let before = unpaid.len();
        unpaid.retain(|known| *known != booking);
        assert_eq!(unpaid.len() + 1, before, "{booking} wasn't unpaid, or twice");
    }

    fn on_refund_due(&mut self, id: RefundId, payment_id: PaymentId, method: Method, refund: Refund) {
        let payment = self.payments.get_mut(&payment_id).expect("only a payment is refunded");
        let booking = self.bookings.get_mut(&refund.booking).expect("a payment has a booking");
        assert!(payment.booking == refund.booking && payment.amount == refund.amount, "{id} refunds something else");
        assert_eq!(payment.method, method, "{id} goes another way back than {payment_id} came");
        let ended = payment.outcome == Outcome::Taken && matches!(booking.standing, Standing::Cancelled | Standing::Expired);
        let late = matches!(payment.outcome, Outcome::Failed { .. });
        assert!(ended || late, "{payment_id} is refunded though it is {:?}", payment.outcome);
        payment.outcome = Outcome::Refunded;
        booking.refund = Some(id);
        let before = self.refunds.insert(id, refund);
        assert!(before.is_none(), "{id} is two refunds");
    }

    fn on_refunded(&mut self, id: RefundId, booking: BookingId, amount: Won) {
        let refund = self.refunds.get_mut(&id).expect("only what is owed is given back");
        assert!(!refund.completed && refund.booking == booking && refund.amount == amount, "{id} is completed twice, or as another");
        refund.completed = true;
    }
}

/// Everyone who has a seat of these, once.
fn holders(lines: &[Line]) -> HashSet<AccountId> {
    lines.iter().map(|line| line.holder).collect()
}
