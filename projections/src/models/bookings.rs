//! Bookings, as their buyers see them, and the tickets in them.

use super::{moment, performance_of, signed};
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded};
use socketing_domain::performance::{Cancellation, Event as Seats, Line};
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

pub(super) struct Bookings;

impl Projection for Bookings {
    fn model(&self) -> Model {
        Model::Bookings
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["bookings", "booking_lines"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["performance"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

type Key = (Uuid, Uuid);

/// A row of `bookings`.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Booking {
    performance_id: Uuid,
    booking_id: Uuid,
    account_id: Uuid,
    state: String,
    total: i64,
    paid: i64,
    sold_with: Option<Uuid>,
    refund_due: i64,
    refund_completed: i64,
    pay_by: OffsetDateTime,
    payment_id: Option<Uuid>,
    payment_failure: Option<String>,
    booked_at: i64,
    share_group: Option<Uuid>,
    share_all_or_none: bool,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let touched = touched(events)?;
    if touched.is_empty() {
        return Ok(());
    }
    let mut rows = load(tx, touched).await?;
    let (mut lines, mut reseated): (BTreeMap<Key, &[Line]>, Vec<Key>) = (BTreeMap::new(), Vec::new());
    for event in events {
        let Event::Performance(seats) = &event.event else { continue };
        let performance = performance_of(event)?.0;
        if let Seats::SeatsBooked { booking, lines: booked, .. } = seats {
            lines.insert((performance, booking.0), booked);
        }
        if let Seats::SharesReseated { shares, .. } = seats {
            lines.extend(shares.iter().map(|share| ((performance, share.booking.0), share.lines.as_slice())));
            reseated.extend(shares.iter().map(|share| (performance, share.booking.0)));
        }
        share(&mut rows, performance, event, seats)?;
        apply(&mut rows, performance, event, seats)?;
    }
    store(tx, rows.into_values().collect()).await?;
    delete_lines(tx, reseated).await?;
    let lines: Vec<(Key, &Line)> = lines.iter().flat_map(|(key, lines)| lines.iter().map(|line| (*key, line))).collect();
    store_lines(tx, &lines).await
}

/// The booking that an event is about.
fn booking_of(event: &Seats) -> Option<Uuid> {
    match event {
        Seats::SeatsBooked { booking, .. }
        | Seats::PaymentStarted { booking, .. }
        | Seats::PaymentFailed { booking, .. }
        | Seats::SeatsSold { booking, .. }
        | Seats::BookingCancelled { booking, .. }
        | Seats::RefundDue { booking, .. }
        | Seats::RefundCompleted { booking, .. } => Some(booking.0),
        Seats::PerformanceScheduled { .. }
        | Seats::SeatsHeld { .. }
        | Seats::HoldExtended { .. }
        | Seats::HoldReleased { .. }
        | Seats::SeatClaimed { .. }
        | Seats::SharesOpened { .. }
        | Seats::SharesReseated { .. } => None,
    }
}

/// Bookings that are shares of one block are told so.
fn share(rows: &mut BTreeMap<Key, Booking>, performance: Uuid, event: &Recorded, seats: &Seats) -> Result<(), HandlerError> {
    let Seats::SharesOpened { group, bookings, all_or_none, .. } = seats else { return Ok(()) };
    for id in bookings {
        let row = rows.get_mut(&(performance, id.0)).ok_or_else(|| HandlerError::misfit(event, format!("booking {id} isn't there")))?;
        row.share_group = Some(group.0);
        row.share_all_or_none = *all_or_none;
    }
    Ok(())
}

fn touched(events: &[Recorded]) -> Result<BTreeSet<Key>, HandlerError> {
    let mut keys = BTreeSet::new();
    for event in events {
        if let Event::Performance(seats) = &event.event
            && let Some(booking) = booking_of(seats)
        {
            keys.insert((performance_of(event)?.0, booking));
        }
        if let Event::Performance(Seats::SharesOpened { bookings, .. }) = &event.event {
            let performance = performance_of(event)?.0;
            keys.extend(bookings.iter().map(|id| (performance, id.0)));
        }
    }
    Ok(keys)
}

fn apply(rows: &mut BTreeMap<Key, Booking>, performance: Uuid, event: &Recorded, seats: &Seats) -> Result<(), HandlerError> {
    let Some(id) = booking_of(seats) else { return Ok(()) };
    if let Seats::SeatsBooked { account, total, pay_by, .. } = seats {
        let row = Booking {
            performance_id: performance,
            booking_id: id,
            account_id: account.0,
            state: "unpaid".to_owned(),
            total: total.get(),
            paid: 0,
            sold_with: None,
            refund_due: 0,
            refund_completed: 0,
            pay_by: moment(*pay_by),
            payment_id: None,
            payment_failure: None,
            booked_at: signed(event.position),
            share_group: None,
            share_all_or_none: false,
        };
        let known = rows.insert((performance, id), row);
        return known.map_or(Ok(()), |_| Err(HandlerError::misfit(event, format!("booking {id} exists already"))));
    }
    let row = rows.get_mut(&(performance, id)).ok_or_else(|| HandlerError::misfit(event, format!("booking {id} isn't there")))?;
    row.apply(seats);
    Ok(())
}

impl Booking {
    fn apply(&mut self, event: &Seats) {
        match event {
            Seats::PaymentStarted { payment, .. } => {
                self.become_state("paying");
                self.payment_id = Some(payment.0);
                self.payment_failure = None;
            }
            Seats::PaymentFailed { reason, .. } => {
                if self.state == "paying" {
                    self.become_state("unpaid");
                }
                self.payment_failure = Some(reason.clone());
            }
            Seats::SeatsSold { payment, amount, .. } => {
                self.become_state("paid");
                self.sold_with = Some(payment.0);
                self.paid += amount.get();
            }
            Seats::BookingCancelled { reason, .. } => self.become_state(match reason {
                Cancellation::Buyer => "cancelled",
                Cancellation::Expired | Cancellation::OtherShareUnpaid => "expired",
            }),
            Seats::RefundDue { payment, amount, .. } => {
                self.refund_due += amount.get();
                // A payment that came too late never bought the seats, but was taken all the same.
                if self.sold_with != Some(payment.0) {
                    self.paid += amount.get();
                }
            }
            Seats::RefundCompleted { amount, .. } => self.refund_completed += amount.get(),
            Seats::SeatsBooked { .. }
            | Seats::PerformanceScheduled { .. }
            | Seats::SeatsHeld { .. }
            | Seats::HoldExtended { .. }
            | Seats::HoldReleased { .. }
            | Seats::SeatClaimed { .. }
            | Seats::SharesOpened { .. }
            | Seats::SharesReseated { .. } => {}
        }
    }

    fn become_state(&mut self, state: &str) {
        state.clone_into(&mut self.state);
    }
}

async fn load(tx: &mut PgConnection, keys: BTreeSet<Key>) -> Result<BTreeMap<Key, Booking>, HandlerError> {
    let (performances, bookings): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    let rows: Vec<Booking> = sqlx::query_as(
        "select b.* from unnest($1::uuid[], $2::uuid[]) as wanted (performance_id, booking_id)
         join bookings b using (performance_id, booking_id)",
    )
    .bind(performances)
    .bind(bookings)
    .fetch_all(tx)
    .await
    .map_err(HandlerError::database("read bookings"))?;
    Ok(rows.into_iter().map(|row| ((row.performance_id, row.booking_id), row)).collect())
}

async fn store(tx: &mut PgConnection, rows: Vec<Booking>) -> Result<(), HandlerError> {
    let ids = |of: fn(&Booking) -> Uuid| rows.iter().map(of).collect::<Vec<Uuid>>();
    let numbers = |of: fn(&Booking) -> i64| rows.iter().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "insert into bookings (performance_id, booking_id, account_id, state, total, paid, sold_with, refund_due, refund_completed, pay_by,
                               payment_id, payment_failure, booked_at, share_group, share_all_or_none)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::uuid[], $8::bigint[],
                              $9::bigint[], $10::timestamptz[], $11::uuid[], $12::text[], $13::bigint[], $14::uuid[], $15::bool[])
         on conflict (performance_id, booking_id) do update
             set state = excluded.state, paid = excluded.paid, sold_with = excluded.sold_with, refund_due = excluded.refund_due,
                 refund_completed = excluded.refund_completed, payment_id = excluded.payment_id,
                 payment_failure = excluded.payment_failure, share_group = excluded.share_group,
                 share_all_or_none = excluded.share_all_or_none",
    )
    .bind(ids(|row| row.performance_id))
    .bind(ids(|row| row.booking_id))
    .bind(ids(|row| row.account_id))
    .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<&str>>())
    .bind(numbers(|row| row.total))
    .bind(numbers(|row| row.paid))
    .bind(rows.iter().map(|row| row.sold_with).collect::<Vec<Option<Uuid>>>())
    .bind(numbers(|row| row.refund_due))
    .bind(numbers(|row| row.refund_completed))
    .bind(rows.iter().map(|row| row.pay_by).collect::<Vec<OffsetDateTime>>())
    .bind(rows.iter().map(|row| row.payment_id).collect::<Vec<Option<Uuid>>>())
    .bind(rows.iter().map(|row| row.payment_failure.as_deref()).collect::<Vec<Option<&str>>>())
    .bind(numbers(|row| row.booked_at))
    .bind(rows.iter().map(|row| row.share_group).collect::<Vec<Option<Uuid>>>())
    .bind(rows.iter().map(|row| row.share_all_or_none).collect::<Vec<bool>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write bookings"))?;
    Ok(())
}

