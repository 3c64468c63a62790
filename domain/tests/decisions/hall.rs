use crate::common::{PRICES, SYSTEM, at, curtain, fan, id, opening, performance, person, seats, show};
use crate::sale::{booking_id, hold_id, payment_id, refund_id};
use crate::world::{World, open_line, schedule};
use socketing_domain::draw::Digest;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{Command as Seats, Means, Release};
use socketing_domain::plan::PlanHash;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::{BookingState, EntryState, PaymentState, Reply};
use socketing_domain::seating::Wishes;
use socketing_domain::unit::{Command, SHARDS, Unit, UnitId};
use socketing_domain::waiting_room::Departure;
use socketing_domain::{PartyId, Refusal, SeatIndex, account, party, performance as seats_of, show as shows, waiting_room as line, wallet};
use std::collections::HashSet;

fn join(who: u128, party: Option<PartyId>) -> Command {
    Command::Line(line::Command::JoinQueue { entry: id(100 + who), party })
}

fn leave() -> Command {
    Command::Line(line::Command::LeaveQueue)
}

fn claim() -> Command {
    Command::Line(line::Command::ClaimPass)
}

fn party_id() -> PartyId {
    id(7)
}

fn invite(friend: u128) -> Command {
    Command::Party(party_id(), party::Command::InviteFriend { friend: person(friend) })
}

fn accept() -> Command {
    Command::Party(party_id(), party::Command::AcceptInvitation)
}

fn hold<const N: usize>(number: u128, numbers: [u32; N]) -> Command {
    Command::Performance(Seats::HoldSeats { hold: hold_id(number), seats: seats(numbers) })
}

fn book(number: u128) -> Command {
    Command::Performance(Seats::Book { booking: booking_id(number), hold: hold_id(number) })
}

fn pay(number: u128) -> Command {
    Command::Performance(Seats::Pay { payment: payment_id(number), booking: booking_id(number), method: Means::Socketpay })
}

fn confirm(number: u128) -> Command {
    Command::Performance(Seats::ConfirmPayment { payment: payment_id(number), refund: refund_id(number) })
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::event_type).collect()
}

/// A hall whose sale has just opened.
fn open() -> World {
    let mut world = World::on_sale(curtain());
    world.now = opening();
    world
}

/// Persons 1 and 2 as a party, before the line.
fn with_party() -> World {
    let mut world = open();
    world.ask(fan(1), invite(2)).unwrap();
    world.ask(fan(2), accept()).unwrap();
    world
}

#[track_caller]
fn reason<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> Reason {
    outcome.expect_err("it should be refused").reason
}

#[test]
fn two_friends_wait_hold_book_pay_and_cancel() {
    let mut world = with_party();
    let (events, reply) = world.ask(fan(1), join(1, Some(party_id()))).unwrap();
    assert_eq!(names(&events), ["PartyFrozen", "QueueJoined", "EntryAdmitted"]);
    let Reply::Entry(entry) = reply else { panic!("{reply:?}") };
    assert_eq!((entry.state, entry.number, entry.members), (EntryState::Inside, 1, vec![person(1), person(2)]));

    let (_, reply) = world.ask(fan(2), hold(1, [3, 16])).unwrap();
    let Reply::Hold(held) = reply else { panic!("{reply:?}") };
    assert_eq!((held.total.get(), held.members), (PRICES[0] + PRICES[1], vec![person(2), person(1)]));

    let (_, reply) = world.ask(fan(2), book(1)).unwrap();
    let Reply::Booking(booking) = reply else { panic!("{reply:?}") };
    assert_eq!(booking.lines.iter().map(|line| line.holder).collect::<Vec<_>>(), [person(2), person(1)]);

    let (_, reply) = world.ask(fan(2), pay(1)).unwrap();
    let Reply::Payment(payment) = reply else { panic!("{reply:?}") };
    assert_eq!((payment.state, payment.amount), (PaymentState::InFlight, booking.total));
    assert_eq!(names(&world.ask(SYSTEM, confirm(1)).unwrap().0), ["SeatsSold"]);
    let (_, reply) = world.ask(fan(2), pay(1)).unwrap();
    assert!(matches!(reply, Reply::Payment(payment) if payment.state == PaymentState::Succeeded), "a replay shows how it stands now");

    let depart = Command::Line(line::Command::Depart { account: person(2) });
    assert_eq!(names(&world.ask(SYSTEM, depart).unwrap().0), ["EntryDeparted"]);
    assert_eq!(reason(world.ask(fan(2), hold(2, [4]))), Reason::NotAdmitted);

    let cancel = Command::Performance(Seats::Cancel { booking: booking_id(1), refund: refund_id(1) });
    let (events, reply) = world.ask(fan(2), cancel).unwrap();
    assert_eq!(names(&events), ["BookingCancelled", "RefundDue"]);
    let Reply::Booking(booking) = reply else { panic!("{reply:?}") };
    assert_eq!((booking.state, booking.refund.unwrap().amount), (BookingState::Cancelled, booking.total));
    world.check_folds();
}

