//! The time, which the core does without.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use writegate::Timestamp;

use crate::error::{Error, Result};

/// Parses a number of seconds, or of seconds, minutes, hours and days: `300`, `5m`, `1h30m`, `7d`.
pub(crate) fn duration<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> std::result::Result<T, String> + Clone {
    move |text| {
        let expected = || "expected a number of seconds such as 300, or 5m, 1h30m or 7d".to_owned();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let text = if is_number { format!("{text}s") } else { text.to_owned() };
        let mut seconds = Some(0_u64);
        for part in text.split_inclusive(|letter: char| !letter.is_ascii_digit()) {
            let (digits, unit) = match part.char_indices().last() {
                Some((at, 's')) => (&part[..at], 1),
                Some((at, 'm')) => (&part[..at], 60),
                Some((at, 'h')) => (&part[..at], 3_600),
                Some((at, 'd')) => (&part[..at], 86_400),
                _ => return Err(expected()),
            };
            if digits.is_empty() {
                return Err(expected());
            }
            let part = digits.parse().ok().and_then(|number: u64| number.checked_mul(unit));
            seconds = seconds.and_then(|seconds| seconds.checked_add(part?));
        }
        let seconds = seconds.filter(|seconds| range.contains(seconds));
        seconds
            .and_then(|seconds| T::try_from(seconds).ok())
            .ok_or_else(|| format!("expected {} to {} seconds", range.start(), range.end()))
    }
}

/// A moment by two clocks, because one of them stops while the machine sleeps.
#[derive(Clone, Copy)]
pub(crate) struct Moment(Instant, SystemTime);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// Returns the time since then, by the clock that has moved further: one may have been set back.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// Returns the current time.
pub(crate) fn now() -> Result<Timestamp> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_error| Error::new("this machine's clock is before 1970: set it"))?;
    Ok(Timestamp::from_millis(since.as_millis().try_into().unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cli/tests/e2e/rotate_clock.rs` sets it during a rotation.
    #[test]
    fn a_clock_that_is_set_back_takes_no_time_away() {
        let (now, system, hour) = (Instant::now(), SystemTime::now(), Duration::from_secs(3_600));
        assert!(Moment(now, system - hour).elapsed() >= hour);
        let begun = Moment(now, system + hour).elapsed();
        assert!(begun < hour && begun <= now.elapsed());
    }

    #[test]
    fn durations_have_units() {
        let read = |text: &str| duration::<u32>(1..=604_800)(text).ok();
        for (text, seconds) in [
            ("300", Some(300)),
            ("300s", Some(300)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("7d", Some(604_800)),
            ("1h30m", Some(5_400)),
            ("1d1s", Some(86_401)),
            ("90m", Some(5_400)),
            ("1h30", None),
            ("1hm", None),
            ("5M", None),
            ("1.5h", None),
            ("8d", None),
            ("0", None),
            ("", None),
            ("m", None),
            ("+5", None),
            ("5 m", None),
            ("5ms", None),
            ("99999999999999999999", None),
            ("999999999999999999d", None),
        ] {
            assert_eq!(read(text), seconds, "{text}");
        }
    }
}
