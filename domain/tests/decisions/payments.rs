use crate::common::{SYSTEM, at, curtain, fan, given};
use crate::sale::{
    booking_id, cancelled, failed, held, hold, inside, outside, paid, paying, payment_id, refund_due, refund_id, sale, sold, started,
    system, unpaid,
};
use socketing_domain::limits::PAYMENTS_PER_BOOKING_MAX;
use socketing_domain::performance::{Cancellation, Command, Event, Means, Method, Performance};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::PaymentState;

fn pay(payment: u128) -> Command {
    Command::Pay { payment: payment_id(payment), booking: booking_id(1), method: Means::Socketpay }
}

fn confirm(payment: u128) -> Command {
    Command::ConfirmPayment { payment: payment_id(payment), refund: refund_id(9) }
}

fn fail(payment: u128) -> Command {
    Command::FailPayment { payment: payment_id(payment), reason: "insufficient_funds".to_owned() }
}

#[test]
fn a_booking_is_paid_by_its_buyer_in_time() {
    unpaid().when(outside(fan(1), at(309), pay(1))).then([started(1, 1)]);
    unpaid().when(outside(fan(1), at(310), pay(1))).then_refused(Reason::BookingExpired);
    unpaid().when(outside(fan(2), at(20), pay(1))).then_refused(Reason::Forbidden);
    unpaid().when(outside(SYSTEM, at(20), pay(1))).then_refused(Reason::Forbidden);
    unpaid().when(outside(fan(1), curtain(), pay(1))).then_refused(Reason::BookingExpired);
    sale([]).when(outside(fan(1), at(20), pay(1))).then_refused(Reason::UnknownBooking);
    given::<Performance>([]).when(outside(fan(1), at(20), pay(1))).then_refused(Reason::UnknownBooking);
    let expired = unpaid().and([cancelled(1, [4], Cancellation::Expired)]);
    expired.when(outside(fan(1), at(400), pay(1))).then_refused(Reason::BookingExpired);
    let given_up = unpaid().and([cancelled(1, [4], Cancellation::Buyer)]);
    given_up.when(outside(fan(1), at(20), pay(1))).then_refused(Reason::BookingCancelled);
}

#[test]
fn a_booking_isnt_paid_after_the_performance_began() {
    let late = curtain().as_millis() / 1000 - at(0).as_millis() / 1000 - 100;
    let at_the_door = sale([held(1, [4], late - 50)]).and([crate::sale::booked(1, [4], late)]);
    at_the_door.when(outside(fan(1), at(late + 99), pay(1))).then([started(1, 1)]);
    at_the_door.when(outside(fan(1), curtain(), pay(1))).then_refused(Reason::PerformanceStarted);
    let in_flight = at_the_door.and([started(1, 1)]);
    in_flight.when(system(curtain(), confirm(1))).then([sold(1, 1, [4])]);
}

#[test]
fn paying_twice_is_paying_once() {
    for payment in [1, 2] {
        paying().when(outside(fan(1), at(30), pay(payment))).then_nothing();
        paying().when(outside(fan(1), at(999), pay(payment))).then_nothing();
        paid().when(outside(fan(1), at(30), pay(payment))).then_nothing();
    }
    let two = paid().and([held(2, [5], 20), crate::sale::booked(2, [5], 21)]);
    let other = Command::Pay { payment: payment_id(1), booking: booking_id(2), method: Means::Socketpay };
    two.when(outside(fan(2), at(30), other)).then_refused(Reason::IdTaken);
}

#[test]
fn after_a_failure_another_payment_is_tried_in_time() {
    let once = paying().and([failed(1, 1)]);
    once.when(outside(fan(1), at(309), pay(2))).then([started(2, 1)]);
    once.when(outside(fan(1), at(310), pay(2))).then_refused(Reason::BookingExpired);
    once.when(outside(fan(1), at(309), pay(1))).then_nothing();
    let often = (2..=PAYMENTS_PER_BOOKING_MAX as u128).flat_map(|payment| [started(payment, 1), failed(payment, 1)]);
    once.and(often).when(outside(fan(1), at(309), pay(99))).then_refused(Reason::Invalid);
}

#[test]
fn a_payment_that_was_taken_sells_the_seats_once() {
    paying().when(system(at(30), confirm(1))).then([sold(1, 1, [4])]);
    paying().when(system(at(999), confirm(1))).then([sold(1, 1, [4])]);
    paid().when(system(at(40), confirm(1))).then_nothing();
    paying().when(outside(fan(1), at(30), confirm(1))).then_refused(Reason::Forbidden);
    unpaid().when(system(at(30), confirm(1))).then_refused(Reason::UnknownPayment);
}

