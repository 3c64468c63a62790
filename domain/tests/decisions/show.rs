use crate::common::{PRICES, SYSTEM, at, curtain, fan, given, id, opening, performance, person, plan, policies, price, show};
use socketing_domain::Timestamp;
use socketing_domain::event::{Actor, Ask};
use socketing_domain::limits::{CATEGORIES_MAX, EVENT_BYTES_MAX, NAME_CHARS_MAX, PERFORMANCES_MAX, PRICE_MAX_WON};
use socketing_domain::plan::{Area, Category, Plan, PlanHash};
use socketing_domain::refusal::Reason;
use socketing_domain::show::{Command, Date, Details, Event, Policies, Show, Text};
use socketing_domain::waiting_room::{LineRules, Mode};
use std::sync::Arc;

fn details() -> Details {
    Details {
        title: Text { ko: "모두가 잠들 때".to_owned(), en: Some("When everyone falls asleep".to_owned()) },
        venue: Text { ko: "소극장".to_owned(), en: None },
        plan: PlanHash([7; 32]),
        dates: vec![Date { performance: performance(), starts_at: curtain() }, Date { performance: id(3), starts_at: at(200_000) }],
        prices: vec![price("S", PRICES[1]), price("R", PRICES[0])],
        sale_opens_at: opening(),
        policies: policies(),
    }
}

fn ask(actor: Actor, command: Command, plan: Option<Arc<Plan>>) -> Ask<Command, Option<Arc<Plan>>> {
    Ask { command, actor, now: at(-1000), facts: plan }
}

fn create(details: Details) -> Ask<Command, Option<Arc<Plan>>> {
    ask(fan(1), Command::CreateShow { show: show(), details }, Some(plan()))
}

fn drafted() -> Event {
    Event::ShowDrafted { show: show(), organiser: person(1), details: details() }
}

#[test]
fn a_show_is_drafted_once() {
    given::<Show>([]).when(create(details())).then([drafted()]);
    given::<Show>([drafted()]).when(create(details())).then_nothing();
    let other = Details { sale_opens_at: at(1), ..details() };
    given::<Show>([drafted()]).when(create(other)).then_refused(Reason::ShowExists);
    let by_another = ask(fan(2), Command::CreateShow { show: show(), details: details() }, Some(plan()));
    given::<Show>([drafted()]).when(by_another).then_refused(Reason::ShowExists);
    let by_the_system = ask(SYSTEM, Command::CreateShow { show: show(), details: details() }, Some(plan()));
    given::<Show>([]).when(by_the_system).then_refused(Reason::Forbidden);
    let unknown_plan = ask(fan(1), Command::CreateShow { show: show(), details: details() }, None);
    given::<Show>([]).when(unknown_plan).then_invalid("/plan");
    let elsewhere = ask(fan(1), Command::CreateShow { show: id(9), details: details() }, Some(plan()));
    given::<Show>([drafted()]).when(elsewhere).then_invalid("/show");
}

#[test]
fn a_show_is_published_by_its_organiser_once() {
    let publish = |actor| ask(actor, Command::PublishShow, None);
    let published = Event::ShowPublished { show: show() };
    given::<Show>([]).when(publish(fan(1))).then_refused(Reason::UnknownShow);
    given::<Show>([drafted()]).when(publish(fan(1))).then([published.clone()]);
    given::<Show>([drafted()]).when(publish(fan(2))).then_refused(Reason::Forbidden);
    given::<Show>([drafted()]).when(publish(SYSTEM)).then_refused(Reason::Forbidden);
    given::<Show>([drafted(), published]).when(publish(fan(1))).then_nothing();
}

#[test]
fn texts_and_dates_are_held_against_their_bounds() {
    let date = |number: u128, starts_at: Timestamp| Date { performance: id(number), starts_at };
    let year: Vec<Date> = (0..366).map(|day| date(5000 + day, at(100_000 + 86_400 * day as i64))).collect();
    let text = |ko: &str, en: Option<&str>| Text { ko: ko.to_owned(), en: en.map(str::to_owned) };
    let bad = [
        (Details { title: text("", None), ..details() }, "/title/ko"),
        (Details { title: text(" \u{3000}", None), ..details() }, "/title/ko"),
        (Details { title: text(&"가".repeat(101), None), ..details() }, "/title/ko"),
        (Details { title: text("a\nb", None), ..details() }, "/title/ko"),
        (Details { title: text("a", Some("")), ..details() }, "/title/en"),
        (Details { venue: text("", None), ..details() }, "/venue/ko"),
        (Details { dates: Vec::new(), ..details() }, "/dates"),
        (Details { dates: [&year[..], &[date(1, at(1))]].concat(), ..details() }, "/dates"),
        (Details { dates: vec![date(5, at(10)), date(5, at(20))], ..details() }, "/dates/1/performance"),
        (Details { dates: vec![Date { performance: Default::default(), starts_at: at(10) }], ..details() }, "/dates/0/performance"),
        (Details { dates: vec![date(5, at(10)), date(6, opening())], ..details() }, "/dates/1/starts_at"),
    ];
    for (details, field) in bad {
        given::<Show>([]).when(create(details)).then_invalid(field);
    }
    let longest = Details { title: text(&"가".repeat(100), None), dates: year, ..details() };
    assert!(given::<Show>([]).when(create(longest)).accepted());
}

