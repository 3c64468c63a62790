//! How a sale goes: seats and money per performance and category.

use super::performance_of;
use crate::plans::{PlanFacts, Plans};
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded};
use socketing_domain::performance::{Event as Seats, Line, Reseated};
use socketing_domain::plan::PlanHash;
use socketing_domain::{SeatIndex, Won};
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

pub(super) struct Sales {
    plans: Arc<Plans>,
}

impl Sales {
    pub(super) fn new(plans: Arc<Plans>) -> Sales {
        Sales { plans }
    }
}

impl Projection for Sales {
    fn model(&self) -> Model {
        Model::Sales
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["sales", "sales_performances", "sales_bookings"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["performance"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        self.write(tx, events).boxed()
    }
}

/// What a batch adds to the figures of one category.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Delta {
    held: i64,
    booked: i64,
    sold: i64,
    revenue: i64,
    refunded: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Booked,
    Sold,
    Ended,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Stage::Booked => "booked",
            Stage::Sold => "sold",
            Stage::Ended => "ended",
        }
    }

    fn parse(name: &str) -> Stage {
        match name {
            "booked" => Stage::Booked,
            "sold" => Stage::Sold,
            _ => Stage::Ended,
        }
    }
}

/// What must be remembered of a booking: a cancellation names neither prices nor whether it was paid.
#[derive(Clone, Debug)]
struct Booking {
    seats: Vec<i32>,
    prices: Vec<i64>,
    stage: Stage,
}

type BookingKey = (Uuid, Uuid);

#[derive(Default)]
struct Figures {
    plans: HashMap<Uuid, Arc<PlanFacts>>,
    opened: Vec<(Uuid, PlanHash)>,
    bookings: BTreeMap<BookingKey, Booking>,
    changed: BTreeSet<BookingKey>,
    deltas: BTreeMap<(Uuid, usize), Delta>,
}

impl Sales {
    async fn write(&self, tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
        let mut figures = Figures { bookings: load_bookings(tx, events).await?, ..Figures::default() };
        self.load_plans(tx, events, &mut figures).await?;
        for event in events {
            let Event::Performance(seats) = &event.event else { continue };
            figures.apply(performance_of(event)?.0, event, seats)?;
        }
        figures.store(tx).await
    }

    /// Plans of all performances in the batch: of those that are new, from the event; of the others, from our table.
    async fn load_plans(&self, tx: &mut PgConnection, events: &[Recorded], figures: &mut Figures) -> Result<(), HandlerError> {
        let mut wanted: HashMap<Uuid, &Recorded> = HashMap::new();
        for event in events {
            let performance = performance_of(event)?.0;
            wanted.entry(performance).or_insert(event);
            if let Event::Performance(Seats::PerformanceScheduled { plan, .. }) = &event.event {
                figures.opened.push((performance, *plan));
            }
        }
        let mut hashes = load_hashes(tx, wanted.keys().copied().collect()).await?;
        hashes.extend(figures.opened.iter().copied());
        for (performance, hash) in hashes {
            let plan = self.plans.get(tx, hash).await;
            let plan = plan.map_err(|source| HandlerError::Plan { position: wanted[&performance].position, source })?;
            figures.plans.insert(performance, plan);
        }
        Ok(())
    }
}

impl Figures {
    fn apply(&mut self, performance: Uuid, event: &Recorded, seats: &Seats) -> Result<(), HandlerError> {
        match seats {
            Seats::SeatsHeld { seats, .. } => self.hold(performance, event, seats, 1),
            Seats::HoldReleased { seats, .. } => self.hold(performance, event, seats, -1),
            Seats::SeatsBooked { booking, lines, .. } => self.book(performance, event, booking.0, lines),
            Seats::SeatsSold { booking, .. } => self.sell(performance, event, booking.0),
            Seats::BookingCancelled { booking, .. } => self.end(performance, event, booking.0),
            Seats::RefundDue { booking, amount, .. } => self.refund(performance, event, booking.0, *amount),
            Seats::SharesReseated { shares, .. } => shares.iter().try_for_each(|share| self.reseat(performance, event, share)),
            Seats::PerformanceScheduled { .. }
            | Seats::SeatClaimed { .. }
            | Seats::SharesOpened { .. }
            | Seats::HoldExtended { .. }
            | Seats::PaymentStarted { .. }
            | Seats::PaymentFailed { .. }
            | Seats::RefundCompleted { .. } => Ok(()),
        }
    }

