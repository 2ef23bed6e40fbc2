//! The headers of a response on its way into the cache, out of it, and past it.

use crate::base::headers::{self, HeaderEdits};
use crate::base::time::Timestamp;

use super::conditions::{self, Conditions};
use super::lifetime::{age, directives, lifetime, seconds};
use super::{Policy, Scope};

/// The status of a response to a condition that says that the caller's copy is still right.
const STATUS_NOT_MODIFIED: u16 = 304;
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
/// Directives of `Cache-Control` (RFC 9111 section 5.2.2, RFC 5861, RFC 8246) for the caller's own
/// cache.
const FOR_CALLER: [&str; 8] = [
    "no-store", "no-cache", "max-age", "must-revalidate", "no-transform", "immutable",
    "stale-while-revalidate", "stale-if-error",
];

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
    let length = headers::header(headers, "content-length");
    let length = length.map(|length| (LENGTH, length.to_owned()));
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

/// Edits a cache entry that its conditions make a 304 or 416.
pub fn on_conditions<'h>(
    conditions: &Conditions,
    status: u16,
    headers: &[(&'h str, &'h str)],
    edits: &mut HeaderEdits<'h>,
) {
    edits.status = conditions.status(status, headers);
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
        ("cache-control", "private".to_owned()),
    ]);
    Some(until.millis().saturating_sub(now.millis()).div_euclid(1_000))
}

/// Lets the browser of the caller keep a response for as long as `policy` says, and not beyond `life`, the
/// time in seconds for which the gate itself may still serve it. The time counts from now, so the response
/// does not say how old it is. Another credential in the same browser does not get it, unless all callers
/// share it; nor does a page of another origin, because CORS is decided for each.
pub fn keep_in_browser<'h>(
    policy: Policy,
    life: i64,
    headers: &[(&'h str, &'h str)],
    edits: &mut HeaderEdits<'h>,
) {
    let max_age = policy.browser_ttl.min(life);
    if max_age <= 0 || edits.status.is_some_and(|status| status != STATUS_NOT_MODIFIED) {
        return;
    }
    vary_by_caller(policy.scope, headers, edits);
    edits.drop.extend(["age", "date"]);
    edits.set.retain(|(name, _)| !matches!(*name, "age" | "cache-control"));
    edits.set.push(("cache-control", format!("private, max-age={max_age}")));
}

/// Lets a browser that keeps a response reuse it only for a page of the same origin and, unless all callers share it, for
/// the same credential.
pub fn vary_by_caller<'h>(
    scope: Scope,
    headers: &[(&'h str, &'h str)],
    edits: &mut HeaderEdits<'h>,
) {
    let fields: &[&str] = match scope {
        Scope::Key | Scope::Subject => &["Origin", "Authorization", "X-Public-Key"],
        Scope::Shared => &["Origin"],
    };
    let mut vary =
        edits.value("vary", headers::header(headers, "vary").unwrap_or_default()).to_owned();
    for field in fields {
        let mut named = vary.split(',').map(str::trim);
        if !named.any(|named| named.eq_ignore_ascii_case(field)) {
            vary.push_str(if vary.is_empty() { "" } else { ", " });
            vary.push_str(field);
        }
    }
    edits.set.retain(|(name, _)| *name != "vary");
    edits.set.push(("vary", vary));
}

/// Edits the headers of an upstream response on a cached route.
pub fn on_miss<'h>(headers: &[(&'h str, &'h str)], edits: &mut HeaderEdits<'h>) {
    let mut cache_control = "private".to_owned();
    let mut status = String::new();
    for (name, value) in headers.iter().copied() {
        match name {
            "cache-control" => {
                for wanted in ["no-store", "no-cache"] {
                    if directives(value).any(|(name, _)| name.eq_ignore_ascii_case(wanted)) {
                        cache_control.push_str(", ");
                        cache_control.push_str(wanted);
                    }
                }
            }
            // RFC 9211 section 2: the list grows towards the caller.
            "cache-status" => status = format!("{}, ", edits.value(name, value)),
            _ if FOR_CACHES.contains(&name) => edits.drop.push(name),
            _ => {}
        }
    }
    status.push_str("writegate; fwd=miss");
    edits.set.extend([("cache-status", status), ("cache-control", cache_control)]);
}

