//! Whether and when a request is sent again (contract section 5), and for how long the gate waits.

use crate::base::time::Timestamp;

/// First pause in milliseconds; it doubles with every attempt.
const FIRST_PAUSE_MS: f64 = 100.0;
/// Longest `Retry-After` that is waited for, in milliseconds.
const MAX_RETRY_AFTER_MS: i64 = 5_000;

/// The attempts of one request.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    made: u32,
    left: u32,
    started: Timestamp,
    timeout_ms: u32,
}

impl Attempts {
    /// Before the first attempt.
    #[must_use]
    pub const fn new(repeatable: bool, retries: u32, started: Timestamp, timeout_ms: u32) -> Self {
        Self { made: 0, left: if repeatable { retries } else { 0 }, started, timeout_ms }
    }

    /// How many were made.
    #[must_use]
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// Milliseconds since the first began.
    #[must_use]
    pub const fn elapsed_ms(&self, now: Timestamp) -> i64 {
        now.millis().saturating_sub(self.started.millis())
    }

    /// An attempt ended.
    pub const fn end_one(&mut self) {
        self.made = self.made.saturating_add(1);
    }

    /// How many milliseconds to wait before the next attempt: exponential backoff with full
    /// jitter (`random` is from 0 to 1), and not less than `Retry-After`. `None` when none is
    /// left, when the upstream wants a longer pause than is waited for, or when the pause would
    /// pass the timeout.
    pub fn again(&mut self, retry_after: Option<&str>, now: Timestamp, random: f64) -> Option<u32> {
        let left = self.left.checked_sub(1)?;
        let asked_ms = match retry_after {
            None => 0,
            Some(value) => pause_asked_ms(value, now)?,
        };
        let doubled = FIRST_PAUSE_MS * f64::from(2_u32.saturating_pow(self.made.saturating_sub(1)));
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and the fraction of a millisecond may go"
        )]
        let jittered = (doubled * random.clamp(0.0, 1.0)) as i64;
        let pause = asked_ms.max(jittered);
        if self.elapsed_ms(now).saturating_add(pause) >= i64::from(self.timeout_ms) {
            return None;
        }
        self.left = left;
        u32::try_from(pause).ok()
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3) in milliseconds: seconds or an HTTP date. One that is
/// neither is no request to wait; `None` for more than is waited for.
fn pause_asked_ms(value: &str, now: Timestamp) -> Option<i64> {
    let value = value.trim();
    let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000)
    } else {
        Timestamp::parse_http_date(value)
            .map_or(0, |date| date.millis().saturating_sub(now.millis()).max(0))
    };
    (asked <= MAX_RETRY_AFTER_MS).then_some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_seconds(784_111_777);

    fn after(made: u32, retry_after: Option<&str>) -> Option<u32> {
        let mut attempts = Attempts::new(true, 5, T0, 100_000);
        (0..made).for_each(|_| attempts.end_one());
        attempts.again(retry_after, T0, 1.0)
    }

    #[test]
    fn the_pause_doubles() {
        assert_eq!([1, 2, 3].map(|made| after(made, None)), [Some(100), Some(200), Some(400)]);
    }

    #[test]
    fn retry_after_is_honoured_up_to_five_seconds() {
        assert_eq!(after(1, Some("5")), Some(5_000));
        assert_eq!(after(1, Some("6")), None);
        assert_eq!(after(1, Some("99999999999999999999999")), None);
        assert_eq!(after(1, Some("Sun, 06 Nov 1994 08:49:40 GMT")), Some(3_000));
        assert_eq!(after(1, Some("Sun, 06 Nov 1994 08:49:00 GMT")), Some(100));
        assert_eq!(after(1, Some("soon")), Some(100));
    }

    #[test]
    fn no_attempt_is_made_beyond_the_last_or_after_the_timeout() {
        let mut none = Attempts::new(false, 5, T0, 100_000);
        none.end_one();
        assert_eq!(none.again(None, T0, 0.5), None);
        let mut one = Attempts::new(true, 1, T0, 100_000);
        one.end_one();
        assert!(one.again(None, T0, 0.5).is_some());
        assert_eq!(one.again(None, T0, 0.5), None);
        let mut short = Attempts::new(true, 5, T0, 2_000);
        short.end_one();
        assert_eq!(short.again(Some("2"), T0, 0.5), None);
        assert!(short.again(Some("1"), T0, 0.5).is_some());
    }
}
