//! The headers of answers on a cached route (docs/wire-contract.md, sections 5, 6 and 8), from the cache as from the
//! upstream: this request's own, and nothing for the caches of others. Every value is in `src/cache/` and `src/gateway/reply/`.

use testkit::cache::{HIT, MISS, cached, counting, get, kept};
use testkit::check::Check;
use testkit::client::Response;
use testkit::poll::poll;
use testkit::upstream::{PATIENCE, Reply};

/// Starts a gate in front of an upstream that says all of this.
fn saying(fields: &'static [(&'static str, &'static str)]) -> Check {
    let upstream = counting(move |_, reply| {
        fields.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    });
    Check::before(upstream, cached)
}

#[test]
fn every_answer_is_this_requests_own_and_no_other_cache_may_have_it() {
    let mut table = saying(&[
        ("Cache-Control", "public, max-age=60, s-maxage=120"),
        ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("CDN-Cache-Control", "max-age=60"),
        ("cf-cache-status", "DYNAMIC"),
        ("X-Request-Id", "the upstream's"),
        ("Access-Control-Allow-Origin", "*"),
        ("Content-Type", "text/html"),
        ("Vary", "Accept"),
        ("X-Own", "kept"),
        ("Clear-Site-Data", "\"*\""),
    ]);
    let request = get(&table.gate, "/posts");
    let (one, two) = ("https://one.example", "https://two.example");
    let mut ids = Vec::new();
    for (index, origin) in [Some(one), Some(two), None, Some(one)].into_iter().enumerate() {
        let request = origin.iter().fold(request.clone(), |request, origin| request.origin(origin));
        let answer = match index {
            0 => table.warm("a miss", &request),
            _ => table.hit("a hit", &request),
        };
        for (name, value) in [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", origin.map(|_| "*")),
            ("cache-control", Some("private")),
            ("x-content-type-options", Some("nosniff")),
            ("content-security-policy", Some("sandbox")),
            ("content-type", Some("text/html")),
            ("x-own", Some("kept")),
            ("expires", None),
            ("cdn-cache-control", None),
            ("cf-cache-status", None),
            ("clear-site-data", None),
        ] {
            let found = answer.header(name);
            table.that(found.as_deref() == value, || format!("{name}: {answer}"));
        }
        let vary = answer.header("vary").unwrap_or_default().to_ascii_lowercase();
        let named: Vec<&str> = vary.split(',').map(str::trim).collect();
        let right = named.contains(&"accept") && named.contains(&"origin") == origin.is_some();
        table.that(right, || answer.to_string());
        ids.push(answer.request_id());
    }
    ids.sort();
    ids.dedup();
    table.that(ids.len() == 4, || format!("{ids:?}"));
    for id in ids {
        table.gate.logs.audit(&id);
    }
}

#[test]
fn a_refusal_of_the_upstream_passes_as_it_is() {
    let upstream =
        counting(|_, _| Reply::new(404).body("nothing").header("Cache-Control", "public"));
    let mut table = Check::before(upstream, cached);
    let answer = table.miss("a 404", &get(&table.gate, "/posts"));
    table.that(answer.status == 404 && answer.text() == "nothing", || answer.to_string());
    table.that(answer.header("cache-control").as_deref() == Some("private"), || answer.to_string());
}

#[test]
fn what_caches_before_it_said_stays_in_the_list() {
    let mut table = saying(&[("Cache-Status", "origin; hit, \"a, b\"; fwd=stale")]);
    let request = get(&table.gate, "/posts");
    let answer = request.send(&table.gate);
    let shown = answer.header("cache-status").unwrap_or_default();
    table.that(shown == format!("origin; hit, \"a, b\"; fwd=stale, {MISS}"), || answer.to_string());
    poll(PATIENCE, || match kept(&table.gate) {
        0 => Err("nothing kept".to_owned()),
        _ => Ok(()),
    });
    let answer = request.send(&table.gate);
    let shown = answer.header("cache-status").unwrap_or_default();
    table.that(shown.ends_with(HIT) && !shown.contains(MISS), || answer.to_string());
}

#[test]
fn a_hit_has_its_age_beside_what_a_miss_has() {
    let names = |answer: &Response| -> Vec<String> {
        let mut names: Vec<_> =
            answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        names
    };
    let age = |answer: &Response| answer.header("age").and_then(|age| age.parse::<u64>().ok());
    let mut plain = saying(&[("ETag", "\"a\""), ("X-Own", "kept")]);
    let request = get(&plain.gate, "/posts");
    let miss = plain.warm("a miss", &request);
    let hit = plain.hit("a hit", &request);
    let mut expected = names(&miss);
    expected.push("age".to_owned());
    expected.sort();
    plain.that(names(&hit) == expected, || format!("{miss}\n{hit}"));
    plain.that(age(&hit).is_some_and(|age| age < 60), || hit.to_string());
    let mut aged = saying(&[("Age", "100"), ("Cache-Control", "max-age=3600")]);
    let request = get(&aged.gate, "/posts");
    aged.warm("a miss", &request);
    let first = age(&aged.hit("a hit", &request));
    aged.that(first.is_some_and(|age| (100..160).contains(&age)), || format!("{first:?}"));
    poll(PATIENCE, || {
        let answer = request.send(&aged.gate);
        (age(&answer) > first).then_some(()).ok_or_else(|| answer.to_string())
    });
}
