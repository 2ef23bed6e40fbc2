//! Retries: the decision to send a request to the upstream again, and the pause before
//! (docs/wire-contract.md, "Upstream requests and answers").

use crate::base::time::Timestamp;

/// First pause in milliseconds. It doubles with every attempt.
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
    /// Begins with no attempt made.
    pub const fn new(repeatable: bool, retries: u32, started: Timestamp, timeout_ms: u32) -> Self {
        Self { made: 0, left: if repeatable { retries } else { 0 }, started, timeout_ms }
    }

    /// Returns the number of attempts that were made.
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// Returns the milliseconds since the first attempt began; none if the clock was set back.
    pub fn elapsed_ms(&self, now: Timestamp) -> i64 {
        now.millis().saturating_sub(self.started.millis()).max(0)
    }

    /// Counts an attempt that ended.
    pub const fn count_one(&mut self) {
        self.made = self.made.saturating_add(1);
    }

    /// Returns the pause in milliseconds before the next attempt: exponential backoff with full jitter
    /// (`random` is from 0 to 1), and at least `Retry-After`. Returns `None` when no attempt is left,
    /// when the upstream asks for a longer pause than the gate waits, or when the pause would exceed the
    /// timeout.
    pub fn next_pause_ms(
        &mut self,
        retry_after: Option<&str>,
        now: Timestamp,
        random: f64,
    ) -> Option<u32> {
        let left = self.left.checked_sub(1)?;
        let retry_after_ms = match retry_after {
            None => 0,
            Some(value) => parse_retry_after_ms(value, now)?,
        };
        let doubled = FIRST_PAUSE_MS * f64::from(2_u32.saturating_pow(self.made.saturating_sub(1)));
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and the fraction of a millisecond may go"
        )]
        let jittered = (doubled * random.clamp(0.0, 1.0)) as i64;
        let pause = retry_after_ms.max(jittered);
        if self.elapsed_ms(now).saturating_add(pause) >= i64::from(self.timeout_ms) {
            return None;
        }
        self.left = left;
        u32::try_from(pause).ok()
    }
}

/// Parses `Retry-After` (RFC 9110 section 10.2.3), seconds or an HTTP date, into milliseconds. A
/// malformed one counts as 0. Returns `None` for a longer pause than the gate waits.
fn parse_retry_after_ms(value: &str, now: Timestamp) -> Option<i64> {
    let pause_ms = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000)
    } else {
        Timestamp::parse_http_date(value)
            .map_or(0, |date| date.millis().saturating_sub(now.millis()).max(0))
    };
    (pause_ms <= MAX_RETRY_AFTER_MS).then_some(pause_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_seconds(784_111_777);

    fn after(made: u32, retry_after: Option<&str>) -> Option<u32> {
        let mut attempts = Attempts::new(true, 5, T0, 100_000);
        (0..made).for_each(|_| attempts.count_one());
        attempts.next_pause_ms(retry_after, T0, 1.0)
    }

    #[test]
    fn the_pause_doubles() {
        assert_eq!([1, 2, 3].map(|made| after(made, None)), [Some(100), Some(200), Some(400)]);
    }

    #[test]
    fn the_pause_is_a_random_part_and_no_shorter_than_retry_after() {
        let pause = |random, retry_after| {
            let mut attempts = Attempts::new(true, 1, T0, 100_000);
            attempts.count_one();
            attempts.next_pause_ms(retry_after, T0, random)
        };
        for (random, retry_after, ms) in [
            (0.0, None, 0),
            (0.25, None, 25),
            (1.0, None, 100),
            (7.0, None, 100),
            (-7.0, None, 0),
            (0.25, Some("1"), 1_000),
        ] {
            assert_eq!(pause(random, retry_after), Some(ms), "{random} {retry_after:?}");
        }
    }

    #[test]
    fn retry_after_is_honoured_up_to_five_seconds() {
        assert_eq!(after(1, Some("5")), Some(5_000));
        assert_eq!(after(1, Some("6")), None);
        assert_eq!(after(1, Some("99999999999999999999999")), None);
        assert_eq!(after(1, Some("Sun, 06 Nov 1994 08:49:40 GMT")), Some(3_000));
        assert_eq!(after(1, Some("Sun, 06 Nov 1994 08:49:00 GMT")), Some(100));
        for ignored in ["soon", "-5", "0"] {
            assert_eq!(after(1, Some(ignored)), Some(100), "{ignored}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_time_negative() {
        let attempts = Attempts::new(true, 5, T0, 1_000);
        assert_eq!(attempts.elapsed_ms(T0.plus_seconds(-3_600)), 0);
        assert_eq!(attempts.elapsed_ms(T0.plus_seconds(2)), 2_000);
    }

    #[test]
    fn no_attempt_is_made_beyond_the_last_or_after_the_timeout() {
        let mut none = Attempts::new(false, 5, T0, 100_000);
        none.count_one();
        assert_eq!(none.next_pause_ms(None, T0, 0.5), None);
        let mut one = Attempts::new(true, 1, T0, 100_000);
        one.count_one();
        assert_eq!(one.next_pause_ms(None, T0, 0.5), Some(50));
        assert_eq!(one.next_pause_ms(None, T0, 0.5), None);
        let mut short = Attempts::new(true, 5, T0, 2_000);
        short.count_one();
        assert_eq!(short.next_pause_ms(Some("2"), T0, 0.5), None);
        assert!(short.next_pause_ms(Some("1"), T0, 0.5).is_some());
    }
}
