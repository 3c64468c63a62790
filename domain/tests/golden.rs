//! The storage format: of every event type and version there is a file as it stands in logs, and this program reads it
//! and, of today's version, writes it the same. A new event, a changed field or a new version without its file fails.

use serde_json::Value;
use socketing_domain::account::{self, Role};
use socketing_domain::draw::Digest;
use socketing_domain::event::Event;
use socketing_domain::party::{Ending, Pays, Picks, Terms};
use socketing_domain::performance::{Cancellation, Line, Means, Method, Release, Reseated, Run};
use socketing_domain::plan::PlanHash;
use socketing_domain::seating::Adjacency;
use socketing_domain::show::{CategoryPrice, Date, Details, Policies, Text};
use socketing_domain::waiting_room::{Departure, LineRules, Mode};
use socketing_domain::{AccountId, CardToken, PartyId, SeatIndex, Timestamp, Won, party, performance, show, waiting_room, wallet};
use std::collections::BTreeSet;
use std::{fs, path::PathBuf};
use uuid::Uuid;

fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + number))
}

fn won(amount: i64) -> Won {
    Won::new(amount).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_785_582_000_000 + millis)
}

fn people() -> Vec<AccountId> {
    vec![id(1), id(2)]
}

fn lines() -> Vec<Line> {
    let line = |(at, price)| Line { seat: SeatIndex(at), price: won(price), holder: id(at.into()) };
    [(1, 110_000), (2, 88_000)].map(line).to_vec()
}

fn token() -> CardToken {
    "tok_approved_01990000000070008000".parse().unwrap()
}

fn prices() -> Vec<CategoryPrice> {
    [("R", 110_000), ("S석", 88_000)].map(|(category, price)| CategoryPrice { category: category.to_owned(), price: won(price) }).to_vec()
}

fn details() -> Details {
    Details {
        title: Text { ko: "모두가 잠들 때".to_owned(), en: Some("When everyone falls asleep".to_owned()) },
        venue: Text { ko: "소극장".to_owned(), en: None },
        plan: PlanHash([0xa7; 32]),
        dates: vec![Date { performance: id(20), starts_at: at(86_400_000) }],
        prices: prices(),
        sale_opens_at: at(0),
        policies: Policies {
            seats_per_person: 2,
            hold_seconds: 120,
            payment_seconds: 300,
            capacity: 500,
            session_seconds: 900,
            line: rules(),
            no_orphans: true,
            adjacency: Adjacency::Original,
        },
    }
}

fn rules() -> LineRules {
    LineRules { mode: Mode::Draw, admissions_per_minute: Some(600), claim_seconds: 60, lobby_seconds: 1_800 }
}

/// One of every event, with all its fields.
fn samples() -> Vec<Event> {
    let of_account = [
        account::Event::AccountOpened { account: id(1), at: at(123) },
        account::Event::RoleGranted { account: id(1), role: Role::Organiser },
        account::Event::FriendRequested { friend: id(2), at: at(456) },
        account::Event::FriendDismissed { friend: id(2), at: at(789) },
        account::Event::SuggestionsAllowed { allowed: true },
    ];
    let of_wallet = [
        wallet::Event::WalletOpened { account: id(1), balance: won(500_000) },
        wallet::Event::WalletCharged { payment: id(60), performance: id(20), booking: id(50), amount: won(198_000), balance: won(302_000) },
        wallet::Event::WalletRefunded { refund: id(70), payment: id(60), amount: won(198_000), balance: won(500_000) },
    ];
    let of_show =
        [show::Event::ShowDrafted { show: id(10), organiser: id(1), details: details() }, show::Event::ShowPublished { show: id(10) }];
    let of_line = [
        waiting_room::Event::LineOpened { show: id(10), sale_opens_at: at(0), capacity: 500, session_seconds: 900, rules: rules() },
        waiting_room::Event::DrawCommitted { commitment: Digest([0xc0; 32]), lobby_opens_at: at(-1_800_000) },
        waiting_room::Event::BeaconGiven { value: "8f3a".to_owned(), source: "drand round 4711".to_owned() },
        waiting_room::Event::SeedLost { beacon_source: "drand round 4712".to_owned(), reason: "the disk is gone".to_owned() },
        waiting_room::Event::LobbyClosed { root: Digest([0x70; 32]), entries: 2 },
        waiting_room::Event::SeedRevealed { seed: Digest([0x5e; 32]) },
        waiting_room::Event::EntryCalled { entry: id(30), number: 7, claim_by: at(60_000) },
        waiting_room::Event::LinePaused { reason: "the hall is being aired".to_owned() },
        waiting_room::Event::LineResumed { reason: "the air is fresh".to_owned() },
        waiting_room::Event::DrainBegun { reason: "sold out soon".to_owned() },
        waiting_room::Event::LimitsChanged { capacity: 50, admissions_per_minute: Some(60), reason: "payments are slow".to_owned() },
        waiting_room::Event::EvictionOrdered { entry: id(30), number: 7, reason: "a robot".to_owned() },
        waiting_room::Event::QueueJoined { entry: id(30), number: 7, account: id(1), party: Some(id(25)), members: people() },
        waiting_room::Event::EntryAdmitted { entry: id(30), number: 7, session_ends_at: at(900_000) },
        waiting_room::Event::EntryDeparted { entry: id(30), number: 7, reason: Departure::SessionOver },
    ];
    let of_party = [
        party::Event::PartyFormed {
            party: id(25),
            performance: id(20),
            leader: id(1),
            terms: Terms { picks: Picks::Leader, pays: Pays::AllOrNone },
            unused_until: Some(at(86_400_000)),
        },
        party::Event::FriendInvited { account: id(2) },
        party::Event::InvitationAccepted { account: id(2) },
        party::Event::InvitationDeclined { account: id(3) },
        party::Event::InvitationWithdrawn { account: id(3) },
        party::Event::MemberJoined { account: id(5) },
        party::Event::MemberLeft { account: id(4) },
        party::Event::MemberExpelled { account: id(5) },
        party::Event::LeaderChanged { leader: id(2) },
        party::Event::PartyFrozen { entry: id(30), members: people() },
        party::Event::PartyThawed { party: id(25) },
        party::Event::PartyEnded { reason: Ending::Unused },
    ];
    let events = of_account.map(Event::Account).into_iter().chain(of_wallet.map(Event::Wallet)).chain(of_show.map(Event::Show));
    events.chain(of_line.map(Event::WaitingRoom)).chain(of_party.map(Event::Party)).chain(of_performance()).collect()
}

