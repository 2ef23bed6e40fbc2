//! Converting numbers of JavaScript: times and counts of bytes.

use crate::base::time::Timestamp;

/// Returns the platform's time, which does not advance between I/O.
pub(super) fn now() -> Timestamp {
    at(js_sys::Date::now())
}

/// Returns the time of a `Date.now()`.
pub(super) fn at(ms: f64) -> Timestamp {
    Timestamp::from_numeric_date(ms / 1_000.0).unwrap_or(Timestamp::from_millis(0))
}

/// Returns a count of bytes. JavaScript has no integers; a float cast saturates.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of bytes is whole, and exact up to 9 PB"
)]
pub(super) const fn bytes(number: f64) -> u64 {
    number as u64
}
