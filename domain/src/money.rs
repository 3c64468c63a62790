//! Money: whole won, never negative, never floating.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, iter::Sum};
use utoipa::ToSchema;

/// An amount in won. Never negative; at most [`Won::MAX`], so that sums of a whole sale stay far from overflow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_000_i64, example = 110_000)]
pub struct Won(i64);

impl Won {
    /// Nothing.
    pub const ZERO: Won = Won(0);
    /// 10¹⁵ won: above any sale, and exact as a JavaScript number.
    pub const MAX: Won = Won(1_000_000_000_000_000);

    /// An amount, or `None` if it is negative or above [`Won::MAX`].
    #[must_use]
    pub const fn new(won: i64) -> Option<Won> {
        if won < 0 || won > Won::MAX.0 { None } else { Some(Won(won)) }
    }

    /// The amount as a number of won.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or `None` above [`Won::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Won) -> Option<Won> {
        Won::new(self.0 + other.0)
    }

    /// The difference, or `None` if it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Won) -> Option<Won> {
        Won::new(self.0 - other.0)
    }
}

impl Sum for Won {
    /// The sum, capped at [`Won::MAX`]: amounts come from at most 512 lines of checked prices, so it is never reached.
    fn sum<I: Iterator<Item = Won>>(amounts: I) -> Won {
        amounts.fold(Won::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Won::MAX))
    }
}

impl fmt::Display for Won {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} won", self.0)
    }
}

impl<'de> Deserialize<'de> for Won {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Won, D::Error> {
        let won = i64::deserialize(deserializer)?;
        Won::new(won).ok_or_else(|| serde::de::Error::custom(format!("{won} won is not an amount from 0 to {}", Won::MAX.0)))
    }
}