fn of_performance() -> Vec<Event> {
    use performance::Event as Of;
    let events = [
        Of::PerformanceScheduled {
            show: id(10),
            plan: PlanHash([0xa7; 32]),
            seats: 738,
            starts_at: at(86_400_000),
            sale_opens_at: at(0),
            prices: prices(),
            seats_per_person: 2,
            hold_seconds: 120,
            payment_seconds: 300,
            no_orphans: true,
            adjacency: Adjacency::Original,
        },
        Of::SeatsHeld {
            hold: id(40),
            account: id(1),
            party: Some(id(25)),
            members: people(),
            seats: vec![SeatIndex(1), SeatIndex(2)],
            expires_at: at(120_000),
            extended: true,
        },
        Of::HoldExtended { hold: id(40), expires_at: at(240_000) },
        Of::HoldReleased { hold: id(40), seats: vec![SeatIndex(1), SeatIndex(2)], reason: Release::Replaced },
        Of::SeatsBooked { booking: id(50), hold: id(40), account: id(1), lines: lines(), total: won(198_000), pay_by: at(300_000) },
        Of::SeatClaimed { hold: id(40), seat: SeatIndex(2), account: id(2) },
        Of::SharesOpened {
            group: id(50),
            party: id(25),
            account: id(1),
            bookings: vec![id(50), id(51)],
            all_or_none: true,
            pay_by: at(300_000),
            runs: vec![Run { before: Some(SeatIndex(0)), seats: vec![SeatIndex(1), SeatIndex(2)], after: None }],
        },
        Of::SharesReseated { group: id(50), shares: vec![Reseated { booking: id(50), paid: true, lines: lines() }] },
        Of::PaymentStarted { payment: id(60), booking: id(50), account: id(1), method: Means::Card(token()), amount: won(198_000) },
        Of::PaymentFailed { payment: id(60), booking: id(50), reason: "insufficient_funds".to_owned() },
        Of::SeatsSold { booking: id(50), payment: id(60), account: id(1), lines: lines(), amount: won(198_000) },
        Of::BookingCancelled { booking: id(50), seats: vec![SeatIndex(1), SeatIndex(2)], reason: Cancellation::Buyer },
        Of::RefundDue { refund: id(70), payment: id(60), booking: id(50), account: id(1), method: Method::Card, amount: won(198_000) },
        Of::RefundCompleted { refund: id(70), booking: id(50), amount: won(198_000) },
    ];
    events.map(Event::Performance).to_vec()
}

