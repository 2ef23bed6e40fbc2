//! The headers that say which answers a browser, or another cache of the caller's, may keep.

use crate::base::headers::{self, HeaderEdits};
use crate::base::time::Timestamp;

use super::lifetime::{directives, seconds};
use super::{Policy, Scope};

/// The status of a response to a condition that says that the caller's copy is still right.
const STATUS_NOT_MODIFIED: u16 = 304;
/// Directives of `Cache-Control` (RFC 9111 section 5.2.2, RFC 5861, RFC 8246) for the caller's own
/// cache.
const FOR_CALLER: [&str; 8] = [
    "no-store", "no-cache", "max-age", "must-revalidate", "no-transform", "immutable",
    "stale-while-revalidate", "stale-if-error",
];

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

/// Returns the `Cache-Control` of a response on a cached route that no browser may keep. Without a lifetime, browsers choose one
/// themselves, by `Last-Modified` or for the statuses of lasting answers (RFC 9111 section 4.2.2), which `no-cache` prevents.
pub(super) fn for_caller_only(status: u16, headers: &[(&str, &str)]) -> &'static str {
    let is_lasting = matches!(status, 300 | 301 | 308 | 410);
    match is_lasting || headers::header(headers, "last-modified").is_some() {
        true => "private, no-cache",
        false => "private",
    }
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
    let upstream_value = header("cache-control").unwrap_or_default();
    let directives: Vec<_> = directives(upstream_value).collect();
    let says = |wanted: &str| directive(&directives, wanted);
    let is_whole = |wanted: &str| says(wanted).is_some_and(|fields| fields.is_none());
    // With `no-cache` the gate is asked before each use, and so checks the credential.
    let is_private = ["private", "no-store", "no-cache"].into_iter().any(is_whole);
    let is_shared = says("public").is_some() || says("s-maxage").is_some();
    // `Connection` may have named it. A word within quotes is not a directive, and `directives` does not know quotes.
    let goes_on = !edits.drop.contains(&"cache-control") && !upstream_value.contains('"');
    if is_private && !is_shared && goes_on {
        return;
    }
    let mut value = "private".to_owned();
    for wanted in FOR_CALLER {
        let Some(argument) = says(wanted) else {
            continue;
        };
        value.push_str(", ");
        value.push_str(wanted);
        // "Caches are encouraged to consider responses that have invalid freshness information […] to be stale" (RFC 9111
        // section 4.2.1), and without a number they would choose a lifetime.
        let stale = (wanted == "max-age").then_some(0);
        if let Some(seconds) = argument.and_then(seconds).or(stale) {
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

/// Returns the argument of a directive that is there, if it has one.
// Ten copies of it would make the Worker larger.
#[inline(never)]
fn directive<'h>(all: &[(&'h str, Option<&'h str>)], wanted: &str) -> Option<Option<&'h str>> {
    all.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, argument)| *argument)
}

#[cfg(test)]
mod tests {
    use super::super::stored::{CacheEntry, on_hit, on_miss, to_store};
    use super::*;

    const POLICY: Policy = Policy { ttl: 100, scope: Scope::Key, browser_ttl: 60 };
    const NOW: Timestamp = Timestamp::from_seconds(1_000);

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

