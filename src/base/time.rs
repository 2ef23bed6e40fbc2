//! Points in time: RFC 3339 dates as an operator writes them, NumericDates as a token carries
//! them, HTTP dates as an upstream sends them.
//!
//! In scope: parsing, formatting, comparing. Out of scope: reading a clock; `now` is always an argument.

use super::digits;

/// Milliseconds in a second.
const MS_PER_SECOND: i64 = 1_000;
/// Seconds in a day.
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates a time from milliseconds since the epoch, as `Date.now()` returns them.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Creates a time from whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MS_PER_SECOND))
    }

    /// Creates a time from a NumericDate (RFC 7519 section 2): seconds, with an optional fraction.
    /// Returns `None` unless it is finite and within ±10^13 s, beyond which milliseconds would not be
    /// exact.
    pub fn from_numeric_date(seconds: f64) -> Option<Self> {
        if !seconds.is_finite() || seconds.abs() > 1e13 {
            return None;
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "bounded just above: ±10^16 fits i64, and the fraction of a millisecond may go"
        )]
        Some(Self((seconds * 1_000.0).floor() as i64))
    }

    /// Returns the milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MS_PER_SECOND)
    }

    /// Returns the time that is `seconds` later (or earlier, when negative).
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MS_PER_SECOND)))
    }

    /// Returns true if something of this time may still be used at `now`, for `max_age` seconds. Something of the future may not,
    /// because then the clock was set back, and nobody knows by how much.
    pub fn is_recent(self, now: Self, max_age: i64) -> bool {
        self <= now && now < self.plus_seconds(max_age)
    }

    /// Returns the next millisecond: the end of a limit that includes this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the whole days from `earlier` to this time, rounded down; negative when `earlier` is
    /// later.
    pub const fn days_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(SECONDS_PER_DAY.saturating_mul(MS_PER_SECOND))
    }

    /// Parses an RFC 3339 `full-date` (midnight UTC) or `date-time`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let day = parse_date(date)?;
        if rest.is_empty() {
            return Some(Self::from_seconds(day.checked_mul(SECONDS_PER_DAY)?));
        }
        // RFC 3339 section 5.6: "T" and "Z" may be lower case.
        let rest = rest.strip_prefix(['T', 't'])?;
        let (clock, rest) = rest.split_at_checked(8)?;
        let in_day = parse_clock(clock)?;
        let (ms, zone) = match rest.strip_prefix('.') {
            Some(fraction) => split_fraction(fraction)?,
            None => (0, rest),
        };
        let seconds = day
            .checked_mul(SECONDS_PER_DAY)?
            .checked_add(in_day)?
            .checked_sub(parse_zone(zone)?)?;
        Some(Self(seconds.checked_mul(MS_PER_SECOND)?.checked_add(ms)?))
    }

    /// Parses an IMF-fixdate (RFC 9110 section 5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let (_weekday, rest) = text.split_once(", ")?;
        let rest = rest.strip_suffix(" GMT")?;
        let mut parts = rest.split(' ');
        let day = digits(parts.next()?, 2)?;
        let name = parts.next()?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        let year = digits(parts.next()?, 4)?;
        let in_day = parse_clock(parts.next()?)?;
        if parts.next().is_some() {
            return None;
        }
        let days = days_from_civil(year, i64::try_from(month).ok()?.checked_add(1)?, day)?;
        let seconds = days.checked_mul(SECONDS_PER_DAY)?.checked_add(in_day)?;
        Some(Self::from_seconds(seconds))
    }

    /// Formats this time as RFC 3339 with milliseconds, `2026-11-22T20:00:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        let (year, month, day) = civil_from_days(self.seconds().div_euclid(SECONDS_PER_DAY));
        let in_day = self.seconds().rem_euclid(SECONDS_PER_DAY);
        let ms = self.0.rem_euclid(MS_PER_SECOND);
        let (hour, minute, second) =
            (in_day.div_euclid(3_600), in_day.div_euclid(60).rem_euclid(60), in_day.rem_euclid(60));
        let mut text = String::with_capacity(24);
        let parts = [
            (year, 4, '-'),
            (month, 2, '-'),
            (day, 2, 'T'),
            (hour, 2, ':'),
            (minute, 2, ':'),
            (second, 2, '.'),
            (ms, 3, 'Z'),
        ];
        // Written out by hand because every log line has a time, and a formatter is slower.
        for (number, width, then) in parts {
            for place in (0..width).rev() {
                let digit = number.div_euclid(10_i64.saturating_pow(place)).rem_euclid(10);
                text.extend(
                    u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 10)),
                );
            }
            text.push(then);
        }
        text
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Parses exactly `count` ASCII digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count).then(|| digits::parse(text))?
}

/// Parses `YYYY-MM-DD` into days since the epoch.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    days_from_civil(year, month, day)
}

