//! The lobby and its draw.

use crate::common::{SYSTEM, at, fan, given, id, opening, person, show};
use socketing_domain::draw::{self, Digest};
use socketing_domain::event::{Actor, Ask};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::EntryState;
use socketing_domain::waiting_room::{Command, Departure, Event, Facts, LineRules, WaitingRoom};
use socketing_domain::{AccountId, EntryId, Timestamp};

const SEED: Digest = Digest([0x5e; 32]);

/// A draw, with a lobby from `at(-100)` on; ten people inside at once.
fn opened() -> Event {
    let rules = LineRules { lobby_seconds: 100, ..LineRules::default() };
    Event::LineOpened { show: show(), sale_opens_at: opening(), capacity: 10, session_seconds: 500, rules }
}

fn committed() -> Event {
    Event::DrawCommitted { commitment: draw::commitment(&SEED), lobby_opens_at: at(-100) }
}

fn ask(actor: Actor, now: Timestamp, command: Command) -> Ask<Command, Facts> {
    let members = match actor {
        Actor::Account(account) => vec![account],
        Actor::System(_) => Vec::new(),
    };
    Ask { command, actor, now, facts: Facts { party: None, members } }
}

fn nonce(who: u128) -> EntryId {
    id(100 + who)
}

fn join(who: u128, now: Timestamp) -> Ask<Command, Facts> {
    ask(fan(who), now, Command::JoinQueue { entry: nonce(who), party: None })
}

fn joined(who: u128, number: u64) -> Event {
    Event::QueueJoined { entry: nonce(who), number, account: person(who), party: None, members: vec![person(who)] }
}

/// So many people in the lobby.
fn lobby(people: u128) -> Vec<Event> {
    [opened(), committed()].into_iter().chain((1..=people).map(|who| joined(who, who as u64))).collect()
}

fn tickets(people: impl IntoIterator<Item = u128>) -> Vec<Digest> {
    let mut tickets: Vec<Digest> = people.into_iter().map(|who| draw::ticket(person(who), nonce(who))).collect();
    tickets.sort_unstable();
    tickets
}

fn closed(people: impl IntoIterator<Item = u128>) -> Event {
    let tickets = tickets(people);
    Event::LobbyClosed { root: draw::root(&tickets), entries: tickets.len() as u64 }
}

fn revealed() -> Event {
    Event::SeedRevealed { seed: SEED }
}

fn line(events: impl IntoIterator<Item = Event>) -> WaitingRoom {
    let mut line = WaitingRoom::default();
    events.into_iter().for_each(|event| line.evolve(&event));
    line
}

/// The people in the order of the draw, by another way than the fold's.
fn drawn(people: impl IntoIterator<Item = u128> + Clone, beacon: &str) -> Vec<AccountId> {
    let root = draw::root(&tickets(people.clone()));
    let key = draw::Key::new(&SEED, &root, beacon);
    let mut scored: Vec<(Digest, AccountId)> =
        people.into_iter().map(|who| (key.score(&draw::ticket(person(who), nonce(who))), person(who))).collect();
    scored.sort_unstable();
    scored.into_iter().map(|(_, account)| account).collect()
}

#[test]
fn a_draw_is_committed_to_by_the_system_once_and_before_the_sale() {
    let commit = |actor, now, digest| ask(actor, now, Command::CommitDraw { commitment: digest });
    let new = given::<WaitingRoom>([opened()]);
    let commitment = draw::commitment(&SEED);
    new.when(commit(SYSTEM, at(-500), commitment)).then([committed()]);
    new.when(commit(SYSTEM, at(-50), commitment)).then([Event::DrawCommitted { commitment, lobby_opens_at: at(-50) }]);
    new.when(commit(SYSTEM, at(0), commitment)).then_nothing();
    new.when(commit(fan(1), at(-500), commitment)).then_refused(Reason::Forbidden);
    new.and([committed()]).when(commit(SYSTEM, at(-400), Digest([9; 32]))).then_nothing();
    given::<WaitingRoom>([]).when(commit(SYSTEM, at(-500), commitment)).then_refused(Reason::UnknownPerformance);
}