    fn value<'e>(edits: &'e HeaderEdits<'_>, name: &str) -> Option<&'e str> {
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
                value(&edits, "cache-control"),
                Some(expected),
                "{policy:?} {headers:?} {later}"
            );
            // A browser would subtract either from max-age.
            let is_kept = expected != "private";
            assert_eq!(value(&edits, "age").is_none(), is_kept);
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
            assert_eq!(value(&kept(of(scope), &headers, 0), "vary"), Some(expected), "{scope:?}");
        }
        // CORS has named the origin already.
        let set = vec![("vary", "Accept, Origin".to_owned())];
        let mut edits = HeaderEdits { set, ..HeaderEdits::default() };
        keep_in_browser(of(Scope::Shared), 10, &[("vary", "Accept")], &mut edits);
        assert_eq!(value(&edits, "vary"), Some("Accept, Origin"));
    }

    #[test]
    fn a_range_that_cannot_be_had_is_not_kept() {
        for (status, is_kept) in [(None, true), (Some(304), true), (Some(416), false)] {
            let mut edits = HeaderEdits { status, ..HeaderEdits::default() };
            keep_in_browser(POLICY, 10, &[], &mut edits);
            assert_eq!(value(&edits, "cache-control").is_some(), is_kept, "{status:?}");
        }
    }

    #[test]
    fn no_browser_chooses_a_lifetime_of_its_own() {
        const MODIFIED: (&str, &str) = ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT");
        const NO_STORE: (&str, &str) = ("cache-control", "no-store");
        const NO_CACHE: (&str, &str) = ("cache-control", "no-cache");
        for (status, headers, expected) in [
            (200, &[][..], "private"),
            (200, &[MODIFIED], "private, no-cache"),
            (404, &[MODIFIED], "private, no-cache"),
            (200, &[MODIFIED, NO_CACHE], "private, no-cache"),
            (200, &[MODIFIED, NO_STORE], "private, no-cache, no-store"),
            (200, &[NO_STORE], "private, no-store"),
            (300, &[], "private, no-cache"),
            (301, &[], "private, no-cache"),
            (302, &[], "private"),
            (307, &[], "private"),
            (308, &[], "private, no-cache"),
            (410, &[], "private, no-cache"),
        ] {
            let mut edits = HeaderEdits::default();
            on_miss(status, headers, &mut edits);
            assert_eq!(value(&edits, "cache-control"), Some(expected), "{status} {headers:?}");
        }
        // What is stored too, unless the gate lets the browser keep it.
        for (policy, expected) in [
            (Policy { browser_ttl: 0, ..POLICY }, "private, no-cache"),
            (POLICY, "private, max-age=60"),
        ] {
            let stored = to_store(policy, 200, &[MODIFIED], &HeaderEdits::default(), NOW, NOW);
            let stored = stored.unwrap();
            let mut held: Vec<_> = stored.set.iter().map(|(n, v)| (*n, v.as_str())).collect();
            held.push(MODIFIED);
            let mut edits = HeaderEdits::default();
            let entry = CacheEntry { headers: &held, purged: None };
            let life = on_hit(entry, &mut edits, NOW).unwrap();
            keep_in_browser(policy, life, &held, &mut edits);
            assert_eq!(value(&edits, "cache-control"), Some(expected));
        }
    }

    #[test]
    fn only_the_caller_may_keep_an_answer_of_an_uncached_route() {
        let value = |headers: &[(&'static str, &'static str)]| {
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
            ("unknown=\"a, private, no-store\", max-age=5", "private, max-age=5"),
            ("max-age=-1, must-revalidate", "private, max-age=0, must-revalidate"),
            ("max-age", "private, max-age=0"),
            ("stale-if-error=a", "private, stale-if-error"),
        ] {
            let found = value(&[("cache-control", said)]);
            assert_eq!(found.as_deref(), Some(expected), "{said}");
        }
        for said in ["private", "PRIVATE, max-age=5", "no-store", "no-cache", "no-cache, no-store"]
        {
            assert_eq!(value(&[("cache-control", said)]), None, "{said}");
        }
        assert_eq!(value(&[]).as_deref(), Some("private"));
        let mut edits = HeaderEdits { drop: vec!["cache-control"], ..HeaderEdits::default() };
        keep_private(&[("cache-control", "no-store")], &mut edits, NOW);
        let value = ("cache-control", "private, no-store".to_owned());
        assert_eq!(edits.set, [value]);
    }

    #[test]
    fn expires_becomes_the_caller_s_max_age() {
        let value = |headers: &[(&'static str, &'static str)]| {
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
            (vec![late, ("cache-control", "max-age=5s")], "private, max-age=0"),
        ] {
            let (drop, set) = value(&headers);
            assert_eq!(drop, ["expires"]);
            assert_eq!(set.as_deref(), Some(expected));
        }
        let (drop, set) = value(&[late, ("cache-control", "private")]);
        assert!(drop.is_empty() && set.is_none());
    }
}
