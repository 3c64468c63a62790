//! Bookings: made of a hold, cancelled with what was paid given back.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors, command_errors};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use socketing_domain::performance::Command;
use socketing_domain::reply::BookingReply;
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{BookingId, HoldId, PerformanceId, RefundId};
use socketing_service::Problem;
use socketing_service::extract::{Json, Path, new_id};
use socketing_service::openapi::CommandHeaders;
use utoipa::ToSchema;
use uuid::Uuid;

/// A booking to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBooking {
    /// The new booking's id: a UUIDv7 made by the client.
    booking_id: BookingId,
    /// The hold it is made of.
    hold_id: HoldId,
}

body_command_errors!(BookErrors: UnknownPerformance, UnknownHold, HoldExpired, PerformanceStarted, SeatLimit, NotAdmitted, NotLeader,
    IdTaken, Invalid, Forbidden);

/// Turns a hold into a booking, which waits for its payment.
///
/// Where the party pays by shares, it becomes a booking for each member who has a seat; the answer is the first of them, and
/// `GET …/bookings/{booking}/shares` tells all.
#[utoipa::path(post, path = "/v1/performances/{performance}/bookings", operation_id = "book", tag = "bookings",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewBooking,
    responses((status = 201, description = "The booking.", body = Answer<BookingReply>), BookErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn book(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(body): Json<NewBooking>,
) -> Result<Response, Problem> {
    new_id("booking_id", body.booking_id.0)?;
    let command = Command::Book { booking: body.booking_id, hold: body.hold_id };
    sender.answer(&api, StatusCode::CREATED, UnitId::Performance(performance), unit::Command::Performance(command)).await
}

command_errors!(CancelErrors: UnknownPerformance, UnknownBooking, BookingExpired, BookingCancelled, PaymentInProgress, SharesOpen,
    PerformanceStarted, Forbidden);

/// Cancels a booking.
///
/// What was paid is refunded, once.
#[utoipa::path(post, path = "/v1/performances/{performance}/bookings/{booking}/cancel", operation_id = "cancel_booking", tag = "bookings",
    params(("performance" = PerformanceId, Path), ("booking" = BookingId, Path), CommandHeaders),
    responses((status = 200, description = "The booking, cancelled.", body = Answer<BookingReply>), CancelErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn cancel(
    State(api): State<Api>,
    Path((performance, booking)): Path<(PerformanceId, BookingId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    let command = Command::Cancel { booking, refund: refund_of(booking) };
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), unit::Command::Performance(command)).await
}

/// The id of the refund that a cancellation makes: always the same for a booking, so that a retry is the same command.
/// Time-ordered like the booking's, with its own random part.
fn refund_of(booking: BookingId) -> RefundId {
    let mut bytes: [u8; 16] = *booking.0.as_bytes();
    let digest = Sha256::digest([b"refund of ".as_slice(), &bytes].concat());
    bytes[8..].copy_from_slice(&digest[..8]);
    bytes[8] = bytes[8] & 0x3f | 0x80; // the variant that RFC 9562 wants there
    RefundId(Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookings_refund_has_one_id() {
        let (one, other) = (BookingId::new(), BookingId::new());
        assert_eq!(refund_of(one), refund_of(one));
        assert_ne!(refund_of(one), refund_of(other));
        let id = refund_of(one).0;
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
    }
}
