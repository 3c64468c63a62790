use crate::common::{SYSTEM, at, fan, given, id, performance, person};
use socketing_domain::PartyId;
use socketing_domain::event::{Actor, Ask};
use socketing_domain::limits::PARTY_MEMBERS_MAX;
use socketing_domain::party::{Command, Ending, Event, Facts, Party, Pays, Picks, Terms};
use socketing_domain::refusal::Reason;

fn party() -> PartyId {
    id(7)
}

fn ask(actor: Actor, command: Command) -> Ask<Command, Facts> {
    let facts = Facts { party: party(), performance: performance(), elsewhere: false, room: true, in_line: false, unused_until: at(500) };
    Ask { command, actor, now: at(0), facts }
}

fn invite(actor: Actor, friend: u128) -> Ask<Command, Facts> {
    ask(actor, Command::InviteFriend { friend: person(friend) })
}

fn formed() -> Event {
    formed_with(Terms::default())
}

fn formed_with(terms: Terms) -> Event {
    let (party, performance, leader, unused_until) = (party(), performance(), person(1), Some(at(500)));
    Event::PartyFormed { party, performance, leader, terms, unused_until }
}

fn invited(friend: u128) -> Event {
    Event::FriendInvited { account: person(friend) }
}

fn accepted(friend: u128) -> Event {
    Event::InvitationAccepted { account: person(friend) }
}

fn frozen() -> Event {
    Event::PartyFrozen { entry: id(70), members: vec![person(1), person(2)] }
}

/// The same while the party has a place in the line.
fn waiting(ask: Ask<Command, Facts>) -> Ask<Command, Facts> {
    Ask { facts: Facts { in_line: true, ..ask.facts }, ..ask }
}

#[test]
fn the_first_invitation_forms_the_party() {
    let nobody = given::<Party>([]);
    nobody.when(invite(fan(1), 2)).then([formed(), invited(2)]);
    nobody.when(invite(fan(1), 1)).then_refused(Reason::SelfInvitation);
    nobody.when(invite(SYSTEM, 1)).then_refused(Reason::Forbidden);
    let facts = Facts { elsewhere: true, ..invite(fan(1), 2).facts };
    nobody.when(Ask { facts, ..invite(fan(1), 2) }).then_refused(Reason::InAnotherParty);
    let facts = Facts { room: false, ..invite(fan(1), 2).facts };
    nobody.when(Ask { facts, ..invite(fan(1), 2) }).then_refused(Reason::PartyFull);
}

#[test]
fn the_leader_invites_each_friend_once() {
    let party = given::<Party>([formed(), invited(2), accepted(2), invited(3)]);
    party.when(invite(fan(1), 4)).then([invited(4)]);
    party.when(invite(fan(1), 3)).then_nothing();
    party.when(invite(fan(1), 2)).then_refused(Reason::AlreadyMember);
    party.when(invite(fan(1), 1)).then_refused(Reason::SelfInvitation);
    party.when(invite(fan(2), 4)).then_refused(Reason::NotLeader);
    party.when(invite(fan(9), 4)).then_refused(Reason::NotLeader);
    party.and([frozen()]).when(waiting(invite(fan(1), 4))).then_refused(Reason::PartyFrozen);
}

#[test]
fn a_party_is_full_with_everyone_who_is_invited() {
    let most = PARTY_MEMBERS_MAX as u128;
    let full = given::<Party>([formed()].into_iter().chain((2..=most).map(invited)));
    full.when(invite(fan(1), most + 1)).then_refused(Reason::PartyFull);
    let declined = Event::InvitationDeclined { account: person(2) };
    full.and([declined]).when(invite(fan(1), most + 1)).then([invited(most + 1)]);
}

