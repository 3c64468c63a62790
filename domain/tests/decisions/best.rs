//! Holding the best seats, single seats left alone, and how long a hold lasts however often one chooses.

use crate::common::{Given, at, curtain, fan, given, person, seats, won};
use crate::sale::{Question, booked, held, held_by, hold, hold_id, inside, outside, released, sale, scheduled};
use socketing_domain::performance::{Command, Event, Performance, Release};
use socketing_domain::refusal::Reason;
use socketing_domain::seating::{Adjacency, Kind, Wishes};
use socketing_domain::{Refusal, SeatIndex};

fn best(number: u128, wishes: Wishes) -> Command {
    Command::HoldBest { hold: hold_id(number), wishes }
}

fn wishes(people: i64) -> Wishes {
    Wishes { people, ..Wishes::default() }
}

fn asks(people: &[u128], number: u128, wishes: Wishes) -> Question {
    inside(people, at(5), best(number, wishes))
}

/// A performance by other rules, with more that happened.
fn sale_by(strict: bool, way: Adjacency, past: impl IntoIterator<Item = Event>) -> Given<Performance> {
    let mut scheduled = scheduled();
    if let Event::PerformanceScheduled { no_orphans, adjacency, .. } = &mut scheduled {
        (*no_orphans, *adjacency) = (strict, way);
    }
    given([scheduled].into_iter().chain(past))
}

fn blocks(refusal: &Refusal) -> Vec<Vec<SeatIndex>> {
    refusal.blocks.iter().map(|block| block.seats.clone()).collect()
}

#[test]
fn the_best_seats_are_held_whatever_others_have() {
    sale([]).when(asks(&[1], 1, wishes(2))).then([held(1, [3, 4], 5)]);
    sale([held(2, [3, 4], 0)]).when(asks(&[1], 1, wishes(2))).then([held(1, [1, 2], 5)]);
    sale([held(2, [11], 0)])
        .when(asks(&[1, 2, 3], 1, wishes(6)))
        .then([released(2, [11], Release::Replaced), held_by(&[1, 2, 3], 1, [1, 2, 3, 4, 5, 6], 5)]);
}

#[test]
fn wishes_are_kept_or_nothing_is_held() {
    let cheaper = Wishes { price_max: Some(won(100_000)), ..wishes(2) };
    sale([]).when(asks(&[1], 1, cheaper)).then([held(1, [19, 20], 5)]);
    sale([]).when(asks(&[1], 1, Wishes { near: Some(SeatIndex(15)), ..wishes(2) })).then([held(1, [14, 15], 5)]);
    sale([]).when(asks(&[1], 1, Wishes { wheelchairs: 1, ..wishes(2) })).then([held(1, [22, 23], 5)]);
    let too_cheap = Wishes { price_max: Some(won(1)), ..wishes(2) };
    assert_eq!(sale([]).when(asks(&[1], 1, too_cheap)).then_refused(Reason::NoBlock).blocks.to_vec(), []);
}

#[test]
fn a_split_block_is_held_only_if_that_was_wished() {
    let every_other = (0..12).map(|at| held(10 + at, [at as u32 * 2], 0));
    let scattered = sale(every_other);
    let together = Wishes { at_worst: Kind::Contiguous, ..wishes(2) };
    let refusal = scattered.when(asks(&[1], 1, together)).then_refused(Reason::NoBlock);
    assert!(!refusal.blocks.is_empty() && refusal.blocks.iter().all(|block| block.kind != Kind::Contiguous), "and says what there is");
    assert!(scattered.when(asks(&[1], 1, wishes(2))).accepted());
}

#[test]
fn numbers_that_cant_be_change_nothing() {
    for people in [0, -1, 65, 1_000_000_000, i64::MIN] {
        sale([]).when(asks(&[1], 1, wishes(people))).then_refused(Reason::SeatCount);
    }
    sale([]).when(asks(&[1], 1, wishes(3))).then_refused(Reason::SeatLimit);
    let unknown = sale([]).when(asks(&[1], 1, Wishes { near: Some(SeatIndex(24)), ..wishes(1) })).then_refused(Reason::UnknownSeat);
    assert_eq!(unknown.seats, seats([24]));
    sale([]).when(asks(&[1], 1, Wishes { category: Some(3), ..wishes(1) })).then_invalid("/category");
    sale([]).when(asks(&[1], 1, Wishes { area: Some(9), ..wishes(1) })).then_invalid("/area");
    sale([]).when(outside(fan(1), at(5), best(1, wishes(1)))).then_refused(Reason::NotAdmitted);
    sale([]).when(inside(&[1], at(-1), best(1, wishes(1)))).then_refused(Reason::SaleNotOpen);
    sale([]).when(inside(&[1], curtain(), best(1, wishes(1)))).then_refused(Reason::PerformanceStarted);
}

