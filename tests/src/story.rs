//! A show told by its events: what projections are fed with when a test must say exactly what happened.

use crate::stage::{import, small_plan};
use crate::{TestDb, TestLog};
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::{Cancellation, Event as Seats, Line, Means, Method, Release};
use socketing_domain::plan::{Category, Plan, PlanHash};
use socketing_domain::show::{CategoryPrice, Date, Details, Policies, Text};
use socketing_domain::waiting_room::{Departure, Event as Queue, LineRules};
use socketing_domain::{
    AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, RefundId, SeatIndex, ShowId, Timestamp, Won, account, party,
    show, wallet,
};

/// The price of category R, the first half of the seats.
pub const PRICE_R: i64 = 90_000;
/// The price of category S, the other half.
pub const PRICE_S: i64 = 40_000;
/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// One event, and the stream it is in.
pub type Told = (StreamId, Event);

/// A show of one performance, its organiser, and the log that it is told to.
#[derive(Debug)]
pub struct Story {
    /// Where it is told.
    pub log: TestLog,
    /// The seating plan.
    pub plan: Plan,
    /// Its hash.
    pub hash: PlanHash,
    /// The show.
    pub show: ShowId,
    /// Whose it is.
    pub organiser: AccountId,
    /// Its performance.
    pub performance: PerformanceId,
}

/// An amount.
#[must_use]
pub fn won(amount: i64) -> Won {
    Won::new(amount).expect("an amount")
}

/// Seats by their numbers.
#[must_use]
pub fn seats(numbers: &[u32]) -> Vec<SeatIndex> {
    numbers.iter().copied().map(SeatIndex).collect()
}

impl Story {
    /// A show with a plan of so many rows and seats a row, imported; nothing is told yet.
    ///
    /// # Panics
    /// If the plan can't be imported.
    pub async fn new(db: &TestDb, rows: u32, seats_per_row: u32) -> Story {
        let mut plan = small_plan(rows, seats_per_row);
        plan.categories.push(Category { name: "S".into(), color: "#3344aa".into() });
        let half = plan.seats.len() / 2;
        plan.seats.iter_mut().skip(half).for_each(|seat| seat.category = 1);
        let hash = import(&db.pool, &plan).await.expect("import the plan");
        let (show, organiser, performance) = (ShowId::new(), AccountId::new(), PerformanceId::new());
        Story { log: TestLog::new(&db.pool).await, plan, hash, show, organiser, performance }
    }

    /// Appends events, and returns the last one's position.
    pub async fn tell(&mut self, events: &[Told]) -> u64 {
        self.log.append(events).await
    }

    /// The same hall with another show: another title in the list.
    pub fn turn_to_another_show(&mut self) {
        (self.show, self.performance) = (ShowId::new(), PerformanceId::new());
    }

    /// The price of a seat.
    #[must_use]
    pub fn price(&self, seat: SeatIndex) -> Won {
        won(if self.plan.seats[seat.at()].category == 0 { PRICE_R } else { PRICE_S })
    }

    fn prices() -> Vec<CategoryPrice> {
        let price = |category: &str, price| CategoryPrice { category: category.into(), price: won(price) };
        vec![price("R", PRICE_R), price("S", PRICE_S)]
    }

    /// The show is drafted.
    #[must_use]
    pub fn drafted(&self) -> Told {
        let details = Details {
            title: Text { ko: "리어왕".into(), en: Some("King Lear".into()) },
            venue: Text { ko: "소극장".into(), en: None },
            plan: self.hash,
            dates: vec![Date { performance: self.performance, starts_at: NOW.plus_seconds(86_400) }],
            prices: Story::prices(),
            sale_opens_at: NOW,
            policies: Policies::default(),
        };
        (StreamId::Show(self.show), Event::Show(show::Event::ShowDrafted { show: self.show, organiser: self.organiser, details }))
    }

    /// The show is published.
    #[must_use]
    pub fn published(&self) -> Told {
        (StreamId::Show(self.show), Event::Show(show::Event::ShowPublished { show: self.show }))
    }

    /// The performance goes on sale.
    #[must_use]
    pub fn scheduled(&self) -> Told {
        self.seat_event(Seats::PerformanceScheduled {
            show: self.show,
            plan: self.hash,
            seats: u32::try_from(self.plan.seats.len()).expect("few seats"),
            starts_at: NOW.plus_seconds(86_400),
            sale_opens_at: NOW,
            prices: Story::prices(),
            seats_per_person: 4,
            hold_seconds: 120,
            payment_seconds: 300,
            no_orphans: false,
            adjacency: Default::default(),
        })
    }

    /// The line opens.
    #[must_use]
    pub fn line_opened(&self) -> Told {
        self.line_event(Queue::LineOpened {
            show: self.show,
            sale_opens_at: NOW,
            capacity: 2,
            session_seconds: 900,
            rules: LineRules::original(),
        })
    }

    /// Everything until the sale is open.
    #[must_use]
    pub fn on_sale(&self) -> Vec<Told> {
        vec![self.drafted(), self.published(), self.scheduled(), self.line_opened()]
    }

    /// An event of the performance's seats.
    #[must_use]
    pub fn seat_event(&self, event: Seats) -> Told {
        (StreamId::Performance(self.performance), Event::Performance(event))
    }

