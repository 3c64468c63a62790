use crate::common::{PRICES, SYSTEM, at, curtain, fan, given, id, opening, person, plan, policies, price, seats, show};
use crate::sale::{
    booked, booked_for, booking_id, cancelled, failed, held, held_by, hold, hold_id, inside, lines, outside, paying, released, sale,
    scheduled, sold, started, system, unpaid,
};
use socketing_domain::performance::{Cancellation, Command, Event, OwnedFacts, Performance, Release};
use socketing_domain::plan::PlanHash;
use socketing_domain::refusal::Reason;
use socketing_domain::show::Policies;
use socketing_domain::{SeatIndex, Timestamp};

fn schedule() -> Command {
    Command::Schedule {
        show: show(),
        plan: PlanHash([7; 32]),
        starts_at: curtain(),
        sale_opens_at: opening(),
        prices: vec![price("S", PRICES[1]), price("R", PRICES[0])],
        policies: policies(),
    }
}

#[test]
fn a_performance_is_scheduled_by_the_system_once() {
    let unknown = given::<Performance>([]);
    unknown.when(system(at(0), schedule())).then([scheduled()]);
    unknown.when(outside(fan(1), at(0), schedule())).then_refused(Reason::Forbidden);
    sale([]).when(system(at(0), schedule())).then_nothing();
    let Command::Schedule { plan: hash, starts_at, sale_opens_at, prices, policies, .. } = schedule() else { unreachable!() };
    let other = Command::Schedule { show: id(99), plan: hash, starts_at, sale_opens_at, prices, policies };
    sale([]).when(system(at(0), other)).then_refused(Reason::IdTaken);
}

#[test]
fn a_schedule_is_checked_like_a_show() {
    let with = |change: fn(&mut Command)| {
        let mut command = schedule();
        change(&mut command);
        given::<Performance>([]).when(system(at(0), command))
    };
    with(|command| {
        if let Command::Schedule { prices, .. } = command {
            prices.clear()
        }
    })
    .then_invalid("/prices");
    with(|command| {
        if let Command::Schedule { policies, .. } = command {
            *policies = Policies { capacity: 0, ..*policies }
        }
    })
    .then_invalid("/policies/capacity");
    with(|command| {
        if let Command::Schedule { sale_opens_at, starts_at, .. } = command {
            *sale_opens_at = *starts_at
        }
    })
    .then_invalid("/sale_opens_at");
    let mut without_plan = system(at(0), schedule());
    without_plan.facts = OwnedFacts::default();
    given::<Performance>([]).when(without_plan).then_invalid("/plan");
}

#[test]
fn seats_are_held_for_everyone_on_the_place() {
    sale([]).when(inside(&[1], at(5), hold(1, [4, 3]))).then([held(1, [4, 3], 5)]);
    let mut by_the_second = inside(&[1, 2], at(5), hold(2, [0, 1, 2, 3]));
    by_the_second.actor = fan(2);
    sale([]).when(by_the_second).then([held_by(&[2, 1], 2, [0, 1, 2, 3], 5)]);
}

#[test]
fn seats_are_held_while_the_sale_is_open_and_by_people_inside() {
    let before = Timestamp::from_millis(opening().as_millis() - 1);
    let refusal = sale([]).when(inside(&[1], before, hold(1, [4]))).then_refused(Reason::SaleNotOpen);
    assert_eq!(refusal.retry_at, Some(opening()));
    sale([]).when(inside(&[1], opening(), hold(1, [4]))).then([held(1, [4], 0)]);
    sale([]).when(inside(&[1], curtain(), hold(1, [4]))).then_refused(Reason::PerformanceStarted);
    given::<Performance>([]).when(inside(&[1], at(0), hold(1, [4]))).then_refused(Reason::UnknownPerformance);
    sale([]).when(outside(fan(1), at(0), hold(1, [4]))).then_refused(Reason::NotAdmitted);
    sale([]).when(outside(SYSTEM, at(0), hold(1, [4]))).then_refused(Reason::Forbidden);
}

