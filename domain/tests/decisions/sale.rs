//! A performance on sale, for the tests of holds, bookings and payments. A thing's number is that of its person, unless
//! said otherwise.

use crate::common::{Given, PRICES, SYSTEM, at, curtain, fan, given, id, opening, person, plan, price, seats, show, won};
use socketing_domain::event::{Actor, Ask};
use socketing_domain::performance::{Cancellation, Command, Event, Line, Means, Method, OwnedFacts, Performance, Release};
use socketing_domain::plan::PlanHash;
use socketing_domain::{BookingId, HoldId, PaymentId, RefundId, Timestamp};

pub(crate) type Question = Ask<Command, OwnedFacts>;

pub(crate) fn hold_id(number: u128) -> HoldId {
    id(200 + number)
}

pub(crate) fn booking_id(number: u128) -> BookingId {
    id(300 + number)
}

pub(crate) fn payment_id(number: u128) -> PaymentId {
    id(400 + number)
}

pub(crate) fn refund_id(number: u128) -> RefundId {
    id(500 + number)
}

pub(crate) fn scheduled() -> Event {
    Event::PerformanceScheduled {
        show: show(),
        plan: PlanHash([7; 32]),
        seats: 24,
        starts_at: curtain(),
        sale_opens_at: opening(),
        prices: vec![price("R", PRICES[0]), price("S", PRICES[1]), price("unused", PRICES[2])],
        seats_per_person: 2,
        hold_seconds: 100,
        payment_seconds: 300,
        no_orphans: false,
        adjacency: Default::default(),
    }
}

/// A performance on sale, with more that happened.
pub(crate) fn sale(past: impl IntoIterator<Item = Event>) -> Given<Performance> {
    given([scheduled()].into_iter().chain(past))
}

/// Asks as someone who isn't inside.
pub(crate) fn outside(actor: Actor, now: Timestamp, command: Command) -> Question {
    Ask { command, actor, now, facts: OwnedFacts { plan: Some(plan()), admission: None, agreement: None } }
}

/// Asks as the first of these people, who are inside together.
pub(crate) fn inside(people: &[u128], now: Timestamp, command: Command) -> Question {
    let party = (people.len() > 1).then(|| id(7));
    let members = people.iter().map(|number| person(*number)).collect();
    Ask {
        facts: OwnedFacts { plan: Some(plan()), admission: Some((party, members)), agreement: None },
        ..outside(fan(people[0]), now, command)
    }
}

pub(crate) fn system(now: Timestamp, command: Command) -> Question {
    outside(SYSTEM, now, command)
}

pub(crate) fn hold<const N: usize>(number: u128, numbers: [u32; N]) -> Command {
    Command::HoldSeats { hold: hold_id(number), seats: seats(numbers) }
}

pub(crate) fn held_by<const N: usize>(people: &[u128], number: u128, numbers: [u32; N], since: i64) -> Event {
    Event::SeatsHeld {
        hold: hold_id(number),
        account: person(people[0]),
        party: (people.len() > 1).then(|| id(7)),
        members: people.iter().map(|number| person(*number)).collect(),
        seats: seats(numbers),
        expires_at: at(since + 100),
        extended: false,
    }
}

pub(crate) fn held<const N: usize>(number: u128, numbers: [u32; N], since: i64) -> Event {
    held_by(&[number], number, numbers, since)
}

pub(crate) fn released<const N: usize>(number: u128, numbers: [u32; N], reason: Release) -> Event {
    Event::HoldReleased { hold: hold_id(number), seats: seats(numbers), reason }
}

/// A line for each seat, whose holder is the person at the same place; seats 16 to 23 are the cheaper ones.
pub(crate) fn lines<const N: usize>(holders: [u128; N], numbers: [u32; N]) -> Vec<Line> {
    let price = |seat| won(PRICES[usize::from(seat >= 16)]);
    let line = |(holder, seat)| Line { seat: socketing_domain::SeatIndex(seat), price: price(seat), holder: person(holder) };
    holders.into_iter().zip(numbers).map(line).collect()
}

pub(crate) fn booked_for<const N: usize>(number: u128, holders: [u128; N], numbers: [u32; N], since: i64) -> Event {
    let lines = lines(holders, numbers);
    let total = lines.iter().map(|line| line.price).sum();
    Event::SeatsBooked {
        booking: booking_id(number),
        hold: hold_id(number),
        account: person(number),
        lines,
        total,
        pay_by: at(since + 300),
    }
}

pub(crate) fn booked<const N: usize>(number: u128, numbers: [u32; N], since: i64) -> Event {
    booked_for(number, [number; N], numbers, since)
}

/// Payment `payment` of the booking with this number, of one seat of the first category.
pub(crate) fn started(payment: u128, number: u128) -> Event {
    Event::PaymentStarted {
        payment: payment_id(payment),
        booking: booking_id(number),
        account: person(number),
        method: Means::Socketpay,
        amount: won(PRICES[0]),
    }
}

pub(crate) fn failed(payment: u128, number: u128) -> Event {
    Event::PaymentFailed { payment: payment_id(payment), booking: booking_id(number), reason: "insufficient_funds".to_owned() }
}

pub(crate) fn sold<const N: usize>(payment: u128, number: u128, numbers: [u32; N]) -> Event {
    let lines = lines([number; N], numbers);
    let amount = lines.iter().map(|line| line.price).sum();
    Event::SeatsSold { booking: booking_id(number), payment: payment_id(payment), account: person(number), lines, amount }
}

pub(crate) fn cancelled<const N: usize>(number: u128, numbers: [u32; N], reason: Cancellation) -> Event {
    Event::BookingCancelled { booking: booking_id(number), seats: seats(numbers), reason }
}

pub(crate) fn refund_due(refund: u128, payment: u128, number: u128) -> Event {
    Event::RefundDue {
        refund: refund_id(refund),
        payment: payment_id(payment),
        booking: booking_id(number),
        account: person(number),
        method: Method::Socketpay,
        amount: won(PRICES[0]),
    }
}

/// Seat 4 was held at second 0 and booked at second 10 by person 1: to be paid by second 310.
pub(crate) fn unpaid() -> Given<Performance> {
    sale([held(1, [4], 0), booked(1, [4], 10)])
}

/// The same, with payment 1 in flight.
pub(crate) fn paying() -> Given<Performance> {
    unpaid().and([started(1, 1)])
}

/// The same, paid.
pub(crate) fn paid() -> Given<Performance> {
    paying().and([sold(1, 1, [4])])
}
