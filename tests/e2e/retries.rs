//! The requests that are sent twice, and those that never are (docs/wire-contract.md, section 5).

use std::time::Instant;

use serde_json::json;
use testkit::client::Request;
use testkit::gate::{Gate, Setup};
use testkit::upstream::{Reply, Upstream};

const RETRIED: [u16; 4] = [429, 502, 503, 504];

/// Fails so often with this status, then answers.
fn failing(status: u16, times: usize) -> Upstream {
    Upstream::answering(move |_, nth| {
        if nth < times { Reply::new(status).body("not now") } else { Reply::ok("done") }
    })
}

#[test]
fn a_read_is_tried_again() {
    for status in RETRIED {
        for method in ["GET", "HEAD"] {
            let upstream = failing(status, 2);
            let gate = Gate::before(&upstream);
            let answer = Request::new(method, "/x").bearer(&gate.bearer()).send(&gate);
            assert_eq!(answer.status, 200, "{method} after {status}: {answer}");
            let seen = upstream.seen();
            assert_eq!(seen.len(), 3, "{method} after {status}");
            assert!(seen.iter().all(|request| request.method == method && request.target == "/x"));
            let ids: Vec<_> = seen.iter().map(|request| request.header("x-request-id")).collect();
            assert_eq!(ids, vec![Some(answer.request_id()); 3]);
            let line = gate.logs.audit(&answer.request_id());
            assert_eq!((&line["attempts"], &line["upstream_status"]), (&json!(3), &json!(200)));
        }
    }
}

