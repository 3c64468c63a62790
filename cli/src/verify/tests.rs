//! Each check is given logs that are damaged in one way, and must find just that.

use super::check::Seen;
use super::testing::{Log, told};
use super::{commands, deadlines, decoding, line, money, positions, seats, sequences};
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

    fn buy(&mut self, fan: &Fan) {
        self.enter(fan);
        self.hold(fan);
        self.book(fan);
        self.start_payment(fan);
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
        log.check(positions::Positions::new()),
        log.check(sequences::Sequences::new()),
        log.check(decoding::Decoding::new()),
        log.check(seats::Seats::new()),
        log.check(deadlines::Deadlines::new()),
        log.check(line::Lines::new()),
        log.check(money::Money::new()),
    ] {
        assert!(findings.is_clean() && findings.checked > 0, "{findings:?}");
    }
    let note = log.check(money::Money::new()).note.unwrap();
    assert_eq!(note, "charged 2,000 = sold 1,000 + refunded 1,000 + owed 0 + in doubt 0 won");
}

#[test]
fn a_missing_event_leaves_gaps() {
    let mut log = whole().log;
    log.events.remove(4);
    assert_eq!(told(&log.check(positions::Positions::new()))[0], (5, "position 5 is missing"));
    assert_eq!(log.check(sequences::Sequences::new()).failed, 1);
}

#[test]
fn a_log_that_ends_before_its_head_is_found() {
    let log = whole().log;
    let mut check = positions::Positions::new();
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
    let places: Vec<u64> = told(&log.check(decoding::Decoding::new())).iter().map(|(position, _)| *position).collect();
    assert_eq!(places, [4, 5, 6, 7]);
}

#[test]
fn a_seat_with_two_holds_is_found() {
    let mut sale = Sale::new(10);
    let (first, second) = (Fan::new(3), Fan::new(3));
    sale.enter(&first);
    sale.enter(&second);
    sale.hold(&first);
    sale.hold(&second);
    let at = sale.position();
    let findings = sale.log.check(seats::Seats::new());
    assert_eq!(findings.failed, 1);
    assert_eq!(findings.faults[0].position, at);
    assert!(findings.faults[0].detail.contains("seat 3 is held by"), "{findings:?}");
}

#[test]
fn a_seat_sold_without_its_booking_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(3);
    sale.enter(&fan);
    sale.sell(&fan);
    assert_eq!(sale.log.check(seats::Seats::new()).failed, 2, "no such booking, and the seat is free");
}

#[test]
fn a_booking_of_other_seats_than_were_held_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(3);
    sale.enter(&fan);
    sale.hold(&fan);
    sale.book(&Fan { seat: 4, ..fan });
    assert_eq!(sale.log.check(seats::Seats::new()).failed, 2, "another seat, and it wasn't held");
}

#[test]
fn a_seat_the_plan_does_not_have_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(10);
    sale.enter(&fan);
    sale.hold(&fan);
    assert_eq!(sale.log.check(seats::Seats::new()).failed, 1);
}

#[test]
fn a_hold_that_outlives_its_deadline_is_found_while_the_log_goes_on() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.hold(&fan);
    let held_at = sale.position();
    sale.log.wait(3600);
    assert!(sale.log.check(deadlines::Deadlines::new()).is_clean(), "nobody was there to release it");
    for seat in 1..40 {
        sale.enter(&Fan::new(seat));
    }
    let findings = sale.log.check(deadlines::Deadlines::new());
    assert_eq!(findings.faults.iter().map(|fault| fault.position).collect::<Vec<_>>(), [held_at], "{findings:?}");
}

#[test]
fn a_hold_that_is_booked_after_its_deadline_is_found_to_the_second() {
    for (late, faults) in [(-3, 0), (1, 1)] {
        let mut sale = Sale::new(10);
        let fan = Fan::new(0);
        sale.enter(&fan);
        sale.hold(&fan);
        sale.log.wait(i64::from(HOLD_SECONDS) + late);
        sale.book(&fan);
        assert_eq!(sale.log.check(deadlines::Deadlines::new()).failed, faults, "{late} s late");
    }
}