#[test]
fn a_seat_is_held_only_by_people_inside() {
    let mut world = open();
    assert_eq!(reason(world.ask(fan(1), hold(1, [0]))), Reason::NotAdmitted);
    (1..=4).for_each(|who| _ = world.ask(fan(who), join(who, None)).unwrap());
    world.ask(fan(1), hold(1, [0])).unwrap();
    assert_eq!(reason(world.ask(fan(4), hold(4, [1]))), Reason::NotAdmitted, "who waits");
    world.now = at(500);
    assert_eq!(reason(world.ask(fan(1), hold(11, [1]))), Reason::NotAdmitted, "whose visit ran out, though no timer ran");
    assert_eq!(names(&world.tick())[..2], ["HoldReleased", "EntryDeparted"]);
    assert_eq!(reason(world.ask(fan(4), hold(4, [0]))), Reason::NotAdmitted, "who was called and hasn't claimed the pass");
    world.ask(fan(4), claim()).unwrap();
    world.ask(fan(4), hold(4, [0])).unwrap();
    world.ask(fan(4), leave()).unwrap();
    assert_eq!(reason(world.ask(fan(4), hold(5, [1]))), Reason::NotAdmitted, "who left");
}

#[test]
fn who_leaves_lets_the_seats_go_at_once() {
    let mut world = open();
    world.ask(fan(1), join(1, None)).unwrap();
    world.ask(fan(1), hold(1, [0, 1])).unwrap();
    let (events, reply) = world.ask(fan(1), leave()).unwrap();
    assert_eq!(names(&events), ["HoldReleased", "EntryDeparted"]);
    let Event::Performance(seats_of::Event::HoldReleased { reason: Release::Released, .. }) = events[0] else { panic!("{events:?}") };
    let Event::WaitingRoom(line::Event::EntryDeparted { reason: Departure::Left, .. }) = events[1] else { panic!("{events:?}") };
    assert_eq!(reply, Reply::DONE);
    assert_eq!(reason(world.ask(fan(1), leave())), Reason::NotInLine);
    world.ask(fan(2), join(2, None)).unwrap();
    world.ask(fan(2), hold(2, [0, 1])).unwrap();
    world.now = at(100);
    let (events, _) = world.ask(fan(2), leave()).unwrap();
    let Event::Performance(seats_of::Event::HoldReleased { reason: Release::Expired, .. }) = events[0] else { panic!("{events:?}") };
}

#[test]
fn who_is_gone_from_the_page_frees_the_place_and_the_seats_and_who_waits_keeps_the_place() {
    let mut world = open();
    (1..=4).for_each(|who| _ = world.ask(fan(who), join(who, None)).unwrap());
    world.ask(fan(1), hold(1, [0, 1])).unwrap();
    let away = |who| Command::Line(line::Command::SendAway { account: person(who) });
    let (events, _) = world.ask(SYSTEM, away(1)).unwrap();
    assert_eq!(names(&events), ["HoldReleased", "EntryDeparted"]);
    assert!(world.ask(SYSTEM, away(1)).unwrap().0.is_empty() && world.ask(SYSTEM, away(4)).unwrap().0.is_empty());
    assert_eq!(reason(world.ask(fan(2), away(2))), Reason::Forbidden);
    assert_eq!(names(&world.tick()), ["EntryCalled"], "the next is called at once");
    assert_eq!(names(&world.ask(SYSTEM, away(4)).unwrap().0), ["EntryDeparted"], "who is called and isn't there");
    world.check_folds();
}

