use crate::common::{SYSTEM, at, fan, given, id, opening, person, rules, show};
use socketing_domain::event::{Actor, Ask};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::EntryState;
use socketing_domain::waiting_room::{Command, Departure, Event, Facts, LineRules, Mode, WaitingRoom};
use socketing_domain::{EntryId, Timestamp};

/// Three people inside at once, for 500 s.
fn opened() -> Event {
    Event::LineOpened { show: show(), sale_opens_at: opening(), capacity: 3, session_seconds: 500, rules: rules() }
}

/// The entry of the person with this number.
fn entry(number: u128) -> EntryId {
    id(100 + number)
}

fn ask(actor: Actor, now: Timestamp, command: Command, members: &[u128]) -> Ask<Command, Facts> {
    let party = (members.len() > 1).then(|| id(7));
    Ask { command, actor, now, facts: Facts { party, members: members.iter().map(|number| person(*number)).collect() } }
}

/// The first of these joins with all of them.
fn join(now: Timestamp, members: &[u128]) -> Ask<Command, Facts> {
    let command = Command::JoinQueue { entry: entry(members[0]), party: (members.len() > 1).then(|| id(7)) };
    ask(fan(members[0]), now, command, members)
}

fn joined(number: u64, members: &[u128]) -> Event {
    let party = (members.len() > 1).then(|| id(7));
    let (entry, members): (EntryId, Vec<_>) = (entry(members[0]), members.iter().map(|number| person(*number)).collect());
    Event::QueueJoined { entry, number, account: members[0], party, members }
}

fn admitted(person: u128, number: u64, now: Timestamp) -> Event {
    Event::EntryAdmitted { entry: entry(person), number, session_ends_at: now.plus_seconds(500) }
}

fn called(person: u128, number: u64, now: Timestamp) -> Event {
    Event::EntryCalled { entry: entry(person), number, claim_by: now.plus_seconds(50) }
}

fn departed(person: u128, number: u64, reason: Departure) -> Event {
    Event::EntryDeparted { entry: entry(person), number, reason }
}

/// Persons 1 to 3 inside since `at(0)`, 4 waiting, and 5 with 6 behind.
fn full() -> Vec<Event> {
    let inside = (1..=3).flat_map(|who: u64| [joined(who, &[who.into()]), admitted(who.into(), who, at(0))]);
    [opened()].into_iter().chain(inside).chain([joined(4, &[4]), joined(5, &[5, 6])]).collect()
}

fn line(events: &[Event]) -> WaitingRoom {
    let mut line = WaitingRoom::default();
    events.iter().for_each(|event| line.evolve(event));
    line
}

#[test]
fn a_line_is_opened_by_the_system_once() {
    let open = |show, capacity, session_seconds| {
        let (sale_opens_at, rules) = (opening(), rules());
        Command::OpenLine { show, sale_opens_at, capacity, session_seconds, rules }
    };
    let closed = given::<WaitingRoom>([]);
    closed.when(ask(SYSTEM, at(0), open(show(), 3, 500), &[])).then([opened()]);
    closed.when(ask(fan(1), at(0), open(show(), 3, 500), &[])).then_refused(Reason::Forbidden);
    closed.when(ask(SYSTEM, at(0), open(show(), 0, 500), &[])).then_invalid("/capacity");
    closed.when(ask(SYSTEM, at(0), open(show(), 3, 0), &[])).then_invalid("/session_seconds");
    given::<WaitingRoom>([opened()]).when(ask(SYSTEM, at(0), open(show(), 9, 9), &[])).then_nothing();
    given::<WaitingRoom>([opened()]).when(ask(SYSTEM, at(0), open(id(99), 3, 500), &[])).then_refused(Reason::IdTaken);
}

#[test]
fn whoever_joins_while_there_is_room_is_inside_at_once() {
    let empty = given::<WaitingRoom>([opened()]);
    empty.when(join(at(0), &[1])).then([joined(1, &[1]), admitted(1, 1, at(0))]);
    empty.when(join(at(9), &[1, 2, 3])).then([joined(1, &[1, 2, 3]), admitted(1, 1, at(9))]);
    given::<WaitingRoom>([]).when(join(at(0), &[1])).then_refused(Reason::UnknownPerformance);
}

