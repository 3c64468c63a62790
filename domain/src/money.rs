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

#[cfg(test)]
mod tests {
    use super::*;

    fn won(amount: i64) -> Won {
        Won::new(amount).unwrap()
    }

    #[test]
    fn an_amount_is_never_negative_and_never_above_the_most() {
        assert_eq!(Won::new(-1), None);
        assert_eq!(Won::new(0), Some(Won::ZERO));
        assert_eq!(Won::new(1_000_000_000_000_000), Some(Won::MAX));
        assert_eq!(Won::new(1_000_000_000_000_001), None);
        assert_eq!(Won::new(i64::MAX), None);
    }

    #[test]
    fn sums_and_differences_stay_in_bounds() {
        assert_eq!(won(2).checked_add(won(3)), Some(won(5)));
        assert_eq!(Won::MAX.checked_add(won(1)), None);
        assert_eq!(Won::MAX.checked_add(Won::MAX), None);
        assert_eq!(won(3).checked_sub(won(2)), Some(won(1)));
        assert_eq!(won(2).checked_sub(won(3)), None);
        assert_eq!([won(1), won(2), won(4)].into_iter().sum::<Won>(), won(7));
        assert_eq!([Won::MAX, won(1)].into_iter().sum::<Won>(), Won::MAX);
    }

    #[test]
    fn json_is_a_whole_number() {
        assert_eq!(serde_json::to_string(&won(110_000)).unwrap(), "110000");
        assert_eq!(serde_json::from_str::<Won>("110000").unwrap(), won(110_000));
        for text in ["-1", "1.5", "1e3", "\"5\"", "1000000000000001", "9223372036854775808", "null"] {
            assert!(serde_json::from_str::<Won>(text).is_err(), "{text}");
        }
        let error = serde_json::from_str::<Won>("-1").unwrap_err().to_string();
        assert!(error.starts_with("-1 won is not an amount from 0 to 1000000000000000"), "{error}");
    }
}
