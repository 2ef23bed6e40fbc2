//! The headers of a response on its way into the cache, and out of it.

use crate::base::headers::{self, HeaderEdits};
use crate::base::time::Timestamp;

use super::Policy;
use super::browser::for_caller_only;
use super::conditions;
use super::lifetime::{age, directives, lifetime};

/// The status of every response that is stored.
const STATUS_OK: u16 = 200;
/// Header with the time of the request, in milliseconds since the epoch.
const REQUESTED_AT: &str = "writegate-asked";
/// Header with the time until which the entry may be served, in milliseconds since the epoch.
const UNTIL: &str = "writegate-until";
/// Header with the age of the response when it arrived, in seconds.
const AGE: &str = "writegate-age";
/// Header with the length of the body in bytes, as the upstream announced it.
pub(super) const LENGTH: &str = "writegate-length";
/// Fields about caches that do not pass on a cached route, because the gate decides there how long a
/// response is stored. Fields for caches in front of the gate pass on no route (`gateway::reply`).
const FOR_CACHES: [&str; 2] = ["expires", "cf-cache-status"];

/// The header edits of a response that is stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CacheWrite<'h> {
    /// Header names to remove.
    pub drop: Vec<&'h str>,
    /// Headers to set.
    pub set: Vec<(&'h str, String)>,
    /// Time, in seconds, for which the response is stored.
    pub life: i64,
}

/// Returns the edits for storing the response to a GET that was sent at `requested_at`, without what
/// `edits` remove and redact; `None` if it may not be stored.
pub fn to_store<'h>(
    policy: Policy,
    status: u16,
    headers: &[(&'h str, &'h str)],
    edits: &HeaderEdits<'h>,
    requested_at: Timestamp,
    now: Timestamp,
) -> Option<CacheWrite<'h>> {
    let life = lifetime(policy, status, headers, now)?;
    let mut write = CacheWrite { drop: edits.drop.clone(), set: Vec::new(), life };
    let other = |name: &&str| FOR_CACHES.contains(name) || matches!(*name, "age" | "cache-status");
    write.drop.extend(headers.iter().map(|(name, _)| *name).filter(other));
    // A token that the upstream sent back in a header is not stored either.
    let redacted = edits.set.iter().filter(|(name, _)| edits.echoed.contains(name));
    write.set.extend(redacted.cloned());
    let length = headers::content_length(headers);
    let length = length.map(|length| (LENGTH, length.to_string()));
    write.set.extend(length);
    let until = now.plus_seconds(life).millis();
    write.set.extend([
        ("cache-control", format!("max-age={life}")),
        (REQUESTED_AT, requested_at.millis().to_string()),
        (UNTIL, until.to_string()),
        (AGE, age(headers).to_string()),
    ]);
    Some(write)
}

/// A response that was found in the cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheEntry<'a, 'h> {
    /// Its headers.
    pub headers: &'a [(&'h str, &'h str)],
    /// The last purge of its route or URL in this data centre.
    pub purged: Option<Timestamp>,
}

/// Edits a cache entry whose conditions replace its status: by a 304 or a 416.
pub fn on_conditions<'h>(
    replaced: Option<u16>,
    headers: &[(&'h str, &'h str)],
    edits: &mut HeaderEdits<'h>,
) {
    edits.status = replaced;
    if edits.status.is_some() {
        edits.drop.extend(["content-length", "content-range"]);
    }
    if let (Some(416), Some(length)) = (edits.status, conditions::length(headers)) {
        let range = ("content-range", format!("bytes */{length}"));
        edits.set.push(range);
    }
}

/// Edits the headers of a cache hit. Returns the time, in seconds, for which the entry may still be served;
/// `None` if it has expired, is older than the last purge, or was not stored by the gate, so that it must
/// not be served.
pub fn on_hit(
    found: CacheEntry<'_, '_>,
    edits: &mut HeaderEdits<'_>,
    now: Timestamp,
) -> Option<i64> {
    let header = |name: &str| headers::header(found.headers, name);
    let number = |name: &str| header(name)?.parse::<i64>().ok();
    let (Some(requested_at), Some(until), Some(age)) =
        (number(REQUESTED_AT), number(UNTIL), number(AGE))
    else {
        return None;
    };
    let until = Timestamp::from_millis(until);
    let requested_at = Timestamp::from_millis(requested_at);
    // A response that was requested in the moment of the purge may be older.
    let is_purged = found.purged.is_some_and(|purged| requested_at <= purged);
    // The store may have kept a response that broke off as if it were complete.
    let whole = match header("content-range") {
        Some(range) => range.rsplit_once('/').map(|(_, whole)| whole),
        None => header("content-length"),
    };
    let is_cut =
        matches!((header(LENGTH), whole), (Some(announced), Some(whole)) if announced != whole);
    if is_purged || is_cut || now >= until {
        return None;
    }
    let stored_for = now.seconds().saturating_sub(requested_at.seconds()).max(0);
    edits.drop.push("cf-cache-status");
    edits.set.extend([
        ("age", age.saturating_add(stored_for).to_string()),
        ("cache-status", "writegate; hit".to_owned()),
        ("cache-control", for_caller_only(STATUS_OK, found.headers).to_owned()),
    ]);
    Some(until.millis().saturating_sub(now.millis()).div_euclid(1_000))
}

