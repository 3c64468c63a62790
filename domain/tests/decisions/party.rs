use crate::common::{SYSTEM, at, fan, given, id, performance, person};
use socketing_domain::PartyId;
use socketing_domain::event::{Actor, Ask};
use socketing_domain::limits::PARTY_MEMBERS_MAX;
use socketing_domain::party::{Command, Event, Facts, Party};
use socketing_domain::refusal::Reason;

fn party() -> PartyId {
    id(7)
}

fn ask(actor: Actor, command: Command) -> Ask<Command, Facts> {
    let facts = Facts { party: party(), performance: performance(), elsewhere: false, room: true };
    Ask { command, actor, now: at(0), facts }
}

fn invite(actor: Actor, friend: u128) -> Ask<Command, Facts> {
    ask(actor, Command::InviteFriend { friend: person(friend) })
}

fn formed() -> Event {
    Event::PartyFormed { party: party(), performance: performance(), leader: person(1) }
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
    party.and([frozen()]).when(invite(fan(1), 4)).then_refused(Reason::PartyFrozen);
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
    party.and([invited(3), accepted(2), frozen()]).when(accept(fan(3))).then_refused(Reason::PartyFrozen);
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
    party.when(leave(fan(1))).then_refused(Reason::Forbidden);
    party.when(leave(fan(3))).then_refused(Reason::NotInvited);
    party.and([frozen()]).when(leave(fan(2))).then_refused(Reason::PartyFrozen);
    party.and([left.clone()]).when(leave(fan(2))).then_refused(Reason::NotInvited);
    party.and([left]).when(invite(fan(1), 2)).then([invited(2)]);
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