#[test]
fn a_payment_in_flight_stops_the_clock() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.hold(&fan);
    sale.book(&fan);
    sale.start_payment(&fan);
    for seat in 1..80 {
        sale.enter(&Fan::new(seat));
        sale.log.wait(3);
    }
    assert!(sale.log.check(deadlines::Deadlines::new()).is_clean());
    let Fan { payment, booking, .. } = fan;
    sale.perform(P::PaymentFailed { payment, booking, reason: "insufficient_funds".into() });
    assert!(sale.log.check(deadlines::Deadlines::new()).is_clean(), "its time only begins to run again");
    for seat in 1..40 {
        sale.enter(&Fan::new(seat));
    }
    assert_eq!(sale.log.check(deadlines::Deadlines::new()).failed, 1);
}

#[test]
fn a_payment_long_after_the_deadline_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.hold(&fan);
    sale.book(&fan);
    sale.log.wait(i64::from(PAYMENT_SECONDS) + 60);
    sale.start_payment(&fan);
    assert_eq!(sale.log.check(deadlines::Deadlines::new()).failed, 1);
}

#[test]
fn too_many_people_inside_are_found() {
    let mut sale = Sale::new(2);
    (0..3).for_each(|seat| sale.enter(&Fan::new(seat)));
    let findings = sale.log.check(line::Lines::new());
    assert_eq!(findings.failed, 1);
    assert!(findings.faults[0].detail.contains("3 people are inside, where 2 may be"), "{findings:?}");
}

#[test]
fn room_that_was_left_may_be_taken() {
    let mut sale = Sale::new(1);
    let (entry, number) = sale.join(AccountId::new());
    sale.admit(entry, number);
    sale.line(L::EntryDeparted { entry, number, reason: Departure::Left });
    sale.enter(&Fan::new(0));
    assert!(sale.log.check(line::Lines::new()).is_clean());
}

#[test]
fn pushing_in_is_found() {
    let mut sale = Sale::new(10);
    let (_first, (entry, number)) = (sale.join(AccountId::new()), sale.join(AccountId::new()));
    sale.admit(entry, number);
    assert!(sale.log.check(line::Lines::new()).faults[0].detail.contains("number 2 is called before number 1"));
}

#[test]
fn a_second_place_of_one_person_is_found() {
    let mut sale = Sale::new(10);
    let account = AccountId::new();
    sale.join(account);
    sale.join(account);
    assert_eq!(sale.log.check(line::Lines::new()).failed, 1);
}

#[test]
fn being_let_in_before_the_opening_is_found() {
    let mut sale = Sale::new(10);
    let (entry, number) = sale.join(AccountId::new());
    let before = Timestamp::from_millis(super::testing::BEGINNING - 1000);
    sale.line(L::EntryAdmitted { entry, number, session_ends_at: before.plus_seconds(SESSION_SECONDS) });
    assert_eq!(sale.log.check(line::Lines::new()).failed, 1);
}

const SEED: Digest = Digest([0x5e; 32]);

/// A draw of so many people, whose tickets are these; what happens to the log before the lobby closes is up to `then`.
fn drawn(people: usize, then: impl FnOnce(&mut Sale)) -> (Sale, Vec<(AccountId, EntryId)>) {
    let mut sale = Sale { log: Log::default(), performance: PerformanceId::new(), next_number: 0 };
    let (sale_opens_at, rules) = (sale.log.now().plus_seconds(100), LineRules { claim_seconds: 60, ..LineRules::default() });
    let lobby_opens_at = sale.log.now();
    sale.line(L::LineOpened { show: ShowId::new(), sale_opens_at, capacity: 3, session_seconds: SESSION_SECONDS, rules });
    sale.line(L::DrawCommitted { commitment: draw::commitment(&SEED), lobby_opens_at });
    let accounts: Vec<AccountId> = (0..people).map(|_| AccountId::new()).collect();
    let places: Vec<(AccountId, EntryId)> = accounts.iter().map(|account| (*account, sale.join(*account).0)).collect();
    sale.log.wait(200);
    let mut tickets: Vec<Digest> = places.iter().map(|(account, entry)| draw::ticket(*account, *entry)).collect();
    tickets.sort_unstable();
    then(&mut sale);
    sale.line(L::LobbyClosed { root: draw::root(&tickets), entries: people as u64 });
    (sale, places)
}

/// The places in the order of the draw.
fn order(places: &[(AccountId, EntryId)], beacon: &str) -> Vec<EntryId> {
    let mut tickets: Vec<(Digest, EntryId)> = places.iter().map(|(account, entry)| (draw::ticket(*account, *entry), *entry)).collect();
    tickets.sort_unstable();
    let root = draw::root(tickets.iter().map(|(ticket, _)| ticket));
    draw::Key::new(&SEED, &root, beacon).order(tickets).into_iter().map(|(_, entry)| entry).collect()
}

