//! What happens at a performance, and what may be asked of it.

use crate::{
    AccountId, BookingId, CardToken, HoldId, PartyId, PaymentId, RefundId, SeatIndex, ShowId, Timestamp, Won,
    plan::PlanHash,
    seating::{Adjacency, Wishes},
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
    /// It was paid, but another share of its party's wasn't in time, and they stand or fall together.
    OtherShareUnpaid,
}

/// Seats of a party's block that are neighbours of one category and kind, in order along their row. A part of snapshots too, whose
/// format leaves nothing out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The neighbour before the first, where there is one.
    pub before: Option<SeatIndex>,
    /// The seats.
    pub seats: Vec<SeatIndex>,
    /// The neighbour after the last, where there is one.
    pub after: Option<SeatIndex>,
}

/// A share whose seats were changed for others of the block that cost the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reseated {
    /// The share.
    pub booking: BookingId,
    /// Whether it is paid.
    pub paid: bool,
    /// Its seats from now on; as many as before, for the same people and money.
    pub lines: Vec<Line>,
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
        /// Whether a choice that leaves a single seat alone is refused, if another of the same size doesn't.
        #[serde(default)]
        no_orphans: bool,
        /// How "so many seats together, from this one on" is answered.
        #[serde(default)]
        adjacency: Adjacency,
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
        /// Whether it counts as extended: a seat of it is kept from a hold that was.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        extended: bool,
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
    /// A member of the party that a hold is for chose a seat of it: the ticket will be theirs.
    SeatClaimed {
        /// The hold.
        hold: HoldId,
        /// The seat. What the member claimed before is nobody's again.
        seat: SeatIndex,
        /// Whose it will be.
        account: AccountId,
    },
    /// A hold became a booking that waits for its payment; or a part of it did, where the party pays by shares: then
    /// [`Event::SharesOpened`] follows the bookings.
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
    /// The bookings that a party's hold became are shares of one block, with one deadline.
    SharesOpened {
        /// The shares' common name: the first booking's id.
        group: BookingId,
        /// The party.
        party: PartyId,
        /// Who booked the block.
        account: AccountId,
        /// A booking per member with a seat, that of whoever booked first.
        bookings: Vec<BookingId>,
        /// Whether all go back unless all are paid; else the unpaid ones do.
        all_or_none: bool,
        /// Until when they may be paid.
        pay_by: Timestamp,
        /// How the seats lie beside one another: who stays can move together when others go.
        runs: Vec<Run>,
    },
    /// Before the seats of unpaid shares go back, those that stay move together, so that neither the party nor the free
    /// seats are torn apart more than they must be.
    SharesReseated {
        /// The shares.
        group: BookingId,
        /// Those whose seats are others now.
        shares: Vec<Reseated>,
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
    PerformanceScheduled = "2",
    SeatsHeld = "2",
    HoldExtended = "1",
    HoldReleased = "1",
    SeatClaimed = "1",
    SeatsBooked = "1",
    SharesOpened = "1",
    SharesReseated = "1",
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
    /// Holds the best seats for so many people, or none. Which, the performance decides; for the rest as `HoldSeats`.
    HoldBest {
        /// The new hold's id, made by the client.
        hold: HoldId,
        /// What is wished for.
        wishes: Wishes,
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
    /// Chooses a seat of one's party's live hold: the ticket will be one's own. Another choice takes its place.
    ClaimSeat {
        /// The hold.
        hold: HoldId,
        /// The seat.
        seat: SeatIndex,
    },
    /// Turns a live hold of one's own into a booking that waits for its payment; or into one per member, where the party
    /// pays by shares. The first has this id, and the others follow from it.
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
            Command::HoldBest { .. } => "hold_best",
            Command::ExtendHold { .. } => "extend_hold",
            Command::ReleaseHold { .. } => "release_hold",
            Command::ClaimSeat { .. } => "claim_seat",
            Command::Book { .. } => "book",
            Command::Pay { .. } => "pay",
            Command::ConfirmPayment { .. } => "confirm_payment",
            Command::FailPayment { .. } => "fail_payment",
            Command::Cancel { .. } => "cancel",
            Command::CompleteRefund { .. } => "complete_refund",
        }
    }
    /// The hold that a command makes something of: what its party agreed on counts.
    pub(crate) const fn hold_used(&self) -> Option<HoldId> {
        match self {
            Command::Book { hold, .. } | Command::ClaimSeat { hold, .. } => Some(*hold),
            _ => None,
        }
    }
}
