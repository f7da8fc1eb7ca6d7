//! Instants as AWS's JSON protocol writes them: seconds since 1970 with a
//! fraction of milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// An instant to the millisecond, between the years 0 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A value does not stand for an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an instant between the years 0 and 9999")]
pub struct InvalidTimestamp(String);

/// The year 0 begins, and the year 9999 ends.
const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

impl Timestamp {
    /// The instant a number of milliseconds after 1970 began.
    pub fn from_millis(millis: i64) -> Result<Self, InvalidTimestamp> {
        if RANGE.contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(InvalidTimestamp(format!("{millis} ms")))
        }
    }

    /// The instant a number of seconds after 1970 began, to the millisecond.
    pub fn from_seconds(seconds: f64) -> Result<Self, InvalidTimestamp> {
        let millis = (seconds * 1000.0).round();
        // Every whole number in the range is one that a float holds exactly.
        if millis >= *RANGE.start() as f64 && millis <= *RANGE.end() as f64 {
            Ok(Self(millis as i64))
        } else {
            Err(InvalidTimestamp(format!("{seconds} s")))
        }
    }

    /// Milliseconds since 1970 began.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since 1970 began.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The time that has passed since an earlier instant; none if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

/// Clocks beyond the range are taken for its nearest end.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Self(millis.clamp(*RANGE.start(), *RANGE.end()))
    }
}

/// `2026-01-31T12:00:00.250Z`
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| fmt::Error)?;
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second, milli) = time.to_hms_milli();
        write!(
            formatter,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z",
            u8::from(month)
        )
    }
}

/// Reads ISO 8601 with an offset, as RFC 3339 has it.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTimestamp(format!("'{text}'"));
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())?;
        let nanos = time.to_offset(UtcOffset::UTC).unix_timestamp_nanos();
        let millis = i64::try_from(nanos.div_euclid(1_000_000)).map_err(|_| invalid())?;
        Self::from_millis(millis).map_err(|_| invalid())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.seconds())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Instant)
    }
}

struct Instant;

impl Visitor<'_> for Instant {
    type Value = Timestamp;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("seconds since 1970 or an ISO 8601 text")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Timestamp, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Timestamp, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Timestamp, E> {
        Timestamp::from_seconds(seconds).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_texts_are_read() {
        for (json, millis) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.0", 1_700_000_000_000),
            ("1.700000000123E9", 1_700_000_000_123),
            ("-1.5", -1_500),
            ("0", 0),
            (r#""2023-11-14T22:13:20Z""#, 1_700_000_000_000),
            (r#""2023-11-14T23:13:20.123+01:00""#, 1_700_000_000_123),
        ] {
            let timestamp: Timestamp = serde_json::from_str(json).unwrap();
            assert_eq!(timestamp.millis(), millis, "{json}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for json in [
            "1e300",
            "true",
            r#""today""#,
            "[]",
            "1e15",
            r#""2023-11-14""#,
        ] {
            assert!(serde_json::from_str::<Timestamp>(json).is_err(), "{json}");
        }
        assert!(Timestamp::from_seconds(f64::NAN).is_err());
        let refused = "today".parse::<Timestamp>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "'today' is not an instant between the years 0 and 9999"
        );
    }

    #[test]
    fn milliseconds_are_a_fraction_on_the_wire() {
        for (millis, json) in [
            (1_700_000_000_123, "1700000000.123"),
            (1_700_000_000_000, "1700000000.0"),
            (0, "0.0"),
        ] {
            let timestamp = Timestamp::from_millis(millis).unwrap();
            assert_eq!(serde_json::to_string(&timestamp).unwrap(), json);
        }
    }

    #[test]
    fn durations_do_not_run_backwards() {
        let (early, late) = (Timestamp(1_000), Timestamp(3_500));
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn every_instant_survives_json(millis in RANGE) {
            let timestamp = Timestamp::from_millis(millis).unwrap();
            let json = serde_json::to_string(&timestamp).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), timestamp);
        }

        #[test]
        fn every_instant_survives_its_text(millis in RANGE) {
            let timestamp = Timestamp::from_millis(millis).unwrap();
            prop_assert_eq!(timestamp.to_string().parse::<Timestamp>(), Ok(timestamp));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
