//! Each check is given logs that are damaged in one way, and must find just that.

mod commands;
mod line;
mod money;
mod seats;
mod shares;

use super::check::Seen;
use super::deadlines::Deadlines;
use super::decoding::Decoding;
use super::line::Lines;
use super::money::Money;
use super::positions::Positions;
use super::seats::Seats;
use super::sequences::Sequences;
use super::testing::{Log, told};
use socketing_domain::draw::{self, Digest};
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{Cancellation, Event as P, Line, Means, Method, Release, Reseated, Run};
use socketing_domain::waiting_room::{Departure, Event as L, LineRules};
use socketing_domain::wallet::Event as W;
use socketing_domain::{
    AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, RefundId, SeatIndex, ShowId, Timestamp, Won, plan::PlanHash,
};
use socketing_event_store::Json;
use uuid::Uuid;

const HOLD_SECONDS: u32 = 60;
const PAYMENT_SECONDS: u32 = 120;
const SESSION_SECONDS: u32 = 900;

/// One performance with its people, and a log that tells of them.
struct Sale {
    log: Log,
    performance: PerformanceId,
    next_number: u64,
}

/// A fan with what it has.
#[derive(Clone, Copy)]
struct Fan {
    account: AccountId,
    hold: HoldId,
    booking: BookingId,
    payment: PaymentId,
    refund: RefundId,
    seat: u32,
}

fn won(amount: i64) -> Won {
    Won::new(amount).unwrap()
}

impl Fan {
    fn new(seat: u32) -> Fan {
        Fan {
            account: AccountId::new(),
            hold: HoldId::new(),
            booking: BookingId::new(),
            payment: PaymentId::new(),
            refund: RefundId::new(),
            seat,
        }
    }

    fn lines(&self) -> Vec<Line> {
        vec![Line { seat: SeatIndex(self.seat), price: won(1000), holder: self.account }]
    }
}

impl Sale {
    fn new(capacity: u32) -> Sale {
        let mut sale = Sale { log: Log::default(), performance: PerformanceId::new(), next_number: 0 };
        let (show, sale_opens_at) = (ShowId::new(), sale.log.now());
        sale.perform(P::PerformanceScheduled {
            show,
            plan: PlanHash::default(),
            seats: 10,
            starts_at: sale_opens_at.plus_seconds(86_400),
            sale_opens_at,
            prices: Vec::new(),
            seats_per_person: 4,
            hold_seconds: HOLD_SECONDS,
            payment_seconds: PAYMENT_SECONDS,
            no_orphans: false,
            adjacency: Default::default(),
        });
        let rules = LineRules::original();
        sale.line(L::LineOpened { show, sale_opens_at, capacity, session_seconds: SESSION_SECONDS, rules });
        sale
    }

    fn perform(&mut self, event: P) {
        self.log.add(StreamId::Performance(self.performance), Event::Performance(event));
    }

    fn line(&mut self, event: L) {
        self.log.add(StreamId::WaitingRoom(self.performance), Event::WaitingRoom(event));
    }

    fn wallet(&mut self, of: AccountId, event: W) {
        self.log.add(StreamId::Wallet(of), Event::Wallet(event));
    }

    fn position(&self) -> u64 {
        self.log.events.len() as u64
    }

    /// Joins the line; returns the place and its number.
    fn join(&mut self, account: AccountId) -> (EntryId, u64) {
        self.next_number += 1;
        let (entry, number) = (EntryId::new(), self.next_number);
        self.line(L::QueueJoined { entry, number, account, party: None, members: vec![account] });
        (entry, number)
    }

    fn admit(&mut self, entry: EntryId, number: u64) {
        let session_ends_at = self.log.now().plus_seconds(SESSION_SECONDS);
        self.line(L::EntryAdmitted { entry, number, session_ends_at });
    }

    fn enter(&mut self, fan: &Fan) {
        let (entry, number) = self.join(fan.account);
        self.admit(entry, number);
        self.wallet(fan.account, W::WalletOpened { account: fan.account, balance: won(5000) });
    }

    fn hold(&mut self, fan: &Fan) {
        let expires_at = self.log.now().plus_seconds(HOLD_SECONDS);
        let seats = vec![SeatIndex(fan.seat)];
        self.perform(P::SeatsHeld {
            hold: fan.hold,
            account: fan.account,
            party: None,
            members: vec![fan.account],
            seats,
            expires_at,
            extended: false,
        });
    }

    fn release(&mut self, fan: &Fan) {
        self.perform(P::HoldReleased { hold: fan.hold, seats: vec![SeatIndex(fan.seat)], reason: Release::Expired });
    }