#[test]
fn what_is_asked_for_must_be_seats() {
    let ask = |numbers: Vec<u32>| {
        let seats = numbers.into_iter().map(SeatIndex).collect();
        sale([]).when(inside(&[1], at(0), Command::HoldSeats { hold: hold_id(1), seats }))
    };
    ask(vec![]).then_refused(Reason::NoSeats);
    assert_eq!(ask(vec![3, 24, 4_000_000_000]).then_refused(Reason::UnknownSeat).seats, seats([24, 4_000_000_000]));
    assert_eq!(ask(vec![3, 4, 3]).then_refused(Reason::SeatTwice).seats, seats([3]));
    ask((0..65).collect()).then_refused(Reason::SeatLimit);
}

#[test]
fn all_or_nothing_and_told_what_is_free_nearby() {
    let others = sale([held(2, [4, 5], 0), held(3, [3], 1)]);
    let refusal = others.when(inside(&[1], at(5), hold(1, [3, 2]))).then_refused(Reason::SeatTaken);
    assert_eq!(refusal.seats, seats([3]), "only what is taken");
    assert_eq!(refusal.cause, Some(3), "the third event took it");
    assert_eq!(refusal.alternatives, seats([11, 10, 12, 1, 9]), "nearest first, of the same category, none of those asked for");
    let refusal = others.when(inside(&[1], at(5), hold(1, [5, 4]))).then_refused(Reason::SeatTaken);
    assert_eq!((refusal.seats, refusal.cause), (seats([5, 4]), Some(2)));
}

#[test]
fn the_cause_is_what_took_the_seat_when_it_was_free() {
    let sold_since = unpaid().and([started(1, 1), sold(1, 1, [4])]);
    assert_eq!(sold_since.when(inside(&[2], at(20), hold(2, [4]))).then_refused(Reason::SeatTaken).cause, Some(2));
    let taken_again = sale([held(1, [4], 0), released(1, [4], Release::Released), held(2, [4], 9)]);
    assert_eq!(taken_again.when(inside(&[3], at(20), hold(3, [4]))).then_refused(Reason::SeatTaken).cause, Some(4));
}

#[test]
fn alternatives_are_of_the_same_category_first_and_for_the_same_kind_of_person() {
    let refusal = |taken: u32| {
        sale([held(2, [taken], 0)])
            .when(inside(&[1], at(5), Command::HoldSeats { hold: hold_id(1), seats: seats([taken]) }))
            .then_refused(Reason::SeatTaken)
    };
    assert_eq!(refusal(16).alternatives, seats([17, 18, 19, 20, 21]), "row by row though seat 8 of category R is as near");
    assert_eq!(refusal(23).alternatives, seats([]), "a chair is no alternative to a wheelchair's space");
    assert!(!refusal(22).alternatives.contains(&SeatIndex(23)));
    let last_of_s: Vec<Event> =
        (10..13).map(|person| held(person, [(person as u32 - 10) * 2 + 17, (person as u32 - 10) * 2 + 18], 0)).collect();
    let nearly_full = sale(last_of_s).and([held(2, [16], 0)]);
    let refusal = nearly_full.when(inside(&[1], at(5), hold(1, [16]))).then_refused(Reason::SeatTaken);
    assert_eq!(refusal.alternatives, seats([8, 9, 0, 1, 10]), "then the other category");
}

#[test]
fn a_seat_whose_time_ran_out_can_be_had_though_no_timer_ran() {
    let old = sale([held(2, [4, 5], 0), held(3, [6], 1)]);
    old.when(inside(&[1], at(99), hold(1, [4]))).then_refused(Reason::SeatTaken);
    old.when(inside(&[1], at(100), hold(1, [4]))).then([released(2, [4, 5], Release::Expired), held(1, [4], 100)]);
    old.when(inside(&[1], at(101), hold(1, [5, 6]))).then([
        released(2, [4, 5], Release::Expired),
        released(3, [6], Release::Expired),
        held(1, [5, 6], 101),
    ]);
    let refusal = old.when(inside(&[1], at(100), hold(1, [6]))).then_refused(Reason::SeatTaken);
    assert_eq!(refusal.alternatives[..2], seats([5, 7]), "and is named as free");
    unpaid().when(inside(&[2], at(309), hold(2, [4]))).then_refused(Reason::SeatTaken);
    unpaid().when(inside(&[2], at(310), hold(2, [4]))).then([cancelled(1, [4], Cancellation::Expired), held(2, [4], 310)]);
    paying().when(inside(&[2], at(310), hold(2, [4]))).then_refused(Reason::SeatTaken);
}