#[test]
fn who_is_evicted_loses_the_seats_that_are_held() {
    let mut world = open();
    world.ask(fan(1), join(1, None)).unwrap();
    world.ask(fan(1), hold(1, [0, 1])).unwrap();
    let evict = Command::Line(line::Command::Evict { account: person(1), reason: "a robot".to_owned() });
    let (events, _) = world.ask(fan(9), evict).unwrap();
    assert_eq!(names(&events), ["HoldReleased", "EvictionOrdered", "EntryDeparted"]);
    let Event::WaitingRoom(line::Event::EntryDeparted { reason: Departure::Evicted, .. }) = events[2] else { panic!("{events:?}") };
    world.check_folds();
}

#[test]
fn a_booking_outlives_the_visit() {
    let mut world = open();
    world.ask(fan(1), join(1, None)).unwrap();
    world.now = at(450);
    world.ask(fan(1), hold(1, [0])).unwrap();
    world.now = at(520);
    world.tick();
    assert!(world.hall().line().reply(person(1)).is_none());
    world.ask(fan(1), book(1)).unwrap();
    world.ask(fan(1), pay(1)).unwrap();
}

#[test]
fn nobody_gets_in_before_the_sale_opens_whoever_asks() {
    let mut world = World::on_sale(curtain());
    world.ask(fan(1), invite(2)).unwrap();
    for outcome in [world.ask(fan(3), join(3, None)), world.ask(fan(1), join(1, Some(party_id())))] {
        let refusal = outcome.unwrap_err();
        assert_eq!((refusal.reason, refusal.retry_at), (Reason::SaleNotOpen, Some(opening())));
    }
    assert_eq!(reason(world.ask(fan(3), hold(1, [0]))), Reason::SaleNotOpen);
    assert!(!world.hall().party(party_id()).unwrap().is_frozen(), "a refusal changes nothing");
}

#[test]
fn nobody_gets_in_after_the_performance_began() {
    let mut world = with_party();
    world.now = curtain();
    assert_eq!(reason(world.ask(fan(3), join(3, None))), Reason::PerformanceStarted);
    assert_eq!(reason(world.ask(fan(1), invite(3))), Reason::PerformanceStarted);
    assert_eq!(reason(world.ask(fan(3), hold(1, [0]))), Reason::PerformanceStarted);
}

#[test]
fn a_performance_that_isnt_on_sale_has_no_line_and_no_parties() {
    let mut world = World::on_sale(curtain());
    world.unit = Unit::new(UnitId::Performance(performance()));
    world.now = opening();
    for command in [join(1, None), invite(2), hold(1, [0])] {
        assert_eq!(reason(world.ask(fan(1), command)), Reason::UnknownPerformance);
    }
    assert_eq!(world.unit.next_due(), None);
}

#[test]
fn a_party_waits_as_one_behind_its_leader() {
    let mut world = with_party();
    world.ask(fan(1), invite(3)).unwrap();
    assert_eq!(reason(world.ask(fan(2), join(2, Some(party_id())))), Reason::NotLeader);
    assert_eq!(reason(world.ask(fan(2), join(2, None))), Reason::InAnotherParty);
    assert_eq!(reason(world.ask(fan(1), join(1, None))), Reason::InAnotherParty);
    assert_eq!(reason(world.ask(fan(9), join(9, Some(party_id())))), Reason::NotLeader);
    assert_eq!(reason(world.ask(fan(9), join(9, Some(id(8))))), Reason::UnknownParty);
    world.ask(fan(1), join(1, Some(party_id()))).unwrap();
    for who in [1, 2] {
        let (events, reply) = world.ask(fan(who), join(who, None)).unwrap();
        assert!(events.is_empty() && matches!(reply, Reply::Entry(entry) if entry.members == [person(1), person(2)]));
    }
    assert_eq!(world.hall().line().reply(person(3)), None, "who is invited and hasn't accepted doesn't come along");
    assert_eq!(reason(world.ask(fan(3), accept())), Reason::PartyFrozen);
    world.ask(fan(3), join(3, None)).unwrap();
}

