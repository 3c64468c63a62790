//! Whose money is where.

use super::*;

#[test]
fn a_wallet_that_miscounts_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.check_out(&fan);
    sale.charge(&fan, 1000, 4500);
    assert!(sale.log.check(Money::new()).faults[0].detail.contains("goes from 5000 won to 4500 won by a charge of 1000 won"));
}

#[test]
fn a_charge_for_nothing_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.enter(&fan);
    sale.charge(&fan, 1000, 4000);
    assert_eq!(sale.log.check(Money::new()).failed, 1);
}

#[test]
fn a_second_charge_is_found_and_money_then_does_not_balance() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.buy(&fan);
    sale.charge(&fan, 1000, 3000);
    let findings = sale.log.check(Money::new());
    assert_eq!(findings.failed, 2);
    assert!(findings.faults[1].detail.contains("money doesn't balance: charged 2,000 = sold 1,000"), "{findings:?}");
}

#[test]
fn seats_sold_without_a_charge_are_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.check_out(&fan);
    sale.sell(&fan);
    assert_eq!(sale.log.check(Money::new()).failed, 2, "sold unpaid, and the sums differ");
}

#[test]
fn a_cancelled_sale_without_a_refund_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.buy(&fan);
    sale.cancel(&fan);
    let findings = sale.log.check(Money::new());
    assert!(findings.faults[0].detail.contains("is cancelled, its payment"), "{findings:?}");
}

#[test]
fn a_refund_out_of_nowhere_or_twice_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.buy(&fan);
    sale.pay_back(&fan, 5000);
    assert_eq!(sale.log.check(Money::new()).failed, 1, "it isn't due");
    let mut sale = Sale::new(10);
    sale.buy(&fan);
    sale.cancel(&fan);
    sale.owe(&fan);
    sale.pay_back(&fan, 5000);
    sale.pay_back(&fan, 6000);
    assert_eq!(sale.log.check(Money::new()).failed, 1, "it is paid back twice");
}

#[test]
fn money_that_is_owed_or_in_doubt_still_balances() {
    let mut sale = Sale::new(10);
    let (owed, doubted) = (Fan::new(0), Fan::new(1));
    sale.buy(&owed);
    sale.cancel(&owed);
    sale.owe(&owed);
    sale.check_out(&doubted);
    sale.charge(&doubted, 1000, 4000);
    let findings = sale.log.check(Money::new());
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
    let findings = sale.log.check(Money::new());
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.note.as_deref(), Some("charged 5,000 = sold 1,000 + refunded 2,000 + owed 1,000 + in doubt 1,000 won"));
}

#[test]
fn a_card_that_a_wallet_pays_for_or_is_paid_back_to_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    paying_by_card(&mut sale, &fan);
    sale.charge(&fan, 1000, 4000);
    let findings = sale.log.check(Money::new());
    assert!(findings.faults[0].detail.contains("(Card) is charged as 1000 won to the wallet"), "{findings:?}");
    let mut sale = Sale::new(10);
    paying_by_card(&mut sale, &fan);
    sale.sell(&fan);
    sale.cancel(&fan);
    owe_to_card(&mut sale, &fan, Method::Socketpay);
    sale.pay_back(&fan, 6000);
    let findings = sale.log.check(Money::new());
    assert_eq!(findings.failed, 2, "it goes another way back, and to a wallet: {findings:?}");
}