#[test]
fn ones_own_older_hold_goes_when_the_new_one_succeeds() {
    let mine = sale([held(1, [4, 5], 0), held(2, [6], 0)]);
    mine.when(inside(&[1], at(5), hold(11, [5, 7]))).then([released(1, [4, 5], Release::Replaced), held_by(&[1], 11, [5, 7], 0)]);
    mine.when(inside(&[1], at(5), hold(11, [7]))).then([released(1, [4, 5], Release::Replaced), held_by(&[1], 11, [7], 5)]);
    mine.when(inside(&[1], at(5), hold(11, [5, 6]))).then_refused(Reason::SeatTaken);
    mine.when(inside(&[1], at(100), hold(11, [5]))).then([released(1, [4, 5], Release::Expired), held_by(&[1], 11, [5], 100)]);
}

#[test]
fn a_party_has_one_hold_together() {
    let ours = sale([held(1, [0], 0), held(2, [1], 0)]);
    let mut by_the_second = inside(&[1, 2], at(5), hold(11, [0, 1, 2]));
    by_the_second.actor = fan(2);
    ours.when(by_the_second).then([
        released(1, [0], Release::Replaced),
        released(2, [1], Release::Replaced),
        held_by(&[2, 1], 11, [0, 1, 2], 0),
    ]);
    let together = sale([held_by(&[1, 2], 1, [0, 1], 0)]);
    let mut again = inside(&[1, 2], at(5), hold(11, [2]));
    again.actor = fan(2);
    together.when(again).then([released(1, [0, 1], Release::Replaced), held_by(&[2, 1], 11, [2], 5)]);
}

#[test]
fn the_limit_counts_bookings_and_tickets_of_everyone_together() {
    sale([]).when(inside(&[1], at(5), hold(1, [0, 1, 2]))).then_refused(Reason::SeatLimit);
    sale([]).when(inside(&[1, 2], at(5), hold(1, [0, 1, 2, 3]))).then([held_by(&[1, 2], 1, [0, 1, 2, 3], 5)]);
    sale([]).when(inside(&[1, 2], at(5), hold(1, [0, 1, 2, 3, 4]))).then_refused(Reason::SeatLimit);
    let one_unpaid = unpaid();
    one_unpaid.when(inside(&[1], at(20), hold(11, [0, 1]))).then_refused(Reason::SeatLimit);
    one_unpaid.when(inside(&[1], at(20), hold(11, [0]))).then([held_by(&[1], 11, [0], 20)]);
    let one_sold = unpaid().and([started(1, 1), sold(1, 1, [4])]);
    one_sold.when(inside(&[1], at(20), hold(11, [0, 1]))).then_refused(Reason::SeatLimit);
    one_sold.when(inside(&[1, 2], at(20), hold(11, [0, 1, 2, 3]))).then_refused(Reason::SeatLimit);
    one_sold.when(inside(&[1, 2], at(20), hold(11, [0, 1, 2]))).then([held_by(&[1, 2], 11, [0, 1, 2], 20)]);
    let for_a_friend = sale([held_by(&[1, 2], 1, [4, 5], 0), booked_for(1, [1, 2], [4, 5], 10)]);
    for_a_friend.when(inside(&[2], at(20), hold(12, [0, 1]))).then_refused(Reason::SeatLimit);
    for_a_friend.when(inside(&[2], at(20), hold(12, [0]))).then([held_by(&[2], 12, [0], 20)]);
}

