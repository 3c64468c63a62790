//! Seat maps and bookings.

use super::{Fold, PlanMap, Table, key};
use crate::projection::Model;
use serde_json::{Value, json};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::performance::{Cancellation, Event as Seats, Line};
use socketing_domain::plan::PlanHash;
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, SeatIndex, Timestamp};
use std::collections::HashMap;

/// Seats in a row of `seat_map_chunks`.
const CHUNK: usize = 1_024;

#[derive(Default)]
pub(super) struct SeatMaps {
    maps: HashMap<PerformanceId, Map>,
}

#[derive(Default)]
struct Map {
    plan: PlanHash,
    states: Vec<char>,
    changed_at: u64,
}

impl Map {
    fn set(&mut self, seats: impl IntoIterator<Item = SeatIndex>, state: char, position: u64) {
        for seat in seats {
            if let Some(digit) = self.states.get_mut(seat.at()) {
                *digit = state;
            }
        }
        self.changed_at = position;
    }
}

fn seats_of(lines: &[Line]) -> Vec<SeatIndex> {
    lines.iter().map(|line| line.seat).collect()
}

impl Fold for SeatMaps {
    fn model(&self) -> Model {
        Model::SeatMap
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::Performance(performance) = event.stream else { return };
        let Event::Performance(what) = &event.event else { return };
        let map = self.maps.entry(performance).or_default();
        match what {
            Seats::PerformanceScheduled { plan, seats, .. } => {
                *map = Map { plan: *plan, states: vec!['0'; *seats as usize], changed_at: event.position };
            }
            Seats::SeatsHeld { seats, .. } => map.set(seats.iter().copied(), '1', event.position),
            Seats::SeatsBooked { lines, .. } => map.set(seats_of(lines), '2', event.position),
            Seats::SeatsSold { lines, .. } => map.set(seats_of(lines), '3', event.position),
            Seats::SharesReseated { shares, .. } => {
                for share in shares {
                    map.set(seats_of(&share.lines), if share.paid { '3' } else { '2' }, event.position);
                }
            }
            Seats::HoldReleased { seats, .. } | Seats::BookingCancelled { seats, .. } => {
                map.set(seats.iter().copied(), '0', event.position);
            }
            _ => {}
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let (mut maps, mut chunks) = (HashMap::new(), HashMap::new());
        for (performance, map) in &self.maps {
            let row = json!({ "plan": map.plan, "seats": map.states.len(), "changed_at": map.changed_at });
            maps.insert(performance.to_string(), row);
            for (number, states) in map.states.chunks(CHUNK).enumerate() {
                chunks.insert(format!("{performance} chunk {number}"), Value::from(states.iter().collect::<String>()));
            }
        }
        vec![Table { name: "seat_maps", rows: maps }, Table { name: "seat_map_chunks", rows: chunks }]
    }
}

#[derive(Default)]
pub(super) struct Bookings {
    bookings: HashMap<(PerformanceId, BookingId), Booking>,
}

/// What happened to one booking; its row is worked out at the end.
struct Booking {
    account: AccountId,
    lines: Vec<Line>,
    total: i64,
    pay_by: Timestamp,
    booked_at: u64,
    /// The shares that it is one of.
    group: Option<BookingId>,
    all_or_none: bool,
    /// Attempts to pay, the last one last, each with why it failed.
    payments: Vec<(PaymentId, Option<String>)>,
    /// The payment that bought the seats.
    sold: Option<PaymentId>,
    /// What each payment took, however late.
    taken: HashMap<PaymentId, i64>,
    ended: Option<Cancellation>,
    refunds_due: i64,
    refunds_completed: i64,
}

impl Booking {
    fn state(&self) -> &'static str {
        match (self.ended, self.sold, self.payments.last()) {
            (Some(Cancellation::Buyer), ..) => "cancelled",
            (Some(Cancellation::Expired | Cancellation::OtherShareUnpaid), ..) => "expired",
            (None, Some(_), _) => "paid",
            (None, None, Some((_, None))) => "paying",
            (None, None, _) => "unpaid",
        }
    }

    fn row(&self) -> Value {
        let last = self.payments.last();
        json!({
            "account": self.account,
            "state": self.state(),
            "total": self.total,
            "paid": self.taken.values().sum::<i64>(),
            "sold_with": self.sold,
            "refund_due": self.refunds_due,
            "refund_completed": self.refunds_completed,
            "pay_by": self.pay_by.as_millis(),
            "payment": last.map(|(payment, _)| payment),
            "failure": last.and_then(|(_, failure)| failure.as_ref()),
            "booked_at": self.booked_at,
            "share_group": self.group,
            "all_or_none": self.all_or_none,
        })
    }
}

impl Fold for Bookings {
    fn model(&self) -> Model {
        Model::Bookings
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::Performance(performance) = event.stream else { return };
        let Event::Performance(what) = &event.event else { return };
        if let Seats::SeatsBooked { booking, account, lines, total, pay_by, .. } = what {
            let new = Booking {
                account: *account,
                lines: lines.clone(),
                total: total.get(),
                pay_by: *pay_by,
                booked_at: event.position,
                group: None,
                all_or_none: false,
                payments: Vec::new(),
                sold: None,
                taken: HashMap::new(),
                ended: None,
                refunds_due: 0,
                refunds_completed: 0,
            };
            self.bookings.insert((performance, *booking), new);
            return;
        }
        let mut with = |id: &BookingId, change: &dyn Fn(&mut Booking)| {
            if let Some(booking) = self.bookings.get_mut(&(performance, *id)) {
                change(booking);
            }
        };
        match what {
            Seats::SharesOpened { group, bookings, all_or_none, .. } => {
                bookings.iter().for_each(|id| with(id, &|booking| (booking.group, booking.all_or_none) = (Some(*group), *all_or_none)));
            }
            Seats::SharesReseated { shares, .. } => {
                shares.iter().for_each(|share| with(&share.booking, &|booking| booking.lines.clone_from(&share.lines)));
            }
            Seats::PaymentStarted { payment, booking, .. } => with(booking, &|booking| booking.payments.push((*payment, None))),
            Seats::PaymentFailed { payment, booking, reason } => with(booking, &|booking| {
                for attempt in booking.payments.iter_mut().filter(|attempt| attempt.0 == *payment) {
                    attempt.1 = Some(reason.clone());
                }
            }),
            Seats::SeatsSold { booking, payment, amount, .. } => with(booking, &|booking| {
                booking.sold = Some(*payment);
                booking.taken.insert(*payment, amount.get());
            }),
            Seats::BookingCancelled { booking, reason, .. } => with(booking, &|booking| booking.ended = Some(*reason)),
            Seats::RefundDue { booking, payment, amount, .. } => with(booking, &|booking| {
                booking.refunds_due += amount.get();
                booking.taken.entry(*payment).or_insert(amount.get());
            }),
            Seats::RefundCompleted { booking, amount, .. } => with(booking, &|booking| booking.refunds_completed += amount.get()),
            _ => {}
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let (mut bookings, mut lines) = (HashMap::new(), HashMap::new());
        for ((performance, id), booking) in &self.bookings {
            bookings.insert(key(performance, id), booking.row());
            for line in &booking.lines {
                let row = json!({ "price": line.price, "holder": line.holder });
                lines.insert(format!("{performance} {id} seat {}", line.seat), row);
            }
        }
        vec![Table { name: "bookings", rows: bookings }, Table { name: "booking_lines", rows: lines }]
    }
}
