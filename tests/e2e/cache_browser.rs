//! Answers that the caller's browser may keep (docs/wire-contract.md, "Cached reads"): `browser_ttl` of a route, and the keys
//! whose reads must all be counted. How long, and for whom, is tested in `src/cache/browser.rs`.

use serde_json::{Value, json};
use testkit::cache::{MISS, TTL, counting, get};
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::gate::Setup;

use crate::usage::with_ledger;

/// Caches every path, and lets browsers keep answers for a minute.
fn kept(setup: Setup) -> Setup {
    let cache = json!({"ttl": TTL, "browser_ttl": 60});
    setup.route("/*", json!({"cache": cache})).site(json!({})).cache()
}

/// Asserts the cache-control of an answer for a browser.
fn allows(table: &mut Check, what: &str, answer: &Response, expected: &str) {
    let control = answer.header("cache-control").unwrap_or_default();
    table.that(control == expected, || format!("{what}: expected {expected:?}, got {answer}"));
    let counts_from_now = answer.header("age").is_none() && answer.header("date").is_none();
    table.that(counts_from_now || !expected.contains("max-age"), || format!("{what}: {answer}"));
}

#[test]
fn a_browser_may_keep_what_the_gate_keeps() {
    let upstream = counting(|_, reply| {
        let reply = reply.header("ETag", "\"a\"").header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        reply.header("Cache-Control", "public, max-age=600")
    });
    let mut table = Check::before(upstream, |setup| kept(setup).twice());
    let minute = "private, max-age=60";
    let request = get(&table.gate, "/posts").origin("https://www.example.com");
    let miss = table.warm("a miss", &request);
    allows(&mut table, "a miss", &miss, minute);
    let hit = table.hit("a hit", &request);
    allows(&mut table, "a hit", &hit, minute);
    let vary = hit.header("vary").unwrap_or_default();
    table.that(vary == "Origin, Authorization, X-Public-Key", || hit.to_string());
    let again = table.hit("from memory", &request);
    allows(&mut table, "from memory", &again, minute);
    let unchanged = table.hit("a condition", &request.clone().header("If-None-Match", "\"a\""));
    table.that(unchanged.status == 304, || unchanged.to_string());
    allows(&mut table, "a condition", &unchanged, minute);
    let beyond = table.hit("no such range", &request.clone().header("Range", "bytes=900-"));
    table.that(beyond.status == 416, || beyond.to_string());
    allows(&mut table, "no such range", &beyond, "private");
    let mut head = get(&table.gate, "/other");
    head.method = "HEAD".to_owned();
    let head = table.miss("a HEAD, which is not kept", &head);
    allows(&mut table, "a HEAD, which is not kept", &head, "private");
}

#[test]
fn a_browser_keeps_nothing_that_the_gate_does_not_keep() {
    for (said, expected) in [
        (("Cache-Control", "no-store, max-age=60"), "private, no-store"),
        (("Cache-Control", "private, max-age=60"), "private"),
        (("Cache-Control", "no-cache, max-age=60"), "private, no-cache"),
        (("Cache-Control", "max-age=0"), "private"),
        (("Set-Cookie", "a=b"), "private"),
        (("Vary", "Cookie"), "private"),
        (("Age", "3600"), "private"),
    ] {
        let upstream = counting(move |_, reply| reply.header(said.0, said.1));
        let mut table = Check::before(upstream, kept);
        let request = get(&table.gate, "/posts");
        let answer = table.read_at(table.gate.port, said.1, &request, MISS);
        allows(&mut table, said.1, &answer, expected);
    }
}

#[test]
fn a_key_with_a_quota_counts_every_read_unless_it_says_otherwise() {
    let quota = |more: Value| {
        let mut quota = json!({"requests": 100, "per": "day"});
        quota.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"quota": quota})
    };
    for (members, expected) in [
        (json!({}), "private, max-age=60"),
        (quota(json!({})), "private"),
        (quota(json!({"browser_cache": false})), "private"),
        (quota(json!({"browser_cache": true})), "private, max-age=60"),
    ] {
        let cache = json!({"ttl": TTL, "browser_ttl": 60});
        let mut table = Check::before(counting(|_, reply| reply), |setup| {
            let setup = setup.route("/*", json!({"cache": cache})).site(members.clone());
            with_ledger(setup).cache()
        });
        let request: Request = get(&table.gate, "/posts");
        let what = members.to_string();
        let miss = table.warm(&what, &request);
        allows(&mut table, &what, &miss, expected);
        let hit = table.hit(&what, &request);
        allows(&mut table, &what, &hit, expected);
    }
}