#[test]
fn nobody_is_in_the_line_before_the_sale_opens() {
    let refusal = given::<WaitingRoom>([opened()])
        .when(join(Timestamp::from_millis(opening().as_millis() - 1), &[1]))
        .then_refused(Reason::SaleNotOpen);
    assert_eq!(refusal.retry_at, Some(opening()));
}

#[test]
fn whoever_joins_when_it_is_full_waits() {
    let full = given::<WaitingRoom>(full());
    full.when(join(at(1), &[7])).then([joined(6, &[7])]);
    let two_inside = [opened(), joined(1, &[1, 2]), admitted(1, 1, at(0))];
    given::<WaitingRoom>(two_inside.clone()).when(join(at(1), &[3, 4])).then([joined(2, &[3, 4])]);
    let waits = two_inside.into_iter().chain([joined(2, &[3, 4])]);
    given::<WaitingRoom>(waits).when(join(at(1), &[5])).then([joined(3, &[5])]);
}

#[test]
fn someone_who_has_a_place_keeps_it() {
    let full = given::<WaitingRoom>(full());
    full.when(join(at(1), &[1])).then_nothing();
    full.when(join(at(1), &[4])).then_nothing();
    full.when(ask(fan(6), at(1), Command::JoinQueue { entry: id(150), party: None }, &[6])).then_nothing();
}

#[test]
fn a_party_with_a_member_who_has_a_place_doesnt_get_in() {
    given::<WaitingRoom>(full()).when(join(at(1), &[7, 4])).then_refused(Reason::InAnotherParty);
}

#[test]
fn someone_whose_visit_ran_out_goes_to_the_end_though_no_timer_ran() {
    let full = given::<WaitingRoom>(full());
    let again = |who: &[u128]| ask(fan(who[0]), at(500), Command::JoinQueue { entry: id(150), party: None }, who);
    let joined_again = Event::QueueJoined { entry: id(150), number: 6, account: person(1), party: None, members: vec![person(1)] };
    full.when(again(&[1])).then([departed(1, 1, Departure::SessionOver), joined_again.clone()]);
    let alone = [opened(), joined(1, &[1]), admitted(1, 1, at(0))];
    let second = Event::QueueJoined { entry: id(150), number: 2, account: person(1), party: None, members: vec![person(1)] };
    let inside = Event::EntryAdmitted { entry: id(150), number: 2, session_ends_at: at(1000) };
    given::<WaitingRoom>(alone).when(again(&[1])).then([departed(1, 1, Departure::SessionOver), second, inside]);
}

#[test]
fn an_entry_that_never_fits_is_refused() {
    let refusal = given::<WaitingRoom>([opened()]).when(join(at(0), &[1, 2, 3, 4])).then_refused(Reason::Invalid);
    assert!(refusal.detail.contains("at most 3 may be inside"), "{refusal}");
}

#[test]
fn an_entrys_id_is_used_once() {
    let gone = given::<WaitingRoom>(full()).and([departed(4, 4, Departure::Left)]);
    let with = |entry| ask(fan(9), at(1), Command::JoinQueue { entry, party: None }, &[9]);
    gone.when(with(entry(1))).then_refused(Reason::IdTaken);
    gone.when(with(entry(4))).then_refused(Reason::IdTaken);
    gone.when(ask(SYSTEM, at(1), Command::JoinQueue { entry: id(9), party: None }, &[])).then_refused(Reason::Forbidden);
}

#[test]
fn a_place_is_given_up_by_who_took_it() {
    let leave = |who, now| ask(fan(who), now, Command::LeaveQueue, &[]);
    let full = given::<WaitingRoom>(full());
    full.when(leave(1, at(1))).then([departed(1, 1, Departure::Left)]);
    full.when(leave(1, at(500))).then([departed(1, 1, Departure::SessionOver)]);
    full.when(leave(4, at(900))).then([departed(4, 4, Departure::Left)]);
    full.when(leave(5, at(1))).then([departed(5, 5, Departure::Left)]);
    full.when(leave(6, at(1))).then_refused(Reason::NotLeader);
    full.when(leave(9, at(1))).then_refused(Reason::NotInLine);
    full.when(ask(SYSTEM, at(1), Command::LeaveQueue, &[])).then_refused(Reason::Forbidden);
}

