//! Histories to measure on: a sale of 50,000 seats, and a line of a million people.

use anyhow::Result;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{self, Line, Means, Release};
use socketing_domain::plan::PlanHash;
use socketing_domain::show::CategoryPrice;
use socketing_domain::waiting_room;
use socketing_domain::{AccountId, BookingId, EntryId, HoldId, PaymentId, PerformanceId, SeatIndex, ShowId, Timestamp, Won};
use socketing_event_store::PgPool;
use socketing_tests::TestLog;

/// Seats of the hall that is sold.
pub(crate) const SEATS: u32 = 50_000;
/// What one seat costs.
const PRICE_WON: i64 = 50_000;
/// Events that sell one seat: held, booked, being paid, sold.
const EVENTS_PER_SALE: usize = 4;
/// The shortest history in which every seat is sold.
pub(crate) const SALE_EVENTS_MIN: usize = SEATS as usize * EVENTS_PER_SALE + 1;
/// Events made at once, before they are appended.
const AT_ONCE: usize = 10_000;
const OPENS: Timestamp = Timestamp::from_millis(1_785_582_000_000);

/// A performance whose seats are held and let go, again and again, and sold in the end: `count` events of one
/// stream (or one more, for a hold is let go). `count` must leave room for the sale of every seat.
pub(crate) fn sale(id: PerformanceId, count: usize) -> impl Iterator<Item = (StreamId, Event)> {
    assert!(count >= SALE_EVENTS_MIN, "{count} events don't sell {SEATS} seats");
    let churn_events = count - SALE_EVENTS_MIN;
    let fans: Vec<AccountId> = (0..SEATS).map(|_| AccountId::new()).collect();
    let sellers = fans.clone();
    let churn = (0..churn_events.div_ceil(2)).flat_map(move |nth| {
        let (seat, hold) = (SeatIndex(nth as u32 % SEATS), HoldId::new());
        [held(hold, fans[seat.at()], seat), performance::Event::HoldReleased { hold, seats: vec![seat], reason: Release::Released }]
    });
    let sold = (0..SEATS).map(SeatIndex).flat_map(move |seat| sold(sellers[seat.at()], seat));
    let events = std::iter::once(scheduled()).chain(churn).chain(sold);
    events.map(move |event| (StreamId::Performance(id), Event::Performance(event)))
}

/// A line in which `count - 1` people wait.
pub(crate) fn line(id: PerformanceId, count: usize) -> impl Iterator<Item = (StreamId, Event)> {
    let (show, rules) = (ShowId::new(), waiting_room::LineRules::original());
    let opened = waiting_room::Event::LineOpened { show, sale_opens_at: OPENS, capacity: 1_000, session_seconds: 900, rules };
    let joined = (1..count as u64).map(|number| {
        let account = AccountId::new();
        waiting_room::Event::QueueJoined { entry: EntryId::new(), number, account, party: None, members: vec![account] }
    });
    std::iter::once(opened).chain(joined).map(move |event| (StreamId::WaitingRoom(id), Event::WaitingRoom(event)))
}

fn scheduled() -> performance::Event {
    performance::Event::PerformanceScheduled {
        show: ShowId::new(),
        plan: PlanHash([7; 32]),
        seats: SEATS,
        starts_at: OPENS.plus_seconds(86_400 * 30),
        sale_opens_at: OPENS,
        prices: vec![CategoryPrice { category: "R".to_owned(), price: price() }],
        seats_per_person: 4,
        hold_seconds: 120,
        payment_seconds: 300,
        no_orphans: false,
        adjacency: Default::default(),
    }
}

fn held(hold: HoldId, account: AccountId, seat: SeatIndex) -> performance::Event {
    performance::Event::SeatsHeld {
        hold,
        account,
        party: None,
        members: vec![account],
        seats: vec![seat],
        expires_at: OPENS.plus_seconds(seat.0),
        extended: false,
    }
}

fn sold(account: AccountId, seat: SeatIndex) -> [performance::Event; EVENTS_PER_SALE] {
    let (hold, booking, payment, amount) = (HoldId::new(), BookingId::new(), PaymentId::new(), price());
    let lines = vec![Line { seat, price: amount, holder: account }];
    [
        held(hold, account, seat),
        performance::Event::SeatsBooked {
            booking,
            hold,
            account,
            lines: lines.clone(),
            total: amount,
            pay_by: OPENS.plus_seconds(300 + seat.0),
        },
        performance::Event::PaymentStarted { payment, booking, account, method: Means::Socketpay, amount },
        performance::Event::SeatsSold { booking, payment, account, lines, amount },
    ]
}

fn price() -> Won {
    Won::new(PRICE_WON).expect("an amount")
}

/// Appends these events.
pub(crate) async fn append(pool: &PgPool, events: impl Iterator<Item = (StreamId, Event)>) -> Result<()> {
    let mut log = TestLog::new(pool).await;
    let mut events = events.peekable();
    while events.peek().is_some() {
        let some: Vec<_> = events.by_ref().take(AT_ONCE).collect();
        log.append(&some).await;
    }
    sqlx::query("vacuum analyze events").execute(pool).await?; // what autovacuum does in its time, before the clock
    Ok(())
}
