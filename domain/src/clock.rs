//! Time: milliseconds UTC, from a clock that is passed in.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use std::{fmt, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// 0000-01-01T00:00:00Z: RFC 3339 has no earlier year.
const EARLIEST: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z: RFC 3339 has no later year.
const LATEST: i64 = 253_402_300_799_999;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 (in snapshots, as the number), so it lies in
/// the years 0 to 9999: what is outside them becomes the nearest moment inside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-08-01T11:00:00Z")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment so many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Timestamp {
        if millis < EARLIEST {
            return Timestamp(EARLIEST);
        }
        if millis > LATEST {
            return Timestamp(LATEST);
        }
        Timestamp(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment so many seconds later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Timestamp {
        Timestamp::from_millis(self.0 + seconds as i64 * 1000)
    }

    /// How long it is from here until `later`; zero if that is past.
    #[must_use]
    pub fn until(self, later: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(later.0 - self.0).unwrap_or(0))
    }

    /// The same moment as the time library's type (for Postgres).
    #[must_use]
    pub fn to_datetime(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).expect("the years 0 to 9999 are in range")
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Timestamp {
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Timestamp::from_millis(i64::try_from(millis).expect("the time library's years fit in 64 bits of milliseconds"))
    }
}

/// RFC 3339 in a buffer on the stack: every event has moments in it, and each would be an allocation.
struct Text {
    bytes: [u8; Text::MAX],
    len: usize,
}

impl Text {
    /// `2026-08-01T11:00:00.123456789Z`.
    const MAX: usize = 30;

    fn of(moment: Timestamp) -> Text {
        let mut bytes = [0; Text::MAX];
        let mut rest = bytes.as_mut_slice();
        // What it returns isn't always how many bytes it wrote (seen in time 0.3); what is left of the buffer tells.
        moment.to_datetime().format_into(&mut rest, &Rfc3339).expect("the years 0 to 9999 have a text of at most 30 bytes");
        let len = Text::MAX - rest.len();
        Text { bytes, len }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("RFC 3339 is ASCII")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Text::of(*self).as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.serialize_str(Text::of(*self).as_str()) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_str(Rfc3339Text),
            false => i64::deserialize(deserializer).map(Timestamp::from_millis),
        }
    }
}

/// Reads the text where it stands: a log of millions of events has several moments in each.
struct Rfc3339Text;

impl Visitor<'_> for Rfc3339Text {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment such as 2026-08-01T11:00:00Z")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        OffsetDateTime::parse(text, &Rfc3339).map(Timestamp::from).map_err(E::custom)
    }
}

/// Where time comes from. The services use [`SystemClock`]; tests pass one they set.
pub trait Clock: Send + Sync + 'static {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        OffsetDateTime::now_utc().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Timestamp {
        serde_json::from_value(serde_json::Value::from(text)).unwrap()
    }

    #[test]
    fn a_moment_is_written_and_read_to_the_millisecond() {
        let moment = Timestamp::from_millis(1_785_582_000_123);
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2026-08-01T11:00:00.123Z\"");
        assert_eq!(read("2026-08-01T11:00:00.123Z"), moment);
        assert_eq!(read("2026-08-01T20:00:00.123456+09:00"), moment);
        assert_eq!(moment.plus_seconds(2).to_string(), "2026-08-01T11:00:02.123Z");
    }

    #[test]
    fn a_moment_before_the_epoch_keeps_its_order() {
        assert_eq!(read("1969-12-31T23:59:59.9995Z"), Timestamp::from_millis(-1));
        assert!(read("1969-12-31T23:59:59.998Z") < read("1969-12-31T23:59:59.9995Z"));
    }

    #[test]
    fn every_moment_can_be_written_and_read_again() {
        let edges = [i64::MIN, EARLIEST - 1, EARLIEST, -1, 0, 1, LATEST, LATEST + 1, i64::MAX];
        for moment in edges.map(Timestamp::from_millis) {
            assert_eq!(read(&moment.to_string()), moment);
            assert_eq!(Timestamp::from(moment.to_datetime()), moment);
            assert_eq!(read(&moment.plus_seconds(u32::MAX).to_string()), moment.plus_seconds(u32::MAX));
        }
        assert_eq!(read("0000-01-01T00:00:00+23:00"), Timestamp::from_millis(EARLIEST));
        assert_eq!(read("9999-12-31T23:59:59-23:00"), Timestamp::from_millis(LATEST));
    }

    #[test]
    fn what_is_no_moment_is_an_error() {
        for text in ["\"2026-08-01\"", "\"2026-13-01T00:00:00Z\"", "\"\"", "5", "null"] {
            assert!(serde_json::from_str::<Timestamp>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn until_is_never_negative() {
        let (sooner, later) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_500));
        assert_eq!(sooner.until(later), Duration::from_millis(2_500));
        assert_eq!(later.until(sooner), Duration::ZERO);
    }
}
