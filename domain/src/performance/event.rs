//! What happens at a performance, and what may be asked of it.

use crate::{
    AccountId, BookingId, CardToken, HoldId, PartyId, PaymentId, RefundId, SeatIndex, ShowId, Timestamp, Won, plan::PlanHash,
    show::CategoryPrice,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a booking is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The buyer's SocketPay wallet.
    #[default]
    Socketpay,
    /// A card, by the card provider.
    Card,
}

/// How a booking is paid, with what the provider needs for it: `"socketpay"`, or `{"card": "tok_…"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// The buyer's SocketPay wallet.
    Socketpay,
    /// A card, by what its provider calls it.
    Card(CardToken),
}

impl Means {
    /// Which kind of provider it is.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Means::Socketpay => Method::Socketpay,
            Means::Card(_) => Method::Card,
        }
    }
}

/// One seat of a booking: its price, and whose ticket it will be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The seat.
    pub seat: SeatIndex,
    /// Its price when it was booked.
    pub price: Won,
    /// Who will sit there.
    pub holder: AccountId,
}

/// Why a hold ended without a booking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Its owner let go.
    Released,
    /// Its time ran out.
    Expired,
    /// Its owner's new hold took its place.
    Replaced,
}

/// Why a booking ended, or a ticket was given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cancellation {
    /// The buyer cancelled.
    Buyer,
    /// It was not paid in time.
    Expired,
}

/// What happened at a performance. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The performance went on sale, by its show.
    PerformanceScheduled {
        /// Of which show.
        show: ShowId,
        /// The seating plan, by hash.
        plan: PlanHash,
        /// Seats in the plan.
        seats: u32,
        /// When it begins; nothing is sold or cancelled after.
        starts_at: Timestamp,
        /// Before this, nobody holds a seat.
        sale_opens_at: Timestamp,
        /// A price per category, in the plan's order of categories (one entry per category of the plan).
        prices: Vec<CategoryPrice>,
        /// Seats one person may have.
        seats_per_person: u16,
        /// How long a hold keeps its seats.
        hold_seconds: u32,
        /// How long a booking waits for its payment.
        payment_seconds: u32,
    },
    /// Seats were held: nobody else can have them until the hold ends.
    SeatsHeld {
        /// The hold.
        hold: HoldId,
        /// Who chose.
        account: AccountId,
        /// For which party.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        party: Option<PartyId>,
        /// Everyone the seats are for, the one who chose first.
        members: Vec<AccountId>,
        /// Which seats.
        seats: Vec<SeatIndex>,
        /// When the hold runs out.
        expires_at: Timestamp,
    },
    /// The hold's time was extended, once.
    HoldExtended {
        /// The hold.
        hold: HoldId,
        /// When it runs out now.
        expires_at: Timestamp,
    },
    /// The hold ended without a booking; its seats are free.
    HoldReleased {
        /// The hold.
        hold: HoldId,
        /// The seats that are free again.
        seats: Vec<SeatIndex>,
        /// Why.
        reason: Release,
    },
    /// A hold became a booking that waits for its payment.
    SeatsBooked {
        /// The booking.
        booking: BookingId,
        /// The hold it came from.
        hold: HoldId,
        /// Who pays.
        account: AccountId,
        /// Its seats.
        lines: Vec<Line>,
        /// What is to be paid.
        total: Won,
        /// Until when.
        pay_by: Timestamp,
    },
    /// The buyer asked to pay; the booking can't expire until the outcome is known.
    PaymentStarted {
        /// The payment.
        payment: PaymentId,
        /// For which booking.
        booking: BookingId,
        /// Who pays.
        account: AccountId,
        /// How.
        method: Means,
        /// How much.
        amount: Won,
    },
    /// The payment failed; the booking waits on (its time runs again).
    PaymentFailed {
        /// The payment.
        payment: PaymentId,
        /// For which booking.
        booking: BookingId,
        /// The catalogue's code of the reason, such as `insufficient_funds`.
        reason: String,
    },
    /// The payment was taken: the seats are sold.
    SeatsSold {
        /// The booking.
        booking: BookingId,
        /// The payment that was taken.
        payment: PaymentId,
        /// Who paid.
        account: AccountId,
        /// Its seats, whose tickets they are, and their prices.
        lines: Vec<Line>,
        /// What was paid.
        amount: Won,
    },
    /// The booking ended; its seats are free.
    BookingCancelled {
        /// The booking.
        booking: BookingId,
        /// The seats that are free again.
        seats: Vec<SeatIndex>,
        /// Why.
        reason: Cancellation,
    },
    /// Money is owed back: for a cancelled booking, or for a payment that came too late.
    RefundDue {
        /// The refund.
        refund: RefundId,
        /// Of which payment.
        payment: PaymentId,
        /// Of which booking.
        booking: BookingId,
        /// To whom.
        account: AccountId,
        /// The way it goes back: the one it came.
        method: Method,
        /// How much.
        amount: Won,
    },
    /// The money is back with whoever paid.
    RefundCompleted {
        /// The refund.
        refund: RefundId,
        /// Of which booking.
        booking: BookingId,
        /// How much.
        amount: Won,
    },
}

