//! What projections make of the log: rows that equal a second fold of it, however it is cut into batches.

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use socketing_domain::draw::{self, Digest};
use socketing_domain::event::{Actor, Recorded};
use socketing_domain::performance::{Cancellation, Command as Seats, Means};
use socketing_domain::show::{CategoryPrice, Policies};
use socketing_domain::unit::{Command, Context, Unit, UnitId};
use socketing_domain::waiting_room::{Command as Line, LineRules};
use socketing_domain::{AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, RefundId, SeatIndex, Timestamp, account, party};
use socketing_event_store::log;
use socketing_projections::verify::verify;
use socketing_projections::{Projection, projections};
use socketing_tests::reading::assert_verified;
use socketing_tests::story::{NOW, PRICE_R, PRICE_S, Story, Told, role_granted, signed_up, won};
use socketing_tests::{TestDb, TestReading};
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The seed of the draw.
const SEED: Digest = Digest([0x5e; 32]);
/// When the sale opens; before, people come into the lobby.
const OPENS: Timestamp = NOW.plus_seconds(30);

/// Every read model's tables.
const TABLES: [&str; 19] = [
    "catalogue_shows",
    "catalogue_performances",
    "seat_maps",
    "seat_map_chunks",
    "sales",
    "sales_performances",
    "sales_bookings",
    "bookings",
    "booking_lines",
    "lines",
    "line_entries",
    "line_members",
    "draw_tickets",
    "parties",
    "party_members",
    "wallets",
    "account_roles",
    "friend_words",
    "suggestible_accounts",
];

/// Everything that the read models hold, in an order that says nothing.
async fn contents(pool: &PgPool) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let mut contents = BTreeMap::new();
    for table in TABLES {
        let rows = sqlx::query_scalar(&format!("select row_to_json(t)::text as row from {table} t order by row")).fetch_all(pool).await?;
        contents.insert(table, rows);
    }
    Ok(contents)
}

