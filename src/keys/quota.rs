//! Quotas: how much a key may use in a day or a month.
//!
//! Whether one is used up is decided in `limits::quota`.

use serde_json::Value;

use crate::base::day::Day;
use crate::base::json::{FieldError, Fields};
use crate::base::time::Timestamp;

/// How long a quota is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day of UTC.
    Day,
    /// A month of UTC.
    Month,
}

impl Period {
    /// The first day of the period that `now` lies in, and the first after it.
    #[must_use]
    pub fn bounds(self, now: Timestamp) -> (Day, Day) {
        let today = Day::of(now);
        match self {
            Self::Day => (today, today.plus(1)),
            Self::Month => (today.first_of_month(), today.first_of_next_month()),
        }
    }
}

/// What a key may have in a period: requests, bytes in and out together, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Most requests.
    pub requests: Option<u64>,
    /// Most bytes.
    pub bytes: Option<u64>,
    /// The period.
    pub per: Period,
}

impl Quota {
    /// Reads the `quota` of a key's record, which stands at `path`.
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
        if requests.is_none() && bytes.is_none() {
            let hint = "expected requests, bytes or both beside per";
            return Err(fields.error("requests", hint));
        }
        fields.finish()?;
        Ok(Self { requests, bytes, per })
    }

    /// Whether bytes are limited.
    #[must_use]
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
            (json!([]), "quota"),
        ] {
            assert_eq!(quota(value.clone()), Err(field.to_owned()), "{value}");
        }
    }
}
