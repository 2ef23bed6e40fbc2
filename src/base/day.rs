//! Days in UTC, by which usage is added up and quotas end.

use core::fmt;

use crate::base::time::{self, Timestamp};

/// Seconds in a day.
const SECONDS: i64 = 86_400;

/// A day, as the number of days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// Returns the day that contains this time.
    pub const fn of(time: Timestamp) -> Self {
        Self(time.seconds().div_euclid(SECONDS))
    }

    /// Parses `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        time::parse_date(text).map(Self)
    }

    /// Returns the first moment of the day.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_seconds(self.0.saturating_mul(SECONDS))
    }

    /// Returns the day that is `days` later (or earlier, when negative).
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Returns the number of days from `earlier` to this day.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the first day of this day's month.
    pub fn first_of_month(self) -> Self {
        let (_, _, day) = time::civil_from_days(self.0);
        self.plus(1_i64.saturating_sub(day))
    }

    /// Returns the first day of the next month.
    pub fn first_of_next_month(self) -> Self {
        // No month has 32 days, and none fewer than 4.
        self.first_of_month().plus(31).first_of_month()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = time::civil_from_days(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn a_day_is_a_day_of_utc() {
        let last = Timestamp::parse_rfc3339("2026-11-22T23:59:59.999Z").unwrap();
        assert_eq!(Day::of(last), day("2026-11-22"));
        let next = day("2026-11-23");
        assert_eq!(Day::of(next.start()), next);
        assert_eq!(next.to_string(), "2026-11-23");
        assert_eq!(next.since(Day::of(last)), 1);
        for wrong in ["", "2026-02-29", "2026-1-01", "2026-11-22T00:00:00Z"] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn months_begin_with_their_first() {
        for (any, first, next) in [
            ("2026-11-22", "2026-11-01", "2026-12-01"),
            ("2026-12-31", "2026-12-01", "2027-01-01"),
            ("2027-01-01", "2027-01-01", "2027-02-01"),
            ("2028-02-29", "2028-02-01", "2028-03-01"),
        ] {
            assert_eq!(day(any).first_of_month(), day(first));
            assert_eq!(day(any).first_of_next_month(), day(next));
        }
    }
}
