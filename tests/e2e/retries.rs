//! The requests that are sent twice, and those that never are (docs/wire-contract.md, section 5): what the platform sends of them.
//! Which statuses, methods and headers decide is in `tests/core/exchanges.rs`, `outbound.rs` and `headers.rs`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::upstream::{Reply, Seen, Upstream};

/// Starts a gate in front of an upstream that fails the first two requests for each `/twice…` and the first one for each
/// `/gone…` and `/later…`, and a route whose writes have keys.
fn start() -> Check {
    let counts = Mutex::new(BTreeMap::<String, usize>::new());
    let upstream = Upstream::answering(move |request, _| {
        let mut counts = counts.lock().unwrap();
        let count = counts.entry(request.target.clone()).or_default();
        *count += 1;
        match (request.target.get(1..5).unwrap_or_default(), *count) {
            ("twic", 1 | 2) | ("neve", _) => Reply::new(503).body("not now"),
            ("gone", 1) => Reply::hang_up(),
            ("late", 1) => Reply::new(429).header("Retry-After", "1"),
            _ => Reply::ok("done"),
        }
    });
    let url = upstream.url();
    Check::before(upstream, |setup| {
        let keyed = json!({"idempotency_key": true, "upstream": format!("{url}/twice")});
        setup.route("/*", json!({})).route("/keyed/*", keyed)
    })
}

/// Sends this, and returns what of it the upstream saw, which is so often.
fn sent(table: &mut Check, request: Request, status: u16, times: usize) -> Vec<Seen> {
    let what = format!("{} {}", request.method, request.target);
    let before = table.upstream.seen().len();
    let answer = request.bearer(&table.gate.bearer()).send(&table.gate);
    let seen = table.upstream.seen().split_off(before);
    let right = answer.status == status && seen.len() == times;
    table.that(right, || format!("{what}: {} times, {answer}", seen.len()));
    let is_same = |one: &Seen| one.header("x-request-id") == Some(answer.request_id());
    table.that(seen.iter().all(is_same), || format!("{what}: {seen:#?}"));
    let line = table.gate.logs.audit(&answer.request_id());
    table.that(line["attempts"] == times, || line.to_string());
    seen
}

#[test]
fn a_read_is_tried_again_and_a_write_is_not() {
    let mut table = start();
    for (method, path, status, times) in [
        // On a new connection, because of a kept one the platform sends a read again by itself.
        ("GET", "/gone/a", 200, 2),
        ("GET", "/twice/a", 200, 3),
        ("HEAD", "/twice/b", 200, 3),
        ("GET", "/never", 503, 3),
        ("POST", "/twice/c", 503, 1),
        ("DELETE", "/twice/d", 503, 1),
        ("POST", "/gone/b", 502, 1),
    ] {
        let request = Request::new(method, path).header("Idempotency-Key", "k1");
        sent(&mut table, request, status, times);
    }
    let began = Instant::now();
    sent(&mut table, Request::get("/later"), 200, 2);
    // A lower bound, which a slow machine can only help.
    assert!(began.elapsed().as_millis() >= 900, "{:?}", began.elapsed());
}

#[test]
fn the_platform_repeats_what_is_idempotent_and_bodiless_on_a_kept_connection_that_ends() {
    let table = start();
    for (method, body, status, times) in [
        ("GET", "", 200, 2),
        ("HEAD", "", 200, 2),
        ("DELETE", "", 200, 2),
        ("PUT", "", 200, 2),
        ("OPTIONS", "", 200, 2),
        ("POST", "", 502, 1),
        ("PATCH", "", 502, 1),
        ("PUT", "x", 502, 1),
        ("DELETE", "x", 502, 1),
    ] {
        let (path, token) = (format!("/gone/{method}{body}"), table.gate.bearer());
        // The connection of this one is kept.
        Request::get("/").bearer(&token).send(&table.gate).passed();
        let answer = Request::new(method, &path).body(body).bearer(&token).send(&table.gate);
        let seen = table.upstream.seen().iter().filter(|one| one.target == path).count();
        assert_eq!((answer.status, seen), (status, times), "{method} {body}: {answer}");
        let line = table.gate.logs.audit(&answer.request_id());
        assert_eq!(line["attempts"], 1, "{line}");
    }
}

#[test]
fn a_write_with_an_idempotency_key_is_tried_again_where_the_upstream_honours_it() {
    let mut table = start();
    let post = |path: &str| Request::post(path).header("Idempotency-Key", "k1");
    for one in sent(&mut table, post("/keyed/a"), 200, 3) {
        let same = (one.body.as_slice(), one.header("idempotency-key"));
        table.that(same == (br#"{"a":1}"#, Some("k1".to_owned())), || format!("{one:#?}"));
    }
    sent(&mut table, Request::post("/keyed/b"), 503, 1);
    // Those that the platform joins, or takes away.
    sent(&mut table, post("/keyed/c").header("Idempotency-Key", "k2"), 503, 1);
    sent(&mut table, post("/keyed/d").header("Connection", "idempotency-key"), 503, 1);
    for (path, bytes, status, times) in
        [("/keyed/e", 1_048_576, 200, 3), ("/keyed/f", 1_048_577, 503, 1)]
    {
        let seen = sent(&mut table, post(path).body(vec![b'x'; bytes]), status, times);
        table.that(seen.iter().all(|one| one.body.len() == bytes), || format!("{bytes} bytes"));
    }
    let chunked = post("/keyed/g").header("Transfer-Encoding", "chunked");
    let seen = sent(&mut table, chunked.body("4\r\nbody\r\n0\r\n\r\n"), 503, 1);
    table.that(seen[0].body == b"body", || format!("{seen:#?}"));
}
