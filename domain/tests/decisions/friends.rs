use crate::common::{SYSTEM, ask, at, fan, given, person};
use proptest::prelude::*;
use socketing_domain::account::{Account, Command, Event, Friendship, Word};
use socketing_domain::limits::{FRIEND_WORDS_PER_DAY_MAX, FRIENDS_MAX};
use socketing_domain::refusal::Reason;
use socketing_domain::{AccountId, Timestamp};

/// Seconds of a day.
const DAY: i64 = 86_400;

fn opened(number: u128) -> Event {
    Event::AccountOpened { account: person(number), at: at(0) }
}

fn requested(friend: u128, when: Timestamp) -> Event {
    Event::FriendRequested { friend: person(friend), at: when }
}

fn dismissed(friend: u128, when: Timestamp) -> Event {
    Event::FriendDismissed { friend: person(friend), at: when }
}

fn request(friend: u128) -> Command {
    Command::RequestFriend { friend: person(friend) }
}

fn dismiss(friend: u128) -> Command {
    Command::DismissFriend { friend: person(friend) }
}

#[test]
fn asking_again_is_the_same_request_for_a_day() {
    let account = given::<Account>([opened(1)]);
    account.when(ask(fan(1), at(5), request(2))).then([requested(2, at(5))]);
    let asked = account.and([requested(2, at(5))]);
    asked.when(ask(fan(1), at(DAY + 4), request(2))).then_nothing();
    asked.when(ask(fan(1), at(DAY + 5), request(2))).then([requested(2, at(DAY + 5))]);
    asked.when(ask(fan(1), at(6), dismiss(2))).then([dismissed(2, at(6))]);
    asked.and([dismissed(2, at(6))]).when(ask(fan(1), at(7), request(2))).then([requested(2, at(7))]);
}

#[test]
fn whom_one_wants_is_ones_own_to_say() {
    let account = given::<Account>([opened(1)]);
    for command in [request(3), dismiss(3), Command::AllowSuggestions { allowed: true }] {
        account.when(ask(fan(2), at(0), command.clone())).then_refused(Reason::Forbidden);
        account.when(ask(SYSTEM, at(0), command.clone())).then_refused(Reason::Forbidden);
    }
    for command in [request(1), dismiss(1)] {
        account.when(ask(fan(1), at(0), command)).then_refused(Reason::SelfFriend);
    }
}

#[test]
fn friends_are_so_many_and_make_room_for_others() {
    let one_a_day = |number| requested(number, at(i64::try_from(number).unwrap() * DAY));
    let many = 2 + FRIENDS_MAX as u128;
    let later = at(i64::try_from(many).unwrap() * DAY);
    let full = given::<Account>([opened(1)]).and((2..many).map(one_a_day));
    full.when(ask(fan(1), later, request(many))).then_refused(Reason::FriendsFull);
    full.when(ask(fan(1), later, request(2))).then([requested(2, later)]);
    full.and([dismissed(2, later)]).when(ask(fan(1), later, request(many))).then([requested(many, later)]);
}

#[test]
fn friends_are_changed_so_often_a_day() {
    let toggled = (0..FRIEND_WORDS_PER_DAY_MAX).map(|word| if word % 2 == 0 { requested(2, at(0)) } else { dismissed(2, at(0)) });
    let busy = given::<Account>([opened(1)]).and(toggled);
    busy.when(ask(fan(1), at(1), request(2))).then_refused(Reason::FriendChangesLimit);
    busy.when(ask(fan(1), at(1), dismiss(2))).then_refused(Reason::FriendChangesLimit);
    busy.when(ask(fan(1), at(DAY), request(2))).then([requested(2, at(DAY))]);
}

#[test]
fn one_may_be_suggested_only_where_one_says_so() {
    let allow = |allowed| ask(fan(1), at(1), Command::AllowSuggestions { allowed });
    let account = given::<Account>([opened(1)]);
    account.when(allow(false)).then_nothing();
    account.when(allow(true)).then([Event::SuggestionsAllowed { allowed: true }]);
    let allowed = account.and([Event::SuggestionsAllowed { allowed: true }]);
    allowed.when(allow(true)).then_nothing();
    allowed.when(allow(false)).then([Event::SuggestionsAllowed { allowed: false }]);
}

/// Two accounts, and what each last said of the other in the one log.
struct Pair {
    accounts: [Account; 2],
    words: [Option<Word>; 2],
    position: u64,
}

impl Pair {
    fn new() -> Pair {
        let account = |number| {
            let mut account = Account::new(person(number));
            account.evolve(&opened(number));
            account
        };
        Pair { accounts: [account(1), account(2)], words: [None, None], position: 0 }
    }

    fn id(who: usize) -> AccountId {
        person(1 + who as u128)
    }

    /// Someone asks or dismisses the other; whether that made an event.
    fn says(&mut self, who: usize, wants: bool, now: Timestamp) -> bool {
        let friend = Pair::id(1 - who);
        let command = if wants { Command::RequestFriend { friend } } else { Command::DismissFriend { friend } };
        let events = self.accounts[who].decide(fan(1 + who as u128), now, &command).expect("few words");
        for event in &events {
            self.accounts[who].evolve(event);
            self.position += 1;
            let wants = matches!(event, Event::FriendRequested { .. });
            self.words[who] = Some(Word { wants, position: self.position });
        }
        !events.is_empty()
    }

    fn seen_by(&self, who: usize) -> Friendship {
        Friendship::of(self.words[who], self.words[1 - who])
    }
}

#[test]
fn a_request_that_is_declined_is_seen_again_when_it_is_made_again() {
    let mut pair = Pair::new();
    assert!(pair.says(0, true, at(0)) && !pair.says(0, true, at(1)));
    assert_eq!((pair.seen_by(0), pair.seen_by(1)), (Friendship::Asked, Friendship::Asks));
    pair.says(1, false, at(2));
    assert_eq!((pair.seen_by(0), pair.seen_by(1)), (Friendship::Asked, Friendship::Apart));
    pair.says(0, true, at(DAY));
    assert_eq!((pair.seen_by(0), pair.seen_by(1)), (Friendship::Asked, Friendship::Asks));
    pair.says(1, true, at(DAY + 1));
    assert_eq!((pair.seen_by(0), pair.seen_by(1)), (Friendship::Friends, Friendship::Friends));
}

proptest! {
    #[test]
    fn friends_are_friends_on_both_sides_and_a_no_is_told_to_nobody(
        steps in prop::collection::vec((0..2_usize, any::<bool>(), 0..40_000_i64), 1..100)
    ) {
        let (mut pair, mut now) = (Pair::new(), 0);
        for (who, wants, pause) in steps {
            now += pause;
            let before = (pair.seen_by(who), pair.seen_by(1 - who));
            let said = pair.says(who, wants, at(now));
            let (own, others) = (pair.seen_by(who), pair.seen_by(1 - who));
            prop_assert_eq!(own == Friendship::Friends, others == Friendship::Friends);
            prop_assert!(own != Friendship::Asks || others == Friendship::Asked, "who is asked was asked by someone who knows it");
            if wants {
                prop_assert!(matches!(own, Friendship::Asked | Friendship::Friends));
            } else {
                prop_assert!(said && own == Friendship::Apart);
                let told = before.1 != others;
                prop_assert_eq!(told, matches!(before.1, Friendship::Friends | Friendship::Asks));
            }
        }
    }
}
