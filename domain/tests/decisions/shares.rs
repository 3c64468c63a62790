//! A party's block: claimed seat by seat, paid by shares, and given back together.

use crate::common::{SYSTEM, curtain, fan, id, opening, person, seats};
use crate::sale::{booking_id, hold_id, payment_id, refund_id};
use crate::world::World;
use socketing_domain::event::Event;
use socketing_domain::party::{self, Pays, Picks, Terms};
use socketing_domain::performance::{Cancellation, Command as Seats, Event as OfSeats, Means, SeatState};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::{BookingState, Reply, SharesReply};
use socketing_domain::unit::Command;
use socketing_domain::{BookingId, PartyId, Refusal, SeatIndex, waiting_room as line};
use uuid::Uuid;

fn party_id() -> PartyId {
    id(7)
}

fn of_party(command: party::Command) -> Command {
    Command::Party(party_id(), command)
}

/// The booking of the share at this place.
fn share(at: u128) -> BookingId {
    BookingId(Uuid::from_u128(booking_id(1).0.as_u128() ^ at))
}

fn hold<const N: usize>(numbers: [u32; N]) -> Command {
    Command::Performance(Seats::HoldSeats { hold: hold_id(1), seats: seats(numbers) })
}

fn claim(seat: u32) -> Command {
    Command::Performance(Seats::ClaimSeat { hold: hold_id(1), seat: SeatIndex(seat) })
}

fn book() -> Command {
    Command::Performance(Seats::Book { booking: booking_id(1), hold: hold_id(1) })
}

fn pay(at: u128) -> Command {
    Command::Performance(Seats::Pay { payment: payment_id(at), booking: share(at), method: Means::Socketpay })
}

fn confirm(at: u128) -> Command {
    Command::Performance(Seats::ConfirmPayment { payment: payment_id(at), refund: refund_id(at) })
}

fn fail(at: u128) -> Command {
    Command::Performance(Seats::FailPayment { payment: payment_id(at), reason: "declined".to_owned() })
}

fn cancel(at: u128) -> Command {
    Command::Performance(Seats::Cancel { booking: share(at), refund: refund_id(at) })
}

/// Three people who agreed on this are inside: person 1 leads.
fn inside(picks: Picks, pays: Pays) -> World {
    let mut world = World::on_sale(curtain());
    world.now = opening();
    world.ask(fan(1), of_party(party::Command::FormParty { terms: Terms { picks, pays } })).unwrap();
    world.ask(fan(2), of_party(party::Command::JoinParty)).unwrap();
    world.ask(fan(3), of_party(party::Command::JoinParty)).unwrap();
    let join = line::Command::JoinQueue { entry: id(100), party: Some(party_id()) };
    world.ask(fan(1), Command::Line(join)).unwrap();
    world
}

/// They booked seats 2, 3 and 4 by shares: persons 1, 2 and 3.
fn shared(pays: Pays) -> World {
    let mut world = inside(Picks::Anyone, pays);
    world.ask(fan(1), hold([2, 3, 4])).unwrap();
    world.ask(fan(1), book()).unwrap();
    world
}

fn paid(world: &mut World, at: u128) {
    world.ask(fan(at + 1), pay(at)).unwrap();
    world.ask(SYSTEM, confirm(at)).unwrap();
}

fn states(world: &World) -> Vec<BookingState> {
    shares(world).shares.iter().map(|share| share.state).collect()
}

fn shares(world: &World) -> SharesReply {
    world.hall().performance().shares_reply(share(1), person(1)).unwrap()
}

fn free(world: &World) -> Vec<u32> {
    let all = world.hall().performance().seats().enumerate();
    all.filter(|(_, state)| *state == SeatState::Free).map(|(at, _)| at as u32).filter(|at| *at < 8).collect()
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::event_type).collect()
}

#[track_caller]
fn refused<T>(outcome: Result<T, Refusal>, reason: Reason) {
    assert_eq!(outcome.map(drop).unwrap_err().reason, reason);
}

