//! Identifiers: one newtype per kind of thing, so that a hold's id can't be passed where a booking's is meant.
//!
//! All are UUIDv7 (time-ordered, which keeps B-tree inserts local). Commands that create something carry the new id,
//! made by the client, so that a retry meets the same stream.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by the time it was made.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            /// The nil id: what an aggregate's state holds before its first event.
            fn default() -> Self {
                Self(Uuid::nil())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

id!(
    /// A person, opaque: names and e-mail addresses are never in the log.
    AccountId,
    /// What is played.
    ShowId,
    /// One date of a show, sold on its own. Its waiting room has the same id.
    PerformanceId,
    /// People who wait and sit together.
    PartyId,
    /// One place in the line; once admitted, the pass: the right to choose seats.
    EntryId,
    /// Seats kept for seconds.
    HoldId,
    /// Seats kept for payment, then sold.
    BookingId,
    /// One attempt to pay for a booking.
    PaymentId,
    /// One refund, of one payment.
    RefundId,
    /// One command, as the log names it in `causation`.
    CommandId,
);

/// A seat's number in its plan, from 0. Plans are immutable and named by their hash, so it never changes meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct SeatIndex(pub u32);

impl SeatIndex {
    /// The seat's place in arrays ordered as the plan is.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for SeatIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_the_time_they_were_made() {
        let ids: Vec<HoldId> = (0..100).map(|_| HoldId::new()).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
    }

    #[test]
    fn an_id_is_written_as_text_and_read_again() {
        let text = "01999999-1111-7222-8333-444455556666";
        let id: AccountId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("{id:?}"), format!("AccountId({text})"));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<AccountId>(&format!("\"{text}\"")).unwrap(), id);
        assert!("no-id".parse::<AccountId>().is_err());
        assert!(serde_json::from_str::<AccountId>("7").is_err());
    }

    #[test]
    fn a_seat_is_written_as_its_number() {
        assert_eq!(serde_json::to_string(&SeatIndex(7)).unwrap(), "7");
        assert!(serde_json::from_str::<SeatIndex>("-1").is_err());
        assert_eq!(SeatIndex(7).at(), 7);
    }
}