    fn book(&mut self, fan: &Fan) {
        let pay_by = self.log.now().plus_seconds(PAYMENT_SECONDS);
        let Fan { account, hold, booking, .. } = *fan;
        self.perform(P::SeatsBooked { booking, hold, account, lines: fan.lines(), total: won(1000), pay_by });
    }

    fn start_payment(&mut self, fan: &Fan) {
        let Fan { account, booking, payment, .. } = *fan;
        self.perform(P::PaymentStarted { payment, booking, account, method: Means::Socketpay, amount: won(1000) });
    }

    fn charge(&mut self, fan: &Fan, amount: i64, balance: i64) {
        let (performance, Fan { account, booking, payment, .. }) = (self.performance, *fan);
        self.wallet(account, W::WalletCharged { payment, performance, booking, amount: won(amount), balance: won(balance) });
    }

    fn sell(&mut self, fan: &Fan) {
        let Fan { account, booking, payment, .. } = *fan;
        self.perform(P::SeatsSold { booking, payment, account, lines: fan.lines(), amount: won(1000) });
    }

    fn cancel(&mut self, fan: &Fan) {
        self.perform(P::BookingCancelled { booking: fan.booking, seats: vec![SeatIndex(fan.seat)], reason: Cancellation::Buyer });
    }

    fn owe(&mut self, fan: &Fan) {
        let Fan { account, booking, payment, refund, .. } = *fan;
        self.perform(P::RefundDue { refund, payment, booking, account, method: Method::Socketpay, amount: won(1000) });
    }

    fn pay_back(&mut self, fan: &Fan, balance: i64) {
        let Fan { account, payment, refund, .. } = *fan;
        self.wallet(account, W::WalletRefunded { refund, payment, amount: won(1000), balance: won(balance) });
    }

    fn complete(&mut self, fan: &Fan) {
        self.perform(P::RefundCompleted { refund: fan.refund, booking: fan.booking, amount: won(1000) });
    }

    /// Everything up to the payment that is asked for.
    fn check_out(&mut self, fan: &Fan) {
        self.enter(fan);
        self.hold(fan);
        self.book(fan);
        self.start_payment(fan);
    }

    fn buy(&mut self, fan: &Fan) {
        self.check_out(fan);
        self.charge(fan, 1000, 4000);
        self.sell(fan);
    }
}

/// A sale in which everything goes as it should.
fn whole() -> Sale {
    let mut sale = Sale::new(10);
    let (keeps, cancels, forgets) = (Fan::new(0), Fan::new(1), Fan::new(2));
    sale.buy(&keeps);
    sale.buy(&cancels);
    sale.cancel(&cancels);
    sale.owe(&cancels);
    sale.pay_back(&cancels, 5000);
    sale.complete(&cancels);
    sale.enter(&forgets);
    sale.hold(&forgets);
    sale.log.wait(i64::from(HOLD_SECONDS));
    sale.release(&forgets);
    sale
}

#[test]
fn a_whole_log_is_clean() {
    let log = whole().log;
    for findings in [
        log.check(Positions::new()),
        log.check(Sequences::new()),
        log.check(Decoding::new()),
        log.check(Seats::new()),
        log.check(Deadlines::new()),
        log.check(Lines::new()),
        log.check(Money::new()),
    ] {
        assert!(findings.is_clean() && findings.checked > 0, "{findings:?}");
    }
    let note = log.check(Money::new()).note.unwrap();
    assert_eq!(note, "charged 2,000 = sold 1,000 + refunded 1,000 + owed 0 + in doubt 0 won");
}

#[test]
fn a_missing_event_leaves_gaps() {
    let mut log = whole().log;
    log.events.remove(4);
    assert_eq!(told(&log.check(Positions::new()))[0], (5, "position 5 is missing"));
    assert_eq!(log.check(Sequences::new()).failed, 1);
}

#[test]
fn a_log_that_ends_before_its_head_is_found() {
    let log = whole().log;
    let mut check = Positions::new();
    for raw in &log.events {
        super::check::Check::event(&mut check, &Seen { raw, decoded: Err("not looked at") });
    }
    super::check::Check::end(&mut check, log.events.len() as u64 + 1);
    assert!(!super::check::Check::findings(Box::new(check)).is_clean());
}

#[test]
fn an_event_that_nobody_can_read_is_found() {
    let mut log = whole().log;
    log.events[3].event_version = "99".into();
    log.events[4].payload = Json::parse("{\"Nonsense\":{}}".into()).unwrap();
    log.events[5].aggregate_type = "kiosk".into();
    log.events[6].metadata = Json::parse("{}".into()).unwrap();
    let places: Vec<u64> = told(&log.check(Decoding::new())).iter().map(|(position, _)| *position).collect();
    assert_eq!(places, [4, 5, 6, 7]);
}
