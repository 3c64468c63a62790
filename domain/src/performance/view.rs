//! What a performance shows of itself.

use super::Performance;
use super::state::{Outcome, Owner, Payment, Shares, Standing};
use crate::plan::{Plan, PlanHash};
use crate::reply::{
    BookingReply, BookingState, HoldReply, LiveHold, PaymentReply, PaymentState, RefundReply, RefundState, ShareReply, SharesReply,
};
use crate::{AccountId, BookingId, HoldId, PartyId, PaymentId, SeatIndex, Timestamp};
use serde::{Deserialize, Serialize};

/// How a seat stands on the map. The numbers are those of the seat map's digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatState {
    /// It can be had.
    #[default]
    Free = 0,
    /// Someone chose it and hasn't booked.
    Held = 1,
    /// It is booked and not paid.
    Booked = 2,
    /// It is sold.
    Sold = 3,
}

impl Standing {
    const fn shown(self) -> BookingState {
        match self {
            Standing::Unpaid => BookingState::Unpaid,
            Standing::Paying(_) => BookingState::Paying,
            Standing::Paid(_) => BookingState::Paid,
            Standing::Cancelled => BookingState::Cancelled,
            Standing::Expired => BookingState::Expired,
        }
    }
}

impl Performance {
    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its plan, once it is on sale.
    #[must_use]
    pub fn plan(&self) -> Option<PlanHash> {
        self.schedule.as_ref().map(|schedule| schedule.plan)
    }

    /// When it begins, once it is on sale.
    #[must_use]
    pub fn starts_at(&self) -> Option<Timestamp> {
        self.schedule.as_ref().map(|schedule| schedule.starts_at)
    }

    /// How every seat stands, in the plan's order, by the events alone: a hold whose time has run out is held until an
    /// event says otherwise.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = SeatState> {
        self.seats.iter().map(|place| self.stands(place.owner))
    }

    /// How one seat stands; `None` if the plan has no such seat.
    #[must_use]
    pub fn seat(&self, seat: SeatIndex) -> Option<SeatState> {
        self.seats.get(seat.at()).map(|place| self.stands(place.owner))
    }

    fn stands(&self, owner: Owner) -> SeatState {
        match owner {
            Owner::Nobody => SeatState::Free,
            Owner::Hold(_) => SeatState::Held,
            Owner::Booking(id) if matches!(self.bookings[&id].standing, Standing::Paid(_)) => SeatState::Sold,
            Owner::Booking(_) => SeatState::Booked,
        }
    }

    /// A hold that hasn't ended, with what its seats cost together.
    #[must_use]
    pub fn hold_reply(&self, id: HoldId, plan: Option<&Plan>) -> Option<HoldReply> {
        let hold = self.holds.get(&id)?;
        let schedule = self.schedule.as_ref()?;
        let price = |seat: &SeatIndex| schedule.prices.get(usize::from(plan?.seat(*seat)?.category)).copied();
        Some(HoldReply {
            hold_id: id,
            seats: hold.seats.clone(),
            expires_at: hold.expires_at,
            total: hold.seats.iter().filter_map(price).sum(),
            members: hold.members.clone(),
            kind: plan.filter(|plan| plan.seats.len() == self.seats.len()).map(|plan| plan.index().kind_of(&hold.seats)),
        })
    }

    /// The hold that a person is a member of, while its time runs.
    #[must_use]
    pub fn live_hold_of(&self, account: AccountId, now: Timestamp) -> Option<LiveHold> {
        let hold_id = *self.hold_of.get(&account)?;
        let hold = self.holds.get(&hold_id).filter(|hold| hold.expires_at > now)?;
        Some(LiveHold {
            hold_id,
            account: hold.account,
            members: hold.members.clone(),
            seats: hold.seats.clone(),
            expires_at: hold.expires_at,
            extended: hold.extended,
            claims: hold.claims.clone(),
        })
    }

    /// A booking as it is now.
    #[must_use]
    pub fn booking_reply(&self, id: BookingId) -> Option<BookingReply> {
        let booking = self.bookings.get(&id)?;
        let state = booking.standing.shown();
        let refund = booking.refund.map(|refund_id| {
            let refund = &self.refunds[&refund_id];
            let state = if refund.completed { RefundState::Completed } else { RefundState::Due };
            RefundReply { refund_id, state, amount: refund.amount }
        });
        let (lines, total, pay_by) = (booking.lines.clone(), booking.total, booking.pay_by);
        Some(BookingReply { booking_id: id, state, lines, total, pay_by, refund })
    }

    /// The party that a live hold is for.
    #[must_use]
    pub fn party_of_hold(&self, id: HoldId) -> Option<PartyId> {
        self.holds.get(&id)?.party
    }

    /// The shares that a booking is one of, and how each stands; for those who are among them only.
    #[must_use]
    pub fn shares_reply(&self, id: BookingId, asker: AccountId) -> Option<SharesReply> {
        let group_id = self.bookings.get(&id)?.group?;
        let Shares { party, bookings, all_or_none, pay_by, .. } = &self.shares[&group_id];
        let share = |id: &BookingId| {
            let booking = &self.bookings[id];
            let seats = booking.lines.iter().map(|line| line.seat).collect();
            ShareReply { booking_id: *id, account: booking.account, state: booking.standing.shown(), seats, total: booking.total }
        };
        let shares: Vec<ShareReply> = bookings.iter().map(share).collect();
        let among = shares.iter().any(|share| share.account == asker);
        among.then_some(SharesReply { group_id, party_id: *party, pay_by: *pay_by, all_or_none: *all_or_none, shares })
    }

    /// A payment as it is now.
    #[must_use]
    pub fn payment_reply(&self, id: PaymentId) -> Option<PaymentReply> {
        let Payment { booking, amount, outcome, .. } = self.payments.get(&id)?;
        let (state, reason) = match outcome {
            Outcome::InFlight => (PaymentState::InFlight, None),
            Outcome::Taken | Outcome::Refunded => (PaymentState::Succeeded, None),
            Outcome::Failed { reason } => (PaymentState::Failed, Some(reason.clone())),
        };
        Some(PaymentReply { payment_id: id, booking_id: *booking, state, reason, amount: *amount })
    }

    /// The payment that answers someone who pays a booking: the one that was asked for, else the one that pays it.
    #[must_use]
    pub fn payment_of(&self, asked: PaymentId, booking: BookingId) -> Option<PaymentReply> {
        match self.bookings.get(&booking)?.standing {
            _ if self.payments.contains_key(&asked) => self.payment_reply(asked),
            Standing::Paying(payment) | Standing::Paid(payment) => self.payment_reply(payment),
            Standing::Unpaid | Standing::Cancelled | Standing::Expired => None,
        }
    }

    /// Whose a payment is: for showing it to nobody else.
    #[must_use]
    pub fn payer(&self, payment: PaymentId) -> Option<crate::AccountId> {
        self.payments.get(&payment).map(|payment| payment.account)
    }
}
