//! Answers whose bodies are not plain (docs/wire-contract.md, section 5: status, headers and body come back as they
//! were).

use serde_json::json;
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::signing::sha256;
use testkit::upstream::{Latch, Reply, Upstream};

/// `hello`, compressed by gzip.
const GZIP: [u8; 25] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07,
    0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
];

#[test]
fn a_compressed_answer_comes_back_as_it_was() {
    let upstream =
        Upstream::queue(vec![Reply::new(200).header("Content-Encoding", "gzip").body(GZIP)]);
    let gate = Gate::before(&upstream);
    let answer = Request::get("/x")
        .bearer(&gate.bearer())
        .header("Accept-Encoding", "gzip, br")
        .send(&gate)
        .passed();
    assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"), "{answer}");
    assert_eq!(answer.body, GZIP);
    assert!(upstream.only().header("accept-encoding").is_some_and(|value| value.contains("gzip")));
}

#[test]
fn a_compressed_upload_arrives_as_it_was() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let request = Request::new("POST", "/x")
        .bearer(&gate.bearer())
        .header("Content-Encoding", "gzip")
        .body(GZIP);
    request.send(&gate).passed();
    let seen = upstream.only();
    assert_eq!(seen.header("content-encoding").as_deref(), Some("gzip"));
    assert_eq!(seen.body, GZIP);
}

#[test]
fn part_of_a_document_comes_back_as_it_was() {
    let reply = Reply::new(206)
        .header("Content-Range", "bytes 0-3/10")
        .header("Accept-Ranges", "bytes")
        .body("0123");
    let upstream = Upstream::queue(vec![reply]);
    let gate = Gate::before(&upstream);
    let answer = Request::get("/x").bearer(&gate.bearer()).header("Range", "bytes=0-3").send(&gate);
    assert_eq!((answer.status, answer.text().as_str()), (206, "0123"));
    assert_eq!(answer.header("content-range").as_deref(), Some("bytes 0-3/10"));
    assert_eq!(upstream.only().header("range").as_deref(), Some("bytes=0-3"));
}

#[test]
fn a_head_is_a_head_and_keeps_the_length_of_what_it_is_about() {
    let upstream = Upstream::queue(vec![
        Reply::new(200).header("Content-Length", "1234").header("ETag", "\"a\""),
    ]);
    let gate = Gate::before(&upstream);
    let answer = Request::new("HEAD", "/x").bearer(&gate.bearer()).send(&gate).passed();
    assert_eq!(upstream.only().method, "HEAD");
    assert_eq!(answer.header("content-length").as_deref(), Some("1234"));
    assert_eq!(answer.header("etag").as_deref(), Some("\"a\""));
}

#[test]
fn an_answer_without_a_body_stays_without_one() {
    let upstream = Upstream::queue(vec![Reply::new(204), Reply::new(304).header("ETag", "\"a\"")]);
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    let empty = Request::new("DELETE", "/x").bearer(&token).send(&gate);
    assert_eq!((empty.status, empty.header("transfer-encoding")), (204, None), "{empty}");
    let unchanged = Request::get("/x").bearer(&token).header("If-None-Match", "\"a\"").send(&gate);
    assert_eq!((unchanged.status, unchanged.header("etag").as_deref()), (304, Some("\"a\"")));
    assert_eq!(upstream.last().header("if-none-match").as_deref(), Some("\"a\""));
}

#[test]
fn only_the_head_of_an_answer_has_a_time_limit() {
    let latch = Latch::default();
    let never = Latch::default();
    let parts = vec![(None, b"one".to_vec()), (Some(latch.clone()), b"two".to_vec())];
    let upstream =
        Upstream::queue(vec![Reply::new(200).parts(parts), Reply::ok("late").after(&never)]);
    let gate = Setup::to(&upstream)
        .route("/*", json!({"timeout_ms": 3_500}))
        .route("/slow", json!({"timeout_ms": 3_000}))
        .start();
    let token = gate.bearer();
    let mut slow = Connection::open(&gate);
    slow.write(&Request::get("/slow").bearer(&token).head());
    assert_eq!(slow.read_head().status, 200);
    assert_eq!(slow.read_chunk(), b"one");
    // This one's time limit, the longer of the two, passes while the first one's body is still on its way.
    Request::post("/x").bearer(&token).send(&gate).refused(504, "upstream-timeout");
    latch.open();
    assert_eq!(slow.read_chunk(), b"two");
    assert_eq!(slow.read_chunk(), b"");
    never.open();
}

#[test]
fn a_caller_that_asks_before_it_sends_is_served() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let mut connection = Connection::open(&gate);
    let head = Request::new("POST", "/x").bearer(&gate.bearer()).header("Content-Length", "4");
    connection.write(&head.header("Expect", "100-continue").head());
    connection.write(b"body");
    connection.response().passed();
    assert_eq!(upstream.only().body, b"body");
}

#[test]
fn a_length_that_is_said_twice_is_one_length() {
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok";
    let upstream = Upstream::answering(move |_, _| Reply::raw(twice));
    let gate = Setup::to(&upstream)
        .route("/*", json!({}))
        .route("/kept/*", json!({"cache": {"ttl": 60}}))
        .key(json!({"id": KEY, "schemes": ["session", "signature"]}))
        .cache()
        .ledger()
        .start();
    // What is counted while it streams, and what is kept for the next who asks.
    for path in ["/x", "/kept/x"] {
        let answer = Request::get(path).bearer(&gate.bearer()).send(&gate);
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{path}: {answer}");
    }
    // A body that the gate reads, to compare it with the signed digest.
    let post = Request::post("/x").header("Content-Length", "2").header("Content-Length", "2");
    let post = post.header("Content-Digest", &sha256(b"ok")).body("ok");
    let answer = gate.signature().sign(post).send(&gate);
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{answer}");
    assert_eq!(upstream.last().body, b"ok");
}

#[test]
fn a_304_says_nothing_of_the_document_that_the_caller_keeps() {
    let reply = Reply::new(304)
        .header("ETag", "\"a\"")
        .header("Content-Type", "text/html")
        .header("Content-Security-Policy", "default-src *");
    let gate = Gate::before(&Upstream::queue(vec![reply]));
    let request = Request::get("/x").bearer(&gate.bearer()).header("If-None-Match", "\"a\"");
    let answer = request.send(&gate);
    assert_eq!((answer.status, answer.header("etag").as_deref()), (304, Some("\"a\"")));
    for name in ["content-type", "content-security-policy"] {
        assert_eq!(answer.header(name), None, "{answer}");
    }
}