/// Takes away the seats that shares had before they changed them.
async fn delete_lines(tx: &mut PgConnection, keys: Vec<Key>) -> Result<(), HandlerError> {
    if keys.is_empty() {
        return Ok(());
    }
    let (performances, bookings): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    sqlx::query(
        "delete from booking_lines l using unnest($1::uuid[], $2::uuid[]) as gone (performance_id, booking_id)
         where l.performance_id = gone.performance_id and l.booking_id = gone.booking_id",
    )
    .bind(performances)
    .bind(bookings)
    .execute(tx)
    .await
    .map_err(HandlerError::database("delete booking_lines"))?;
    Ok(())
}

async fn store_lines(tx: &mut PgConnection, lines: &[(Key, &Line)]) -> Result<(), HandlerError> {
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into booking_lines (performance_id, booking_id, seat, price, holder)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::uuid[])",
    )
    .bind(lines.iter().map(|((performance, _), _)| *performance).collect::<Vec<Uuid>>())
    .bind(lines.iter().map(|((_, booking), _)| *booking).collect::<Vec<Uuid>>())
    .bind(lines.iter().map(|(_, line)| i32::try_from(line.seat.0).unwrap_or(i32::MAX)).collect::<Vec<i32>>())
    .bind(lines.iter().map(|(_, line)| line.price.get()).collect::<Vec<i64>>())
    .bind(lines.iter().map(|(_, line)| line.holder.0).collect::<Vec<Uuid>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write booking_lines"))?;
    Ok(())
}