#[test]
fn what_ran_out_doesnt_count_though_no_timer_ran() {
    let two_unpaid = sale([held(1, [4], 0), booked(1, [4], 10), held_by(&[1], 11, [5], 20)]).and([Event::SeatsBooked {
        booking: booking_id(11),
        hold: hold_id(11),
        account: person(1),
        lines: lines([1], [5]),
        total: lines([1], [5])[0].price,
        pay_by: at(400),
    }]);
    two_unpaid.when(inside(&[1], at(309), hold(12, [0]))).then_refused(Reason::SeatLimit);
    two_unpaid.when(inside(&[1], at(310), hold(12, [0]))).then([cancelled(1, [4], Cancellation::Expired), held_by(&[1], 12, [0], 310)]);
    two_unpaid.when(inside(&[1], at(399), hold(12, [0, 1]))).then_refused(Reason::SeatLimit);
    let both = [
        cancelled(1, [4], Cancellation::Expired),
        Event::BookingCancelled { booking: booking_id(11), seats: seats([5]), reason: Cancellation::Expired },
    ];
    two_unpaid.when(inside(&[1], at(400), hold(12, [0, 1]))).then(both.clone().into_iter().chain([held_by(&[1], 12, [0, 1], 400)]));
    two_unpaid.when(inside(&[1], at(400), hold(12, [4, 5]))).then(both.into_iter().chain([held_by(&[1], 12, [4, 5], 400)]));
}

#[test]
fn a_holds_id_is_used_once() {
    let mine = sale([held(1, [4], 0)]);
    mine.when(inside(&[1], at(5), hold(1, [4]))).then_nothing();
    mine.when(inside(&[1], at(100), hold(1, [4]))).then_refused(Reason::IdTaken);
    mine.when(inside(&[1], at(5), hold(1, [5]))).then_refused(Reason::IdTaken);
    mine.when(inside(&[2], at(5), hold(1, [5]))).then_refused(Reason::IdTaken);
    mine.and([released(1, [4], Release::Released)]).when(inside(&[1], at(5), hold(1, [4]))).then_refused(Reason::IdTaken);
    unpaid().when(inside(&[1], at(20), hold(1, [4]))).then_refused(Reason::IdTaken);
}

#[test]
fn a_hold_is_extended_once_by_who_chose() {
    let extend = |who, now| outside(fan(who), now, Command::ExtendHold { hold: hold_id(1) });
    let extended = Event::HoldExtended { hold: hold_id(1), expires_at: at(200) };
    let mine = sale([held(1, [4], 0)]);
    mine.when(extend(1, at(99))).then([extended.clone()]);
    mine.when(extend(1, at(100))).then_refused(Reason::HoldExpired);
    mine.when(extend(2, at(50))).then_refused(Reason::Forbidden);
    mine.when(extend(1, curtain())).then_refused(Reason::PerformanceStarted);
    mine.when(outside(SYSTEM, at(50), Command::ExtendHold { hold: hold_id(1) })).then_refused(Reason::Forbidden);
    let longer = mine.and([extended]);
    longer.when(extend(1, at(150))).then_refused(Reason::HoldExtendedAlready);
    longer.when(inside(&[2], at(199), hold(2, [4]))).then_refused(Reason::SeatTaken);
    longer.when(inside(&[2], at(200), hold(2, [4]))).then([released(1, [4], Release::Expired), held(2, [4], 200)]);
    sale([]).when(extend(1, at(0))).then_refused(Reason::UnknownHold);
    mine.and([released(1, [4], Release::Expired)]).when(extend(1, at(150))).then_refused(Reason::HoldExpired);
    mine.and([released(1, [4], Release::Released)]).when(extend(1, at(50))).then_refused(Reason::UnknownHold);
    unpaid().when(extend(1, at(50))).then_refused(Reason::UnknownHold);
    given::<Performance>([]).when(extend(1, at(0))).then_refused(Reason::UnknownPerformance);
}

