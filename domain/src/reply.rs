//! What a command that was accepted is answered with: what its sender now has. The API adds the log's position.

use crate::draw::Digest;
use crate::{
    AccountId, BookingId, EntryId, HoldId, PartyId, PaymentId, PerformanceId, RefundId, SeatIndex, ShowId, Timestamp, Won, party::Terms,
    performance::Line, seating::Kind,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a command. JSON has the fields of the variant alone. The order of the variants is the order in which
/// reading tries them: what has more fields comes first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Reply {
    /// A payment.
    Payment(PaymentReply),
    /// A booking.
    Booking(BookingReply),
    /// A hold.
    Hold(HoldReply),
    /// A place in the line, or the pass it became.
    Entry(EntryReply),
    /// A party.
    Party(PartyReply),
    /// A show.
    Show(ShowReply),
    /// It is done; there is nothing to show.
    Done(DoneReply),
}

/// One place in a line, or the pass that it became.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EntryReply {
    /// The place.
    pub entry_id: EntryId,
    /// Its number, from 1: by the draw, or in order of arrival; 0 in the lobby.
    pub number: u64,
    /// Where its people are.
    pub state: EntryState,
    /// How many places are before it; 0 in the lobby and inside.
    pub ahead: u64,
    /// Until when the pass can be claimed, if it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_by: Option<Timestamp>,
    /// When the visit ends, inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_ends_at: Option<Timestamp>,
    /// The party that waits on it, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party_id: Option<PartyId>,
    /// Everyone on this place, whoever joined first.
    pub members: Vec<AccountId>,
}

/// Where the people of an entry are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// In the lobby: the draw at the opening gives them their number.
    Lobby,
    /// In the line.
    Waiting,
    /// Called: the pass is there to be claimed.
    Called,
    /// Inside: they may choose seats.
    Inside,
}

/// A place in a line, as it takes part in the draw.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TicketReply {
    /// Whose place it is: who joined, alone or as a party's leader.
    pub account_id: AccountId,
    /// The place's id: the nonce that their own client chose.
    pub entry_id: EntryId,
    /// What stands in the draw's list: a hash of both.
    pub ticket: Digest,
    /// What the draw was committed to; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Digest>,
}

/// A party of one performance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartyReply {
    /// The party.
    pub party_id: PartyId,
    /// Its performance.
    pub performance_id: PerformanceId,
    /// Who leads.
    pub leader: AccountId,
    /// Who is in it, the leader first.
    pub members: Vec<AccountId>,
    /// Who is invited and hasn't answered.
    pub invited: Vec<AccountId>,
    /// Whether it is in the line: its members stay as they are.
    pub frozen: bool,
    /// Whether it is no more.
    #[serde(default)]
    pub ended: bool,
    /// What its members agreed on.
    #[serde(default)]
    pub terms: Terms,
}

/// Seats that are held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HoldReply {
    /// The hold.
    pub hold_id: HoldId,
    /// Its seats, in the order they were asked for.
    pub seats: Vec<SeatIndex>,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// What the seats cost together.
    pub total: Won,
    /// Everyone the seats are for.
    pub members: Vec<AccountId>,
    /// How the seats lie: what isn't `contiguous` is split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
}

/// A hold whose time runs, as someone it is for finds it again: on another device, or after a reload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LiveHold {
    /// The hold.
    pub hold_id: HoldId,
    /// Who chose; extending, releasing and booking it is theirs.
    pub account: AccountId,
    /// Everyone the seats are for, the one who chose first.
    pub members: Vec<AccountId>,
    /// Its seats, in the order they were asked for.
    pub seats: Vec<SeatIndex>,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// Whether it was extended; that is possible once.
    pub extended: bool,
    /// Which seats members claimed, in the order of their claims.
    #[serde(default)]
    pub claims: Vec<Claim>,
}

/// A seat of a hold that a member claimed: the ticket will be theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Claim {
    /// The seat.
    pub seat: SeatIndex,
    /// Whose it will be.
    pub account: AccountId,
}

/// The shares of a block, as its party sees them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SharesReply {
    /// Their common name: the first share's booking.
    pub group_id: BookingId,
    /// The party.
    pub party_id: PartyId,
    /// Until when they may be paid.
    pub pay_by: Timestamp,
    /// Whether all go back unless all are paid.
    pub all_or_none: bool,
    /// Each share, that of whoever booked first.
    pub shares: Vec<ShareReply>,
}

/// One member's share of a block: a booking of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ShareReply {
    /// The share's booking.
    pub booking_id: BookingId,
    /// Whose it is to pay.
    pub account: AccountId,
    /// How it stands.
    pub state: BookingState,
    /// Its seats.
    pub seats: Vec<SeatIndex>,
    /// What it costs.
    pub total: Won,
}

/// A booking as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BookingReply {
    /// The booking.
    pub booking_id: BookingId,
    /// How it stands.
    pub state: BookingState,
    /// Its seats, their prices and whose they are.
    pub lines: Vec<Line>,
    /// What it costs.
    pub total: Won,
    /// Until when it may be paid.
    pub pay_by: Timestamp,
    /// What is owed back or was given back, after a cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundReply>,
}

/// How a booking stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BookingState {
    /// It waits for its payment.
    Unpaid,
    /// A payment is in flight.
    Paying,
    /// It is paid: the seats are sold.
    Paid,
    /// Its buyer cancelled it.
    Cancelled,
    /// It was not paid in time.
    Expired,
}

/// A refund as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RefundReply {
    /// The refund.
    pub refund_id: RefundId,
    /// How it stands.
    pub state: RefundState,
    /// How much.
    pub amount: Won,
}

/// How a refund stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// The money is owed.
    Due,
    /// The money is back.
    Completed,
}

/// A payment as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaymentReply {
    /// The payment.
    pub payment_id: PaymentId,
    /// What it pays.
    pub booking_id: BookingId,
    /// How it stands.
    pub state: PaymentState,
    /// Why it failed: the catalogue's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How much.
    pub amount: Won,
}

/// How a payment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The provider hasn't answered.
    InFlight,
    /// The money was taken. If that was too late for the booking, it is refunded.
    Succeeded,
    /// The provider refused.
    Failed,
}

/// A show that was drafted or published.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ShowReply {
    /// The show.
    pub show_id: ShowId,
}

/// It is done; there is nothing to show.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DoneReply {}

impl Reply {
    /// Nothing to show.
    pub const DONE: Reply = Reply::Done(DoneReply {});
}