#[test]
fn an_invitation_is_accepted_once_by_who_got_it() {
    let accept = |actor| ask(actor, Command::AcceptInvitation);
    let party = given::<Party>([formed(), invited(2)]);
    given::<Party>([]).when(accept(fan(2))).then_refused(Reason::UnknownParty);
    party.when(accept(fan(2))).then([accepted(2)]);
    party.when(accept(fan(3))).then_refused(Reason::NotInvited);
    party.when(accept(fan(1))).then_nothing();
    party.and([accepted(2)]).when(accept(fan(2))).then_nothing();
    let facts = Facts { elsewhere: true, ..accept(fan(2)).facts };
    party.when(Ask { facts, ..accept(fan(2)) }).then_refused(Reason::InAnotherParty);
    party.and([invited(3), accepted(2), frozen()]).when(waiting(accept(fan(3)))).then_refused(Reason::PartyFrozen);
}

#[test]
fn an_invitation_is_declined_by_who_got_it() {
    let decline = |actor| ask(actor, Command::DeclineInvitation);
    let party = given::<Party>([formed(), invited(2), accepted(2), invited(3)]);
    let declined = Event::InvitationDeclined { account: person(3) };
    given::<Party>([]).when(decline(fan(3))).then_refused(Reason::UnknownParty);
    party.when(decline(fan(3))).then([declined.clone()]);
    party.and([frozen()]).when(decline(fan(3))).then([declined.clone()]);
    party.and([declined]).when(decline(fan(3))).then_refused(Reason::NotInvited);
    party.when(decline(fan(2))).then_refused(Reason::AlreadyMember);
    party.when(decline(fan(4))).then_refused(Reason::NotInvited);
}

#[test]
fn a_member_leaves_before_the_line() {
    let leave = |actor| ask(actor, Command::LeaveParty);
    let party = given::<Party>([formed(), invited(2), accepted(2), invited(3)]);
    let left = Event::MemberLeft { account: person(2) };
    given::<Party>([]).when(leave(fan(2))).then_refused(Reason::UnknownParty);
    party.when(leave(fan(2))).then([left.clone()]);
    party.when(leave(fan(1))).then([Event::LeaderChanged { leader: person(2) }, Event::MemberLeft { account: person(1) }]);
    party.when(leave(fan(3))).then_refused(Reason::NotInvited);
    party.and([frozen()]).when(waiting(leave(fan(2)))).then_refused(Reason::PartyFrozen);
    let thawed = Event::PartyThawed { party: self::party() };
    party.and([frozen()]).when(leave(fan(2))).then([thawed, left.clone()]);
    party.and([left.clone()]).when(leave(fan(2))).then_refused(Reason::NotInvited);
    party.and([left]).when(invite(fan(1), 2)).then([invited(2)]);
}

#[test]
fn a_party_is_made_with_its_terms_once() {
    let terms = Terms { picks: Picks::Leader, pays: Pays::Shares };
    let form = |actor, terms| ask(actor, Command::FormParty { terms });
    given::<Party>([]).when(form(fan(1), terms)).then([formed_with(terms)]);
    let party = given::<Party>([formed_with(terms)]);
    party.when(form(fan(1), terms)).then_nothing();
    party.when(form(fan(1), Terms::default())).then_refused(Reason::IdTaken);
    party.when(form(fan(2), terms)).then_refused(Reason::IdTaken);
    let facts = Facts { elsewhere: true, ..form(fan(1), terms).facts };
    given::<Party>([]).when(Ask { facts, ..form(fan(1), terms) }).then_refused(Reason::InAnotherParty);
}

#[test]
fn the_link_lets_people_in_once() {
    let join = |actor| ask(actor, Command::JoinParty);
    let joined = |who| Event::MemberJoined { account: person(who) };
    let party = given::<Party>([formed(), joined(2), invited(3)]);
    given::<Party>([]).when(join(fan(2))).then_refused(Reason::UnknownParty);
    party.when(join(fan(4))).then([joined(4)]);
    party.when(join(fan(3))).then([accepted(3)]);
    party.when(join(fan(2))).then_refused(Reason::AlreadyMember);
    party.when(join(fan(1))).then_refused(Reason::OwnParty);
    let facts = Facts { elsewhere: true, ..join(fan(4)).facts };
    party.when(Ask { facts, ..join(fan(4)) }).then_refused(Reason::InAnotherParty);
    party.and([frozen()]).when(waiting(join(fan(4)))).then_refused(Reason::PartyFrozen);
    party.and([frozen()]).when(join(fan(4))).then([Event::PartyThawed { party: self::party() }, joined(4)]);
    let most = PARTY_MEMBERS_MAX as u128;
    let full = given::<Party>([formed()].into_iter().chain((2..=most).map(joined)));
    full.when(join(fan(most + 1))).then_refused(Reason::PartyFull);
}

