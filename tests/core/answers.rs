//! The parts of an upstream's answer that reach the caller (docs/wire-contract.md, section 5). Every field, type and lifetime is in
//! `src/gateway/reply/` and `src/cache/browser.rs`, bodies in `tests/e2e/bodies.rs` and `streaming.rs`.

use crate::native::{Upstream, start};
use testkit::client::Request;
use testkit::upstream::Reply;

#[test]
fn what_an_upstream_may_not_say_of_the_gate_s_origin_does_not_come_back() {
    let sent = [
        ("Set-Cookie", "a=b", None),
        ("Set-Cookie", "c=d", None),
        ("Access-Control-Allow-Origin", "*", None),
        ("Clear-Site-Data", "\"*\"", None),
        ("WWW-Authenticate", "Basic realm=\"x\"", None),
        ("Connection", "X-Hop", None),
        ("X-Hop", "1", None),
        ("Surrogate-Control", "max-age=60", None),
        ("X-Content-Type-Options", "sniff", Some("nosniff")),
        ("ETag", "\"v1\"", Some("\"v1\"")),
        ("Cache-Control", "public, max-age=5", Some("private, max-age=5")),
        ("Vary", "Accept", Some("Accept, Origin, Authorization, X-Public-Key")),
        ("X-Custom", "kept", Some("kept")),
        ("Location", "http://127.0.0.1:1/made/7", Some("/made/7")),
        ("Content-Type", "text/html", Some("text/html")),
        ("Content-Security-Policy", "default-src *", Some("sandbox")),
        ("Link", "</a>; rel=next", Some("</a>; rel=next")),
    ];
    let upstream = Upstream::answering(move |_, _| {
        let reply = Reply::new(203).header("X-Request-Id", "theirs").body("{}");
        sent.iter().fold(reply, |reply, (name, value, _)| reply.header(name, value))
    });
    let gate = start(&upstream, |setup| setup);
    let answer = Request::get("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!((answer.status, answer.text().as_str()), (203, "{}"));
    for (name, _, expected) in sent {
        assert_eq!(answer.header(name).as_deref(), expected, "{name}");
    }
    assert_eq!(answer.header("content-length").as_deref(), Some("2"));
    assert_ne!(answer.request_id(), "theirs");
}

#[test]
fn the_upstreams_own_statuses_pass() {
    let statuses = [200, 201, 202, 204, 206, 304, 400, 402, 403, 404, 409, 418, 422, 451, 500, 501];
    let upstream = Upstream::answering(move |_, nth| Reply::new(statuses[nth]).header("X-A", "b"));
    let gate = start(&upstream, |setup| setup);
    let token = gate.bearer();
    for status in statuses {
        let answer = Request::post("/x").bearer(&token).send(&gate);
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(answer.header("x-a").as_deref(), Some("b"));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}