/// Edits the headers of an upstream response on a cached route.
pub fn on_miss<'h>(status: u16, headers: &[(&'h str, &'h str)], edits: &mut HeaderEdits<'h>) {
    let mut cache_control = for_caller_only(status, headers).to_owned();
    let mut cache_status = String::new();
    for (name, value) in headers.iter().copied() {
        match name {
            "cache-control" => {
                for wanted in ["no-store", "no-cache"] {
                    if !cache_control.contains(wanted)
                        && directives(value).any(|(name, _)| name.eq_ignore_ascii_case(wanted))
                    {
                        cache_control.push_str(", ");
                        cache_control.push_str(wanted);
                    }
                }
            }
            // RFC 9211 section 2: the list grows towards the caller.
            "cache-status" => cache_status = format!("{}, ", edits.value(name, value)),
            _ if FOR_CACHES.contains(&name) => edits.drop.push(name),
            _ => {}
        }
    }
    cache_status.push_str("writegate; fwd=miss");
    edits.set.extend([("cache-status", cache_status), ("cache-control", cache_control)]);
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::*;

    const POLICY: Policy = Policy { ttl: 100, scope: Scope::Key, browser_ttl: 60 };
    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn stored(headers: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
        let stored = to_store(POLICY, 200, headers, &HeaderEdits::default(), NOW, NOW).unwrap();
        let kept = headers.iter().filter(|(name, _)| !stored.drop.contains(name));
        let kept = kept.map(|(name, value)| (*name, (*value).to_owned()));
        kept.chain(stored.set).collect()
    }

    fn hit(stored: &[(&str, String)], purged: Option<i64>, at: i64) -> Option<String> {
        let headers: Vec<(&str, &str)> = stored.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let found = CacheEntry { headers: &headers, purged: purged.map(Timestamp::from_millis) };
        let mut edits = HeaderEdits::default();
        let at = Timestamp::from_seconds(at);
        on_hit(found, &mut edits, at).map(|_life| {
            let mut set = edits.set.into_iter();
            set.find(|(name, _)| *name == "age").unwrap().1
        })
    }

    #[test]
    fn an_answer_is_served_until_it_is_over_or_purged() {
        let stored = stored(&[("age", "5"), ("etag", "\"a\"")]);
        assert!(stored.iter().all(|(name, _)| *name != "age"));
        assert_eq!(hit(&stored, None, 1_000), Some("5".to_owned()));
        assert_eq!(hit(&stored, None, 1_094), Some("99".to_owned()));
        assert_eq!(hit(&stored, None, 1_095), None);
        assert_eq!(hit(&stored, Some(999_999), 1_001), Some("6".to_owned()));
        assert_eq!(hit(&stored, Some(1_000_000), 1_001), None);
        assert_eq!(hit(&[("etag", "\"a\"".to_owned())], None, 1_000), None);
    }

    #[test]
    fn what_broke_off_on_its_way_into_the_store_is_no_answer() {
        let kept = |found: &[(&'static str, &'static str)]| {
            let mut kept = stored(&[("content-length", "100")]);
            kept.retain(|(name, _)| *name != "content-length");
            kept.extend(found.iter().map(|(name, value)| (*name, (*value).to_owned())));
            hit(&kept, None, 1_000).is_some()
        };
        assert!(kept(&[("content-length", "100")]));
        assert!(!kept(&[("content-length", "10")]));
        assert!(kept(&[("content-length", "4"), ("content-range", "bytes 2-5/100")]));
        assert!(!kept(&[("content-length", "4"), ("content-range", "bytes 2-5/10")]));
        assert!(kept(&[]), "a 304 has no length");
    }

    #[test]
    fn what_must_not_be_kept_by_others_stays_so() {
        let edited = |name, value| {
            let mut edits = HeaderEdits::default();
            on_miss(200, &[(name, value)], &mut edits);
            let mut set = edits.set.into_iter();
            (edits.drop, set.find(|(other, _)| *other == name).map(|(_, value)| value))
        };
        let cache_control = |value| edited("cache-control", value).1.unwrap();
        assert_eq!(cache_control("public, max-age=60"), "private");
        assert_eq!(cache_control("No-Store"), "private, no-store");
        assert_eq!(cache_control("private, no-cache"), "private, no-cache");
        let status = edited("cache-status", "CDN; hit").1.unwrap();
        assert_eq!(status, "CDN; hit, writegate; fwd=miss");
        assert_eq!(edited("expires", "0"), (vec!["expires"], None));
        assert_eq!(edited("etag", "\"a\""), (vec![], None));
    }
}