#[test]
fn the_same_hold_asked_for_again_is_the_same_seats() {
    let mine = sale([held(1, [3, 4], 0)]);
    mine.when(asks(&[1], 1, wishes(2))).then_nothing();
    mine.when(asks(&[1], 1, wishes(1))).then_nothing();
    mine.when(asks(&[2], 1, wishes(2))).then_refused(Reason::IdTaken);
    mine.when(inside(&[1], at(100), best(1, wishes(2)))).then_refused(Reason::IdTaken);
    mine.and([released(1, [3, 4], Release::Released)]).when(asks(&[1], 1, wishes(2))).then_refused(Reason::IdTaken);
}

#[test]
fn what_ran_out_can_be_had_and_ones_own_too() {
    let old = sale([held(2, [3, 4], 0)]);
    old.when(inside(&[1], at(100), best(1, wishes(2)))).then([released(2, [3, 4], Release::Expired), held(1, [3, 4], 100)]);
    let mine = sale([held(1, [3, 4], 0)]);
    mine.when(asks(&[1], 11, wishes(2))).then([released(1, [3, 4], Release::Replaced), held_by(&[1], 11, [3, 4], 0)]);
}

#[test]
fn choosing_the_same_seats_again_gives_no_more_time() {
    let mine = sale([held(1, [4], 0)]);
    let replaced = || released(1, [4], Release::Replaced);
    mine.when(inside(&[1], at(50), hold(11, [4]))).then([replaced(), held_by(&[1], 11, [4], 0)]);
    mine.when(inside(&[1], at(50), hold(11, [4, 5]))).then([replaced(), held_by(&[1], 11, [4, 5], 0)]);
    mine.when(inside(&[1], at(50), hold(11, [5]))).then([replaced(), held_by(&[1], 11, [5], 50)]);
    let let_go = mine.and([released(1, [4], Release::Released)]);
    let_go.when(inside(&[1], at(60), hold(11, [4]))).then([held_by(&[1], 11, [4], 0)]);
    let_go.when(inside(&[2], at(60), hold(12, [4]))).then([held_by(&[2], 12, [4], 60)]);
    let there = mine.and([replaced(), held_by(&[1], 11, [5], 50)]);
    let and_back = Event::HoldReleased { hold: hold_id(11), seats: seats([5]), reason: Release::Replaced };
    there.when(inside(&[1], at(60), hold(12, [4]))).then([and_back, held_by(&[1], 12, [4], 0)]);
    let ran_out = mine.and([released(1, [4], Release::Expired)]);
    ran_out.when(inside(&[1], at(100), hold(11, [4]))).then([held_by(&[1], 11, [4], 100)]);
}

#[test]
fn a_hold_is_extended_once_whatever_takes_its_place() {
    let until_200 = Event::SeatsHeld {
        hold: hold_id(11),
        account: person(1),
        party: None,
        members: vec![person(1)],
        seats: seats([4, 5]),
        expires_at: at(200),
        extended: true,
    };
    let extended = sale([held(1, [4], 0), Event::HoldExtended { hold: hold_id(1), expires_at: at(200) }]);
    let more = [released(1, [4], Release::Replaced), until_200];
    extended.when(inside(&[1], at(150), hold(11, [4, 5]))).then(more.clone());
    let extend = outside(fan(1), at(160), Command::ExtendHold { hold: hold_id(11) });
    extended.and(more).when(extend).then_refused(Reason::HoldExtendedAlready);
}

