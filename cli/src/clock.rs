//! The time, which the core does without.

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use writegate::Timestamp;

use crate::error::{Error, Result};

/// Parses a number of seconds, or of minutes, hours or days: `300`, `5m`, `1h`, `7d`.
pub(crate) fn duration<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> std::result::Result<T, String> + Clone {
    move |text| {
        let expected = || "expected a number of seconds such as 300, or 5m, 1h or 7d".to_owned();
        let (digits, unit) = match text.char_indices().last() {
            Some((at, 's')) => (&text[..at], 1),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 'h')) => (&text[..at], 3_600),
            Some((at, 'd')) => (&text[..at], 86_400),
            _ => (text, 1),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(expected());
        }
        let seconds = digits.parse().ok().and_then(|number: u64| number.checked_mul(unit));
        let seconds = seconds.filter(|seconds| range.contains(seconds));
        seconds.and_then(|seconds| T::try_from(seconds).ok()).ok_or_else(|| {
            format!("the value is not in {}..={} seconds", range.start(), range.end())
        })
    }
}

/// Now.
pub(crate) fn now() -> Result<Timestamp> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_error| Error::new("this machine's clock stands before 1970"))?;
    Ok(Timestamp::from_millis(since.as_millis().try_into().unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let read = |text: &str| duration::<u32>(1..=604_800)(text).ok();
        for (text, seconds) in [
            ("300", Some(300)),
            ("300s", Some(300)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("7d", Some(604_800)),
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
