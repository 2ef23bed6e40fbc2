//! Quotas (contract section 2): how much a key may have in a day or a month, and what a caller who has
//! used it is rate_limit_headers. Adding up is the ledger's ([`crate::limits::usage`]).

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
    requests: Option<u64>,
    bytes: Option<u64>,
    /// The period.
    pub per: Period,
}

/// What a key has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests.
    pub requests: u64,
    /// Bytes in and out.
    pub bytes: u64,
}

/// What a caller is rate_limit_headers who has used it all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitHeaders {
    /// `Retry-After` (RFC 9110 section 10.2.3), in seconds.
    pub retry_after: i64,
    /// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub policy: String,
    /// `RateLimit` (the same).
    pub limit: String,
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

    /// Whether a key that has used this much may have no more.
    #[must_use]
    pub fn is_used_up(&self, used: Totals) -> bool {
        let all = |max: Option<u64>, used: u64| max.is_some_and(|max| used >= max);
        all(self.requests, used.requests) || all(self.bytes, used.bytes)
    }

    /// What a caller is rate_limit_headers whose key has used this much.
    #[must_use]
    pub fn rate_limit_headers(&self, used: Totals, now: Timestamp) -> RateLimitHeaders {
        let (from, until) = self.per.bounds(now);
        let window = until.start().seconds().saturating_sub(from.start().seconds());
        // Rounded up, so that whoever waits as long is not a moment early.
        let left_ms = until.start().millis().saturating_sub(now.millis());
        let reset = left_ms.saturating_add(999).div_euclid(1_000);
        let limits = [
            ("requests", "", self.requests, used.requests),
            ("bytes", ";qu=\"content-bytes\"", self.bytes, used.bytes),
        ];
        let (mut policy, mut limit) = (Vec::new(), Vec::new());
        for (name, unit, max, used) in limits {
            let Some(max) = max else { continue };
            let remaining = max.saturating_sub(used);
            policy.push(format!("\"{name}\";q={max}{unit};w={window}"));
            limit.push(format!("\"{name}\";r={remaining};t={reset}"));
        }
        RateLimitHeaders { retry_after: reset, policy: policy.join(", "), limit: limit.join(", ") }
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

    #[test]
    fn the_last_request_is_the_one_before_the_quota() {
        let quota = quota(json!({"requests": 3, "bytes": 100, "per": "day"})).unwrap();
        let used = |requests, bytes| Totals { requests, bytes };
        assert!(!quota.is_used_up(used(2, 99)));
        assert!(quota.is_used_up(used(3, 0)));
        assert!(quota.is_used_up(used(0, 100)));
    }

    #[test]
    fn what_is_told_ends_with_the_period() {
        let quota = quota(json!({"requests": 3, "bytes": 100, "per": "month"})).unwrap();
        let now = Timestamp::parse_rfc3339("2026-11-30T23:59:00.500Z").unwrap();
        let rate_limit_headers = quota.rate_limit_headers(Totals { requests: 5, bytes: 1 }, now);
        assert_eq!(
            rate_limit_headers,
            RateLimitHeaders {
                retry_after: 60,
                policy:
                    "\"requests\";q=3;w=2592000, \"bytes\";q=100;qu=\"content-bytes\";w=2592000"
                        .to_owned(),
                limit: "\"requests\";r=0;t=60, \"bytes\";r=99;t=60".to_owned(),
            }
        );
    }
}
