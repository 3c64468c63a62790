//! A block of seats that several pay for.

use super::*;

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
    for findings in [sale.log.check(Seats::new()), sale.log.check(Deadlines::new()), sale.log.check(Money::new())] {
        assert!(findings.is_clean(), "{findings:?}");
    }
    let note = sale.log.check(Money::new()).note.unwrap();
    assert_eq!(note, "charged 1,000 = sold 1,000 + refunded 0 + owed 0 + in doubt 0 won");
}

#[test]
fn shares_that_stand_or_fall_together_and_are_torn_are_found() {
    let (mut sale, pays, forgets) = two_shares(true);
    expire(&mut sale, &forgets, Cancellation::Expired);
    assert_eq!(sale.log.check(Money::new()).failed, 1, "one is sold, the other fell");
    expire(&mut sale, &pays, Cancellation::OtherShareUnpaid);
    assert_eq!(sale.log.check(Money::new()).failed, 2, "it is cancelled and not refunded, so money doesn't balance");
    sale.owe(&pays);
    assert!(sale.log.check(Money::new()).is_clean());
    assert!(sale.log.check(Seats::new()).is_clean());
}

#[test]
fn a_share_that_takes_a_seat_of_others_is_found() {
    let (mut sale, pays, _) = two_shares(false);
    let lines = vec![Line { seat: SeatIndex(7), ..pays.lines().remove(0) }];
    sale.perform(P::SharesReseated { group: pays.booking, shares: vec![Reseated { booking: pays.booking, paid: true, lines }] });
    assert_eq!(sale.log.check(Seats::new()).failed, 1);
}
