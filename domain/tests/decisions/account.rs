use crate::common::{SYSTEM, ask, at, fan, given, person};
use socketing_domain::account::{Account, Command, Event, Role};
use socketing_domain::refusal::Reason;

fn opened() -> Event {
    Event::AccountOpened { account: person(1), at: at(0) }
}

fn open() -> Command {
    Command::OpenAccount { account: person(1) }
}

#[test]
fn an_account_is_opened_by_the_system_once() {
    given::<Account>([]).when(ask(SYSTEM, at(0), open())).then([opened()]);
    given::<Account>([opened()]).when(ask(SYSTEM, at(5), open())).then_nothing();
    given::<Account>([]).when(ask(fan(1), at(0), open())).then_refused(Reason::Forbidden);
    let other = Command::OpenAccount { account: person(2) };
    given::<Account>([opened()]).when(ask(SYSTEM, at(0), other)).then_invalid("/account");
}

#[test]
fn a_role_is_granted_once_and_can_be_granted_back() {
    let grant = |role| ask(fan(9), at(1), Command::GrantRole { role });
    let granted = |role| Event::RoleGranted { account: person(1), role };
    given::<Account>([]).when(grant(Role::Operator)).then_refused(Reason::UnknownAccount);
    given::<Account>([opened()]).when(grant(Role::Fan)).then_nothing();
    given::<Account>([opened()]).when(grant(Role::Organiser)).then([granted(Role::Organiser)]);
    let organiser = given::<Account>([opened(), granted(Role::Organiser)]);
    organiser.when(grant(Role::Organiser)).then_nothing();
    organiser.when(grant(Role::Fan)).then([granted(Role::Fan)]);
}

#[test]
fn an_account_knows_its_role() {
    let mut account = Account::new(person(1));
    assert_eq!((account.role(), account.sequence()), (None, 0));
    account.evolve(&opened());
    assert_eq!((account.role(), account.sequence()), (Some(Role::Fan), 1));
    account.evolve(&Event::RoleGranted { account: person(1), role: Role::Operator });
    assert_eq!((account.role(), account.sequence()), (Some(Role::Operator), 2));
}

#[test]
#[should_panic(expected = "is opened twice")]
fn a_broken_log_is_not_believed() {
    let mut account = Account::new(person(1));
    account.evolve(&opened());
    account.evolve(&opened());
}