impl Sale {
    fn call(&mut self, entry: EntryId, number: u64) {
        let claim_by = self.log.now().plus_seconds(60);
        self.line(L::EntryCalled { entry, number, claim_by });
    }
}

#[test]
fn a_draw_as_it_was_promised_is_clean() {
    let (mut sale, places) = drawn(20, |sale| {
        sale.line(L::BeaconGiven { value: "8f3a".to_owned(), source: "drand".to_owned() });
    });
    sale.line(L::SeedRevealed { seed: SEED });
    for (number, entry) in (1..=3).zip(order(&places, "8f3a")) {
        sale.call(entry, number);
        sale.admit(entry, number);
    }
    let findings = sale.log.check(line::Lines::new());
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.note.as_deref(), Some("1 lines, 1 drawn, 17 places waiting, 3 people inside"));
}

#[test]
fn a_draw_whose_seed_is_lost_is_drawn_by_the_beacon_that_was_named_and_nothing_else() {
    let of = |value: &str, source: &str, seed| {
        let (mut sale, places) = drawn(20, |_| {});
        sale.line(L::SeedLost { beacon_source: "drand 2".to_owned(), reason: "the disk is gone".to_owned() });
        sale.line(L::BeaconGiven { value: value.to_owned(), source: source.to_owned() });
        sale.line(L::SeedRevealed { seed });
        let mut tickets: Vec<(Digest, EntryId)> = places.iter().map(|(account, entry)| (draw::ticket(*account, *entry), *entry)).collect();
        tickets.sort_unstable();
        let root = draw::root(tickets.iter().map(|(ticket, _)| ticket));
        let first = draw::Key::new(&draw::NO_SEED, &root, "8f3b").order(tickets)[0].1;
        sale.call(first, 1);
        sale.log.check(line::Lines::new())
    };
    assert!(of("8f3b", "drand 2", draw::NO_SEED).is_clean());
    assert!(told(&of("8f3b", "drand 3", draw::NO_SEED))[0].1.contains("was named"));
    assert!(told(&of("8f3b", "drand 2", SEED))[0].1.contains("by its beacon alone"));
    assert!(told(&of("8f3c", "drand 2", draw::NO_SEED))[0].1.contains("number 1"), "another value, another order");
}

#[test]
fn one_entry_added_dropped_or_changed_is_found() {
    let (added, _) = drawn(20, |sale| _ = sale.join(AccountId::new()));
    assert!(added.log.check(line::Lines::new()).failed > 0);
    let (mut dropped, _) = drawn(20, |_| {});
    dropped.log.events.remove(7);
    assert!(dropped.log.check(line::Lines::new()).failed > 0);
    let (mut changed, _) = drawn(20, |_| {});
    let payload = changed.log.events[7].payload.to_string();
    let (account, other) = (serde_json::from_str::<serde_json::Value>(&payload).unwrap(), AccountId::new());
    let account = account["QueueJoined"]["account"].as_str().unwrap().to_owned();
    changed.log.events[7].payload = Json::parse(payload.replace(&account, &other.to_string())).unwrap();
    let faults = changed.log.check(line::Lines::new());
    assert!(told(&faults)[0].1.starts_with("line of") && told(&faults)[0].1.contains("the root of the lobby's tickets is"), "{faults:?}");
}

#[test]
fn another_seed_another_order_and_a_call_before_the_draw_are_found() {
    let (mut sale, _) = drawn(20, |_| {});
    sale.line(L::SeedRevealed { seed: Digest([1; 32]) });
    assert!(told(&sale.log.check(line::Lines::new()))[0].1.contains("isn't the one of commitment"));
    let (mut sale, places) = drawn(20, |_| {});
    sale.line(L::SeedRevealed { seed: SEED });
    sale.call(order(&places, "")[1], 1);
    assert!(told(&sale.log.check(line::Lines::new()))[0].1.contains("is called but doesn't wait"));
    let (mut sale, places) = drawn(20, |_| {});
    sale.call(places[0].1, 1);
    assert!(told(&sale.log.check(line::Lines::new()))[0].1.contains("is called before the draw"));
}

