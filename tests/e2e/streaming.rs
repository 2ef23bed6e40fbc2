//! Bodies in both directions (docs/wire-contract.md, section 5): they stream with their length kept, they are
//! bounded, and one that breaks off is never a whole request at the upstream.

use serde_json::json;
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, Setup};
use testkit::upstream::{Arrival, Latch, Reply, Upstream};
use testkit::wire::Framing;

/// Waits until the upstream holds this much of the first request's body.
fn until_arrived(upstream: &Upstream, bytes: usize) {
    upstream.until("part of the body", |seen| {
        seen.first().is_some_and(|first| first.body.len() >= bytes)
    });
}

#[test]
fn an_upload_streams_with_its_length_or_in_chunks() {
    for length in [Some("10"), None] {
        let upstream = Upstream::start();
        let gate = Gate::before(&upstream);
        let mut connection = Connection::open(&gate);
        let head = Request::new("PUT", "/x").bearer(&gate.bearer());
        match length {
            Some(length) => connection.write(&head.header("Content-Length", length).head()),
            None => connection.write(&head.header("Transfer-Encoding", "chunked").head()),
        };
        let mut write = |part: &[u8]| match length {
            Some(_) => connection.write(part),
            None => connection.write_chunk(part),
        };
        write(b"first");
        until_arrived(&upstream, 5);
        assert_eq!(upstream.seen()[0].arrival, Arrival::Arriving);
        write(b"after");
        if length.is_none() {
            connection.write(b"0\r\n\r\n");
        }
        assert_eq!(connection.response().text(), "done");
        let seen = upstream.only();
        let framing = length.map_or(Framing::Chunked, |_| Framing::Length(10));
        assert_eq!((seen.framing, seen.body.as_slice()), (framing, &b"firstafter"[..]));
    }
}

#[test]
fn no_body_arrives_as_no_body() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    Request::new("POST", "/x").bearer(&token).body("").send(&gate).passed();
    assert!(upstream.last().body.is_empty());
    assert_ne!(upstream.last().framing, Framing::Chunked);
    Request::new("DELETE", "/x").bearer(&token).send(&gate).passed();
    assert!(upstream.last().body.is_empty());
    assert_ne!(upstream.last().framing, Framing::Chunked);
}

#[test]
fn a_large_body_passes_both_ways_unchanged() {
    let upstream = Upstream::answering(|request, _| Reply::new(200).body(request.body.clone()));
    let gate = Gate::before(&upstream);
    let body: Vec<u8> = (0..8_000_000_u32).map(|i| u8::try_from((i * 31) % 251).unwrap()).collect();
    let answer =
        Request::new("POST", "/x").bearer(&gate.bearer()).body(body.clone()).send(&gate).passed();
    assert!(upstream.only().body == body && answer.body == body && answer.complete);
    assert_eq!(answer.header("content-length").as_deref(), Some("8000000"));
}

#[test]
fn an_answer_streams_in_its_parts() {
    let latch = Latch::default();
    let parts = vec![(None, b"one".to_vec()), (Some(latch.clone()), b"two".to_vec())];
    let upstream =
        Upstream::queue(vec![Reply::new(200).header("Content-Type", "text/plain").parts(parts)]);
    let gate = Gate::before(&upstream);
    let mut connection = Connection::open(&gate);
    connection.write(&Request::get("/x").bearer(&gate.bearer()).head());
    assert_eq!(connection.read_head().status, 200);
    assert_eq!(connection.read_chunk(), b"one");
    latch.open();
    assert_eq!(connection.read_chunk(), b"two");
    assert_eq!(connection.read_chunk(), b"");
}

#[test]
fn an_answer_that_breaks_off_is_not_made_whole() {
    let upstream = Upstream::queue(vec![Reply::new(200).cut_short(100, b"only this")]);
    let gate = Gate::before(&upstream);
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    assert!(!answer.complete, "{answer}");
}

#[test]
fn a_caller_who_breaks_off_completes_nothing() {
    for chunked in [false, true] {
        let upstream = Upstream::start();
        let gate = Gate::before(&upstream);
        let mut connection = Connection::open(&gate);
        let head = Request::new("POST", "/x").bearer(&gate.bearer());
        if chunked {
            connection.write(&head.header("Transfer-Encoding", "chunked").head());
            connection.write_chunk(b"{\"half\":");
        } else {
            connection.write(&head.header("Content-Length", "100").head());
            connection.write(b"{\"half\":");
        }
        until_arrived(&upstream, 8);
        connection.abandon();
        let seen = upstream.until("the end", |seen| seen[0].arrival != Arrival::Arriving);
        assert_eq!(seen[0].arrival, Arrival::BrokenOff, "chunked: {chunked}");
        // The gate goes on, and nothing is sent a second time.
        Request::post("/x").bearer(&gate.bearer()).send(&gate).passed();
        assert_eq!(upstream.seen().len(), 2);
    }
}

#[test]
fn a_body_that_turns_out_too_large_never_completes() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).route("/*", json!({"max_body_bytes": 10})).start();
    let token = gate.bearer();
    let head =
        Request::new("POST", "/x").bearer(&token).header("Transfer-Encoding", "chunked").head();
    let mut fits = Connection::open(&gate);
    fits.write(&head);
    fits.write_chunk(b"01234");
    fits.write_chunk(b"56789");
    fits.write(b"0\r\n\r\n");
    fits.response().passed();
    assert_eq!(upstream.only().body, b"0123456789");

    let mut over = Connection::open(&gate);
    over.write(&head);
    over.write_chunk(b"01234");
    upstream
        .until("the start of it", |seen| seen.get(1).is_some_and(|second| second.body.len() == 5));
    over.write_chunk(b"567890");
    over.write(b"0\r\n\r\n");
    over.response().refused(413, "body-too-large");
    let seen = upstream.until("its end", |seen| seen[1].arrival != Arrival::Arriving);
    assert_eq!(seen[1].arrival, Arrival::BrokenOff);
    assert!(seen[1].body.len() <= 10, "{:?}", seen[1].body);
    Request::post("/x").bearer(&token).body("x").send(&gate).passed();
}

#[test]
fn a_refusal_reads_no_body() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let mut connection = Connection::open(&gate);
    connection.write(&Request::new("POST", "/x").header("Content-Length", "50000000").head());
    connection.write(&[b'x'; 1000]);
    connection.response().refused(401, "credential-missing");
    upstream.assert_untouched();
    Request::post("/x").bearer(&gate.bearer()).send(&gate).passed();
}