/// Parses `HH:MM:SS` into seconds; a leap second (`:60`) counts as the second after it.
fn parse_clock(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hour = digits(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 2).filter(|minute| *minute < 60)?;
    let second = digits(parts.next()?, 2).filter(|second| *second <= 60)?;
    hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)
}

/// Parses the digits after the point as milliseconds; returns them and the rest of the text.
fn split_fraction(text: &str) -> Option<(i64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (fraction, zone) = text.split_at_checked(end)?;
    if fraction.is_empty() {
        return None;
    }
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some((digits(&padded, 3)?, zone))
}

/// Parses `Z`, `+HH:MM` or `-HH:MM` into seconds east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hour, minute) = rest.split_once(':')?;
    let hour = digits(hour, 2).filter(|hour| *hour < 24)?;
    let minute = digits(minute, 2).filter(|minute| *minute < 60)?;
    hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_mul(sign)
}

/// Returns the days from the epoch to a date of the proleptic Gregorian calendar; `None` for a day that
/// does not exist. The year is shifted to begin in March, so that a leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let from_march = month.checked_add(9)?.rem_euclid(12);
    let shifted = if month <= 2 { year.checked_sub(1)? } else { year };
    let in_year = from_march
        .checked_mul(153)?
        .checked_add(2)?
        .div_euclid(5)
        .checked_add(day)?
        .checked_sub(1)?;
    shifted
        .checked_mul(365)?
        .checked_add(shifted.div_euclid(4))?
        .checked_sub(shifted.div_euclid(100))?
        .checked_add(shifted.div_euclid(400))?
        .checked_add(in_year)?
        // Days from 0000-03-01 to 1970-01-01.
        .checked_sub(719_468)
}

/// Returns the date that is `days` after the epoch: the inverse of [`days_from_civil`].
#[expect(
    clippy::arithmetic_side_effects,
    reason = "days come from an i64 of milliseconds, so every term is far inside i64"
)]
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2).rem_euclid(12) + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc3339(text: &str) -> Option<i64> {
        Timestamp::parse_rfc3339(text).map(Timestamp::millis)
    }

    #[test]
    fn rfc3339_dates_and_times_are_read() {
        assert_eq!(rfc3339("1970-01-01"), Some(0));
        assert_eq!(rfc3339("2026-11-22"), Some(1_795_305_600_000));
        // RFC 3339 section 5.8's examples.
        assert_eq!(rfc3339("1985-04-12T23:20:50.52Z"), Some(482_196_050_520));
        assert_eq!(rfc3339("1996-12-19T16:39:57-08:00"), rfc3339("1996-12-20T00:39:57Z"));
        assert_eq!(rfc3339("2026-11-22T23:59:00+23:59"), rfc3339("2026-11-22T00:00:00Z"));
        assert!(rfc3339("1990-12-31T23:59:60Z").is_some());
        assert_eq!(rfc3339("2024-02-29"), Some(1_709_164_800_000));
    }

    #[test]
    fn what_is_no_rfc3339_is_not_read() {
        for text in [
            "", "2026", "2026-1-22", "2026-11-31", "2025-02-29", "2026-11-22 00:00:00Z",
            "2026-11-22T24:00:00Z", "2026-11-22T00:00:00", "2026-11-22T00:00:00.Z",
            "2026-11-22T00:00:00+1:00", "+026-11-22", "2026-11-22T00:60:00Z",
            "2026-11-22T00:00:61Z", "2026-11-22T00:00:00+24:00", "2026-11-22T00:00:00-00:60",
            "2026-11-22Z", "２026-11-22",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn printing_is_the_inverse_of_reading() {
        for text in [
            "1969-12-31T23:59:59.999Z", "2000-02-29T12:00:00.001Z", "2026-11-22T20:00:00.000Z",
            "2400-12-31T00:00:00.000Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_rfc3339(), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_round_trips() {
        for days in -719_468..-719_468 + 2 * 146_097 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), Some(days));
        }
    }

    #[test]
    fn http_dates_are_read() {
        // RFC 9110 section 5.6.7's example.
        assert_eq!(
            Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").map(Timestamp::seconds),
            Some(784_111_777)
        );
        assert_eq!(Timestamp::parse_http_date("Sun, 6 Nov 1994 08:49:37 GMT"), None);
        assert_eq!(Timestamp::parse_http_date("120"), None);
    }

    #[test]
    fn numeric_dates_keep_a_fraction_and_refuse_the_absurd() {
        assert_eq!(Timestamp::from_numeric_date(1.5).map(Timestamp::millis), Some(1_500));
        assert_eq!(Timestamp::from_numeric_date(f64::NAN), None);
        for absurd in [1e300, 1.1e13, -1.1e13] {
            assert_eq!(Timestamp::from_numeric_date(absurd), None);
        }
        let last = Timestamp::from_numeric_date(1e13).map(Timestamp::seconds);
        assert_eq!(last, Some(10_000_000_000_000));
    }
}