#[test]
fn passes_count_before_they_are_claimed_and_limits_count_from_when_they_change() {
    let mut sale = Sale::new(2);
    let places: Vec<_> = (0..4).map(|_| sale.join(AccountId::new())).collect();
    places[..2].iter().for_each(|(entry, number)| sale.call(*entry, *number));
    sale.line(L::LimitsChanged { capacity: 1, admissions_per_minute: None, reason: "slowly".to_owned() });
    assert!(sale.log.check(line::Lines::new()).is_clean(), "who is inside stays");
    sale.call(places[2].0, places[2].1);
    assert!(told(&sale.log.check(line::Lines::new()))[0].1.contains("3 people are inside, where 1 may be"));
}

#[test]
fn a_rate_that_is_exceeded_is_found() {
    let mut sale = Sale::new(100);
    let places: Vec<_> = (0..10).map(|_| sale.join(AccountId::new())).collect();
    sale.line(L::LimitsChanged { capacity: 100, admissions_per_minute: Some(5), reason: "slowly".to_owned() });
    places.iter().for_each(|(entry, number)| sale.call(*entry, *number));
    assert!(told(&sale.log.check(line::Lines::new()))[0].1.contains("8 people were let in within a minute, where 5 may be"));
}

#[test]
fn holding_from_outside_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.join(fan.account);
    sale.hold(&fan);
    assert_eq!(sale.log.check(line::Lines::new()).failed, 1);
}

#[test]
fn a_wallet_that_miscounts_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.hold(&fan);
    sale.book(&fan);
    sale.start_payment(&fan);
    sale.charge(&fan, 1000, 4500);
    assert!(sale.log.check(money::Money::new()).faults[0].detail.contains("goes from 5000 won to 4500 won by a charge of 1000 won"));
}

#[test]
fn a_charge_for_nothing_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.charge(&fan, 1000, 4000);
    assert_eq!(sale.log.check(money::Money::new()).failed, 1);
}

#[test]
fn a_second_charge_is_found_and_money_then_does_not_balance() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.buy(&fan);
    sale.charge(&fan, 1000, 3000);
    let findings = sale.log.check(money::Money::new());
    assert_eq!(findings.failed, 2);
    assert!(findings.faults[1].detail.contains("money doesn't balance: charged 2,000 = sold 1,000"), "{findings:?}");
}

#[test]
fn seats_sold_without_a_charge_are_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.hold(&fan);
    sale.book(&fan);
    sale.start_payment(&fan);
    sale.sell(&fan);
    assert_eq!(sale.log.check(money::Money::new()).failed, 2, "sold unpaid, and the sums differ");
}

#[test]
fn a_cancelled_sale_without_a_refund_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.buy(&fan);
    sale.cancel(&fan);
    let findings = sale.log.check(money::Money::new());
    assert!(findings.faults[0].detail.contains("is cancelled, its payment"), "{findings:?}");
}

#[test]
fn a_refund_out_of_nowhere_or_twice_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.buy(&fan);
    sale.pay_back(&fan, 5000);
    assert_eq!(sale.log.check(money::Money::new()).failed, 1, "it isn't due");
    let mut sale = Sale::new(10);
    sale.buy(&fan);
    sale.cancel(&fan);
    sale.owe(&fan);
    sale.pay_back(&fan, 5000);
    sale.pay_back(&fan, 6000);
    assert_eq!(sale.log.check(money::Money::new()).failed, 1, "it is paid back twice");
}

#[test]
fn money_that_is_owed_or_in_doubt_still_balances() {
    let mut sale = Sale::new(10);
    let (owed, doubted) = (Fan::new(0), Fan::new(1));
    sale.buy(&owed);
    sale.cancel(&owed);
    sale.owe(&owed);
    sale.enter(&doubted);
    sale.hold(&doubted);
    sale.book(&doubted);
    sale.start_payment(&doubted);
    sale.charge(&doubted, 1000, 4000);
    let findings = sale.log.check(money::Money::new());
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.note.as_deref(), Some("charged 2,000 = sold 0 + refunded 0 + owed 1,000 + in doubt 1,000 won"));
}

/// A booking whose payment by card has begun.
fn paying_by_card(sale: &mut Sale, fan: &Fan) {
    sale.enter(fan);
    sale.hold(fan);
    sale.book(fan);
    let (payment, booking, account) = (fan.payment, fan.booking, fan.account);
    let method = Means::Card("tok_approved".parse().unwrap());
    sale.perform(P::PaymentStarted { payment, booking, account, method, amount: won(1000) });
}