#[test]
fn a_visit_ends_with_the_booking() {
    let depart = |who, now| ask(SYSTEM, now, Command::Depart { account: person(who) }, &[]);
    let full = given::<WaitingRoom>(full());
    full.when(depart(2, at(1))).then([departed(2, 2, Departure::Booked)]);
    full.when(depart(4, at(1))).then_nothing();
    full.when(depart(9, at(1))).then_nothing();
    full.when(ask(fan(2), at(1), Command::Depart { account: person(2) }, &[])).then_refused(Reason::Forbidden);
    let party = given::<WaitingRoom>([opened(), joined(1, &[1, 2]), admitted(1, 1, at(0))]);
    party.when(depart(2, at(1))).then([departed(1, 1, Departure::Booked)]);
}

#[test]
fn time_lets_people_out_and_in_in_order() {
    let mut events = full();
    let waiting = line(&events);
    assert_eq!(waiting.next_due(), Some(at(500)));
    assert_eq!(waiting.due(at(499), 512), []);
    let all = [
        departed(1, 1, Departure::SessionOver),
        departed(2, 2, Departure::SessionOver),
        departed(3, 3, Departure::SessionOver),
        called(4, 4, at(500)),
        called(5, 5, at(500)),
    ];
    assert_eq!(waiting.due(at(500), 512), all);
    assert_eq!(waiting.due(at(500), 2), all[..2], "no more than was asked for");
    events.push(departed(1, 1, Departure::Left));
    let room_for_one = line(&events);
    assert_eq!(room_for_one.next_due(), Some(opening()), "something is due already");
    assert_eq!(room_for_one.due(at(1), 512), [called(4, 4, at(1))]);
    events.push(departed(4, 4, Departure::Left));
    let head_too_large = line(&events);
    assert_eq!(head_too_large.due(at(1), 512), [], "two don't fit where one went out");
    assert_eq!(head_too_large.next_due(), Some(at(500)));
    events.push(joined(6, &[7]));
    assert_eq!(line(&events).due(at(1), 512), [], "nobody overtakes the head of the line, though one would fit");
}

#[test]
fn a_line_knows_who_is_where() {
    let line = line(&full());
    assert_eq!((line.people_inside(), line.people_waiting(), line.sequence()), (3, 3, 9));
    assert!(line.pass(person(1), at(499)).is_some() && line.pass(person(1), at(500)).is_none() && line.pass(person(4), at(0)).is_none());
    let party = line.reply(person(6)).unwrap();
    assert_eq!((party.number, party.state, party.ahead, party.session_ends_at), (5, EntryState::Waiting, 1, None));
    assert_eq!((party.party_id, party.members), (Some(id(7)), vec![person(5), person(6)]));
    let inside = line.reply(person(2)).unwrap();
    assert_eq!((inside.number, inside.state, inside.ahead, inside.session_ends_at), (2, EntryState::Inside, 0, Some(at(500))));
    assert_eq!(line.reply(person(9)), None);
}

#[test]
#[should_panic(expected = "above 3")]
fn more_people_inside_than_fit_are_not_believed() {
    line(&[opened(), joined(1, &[1, 2]), admitted(1, 1, at(0)), joined(2, &[3, 4]), admitted(3, 2, at(0))]);
}

/// The room that person 1 left is person 4's to claim, until `at(51)`.
fn with_a_call() -> Vec<Event> {
    full().into_iter().chain([departed(1, 1, Departure::Left), called(4, 4, at(1))]).collect()
}

#[test]
fn a_pass_is_claimed_in_time_by_who_was_called() {
    let claim = |who, now| ask(fan(who), now, Command::ClaimPass, &[]);
    let call = given::<WaitingRoom>(with_a_call());
    call.when(claim(4, at(50))).then([admitted(4, 4, at(50))]);
    call.when(claim(4, at(51))).then_refused(Reason::PassExpired);
    call.when(claim(5, at(2))).then_refused(Reason::NotCalled);
    call.when(claim(9, at(2))).then_refused(Reason::NotInLine);
    call.when(claim(2, at(2))).then_nothing();
    call.when(claim(2, at(500))).then_refused(Reason::NotInLine);
    call.when(ask(SYSTEM, at(2), Command::ClaimPass, &[])).then_refused(Reason::Forbidden);
    call.and([admitted(4, 4, at(2))]).when(claim(4, at(3))).then_nothing();
    let line = line(&with_a_call());
    let reply = line.reply(person(4)).unwrap();
    assert_eq!((reply.state, reply.claim_by, reply.session_ends_at), (EntryState::Called, Some(at(51)), None));
    assert!(line.pass(person(4), at(2)).is_none(), "a pass that isn't claimed is no right to hold seats");
}

