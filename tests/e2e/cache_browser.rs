//! Answers that the caller's browser may keep (docs/wire-contract.md, "Cached reads"): `browser_ttl` of a route, and the keys
//! whose reads must all be counted. How long, and for whom, is tested in `src/cache/browser.rs`.

use serde_json::json;
use testkit::cache::{TTL, counting, get};
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::gate::Setup;

use crate::usage::with_ledger;

/// Caches every path, and lets browsers keep answers for a minute.
fn kept(setup: Setup) -> Setup {
    let cache = json!({"ttl": TTL, "browser_ttl": 60});
    let quota = |id, is_lax: bool| json!({"id": id, "quota": {"requests": 9, "per": "day", "browser_cache": is_lax}});
    let setup = setup.route("/*", json!({"cache": cache})).site(json!({}));
    with_ledger(setup.key(quota("pk_strict", false)).key(quota("pk_lax", true))).cache()
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
    // A key with a quota counts every read unless it says otherwise.
    for (id, expected) in [("pk_strict", "private"), ("pk_lax", minute)] {
        let request = Request::get("/posts").bearer(&table.gate.session_of(id).mint());
        let miss = table.warm(id, &request);
        allows(&mut table, id, &miss, expected);
        let hit = table.hit(id, &request);
        allows(&mut table, id, &hit, expected);
    }
}