#[test]
fn everyone_gets_a_share_of_their_own() {
    use BookingState::{Paid, Paying, Unpaid};
    let mut world = inside(Picks::Anyone, Pays::Shares);
    world.ask(fan(2), hold([2, 3, 4])).unwrap();
    let (events, reply) = world.ask(fan(2), book()).unwrap();
    assert_eq!(names(&events), ["SeatsBooked", "SeatsBooked", "SeatsBooked", "SharesOpened"]);
    let Reply::Booking(own) = reply else { panic!("{reply:?}") };
    assert_eq!((own.booking_id, own.lines[0].holder, own.lines[0].seat), (share(0), person(2), SeatIndex(2)), "who books is first");
    assert_eq!(world.ask(fan(2), book()).unwrap().0, [], "asked again, the same answer");
    refused(world.ask(fan(1), book()), Reason::IdTaken);

    let owners: Vec<_> = shares(&world).shares.iter().map(|share| share.account).collect();
    assert_eq!(owners, [person(2), person(1), person(3)]);
    assert_eq!(world.hall().performance().shares_reply(share(0), person(9)), None, "nobody else sees them");
    refused(world.ask(fan(1), pay(0)), Reason::Forbidden);
    world.ask(fan(2), pay(0)).unwrap();
    assert_eq!(states(&world), [Paying, Unpaid, Unpaid]);
    world.ask(SYSTEM, confirm(0)).unwrap();
    for (at, who) in [(1, 1), (2, 3)] {
        world.ask(fan(who), pay(at)).unwrap();
        world.ask(SYSTEM, confirm(at)).unwrap();
    }
    assert_eq!(states(&world), [Paid, Paid, Paid]);
    world.now = world.now.plus_seconds(1_000);
    assert!(names(&world.tick()).iter().all(|name| *name == "EntryDeparted"), "what is sold stays sold");
}

#[test]
fn at_the_deadline_unpaid_seats_go_back_and_the_others_move_together() {
    let mut world = shared(Pays::Shares);
    paid(&mut world, 0);
    paid(&mut world, 2);
    world.now = world.now.plus_seconds(300);
    refused(world.ask(fan(2), pay(1)), Reason::BookingExpired);
    let events = world.tick();
    assert_eq!(names(&events), ["SharesReseated", "BookingCancelled"]);
    assert_eq!(free(&world), [0, 1, 4, 5, 6, 7], "2 and 3 stay together, and 4 isn't alone");
    let seats: Vec<_> = shares(&world).shares.iter().map(|share| share.seats.clone()).collect();
    assert_eq!(seats, [vec![SeatIndex(2)], vec![SeatIndex(4)], vec![SeatIndex(3)]]);
    world.check_folds();
    world.ask(fan(3), cancel(2)).unwrap();
    assert_eq!(free(&world), [0, 1, 3, 4, 5, 6, 7]);
}

#[test]
fn a_payment_in_flight_at_the_deadline_keeps_its_seat_until_its_outcome() {
    use BookingState::{Expired, Paid, Paying};
    let mut world = shared(Pays::Shares);
    world.ask(fan(2), pay(1)).unwrap();
    world.ask(fan(3), pay(2)).unwrap();
    world.now = world.now.plus_seconds(300);
    world.tick();
    assert_eq!(states(&world), [Expired, Paying, Paying]);
    world.ask(SYSTEM, confirm(1)).unwrap();
    world.ask(SYSTEM, fail(2)).unwrap();
    world.tick();
    assert_eq!(states(&world), [Expired, Paid, Expired]);
    let (late, _) = world.ask(SYSTEM, confirm(2)).unwrap();
    assert_eq!(names(&late), ["RefundDue"], "what comes too late goes back");
}

