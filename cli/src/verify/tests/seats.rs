//! Who has which seat, and until when.

use super::*;

#[test]
fn a_seat_with_two_holds_is_found() {
    let mut sale = Sale::new(10);
    let (first, second) = (Fan::new(3), Fan::new(3));
    sale.enter(&first);
    sale.enter(&second);
    sale.hold(&first);
    sale.hold(&second);
    let at = sale.position();
    let findings = sale.log.check(Seats::new());
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
    assert_eq!(sale.log.check(Seats::new()).failed, 2, "no such booking, and the seat is free");
}

#[test]
fn a_booking_of_other_seats_than_were_held_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(3);
    sale.enter(&fan);
    sale.hold(&fan);
    sale.book(&Fan { seat: 4, ..fan });
    assert_eq!(sale.log.check(Seats::new()).failed, 2, "another seat, and it wasn't held");
}

#[test]
fn a_seat_the_plan_does_not_have_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(10);
    sale.enter(&fan);
    sale.hold(&fan);
    assert_eq!(sale.log.check(Seats::new()).failed, 1);
}

#[test]
fn a_hold_that_outlives_its_deadline_is_found_while_the_log_goes_on() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.hold(&fan);
    let held_at = sale.position();
    sale.log.wait(3600);
    assert!(sale.log.check(Deadlines::new()).is_clean(), "nobody was there to release it");
    for seat in 1..40 {
        sale.enter(&Fan::new(seat));
    }
    let findings = sale.log.check(Deadlines::new());
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
        assert_eq!(sale.log.check(Deadlines::new()).failed, faults, "{late} s late");
    }
}

#[test]
fn a_payment_in_flight_stops_the_clock() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.check_out(&fan);
    for seat in 1..80 {
        sale.enter(&Fan::new(seat));
        sale.log.wait(3);
    }
    assert!(sale.log.check(Deadlines::new()).is_clean());
    let Fan { payment, booking, .. } = fan;
    sale.perform(P::PaymentFailed { payment, booking, reason: "insufficient_funds".into() });
    assert!(sale.log.check(Deadlines::new()).is_clean(), "its time only begins to run again");
    for seat in 1..40 {
        sale.enter(&Fan::new(seat));
    }
    assert_eq!(sale.log.check(Deadlines::new()).failed, 1);
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
    assert_eq!(sale.log.check(Deadlines::new()).failed, 1);
}
