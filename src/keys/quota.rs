//! Quotas: how much a key may use in a day or a month.
//!
//! Comparing a quota with the usage of its key is `limits::quota`'s part.

use serde_json::Value;

use crate::base::day::Day;
use crate::base::json::{FieldError, Fields};
use crate::base::time::Timestamp;

/// The period of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day in UTC.
    Day,
    /// A month in UTC.
    Month,
}

impl Period {
    /// Returns the first day of the period that contains `now`, and the first day after it.
    pub fn bounds(self, now: Timestamp) -> (Day, Day) {
        let today = Day::of(now);
        match self {
            Self::Day => (today, today.plus(1)),
            Self::Month => (today.first_of_month(), today.first_of_next_month()),
        }
    }
}

/// The most that a key may use in a period: requests, bytes in and out together, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Most requests.
    pub requests: Option<u64>,
    /// Most bytes.
    pub bytes: Option<u64>,
    /// The period.
    pub per: Period,
    /// Browsers may keep answers of routes that allow it, so that their later reads do not count.
    pub browser_cache: bool,
}

impl Quota {
    /// Parses the `quota` of a key record, found at `path`.
    ///
    /// # Errors
    /// When it has neither `requests` nor `bytes`, or no `per`.
    pub fn parse(path: String, value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::new(path, value)?;
        let mut max = |name: &'static str| {
            let number = fields.integer(name, 1..=u64::MAX, 0)?;
            Ok((number > 0).then_some(number))
        };
        let (requests, bytes) = (max("requests")?, max("bytes")?);
        let per = match fields.required("per")?.as_str() {
            "day" => Period::Day,
            "month" => Period::Month,
            _ => {
                let hint = "expected \"day\" or \"month\"";
                return Err(fields.error("per", hint));
            }
        };
        let browser_cache = fields.flag("browser_cache")?;
        if requests.is_none() && bytes.is_none() {
            let hint = "expected requests, bytes or both beside per";
            return Err(fields.error("requests", hint));
        }
        fields.finish()?;
        Ok(Self { requests, bytes, per, browser_cache })
    }

    /// Returns true if the quota limits bytes.
    pub const fn limits_bytes(&self) -> bool {
        self.bytes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn quota(value: Value) -> Result<Quota, String> {
        Quota::parse("quota".to_owned(), value).map_err(|error| error.field)
    }

    #[test]
    fn a_quota_is_whole_or_an_error_that_names_the_field() {
        for (value, field) in [
            (json!({"per": "day"}), "quota.requests"),
            (json!({"requests": 1}), "quota.per"),
            (json!({"requests": 1, "per": "week"}), "quota.per"),
            (json!({"requests": 0, "per": "day"}), "quota.requests"),
            (json!({"bytes": -1, "per": "day"}), "quota.bytes"),
            (json!({"request": 1, "bytes": 1, "per": "day"}), "quota.request"),
            (json!({"requests": 1, "per": "day", "browser_cache": 1}), "quota.browser_cache"),
            (json!([]), "quota"),
        ] {
            assert_eq!(quota(value.clone()), Err(field.to_owned()), "{value}");
        }
    }
}