#[test]
fn a_frozen_party_may_wait_again() {
    let mut world = with_party();
    world.ask(fan(1), join(1, Some(party_id()))).unwrap();
    assert_eq!(reason(world.ask(fan(2), leave())), Reason::NotLeader);
    world.ask(fan(1), leave()).unwrap();
    let again = Command::Line(line::Command::JoinQueue { entry: id(150), party: Some(party_id()) });
    assert_eq!(names(&world.ask(fan(1), again).unwrap().0), ["QueueJoined", "EntryAdmitted"]);
    world.check_folds();
}

#[test]
fn one_is_in_one_party_or_in_the_line_alone() {
    let mut world = with_party();
    let other = |command| Command::Party(id(8), command);
    let invite_to_other = |friend| other(party::Command::InviteFriend { friend: person(friend) });
    assert_eq!(reason(world.ask(fan(1), invite_to_other(5))), Reason::InAnotherParty);
    assert_eq!(reason(world.ask(fan(2), invite_to_other(5))), Reason::InAnotherParty);
    world.ask(fan(4), invite_to_other(2)).unwrap();
    assert_eq!(reason(world.ask(fan(2), other(party::Command::AcceptInvitation))), Reason::InAnotherParty);
    world.ask(fan(4), invite_to_other(5)).unwrap();
    world.ask(fan(5), join(5, None)).unwrap();
    assert_eq!(reason(world.ask(fan(5), other(party::Command::AcceptInvitation))), Reason::InAnotherParty);
    world.ask(fan(2), Command::Party(party_id(), party::Command::LeaveParty)).unwrap();
    world.ask(fan(2), other(party::Command::AcceptInvitation)).unwrap();
    assert_eq!((world.hall().party_of(person(1)), world.hall().party_of(person(2))), (Some(party_id()), Some(id(8))));
    world.check_folds();
}

#[test]
fn the_line_moves_when_people_go_and_is_told_in_order() {
    let mut world = open();
    (1..=6).for_each(|who| _ = world.ask(fan(who), join(who, None)).unwrap());
    let ahead = |world: &World, who| world.hall().line().reply(person(who)).unwrap().ahead;
    assert_eq!((ahead(&world, 4), ahead(&world, 5), ahead(&world, 6)), (0, 1, 2));
    world.ask(fan(5), leave()).unwrap();
    assert_eq!(ahead(&world, 6), 1);
    assert!(world.tick().is_empty());
    world.ask(fan(2), leave()).unwrap();
    let Event::WaitingRoom(line::Event::EntryCalled { number: 4, .. }) = world.tick()[0] else { panic!("4 is the next") };
    assert_eq!(ahead(&world, 6), 0);
}

#[test]
fn set_up_may_be_repeated_and_only_by_the_system() {
    let mut world = open();
    assert_eq!(world.ask(SYSTEM, schedule(curtain())).unwrap(), (vec![], Reply::DONE));
    assert_eq!(world.ask(SYSTEM, open_line()).unwrap(), (vec![], Reply::DONE));
    assert_eq!(reason(world.ask(fan(1), schedule(curtain()))), Reason::Forbidden);
    assert_eq!(reason(world.ask(fan(1), open_line())), Reason::Forbidden);
    assert_eq!(reason(world.ask(SYSTEM, join(1, None))), Reason::Forbidden);
    assert_eq!(reason(world.ask(SYSTEM, invite(1))), Reason::Forbidden);
    assert_eq!(reason(world.ask(SYSTEM, leave())), Reason::Forbidden);
}

#[test]
fn a_command_for_another_kind_of_unit_is_refused() {
    let mut world = open();
    for command in commands().into_iter().take(3) {
        assert_eq!(reason(world.ask(SYSTEM, command)), Reason::Invalid);
    }
    world.unit = Unit::new(UnitId::Wallet(person(1)));
    assert_eq!(reason(world.ask(fan(1), join(1, None))), Reason::Invalid);
}