#[test]
fn nobody_comes_before_the_lobby_opens_and_nobody_has_an_order_in_it() {
    let refusal = given::<WaitingRoom>([opened(), committed()]).when(join(1, at(-101))).then_refused(Reason::SaleNotOpen);
    assert_eq!(refusal.retry_at, Some(at(-100)));
    let refusal = given::<WaitingRoom>([opened()]).when(join(1, at(-50))).then_refused(Reason::SaleNotOpen);
    assert_eq!(refusal.retry_at, Some(opening()), "without a commitment there is no lobby");
    given::<WaitingRoom>([opened(), committed()]).when(join(1, at(-100))).then([joined(1, 1)]);
    let two = line(lobby(2));
    let reply = two.reply(person(2)).unwrap();
    assert_eq!((reply.state, reply.number, reply.ahead), (EntryState::Lobby, 0, 0));
    assert_eq!((two.next_due(), two.due(at(-1), 512)), (Some(opening()), vec![]), "there is room, and nobody is let in");
    given::<WaitingRoom>(lobby(2)).when(join(1, at(-1))).then_nothing();
    let leave = ask(fan(2), at(-1), Command::LeaveQueue);
    given::<WaitingRoom>(lobby(2)).when(leave).then([Event::EntryDeparted { entry: nonce(2), number: 2, reason: Departure::Left }]);
}