#[test]
fn a_read_is_tried_again_when_the_connection_fails() {
    let upstream = Upstream::queue(vec![Reply::hang_up(), Reply::ok("done")]);
    let gate = Gate::before(&upstream);
    assert_eq!(Request::get("/x").bearer(&gate.bearer()).send(&gate).text(), "done");
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn the_last_answer_passes_through() {
    let upstream = failing(503, 99);
    let gate = Gate::before(&upstream);
    let answer = Request::get("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!((answer.status, answer.text().as_str()), (503, "not now"));
    assert_eq!(upstream.seen().len(), 3, "two retries are the default");
}

#[test]
fn the_route_says_how_often() {
    for (retries, sent) in [(0, 1), (1, 2)] {
        let upstream = failing(503, 99);
        let gate = Setup::to(&upstream).route("/*", json!({"retries": retries})).start();
        assert_eq!(Request::get("/x").bearer(&gate.bearer()).send(&gate).status, 503);
        assert_eq!(upstream.seen().len(), sent);
    }
}

#[test]
fn other_answers_are_final() {
    for status in [200, 400, 404, 408, 409, 500, 501, 505] {
        let upstream = failing(status, 99);
        let gate = Gate::before(&upstream);
        assert_eq!(Request::get("/x").bearer(&gate.bearer()).send(&gate).status, status);
        assert_eq!(upstream.seen().len(), 1, "{status}");
    }
}

#[test]
fn a_write_is_never_sent_twice() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for status in RETRIED {
            let upstream = failing(status, 99);
            let gate = Gate::before(&upstream);
            let request =
                Request::new(method, "/x").bearer(&gate.bearer()).header("Idempotency-Key", "k1");
            assert_eq!(request.body("x").send(&gate).status, status);
            assert_eq!(upstream.seen().len(), 1, "{method} after {status}");
        }
    }
    let upstream = Upstream::queue(vec![Reply::hang_up(), Reply::ok("done")]);
    let gate = Gate::before(&upstream);
    Request::post("/x").bearer(&gate.bearer()).send(&gate).refused(502, "upstream-unreachable");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_write_with_an_idempotency_key_is_tried_again_where_the_upstream_honours_it() {
    let with = |upstream: &Upstream, request: Request| {
        let gate = Setup::to(upstream).route("/*", json!({"idempotency_key": true})).start();
        request.bearer(&gate.bearer()).send(&gate)
    };
    let upstream = failing(503, 1);
    let answer = with(&upstream, Request::post("/x").header("Idempotency-Key", "k1"));
    assert_eq!(answer.status, 200, "{answer}");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 2);
    for request in &seen {
        assert_eq!(request.body, br#"{"a":1}"#, "the same body both times");
        assert_eq!(request.header("idempotency-key").as_deref(), Some("k1"));
    }
    for (name, value) in [
        ("Idempotency-Key", ""),
        ("Connection", "idempotency-key"),
        ("Connection", "keep-alive, Idempotency-Key"),
        ("Idempotency-Key", "k2"),
    ] {
        let upstream = failing(503, 1);
        let mut request = Request::post("/x").header(name, value);
        if !value.is_empty() {
            request = request.header("Idempotency-Key", "k1");
        }
        assert_eq!(with(&upstream, request).status, 503, "{name}: {value}");
        assert_eq!(upstream.seen().len(), 1, "{name}: {value}");
    }
    let without = failing(503, 1);
    assert_eq!(with(&without, Request::post("/x")).status, 503);
    assert_eq!(without.seen().len(), 1, "no key, no second try");

    for (bytes, sent) in [(1_048_576, 2), (1_048_577, 1)] {
        let upstream = failing(503, 1);
        let request =
            Request::new("PUT", "/x").header("Idempotency-Key", "k1").body(vec![b'x'; bytes]);
        with(&upstream, request);
        let seen = upstream.seen();
        assert_eq!(seen.len(), sent, "{bytes} bytes");
        assert!(seen.iter().all(|request| request.body.len() == bytes));
    }
}

#[test]
fn retry_after_is_honoured_up_to_five_seconds() {
    let upstream =
        Upstream::queue(vec![Reply::new(429).header("Retry-After", "1"), Reply::ok("done")]);
    let gate = Gate::before(&upstream);
    let start = Instant::now();
    assert_eq!(Request::get("/x").bearer(&gate.bearer()).send(&gate).text(), "done");
    // A lower bound, which a slow machine can only help.
    assert!(start.elapsed().as_millis() >= 900, "{:?}", start.elapsed());

    let upstream = Upstream::queue(vec![
        Reply::new(429).header("Retry-After", "6").body("later"),
        Reply::ok("done"),
    ]);
    let gate = Gate::before(&upstream);
    let answer = Request::get("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (429, "later"),
        "a longer one is not waited for"
    );
    assert_eq!(answer.header("retry-after").as_deref(), Some("6"));
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn retry_after_may_be_a_date_and_nonsense_is_ignored() {
    for (value, sent) in [
        ("Fri, 01 Jan 2100 00:00:00 GMT", 1),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 2),
        ("soon", 2),
        ("-5", 2),
        ("0", 2),
        ("99999999999999999999", 1),
    ] {
        let upstream =
            Upstream::queue(vec![Reply::new(503).header("Retry-After", value), Reply::ok("done")]);
        let gate = Gate::before(&upstream);
        Request::get("/x").bearer(&gate.bearer()).send(&gate);
        assert_eq!(upstream.seen().len(), sent, "Retry-After: {value}");
    }
}

#[test]
fn a_body_of_unknown_length_is_sent_once_and_whole_even_with_an_idempotency_key() {
    let upstream = failing(503, 1);
    let gate = Setup::to(&upstream).route("/*", json!({"idempotency_key": true})).start();
    let chunked = Request::post("/x")
        .bearer(&gate.bearer())
        .header("Idempotency-Key", "k1")
        .header("Transfer-Encoding", "chunked")
        .body("4\r\nbody\r\n0\r\n\r\n");
    chunked.send(&gate);
    let seen = upstream.seen();
    assert!(!seen.is_empty() && seen.len() <= 2);
    assert!(seen.iter().all(|request| request.body == b"body"));
}