fn owe_to_card(sale: &mut Sale, fan: &Fan, method: Method) {
    let (refund, payment, booking, account) = (fan.refund, fan.payment, fan.booking, fan.account);
    sale.perform(P::RefundDue { refund, payment, booking, account, method, amount: won(1000) });
}

#[test]
fn money_of_cards_balances_too() {
    let mut sale = Sale::new(10);
    let [kept, back, late, owed, doubted, failed] = [0, 1, 2, 3, 4, 5].map(Fan::new);
    for fan in [&kept, &back, &late, &owed, &doubted, &failed] {
        paying_by_card(&mut sale, fan);
    }
    for fan in [&kept, &back, &owed] {
        sale.sell(fan);
    }
    for fan in [&late, &failed] {
        sale.perform(P::PaymentFailed { payment: fan.payment, booking: fan.booking, reason: "card_declined".into() });
    }
    for fan in [&back, &owed] {
        sale.cancel(fan);
    }
    for fan in [&back, &owed, &late] {
        owe_to_card(&mut sale, fan, Method::Card);
    }
    for fan in [&back, &late] {
        sale.complete(fan);
    }
    let findings = sale.log.check(money::Money::new());
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.note.as_deref(), Some("charged 5,000 = sold 1,000 + refunded 2,000 + owed 1,000 + in doubt 1,000 won"));
}

#[test]
fn a_card_that_a_wallet_pays_for_or_is_paid_back_to_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    paying_by_card(&mut sale, &fan);
    sale.charge(&fan, 1000, 4000);
    let findings = sale.log.check(money::Money::new());
    assert!(findings.faults[0].detail.contains("(Card) is charged as 1000 won to the wallet"), "{findings:?}");
    let mut sale = Sale::new(10);
    paying_by_card(&mut sale, &fan);
    sale.sell(&fan);
    sale.cancel(&fan);
    owe_to_card(&mut sale, &fan, Method::Socketpay);
    sale.pay_back(&fan, 6000);
    let findings = sale.log.check(money::Money::new());
    assert_eq!(findings.failed, 2, "it goes another way back, and to a wallet: {findings:?}");
}

/// Merges a log with outcomes, in the order in which the real pass would.
fn merged(log: &Log, mut outcomes: Vec<commands::Outcome>) -> super::Findings {
    outcomes.sort_by_key(|outcome| outcome.position);
    let mut merge = commands::Merge::new(Timestamp::from_millis(0));
    let mut outcomes = outcomes.into_iter().peekable();
    for raw in &log.events {
        let decoded = raw.decode().unwrap();
        while let Some(outcome) = outcomes.next_if(|outcome| outcome.position < raw.position) {
            merge.outcome(&outcome);
        }
        merge.event(&Seen { raw, decoded: Ok(&decoded) });
    }
    outcomes.for_each(|outcome| merge.outcome(&outcome));
    merge.finish()
}

/// The outcome that each event's command should have.
fn outcomes(log: &Log) -> Vec<commands::Outcome> {
    let outcome = |raw: &socketing_event_store::RawEvent| commands::Outcome {
        position: raw.position,
        command_id: raw.decode().unwrap().metadata.command.0,
        command: "hold_seats".into(),
        status: 200,
        unit: Uuid::nil(),
        cause: None,
    };
    log.events.iter().map(outcome).collect()
}

#[test]
fn outcomes_that_cover_the_log_are_clean() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    let refused = commands::Outcome { command_id: Uuid::now_v7(), status: 409, position: 7, ..outcomes[0].clone() };
    outcomes.push(refused);
    let findings = merged(&log, outcomes);
    assert!(findings.is_clean() && findings.note.as_deref() == Some("1 refused"), "{findings:?}");
}

#[test]
fn an_event_without_an_outcome_is_found() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    let lost = outcomes.remove(6);
    assert_eq!(told(&merged(&log, outcomes))[0].0, lost.position);
}

#[test]
fn a_refused_command_with_events_is_found() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    outcomes[6].status = 409;
    let findings = merged(&log, outcomes);
    assert_eq!(findings.failed, 2, "it was refused but is there, and nothing accepted covers it: {findings:?}");
}

#[test]
fn an_outcome_at_another_position_than_its_events_is_found() {
    let log = whole().log;
    let mut outcomes = outcomes(&log);
    outcomes[6].position += 1;
    assert_eq!(merged(&log, outcomes).failed, 1);
}