#[test]
fn a_single_seat_isnt_left_alone_where_the_show_says_so() {
    let strict = sale_by(true, Adjacency::Best, []);
    let refusal = strict.when(inside(&[1], at(5), hold(1, [1, 2]))).then_refused(Reason::SeatLeftAlone);
    assert_eq!(refusal.seats, seats([0]));
    assert!(refusal.blocks.len() == 5 && blocks(&refusal).contains(&seats([0, 1])), "{refusal:?}");
    assert!(refusal.blocks.iter().all(|block| block.kind == Kind::Contiguous && block.seats.len() == 2));
    strict.when(inside(&[1], at(5), hold(1, [0, 1]))).then([held(1, [0, 1], 5)]);
    sale([]).when(inside(&[1], at(5), hold(1, [1, 2]))).then([held(1, [1, 2], 5)]);
}

#[test]
fn leaving_a_seat_alone_is_allowed_where_nothing_of_that_size_avoids_it() {
    // Of the first category only threes and a single seat are left: two of three always leave one.
    let threes = [[3, 7], [11, 15]].into_iter().enumerate().map(|(at, taken)| held(10 + at as u128, taken, 0));
    let strict = sale_by(true, Adjacency::Best, threes);
    strict.when(inside(&[1], at(5), hold(1, [0, 1]))).then([held(1, [0, 1], 5)]);
    strict.when(inside(&[1], at(5), hold(1, [1]))).then_refused(Reason::SeatLeftAlone);
    strict.when(inside(&[1], at(5), hold(1, [2]))).then([held(1, [2], 5)]);
    let cheaper = strict.when(inside(&[1], at(5), hold(1, [17, 18]))).then_refused(Reason::SeatLeftAlone);
    assert!(blocks(&cheaper).iter().flatten().all(|seat| seat.0 >= 16), "never another price");
}

#[test]
fn the_best_seats_leave_nobody_alone_either() {
    let strict = sale_by(true, Adjacency::Best, [held(2, [2], 0)]);
    let near = Wishes { near: Some(SeatIndex(3)), at_worst: Kind::Contiguous, ..wishes(2) };
    let event = strict.when(asks(&[1], 1, near)).only_event();
    let Event::SeatsHeld { seats, .. } = event else { panic!("{event:?}") };
    assert!(strict.when(inside(&[1], at(5), Command::HoldSeats { hold: hold_id(1), seats })).accepted());
}

#[test]
fn the_2024_rule_starts_from_the_chosen_seat_which_must_be_free() {
    let original = |past: Vec<Event>| sale_by(false, Adjacency::Original, past);
    let from = |seat: u32, people: i64| Wishes { near: Some(SeatIndex(seat)), ..wishes(people) };
    original(vec![]).when(asks(&[1], 1, from(0, 2))).then([held(1, [0, 1], 5)]);
    original(vec![held(2, [6], 0)]).when(asks(&[1, 3], 1, from(7, 3))).then([held_by(&[1, 3], 1, [7, 15, 14], 5)]);
    let taken = original(vec![held(2, [6], 0)]).when(asks(&[1], 1, from(6, 2))).then_refused(Reason::SeatTaken);
    assert_eq!((taken.seats, taken.cause), (seats([6]), Some(2)));
    let ran_out = original(vec![held(2, [6], 0)]);
    ran_out.when(inside(&[1], at(100), best(1, from(6, 2)))).then([released(2, [6], Release::Expired), held(1, [6, 7], 100)]);
}

#[test]
fn when_seats_are_taken_as_many_together_are_named() {
    let others = sale([held(2, [4], 0)]);
    let refusal = others.when(inside(&[1], at(5), hold(1, [3, 4]))).then_refused(Reason::SeatTaken);
    assert_eq!(blocks(&refusal)[0], seats([2, 3]));
    assert!(refusal.blocks.iter().all(|block| block.total == won(220_000)));
    let single = others.when(inside(&[1], at(5), hold(1, [4]))).then_refused(Reason::SeatTaken);
    assert_eq!(single.blocks.to_vec(), [], "for one seat there are the alternatives");
}

#[test]
fn bookings_count_against_the_limit_of_the_best_too() {
    let one_booked = sale([held(1, [4], 0), booked(1, [4], 10)]);
    one_booked.when(inside(&[1], at(20), best(11, wishes(2)))).then_refused(Reason::SeatLimit);
    assert!(one_booked.when(inside(&[1], at(20), best(11, wishes(1)))).accepted());
}
