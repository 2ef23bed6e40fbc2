//! `POST /_gate/purge` (docs/wire-contract.md, sections 7 and 8): once it is answered, nothing that was kept before is served, in either
//! isolate; and nothing else is gone.

use std::thread;

use serde_json::{Value, json};
use testkit::cache::{HIT, MISS, TTL, counting, get};
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::gate::{Gate, Setup};
use testkit::poll::poll;
use testkit::upstream::{Latch, PATIENCE};

use crate::usage::ADMIN;

/// Sets up three routes, two of them cached, in two isolates.
fn routes(setup: Setup) -> Setup {
    let cache = json!({"ttl": TTL});
    setup
        .route("/cms/*", json!({"cache": cache}))
        .route("/img/*", json!({"cache": cache}))
        .route("/plain/*", json!({}))
        .site(json!({}))
        .key(json!({"id": "pk_other"}))
        .key(json!({"id": ADMIN, "admin": true}))
        .cache()
        .twice()
}

fn start() -> Check {
    Check::before(counting(|_, reply| reply), routes)
}

fn purge(gate: &Gate, body: &Value) -> Request {
    let session = gate.session_of(ADMIN).mint();
    Request::post("/_gate/purge").bearer(&session).body(body.to_string())
}

/// Expects that the answer is kept, and served by both isolates.
fn filled(table: &Check, what: &str, request: &Request) {
    for port in [table.gate.port, table.gate.second] {
        poll(PATIENCE, || {
            let answer = request.send_to(port);
            let is_hit = answer.header("cache-status").as_deref() == Some(HIT);
            is_hit.then_some(()).ok_or_else(|| format!("{what}: {answer}"))
        });
    }
}

/// Purges the cache by way of this isolate.
fn purged(table: &mut Check, port: u16, body: &Value) {
    let answer: Response = purge(&table.gate, body).send_to(port);
    let right = answer.status == 200 && answer.json() == json!({"purged": true});
    table.that(right, || format!("{body}: {answer}"));
    for (name, value) in [("content-type", "application/json"), ("cache-control", "no-store")] {
        table.that(answer.header(name).as_deref() == Some(value), || format!("{body}: {answer}"));
    }
}

#[test]
fn a_route_is_purged_for_all_at_once() {
    let mut table = start();
    let other_key = Request::get("/cms/a").bearer(&table.gate.session_of("pk_other").mint());
    let of_route = [
        get(&table.gate, "/cms/a"),
        get(&table.gate, "/cms/a?b=1"),
        get(&table.gate, "/cms/b/c"),
        get(&table.gate, "/cms/a").header("Accept", "text/html"),
        get(&table.gate, "/cms/a").header("Accept-Language", "de"),
        other_key,
    ];
    // By way of either isolate, and again.
    for port in [table.gate.port, table.gate.second, table.gate.port] {
        for request in &of_route {
            filled(&table, &request.target, request);
        }
        purged(&mut table, port, &json!({"route": "/cms/*"}));
        // The isolate that did not take the purge first.
        let (first, second) = (table.gate.port, table.gate.second);
        let others = if port == first { [second, first] } else { [first, second] };
        for (index, request) in of_route.iter().enumerate() {
            let answer = table.read_at(others[index % 2], "purged", request, MISS);
            table.that(answer.status == 200, || answer.to_string());
        }
    }
}

#[test]
fn a_purge_reaches_what_is_named_and_nothing_else() {
    let mut table = start();
    let [a, b, query, image] =
        ["/cms/a", "/cms/b", "/cms/a?x=1", "/img/a"].map(|path| get(&table.gate, path));
    let html = get(&table.gate, "/cms/a").header("Accept", "text/html");
    let other = Request::get("/cms/a").bearer(&table.gate.session_of("pk_other").mint());
    for request in [&a, &b, &query, &image, &html, &other] {
        filled(&table, &request.target, request);
    }
    let port = table.gate.second;
    purged(&mut table, port, &json!({"url": "/cms/a"}));
    for request in [&b, &query, &image] {
        table.hit(&format!("{} stays", request.target), request);
        table.read_at(table.gate.second, &format!("{} stays", request.target), request, HIT);
    }
    // Of every key and kind.
    for request in [&a, &html, &other] {
        table.warm("purged", request);
        table.read_at(table.gate.second, "kept anew", request, HIT);
    }
    let port = table.gate.port;
    purged(&mut table, port, &json!({"route": "/img/*"}));
    table.hit("another route", &b);
    table.read_at(table.gate.second, "the route", &image, MISS);
}

#[test]
fn what_was_asked_for_before_a_purge_is_not_served_after_it() {
    let latch = Latch::default();
    let waits = latch.clone();
    let upstream = counting(move |request, reply| match request.target.as_str() {
        "/cms/slow" => reply.after(&waits),
        _ => reply,
    });
    let mut table = Check::before(upstream, routes);
    let request = get(&table.gate, "/cms/slow");
    let (slow, port) = (request.clone(), table.gate.port);
    let asked = thread::spawn(move || slow.send_to(port));
    table.upstream.until("the request", |seen| seen.len() == 1);
    let port = table.gate.port;
    purged(&mut table, port, &json!({"route": "/cms/*"}));
    latch.open();
    let first = asked.join().unwrap().passed();
    // Whether it was kept or not.
    let other = get(&table.gate, "/img/a");
    table.warm("another", &other);
    let answer = table.read_at(table.gate.second, "after the purge", &request, MISS);
    table.that(answer.body != first.body, || answer.to_string());
    let answer = request.send(&table.gate);
    table.that(answer.body != first.body, || answer.to_string());
}

/// Who may purge is in `tests/core/admin_who.rs`, what a purge may name in `tests/core/purges.rs`.
#[test]
fn a_purge_that_is_refused_purges_nothing() {
    let mut table = start();
    let kept = get(&table.gate, "/cms/a");
    filled(&table, "kept", &kept);
    let body = json!({"route": "/cms/*"});
    let plain = Request::post("/_gate/purge").body(body.to_string());
    table.refused("nobody", &plain, 401, "credential-missing");
    table.refused("another key", &plain.bearer(&table.gate.bearer()), 403, "path-denied");
    let nothing = purge(&table.gate, &json!({"route": "/plain/*"}));
    table.refused("no cache there", &nothing, 400, "bad-request");
    table.hit("kept", &kept);
}

#[test]
fn a_purge_that_the_cache_does_not_take_is_not_said_to_be_one() {
    for reply in ["throws", "fails", "hangs", "full"] {
        let mut table =
            Check::before(counting(|_, reply| reply), |setup| routes(setup).cache_that(reply));
        let request = purge(&table.gate, &json!({"route": "/cms/*"}));
        table.refused(reply, &request, 503, "feature-unavailable");
    }
}