/// A booking of three seats that is paid, and another that is still unpaid.
async fn small_sale(story: &mut Story) -> (AccountId, AccountId, u64) {
    let (kim, lee) = (AccountId::new(), AccountId::new());
    let (hold, other_hold) = (HoldId::new(), HoldId::new());
    let (booking, other, payment) = (BookingId::new(), BookingId::new(), PaymentId::new());
    let mut events = story.on_sale();
    events.extend(signed_up(kim));
    events.extend(signed_up(lee));
    events.extend([
        story.held(hold, &[kim, lee], &[0, 1, 9]),
        story.booked(booking, hold, &[kim, lee], &[0, 1, 9]),
        story.payment_started(payment, booking, kim, &[0, 1, 9]),
        story.sold(booking, payment, &[kim, lee], &[0, 1, 9]),
        story.held(other_hold, &[lee], &[4]),
        story.booked(other, other_hold, &[lee], &[4]),
        story.held(HoldId::new(), &[kim], &[5, 8]),
    ]);
    let last = story.tell(&events).await;
    (kim, lee, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_counted_by_category_and_seat() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 2, 5).await;
    let reading = TestReading::start(&db, None).await;
    let (_, _, last) = small_sale(&mut story).await;
    reading.reaches(last).await;
    let states: String = sqlx::query_scalar("select states from seat_map_chunks").fetch_one(&db.pool).await?;
    assert_eq!(states, "3300210013");
    let sales: Vec<Value> = sqlx::query_scalar(
        "select json_build_array(category, seats, held, booked, sold, revenue, refunded)::jsonb from sales order by ordinal",
    )
    .fetch_all(&db.pool)
    .await?;
    assert_eq!(sales, [json!(["R", 5, 0, 1, 2, 2 * PRICE_R, 0]), json!(["S", 5, 2, 0, 1, PRICE_S, 0])]);
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_bookings_free_their_seats_and_count_their_refunds() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 2, 5).await;
    let reading = TestReading::start(&db, None).await;
    let kim = AccountId::new();
    let (hold, booking, payment, refund) = (HoldId::new(), BookingId::new(), PaymentId::new(), RefundId::new());
    let mut events = story.on_sale();
    events.extend([
        story.held(hold, &[kim], &[4, 5]),
        story.booked(booking, hold, &[kim], &[4, 5]),
        story.payment_started(payment, booking, kim, &[4, 5]),
        story.sold(booking, payment, &[kim], &[4, 5]),
        story.cancelled(booking, &[4, 5], Cancellation::Buyer),
        story.refund_due(refund, payment, booking, kim, won(PRICE_R + PRICE_S)),
        story.refund_completed(refund, booking, won(PRICE_R + PRICE_S)),
    ]);
    let last = story.tell(&events).await;
    reading.reaches(last).await;
    let states: String = sqlx::query_scalar("select states from seat_map_chunks").fetch_one(&db.pool).await?;
    assert_eq!(states, "0000000000");
    let sales: Vec<(i32, i64, i64)> =
        sqlx::query_as("select held + booked + sold, revenue, refunded from sales order by ordinal").fetch_all(&db.pool).await?;
    assert_eq!(sales, [(0, 0, PRICE_R), (0, 0, PRICE_S)]);
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_came_too_late_counts_as_taken_and_refunded_besides_the_one_that_bought() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 2, 5).await;
    let reading = TestReading::start(&db, None).await;
    let kim = AccountId::new();
    let (hold, booking) = (HoldId::new(), BookingId::new());
    let (late, second, refund) = (PaymentId::new(), PaymentId::new(), RefundId::new());
    let mut events = story.on_sale();
    events.extend([
        story.held(hold, &[kim], &[0]),
        story.booked(booking, hold, &[kim], &[0]),
        story.payment_started(late, booking, kim, &[0]),
        story.payment_failed(late, booking),
        story.payment_started(second, booking, kim, &[0]),
        story.sold(booking, second, &[kim], &[0]),
        story.refund_due(refund, late, booking, kim, won(PRICE_R)),
    ]);
    let last = story.tell(&events).await;
    reading.reaches(last).await;
    let row: (String, i64, i64) = sqlx::query_as("select state, paid, refund_due from bookings").fetch_one(&db.pool).await?;
    assert_eq!(row, ("paid".to_owned(), 2 * PRICE_R, PRICE_R));
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_each_row_that_was_changed_removed_or_added() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 2, 5).await;
    let reading = TestReading::start(&db, None).await;
    let (kim, lee, last) = small_sale(&mut story).await;
    reading.reaches(last).await;
    reading.stop().await;
    assert_verified(&db.pool).await;
    let stranger = AccountId::new();
    sqlx::query("update seat_map_chunks set states = overlay(states placing '3' from 3)").execute(&db.pool).await?;
    sqlx::query("update sales set revenue = revenue + 1 where ordinal = 1").execute(&db.pool).await?;
    sqlx::query("delete from wallets where account_id = $1").bind(kim.0).execute(&db.pool).await?;
    sqlx::query("insert into account_roles (account_id, role) values ($1, 'operator')").bind(stranger.0).execute(&db.pool).await?;
    let told: BTreeMap<String, (Option<Value>, Option<Value>)> = verify(&db.pool)
        .await?
        .into_iter()
        .flat_map(|verified| verified.mismatches)
        .map(|mismatch| (mismatch.key, (mismatch.expected, mismatch.found)))
        .collect();
    let performance = story.performance;
    let states = &told[&format!("seat_map_chunks {performance} chunk 0")];
    assert_eq!(states, &(Some(json!("3300210013")), Some(json!("3330210013"))));
    let (expected, found) = &told[&format!("sales {performance} 1")];
    let revenue = |row: &Option<Value>| row.as_ref().and_then(|row| row["revenue"].as_i64());
    assert_eq!((revenue(expected), revenue(found)), (Some(PRICE_S), Some(PRICE_S + 1)));
    assert_eq!(told[&format!("wallets {kim}")], (Some(json!(500_000)), None));
    assert_eq!(told[&format!("account_roles {stranger}")], (None, Some(json!("operator"))));
    assert_eq!(told.len(), 4, "nothing else is told, such as {lee}'s wallet: {told:#?}");
    Ok(())
}

