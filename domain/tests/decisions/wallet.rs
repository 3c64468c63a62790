use crate::common::{SYSTEM, ask, at, fan, given, id, performance, person, won};
use socketing_domain::refusal::Reason;
use socketing_domain::wallet::{Command, Event, Wallet};

fn opened() -> Event {
    Event::WalletOpened { account: person(1), balance: won(500_000) }
}

fn charge(payment: u128, amount: i64) -> Command {
    Command::Charge { payment: id(payment), performance: performance(), booking: id(payment + 50), amount: won(amount) }
}

fn charged(payment: u128, amount: i64, balance: i64) -> Event {
    let (amount, balance) = (won(amount), won(balance));
    Event::WalletCharged { payment: id(payment), performance: performance(), booking: id(payment + 50), amount, balance }
}

fn refund(refund: u128, payment: u128, amount: i64) -> Command {
    Command::Refund { refund: id(refund), payment: id(payment), amount: won(amount) }
}

fn refunded(refund: u128, payment: u128, amount: i64, balance: i64) -> Event {
    Event::WalletRefunded { refund: id(refund), payment: id(payment), amount: won(amount), balance: won(balance) }
}

#[test]
fn a_wallet_is_opened_by_the_system_with_half_a_million_once() {
    let open = || Command::OpenWallet { account: person(1) };
    given::<Wallet>([]).when(ask(SYSTEM, at(0), open())).then([opened()]);
    given::<Wallet>([opened()]).when(ask(SYSTEM, at(0), open())).then_nothing();
    given::<Wallet>([opened(), charged(60, 1, 499_999)]).when(ask(SYSTEM, at(0), open())).then_nothing();
    given::<Wallet>([]).when(ask(fan(1), at(0), open())).then_refused(Reason::Forbidden);
    let other = Command::OpenWallet { account: person(2) };
    given::<Wallet>([opened()]).when(ask(SYSTEM, at(0), other)).then_invalid("/account");
}

#[test]
fn a_payment_is_taken_once_and_never_more_than_there_is() {
    let wallet = given::<Wallet>([opened()]);
    wallet.when(ask(SYSTEM, at(1), charge(60, 110_000))).then([charged(60, 110_000, 390_000)]);
    wallet.when(ask(SYSTEM, at(1), charge(60, 500_000))).then([charged(60, 500_000, 0)]);
    wallet.when(ask(SYSTEM, at(1), charge(60, 500_001))).then_refused(Reason::InsufficientFunds);
    wallet.when(ask(SYSTEM, at(1), charge(60, 0))).then_invalid("/amount");
    wallet.when(ask(fan(1), at(1), charge(60, 1))).then_refused(Reason::Forbidden);
    given::<Wallet>([]).when(ask(SYSTEM, at(1), charge(60, 1))).then_refused(Reason::UnknownAccount);
    let after = wallet.and([charged(60, 300_000, 200_000)]);
    after.when(ask(SYSTEM, at(2), charge(60, 300_000))).then_nothing();
    after.when(ask(SYSTEM, at(2), charge(60, 300_001))).then_refused(Reason::IdTaken);
    after.when(ask(SYSTEM, at(2), charge(61, 200_001))).then_refused(Reason::InsufficientFunds);
    after.when(ask(SYSTEM, at(2), charge(61, 200_000))).then([charged(61, 200_000, 0)]);
}

#[test]
fn a_refund_is_made_once_and_never_more_than_was_paid() {
    let wallet = given::<Wallet>([opened(), charged(60, 300_000, 200_000)]);
    wallet.when(ask(SYSTEM, at(2), refund(80, 60, 300_000))).then([refunded(80, 60, 300_000, 500_000)]);
    wallet.when(ask(SYSTEM, at(2), refund(80, 60, 300_001))).then_invalid("/amount");
    wallet.when(ask(SYSTEM, at(2), refund(80, 60, 0))).then_invalid("/amount");
    wallet.when(ask(SYSTEM, at(2), refund(80, 61, 1))).then_refused(Reason::UnknownPayment);
    wallet.when(ask(fan(1), at(2), refund(80, 60, 1))).then_refused(Reason::Forbidden);
    given::<Wallet>([]).when(ask(SYSTEM, at(2), refund(80, 60, 1))).then_refused(Reason::UnknownAccount);
    let after = wallet.and([refunded(80, 60, 100_000, 300_000)]);
    after.when(ask(SYSTEM, at(3), refund(80, 60, 100_000))).then_nothing();
    after.when(ask(SYSTEM, at(3), refund(80, 60, 100_001))).then_refused(Reason::IdTaken);
    after.when(ask(SYSTEM, at(3), refund(81, 60, 200_001))).then_invalid("/amount");
    after.when(ask(SYSTEM, at(3), refund(81, 60, 200_000))).then([refunded(81, 60, 200_000, 500_000)]);
}

#[test]
fn a_wallet_knows_its_balance() {
    let mut wallet = Wallet::new(person(1));
    assert_eq!(wallet.balance(), None);
    for event in [opened(), charged(60, 300_000, 200_000), refunded(80, 60, 100_000, 300_000)] {
        wallet.evolve(&event);
    }
    assert_eq!((wallet.balance(), wallet.sequence()), (Some(won(300_000)), 3));
    assert!(wallet.charged(id(60)) && !wallet.charged(id(61)));
}

#[test]
#[should_panic(expected = "leaves another balance")]
fn a_balance_that_doesnt_add_up_is_not_believed() {
    let mut wallet = Wallet::new(person(1));
    wallet.evolve(&opened());
    wallet.evolve(&charged(60, 300_000, 200_001));
}