#[test]
fn a_cause_that_has_not_happened_yet_is_found() {
    let sale = whole();
    let mut outcomes = outcomes(&sale.log);
    let refused = |sequence| commands::Outcome {
        command_id: Uuid::now_v7(),
        status: 409,
        position: 7,
        unit: sale.performance.0,
        cause: Some(("performance".into(), sequence)),
        ..outcomes[0].clone()
    };
    let (past, future) = (refused(1), refused(1000));
    outcomes.extend([past, future]);
    assert_eq!(merged(&sale.log, outcomes).failed, 1);
}

/// Two share a block that one of them holds: the first has paid, the other hasn't.
fn two_shares(all_or_none: bool) -> (Sale, Fan, Fan) {
    let mut sale = Sale::new(10);
    let (pays, forgets) = (Fan::new(3), Fan::new(4));
    sale.enter(&pays);
    sale.enter(&forgets);
    let (hold, members) = (pays.hold, vec![pays.account, forgets.account]);
    let expires_at = sale.log.now().plus_seconds(HOLD_SECONDS);
    let seats = vec![SeatIndex(3), SeatIndex(4)];
    let party = PartyId::new();
    sale.perform(P::SeatsHeld {
        hold,
        account: pays.account,
        party: Some(party),
        members,
        seats: seats.clone(),
        expires_at,
        extended: false,
    });
    sale.book(&pays);
    sale.book(&Fan { hold, ..forgets });
    let pay_by = sale.log.now().plus_seconds(PAYMENT_SECONDS);
    let (group, account, bookings) = (pays.booking, pays.account, vec![pays.booking, forgets.booking]);
    let runs = vec![Run { before: None, seats, after: None }];
    sale.perform(P::SharesOpened { group, party, account, bookings, all_or_none, pay_by, runs });
    sale.start_payment(&pays);
    sale.charge(&pays, 1000, 4000);
    sale.sell(&pays);
    sale.log.wait(i64::from(PAYMENT_SECONDS));
    (sale, pays, forgets)
}

fn expire(sale: &mut Sale, fan: &Fan, reason: Cancellation) {
    sale.perform(P::BookingCancelled { booking: fan.booking, seats: vec![SeatIndex(fan.seat)], reason });
}

#[test]
fn shares_that_fall_apart_as_agreed_are_clean() {
    let (mut sale, pays, forgets) = two_shares(false);
    let lines = |fan: &Fan, seat| vec![Line { seat: SeatIndex(seat), ..fan.lines().remove(0) }];
    let shares = vec![
        Reseated { booking: pays.booking, paid: true, lines: lines(&pays, 4) },
        Reseated { booking: forgets.booking, paid: false, lines: lines(&forgets, 3) },
    ];
    sale.perform(P::SharesReseated { group: pays.booking, shares });
    expire(&mut sale, &Fan { seat: 3, ..forgets }, Cancellation::Expired);
    for findings in [sale.log.check(seats::Seats::new()), sale.log.check(deadlines::Deadlines::new()), sale.log.check(money::Money::new())]
    {
        assert!(findings.is_clean(), "{findings:?}");
    }
    let note = sale.log.check(money::Money::new()).note.unwrap();
    assert_eq!(note, "charged 1,000 = sold 1,000 + refunded 0 + owed 0 + in doubt 0 won");
}

#[test]
fn shares_that_stand_or_fall_together_and_are_torn_are_found() {
    let (mut sale, pays, forgets) = two_shares(true);
    expire(&mut sale, &forgets, Cancellation::Expired);
    assert_eq!(sale.log.check(money::Money::new()).failed, 1, "one is sold, the other fell");
    expire(&mut sale, &pays, Cancellation::OtherShareUnpaid);
    assert_eq!(sale.log.check(money::Money::new()).failed, 2, "it is cancelled and not refunded, so money doesn't balance");
    sale.owe(&pays);
    assert!(sale.log.check(money::Money::new()).is_clean());
    assert!(sale.log.check(seats::Seats::new()).is_clean());
}

#[test]
fn a_share_that_takes_a_seat_of_others_is_found() {
    let (mut sale, pays, _) = two_shares(false);
    let lines = vec![Line { seat: SeatIndex(7), ..pays.lines().remove(0) }];
    sale.perform(P::SharesReseated { group: pays.booking, shares: vec![Reseated { booking: pays.booking, paid: true, lines }] });
    assert_eq!(sale.log.check(seats::Seats::new()).failed, 1);
}