    fn delta(&mut self, performance: Uuid, event: &Recorded, seat: i32) -> Result<&mut Delta, HandlerError> {
        let plan = self.plans.get(&performance).ok_or_else(|| HandlerError::misfit(event, "its performance isn't on sale"))?;
        let seat = SeatIndex(u32::try_from(seat).unwrap_or(u32::MAX));
        let category = plan.category(seat).ok_or_else(|| HandlerError::misfit(event, format!("the plan has no seat {seat}")))?;
        Ok(self.deltas.entry((performance, category)).or_default())
    }

    fn hold(&mut self, performance: Uuid, event: &Recorded, seats: &[SeatIndex], sign: i64) -> Result<(), HandlerError> {
        for seat in seats {
            self.delta(performance, event, number(*seat))?.held += sign;
        }
        Ok(())
    }

    fn book(&mut self, performance: Uuid, event: &Recorded, booking: Uuid, lines: &[Line]) -> Result<(), HandlerError> {
        for line in lines {
            let delta = self.delta(performance, event, number(line.seat))?;
            delta.held -= 1;
            delta.booked += 1;
        }
        let seats = lines.iter().map(|line| number(line.seat)).collect();
        let prices = lines.iter().map(|line| line.price.get()).collect();
        let known = self.bookings.insert((performance, booking), Booking { seats, prices, stage: Stage::Booked });
        self.changed.insert((performance, booking));
        known.map_or(Ok(()), |_| Err(HandlerError::misfit(event, format!("booking {booking} exists already"))))
    }

    /// Moves a booking on, and returns it as it was.
    fn advance(&mut self, key: BookingKey, event: &Recorded, from: &[Stage], to: Stage) -> Result<Booking, HandlerError> {
        let booking = self.bookings.get_mut(&key).ok_or_else(|| HandlerError::misfit(event, format!("booking {} isn't there", key.1)))?;
        if !from.contains(&booking.stage) {
            return Err(HandlerError::misfit(event, format!("booking {} is {}", key.1, booking.stage.name())));
        }
        let before = booking.clone();
        booking.stage = to;
        self.changed.insert(key);
        Ok(before)
    }

    /// Other seats of the same category: no figure changes.
    fn reseat(&mut self, performance: Uuid, event: &Recorded, share: &Reseated) -> Result<(), HandlerError> {
        let key = (performance, share.booking.0);
        let booking = self.bookings.get_mut(&key).ok_or_else(|| HandlerError::misfit(event, format!("booking {} isn't there", key.1)))?;
        booking.seats = share.lines.iter().map(|line| number(line.seat)).collect();
        booking.prices = share.lines.iter().map(|line| line.price.get()).collect();
        self.changed.insert(key);
        Ok(())
    }

    fn sell(&mut self, performance: Uuid, event: &Recorded, booking: Uuid) -> Result<(), HandlerError> {
        let booking = self.advance((performance, booking), event, &[Stage::Booked], Stage::Sold)?;
        for (seat, price) in booking.lines() {
            let delta = self.delta(performance, event, seat)?;
            delta.booked -= 1;
            delta.sold += 1;
            delta.revenue += price;
        }
        Ok(())
    }

    fn end(&mut self, performance: Uuid, event: &Recorded, booking: Uuid) -> Result<(), HandlerError> {
        let booking = self.advance((performance, booking), event, &[Stage::Booked, Stage::Sold], Stage::Ended)?;
        let was_sold = booking.stage == Stage::Sold;
        for (seat, price) in booking.lines() {
            let delta = self.delta(performance, event, seat)?;
            if was_sold {
                delta.sold -= 1;
                delta.revenue -= price;
            } else {
                delta.booked -= 1;
            }
        }
        Ok(())
    }

    fn refund(&mut self, performance: Uuid, event: &Recorded, booking: Uuid, amount: Won) -> Result<(), HandlerError> {
        let known = self.bookings.get(&(performance, booking)).cloned();
        let booking = known.ok_or_else(|| HandlerError::misfit(event, format!("booking {booking} isn't there")))?;
        for (seat, share) in booking.seats.iter().zip(shares(amount.get(), &booking.prices)) {
            self.delta(performance, event, *seat)?.refunded += share;
        }
        Ok(())
    }

