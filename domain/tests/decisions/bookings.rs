use crate::common::{PRICES, SYSTEM, at, curtain, fan, given, person, won};
use crate::sale::{
    booked, booked_for, booking_id, cancelled, failed, held, held_by, hold_id, lines, outside, paid, paying, refund_due, refund_id,
    released, sale, scheduled, sold, started, system, unpaid,
};
use socketing_domain::limits::BOOKINGS_PER_PERSON_MAX;
use socketing_domain::performance::{Cancellation, Command, Event, OwnedFacts, Performance, Release, SeatState};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::{BookingState, RefundReply, RefundState};
use socketing_domain::{SeatIndex, Won};

fn book(number: u128) -> Command {
    Command::Book { booking: booking_id(number), hold: hold_id(number) }
}

fn cancel() -> Command {
    Command::Cancel { booking: booking_id(1), refund: refund_id(9) }
}

#[test]
fn a_live_hold_becomes_a_booking() {
    let mine = sale([held(1, [4, 16], 0)]);
    mine.when(outside(fan(1), at(10), book(1))).then([booked(1, [4, 16], 10)]);
    mine.when(outside(fan(1), at(100), book(1))).then_refused(Reason::HoldExpired);
    mine.when(outside(fan(2), at(10), book(1))).then_refused(Reason::Forbidden);
    mine.when(outside(SYSTEM, at(10), book(1))).then_refused(Reason::Forbidden);
    mine.when(outside(fan(1), curtain(), book(1))).then_refused(Reason::PerformanceStarted);
    sale([]).when(outside(fan(1), at(10), book(1))).then_refused(Reason::UnknownHold);
    mine.and([released(1, [4, 16], Release::Expired)]).when(outside(fan(1), at(10), book(1))).then_refused(Reason::HoldExpired);
    mine.and([released(1, [4, 16], Release::Replaced)]).when(outside(fan(1), at(10), book(1))).then_refused(Reason::UnknownHold);
    given::<Performance>([]).when(outside(fan(1), at(10), book(1))).then_refused(Reason::UnknownPerformance);
    let mut without_plan = outside(fan(1), at(10), book(1));
    without_plan.facts = OwnedFacts::default();
    mine.when(without_plan).then_refused(Reason::Invalid);
}

#[test]
fn each_member_gets_a_seat_and_the_rest_are_for_who_pays() {
    let ours = |seats| sale([held_by(&[1, 2, 3], 1, seats, 0)]);
    ours([0, 1, 2, 3, 4]).when(outside(fan(1), at(10), book(1))).then([booked_for(1, [1, 2, 3, 1, 1], [0, 1, 2, 3, 4], 10)]);
    let fewer = sale([held_by(&[1, 2, 3], 1, [0, 1], 0)]);
    fewer.when(outside(fan(1), at(10), book(1))).then([booked_for(1, [1, 2], [0, 1], 10)]);
    fewer.when(outside(fan(2), at(10), book(1))).then_refused(Reason::Forbidden);
}

#[test]
fn booking_twice_is_booking_once() {
    unpaid().when(outside(fan(1), at(20), book(1))).then_nothing();
    paid().when(outside(fan(1), at(20), book(1))).then_nothing();
    let again = Command::Book { booking: booking_id(2), hold: hold_id(1) };
    unpaid().when(outside(fan(1), at(20), again)).then_refused(Reason::UnknownHold);
    let other = Command::Book { booking: booking_id(1), hold: hold_id(2) };
    unpaid().and([held(2, [5], 0)]).when(outside(fan(2), at(20), other)).then_refused(Reason::IdTaken);
}

#[test]
fn a_person_makes_so_many_bookings_and_no_more() {
    let booking = |number: u128| {
        let (hold, booking, account) = (hold_id(number), booking_id(number), person(1));
        let (lines, total, pay_by): (_, Won, _) = (lines([1], [4]), won(PRICES[0]), at(300));
        [held_by(&[1], number, [4], 0), Event::SeatsBooked { booking, hold, account, lines, total, pay_by }]
    };
    let most = u128::from(BOOKINGS_PER_PERSON_MAX);
    let often = (1000..1000 + most).flat_map(|number| booking(number).into_iter().chain([cancelled(number, [4], Cancellation::Buyer)]));
    let tired = sale(often).and([held(1, [4], 0)]);
    tired.when(outside(fan(1), at(10), book(1))).then_refused(Reason::SeatLimit);
}

#[test]
fn an_unpaid_booking_is_cancelled_by_its_buyer() {
    unpaid().when(outside(fan(1), at(20), cancel())).then([cancelled(1, [4], Cancellation::Buyer)]);
    unpaid().when(outside(fan(2), at(20), cancel())).then_refused(Reason::Forbidden);
    unpaid().when(outside(SYSTEM, at(20), cancel())).then_refused(Reason::Forbidden);
    unpaid().when(outside(fan(1), at(310), cancel())).then_refused(Reason::BookingExpired);
    sale([]).when(outside(fan(1), at(20), cancel())).then_refused(Reason::UnknownBooking);
    let once = unpaid().and([cancelled(1, [4], Cancellation::Buyer)]);
    once.when(outside(fan(1), at(20), cancel())).then_nothing();
    let expired = unpaid().and([cancelled(1, [4], Cancellation::Expired)]);
    expired.when(outside(fan(1), at(400), cancel())).then_refused(Reason::BookingExpired);
    let after_a_failure = paying().and([failed(1, 1)]);
    after_a_failure.when(outside(fan(1), at(20), cancel())).then([cancelled(1, [4], Cancellation::Buyer)]);
}

