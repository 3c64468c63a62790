//! What the tests share: people, moments, a small venue, and short ways to ask.

use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use socketing_domain::event::{Actor, Ask};
use socketing_domain::plan::{Category, Plan, Point, Row, Seat, SeatKind};
use socketing_domain::refusal::Reason;
use socketing_domain::show::{CategoryPrice, Policies};
use socketing_domain::waiting_room::{LineRules, Mode};
use socketing_domain::{AccountId, PerformanceId, Refusal, SeatIndex, ShowId, Timestamp, Won};
use std::sync::Arc;
use uuid::Uuid;

/// The id with this number.
pub(crate) fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + number))
}

/// The person with this number.
pub(crate) fn person(number: u128) -> AccountId {
    id(1000 + number)
}

pub(crate) fn show() -> ShowId {
    id(1)
}

pub(crate) fn performance() -> PerformanceId {
    id(2)
}

/// So many seconds after the sale opened.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_785_582_000_000 + seconds * 1000)
}

/// When the sale opens.
pub(crate) fn opening() -> Timestamp {
    at(0)
}

/// When the performance begins.
pub(crate) fn curtain() -> Timestamp {
    at(100_000)
}

pub(crate) fn won(amount: i64) -> Won {
    Won::new(amount).unwrap()
}

pub(crate) fn seats<const N: usize>(numbers: [u32; N]) -> Vec<SeatIndex> {
    numbers.map(SeatIndex).to_vec()
}

/// The price of a seat in each category: R, S, and one without seats.
pub(crate) const PRICES: [i64; 3] = [110_000, 88_000, 0];

/// Three rows of eight, ten apart: the first two of category R, the last of S; seat 23 is for a wheelchair.
pub(crate) fn plan() -> Arc<Plan> {
    let seat = |at: u32| Seat {
        id: format!("seat-{at}"),
        number: (at % 8 + 1).to_string(),
        row: at / 8,
        category: u16::from(at >= 16),
        position: Point { x: (at % 8 * 10) as f32, y: (at / 8 * 10) as f32 },
        kind: if at == 23 { SeatKind::Wheelchair } else { SeatKind::Standard },
        left: (!at.is_multiple_of(8)).then(|| SeatIndex(at - 1)),
        right: (at % 8 < 7).then_some(SeatIndex(at + 1)),
    };
    let category = |name: &str| Category { name: name.to_owned(), color: "#000000".to_owned() };
    Arc::new(Plan {
        name: "Studio".to_owned(),
        categories: vec![category("R"), category("S"), category("unused")],
        rows: (0..3).map(|row| Row { area: 0, name: row.to_string() }).collect(),
        seats: (0..24).map(seat).collect(),
        ..Plan::default()
    })
}

pub(crate) fn price(category: &str, price: i64) -> CategoryPrice {
    CategoryPrice { category: category.to_owned(), price: won(price) }
}

/// As people come, with 50 s to claim a pass.
pub(crate) fn rules() -> LineRules {
    LineRules { mode: Mode::FirstCome, claim_seconds: 50, ..LineRules::default() }
}

/// 2 seats a person, 100 s to choose, 300 s to pay, 3 people inside for 500 s.
pub(crate) fn policies() -> Policies {
    Policies {
        seats_per_person: 2,
        hold_seconds: 100,
        payment_seconds: 300,
        capacity: 3,
        session_seconds: 500,
        line: rules(),
        ..Policies::default()
    }
}

pub(crate) fn fan(number: u128) -> Actor {
    Actor::Account(person(number))
}

pub(crate) const SYSTEM: Actor = Actor::System("test");

/// Asks without facts.
pub(crate) fn ask<C>(actor: Actor, now: Timestamp, command: C) -> Ask<C> {
    Ask { command, actor, now, facts: () }
}

/// An aggregate with a past, to be asked something.
pub(crate) struct Given<A: Aggregate>(Vec<A::Event>);

pub(crate) fn given<A: Aggregate<Services = (), Error = Refusal>>(past: impl IntoIterator<Item = A::Event>) -> Given<A> {
    Given(past.into_iter().collect())
}

impl<A: Aggregate<Services = (), Error = Refusal>> Given<A> {
    /// What comes of asking, for saying what it must be.
    pub(crate) fn when(&self, ask: A::Command) -> Outcome<A> {
        let past = self.0.clone();
        Outcome(TestFramework::<A>::with(()).given(past).when(ask).inspect_result())
    }

    /// The same with more that has happened.
    pub(crate) fn and(&self, more: impl IntoIterator<Item = A::Event>) -> Given<A> {
        Given(self.0.iter().cloned().chain(more).collect())
    }
}

pub(crate) struct Outcome<A: Aggregate>(Result<Vec<A::Event>, Refusal>);

impl<A: Aggregate> Outcome<A> {
    /// Whether it is accepted.
    pub(crate) fn accepted(&self) -> bool {
        self.0.is_ok()
    }

    /// The one event it makes.
    #[track_caller]
    pub(crate) fn only_event(self) -> A::Event {
        let mut events = self.0.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        assert_eq!(events.len(), 1);
        events.remove(0)
    }

    /// It makes just these events.
    #[track_caller]
    pub(crate) fn then(self, expected: impl IntoIterator<Item = A::Event>) {
        let events = self.0.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        assert_eq!(events, expected.into_iter().collect::<Vec<_>>());
    }

    /// It is accepted and changes nothing.
    #[track_caller]
    pub(crate) fn then_nothing(self) {
        self.then([]);
    }

    /// It is refused for this reason.
    #[track_caller]
    pub(crate) fn then_refused(self, reason: Reason) -> Refusal {
        match self.0 {
            Ok(events) => panic!("accepted, with {events:?}; expected {reason:?}"),
            Err(refusal) => {
                assert_eq!(refusal.reason, reason, "{refusal}");
                assert!(!refusal.detail.is_empty());
                refusal
            }
        }
    }

    /// It is refused as invalid, with a detail that names this field first.
    #[track_caller]
    pub(crate) fn then_invalid(self, field: &str) {
        let refusal = self.then_refused(Reason::Invalid);
        assert!(refusal.detail.starts_with(&format!("{field}: ")), "{refusal} should name {field}");
    }
}
