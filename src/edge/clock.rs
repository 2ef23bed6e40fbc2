//! Numbers of JavaScript as the core's: times and counts of bytes.

use crate::base::time::Timestamp;

/// Returns the platform's time, which stands still between I/O.
pub(super) fn now() -> Timestamp {
    at(js_sys::Date::now())
}

/// Returns a time of `Date.now()`.
pub(super) fn at(ms: f64) -> Timestamp {
    Timestamp::from_numeric_date(ms / 1_000.0).unwrap_or(Timestamp::from_millis(0))
}

/// Returns a number of bytes; JavaScript has no integers, and a float cast saturates.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of bytes is whole, and exact up to 9 PB"
)]
pub(super) const fn bytes(number: f64) -> u64 {
    number as u64
}