crate::event::stored_events! {
    PerformanceScheduled = "1",
    SeatsHeld = "1",
    HoldExtended = "1",
    HoldReleased = "1",
    SeatsBooked = "1",
    PaymentStarted = "2",
    PaymentFailed = "1",
    SeatsSold = "1",
    BookingCancelled = "1",
    RefundDue = "2",
    RefundCompleted = "1",
}

/// What may be asked of a performance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Puts the performance on sale; the system's, when its show is published. Repeating it does nothing.
    Schedule {
        /// Of which show.
        show: ShowId,
        /// The seating plan, by hash.
        plan: PlanHash,
        /// When it begins.
        starts_at: Timestamp,
        /// Before this, nobody holds a seat.
        sale_opens_at: Timestamp,
        /// Prices as the show has them; checked against the plan.
        prices: Vec<CategoryPrice>,
        /// The rules it is sold by.
        policies: crate::show::Policies,
    },
    /// Holds all of these seats, or none. Seats held before by the same person or party are let go when it succeeds.
    HoldSeats {
        /// The new hold's id, made by the client.
        hold: HoldId,
        /// Which seats.
        seats: Vec<SeatIndex>,
    },
    /// Extends a hold, once.
    ExtendHold {
        /// The hold.
        hold: HoldId,
    },
    /// Lets a hold go.
    ReleaseHold {
        /// The hold.
        hold: HoldId,
    },
    /// Turns a live hold of one's own into a booking that waits for its payment.
    Book {
        /// The new booking's id, made by the client.
        booking: BookingId,
        /// The hold.
        hold: HoldId,
    },
    /// Starts paying. While a payment is in flight, or after it succeeded, the same answer is given again.
    Pay {
        /// The new payment's id, made by the client.
        payment: PaymentId,
        /// The booking.
        booking: BookingId,
        /// How.
        method: Means,
    },
    /// The provider took the money; the system's.
    ConfirmPayment {
        /// The payment.
        payment: PaymentId,
        /// A refund's id, used if the payment came too late.
        refund: RefundId,
    },
    /// The provider refused; the system's.
    FailPayment {
        /// The payment.
        payment: PaymentId,
        /// The catalogue's code of the reason.
        reason: String,
    },
    /// Cancels a booking, paid or not; what was paid is refunded, once.
    Cancel {
        /// The booking.
        booking: BookingId,
        /// The refund's id, used if it was paid.
        refund: RefundId,
    },
    /// The refund reached whoever paid; the system's.
    CompleteRefund {
        /// The refund.
        refund: RefundId,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `schedule`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Schedule { .. } => "schedule",
            Command::HoldSeats { .. } => "hold_seats",
            Command::ExtendHold { .. } => "extend_hold",
            Command::ReleaseHold { .. } => "release_hold",
            Command::Book { .. } => "book",
            Command::Pay { .. } => "pay",
            Command::ConfirmPayment { .. } => "confirm_payment",
            Command::FailPayment { .. } => "fail_payment",
            Command::Cancel { .. } => "cancel",
            Command::CompleteRefund { .. } => "complete_refund",
        }
    }
}