#[test]
fn a_pass_that_isnt_claimed_keeps_its_place_and_then_goes_to_the_next_at_once() {
    let waiting = line(&with_a_call());
    assert_eq!((waiting.people_inside(), waiting.next_due()), (3, Some(at(51))));
    given::<WaitingRoom>(with_a_call()).when(join(at(2), &[7])).then([joined(6, &[7])]);
    assert_eq!(waiting.due(at(50), 512), []);
    assert_eq!(waiting.due(at(51), 512), [departed(4, 4, Departure::Unclaimed)], "two don't fit where one went");
    let alone = [departed(5, 5, Departure::Left), joined(6, &[7])];
    let next = line(&with_a_call().into_iter().chain(alone).collect::<Vec<_>>());
    assert_eq!(next.due(at(51), 512), [departed(4, 4, Departure::Unclaimed), called(7, 6, at(51))]);
    let again = ask(fan(4), at(51), Command::JoinQueue { entry: id(150), party: None }, &[4]);
    let to_the_end = Event::QueueJoined { entry: id(150), number: 6, account: person(4), party: None, members: vec![person(4)] };
    given::<WaitingRoom>(with_a_call()).when(again).then([departed(4, 4, Departure::Unclaimed), to_the_end]);
}

#[test]
fn a_line_is_paused_resumed_and_drained() {
    let told = |reason: &str| reason.to_owned();
    let pause = |reason| ask(fan(99), at(1), Command::PauseLine { reason }, &[]);
    let resume = ask(fan(99), at(1), Command::ResumeLine { reason: told("go on") }, &[]);
    let drain = ask(SYSTEM, at(1), Command::DrainLine { reason: told("sold out soon") }, &[]);
    let room = given::<WaitingRoom>(full()).and([departed(1, 1, Departure::Left)]);
    room.when(pause(told("a fire alarm"))).then([Event::LinePaused { reason: told("a fire alarm") }]);
    room.when(pause(told("  "))).then_invalid("/reason");
    room.when(pause("x".repeat(201))).then_invalid("/reason");
    room.when(resume.clone()).then_nothing();
    given::<WaitingRoom>([]).when(pause(told("why"))).then_refused(Reason::UnknownPerformance);

    let paused = room.and([Event::LinePaused { reason: told("a fire alarm") }]);
    paused.when(pause(told("still"))).then_nothing();
    paused.when(resume).then([Event::LineResumed { reason: told("go on") }]);
    paused.when(join(at(2), &[7])).then([joined(6, &[7])]);
    let mut events: Vec<Event> = full().into_iter().chain([departed(1, 1, Departure::Left)]).collect();
    events.push(Event::LinePaused { reason: told("a fire alarm") });
    assert_eq!((line(&events).due(at(2), 512), line(&events).next_due()), (vec![], Some(at(500))), "nobody is called, visits end");
    given::<WaitingRoom>([opened(), Event::LinePaused { reason: told("not yet") }]).when(join(at(2), &[7])).then([joined(1, &[7])]);

    room.when(drain).then([Event::DrainBegun { reason: told("sold out soon") }]);
    events.push(Event::DrainBegun { reason: told("sold out soon") });
    given::<WaitingRoom>(events.clone()).when(join(at(2), &[7])).then_refused(Reason::LineDraining);
    given::<WaitingRoom>(events.clone()).when(join(at(2), &[4])).then_nothing();
    assert_eq!(line(&events).due(at(2), 512), [called(4, 4, at(2))]);
}