    /// An event of the performance's line.
    #[must_use]
    pub fn line_event(&self, event: Queue) -> Told {
        (StreamId::WaitingRoom(self.performance), Event::WaitingRoom(event))
    }

    /// An event of a party of the performance.
    #[must_use]
    pub fn party_event(&self, party: PartyId, event: party::Event) -> Told {
        (StreamId::Party(self.performance, party), Event::Party(event))
    }

    /// Someone takes a number.
    #[must_use]
    pub fn joined(&self, entry: EntryId, number: u64, members: &[AccountId], party: Option<PartyId>) -> Told {
        self.line_event(Queue::QueueJoined { entry, number, account: members[0], party, members: members.to_vec() })
    }

    /// A number is called.
    #[must_use]
    pub fn admitted(&self, entry: EntryId, number: u64) -> Told {
        self.line_event(Queue::EntryAdmitted { entry, number, session_ends_at: NOW.plus_seconds(900) })
    }

    /// A place is given up.
    #[must_use]
    pub fn departed(&self, entry: EntryId, number: u64) -> Told {
        self.line_event(Queue::EntryDeparted { entry, number, reason: Departure::Left })
    }

    /// Seats are held by people, for themselves.
    #[must_use]
    pub fn held(&self, hold: HoldId, members: &[AccountId], numbers: &[u32]) -> Told {
        self.seat_event(Seats::SeatsHeld {
            hold,
            account: members[0],
            party: None,
            members: members.to_vec(),
            seats: seats(numbers),
            expires_at: NOW.plus_seconds(120),
            extended: false,
        })
    }

    /// A hold's time runs out.
    #[must_use]
    pub fn released(&self, hold: HoldId, numbers: &[u32]) -> Told {
        self.seat_event(Seats::HoldReleased { hold, seats: seats(numbers), reason: Release::Expired })
    }

    /// The lines of a booking: seats go to the members in turn.
    #[must_use]
    pub fn lines(&self, members: &[AccountId], numbers: &[u32]) -> Vec<Line> {
        let holders = members.iter().copied().cycle();
        seats(numbers).into_iter().zip(holders).map(|(seat, holder)| Line { seat, price: self.price(seat), holder }).collect()
    }

    /// What these seats cost.
    #[must_use]
    pub fn total(&self, numbers: &[u32]) -> Won {
        seats(numbers).into_iter().map(|seat| self.price(seat)).sum()
    }

    /// A hold becomes a booking.
    #[must_use]
    pub fn booked(&self, booking: BookingId, hold: HoldId, members: &[AccountId], numbers: &[u32]) -> Told {
        self.seat_event(Seats::SeatsBooked {
            booking,
            hold,
            account: members[0],
            lines: self.lines(members, numbers),
            total: self.total(numbers),
            pay_by: NOW.plus_seconds(300),
        })
    }

    /// The buyer asks to pay.
    #[must_use]
    pub fn payment_started(&self, payment: PaymentId, booking: BookingId, account: AccountId, numbers: &[u32]) -> Told {
        let amount = self.total(numbers);
        self.seat_event(Seats::PaymentStarted { payment, booking, account, method: Means::Socketpay, amount })
    }

    /// The payment fails.
    #[must_use]
    pub fn payment_failed(&self, payment: PaymentId, booking: BookingId) -> Told {
        self.seat_event(Seats::PaymentFailed { payment, booking, reason: "insufficient_funds".into() })
    }

    /// The payment is taken.
    #[must_use]
    pub fn sold(&self, booking: BookingId, payment: PaymentId, members: &[AccountId], numbers: &[u32]) -> Told {
        let (lines, amount) = (self.lines(members, numbers), self.total(numbers));
        self.seat_event(Seats::SeatsSold { booking, payment, account: members[0], lines, amount })
    }

    /// The booking ends.
    #[must_use]
    pub fn cancelled(&self, booking: BookingId, numbers: &[u32], reason: Cancellation) -> Told {
        self.seat_event(Seats::BookingCancelled { booking, seats: seats(numbers), reason })
    }

    /// Money is owed back.
    #[must_use]
    pub fn refund_due(&self, refund: RefundId, payment: PaymentId, booking: BookingId, account: AccountId, amount: Won) -> Told {
        self.seat_event(Seats::RefundDue { refund, payment, booking, account, method: Method::Socketpay, amount })
    }

    /// The money is back.
    #[must_use]
    pub fn refund_completed(&self, refund: RefundId, booking: BookingId, amount: Won) -> Told {
        self.seat_event(Seats::RefundCompleted { refund, booking, amount })
    }
}

/// Someone signs up, and gets a wallet.
#[must_use]
pub fn signed_up(account: AccountId) -> Vec<Told> {
    let opened = account::Event::AccountOpened { account, at: NOW };
    let wallet = wallet::Event::WalletOpened { account, balance: won(500_000) };
    vec![(StreamId::Account(account), Event::Account(opened)), (StreamId::Wallet(account), Event::Wallet(wallet))]
}

/// Someone gets a role.
#[must_use]
pub fn role_granted(account: AccountId, role: account::Role) -> Told {
    (StreamId::Account(account), Event::Account(account::Event::RoleGranted { account, role }))
}