    async fn store(&self, tx: &mut PgConnection) -> Result<(), HandlerError> {
        if !self.opened.is_empty() {
            open_sales(tx, &self.opened, &self.plans).await?;
        }
        if !self.changed.is_empty() {
            store_bookings(tx, self.changed.iter().map(|key| (key, &self.bookings[key])).collect()).await?;
        }
        if !self.deltas.is_empty() {
            add_deltas(tx, &self.deltas).await?;
        }
        Ok(())
    }
}

impl Booking {
    fn lines(&self) -> impl Iterator<Item = (i32, i64)> {
        self.seats.iter().copied().zip(self.prices.iter().copied())
    }
}

/// Splits an amount by prices, to the won: each running sum is rounded down, so the shares add up to the amount.
fn shares(amount: i64, prices: &[i64]) -> Vec<i64> {
    let total: i128 = prices.iter().map(|price| i128::from(*price)).sum();
    let (mut priced, mut given) = (0_i128, 0_i64);
    let mut share = |price: &i64| {
        priced += i128::from(*price);
        let due = if total == 0 { 0 } else { i64::try_from(i128::from(amount) * priced / total).unwrap_or(amount) };
        let share = due - given;
        given = due;
        share
    };
    prices.iter().map(&mut share).collect()
}

/// Seats as Postgres has them: `int`; plans have at most 100,000.
fn number(seat: SeatIndex) -> i32 {
    i32::try_from(seat.0).unwrap_or(i32::MAX)
}

async fn load_bookings(tx: &mut PgConnection, events: &[Recorded]) -> Result<BTreeMap<BookingKey, Booking>, HandlerError> {
    let mut wanted = BTreeSet::new();
    for event in events {
        if let Event::Performance(
            Seats::SeatsBooked { booking, .. }
            | Seats::SeatsSold { booking, .. }
            | Seats::BookingCancelled { booking, .. }
            | Seats::RefundDue { booking, .. },
        ) = &event.event
        {
            wanted.insert((performance_of(event)?.0, booking.0));
        }
        if let Event::Performance(Seats::SharesReseated { shares, .. }) = &event.event {
            let performance = performance_of(event)?.0;
            wanted.extend(shares.iter().map(|share| (performance, share.booking.0)));
        }
    }
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (performances, bookings): (Vec<Uuid>, Vec<Uuid>) = wanted.into_iter().unzip();
    type Row = (Uuid, Uuid, Vec<i32>, Vec<i64>, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select performance_id, booking_id, seats, prices, state
         from unnest($1::uuid[], $2::uuid[]) as wanted (performance_id, booking_id) join sales_bookings using (performance_id, booking_id)",
    )
    .bind(performances)
    .bind(bookings)
    .fetch_all(tx)
    .await
    .map_err(HandlerError::database("read sales_bookings"))?;
    let row = |(performance, booking, seats, prices, state): Row| {
        ((performance, booking), Booking { seats, prices, stage: Stage::parse(&state) })
    };
    Ok(rows.into_iter().map(row).collect())
}

async fn load_hashes(tx: &mut PgConnection, performances: Vec<Uuid>) -> Result<Vec<(Uuid, PlanHash)>, HandlerError> {
    let rows: Vec<(Uuid, [u8; 32])> = sqlx::query_as("select performance_id, plan from sales_performances where performance_id = any($1)")
        .bind(performances)
        .fetch_all(tx)
        .await
        .map_err(HandlerError::database("read sales_performances"))?;
    Ok(rows.into_iter().map(|(performance, hash)| (performance, PlanHash(hash))).collect())
}

