//! From a hold to a ticket: book, pay, confirm; and back: fail, cancel, refund.

use super::share::Block;
use super::state::{Booking, Hold, Outcome, Payment, Schedule, Standing};
use super::{Cancellation, Event, Facts, Line, Means, Performance};
use crate::limits::{BOOKINGS_PER_PERSON_MAX, NAME_CHARS_MAX, PAYMENTS_PER_BOOKING_MAX};
use crate::plan::Plan;
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, BookingId, HoldId, PaymentId, RefundId, SeatIndex, Timestamp, Won};

impl Performance {
    pub(super) fn decide_booking(
        &self,
        account: AccountId,
        now: Timestamp,
        facts: &Facts<'_>,
        id: BookingId,
        hold_id: HoldId,
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.bookings.get(&id) {
            if self.booked_by(id, known) == account && known.hold == hold_id {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("{id} is another booking of this performance"));
        }
        let schedule = self.not_started(now)?;
        let hold = self.bookable_hold(account, now, facts, hold_id)?;
        if self.people.get(&account).is_some_and(|person| person.made >= BOOKINGS_PER_PERSON_MAX) {
            return refuse(Reason::SeatLimit, format!("a person makes at most {BOOKINGS_PER_PERSON_MAX} bookings at one performance"));
        }
        let Some(plan) = facts.plan.filter(|plan| plan.seats.len() == self.seats.len()) else {
            return refuse(Reason::Invalid, format!("plan {} is needed to price seats", schedule.plan));
        };
        let lines = lines(hold, account, plan, schedule);
        let pay_by = now.plus_seconds(schedule.payment_seconds);
        if let Some(agreement) = facts.agreement.filter(|agreement| agreement.pays_shares()) {
            return self.share(&Block { agreement, id, hold: hold_id, account, lines, pay_by }, plan);
        }
        let total: Won = lines.iter().map(|line| line.price).sum();
        Ok(vec![Event::SeatsBooked { booking: id, hold: hold_id, account, lines, total, pay_by }])
    }

    pub(super) fn decide_payment(
        &self,
        account: AccountId,
        now: Timestamp,
        id: PaymentId,
        booking_id: BookingId,
        method: &Means,
    ) -> Result<Vec<Event>, Refusal> {
        let booking = self.own_booking(account, booking_id)?;
        if let Some(known) = self.payments.get(&id) {
            if known.booking == booking_id {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("{id} is a payment of another booking"));
        }
        match booking.standing {
            Standing::Paying(_) | Standing::Paid(_) => return Ok(Vec::new()),
            Standing::Cancelled => return refuse(Reason::BookingCancelled, "the booking was cancelled"),
            Standing::Expired => return refuse(Reason::BookingExpired, expired(booking)),
            Standing::Unpaid if booking.pay_by <= now => return refuse(Reason::BookingExpired, expired(booking)),
            Standing::Unpaid => {}
        }
        self.not_started(now)?;
        if booking.attempts as usize >= PAYMENTS_PER_BOOKING_MAX {
            return refuse(Reason::Invalid, format!("a booking is paid in at most {PAYMENTS_PER_BOOKING_MAX} attempts"));
        }
        Ok(vec![Event::PaymentStarted { payment: id, booking: booking_id, account, method: method.clone(), amount: booking.total }])
    }

    pub(super) fn decide_confirmation(&self, id: PaymentId, refund: RefundId) -> Result<Vec<Event>, Refusal> {
        let payment = self.known_payment(id)?;
        match payment.outcome {
            Outcome::Taken | Outcome::Refunded => Ok(Vec::new()),
            Outcome::Failed { .. } => Ok(vec![self.refund_due(refund, id, payment)?]),
            Outcome::InFlight => Ok(vec![Event::SeatsSold {
                booking: payment.booking,
                payment: id,
                account: payment.account,
                lines: self.bookings[&payment.booking].lines.clone(),
                amount: payment.amount,
            }]),
        }
    }