#[test]
fn a_hold_is_let_go_by_who_chose() {
    let release = |who, now| outside(fan(who), now, Command::ReleaseHold { hold: hold_id(1) });
    let mine = sale([held(1, [4, 5], 0)]);
    mine.when(release(1, at(5))).then([released(1, [4, 5], Release::Released)]);
    mine.when(release(1, at(100))).then([released(1, [4, 5], Release::Expired)]);
    mine.when(release(2, at(5))).then_refused(Reason::Forbidden);
    mine.when(outside(SYSTEM, at(5), Command::ReleaseHold { hold: hold_id(1) })).then_refused(Reason::Forbidden);
    for reason in [Release::Released, Release::Expired, Release::Replaced] {
        let gone = mine.and([released(1, [4, 5], reason)]);
        gone.when(release(1, at(6))).then_nothing();
        assert!(!gone.when(release(2, at(6))).accepted());
    }
    unpaid().when(release(1, at(20))).then_refused(Reason::UnknownHold);
    sale([]).when(release(1, at(5))).then_refused(Reason::UnknownHold);
    given::<Performance>([]).when(release(1, at(0))).then_refused(Reason::UnknownPerformance);
}

#[test]
fn time_ends_holds_and_bookings() {
    let mut performance = Performance::default();
    assert_eq!((performance.next_due(), performance.due(at(0), 512)), (None, vec![]));
    let past =
        [scheduled(), held(1, [4], 0), booked(1, [4], 10), held(2, [5, 6], 0), held(3, [7], 50), held(4, [8], 0), booked(4, [8], 10)];
    past.iter().chain(&[started(4, 4)]).for_each(|event| performance.evolve(event));
    assert_eq!(performance.next_due(), Some(at(100)));
    assert_eq!(performance.due(at(99), 512), []);
    assert_eq!(performance.due(at(100), 512), [released(2, [5, 6], Release::Expired)]);
    let all = [released(2, [5, 6], Release::Expired), released(3, [7], Release::Expired), cancelled(1, [4], Cancellation::Expired)];
    assert_eq!(performance.due(at(9_999), 512), all, "the one with a payment in flight stays");
    assert_eq!(performance.due(at(9_999), 2), all[..2]);
    all.iter().for_each(|event| performance.evolve(event));
    assert_eq!((performance.next_due(), performance.due(at(9_999), 512)), (None, vec![]));
    performance.evolve(&failed(4, 4));
    assert_eq!(performance.next_due(), Some(at(310)), "after the payment failed, time runs again");
    assert_eq!(performance.due(at(9_999), 512), [cancelled(4, [8], Cancellation::Expired)]);
}

#[test]
fn a_hold_shows_what_it_costs() {
    let mut performance = Performance::default();
    [scheduled(), held_by(&[1, 2], 1, [4, 16], 0)].iter().for_each(|event| performance.evolve(event));
    let reply = performance.hold_reply(hold_id(1), Some(&plan())).unwrap();
    assert_eq!((reply.total.get(), reply.expires_at, reply.members), (PRICES[0] + PRICES[1], at(100), vec![person(1), person(2)]));
    assert_eq!(performance.hold_reply(hold_id(2), Some(&plan())), None);
}

#[test]
fn everyone_a_hold_is_for_finds_it_again_while_its_time_runs() {
    let mut performance = Performance::default();
    [scheduled(), held_by(&[2, 1], 1, [4, 5], 0)].iter().for_each(|event| performance.evolve(event));
    let of = |performance: &Performance, who, now| performance.live_hold_of(person(who), at(now));
    let found = of(&performance, 1, 99).unwrap();
    assert_eq!((found.hold_id, found.account, found.extended), (hold_id(1), person(2), false));
    assert_eq!((found.seats, found.members), (vec![SeatIndex(4), SeatIndex(5)], vec![person(2), person(1)]));
    assert_eq!(of(&performance, 1, 99), of(&performance, 2, 99));
    assert_eq!((of(&performance, 2, 100), of(&performance, 3, 50)), (None, None));
    performance.evolve(&Event::HoldExtended { hold: hold_id(1), expires_at: at(200) });
    assert!(of(&performance, 1, 199).unwrap().extended);
    performance.evolve(&released(1, [4, 5], Release::Released));
    assert_eq!(of(&performance, 1, 50), None);
}

#[test]
#[should_panic(expected = "which isn't free")]
fn a_seat_held_twice_is_not_believed() {
    let mut performance = Performance::default();
    [scheduled(), held(1, [4], 0), held(2, [4], 1)].iter().for_each(|event| performance.evolve(event));
}