async fn open_sales(tx: &mut PgConnection, opened: &[(Uuid, PlanHash)], plans: &HashMap<Uuid, Arc<PlanFacts>>) -> Result<(), HandlerError> {
    sqlx::query("insert into sales_performances (performance_id, plan) select * from unnest($1::uuid[], $2::bytea[])")
        .bind(opened.iter().map(|(performance, _)| *performance).collect::<Vec<Uuid>>())
        .bind(opened.iter().map(|(_, hash)| hash.0.to_vec()).collect::<Vec<Vec<u8>>>())
        .execute(&mut *tx)
        .await
        .map_err(HandlerError::database("write sales_performances"))?;
    let (mut performances, mut names, mut ordinals, mut seats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (performance, _) in opened {
        let plan = &plans[performance];
        for (ordinal, (name, count)) in (0_i32..).zip(plan.categories.iter().zip(plan.seats_by_category())) {
            performances.push(*performance);
            names.push(name.as_str());
            ordinals.push(ordinal);
            seats.push(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }
    sqlx::query(
        "insert into sales (performance_id, ordinal, category, seats) select * from unnest($1::uuid[], $2::int[], $3::text[], $4::int[])",
    )
    .bind(performances)
    .bind(ordinals)
    .bind(names)
    .bind(seats)
    .execute(tx)
    .await
    .map_err(HandlerError::database("open sales"))?;
    Ok(())
}

async fn store_bookings(tx: &mut PgConnection, bookings: Vec<(&BookingKey, &Booking)>) -> Result<(), HandlerError> {
    // An array of arrays must be rectangular in Postgres, and bookings aren't: their seats and prices go as texts.
    let list = |numbers: Vec<String>| format!("{{{}}}", numbers.join(","));
    sqlx::query(
        "insert into sales_bookings (performance_id, booking_id, seats, prices, state)
         select performance_id, booking_id, seats::int[], prices::bigint[], state
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) as new (performance_id, booking_id, seats, prices, state)
         on conflict (performance_id, booking_id) do update
             set state = excluded.state, seats = excluded.seats, prices = excluded.prices",
    )
    .bind(bookings.iter().map(|(key, _)| key.0).collect::<Vec<Uuid>>())
    .bind(bookings.iter().map(|(key, _)| key.1).collect::<Vec<Uuid>>())
    .bind(bookings.iter().map(|(_, booking)| list(booking.seats.iter().map(i32::to_string).collect())).collect::<Vec<String>>())
    .bind(bookings.iter().map(|(_, booking)| list(booking.prices.iter().map(i64::to_string).collect())).collect::<Vec<String>>())
    .bind(bookings.iter().map(|(_, booking)| booking.stage.name()).collect::<Vec<&str>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write sales_bookings"))?;
    Ok(())
}

async fn add_deltas(tx: &mut PgConnection, deltas: &BTreeMap<(Uuid, usize), Delta>) -> Result<(), HandlerError> {
    let column = |of: fn(&Delta) -> i64| deltas.values().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "update sales s
         set held = s.held + d.held, booked = s.booked + d.booked, sold = s.sold + d.sold,
             revenue = s.revenue + d.revenue, refunded = s.refunded + d.refunded
         from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
             as d (performance_id, ordinal, held, booked, sold, revenue, refunded)
         where s.performance_id = d.performance_id and s.ordinal = d.ordinal",
    )
    .bind(deltas.keys().map(|(performance, _)| *performance).collect::<Vec<Uuid>>())
    .bind(deltas.keys().map(|(_, category)| i32::try_from(*category).unwrap_or(i32::MAX)).collect::<Vec<i32>>())
    .bind(column(|delta| delta.held))
    .bind(column(|delta| delta.booked))
    .bind(column(|delta| delta.sold))
    .bind(column(|delta| delta.revenue))
    .bind(column(|delta| delta.refunded))
    .execute(tx)
    .await
    .map_err(HandlerError::database("write sales"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn a_whole_refund_is_split_as_it_was_paid() {
        assert_eq!(shares(90_000, &[50_000, 30_000, 10_000]), [50_000, 30_000, 10_000]);
    }

    #[test]
    fn shares_of_any_refund_add_up() {
        for amount in [0, 1, 2, 99, 100, 33_333, 1_000_000_000_000_000] {
            let split = shares(amount, &[70_001, 3, 3, 999_999]);
            assert_eq!(split.iter().sum::<i64>(), amount, "{amount}");
            assert!(split.iter().all(|share| *share >= 0), "{amount}: {split:?}");
        }
    }

    #[test]
    fn free_seats_get_nothing_back() {
        assert_eq!(shares(0, &[0, 0]), [0, 0]);
    }
}
