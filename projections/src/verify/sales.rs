//! Sales figures: counted at the end from each seat's state and each booking's fate, not added up along the way.

use super::{Fold, PlanMap, Table, key};
use crate::projection::Model;
use serde_json::{Value, json};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::performance::Event as Seats;
use socketing_domain::plan::PlanHash;
use socketing_domain::{BookingId, PerformanceId, SeatIndex};
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Sales {
    performances: HashMap<PerformanceId, Performance>,
}

#[derive(Default)]
struct Performance {
    plan: PlanHash,
    held: HashSet<SeatIndex>,
    bookings: HashMap<BookingId, Booking>,
}

struct Booking {
    lines: Vec<(SeatIndex, i64)>,
    sold: bool,
    ended: bool,
    refunds: Vec<i64>,
}

impl Booking {
    fn state(&self) -> &'static str {
        match (self.ended, self.sold) {
            (true, _) => "ended",
            (false, true) => "sold",
            (false, false) => "booked",
        }
    }

    /// What of the refunds falls on the line at this place: each refund is split by prices, rounded down up to each line.
    fn refunded(&self, at: usize) -> i64 {
        let sum = |lines: &[(SeatIndex, i64)]| lines.iter().map(|(_, price)| i128::from(*price)).sum::<i128>();
        let total = sum(&self.lines).max(1);
        let up_to = |lines: usize, refund: i64| i128::from(refund) * sum(&self.lines[..lines]) / total;
        let share = |refund: &i64| up_to(at + 1, *refund) - up_to(at, *refund);
        i64::try_from(self.refunds.iter().map(share).sum::<i128>()).unwrap_or(i64::MAX)
    }
}

/// One category.
#[derive(Clone, Default)]
struct Figures {
    held: i64,
    booked: i64,
    sold: i64,
    revenue: i64,
    refunded: i64,
}

impl Fold for Sales {
    fn model(&self) -> Model {
        Model::Sales
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::Performance(id) = event.stream else { return };
        let Event::Performance(what) = &event.event else { return };
        let performance = self.performances.entry(id).or_default();
        match what {
            Seats::PerformanceScheduled { plan, .. } => performance.plan = *plan,
            Seats::SeatsHeld { seats, .. } => performance.held.extend(seats),
            Seats::HoldReleased { seats, .. } => {
                for seat in seats {
                    performance.held.remove(seat);
                }
            }
            Seats::SeatsBooked { booking, lines, .. } => {
                let lines: Vec<(SeatIndex, i64)> = lines.iter().map(|line| (line.seat, line.price.get())).collect();
                for (seat, _) in &lines {
                    performance.held.remove(seat);
                }
                performance.bookings.insert(*booking, Booking { lines, sold: false, ended: false, refunds: Vec::new() });
            }
            Seats::SharesReseated { shares, .. } => {
                for share in shares {
                    let lines = || share.lines.iter().map(|line| (line.seat, line.price.get())).collect();
                    performance.with(&share.booking, |booking| booking.lines = lines());
                }
            }
            Seats::SeatsSold { booking, .. } => performance.with(booking, |booking| booking.sold = true),
            Seats::BookingCancelled { booking, .. } => performance.with(booking, |booking| booking.ended = true),
            Seats::RefundDue { booking, amount, .. } => performance.with(booking, |booking| booking.refunds.push(amount.get())),
            _ => {}
        }
    }

    fn plans_wanted(&self) -> Vec<PlanHash> {
        self.performances.values().map(|performance| performance.plan).collect()
    }

    fn tables(&self, plans: &PlanMap) -> Vec<Table> {
        let (mut sales, mut performances, mut bookings) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (id, performance) in &self.performances {
            performances.insert(id.to_string(), json!(performance.plan));
            for (booking, row) in performance.booking_rows() {
                bookings.insert(key(id, booking), row);
            }
            for (ordinal, row) in performance.rows(plans).into_iter().enumerate() {
                sales.insert(key(id, ordinal), row);
            }
        }
        vec![
            Table { name: "sales", rows: sales },
            Table { name: "sales_performances", rows: performances },
            Table { name: "sales_bookings", rows: bookings },
        ]
    }
}

impl Performance {
    fn with(&mut self, id: &BookingId, change: impl FnOnce(&mut Booking)) {
        if let Some(booking) = self.bookings.get_mut(id) {
            change(booking);
        }
    }

    fn booking_rows(&self) -> impl Iterator<Item = (&BookingId, Value)> {
        self.bookings.iter().map(|(id, booking)| {
            let (seats, prices): (Vec<SeatIndex>, Vec<i64>) = booking.lines.iter().copied().unzip();
            (id, json!({ "seats": seats, "prices": prices, "state": booking.state() }))
        })
    }

    fn rows(&self, plans: &PlanMap) -> Vec<Value> {
        let Some(plan) = plans.get(&self.plan) else { return Vec::new() };
        let mut figures = vec![Figures::default(); plan.categories.len()];
        let category = |seat: SeatIndex| plan.category(seat).unwrap_or(0);
        for seat in &self.held {
            figures[category(*seat)].held += 1;
        }
        for booking in self.bookings.values() {
            for (at, (seat, price)) in booking.lines.iter().enumerate() {
                let figures = &mut figures[category(*seat)];
                figures.refunded += booking.refunded(at);
                match booking.state() {
                    "booked" => figures.booked += 1,
                    "sold" => {
                        figures.sold += 1;
                        figures.revenue += price;
                    }
                    _ => {}
                }
            }
        }
        let row = |((name, seats), figures): ((&String, u32), Figures)| {
            json!({
                "category": name,
                "seats": seats,
                "held": figures.held,
                "booked": figures.booked,
                "sold": figures.sold,
                "revenue": figures.revenue,
                "refunded": figures.refunded,
            })
        };
        plan.categories.iter().zip(plan.seats_by_category()).zip(figures).map(row).collect()
    }
}