#[test]
fn a_paid_booking_is_refunded_once() {
    paid().when(outside(fan(1), at(20), cancel())).then([cancelled(1, [4], Cancellation::Buyer), refund_due(9, 1, 1)]);
    let owed = paid().and([cancelled(1, [4], Cancellation::Buyer), refund_due(9, 1, 1)]);
    owed.when(outside(fan(1), at(20), cancel())).then_nothing();
    let other_id = Command::Cancel { booking: booking_id(1), refund: refund_id(8) };
    owed.when(outside(fan(1), at(20), other_id)).then_nothing();
    paid().when(outside(fan(1), curtain(), cancel())).then_refused(Reason::PerformanceStarted);
    paid().when(outside(fan(2), at(20), cancel())).then_refused(Reason::Forbidden);
}

#[test]
fn a_refunds_id_is_used_once() {
    let late = paying().and([failed(1, 1), refund_due(9, 1, 1), started(2, 1), sold(2, 1, [4])]);
    late.when(outside(fan(1), at(20), cancel())).then_refused(Reason::IdTaken);
}

#[test]
fn a_booking_isnt_cancelled_while_its_payment_is_in_flight() {
    paying().when(outside(fan(1), at(20), cancel())).then_refused(Reason::PaymentInProgress);
    paying().when(outside(fan(1), at(999), cancel())).then_refused(Reason::PaymentInProgress);
}

#[test]
fn a_refund_is_completed_once() {
    let complete = || Command::CompleteRefund { refund: refund_id(9) };
    let completed = Event::RefundCompleted { refund: refund_id(9), booking: booking_id(1), amount: won(PRICES[0]) };
    let owed = paid().and([cancelled(1, [4], Cancellation::Buyer), refund_due(9, 1, 1)]);
    owed.when(system(at(30), complete())).then([completed.clone()]);
    owed.and([completed]).when(system(at(30), complete())).then_nothing();
    owed.when(outside(fan(1), at(30), complete())).then_refused(Reason::Forbidden);
    paid().when(system(at(30), complete())).then_refused(Reason::UnknownRefund);
}

#[test]
fn a_cancelled_seat_is_free_again() {
    let owed = paid().and([cancelled(1, [4], Cancellation::Buyer), refund_due(9, 1, 1)]);
    owed.when(crate::sale::inside(&[2], at(30), crate::sale::hold(2, [4]))).then([held(2, [4], 30)]);
    owed.when(crate::sale::inside(&[1], at(30), crate::sale::hold(11, [4, 5]))).then([held_by(&[1], 11, [4, 5], 30)]);
}

#[test]
fn a_booking_and_its_seats_show_how_they_stand() {
    let mut performance = Performance::default();
    let mut shown = |event: Event| {
        performance.evolve(&event);
        let seat = performance.seat(SeatIndex(4)).unwrap();
        assert_eq!(performance.seats().filter(|state| *state != SeatState::Free).count(), usize::from(seat != SeatState::Free));
        (seat, performance.booking_reply(booking_id(1)).map(|booking| (booking.state, booking.refund)))
    };
    let refund = |state| Some(RefundReply { refund_id: refund_id(9), state, amount: won(PRICES[0]) });
    assert_eq!(shown(scheduled()), (SeatState::Free, None));
    assert_eq!(shown(held(1, [4], 0)), (SeatState::Held, None));
    assert_eq!(shown(booked(1, [4], 10)), (SeatState::Booked, Some((BookingState::Unpaid, None))));
    assert_eq!(shown(started(1, 1)), (SeatState::Booked, Some((BookingState::Paying, None))));
    assert_eq!(shown(failed(1, 1)), (SeatState::Booked, Some((BookingState::Unpaid, None))));
    assert_eq!(shown(started(2, 1)), (SeatState::Booked, Some((BookingState::Paying, None))));
    assert_eq!(shown(sold(2, 1, [4])), (SeatState::Sold, Some((BookingState::Paid, None))));
    assert_eq!(shown(cancelled(1, [4], Cancellation::Buyer)), (SeatState::Free, Some((BookingState::Cancelled, None))));
    assert_eq!(shown(refund_due(9, 2, 1)), (SeatState::Free, Some((BookingState::Cancelled, refund(RefundState::Due)))));
    let completed = Event::RefundCompleted { refund: refund_id(9), booking: booking_id(1), amount: won(PRICES[0]) };
    assert_eq!(shown(completed), (SeatState::Free, Some((BookingState::Cancelled, refund(RefundState::Completed)))));
    assert_eq!(performance.seat(SeatIndex(24)), None);
}

#[test]
#[should_panic(expected = "is refunded though it is Refunded")]
fn a_payment_refunded_twice_is_not_believed() {
    let mut performance = Performance::default();
    let past = [scheduled(), held(1, [4], 0), booked(1, [4], 10), started(1, 1), failed(1, 1), refund_due(9, 1, 1), refund_due(8, 1, 1)];
    past.iter().for_each(|event| performance.evolve(event));
}
