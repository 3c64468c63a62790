//! Who waits, in what order, who is inside, and the draw.

use super::*;

#[test]
fn too_many_people_inside_are_found() {
    let mut sale = Sale::new(2);
    (0..3).for_each(|seat| sale.enter(&Fan::new(seat)));
    let findings = sale.log.check(Lines::new());
    assert_eq!(findings.failed, 1);
    assert!(findings.faults[0].detail.contains("3 people are inside, where 2 may be"), "{findings:?}");
}

#[test]
fn room_that_was_left_may_be_taken() {
    let mut sale = Sale::new(1);
    let (entry, number) = sale.join(AccountId::new());
    sale.admit(entry, number);
    sale.line(L::EntryDeparted { entry, number, reason: Departure::Left });
    sale.enter(&Fan::new(0));
    assert!(sale.log.check(Lines::new()).is_clean());
}

#[test]
fn pushing_in_is_found() {
    let mut sale = Sale::new(10);
    let (_first, (entry, number)) = (sale.join(AccountId::new()), sale.join(AccountId::new()));
    sale.admit(entry, number);
    assert!(sale.log.check(Lines::new()).faults[0].detail.contains("number 2 is called before number 1"));
}

#[test]
fn a_second_place_of_one_person_is_found() {
    let mut sale = Sale::new(10);
    let account = AccountId::new();
    sale.join(account);
    sale.join(account);
    assert_eq!(sale.log.check(Lines::new()).failed, 1);
}

#[test]
fn being_let_in_before_the_opening_is_found() {
    let mut sale = Sale::new(10);
    let (entry, number) = sale.join(AccountId::new());
    let before = Timestamp::from_millis(crate::verify::testing::BEGINNING - 1000);
    sale.line(L::EntryAdmitted { entry, number, session_ends_at: before.plus_seconds(SESSION_SECONDS) });
    assert_eq!(sale.log.check(Lines::new()).failed, 1);
}

const SEED: Digest = Digest([0x5e; 32]);

/// A draw of so many people, whose tickets are these; what happens to the log before the lobby closes is up to `then`.
fn drawn(people: usize, then: impl FnOnce(&mut Sale)) -> (Sale, Vec<(AccountId, EntryId)>) {
    let mut sale = Sale { log: Log::default(), performance: PerformanceId::new(), next_number: 0 };
    let (sale_opens_at, rules) = (sale.log.now().plus_seconds(100), LineRules { claim_seconds: 60, ..LineRules::default() });
    let lobby_opens_at = sale.log.now();
    sale.line(L::LineOpened { show: ShowId::new(), sale_opens_at, capacity: 3, session_seconds: SESSION_SECONDS, rules });
    sale.line(L::DrawCommitted { commitment: draw::commitment(&SEED), lobby_opens_at });
    let accounts: Vec<AccountId> = (0..people).map(|_| AccountId::new()).collect();
    let places: Vec<(AccountId, EntryId)> = accounts.iter().map(|account| (*account, sale.join(*account).0)).collect();
    sale.log.wait(200);
    let mut tickets: Vec<Digest> = places.iter().map(|(account, entry)| draw::ticket(*account, *entry)).collect();
    tickets.sort_unstable();
    then(&mut sale);
    sale.line(L::LobbyClosed { root: draw::root(&tickets), entries: people as u64 });
    (sale, places)
}

/// The places in the order of the draw by this seed.
fn order(seed: &Digest, places: &[(AccountId, EntryId)], beacon: &str) -> Vec<EntryId> {
    let mut tickets: Vec<(Digest, EntryId)> = places.iter().map(|(account, entry)| (draw::ticket(*account, *entry), *entry)).collect();
    tickets.sort_unstable();
    let root = draw::root(tickets.iter().map(|(ticket, _)| ticket));
    draw::Key::new(seed, &root, beacon).order(tickets).into_iter().map(|(_, entry)| entry).collect()
}

impl Sale {
    fn call(&mut self, entry: EntryId, number: u64) {
        let claim_by = self.log.now().plus_seconds(60);
        self.line(L::EntryCalled { entry, number, claim_by });
    }
}

#[test]
fn a_draw_as_it_was_promised_is_clean() {
    let (mut sale, places) = drawn(20, |sale| {
        sale.line(L::BeaconGiven { value: "8f3a".to_owned(), source: "drand".to_owned() });
    });
    sale.line(L::SeedRevealed { seed: SEED });
    for (number, entry) in (1..=3).zip(order(&SEED, &places, "8f3a")) {
        sale.call(entry, number);
        sale.admit(entry, number);
    }
    let findings = sale.log.check(Lines::new());
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.note.as_deref(), Some("1 lines, 1 drawn, 17 places waiting, 3 people inside"));
}

