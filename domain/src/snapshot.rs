//! A hall's state as bytes: what a snapshot holds, so that a writer need not fold its whole history to start.
//!
//! The format is postcard's: no names, numbers as short as they are, ids as bytes; a tenth of what JSON would take, and
//! read ten times as fast. It says nothing about itself, so what is read must be of [`FOLD_VERSION`] and undamaged, which
//! whoever stores it sees to. Maps are sorted: the same state has the same bytes.

use crate::PerformanceId;
use crate::hall::Hall;

/// The version of what a hall's state is, and of what `apply` makes of events. It rises whenever either changes: a
/// snapshot of another version is ignored. (A golden snapshot fails its test when the state changes its shape.)
pub const FOLD_VERSION: u32 = 4;

/// Why bytes are no snapshot of a hall.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// They aren't a hall's state, or of another version.
    #[error("the bytes aren't a hall's state")]
    Unreadable(#[source] postcard::Error),
    /// Something follows the state.
    #[error("{0} bytes follow the state")]
    TooLong(usize),
    /// They are another hall's.
    #[error("it is the state of performance {0}")]
    OfAnother(PerformanceId),
}

/// The state as bytes.
///
/// # Panics
/// Never: a hall holds nothing that the format can't say.
#[must_use]
pub fn encode(hall: &Hall) -> Vec<u8> {
    postcard::to_allocvec(hall).expect("every sequence and map of a hall knows its length")
}

/// The state that these bytes are.
///
/// # Errors
/// [`SnapshotError`] if they aren't this hall's state.
pub fn decode(id: PerformanceId, bytes: &[u8]) -> Result<Hall, SnapshotError> {
    let (hall, rest) = postcard::take_from_bytes::<Hall>(bytes).map_err(SnapshotError::Unreadable)?;
    if !rest.is_empty() {
        return Err(SnapshotError::TooLong(rest.len()));
    }
    if hall.id() != id {
        return Err(SnapshotError::OfAnother(hall.id()));
    }
    Ok(hall)
}
