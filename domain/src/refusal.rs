//! Why a command was refused. Each reason has a stable code; status and texts stand in the catalogue of errors.

use crate::seating::Blocks;
use crate::{SeatIndex, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        /// The reasons the domain has for refusing a command.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {$($(#[$doc])* $name),+}

        impl Reason {
            /// Every reason, for tests that hold the catalogue of errors complete.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// The stable code, as the API and the catalogue of errors know it.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {$(Reason::$name => $code),+}
            }
        }
    };
}

reasons! {
    /// The actor's role or identity doesn't allow this.
    Forbidden = "forbidden",
    /// A value is out of its bounds; the detail says which.
    Invalid = "invalid",
    /// There is no such account.
    UnknownAccount = "unknown_account",
    /// There is no such show.
    UnknownShow = "unknown_show",
    /// The show exists already, with other details.
    ShowExists = "show_exists",
    /// There is no such performance, or it isn't on sale.
    UnknownPerformance = "unknown_performance",
    /// The sale hasn't opened yet.
    SaleNotOpen = "sale_not_open",
    /// The performance has begun.
    PerformanceStarted = "performance_started",
    /// No seat was named.
    NoSeats = "no_seats",
    /// The plan has no such seat.
    UnknownSeat = "unknown_seat",
    /// A seat was named twice.
    SeatTwice = "seat_twice",
    /// Someone else has the seat.
    SeatTaken = "seat_taken",
    /// So many people can't sit together: none, fewer than none, or more than one hold may have.
    SeatCount = "seat_count",
    /// There is no block of so many seats as wished for.
    NoBlock = "no_block",
    /// The choice would leave a single seat alone, and another of the same size wouldn't.
    SeatLeftAlone = "seat_left_alone",
    /// More seats than one person, or this party, may have.
    SeatLimit = "seat_limit",
    /// Only people inside, with a live pass, may do this.
    NotAdmitted = "not_admitted",
    /// There is no such hold.
    UnknownHold = "unknown_hold",
    /// The hold has run out.
    HoldExpired = "hold_expired",
    /// A hold can be extended once.
    HoldExtendedAlready = "hold_extended_already",
    /// There is no such booking.
    UnknownBooking = "unknown_booking",
    /// The booking's time to pay has run out.
    BookingExpired = "booking_expired",
    /// The booking was cancelled.
    BookingCancelled = "booking_cancelled",
    /// The booking is paid.
    BookingPaid = "booking_paid",
    /// A payment of this booking is in flight.
    PaymentInProgress = "payment_in_progress",
    /// There is no such payment.
    UnknownPayment = "unknown_payment",
    /// There is no such refund.
    UnknownRefund = "unknown_refund",
    /// The wallet holds less than the price.
    InsufficientFunds = "insufficient_funds",
    /// The card's provider refused to charge it.
    CardDeclined = "card_declined",
    /// The provider doesn't know the card token, or it was used before.
    CardTokenRefused = "card_token_refused",
    /// The provider could not be asked in time, and has confirmed since that the payment will never be made.
    PaymentVoided = "payment_voided",
    /// The id is taken by something else of the same kind.
    IdTaken = "id_taken",
    /// Nobody joins this line any more.
    LineDraining = "line_draining",
    /// The place wasn't called yet.
    NotCalled = "not_called",
    /// The pass wasn't claimed in time.
    PassExpired = "pass_expired",
    /// The lobby is being drawn at this moment.
    DrawUnderWay = "draw_under_way",
    /// This line has no draw, or it is over.
    NoDraw = "no_draw",
    /// The draw's seed isn't lost.
    SeedKept = "seed_kept",
    /// The line is full.
    LineFull = "line_full",
    /// The account has no place in this line.
    NotInLine = "not_in_line",
    /// There is no such party.
    UnknownParty = "unknown_party",
    /// The party went into the line; its members stay as they are.
    PartyFrozen = "party_frozen",
    /// Only the party's leader may do this.
    NotLeader = "not_leader",
    /// The party has no room for another member.
    PartyFull = "party_full",
    /// The account isn't invited to this party.
    NotInvited = "not_invited",
    /// The account is a member already.
    AlreadyMember = "already_member",
    /// The account is in another party, or has a place of its own in the line.
    InAnotherParty = "in_another_party",
    /// One can't invite oneself.
    SelfInvitation = "self_invitation",
    /// One can't be one's own friend.
    SelfFriend = "self_friend",
    /// The account has no room for another friend.
    FriendsFull = "friends_full",
    /// The account has changed its friends too often today.
    FriendChangesLimit = "friend_changes_limit",
    /// The account leads this party.
    OwnParty = "own_party",
    /// The party is no more.
    PartyEnded = "party_ended",
    /// The party's leader sent the account away.
    ExpelledFromParty = "expelled_from_party",
    /// Another member of the party claimed the seat.
    SeatClaimed = "seat_claimed",
    /// The shares stand or fall together until their deadline.
    SharesOpen = "shares_open",
}

/// A refused command: nothing happened. Carries what helps the person onward, and which event was the cause.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// A sentence for programmers and logs, in English, naming values and bounds.
    pub detail: Box<str>,
    /// The seats that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<SeatIndex>,
    /// Free seats nearby, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<SeatIndex>,
    /// Better choices of as many seats, the best first.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub blocks: Blocks,
    /// When it may be tried again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The event that caused it: its sequence in the stream that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
}

impl Refusal {
    /// A refusal with nothing but a reason and a sentence.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Refusal {
        Refusal {
            reason,
            detail: detail.into().into_boxed_str(),
            seats: Vec::new(),
            alternatives: Vec::new(),
            blocks: Blocks::default(),
            retry_at: None,
            cause: None,
        }
    }

    /// The same, naming the seats that it is about.
    #[must_use]
    pub fn with_seats(self, seats: Vec<SeatIndex>) -> Refusal {
        Refusal { seats, ..self }
    }

    /// The same, saying when it may be tried again.
    #[must_use]
    pub fn with_retry_at(self, retry_at: Timestamp) -> Refusal {
        let retry_at = Some(retry_at);
        Refusal { retry_at, ..self }
    }
}

/// Refuses, with nothing but a reason and a sentence.
pub(crate) fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(reason, detail))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.code(), self.detail)
    }
}

impl std::error::Error for Refusal {}
