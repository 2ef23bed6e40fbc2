//! Comparing a quota with the usage of its key, and the headers of a 429.
//!
//! Parsing a [`Quota`] is `keys`' part; adding usage up is [`crate::limits::usage`]'s.

use crate::base::time::Timestamp;
use crate::keys::Quota;
use crate::limits::rate::RateLimitHeaders;

/// The usage of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests.
    pub requests: u64,
    /// Bytes in and out.
    pub bytes: u64,
}

impl Quota {
    /// Returns true if a key that has used this much may use no more.
    pub fn is_used_up(&self, used: Totals) -> bool {
        let reaches = |max: Option<u64>, used: u64| max.is_some_and(|max| used >= max);
        reaches(self.requests, used.requests) || reaches(self.bytes, used.bytes)
    }

    /// Returns the headers of a 429 for a key that has used this much.
    pub fn rate_limit_headers(&self, used: Totals, now: Timestamp) -> RateLimitHeaders {
        let (from, until) = self.per.bounds(now);
        let window = until.start().seconds().saturating_sub(from.start().seconds());
        // Rounded up, so that a caller who waits that long is not too early.
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
        RateLimitHeaders {
            retry_after: reset.try_into().unwrap_or_default(),
            policy: policy.join(", "),
            limit: Some(limit.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn quota(value: Value) -> Result<Quota, String> {
        Quota::parse("quota".to_owned(), value).map_err(|error| error.field)
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
    fn the_headers_name_the_end_of_the_period() {
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
                limit: Some("\"requests\";r=0;t=60, \"bytes\";r=99;t=60".to_owned()),
            }
        );
    }

    #[test]
    fn the_headers_are_those_of_the_page_for_callers() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md");
        let page = std::fs::read_to_string(page).unwrap();
        let record = json!({"requests": 100_000, "bytes": 10_000_000_000_u64, "per": "month"});
        let now = Timestamp::parse_rfc3339("2026-11-30T23:00:00Z").unwrap();
        let used = Totals { requests: 100_000, bytes: 10_000_000_000 - 52_817 };
        let headers = quota(record).unwrap().rate_limit_headers(used, now);
        let shown = format!(
            "```text\nRetry-After: {}\nRateLimit-Policy: {}\nRateLimit: {}\n```",
            headers.retry_after,
            headers.policy,
            headers.limit.unwrap()
        );
        assert!(page.contains(&shown), "{shown}");
    }
}
