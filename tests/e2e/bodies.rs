//! Answers whose bodies are not plain (docs/wire-contract.md, section 5: status, headers and body come back as they
//! were).

use serde_json::json;
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::signing::sha256;
use testkit::upstream::{Latch, Reply, Upstream};

/// `hello`, compressed by gzip.
pub(crate) const GZIP: [u8; 25] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07,
    0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
];

#[test]
fn what_is_not_plain_crosses_as_it_was() {
    let upstream = Upstream::answering(|request, _| match request.target.as_str() {
        "/gzip" => Reply::new(200).header("Content-Encoding", "gzip").body(GZIP),
        "/part" => Reply::new(206).header("Content-Range", "bytes 0-3/10").body("0123"),
        "/long" => Reply::new(200).header("Content-Length", "1234").header("ETag", "\"a\""),
        "/204" => Reply::new(204),
        "/304" => Reply::new(304)
            .header("ETag", "\"a\"")
            .header("Content-Type", "text/html")
            .header("Content-Security-Policy", "default-src *"),
        _ => Reply::ok("done"),
    });
    let gate = Gate::before(&upstream);
    let any = ("Accept", "*/*");
    for (method, path, asked, status, body, shown) in [
        (
            "GET",
            "/gzip",
            ("Accept-Encoding", "gzip, br"),
            200,
            &GZIP[..],
            [("content-encoding", Some("gzip")), ("content-length", Some("25"))],
        ),
        (
            "GET",
            "/part",
            ("Range", "bytes=0-3"),
            206,
            b"0123",
            [("content-range", Some("bytes 0-3/10")), ("content-length", Some("4"))],
        ),
        (
            "HEAD",
            "/long",
            any,
            200,
            b"",
            [("content-length", Some("1234")), ("etag", Some("\"a\""))],
        ),
        ("DELETE", "/204", any, 204, b"", [("transfer-encoding", None), ("content-type", None)]),
        // It says nothing of the document that the caller keeps.
        (
            "GET",
            "/304",
            ("If-None-Match", "\"a\""),
            304,
            b"",
            [("etag", Some("\"a\"")), ("content-type", None)],
        ),
    ] {
        let request = Request::new(method, path).bearer(&gate.bearer()).header(asked.0, asked.1);
        let answer = request.send(&gate);
        assert_eq!((answer.status, answer.body.as_slice()), (status, body), "{path}: {answer}");
        for (name, value) in shown {
            assert_eq!(answer.header(name).as_deref(), value, "{path}: {answer}");
        }
        let policy = answer.header("content-security-policy");
        assert_eq!(policy.is_none(), status == 304, "{path}: {answer}");
        let seen = upstream.last();
        assert_eq!(
            (seen.method.as_str(), seen.header(asked.0).as_deref()),
            (method, Some(asked.1))
        );
    }
    let upload = Request::new("POST", "/x").bearer(&gate.bearer());
    upload.header("Content-Encoding", "gzip").body(GZIP).send(&gate).passed();
    let seen = upstream.last();
    assert_eq!(
        (seen.header("content-encoding").as_deref(), &*seen.body),
        (Some("gzip"), &GZIP[..])
    );
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