fn aggregate(event: &Event) -> &'static str {
    match event {
        Event::Account(_) => "account",
        Event::Wallet(_) => "wallet",
        Event::Show(_) => "show",
        Event::WaitingRoom(_) => "waiting-room",
        Event::Party(_) => "party",
        Event::Performance(_) => "performance",
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// `<aggregate>/<type>.v<version>.json` of every event type there is, at the version that is written today.
fn written_today() -> BTreeSet<String> {
    let types: [(&str, &[(&str, &str)]); 6] = [
        ("account", account::Event::TYPES),
        ("wallet", wallet::Event::TYPES),
        ("show", show::Event::TYPES),
        ("waiting-room", waiting_room::Event::TYPES),
        ("party", party::Event::TYPES),
        ("performance", performance::Event::TYPES),
    ];
    let names = |(aggregate, types): (&str, &[(&str, &str)])| -> Vec<String> {
        types.iter().map(|(name, version)| format!("{aggregate}/{name}.v{version}.json")).collect()
    };
    types.into_iter().flat_map(names).collect()
}

fn name_of(event: &Event) -> String {
    format!("{}/{}.v{}.json", aggregate(event), event.event_type(), event.event_version())
}

/// Every file there is, as `<aggregate>/<file>`.
fn files() -> BTreeSet<String> {
    let inside = |aggregate: fs::DirEntry| {
        let name = aggregate.file_name().into_string().unwrap();
        fs::read_dir(aggregate.path()).unwrap().map(move |file| format!("{name}/{}", file.unwrap().file_name().to_str().unwrap()))
    };
    fs::read_dir(folder()).unwrap().flat_map(|aggregate| inside(aggregate.unwrap())).collect()
}

#[test]
fn every_event_type_has_a_file_and_a_sample() {
    let samples: BTreeSet<String> = samples().iter().map(name_of).collect();
    assert_eq!(samples, written_today(), "samples() has one of each event");
    let missing: Vec<String> = written_today().difference(&files()).cloned().collect();
    assert!(missing.is_empty(), "no golden file: {missing:?}");
}

#[test]
fn todays_files_are_read_and_written_the_same() {
    for event in samples() {
        let name = name_of(&event);
        let stored = fs::read_to_string(folder().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let stored = stored.trim_end();
        let read = Event::decode(aggregate(&event), event.event_type(), event.event_version(), stored).unwrap();
        assert_eq!(read, event, "{name}");
        assert_eq!(event.payload_json(), stored, "{name}");
    }
}

#[test]
fn files_of_every_version_are_read() {
    for file in files() {
        let (aggregate, rest) = file.split_once('/').unwrap();
        let parts = rest.strip_suffix(".json").and_then(|name| name.split_once(".v"));
        let (event_type, version) = parts.unwrap_or_else(|| panic!("{file} isn't named <type>.v<version>.json"));
        let stored = fs::read_to_string(folder().join(&file)).unwrap();
        let read = Event::decode(aggregate, event_type, version, &stored).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(read.event_type(), event_type);
    }
}

#[test]
fn before_there_were_cards_everything_was_paid_by_socketpay() {
    let read = |event_type: &str| {
        let stored = fs::read_to_string(folder().join(format!("performance/{event_type}.v1.json"))).unwrap();
        Event::decode("performance", event_type, "1", &stored).unwrap()
    };
    let started = performance::Event::PaymentStarted {
        payment: id(60),
        booking: id(50),
        account: id(1),
        method: Means::Socketpay,
        amount: won(198_000),
    };
    assert_eq!(read("PaymentStarted"), Event::Performance(started));
    let due = performance::Event::RefundDue {
        refund: id(70),
        payment: id(60),
        booking: id(50),
        account: id(1),
        method: Method::Socketpay,
        amount: won(198_000),
    };
    assert_eq!(read("RefundDue"), Event::Performance(due));
}

#[test]
fn before_there_were_rules_people_got_in_as_they_came() {
    let stored = fs::read_to_string(folder().join("waiting-room/LineOpened.v1.json")).unwrap();
    let Event::WaitingRoom(waiting_room::Event::LineOpened { rules, .. }) =
        Event::decode("waiting-room", "LineOpened", "1", &stored).unwrap()
    else {
        panic!("{stored}");
    };
    assert_eq!((rules.mode, rules.admissions_per_minute), (Mode::FirstCome, None));
}

#[test]
fn versions_are_whole_numbers() {
    for name in written_today() {
        let version = name.rsplit_once(".v").unwrap().1.strip_suffix(".json").unwrap();
        assert!(version.parse::<u32>().unwrap() >= 1, "{name}");
    }
}

#[test]
fn what_may_be_absent_may_be_absent() {
    for event in samples() {
        let mut json: Value = serde_json::from_str(&event.payload_json()).unwrap();
        let had = json[event.event_type()].as_object_mut().unwrap().remove("party");
        let needs_party = matches!(event.event_type(), "SharesOpened");
        let belongs = matches!(event, Event::Party(_)) || needs_party;
        let read = Event::decode(aggregate(&event), event.event_type(), event.event_version(), &json.to_string());
        match (had, belongs) {
            (Some(_), false) => assert!(!read.unwrap().payload_json().contains("\"party\"")),
            (Some(_), true) => assert!(read.is_err()),
            (None, _) => assert_eq!(read.unwrap(), event),
        }
    }
}

#[test]
fn fields_of_later_programs_are_ignored() {
    let event =
        Event::decode("party", "FriendInvited", "1", r#"{"FriendInvited":{"account":"01990000-0000-7000-8000-000000000002","by":"mail"}}"#);
    assert_eq!(event.unwrap(), Event::Party(party::Event::FriendInvited { account: id(2) }));
}

#[test]
fn what_cant_be_read_says_why() {
    let why = |aggregate, event_type, version, payload| Event::decode(aggregate, event_type, version, payload).unwrap_err().to_string();
    let invited = r#"{"FriendInvited":{"account":"01990000-0000-7000-8000-000000000002"}}"#;
    assert_eq!(why("choir", "FriendInvited", "1", invited), "no aggregate is called choir");
    assert_eq!(why("party", "FriendSung", "1", invited), "no event is called FriendSung");
    for version in ["0", "2", "one", ""] {
        assert_eq!(
            why("party", "FriendInvited", version, invited),
            format!("event FriendInvited has no version {version} that this program can read")
        );
    }
    assert_eq!(why("party", "MemberLeft", "1", invited), "the payload of event MemberLeft is one of FriendInvited");
    assert_eq!(why("party", "FriendInvited", "1", "{}"), "the payload of event FriendInvited version 1 can't be read");
    let error = Event::decode("party", "FriendInvited", "1", "{").unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "the parser's error is its source");
}

#[test]
fn cqrs_es_reads_what_we_write() {
    use cqrs_es::DomainEvent;
    use cqrs_es::persist::SerializedEvent;
    let (party, performance, leader, terms) = (id::<PartyId>(25), id(20), id(1), Terms::default());
    let event = party::Event::PartyFormed { party, performance, leader, terms, unused_until: None };
    let stored = SerializedEvent {
        aggregate_id: "any".to_owned(),
        sequence: 1,
        aggregate_type: "party".to_owned(),
        event_type: event.event_type(),
        event_version: event.event_version(),
        payload: serde_json::from_str(&Event::Party(event.clone()).payload_json()).unwrap(),
        metadata: Value::Null,
    };
    assert_eq!((stored.event_type.as_str(), stored.event_version.as_str()), ("PartyFormed", "2"));
    assert_eq!(serde_json::from_value::<party::Event>(stored.payload).unwrap(), event);
}

#[test]
fn the_words_inside_events_stay() {
    let word = |value: Value| value.as_str().unwrap().to_owned();
    let words = |values: Vec<Result<Value, serde_json::Error>>| values.into_iter().map(|value| word(value.unwrap())).collect::<Vec<_>>();
    let releases = [Release::Released, Release::Expired, Release::Replaced].map(serde_json::to_value).into();
    assert_eq!(words(releases), ["released", "expired", "replaced"]);
    assert_eq!(
        words([Cancellation::Buyer, Cancellation::Expired, Cancellation::OtherShareUnpaid].map(serde_json::to_value).into()),
        ["buyer", "expired", "other_share_unpaid"]
    );
    assert_eq!(words([Picks::Anyone, Picks::Leader].map(serde_json::to_value).into()), ["anyone", "leader"]);
    let pays = [Pays::Chooser, Pays::Leader, Pays::Shares, Pays::AllOrNone].map(serde_json::to_value).into();
    assert_eq!(words(pays), ["chooser", "leader", "shares", "all_or_none"]);
    assert_eq!(words([Ending::Dissolved, Ending::Unused].map(serde_json::to_value).into()), ["dissolved", "unused"]);
    let departures =
        [Departure::Left, Departure::SessionOver, Departure::Booked, Departure::Unclaimed, Departure::Evicted, Departure::Away];
    assert_eq!(words(departures.map(serde_json::to_value).into()), ["left", "session_over", "booked", "unclaimed", "evicted", "away"]);
    let modes = [Mode::Draw, Mode::FirstCome, Mode::Open].map(serde_json::to_value).into();
    assert_eq!(words(modes), ["draw", "first_come", "open"]);
    assert_eq!(words([Role::Fan, Role::Organiser, Role::Operator].map(serde_json::to_value).into()), ["fan", "organiser", "operator"]);
    assert_eq!(words([Method::Socketpay, Method::Card].map(serde_json::to_value).into()), ["socketpay", "card"]);
    assert_eq!(serde_json::to_value(Means::Socketpay).unwrap(), "socketpay");
}