#[test]
fn a_payment_that_was_taken_too_late_is_refunded_once() {
    let pasts = [
        vec![failed(1, 1)],
        vec![failed(1, 1), cancelled(1, [4], Cancellation::Expired)],
        vec![failed(1, 1), cancelled(1, [4], Cancellation::Buyer)],
        vec![failed(1, 1), started(2, 1)],
        vec![failed(1, 1), started(2, 1), sold(2, 1, [4])],
    ];
    for past in pasts {
        let late = paying().and(past);
        late.when(system(at(999), confirm(1))).then([refund_due(9, 1, 1)]);
        let owed = late.and([refund_due(9, 1, 1)]);
        owed.when(system(at(999), confirm(1))).then_nothing();
        owed.when(system(at(999), fail(1))).then_refused(Reason::BookingPaid);
    }
    let both_late = paying().and([failed(1, 1), started(2, 1), failed(2, 1), refund_due(9, 1, 1)]);
    both_late.when(system(at(999), confirm(2))).then_refused(Reason::IdTaken);
}

#[test]
fn a_card_is_charged_by_its_token_and_its_money_goes_back_to_it() {
    let card = Means::Card("tok_approved".parse().unwrap());
    let pay = |payment| Command::Pay { payment: payment_id(payment), booking: booking_id(1), method: card.clone() };
    let by_card = |event: Event| match event {
        Event::PaymentStarted { payment, booking, account, amount, .. } => {
            Event::PaymentStarted { payment, booking, account, method: card.clone(), amount }
        }
        Event::RefundDue { refund, payment, booking, account, amount, .. } => {
            Event::RefundDue { refund, payment, booking, account, method: Method::Card, amount }
        }
        other => other,
    };
    unpaid().when(outside(fan(1), at(20), pay(1))).then([by_card(started(1, 1))]);
    let paying = unpaid().and([by_card(started(1, 1))]);
    paying.when(system(at(30), confirm(1))).then([sold(1, 1, [4])]);
    // Cancelled, or taken too late: both ways, it goes back to the card.
    let cancel = Command::Cancel { booking: booking_id(1), refund: refund_id(9) };
    let paid = paying.and([sold(1, 1, [4])]);
    paid.when(outside(fan(1), at(40), cancel)).then([cancelled(1, [4], Cancellation::Buyer), by_card(refund_due(9, 1, 1))]);
    let tried_again = paying.and([failed(1, 1), started(2, 1), sold(2, 1, [4])]);
    tried_again.when(system(at(999), confirm(1))).then([by_card(refund_due(9, 1, 1))]);
}

#[test]
fn a_payment_fails_once() {
    paying().when(system(at(30), fail(1))).then([failed(1, 1)]);
    paying().and([failed(1, 1)]).when(system(at(30), fail(1))).then_nothing();
    paid().when(system(at(30), fail(1))).then_refused(Reason::BookingPaid);
    unpaid().when(system(at(30), fail(1))).then_refused(Reason::UnknownPayment);
    paying().when(outside(fan(1), at(30), fail(1))).then_refused(Reason::Forbidden);
    for reason in [String::new(), "x".repeat(101)] {
        paying().when(system(at(30), Command::FailPayment { payment: payment_id(1), reason })).then_invalid("/reason");
    }
}

#[test]
fn a_seat_goes_on_when_its_payment_fails_past_its_time() {
    let late = paying().and([failed(1, 1)]);
    late.when(inside(&[2], at(310), hold(2, [4]))).then([cancelled(1, [4], Cancellation::Expired), held(2, [4], 310)]);
}

#[test]
fn a_payment_shows_how_it_stands() {
    let state = |past: Vec<Event>, asked: u128| {
        let mut performance = Performance::default();
        let before = [crate::sale::scheduled(), held(1, [4], 0), crate::sale::booked(1, [4], 10)];
        before.iter().chain(&past).for_each(|event| performance.evolve(event));
        performance.payment_of(payment_id(asked), booking_id(1)).map(|reply| (reply.payment_id, reply.state, reply.reason))
    };
    let shown = |payment, state, reason: Option<&str>| Some((payment_id(payment), state, reason.map(str::to_owned)));
    assert_eq!(state(vec![], 1), None);
    assert_eq!(state(vec![started(1, 1)], 1), shown(1, PaymentState::InFlight, None));
    assert_eq!(state(vec![started(1, 1)], 2), shown(1, PaymentState::InFlight, None), "the one in flight answers for another");
    assert_eq!(state(vec![started(1, 1), sold(1, 1, [4])], 2), shown(1, PaymentState::Succeeded, None));
    assert_eq!(state(vec![started(1, 1), failed(1, 1)], 1), shown(1, PaymentState::Failed, Some("insufficient_funds")));
    assert_eq!(state(vec![started(1, 1), failed(1, 1)], 2), None);
    let twice = vec![started(1, 1), failed(1, 1), started(2, 1)];
    assert_eq!(state(twice.clone(), 1), shown(1, PaymentState::Failed, Some("insufficient_funds")));
    assert_eq!(state(twice.clone(), 2), shown(2, PaymentState::InFlight, None));
    let late = [twice, vec![refund_due(9, 1, 1)]].concat();
    assert_eq!(state(late, 1), shown(1, PaymentState::Succeeded, None));
}
