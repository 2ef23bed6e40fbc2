//! The lifetime of a response in the cache (docs/wire-contract.md, "Cached reads"; RFC 9111 sections 3,
//! 4.2 and 5.2.2).

use crate::base::headers::{self};
use crate::base::time::Timestamp;

use super::{CACHE_KEY_HEADERS, Policy};

/// Returns the time, in seconds, for which a response with this status and these headers may be stored;
/// `None` if it may not be stored.
pub fn lifetime(
    policy: Policy,
    status: u16,
    headers: &[(&str, &str)],
    now: Timestamp,
) -> Option<i64> {
    let header = |name: &str| headers::header(headers, name);
    if status != 200 || header("set-cookie").is_some() || !varies_only_by_key(header("vary")) {
        return None;
    }
    let mut life = policy.ttl;
    let mut is_said = false;
    for (name, value) in directives(header("cache-control").unwrap_or_default()) {
        match name.to_ascii_lowercase().as_str() {
            "private" | "no-store" | "no-cache" => return None,
            "max-age" | "s-maxage" => {
                life = life.min(seconds(value?)?);
                is_said = true;
            }
            _ => {}
        }
    }
    if let Some(expires) = header("expires").filter(|_| !is_said) {
        // RFC 9111 section 5.3: "interpret invalid date formats, especially the value "0", as
        // representing a time in the past".
        let expires = Timestamp::parse_http_date(expires)?;
        life = life.min(expires.millis().saturating_sub(now.millis()).div_euclid(1_000));
    }
    let age = header("age").map_or(Some(0), seconds)?;
    Some(life.saturating_sub(age)).filter(|life| *life > 0)
}

/// Returns the age of a response when it arrived, in seconds.
pub(super) fn age(headers: &[(&str, &str)]) -> i64 {
    headers::header(headers, "age").and_then(seconds).unwrap_or(0)
}

/// Returns true if a response varies only with headers that are part of the cache key (RFC 9110 section
/// 12.5.5).
fn varies_only_by_key(vary: Option<&str>) -> bool {
    let mut names = vary.unwrap_or_default().split(',').map(str::trim);
    names.all(|name| {
        name.is_empty() || CACHE_KEY_HEADERS.iter().any(|keyed| name.eq_ignore_ascii_case(keyed))
    })
}

/// Splits `Cache-Control` into directives: the name, and the text after `=`. A quoted list is cut at its
/// commas too, which only yields more names.
pub(super) fn directives(value: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let parts = value.split(',').map(str::trim);
    parts.map(|part| match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (part, None),
    })
}

/// Parses delta-seconds (RFC 9111 section 1.2.2), perhaps quoted.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let digits = quoted.unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number that is too large is longer than any lifetime.
    is_number.then(|| digits.parse().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Scope;

    const POLICY: Policy = Policy { ttl: 100, scope: Scope::Key, browser_ttl: 0 };
    const NOW: Timestamp = Timestamp::from_seconds(784_111_777);

    fn life(headers: &[(&str, &str)]) -> Option<i64> {
        lifetime(POLICY, 200, headers, NOW)
    }

    #[test]
    fn no_part_of_a_second_is_added_to_expires() {
        let headers = [("expires", "Sun, 06 Nov 1994 08:49:47 GMT")];
        let late = Timestamp::from_millis(NOW.millis() + 1);
        assert_eq!(lifetime(POLICY, 200, &headers, late), Some(9));
    }

    #[test]
    fn the_shortest_life_that_anybody_names_counts() {
        for (headers, expected) in [
            (vec![], Some(100)),
            (vec![("cache-control", "max-age=30")], Some(30)),
            (vec![("cache-control", "max-age=300")], Some(100)),
            (vec![("cache-control", "Public, S-MaxAge = \"7\", max-age=30")], Some(7)),
            (vec![("cache-control", "s-maxage=30, max-age=7")], Some(7)),
            (vec![("cache-control", "max-age=99999999999999999999999")], Some(100)),
            (vec![("cache-control", "max-age=30"), ("age", "12")], Some(18)),
            (vec![("age", "99")], Some(1)),
            (vec![("expires", "Sun, 06 Nov 1994 08:49:47 GMT")], Some(10)),
            (vec![("expires", "0"), ("cache-control", "max-age=30")], Some(30)),
            (vec![("vary", "Accept, accept-LANGUAGE")], Some(100)),
            (vec![("vary", "")], Some(100)),
            (vec![("cache-control", "x-private, no-store-here=1, my-no-cache")], Some(100)),
            (vec![("cache-control", "x=\"private, no-store\", max-age=60")], Some(60)),
            (vec![("cache-control", "public, immutable, must-revalidate")], Some(100)),
        ] {
            assert_eq!(life(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_may_not_be_kept_is_not() {
        for header in [
            ("cache-control", "private"),
            ("cache-control", "max-age=30, PRIVATE"),
            ("cache-control", "private=\"x-a, x-b\""),
            ("cache-control", "no-store"),
            ("cache-control", "no-cache=\"x\", max-age=5"),
            ("cache-control", "max-age=0"),
            ("cache-control", "max-age"),
            ("cache-control", "max-age=-1"),
            ("cache-control", "max-age=1.5"),
            ("cache-control", "max-age=60, max-age=0"),
            ("cache-control", "max-age=60, No-Store"),
            ("cache-control", "s-maxage=, max-age=60"),
            ("cache-control", "max-age=0, s-maxage=60"),
            ("cache-control", "s-maxage=0, max-age=60"),
            ("cache-control", "s-maxage=soon, max-age=5"),
            ("set-cookie", "a=b"),
            ("vary", "Accept, Cookie"),
            ("vary", "Accept-Encoding"),
            ("vary", "*"),
            ("vary", "Accept, Origin"),
            ("age", "100"),
            ("age", "old"),
            ("expires", "0"),
            ("expires", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            assert_eq!(life(&[header]), None, "{header:?}");
        }
        for status in [
            201, 202, 203, 204, 206, 300, 301, 302, 304, 307, 308, 400, 403, 404, 405, 410, 414,
            500, 501,
        ] {
            assert_eq!(lifetime(POLICY, status, &[], NOW), None, "{status}");
        }
    }
}
