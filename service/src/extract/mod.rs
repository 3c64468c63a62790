//! What handlers take from requests, with problems where it doesn't fit: [`Json`], [`Path`], [`Query`],
//! [`IdempotencyKey`], and UUIDv7s that a client made.

mod idempotency;
mod json;
mod parts;

pub use idempotency::{IDEMPOTENCY_KEY, IdempotencyKey};
pub use json::{Json, parse};
pub use parts::{Path, Query};

use crate::{Problem, catalogue::codes};
use uuid::Uuid;

/// Checks an id that a client made for something new: time-ordered, so that indexes stay local.
///
/// # Errors
/// `invalid_body`, naming the field, if it isn't a UUIDv7.
pub fn new_id(field: &str, id: Uuid) -> Result<(), Problem> {
    if id.get_version_num() == 7 {
        return Ok(());
    }
    Err(invalid(format!("/{field}"), format!("{id} is not a UUIDv7; new ids are made by the client, time-ordered")))
}

/// A body whose field at this JSON pointer doesn't fit.
#[must_use]
pub fn invalid(path: impl Into<String>, detail: impl Into<String>) -> Problem {
    let (path, detail) = (path.into(), detail.into());
    let errors = [serde_json::json!({ "path": path, "code": "invalid", "detail": detail })];
    Problem::new(codes::INVALID_BODY).detail(format!("{path}: {detail}")).member("errors", errors)
}
