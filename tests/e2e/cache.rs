//! Cached reads (docs/wire-contract.md, section 8): a read that is asked for again does not reach the upstream, in
//! either isolate, and is logged like any other.

use serde_json::{Value, json};
use testkit::cache::{HIT, TTL, cached, get, start};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::fingerprint;

use crate::usage::{add, only, settles, with_ledger};

#[test]
fn what_was_read_is_read_again_without_the_upstream() {
    let mut table = start(|setup| cached(setup).twice());
    let request = get(&table.gate, "/posts?page=1");
    let first = table.warm("the first", &request);
    assert_eq!((first.status, first.text().as_str()), (200, "answer 0"));
    for _ in 0..5 {
        let again = table.hit("again", &request);
        table.that(again.status == 200 && again.body == first.body, || again.to_string());
    }
    let second = table.read_at(table.gate.second, "another isolate", &request, HIT);
    table.that(second.body == first.body, || second.to_string());
    for other in ["/posts", "/posts?page=2", "/posts?page=%31"] {
        let request = get(&table.gate, other);
        table.miss(other, &request);
    }
}

#[test]
fn a_hit_and_a_miss_are_logged() {
    let mut table = start(|setup| cached(setup).route("/plain", json!({})));
    let request = get(&table.gate, "/posts?q=1");
    let first = table.warm("a miss", &request);
    let again = table.hit("a hit", &request);
    let head = Request { method: "HEAD".into(), ..request };
    let of_head = table.hit("a HEAD", &head);
    let token = fingerprint(&table.gate.signing_secret, &table.gate.token);
    let common = json!({"event": "request", "code": null, "key": KEY, "verified": true, "scheme": "session",
        "path": "/posts", "query_keys": ["q"], "route": "/*", "status": 200, "request_bytes": 0, "token": token});
    for (answer, more) in [
        (
            first,
            json!({"outcome": "forwarded", "cache": "miss", "attempts": 1, "upstream_status": 200, "response_bytes": 8}),
        ),
        (
            again,
            json!({"outcome": "cached", "cache": "hit", "attempts": 0, "upstream_status": null, "upstream_ms": null,
            "response_bytes": 8, "method": "GET"}),
        ),
        (
            of_head,
            json!({"outcome": "cached", "cache": "hit", "attempts": 0, "upstream_status": null, "upstream_ms": null,
            "method": "HEAD"}),
        ),
    ] {
        let line = table.gate.logs.audit(&answer.request_id());
        for part in [&common, &more] {
            for (name, value) in part.as_object().unwrap() {
                table.that(line[name] == *value, || format!("{name} should be {value} in {line}"));
            }
        }
    }
    // A write, and a read of a route without a cache.
    let plain = get(&table.gate, "/plain");
    let post = Request::post("/posts").bearer(&table.gate.bearer());
    for request in [&post, &plain, &plain] {
        let answer = table.passes(&request.target, request);
        table.that(answer.header("cache-status").is_none(), || answer.to_string());
        let line = table.gate.logs.audit(&answer.request_id());
        table.that(line["cache"] == Value::Null, || line.to_string());
    }
}

#[test]
fn what_the_cache_answered_counts_against_usage_and_quota() {
    let mut table = start(|setup| {
        let cache = json!({"ttl": TTL});
        let key = json!({"id": KEY, "quota": {"requests": 4, "per": "day"}});
        with_ledger(setup.route("/*", json!({"cache": cache})).key(key)).cache()
    });
    let request = get(&table.gate, "/posts");
    table.warm("a miss", &request);
    for _ in 0..3 {
        table.hit("a hit", &request);
    }
    let over = table.refused("over", &request, 429, "quota-exceeded");
    let mut expected = only("forwarded", 1, 0, 8);
    add(&mut expected, "cached", 3, 0, 24);
    add(&mut expected, "refused", 1, 0, over.body.len());
    settles(&table.gate, KEY, &expected);
}