#[test]
fn all_stand_or_fall_together_and_every_share_is_refunded_once() {
    use BookingState::{Expired, Paid, Paying};
    let mut world = shared(Pays::AllOrNone);
    paid(&mut world, 0);
    refused(world.ask(fan(1), cancel(0)), Reason::SharesOpen);
    refused(world.ask(fan(3), cancel(2)), Reason::SharesOpen);
    world.ask(fan(2), pay(1)).unwrap();
    world.now = world.now.plus_seconds(300);
    world.tick();
    assert_eq!(states(&world), [Paid, Paying, BookingState::Unpaid], "an outcome is waited for");
    world.ask(SYSTEM, confirm(1)).unwrap();
    let events = world.tick();
    let of_seats = events.iter().filter(|event| matches!(event, Event::Performance(_))).cloned().collect::<Vec<_>>();
    assert_eq!(names(&of_seats), ["BookingCancelled", "RefundDue", "BookingCancelled", "RefundDue", "BookingCancelled"]);
    let reason = |event: &Event| match event {
        Event::Performance(OfSeats::BookingCancelled { reason, .. }) => Some(*reason),
        _ => None,
    };
    let reasons: Vec<_> = of_seats.iter().filter_map(reason).collect();
    assert_eq!(reasons, [Cancellation::OtherShareUnpaid, Cancellation::OtherShareUnpaid, Cancellation::Expired]);
    assert_eq!(states(&world), [Expired, Expired, Expired]);
    assert_eq!(free(&world), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(world.ask(SYSTEM, confirm(0)).unwrap().0, [], "refunded once");
}

#[test]
fn shares_that_are_all_paid_are_everyones_own() {
    let mut world = shared(Pays::AllOrNone);
    (0..3).for_each(|at| paid(&mut world, at));
    world.now = world.now.plus_seconds(300);
    world.tick();
    assert_eq!(states(&world), [BookingState::Paid; 3]);
    let (events, _) = world.ask(fan(2), cancel(1)).unwrap();
    assert_eq!(names(&events), ["BookingCancelled", "RefundDue"]);
}

#[test]
fn members_claim_their_seats() {
    let mut world = inside(Picks::Anyone, Pays::Chooser);
    world.ask(fan(1), hold([2, 3, 4])).unwrap();
    world.ask(fan(3), claim(2)).unwrap();
    assert_eq!(world.ask(fan(3), claim(2)).unwrap().0, []);
    refused(world.ask(fan(1), claim(2)), Reason::SeatClaimed);
    refused(world.ask(fan(1), claim(7)), Reason::UnknownSeat);
    refused(world.ask(fan(4), claim(3)), Reason::Forbidden);
    world.ask(fan(3), claim(4)).unwrap();
    world.ask(fan(2), claim(2)).unwrap();
    let live = world.hall().performance().live_hold_of(person(1), world.now).unwrap();
    let claims: Vec<_> = live.claims.iter().map(|claim| (claim.account, claim.seat.0)).collect();
    assert_eq!(claims, [(person(3), 4), (person(2), 2)], "the last choice counts");
    let (_, reply) = world.ask(fan(1), book()).unwrap();
    let Reply::Booking(booking) = reply else { panic!("{reply:?}") };
    let holders: Vec<_> = booking.lines.iter().map(|line| (line.seat.0, line.holder)).collect();
    assert_eq!(holders, [(2, person(2)), (3, person(1)), (4, person(3))]);
    world.now = world.now.plus_seconds(1);
    refused(world.ask(fan(1), claim(3)), Reason::UnknownHold);
}

#[test]
fn a_claim_after_the_hold_ran_out_is_refused() {
    let mut world = inside(Picks::Anyone, Pays::Chooser);
    world.ask(fan(1), hold([2])).unwrap();
    world.now = world.now.plus_seconds(100);
    refused(world.ask(fan(2), claim(2)), Reason::HoldExpired);
}

#[test]
fn the_leader_picks_where_the_party_agreed_on_it() {
    let mut world = inside(Picks::Leader, Pays::Shares);
    refused(world.ask(fan(2), hold([2, 3, 4])), Reason::NotLeader);
    world.ask(fan(1), hold([2, 3, 4])).unwrap();
}

#[test]
fn the_leader_pays_where_the_party_agreed_on_it() {
    let mut world = inside(Picks::Anyone, Pays::Leader);
    world.ask(fan(2), hold([2, 3, 4])).unwrap();
    refused(world.ask(fan(2), book()), Reason::NotLeader);
    let (events, _) = world.ask(fan(1), book()).unwrap();
    assert_eq!(names(&events), ["SeatsBooked"]);
    world.ask(fan(1), pay(0)).unwrap();
}

#[test]
fn a_partys_limit_is_the_sum_of_its_members() {
    let mut world = inside(Picks::Anyone, Pays::Shares);
    refused(world.ask(fan(1), hold([0, 1, 2, 3, 4, 5, 6])), Reason::SeatLimit);
    world.ask(fan(1), hold([0, 1, 2, 3, 4, 5])).unwrap();
    world.ask(fan(1), book()).unwrap();
    let seats: Vec<usize> = shares(&world).shares.iter().map(|share| share.seats.len()).collect();
    assert_eq!(seats, [4, 1, 1], "what is left over is for whoever booked");
}

#[test]
fn a_party_that_nobody_takes_into_the_line_ends() {
    let mut world = World::on_sale(curtain());
    world.ask(fan(1), of_party(party::Command::FormParty { terms: Terms::default() })).unwrap();
    world.now = opening().plus_seconds(86_399);
    assert!(world.tick().is_empty());
    world.now = world.now.plus_seconds(1);
    assert_eq!(names(&world.tick()), ["PartyEnded"]);
    refused(world.ask(fan(2), of_party(party::Command::JoinParty)), Reason::PartyEnded);
    assert_eq!(world.hall().party_of(person(1)), None, "its people are free");
    world.check_folds();
}

#[test]
fn a_party_whose_place_is_gone_may_change_again() {
    let mut world = inside(Picks::Anyone, Pays::Shares);
    refused(world.ask(fan(4), of_party(party::Command::JoinParty)), Reason::PartyFrozen);
    world.ask(fan(1), Command::Line(line::Command::LeaveQueue)).unwrap();
    let (events, _) = world.ask(fan(3), of_party(party::Command::LeaveParty)).unwrap();
    assert_eq!(names(&events), ["PartyThawed", "MemberLeft"]);
    let join = line::Command::JoinQueue { entry: id(101), party: Some(party_id()) };
    let (events, _) = world.ask(fan(1), Command::Line(join)).unwrap();
    assert_eq!(names(&events), ["PartyFrozen", "QueueJoined", "EntryAdmitted"]);
    world.check_folds();
}