#[test]
fn where_the_plan_has_a_price_the_show_may_leave_it_out() {
    let mut priced = (*plan()).clone();
    priced.areas = vec![Area { name: "Floor".to_owned(), outline: Vec::new(), price: Some(crate::common::won(70_000)) }];
    let draft = |prices, plan: &Plan| {
        let details = Details { prices, ..details() };
        given::<Show>([]).when(ask(fan(1), Command::CreateShow { show: show(), details }, Some(Arc::new(plan.clone()))))
    };
    assert!(draft(vec![price("R", 110_000)], &priced).accepted());
    assert!(draft(Vec::new(), &priced).accepted());
    draft(vec![price("R", 110_000)], &plan()).then_invalid("/prices");
}

#[test]
fn prices_fit_the_plan() {
    let priced = |prices| Details { prices, ..details() };
    let (r, s) = (price("R", 1), price("S", 100_000_000));
    let bad = [
        (vec![r.clone()], "/prices"),
        (Vec::new(), "/prices"),
        (vec![r.clone(), s.clone(), price("VIP", 5)], "/prices/2/category"),
        (vec![r.clone(), s.clone(), r.clone()], "/prices/2/category"),
        (vec![price("R", 0), s.clone()], "/prices/0/price"),
        (vec![r.clone(), price("S", 100_000_001)], "/prices/1/price"),
        (vec![r.clone(), s.clone(), price("unused", 0)], "/prices/2/price"),
    ];
    for (prices, field) in bad {
        given::<Show>([]).when(create(priced(prices))).then_invalid(field);
    }
    assert!(given::<Show>([]).when(create(priced(vec![r, s, price("unused", 5)]))).accepted());
}

#[test]
fn policies_are_held_against_their_bounds() {
    let good = policies();
    let bad = [
        (Policies { seats_per_person: 0, ..good }, "seats_per_person"),
        (Policies { seats_per_person: 65, ..good }, "seats_per_person"),
        (Policies { hold_seconds: 0, ..good }, "hold_seconds"),
        (Policies { hold_seconds: 86_401, ..good }, "hold_seconds"),
        (Policies { payment_seconds: 0, ..good }, "payment_seconds"),
        (Policies { payment_seconds: 86_401, ..good }, "payment_seconds"),
        (Policies { capacity: 0, ..good }, "capacity"),
        (Policies { capacity: 1_000_001, ..good }, "capacity"),
        (Policies { session_seconds: 0, ..good }, "session_seconds"),
        (Policies { session_seconds: 86_401, ..good }, "session_seconds"),
        (Policies { line: LineRules { admissions_per_minute: Some(0), ..good.line }, ..good }, "line/admissions_per_minute"),
        (Policies { line: LineRules { admissions_per_minute: Some(60_001), ..good.line }, ..good }, "line/admissions_per_minute"),
        (Policies { line: LineRules { claim_seconds: 0, ..good.line }, ..good }, "line/claim_seconds"),
        (Policies { line: LineRules { claim_seconds: 3_601, ..good.line }, ..good }, "line/claim_seconds"),
        (Policies { line: LineRules { lobby_seconds: 0, ..good.line }, ..good }, "line/lobby_seconds"),
        (Policies { line: LineRules { lobby_seconds: 604_801, ..good.line }, ..good }, "line/lobby_seconds"),
    ];
    for (policies, field) in bad {
        given::<Show>([]).when(create(Details { policies, ..details() })).then_invalid(&format!("/policies/{field}"));
    }
    for policies in [Policies::default(), Policies::original()] {
        assert!(given::<Show>([]).when(create(Details { policies, ..details() })).accepted());
    }
}

#[test]
fn the_largest_show_fits_into_an_event() {
    let longest = || "\u{1f3ad}".repeat(NAME_CHARS_MAX);
    let mut large = (*plan()).clone();
    let category = |at: usize| Category { name: format!("{at:02}{}", "\u{1f3ad}".repeat(NAME_CHARS_MAX - 2)), color: "#000000".to_owned() };
    large.categories = (0..CATEGORIES_MAX).map(category).collect();
    let date =
        |at: usize| Date { performance: id(5000 + at as u128), starts_at: Timestamp::from_millis(curtain().as_millis() + 123 + at as i64) };
    let details = Details {
        title: Text { ko: longest(), en: Some(longest()) },
        venue: Text { ko: longest(), en: Some(longest()) },
        dates: (0..PERFORMANCES_MAX).map(date).collect(),
        prices: large.categories.iter().map(|category| price(&category.name, PRICE_MAX_WON)).collect(),
        policies: Policies {
            seats_per_person: 64,
            hold_seconds: 86_400,
            payment_seconds: 86_400,
            capacity: 1_000_000,
            session_seconds: 86_400,
            line: LineRules { mode: Mode::FirstCome, admissions_per_minute: Some(60_000), claim_seconds: 3_600, lobby_seconds: 604_800 },
            ..Policies::default()
        },
        ..details()
    };
    let command = Command::CreateShow { show: show(), details };
    let event = given::<Show>([]).when(ask(fan(1), command, Some(Arc::new(large)))).only_event();
    let bytes = serde_json::to_string(&event).unwrap().len();
    assert!((60_000..=EVENT_BYTES_MAX).contains(&bytes), "{bytes}");
}

#[test]
fn a_show_knows_what_it_is() {
    let mut show = Show::new(show());
    assert_eq!((show.organiser(), show.details(), show.is_published()), (None, None, false));
    show.evolve(&drafted());
    show.evolve(&Event::ShowPublished { show: show.id() });
    assert_eq!((show.organiser(), show.details(), show.is_published()), (Some(person(1)), Some(&details()), true));
}