    pub(super) fn decide_failure(&self, id: PaymentId, reason: &str) -> Result<Vec<Event>, Refusal> {
        let payment = self.known_payment(id)?;
        let chars = reason.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX {
            return refuse(Reason::Invalid, format!("/reason: 1 to {NAME_CHARS_MAX} characters, not {chars}"));
        }
        match payment.outcome {
            Outcome::Failed { .. } => Ok(Vec::new()),
            Outcome::Taken | Outcome::Refunded => refuse(Reason::BookingPaid, format!("payment {id} was taken; it can't fail any more")),
            Outcome::InFlight => Ok(vec![Event::PaymentFailed { payment: id, booking: payment.booking, reason: reason.to_owned() }]),
        }
    }

    pub(super) fn decide_cancellation(
        &self,
        account: AccountId,
        now: Timestamp,
        id: BookingId,
        refund: RefundId,
    ) -> Result<Vec<Event>, Refusal> {
        let booking = self.own_booking(account, id)?;
        match booking.standing {
            Standing::Cancelled => return Ok(Vec::new()),
            Standing::Expired => return refuse(Reason::BookingExpired, expired(booking)),
            Standing::Unpaid if booking.pay_by <= now => return refuse(Reason::BookingExpired, expired(booking)),
            Standing::Paying(payment) => return refuse(Reason::PaymentInProgress, format!("payment {payment} is in flight")),
            Standing::Unpaid | Standing::Paid(_) => {}
        }
        self.not_started(now)?;
        self.must_stand_alone(booking)?;
        let mut events = vec![self.booking_ended(id, Cancellation::Buyer)];
        if let Standing::Paid(payment) = booking.standing {
            events.push(self.refund_due(refund, payment, &self.payments[&payment])?);
        }
        Ok(events)
    }

    pub(super) fn decide_refunded(&self, id: RefundId) -> Result<Vec<Event>, Refusal> {
        match self.refunds.get(&id) {
            None => refuse(Reason::UnknownRefund, format!("this performance owes no refund {id}")),
            Some(refund) if refund.completed => Ok(Vec::new()),
            Some(refund) => Ok(vec![Event::RefundCompleted { refund: id, booking: refund.booking, amount: refund.amount }]),
        }
    }

    pub(super) fn booking_ended(&self, id: BookingId, reason: Cancellation) -> Event {
        let seats = self.bookings[&id].lines.iter().map(|line| line.seat).collect();
        Event::BookingCancelled { booking: id, seats, reason }
    }

    pub(super) fn refund_due(&self, refund: RefundId, id: PaymentId, payment: &Payment) -> Result<Event, Refusal> {
        if self.refunds.contains_key(&refund) {
            return refuse(Reason::IdTaken, format!("{refund} is another refund of this performance"));
        }
        let Payment { booking, account, method, amount, .. } = *payment;
        Ok(Event::RefundDue { refund, payment: id, booking, account, method, amount })
    }

    fn own_booking(&self, account: AccountId, id: BookingId) -> Result<&Booking, Refusal> {
        match self.bookings.get(&id) {
            None => refuse(Reason::UnknownBooking, format!("this performance has no booking {id}")),
            Some(booking) if booking.account != account => refuse(Reason::Forbidden, "only whoever booked may do this"),
            Some(booking) => Ok(booking),
        }
    }

    fn known_payment(&self, id: PaymentId) -> Result<&Payment, Refusal> {
        match self.payments.get(&id) {
            None => refuse(Reason::UnknownPayment, format!("this performance has no payment {id}")),
            Some(payment) => Ok(payment),
        }
    }
}

fn expired(booking: &Booking) -> String {
    format!("the booking was to be paid by {}", booking.pay_by)
}

/// The seats that members claimed are theirs; each other member gets one of the rest, whoever books first; what is left
/// over is for whoever books.
fn lines(hold: &Hold, account: AccountId, plan: &Plan, schedule: &Schedule) -> Vec<Line> {
    let claimed = |member: AccountId| hold.claims.iter().any(|claim| claim.account == member);
    let others = hold.members.iter().copied().filter(|member| *member != account);
    let mut unclaimed = std::iter::once(account).chain(others).filter(|member| !claimed(*member));
    let mut holder = |seat: SeatIndex| {
        let claim = hold.claims.iter().find(|claim| claim.seat == seat);
        claim.map(|claim| claim.account).or_else(|| unclaimed.next()).unwrap_or(account)
    };
    let line =
        |seat: &SeatIndex| Line { seat: *seat, price: schedule.prices[usize::from(plan.seats[seat.at()].category)], holder: holder(*seat) };
    hold.seats.iter().map(line).collect()
}