#[test]
fn who_is_sent_away_comes_back_by_invitation_only() {
    let expel = |actor, who| ask(actor, Command::ExpelMember { member: person(who) });
    let expelled = Event::MemberExpelled { account: person(2) };
    let party = given::<Party>([formed(), invited(2), accepted(2)]);
    party.when(expel(fan(1), 2)).then([expelled.clone()]);
    party.when(expel(fan(2), 1)).then_refused(Reason::NotLeader);
    party.when(expel(fan(1), 1)).then_refused(Reason::OwnParty);
    party.when(expel(fan(1), 3)).then_refused(Reason::NotInvited);
    party.and([frozen()]).when(waiting(expel(fan(1), 2))).then_refused(Reason::PartyFrozen);
    let without = party.and([expelled]);
    without.when(expel(fan(1), 2)).then_nothing();
    without.when(ask(fan(2), Command::JoinParty)).then_refused(Reason::ExpelledFromParty);
    without.and([invited(2)]).when(ask(fan(2), Command::JoinParty)).then([accepted(2)]);
}

#[test]
fn an_invitation_is_taken_back_by_the_leader() {
    let withdraw = |actor, who| ask(actor, Command::WithdrawInvitation { friend: person(who) });
    let party = given::<Party>([formed(), invited(2), accepted(2), invited(3)]);
    party.when(withdraw(fan(1), 3)).then([Event::InvitationWithdrawn { account: person(3) }]);
    party.when(withdraw(fan(1), 4)).then_nothing();
    party.when(withdraw(fan(1), 2)).then_refused(Reason::AlreadyMember);
    party.when(withdraw(fan(2), 3)).then_refused(Reason::NotLeader);
    let withdrawn = Event::InvitationWithdrawn { account: person(3) };
    party.and([withdrawn]).when(ask(fan(3), Command::AcceptInvitation)).then_refused(Reason::NotInvited);
}

#[test]
fn a_party_always_has_a_leader_until_it_ends() {
    let hand_over = |actor, who| ask(actor, Command::HandOver { member: person(who) });
    let leads = |who| Event::LeaderChanged { leader: person(who) };
    let party = given::<Party>([formed(), invited(2), accepted(2)]);
    party.when(hand_over(fan(1), 2)).then([leads(2)]);
    party.when(hand_over(fan(1), 1)).then_nothing();
    party.when(hand_over(fan(1), 3)).then_refused(Reason::NotInvited);
    party.when(hand_over(fan(2), 1)).then_refused(Reason::NotLeader);
    party.and([frozen()]).when(waiting(hand_over(fan(1), 2))).then_refused(Reason::PartyFrozen);
    party.and([leads(2)]).when(invite(fan(1), 4)).then_refused(Reason::NotLeader);
    party.and([leads(2)]).when(invite(fan(2), 4)).then([invited(4)]);
    let ended = Event::PartyEnded { reason: Ending::Dissolved };
    let alone = given::<Party>([formed()]);
    alone.when(ask(fan(1), Command::LeaveParty)).then([ended.clone()]);
    alone.and([ended.clone()]).when(ask(fan(2), Command::JoinParty)).then_refused(Reason::PartyEnded);
    alone.and([ended]).when(invite(fan(1), 2)).then_refused(Reason::PartyEnded);
}

#[test]
fn a_party_shows_who_is_in_it() {
    let mut party = Party::default();
    assert_eq!(party.reply(), None);
    for event in [formed(), invited(2), invited(3), accepted(2), frozen()] {
        party.evolve(&event);
    }
    let reply = party.reply().unwrap();
    assert_eq!((reply.leader, reply.members, reply.invited, reply.frozen), (person(1), vec![person(1), person(2)], vec![person(3)], true));
}