#[test]
fn at_the_opening_the_root_is_published_then_the_seed_and_then_people_are_called_in_the_order_that_follows() {
    let mut line = line(lobby(25));
    assert_eq!(line.due(at(0), 512), [closed(1..=25)]);
    line.evolve(&closed(1..=25));
    assert_eq!((line.due(at(1), 512), line.next_due()), (vec![], None), "nobody is let in before the draw");
    line.evolve(&joined(26, 26));
    assert_eq!(line.reply(person(26)).map(|reply| (reply.state, reply.number, reply.ahead)), Some((EntryState::Waiting, 26, 25)));
    line.evolve(&revealed());
    for (account, number) in drawn(1..=25, "").into_iter().zip(1..) {
        let reply = line.reply(account).unwrap();
        assert_eq!((reply.state, reply.number, reply.ahead), (EntryState::Waiting, number, number - 1));
    }
    let called: Vec<u64> = line
        .due(at(1), 512)
        .iter()
        .map(|event| match event {
            Event::EntryCalled { number, .. } => *number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(called, (1..=10).collect::<Vec<_>>());
    assert_eq!(line.reply(person(26)).unwrap().ahead, 25, "who came after the opening stands behind");
}

#[test]
fn who_joins_before_the_timer_ran_closes_the_lobby_first() {
    given::<WaitingRoom>(lobby(2)).when(join(3, at(0))).then([closed(1..=2), joined(3, 3)]);
    let empty = given::<WaitingRoom>(lobby(0)).when(join(3, at(0)));
    let admitted = Event::EntryAdmitted { entry: nonce(3), number: 1, session_ends_at: at(500) };
    empty.then([closed([]), joined(3, 1), admitted]);
}

#[test]
fn an_empty_lobby_keeps_nobody_waiting_and_its_seed_is_published_all_the_same() {
    let mut line = line(lobby(0));
    assert_eq!(line.due(at(0), 512), [closed([])]);
    line.evolve(&closed([]));
    line.evolve(&joined(1, 1));
    assert_eq!(line.due(at(0), 512).len(), 1);
    line.evolve(&revealed());
    assert_eq!(line.reply(person(1)).map(|reply| (reply.state, reply.number)), Some((EntryState::Waiting, 1)));
}

#[test]
fn who_left_the_lobby_isnt_drawn_and_leaves_no_trace_but_a_number_that_nobody_has() {
    let left = |who: u128| Event::EntryDeparted { entry: nonce(who), number: who as u64, reason: Departure::Left };
    let rest = [2, 4, 5];
    let line = line(lobby(6).into_iter().chain([left(1), left(3), left(6), closed(rest), joined(7, 7), revealed()]));
    let numbers: Vec<u64> = drawn(rest, "").iter().map(|account| line.reply(*account).unwrap().number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let late = line.reply(person(7)).unwrap();
    assert_eq!((late.number, late.ahead, line.people_waiting()), (7, 3, 4));
}

#[test]
fn nobody_goes_while_the_draw_is_under_way() {
    let drawing = given::<WaitingRoom>(lobby(2)).and([closed(1..=2)]);
    let refusal = drawing.when(ask(fan(1), at(1), Command::LeaveQueue)).then_refused(Reason::DrawUnderWay);
    assert_eq!(refusal.retry_at, Some(at(2)));
    let evict = Command::Evict { account: person(1), reason: "a robot".to_owned() };
    drawing.when(ask(fan(9), at(1), evict)).then_refused(Reason::DrawUnderWay);
    given::<WaitingRoom>(lobby(2)).when(ask(fan(1), at(0), Command::LeaveQueue)).then_refused(Reason::DrawUnderWay);
}

#[test]
fn only_the_seed_that_was_committed_to_is_taken_and_only_after_the_lobby_closed() {
    let reveal = |actor, seed| ask(actor, at(1), Command::RevealSeed { seed });
    let drawing = given::<WaitingRoom>(lobby(2)).and([closed(1..=2)]);
    drawing.when(reveal(SYSTEM, SEED)).then([revealed()]);
    drawing.when(reveal(fan(1), SEED)).then_refused(Reason::Forbidden);
    drawing.when(reveal(SYSTEM, Digest([1; 32]))).then_invalid("/seed");
    drawing.and([revealed()]).when(reveal(SYSTEM, SEED)).then_nothing();
    given::<WaitingRoom>(lobby(2)).when(reveal(SYSTEM, SEED)).then_invalid("/seed");
    given::<WaitingRoom>([opened()]).when(reveal(SYSTEM, SEED)).then_refused(Reason::NoDraw);
}

#[test]
fn a_beacon_is_mixed_in_once_and_before_the_seed_is_told() {
    let give = |value: &str| Command::GiveBeacon { value: value.to_owned(), source: "drand round 4711".to_owned() };
    let beacon = Event::BeaconGiven { value: "8f3a".to_owned(), source: "drand round 4711".to_owned() };
    let open = given::<WaitingRoom>(lobby(5));
    open.when(ask(fan(9), at(-1), give("8f3a"))).then([beacon.clone()]);
    open.when(ask(fan(9), at(-1), give(""))).then_invalid("/value");
    let given_once = open.and([beacon.clone()]);
    given_once.when(ask(fan(9), at(-1), give("8f3a"))).then_nothing();
    given_once.when(ask(fan(9), at(-1), give("8f3b"))).then_refused(Reason::NoDraw);
    open.and([closed(1..=5), revealed()]).when(ask(fan(9), at(2), give("8f3a"))).then_refused(Reason::NoDraw);
    given::<WaitingRoom>([opened()]).when(ask(fan(9), at(-1), give("8f3a"))).then_refused(Reason::NoDraw);
    let line = line(lobby(5).into_iter().chain([closed(1..=5), beacon, revealed()]));
    let first: Vec<AccountId> = (1..=5).map(person).filter(|account| line.reply(*account).unwrap().number == 1).collect();
    assert_eq!(first, drawn(1..=5, "8f3a")[..1]);
}

#[test]
#[should_panic(expected = "another seed than was committed to")]
fn another_seed_is_not_believed() {
    line(lobby(2).into_iter().chain([closed(1..=2), Event::SeedRevealed { seed: Digest([1; 32]) }]));
}

#[test]
#[should_panic(expected = "the lobby closes twice, or with 3 places of 2")]
fn a_lobby_of_other_people_is_not_believed() {
    line(lobby(2).into_iter().chain([closed(1..=3)]));
}

const SOURCE: &str = "drand round 4712";

fn lose(kept: Option<Digest>, source: &str, reason: &str) -> Ask<Command, Facts> {
    ask(fan(9), at(1), Command::LoseSeed { kept, beacon_source: source.to_owned(), reason: reason.to_owned() })
}

fn lost() -> Event {
    Event::SeedLost { beacon_source: SOURCE.to_owned(), reason: "the disk is gone".to_owned() }
}

fn give(value: &str, source: &str) -> Ask<Command, Facts> {
    ask(fan(9), at(2), Command::GiveBeacon { value: value.to_owned(), source: source.to_owned() })
}

fn given_beacon(value: &str, source: &str) -> Event {
    Event::BeaconGiven { value: value.to_owned(), source: source.to_owned() }
}

#[test]
fn a_seed_is_given_up_only_if_it_is_lost_and_the_source_that_decides_is_named_once() {
    let told = "the disk is gone";
    for line in [lobby(2), lobby(2).into_iter().chain([closed(1..=2)]).collect()] {
        let line = given::<WaitingRoom>(line);
        line.when(lose(None, SOURCE, told)).then([lost()]);
        line.when(lose(Some(Digest([9; 32])), SOURCE, told)).then([lost()]);
        line.when(lose(Some(draw::commitment(&SEED)), SOURCE, told)).then_refused(Reason::SeedKept);
        line.when(lose(None, "", told)).then_invalid("/beacon_source");
        line.when(lose(None, SOURCE, "")).then_invalid("/reason");
        line.and([lost()]).when(lose(None, SOURCE, told)).then_nothing();
        line.and([lost()]).when(lose(None, "drand round 4713", told)).then_refused(Reason::NoDraw);
    }
    let over = given::<WaitingRoom>(lobby(2)).and([closed(1..=2), revealed()]);
    over.when(lose(None, SOURCE, told)).then_refused(Reason::NoDraw);
    given::<WaitingRoom>([opened()]).when(lose(None, SOURCE, told)).then_refused(Reason::NoDraw);
}

#[test]
fn a_draw_whose_seed_is_lost_waits_for_the_beacon_that_was_named_which_decides_alone() {
    let reveal = ask(SYSTEM, at(2), Command::RevealSeed { seed: SEED });
    let open = given::<WaitingRoom>(lobby(25)).and([given_beacon("8f3a", "another"), lost()]);
    open.when(give("8f3b", SOURCE)).then_invalid("/value");
    let closed_too = open.and([closed(1..=25)]);
    closed_too.when(give("8f3b", "drand round 4713")).then_invalid("/source");
    closed_too.when(reveal).then_nothing();
    let none = Event::SeedRevealed { seed: draw::NO_SEED };
    closed_too.when(give("8f3b", SOURCE)).then([given_beacon("8f3b", SOURCE), none.clone()]);
    let drawn_at_last = closed_too.and([given_beacon("8f3b", SOURCE), none.clone()]);
    drawn_at_last.when(give("8f3b", SOURCE)).then_nothing();
    drawn_at_last.when(give("8f3c", SOURCE)).then_refused(Reason::NoDraw);

    let mut line = line(lobby(25).into_iter().chain([closed(1..=25), lost(), given_beacon("8f3b", SOURCE)]));
    assert_eq!((line.due(at(2), 512), line.awaits_seed()), (vec![], false), "nobody is called before the draw");
    line.evolve(&none);
    let key = draw::Key::new(&draw::NO_SEED, &draw::root(&tickets(1..=25)), "8f3b");
    let mut scored: Vec<(Digest, u128)> = (1..=25).map(|who| (key.score(&draw::ticket(person(who), nonce(who))), who)).collect();
    scored.sort_unstable();
    for ((_, who), number) in scored.into_iter().zip(1..) {
        assert_eq!(line.reply(person(who)).unwrap().number, number);
    }
    assert_eq!(line.due(at(3), 512).len(), 10);
}

#[test]
#[should_panic(expected = "another seed than was committed to")]
fn no_seed_is_not_believed_unless_it_was_lost() {
    line(lobby(2).into_iter().chain([closed(1..=2), Event::SeedRevealed { seed: draw::NO_SEED }]));
}

#[test]
#[should_panic(expected = "another seed than was committed to")]
fn a_seed_that_was_given_up_is_not_believed_any_more() {
    line(lobby(2).into_iter().chain([closed(1..=2), lost(), given_beacon("8f3b", SOURCE), revealed()]));
}