#[test]
fn a_draw_whose_seed_is_lost_is_drawn_by_the_beacon_that_was_named_and_nothing_else() {
    // The one is called whose place by the beacon alone is `nth`.
    let of = |value: &str, source: &str, seed, nth: usize| {
        let (mut sale, places) = drawn(20, |_| {});
        sale.line(L::SeedLost { beacon_source: "drand 2".to_owned(), reason: "the disk is gone".to_owned() });
        sale.line(L::BeaconGiven { value: value.to_owned(), source: source.to_owned() });
        sale.line(L::SeedRevealed { seed });
        sale.call(order(&draw::NO_SEED, &places, value)[nth], 1);
        sale.log.check(Lines::new())
    };
    for value in ["8f3b", "8f3c"] {
        assert!(of(value, "drand 2", draw::NO_SEED, 0).is_clean(), "each value has its own order");
    }
    assert!(told(&of("8f3b", "drand 3", draw::NO_SEED, 0))[0].1.contains("was named"));
    assert!(told(&of("8f3b", "drand 2", SEED, 0))[0].1.contains("by its beacon alone"));
    assert!(told(&of("8f3b", "drand 2", draw::NO_SEED, 1))[0].1.contains("number 1"), "the second isn't called first");
}

#[test]
fn one_entry_added_dropped_or_changed_is_found() {
    let (added, _) = drawn(20, |sale| _ = sale.join(AccountId::new()));
    assert!(added.log.check(Lines::new()).failed > 0);
    let (mut dropped, _) = drawn(20, |_| {});
    dropped.log.events.remove(7);
    assert!(dropped.log.check(Lines::new()).failed > 0);
    let (mut changed, _) = drawn(20, |_| {});
    let payload = changed.log.events[7].payload.to_string();
    let (account, other) = (serde_json::from_str::<serde_json::Value>(&payload).unwrap(), AccountId::new());
    let account = account["QueueJoined"]["account"].as_str().unwrap().to_owned();
    changed.log.events[7].payload = Json::parse(payload.replace(&account, &other.to_string())).unwrap();
    let faults = changed.log.check(Lines::new());
    assert!(told(&faults)[0].1.starts_with("line of") && told(&faults)[0].1.contains("the root of the lobby's tickets is"), "{faults:?}");
}

#[test]
fn another_seed_another_order_and_a_call_before_the_draw_are_found() {
    let (mut sale, _) = drawn(20, |_| {});
    sale.line(L::SeedRevealed { seed: Digest([1; 32]) });
    assert!(told(&sale.log.check(Lines::new()))[0].1.contains("isn't the one of commitment"));
    let (mut sale, places) = drawn(20, |_| {});
    sale.line(L::SeedRevealed { seed: SEED });
    sale.call(order(&SEED, &places, "")[1], 1);
    assert!(told(&sale.log.check(Lines::new()))[0].1.contains("is called but doesn't wait"));
    let (mut sale, places) = drawn(20, |_| {});
    sale.call(places[0].1, 1);
    assert!(told(&sale.log.check(Lines::new()))[0].1.contains("is called before the draw"));
}

#[test]
fn passes_count_before_they_are_claimed_and_limits_count_from_when_they_change() {
    let mut sale = Sale::new(2);
    let places: Vec<_> = (0..4).map(|_| sale.join(AccountId::new())).collect();
    places[..2].iter().for_each(|(entry, number)| sale.call(*entry, *number));
    sale.line(L::LimitsChanged { capacity: 1, admissions_per_minute: None, reason: "slowly".to_owned() });
    assert!(sale.log.check(Lines::new()).is_clean(), "who is inside stays");
    sale.call(places[2].0, places[2].1);
    assert!(told(&sale.log.check(Lines::new()))[0].1.contains("3 people are inside, where 1 may be"));
}

#[test]
fn a_rate_that_is_exceeded_is_found() {
    let mut sale = Sale::new(100);
    let places: Vec<_> = (0..10).map(|_| sale.join(AccountId::new())).collect();
    sale.line(L::LimitsChanged { capacity: 100, admissions_per_minute: Some(5), reason: "slowly".to_owned() });
    places.iter().for_each(|(entry, number)| sale.call(*entry, *number));
    assert!(told(&sale.log.check(Lines::new()))[0].1.contains("8 people were let in within a minute, where 5 may be"));
}

#[test]
fn holding_from_outside_is_found() {
    let mut sale = Sale::new(10);
    let fan = Fan::new(0);
    sale.join(fan.account);
    sale.hold(&fan);
    assert_eq!(sale.log.check(Lines::new()).failed, 1);
}