#[test]
fn small_units_are_asked_the_same_way() {
    let mut world = open();
    world.unit = Unit::new(UnitId::Wallet(person(1)));
    let (events, reply) = world.ask(SYSTEM, Command::Wallet(wallet::Command::OpenWallet { account: person(1) })).unwrap();
    assert_eq!((names(&events), reply), (vec!["WalletOpened"], Reply::DONE));
    world.unit = Unit::new(UnitId::Account(person(1)));
    let (events, _) = world.ask(SYSTEM, Command::Account(account::Command::OpenAccount { account: person(1) })).unwrap();
    assert_eq!((names(&events), world.unit.sequence(&StreamId::Account(person(1)))), (vec!["AccountOpened"], 1));
    assert_eq!((world.unit.next_due(), world.unit.due(at(99_999))), (None, vec![]));
}

#[test]
fn the_plan_is_wanted_where_seats_are_priced_or_shown() {
    let world = open();
    let wanted = |command: &Command| world.unit.plan_wanted(command);
    let hash = Some(PlanHash([7; 32]));
    assert_eq!((wanted(&hold(1, [0])), wanted(&book(1)), wanted(&schedule(curtain()))), (hash, hash, hash));
    assert_eq!((wanted(&join(1, None)), wanted(&pay(1)), wanted(&confirm(1)), wanted(&leave())), (None, None, None, None));
    let blank = Unit::new(UnitId::Performance(performance()));
    assert_eq!((blank.plan_wanted(&hold(1, [0])), blank.plan_wanted(&schedule(curtain()))), (None, hash));
}

#[test]
#[should_panic(expected = "belongs to another unit")]
fn an_event_of_another_unit_is_not_believed() {
    let mut world = open();
    let (_, event) = world.log[0].clone();
    world.unit.apply(&StreamId::Performance(id(99)), &event);
}

#[test]
fn aggregates_and_streams_have_the_same_names() {
    use cqrs_es::Aggregate;
    let streams = [
        StreamId::Account(id(5)),
        StreamId::Wallet(id(5)),
        StreamId::Show(id(5)),
        StreamId::WaitingRoom(id(5)),
        StreamId::Party(id(5), id(6)),
        StreamId::Performance(id(5)),
    ];
    let (first, second) =
        ([account::Account::TYPE, wallet::Wallet::TYPE, shows::Show::TYPE], [line::WaitingRoom::TYPE, party::Party::TYPE]);
    let aggregates = first.into_iter().chain(second).chain([seats_of::Performance::TYPE]);
    assert!(streams.iter().map(StreamId::aggregate_type).eq(aggregates));
}

#[test]
fn units_and_streams_have_names() {
    for number in 0..300 {
        let performance = UnitId::Performance(id(number));
        assert!(performance.shard() < SHARDS);
        assert_eq!(performance.shard(), (number % 128) as u16);
        for unit in [UnitId::Account(id(number)), UnitId::Wallet(id(number)), UnitId::Show(id(number)), performance] {
            assert_eq!(UnitId::parse(unit.kind(), unit.id()), Some(unit));
        }
    }
    assert_eq!(UnitId::parse("party", person(1).0), None);
    let of_performance = [StreamId::Performance(id(5)), StreamId::WaitingRoom(id(5)), StreamId::Party(id(5), id(6))];
    assert!(of_performance.iter().all(|stream| stream.unit() == UnitId::Performance(id(5))));
    let others = [StreamId::Account(id(5)), StreamId::Wallet(id(5)), StreamId::Show(id(5))];
    for stream in of_performance.iter().chain(&others) {
        assert_eq!(StreamId::parse(stream.aggregate_type(), &stream.aggregate_id()).as_ref(), Some(stream));
    }
    assert_eq!(others.map(|stream| stream.unit()), [UnitId::Account(id(5)), UnitId::Wallet(id(5)), UnitId::Show(id(5))]);
    for (kind, name) in [
        ("nothing", id::<PartyId>(5).to_string()),
        ("show", "five".into()),
        ("party", id::<PartyId>(5).to_string()),
        ("party", "a/b".into()),
    ] {
        assert_eq!(StreamId::parse(kind, &name), None);
    }
    assert_eq!(StreamId::Wallet(id(0x1ff)).subject("WalletOpened"), "booking.wallet.255.WalletOpened");
    assert_eq!(StreamId::Party(id(5), id(0x101)).subject("PartyFormed"), "booking.party.1.PartyFormed");
    assert_eq!(StreamId::Show(id(5)).subject("ShowDrafted"), format!("booking.show.{}.ShowDrafted", id::<PartyId>(5)));
}