#[test]
fn limits_change_while_it_runs_and_nobody_is_thrown_out() {
    let change = |capacity, admissions_per_minute| {
        ask(fan(99), at(1), Command::ChangeLimits { capacity, admissions_per_minute, reason: "so".to_owned() }, &[])
    };
    let changed = |capacity, admissions_per_minute| Event::LimitsChanged { capacity, admissions_per_minute, reason: "so".to_owned() };
    let full_line = given::<WaitingRoom>(full());
    full_line.when(change(2, None)).then([changed(2, None)]);
    full_line.when(change(3, None)).then_nothing();
    full_line.when(change(3, Some(60))).then([changed(3, Some(60))]);
    full_line.when(change(0, None)).then_invalid("/capacity");
    full_line.when(change(1, None)).then_invalid("/capacity");
    full_line.when(change(3, Some(0))).then_invalid("/admissions_per_minute");
    full_line.when(change(3, Some(60_001))).then_invalid("/admissions_per_minute");
    let larger: Vec<Event> = full().into_iter().chain([changed(6, None)]).collect();
    assert_eq!(line(&larger).due(at(1), 512), [called(4, 4, at(1)), called(5, 5, at(1))]);
    let smaller: Vec<Event> = full().into_iter().chain([changed(2, None), departed(1, 1, Departure::Left)]).collect();
    assert_eq!((line(&smaller).people_inside(), line(&smaller).due(at(1), 512)), (2, vec![]));
}

#[test]
fn a_rate_spreads_who_is_called() {
    let slow = |rate| {
        let limits = Event::LimitsChanged { capacity: 100, admissions_per_minute: Some(rate), reason: "slowly".to_owned() };
        let waiting = (1..=40).map(|number: u64| joined(number, &[number.into()]));
        line(&[opened(), Event::LinePaused { reason: "wait".to_owned() }].into_iter().chain(waiting).chain([limits]).collect::<Vec<_>>())
    };
    for (rate, at_once) in [(1, 1), (60, 1), (600, 10), (60_000, 40)] {
        let mut line = slow(rate);
        line.evolve(&Event::LineResumed { reason: "go".to_owned() });
        assert_eq!(line.due(at(10), 512).len(), at_once, "{rate} a minute");
    }
    let mut line = slow(30);
    line.evolve(&Event::LineResumed { reason: "go".to_owned() });
    line.due(at(10), 512).iter().for_each(|event| line.evolve(event));
    assert_eq!((line.due(at(11), 512), line.next_due()), (vec![], Some(Timestamp::from_millis(at(12).as_millis() + 1))));
    assert_eq!(line.due(at(13), 512), [called(2, 2, at(13))]);
}

#[test]
fn a_place_is_taken_away_with_a_reason() {
    let evict = |who, reason: &str, now| ask(fan(99), now, Command::Evict { account: person(who), reason: reason.to_owned() }, &[]);
    let ordered = |who: u128, number| Event::EvictionOrdered { entry: entry(who), number, reason: "a robot".to_owned() };
    let full = given::<WaitingRoom>(full());
    full.when(evict(1, "a robot", at(1))).then([ordered(1, 1), departed(1, 1, Departure::Evicted)]);
    full.when(evict(6, "a robot", at(1))).then([ordered(5, 5), departed(5, 5, Departure::Evicted)]);
    full.when(evict(1, "a robot", at(500))).then([ordered(1, 1), departed(1, 1, Departure::SessionOver)]);
    full.when(evict(9, "a robot", at(1))).then_refused(Reason::NotInLine);
    full.when(evict(1, "", at(1))).then_invalid("/reason");
}

#[test]
fn without_a_line_everyone_is_inside() {
    let open = Event::LineOpened {
        show: show(),
        sale_opens_at: opening(),
        capacity: 1,
        session_seconds: 500,
        rules: LineRules { mode: Mode::Open, ..rules() },
    };
    let one = given::<WaitingRoom>([open, joined(1, &[1]), admitted(1, 1, at(0))]);
    one.when(join(at(1), &[2])).then([joined(2, &[2]), admitted(2, 2, at(1))]);
    one.when(join(at(1), &[2, 3, 4])).then([joined(2, &[2, 3, 4]), admitted(2, 2, at(1))]);
    one.when(join(at(-1), &[2])).then_refused(Reason::SaleNotOpen);
}