/// Edits the headers of a response on an uncached route so that only the caller's own cache may store
/// it, for as long as the upstream says. Every response depends on a credential, which a cache in front
/// of the gate may not recognise (RFC 9111 section 3.5 mentions `Authorization` only), and an upstream
/// that says `public` does not know about the gate.
pub fn keep_private<'h>(
    headers: &[(&'h str, &'h str)],
    edits: &mut HeaderEdits<'h>,
    now: Timestamp,
) {
    let header = |name: &str| headers::header(headers, name);
    let cache_control = header("cache-control").unwrap_or_default();
    let says = |wanted: &str| {
        let mut all = directives(cache_control);
        all.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    let is_whole = |wanted: &str| says(wanted).is_some_and(|(_, fields)| fields.is_none());
    // With `no-cache` the gate is asked before each use, and so checks the credential.
    let is_private = ["private", "no-store", "no-cache"].into_iter().any(is_whole);
    let is_shared = says("public").is_some() || says("s-maxage").is_some();
    // `Connection` may have named it.
    let goes_on = !edits.drop.contains(&"cache-control");
    if is_private && !is_shared && goes_on {
        return;
    }
    let mut value = "private".to_owned();
    for wanted in FOR_CALLER {
        let Some((_, argument)) = says(wanted) else {
            continue;
        };
        value.push_str(", ");
        value.push_str(wanted);
        if let Some(seconds) = argument.and_then(seconds) {
            value.push_str(&format!("={seconds}"));
        }
    }
    if let Some(expires) = header("expires") {
        edits.drop.push("expires");
        if says("max-age").is_none() {
            let date = header("date").and_then(Timestamp::parse_http_date);
            let expires = Timestamp::parse_http_date(expires);
            let life = expires
                .map(|expires| expires.seconds().saturating_sub(date.unwrap_or(now).seconds()));
            value.push_str(&format!(", max-age={}", life.unwrap_or(0).max(0)));
        }
    }
    edits.set.push(("cache-control", value));
}

#[cfg(test)]
mod tests {
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

    /// Returns the changes to an answer of the upstream for a browser, so many seconds after it was stored.
    fn kept(
        policy: Policy,
        headers: &[(&'static str, &'static str)],
        later: i64,
    ) -> HeaderEdits<'static> {
        let stored = to_store(policy, 200, headers, &HeaderEdits::default(), NOW, NOW).unwrap();
        let held: Vec<(&str, &str)> = stored.set.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let found = CacheEntry { headers: &held, purged: None };
        let mut edits = HeaderEdits::default();
        let life = on_hit(found, &mut edits, NOW.plus_seconds(later)).unwrap();
        keep_in_browser(policy, life, headers, &mut edits);
        edits
    }

    fn told<'e>(edits: &'e HeaderEdits<'_>, name: &str) -> Option<&'e str> {
        let mut set =
            edits.set.iter().filter(|(set, _)| *set == name).map(|(_, value)| value.as_str());
        let value = set.next();
        assert_eq!(set.next(), None, "{name} twice");
        value
    }

    #[test]
    fn a_browser_keeps_an_answer_no_longer_than_the_gate() {
        let of = |browser_ttl| Policy { browser_ttl, ..POLICY };
        for (policy, headers, later, expected) in [
            (of(60), &[][..], 0, "private, max-age=60"),
            (of(60), &[], 40, "private, max-age=60"),
            (of(60), &[], 41, "private, max-age=59"),
            (of(60), &[], 99, "private, max-age=1"),
            (of(3_600), &[], 0, "private, max-age=100"),
            (of(3_600), &[("age", "30")], 0, "private, max-age=70"),
            (of(3_600), &[("age", "30")], 69, "private, max-age=1"),
            (of(3_600), &[("cache-control", "public, max-age=20")], 5, "private, max-age=15"),
            (of(0), &[], 0, "private"),
        ] {
            let edits = kept(policy, headers, later);
            assert_eq!(
                told(&edits, "cache-control"),
                Some(expected),
                "{policy:?} {headers:?} {later}"
            );
            // A browser would subtract either from max-age.
            let is_kept = expected != "private";
            assert_eq!(told(&edits, "age").is_none(), is_kept);
            assert_eq!(edits.drop.contains(&"age") && edits.drop.contains(&"date"), is_kept);
        }
        // Less than a second is not kept.
        let mut edits = HeaderEdits::default();
        keep_in_browser(of(60), 0, &[], &mut edits);
        assert_eq!(edits, HeaderEdits::default());
    }

    #[test]
    fn a_browser_gives_no_answer_to_another_credential_or_page() {
        let of = |scope| Policy { scope, ..POLICY };
        for (scope, vary, expected) in [
            (Scope::Key, None, "Origin, Authorization, X-Public-Key"),
            (Scope::Subject, Some("Accept"), "Accept, Origin, Authorization, X-Public-Key"),
            (Scope::Shared, None, "Origin"),
            (Scope::Shared, Some("Accept, Accept-Language"), "Accept, Accept-Language, Origin"),
        ] {
            let headers: Vec<_> = vary.into_iter().map(|vary| ("vary", vary)).collect();
            assert_eq!(told(&kept(of(scope), &headers, 0), "vary"), Some(expected), "{scope:?}");
        }
        // CORS has named the origin already.
        let set = vec![("vary", "Accept, Origin".to_owned())];
        let mut edits = HeaderEdits { set, ..HeaderEdits::default() };
        keep_in_browser(of(Scope::Shared), 10, &[("vary", "Accept")], &mut edits);
        assert_eq!(told(&edits, "vary"), Some("Accept, Origin"));
    }

    #[test]
    fn a_range_that_cannot_be_had_is_not_kept() {
        for (status, is_kept) in [(None, true), (Some(304), true), (Some(416), false)] {
            let mut edits = HeaderEdits { status, ..HeaderEdits::default() };
            keep_in_browser(POLICY, 10, &[], &mut edits);
            assert_eq!(told(&edits, "cache-control").is_some(), is_kept, "{status:?}");
        }
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
        let told = |value| {
            let mut edits = HeaderEdits::default();
            on_miss(&[("cache-control", value)], &mut edits);
            let mut set = edits.set.into_iter();
            set.find(|(name, _)| *name == "cache-control").unwrap().1
        };
        assert_eq!(told("public, max-age=60"), "private");
        assert_eq!(told("No-Store"), "private, no-store");
        assert_eq!(told("private, no-cache"), "private, no-cache");
    }

    #[test]
    fn only_the_caller_may_keep_an_answer_of_an_uncached_route() {
        let told = |headers: &[(&'static str, &'static str)]| {
            let mut edits = HeaderEdits::default();
            keep_private(headers, &mut edits, NOW);
            let found = edits.set.into_iter().find(|(name, _)| *name == "cache-control");
            found.map(|(_, value)| value)
        };
        for (said, expected) in [
            ("", "private"),
            ("max-age=5", "private, max-age=5"),
            ("Public, Max-Age=\"60\", immutable", "private, max-age=60, immutable"),
            ("s-maxage=60", "private"),
            ("public, private", "private"),
            ("no-store, s-maxage=60", "private, no-store"),
            ("no-cache, public", "private, no-cache"),
            ("no-cache=\"a, b\", must-revalidate", "private, no-cache, must-revalidate"),
            ("private=\"set-cookie, x\", max-age=5", "private, max-age=5"),
            ("unknown=\"x\"", "private"),
        ] {
            let found = told(&[("cache-control", said)]);
            assert_eq!(found.as_deref(), Some(expected), "{said}");
        }
        for said in ["private", "PRIVATE, max-age=5", "no-store", "no-cache", "no-cache, no-store"]
        {
            assert_eq!(told(&[("cache-control", said)]), None, "{said}");
        }
        assert_eq!(told(&[]).as_deref(), Some("private"));
        let mut edits = HeaderEdits { drop: vec!["cache-control"], ..HeaderEdits::default() };
        keep_private(&[("cache-control", "no-store")], &mut edits, NOW);
        let told = ("cache-control", "private, no-store".to_owned());
        assert_eq!(edits.set, [told]);
    }

    #[test]
    fn expires_becomes_the_caller_s_max_age() {
        let told = |headers: &[(&'static str, &'static str)]| {
            let mut edits = HeaderEdits::default();
            keep_private(headers, &mut edits, NOW);
            (edits.drop, edits.set.into_iter().next().map(|(_, value)| value))
        };
        let late = ("expires", "Thu, 01 Jan 1970 00:17:00 GMT");
        let date = ("date", "Thu, 01 Jan 1970 00:16:30 GMT");
        for (headers, expected) in [
            (vec![late], "private, max-age=20"),
            (vec![late, date], "private, max-age=30"),
            (vec![("expires", "0")], "private, max-age=0"),
            (vec![late, ("cache-control", "max-age=5")], "private, max-age=5"),
        ] {
            let (drop, set) = told(&headers);
            assert_eq!(drop, ["expires"]);
            assert_eq!(set.as_deref(), Some(expected));
        }
        let (drop, set) = told(&[late, ("cache-control", "private")]);
        assert!(drop.is_empty() && set.is_none());
    }
}