/// People who do whatever comes into their heads with a performance, as the domain allows it.
struct Crowd {
    random: StdRng,
    hall: Unit,
    now: Timestamp,
    people: Vec<AccountId>,
    holds: Vec<(AccountId, HoldId)>,
    bookings: Vec<(AccountId, BookingId)>,
    payments: Vec<PaymentId>,
    refunds: Vec<RefundId>,
    parties: Vec<(AccountId, PartyId)>,
    invited: Vec<(AccountId, PartyId)>,
    told: Vec<Told>,
}

impl Crowd {
    fn new(seed: u64, story: &Story) -> Crowd {
        Crowd {
            random: StdRng::seed_from_u64(seed),
            hall: Unit::new(UnitId::Performance(story.performance)),
            now: NOW,
            people: (0..12).map(|_| AccountId::new()).collect(),
            holds: Vec::new(),
            bookings: Vec::new(),
            payments: Vec::new(),
            refunds: Vec::new(),
            parties: Vec::new(),
            invited: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Tries a command; what it makes is told. True if it was accepted.
    fn tries(&mut self, story: &Story, actor: Actor, command: &Command) -> bool {
        let context = Context { actor, now: self.now, plan: Some(&story.plan) };
        let Ok(events) = self.hall.decide(&context, command) else { return false };
        self.take(events);
        true
    }

    fn take(&mut self, events: Vec<Told>) {
        for (stream, event) in events {
            self.hall.apply(&stream, &event);
            self.told.push((stream, event));
        }
    }

    /// Puts the performance on sale; capacity is small and times are short, so that all of them matter.
    fn opens(&mut self, story: &Story) {
        let price = |category: &str, price| CategoryPrice { category: category.into(), price: won(price) };
        let policies = Policies { capacity: 6, hold_seconds: 20, payment_seconds: 30, session_seconds: 90, ..Policies::default() };
        let schedule = Seats::Schedule {
            show: story.show,
            plan: story.hash,
            starts_at: NOW.plus_seconds(86_400),
            sale_opens_at: OPENS,
            prices: vec![price("R", PRICE_R), price("S", PRICE_S)],
            policies,
        };
        let rules = LineRules { claim_seconds: 10, ..LineRules::default() };
        let line = Line::OpenLine { show: story.show, sale_opens_at: OPENS, capacity: 6, session_seconds: 90, rules };
        let commit = Line::CommitDraw { commitment: draw::commitment(&SEED) };
        assert!(self.tries(story, Actor::System("publisher"), &Command::Performance(schedule)));
        assert!(self.tries(story, Actor::System("publisher"), &Command::Line(line)));
        assert!(self.tries(story, Actor::System("draw"), &Command::Line(commit)));
    }

    /// Before anybody is in the line: people find together, or don't.
    fn gathers(&mut self, story: &Story) {
        let me = *self.people.choose(&mut self.random).expect("people");
        let friend = *self.people.choose(&mut self.random).expect("people");
        if self.random.random_bool(0.4) { self.invites(story, me, friend) } else { self.answers(story) }
    }

    /// One more thing happens, and time goes on.
    fn does_something(&mut self, story: &Story) {
        let me = *self.people.choose(&mut self.random).expect("people");
        let friend = *self.people.choose(&mut self.random).expect("people");
        match self.random.random_range(0..15) {
            0..3 => self.joins(story, me),
            3..6 => self.holds(story, me),
            6 => self.releases(story),
            7..9 => self.books(story),
            9 => self.pays(story),
            10 => self.is_answered(story),
            11 => self.cancels(story),
            12 => self.invites(story, me, friend),
            13 => self.answers(story),
            _ => drop(self.tries(story, Actor::Account(me), &Command::Line(Line::LeaveQueue))),
        }
        self.tries(story, Actor::System("draw"), &Command::Line(Line::RevealSeed { seed: SEED }));
        self.now = self.now.plus_seconds(self.random.random_range(0..4));
        let due = self.hall.due(self.now);
        self.take(due);
    }

    fn joins(&mut self, story: &Story, me: AccountId) {
        let party = self.parties.iter().find(|(leader, _)| *leader == me).map(|(_, party)| *party);
        self.tries(story, Actor::Account(me), &Command::Line(Line::JoinQueue { entry: EntryId::new(), party }));
    }

    fn holds(&mut self, story: &Story, me: AccountId) {
        self.tries(story, Actor::Account(me), &Command::Line(Line::ClaimPass));
        let count = self.random.random_range(1..4);
        let last = u32::try_from(story.plan.seats.len()).expect("few seats");
        let seats = (0..count).map(|_| SeatIndex(self.random.random_range(0..last))).collect();
        let hold = HoldId::new();
        if self.tries(story, Actor::Account(me), &Command::Performance(Seats::HoldSeats { hold, seats })) {
            self.holds.push((me, hold));
        }
    }

    fn releases(&mut self, story: &Story) {
        let Some((owner, hold)) = self.holds.choose(&mut self.random).copied() else { return };
        self.tries(story, Actor::Account(owner), &Command::Performance(Seats::ReleaseHold { hold }));
    }

    fn books(&mut self, story: &Story) {
        let Some((owner, hold)) = self.holds.last().copied() else { return };
        let booking = BookingId::new();
        if self.tries(story, Actor::Account(owner), &Command::Performance(Seats::Book { booking, hold })) {
            self.bookings.push((owner, booking));
        }
    }

    fn pays(&mut self, story: &Story) {
        let Some((owner, booking)) = self.bookings.choose(&mut self.random).copied() else { return };
        let payment = PaymentId::new();
        let pay = Seats::Pay { payment, booking, method: Means::Socketpay };
        if self.tries(story, Actor::Account(owner), &Command::Performance(pay)) {
            self.payments.push(payment);
        }
    }

    /// The provider says yes or no, now or long after; sometimes both.
    fn is_answered(&mut self, story: &Story) {
        let latest = self.random.random_bool(0.7).then(|| self.payments.last().copied()).flatten();
        let Some(payment) = latest.or_else(|| self.payments.choose(&mut self.random).copied()) else { return };
        let refund = RefundId::new();
        let answer = if self.random.random_bool(0.5) {
            Seats::ConfirmPayment { payment, refund }
        } else {
            Seats::FailPayment { payment, reason: "insufficient_funds".into() }
        };
        if self.tries(story, Actor::System("payments"), &Command::Performance(answer)) {
            self.refunds.push(refund);
        }
        if let Some(refund) = self.refunds.choose(&mut self.random).copied() {
            self.tries(story, Actor::System("payments"), &Command::Performance(Seats::CompleteRefund { refund }));
        }
    }

    fn cancels(&mut self, story: &Story) {
        let Some((owner, booking)) = self.bookings.choose(&mut self.random).copied() else { return };
        let refund = RefundId::new();
        if self.tries(story, Actor::Account(owner), &Command::Performance(Seats::Cancel { booking, refund })) {
            self.refunds.push(refund);
        }
    }

    fn invites(&mut self, story: &Story, me: AccountId, friend: AccountId) {
        let known = self.parties.iter().find(|(leader, _)| *leader == me).map(|(_, party)| *party);
        let party = known.unwrap_or_else(PartyId::new);
        let invited = self.tries(story, Actor::Account(me), &Command::Party(party, party::Command::InviteFriend { friend }));
        if invited && known.is_none() {
            self.parties.push((me, party));
        }
        if invited {
            self.invited.push((friend, party));
        }
    }

    fn answers(&mut self, story: &Story) {
        let Some((me, party)) = self.invited.choose(&mut self.random).copied() else { return };
        let answer = match self.random.random_range(0..4) {
            0 => party::Command::DeclineInvitation,
            1 => party::Command::LeaveParty,
            _ => party::Command::AcceptInvitation,
        };
        self.tries(story, Actor::Account(me), &Command::Party(party, answer));
    }

    /// Whom they want as friends and whom not, and who may be suggested.
    fn says_who_is_a_friend(&mut self) -> Vec<Told> {
        let opened = |account: &AccountId| {
            let mut unit = Unit::new(UnitId::Account(*account));
            let (stream, event) = signed_up(*account).swap_remove(0);
            unit.apply(&stream, &event);
            (*account, unit)
        };
        let mut accounts: BTreeMap<AccountId, Unit> = self.people.iter().map(opened).collect();
        let mut told = Vec::new();
        for _ in 0..80 {
            let [me, friend] = std::array::from_fn(|_| self.people.choose(&mut self.random).copied().expect("people"));
            let command = match self.random.random_range(0..5) {
                0 => account::Command::AllowSuggestions { allowed: self.random.random() },
                1 => account::Command::DismissFriend { friend },
                _ => account::Command::RequestFriend { friend },
            };
            let account = accounts.get_mut(&me).expect("an account");
            let context = Context { actor: Actor::Account(me), now: self.now, plan: None };
            let events = account.decide(&context, &Command::Account(command)).unwrap_or_default(); // oneself is refused
            events.iter().for_each(|(stream, event)| account.apply(stream, event));
            told.extend(events);
        }
        told
    }
}

/// A whole log: a show, accounts, and a crowd.
async fn crowded_sale(db: &TestDb, seed: u64, deeds: usize) -> Vec<Told> {
    let mut story = Story::new(db, 4, 10).await;
    let mut crowd = Crowd::new(seed, &story);
    let mut told = vec![story.drafted(), story.published()];
    told.extend(crowd.people.clone().into_iter().flat_map(signed_up));
    told.push(role_granted(crowd.people[0], account::Role::Operator));
    crowd.opens(&story);
    for _ in 0..60 {
        crowd.gathers(&story);
    }
    for _ in 0..deeds {
        crowd.does_something(&story);
    }
    let friends = crowd.says_who_is_a_friend();
    told.extend(crowd.told);
    told.extend(friends);
    story.tell(&told).await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_crowd_does_the_rows_are_the_fold_of_the_log() -> Result<()> {
    let mut sorts = BTreeSet::new();
    for seed in 0..4 {
        let db = TestDb::new().await;
        let told = crowded_sale(&db, seed, 1_500).await;
        sorts.extend(told.iter().map(|(_, event)| event.event_type()));
        let reading = TestReading::start(&db, None).await;
        reading.is_the_fold_of_the_log().await;
        let parked: i64 = sqlx::query_scalar("select count(*) from parked_events").fetch_one(&db.pool).await?;
        assert_eq!(parked, 0, "seed {seed}");
        reading.stop().await;
    }
    let wanted = ["SeatsSold", "BookingCancelled", "RefundDue", "RefundCompleted", "HoldReleased", "PaymentFailed"];
    for wanted in
        wanted.into_iter().chain(["PartyFrozen", "InvitationDeclined", "SeedRevealed", "EntryCalled", "EntryAdmitted", "EntryDeparted"])
    {
        assert!(sorts.contains(wanted), "no crowd ever made {wanted}: {sorts:?}");
    }
    Ok(())
}

/// Folds the log into the empty tables, cut into batches of these lengths in turn.
async fn fold(pool: &PgPool, projection: &dyn Projection, events: &[Recorded], lengths: &[usize]) -> Result<()> {
    let mine: Vec<Recorded> =
        events.iter().filter(|event| projection.streams().contains(&event.stream.aggregate_type())).cloned().collect();
    let mut rest = mine.as_slice();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, later) = rest.split_at((*length).min(rest.len()));
        let mut tx = pool.begin().await?;
        projection.handle(&mut tx, batch).await.with_context(|| format!("{} at {}", projection.model(), batch[0].position))?;
        tx.commit().await?;
        rest = later;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn however_the_log_is_cut_into_batches_the_rows_are_the_same() -> Result<()> {
    let db = TestDb::new().await;
    crowded_sale(&db, 7, 400).await;
    let mut events = Vec::new();
    while let Some(page) = Some(log::read_after(&db.pool, events.len() as u64, 1_000).await?).filter(|page| !page.is_empty()) {
        events.extend(page.iter().map(socketing_event_store::RawEvent::decode).collect::<Result<Vec<_>, _>>()?);
    }
    let mut seen = Vec::new();
    for lengths in [&[usize::MAX][..], &[1], &[7, 1, 40, 3]] {
        for table in TABLES {
            sqlx::query(&format!("delete from {table}")).execute(&db.pool).await?;
        }
        for projection in projections(&Arc::default()) {
            fold(&db.pool, &*projection, &events, lengths).await?;
        }
        seen.push(contents(&db.pool).await?);
    }
    assert!(seen[0].values().all(|rows| !rows.is_empty()), "every table has rows: {:?}", seen[0].keys());
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    Ok(())
}