/// One of each command, those of other units first.
fn commands() -> Vec<Command> {
    let organiser_details = shows::Details {
        title: shows::Text { ko: "극".to_owned(), en: None },
        venue: shows::Text::default(),
        plan: PlanHash([7; 32]),
        dates: vec![],
        prices: vec![],
        sale_opens_at: opening(),
        policies: shows::Policies::default(),
    };
    let mut commands = vec![
        Command::Account(account::Command::OpenAccount { account: person(1) }),
        Command::Wallet(wallet::Command::OpenWallet { account: person(1) }),
        Command::Show(shows::Command::CreateShow { show: show(), details: organiser_details }),
        Command::Account(account::Command::GrantRole { role: account::Role::Operator }),
        Command::Account(account::Command::RequestFriend { friend: person(2) }),
        Command::Account(account::Command::DismissFriend { friend: person(2) }),
        Command::Account(account::Command::AllowSuggestions { allowed: true }),
        Command::Wallet(wallet::Command::Charge {
            payment: payment_id(1),
            performance: performance(),
            booking: booking_id(1),
            amount: crate::common::won(5),
        }),
        Command::Wallet(wallet::Command::Refund { refund: refund_id(1), payment: payment_id(1), amount: crate::common::won(5) }),
        Command::Show(shows::Command::PublishShow),
        schedule(curtain()),
        open_line(),
        join(1, None),
        join(1, Some(party_id())),
        leave(),
        Command::Line(line::Command::Depart { account: person(1) }),
        invite(2),
        accept(),
        Command::Party(party_id(), party::Command::DeclineInvitation),
        Command::Party(party_id(), party::Command::LeaveParty),
        hold(1, [0, 1]),
        book(1),
        pay(1),
        confirm(1),
    ];
    let reason = || "a test".to_owned();
    commands.extend(
        [
            line::Command::CommitDraw { commitment: Digest([1; 32]) },
            line::Command::RevealSeed { seed: Digest([2; 32]) },
            line::Command::GiveBeacon { value: "7".to_owned(), source: "a lottery".to_owned() },
            line::Command::LoseSeed { kept: Some(Digest([3; 32])), beacon_source: "a lottery".to_owned(), reason: reason() },
            line::Command::ClaimPass,
            line::Command::SendAway { account: person(1) },
            line::Command::PauseLine { reason: reason() },
            line::Command::ResumeLine { reason: reason() },
            line::Command::DrainLine { reason: reason() },
            line::Command::ChangeLimits { capacity: 5, admissions_per_minute: Some(60), reason: reason() },
            line::Command::Evict { account: person(1), reason: reason() },
        ]
        .map(Command::Line),
    );
    commands.extend(
        [
            party::Command::FormParty { terms: party::Terms::default() },
            party::Command::WithdrawInvitation { friend: person(2) },
            party::Command::JoinParty,
            party::Command::ExpelMember { member: person(2) },
            party::Command::HandOver { member: person(2) },
        ]
        .map(|command| Command::Party(party_id(), command)),
    );
    commands.extend(
        [
            Seats::HoldBest { hold: hold_id(1), wishes: Wishes { near: Some(SeatIndex(4)), ..Wishes::of(2) } },
            Seats::ClaimSeat { hold: hold_id(1), seat: SeatIndex(4) },
            Seats::ExtendHold { hold: hold_id(1) },
            Seats::ReleaseHold { hold: hold_id(1) },
            Seats::FailPayment { payment: payment_id(1), reason: "insufficient_funds".to_owned() },
            Seats::Cancel { booking: booking_id(1), refund: refund_id(1) },
            Seats::CompleteRefund { refund: refund_id(1) },
        ]
        .map(Command::Performance),
    );
    commands
}

#[test]
fn every_command_is_written_and_read_again_under_its_name() {
    let mut seen = HashSet::new();
    for command in commands() {
        let json = serde_json::to_value(&command).unwrap();
        assert_eq!(serde_json::from_value::<Command>(json.clone()).unwrap(), command, "{json}");
        let inner = if json.is_array() { &json[1] } else { &json };
        assert_eq!(inner["command"], command.name());
        seen.insert(command.name());
    }
    assert_eq!(seen.len(), 46, "every command is among them: {seen:?}");
}
