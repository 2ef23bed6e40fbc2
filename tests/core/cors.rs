//! The headers of answers for browsers of another origin (docs/wire-contract.md, section 6).

use crate::native::{Upstream, start};
use serde_json::json;
use testkit::client::{Request, Response};
use testkit::upstream::Reply;

const SITE: &str = "https://www.example.com";
const OTHER: &str = "https://other.example";

fn vary(answer: &Response) -> Vec<String> {
    answer
        .header("vary")
        .unwrap_or_default()
        .split(',')
        .map(|part| part.trim().to_lowercase())
        .collect()
}

fn assert_open_to(answer: &Response, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin), "{answer}");
    assert_eq!(answer.header("access-control-expose-headers").as_deref(), Some("*"), "{answer}");
    assert!(vary(answer).contains(&"origin".into()), "{answer}");
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
}

#[test]
fn a_preflight_is_answered_here_and_echoes_what_was_asked() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup);
    let answer = Request::new("OPTIONS", "/x")
        .origin(SITE)
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "authorization, content-type,x-any")
        .send(&gate);
    assert_eq!(answer.status, 204, "{answer}");
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(SITE));
    assert_eq!(answer.header("access-control-allow-methods").as_deref(), Some("PUT"));
    assert_eq!(
        answer.header("access-control-allow-headers").as_deref(),
        Some("authorization, content-type,x-any")
    );
    assert_eq!(answer.header("access-control-max-age").as_deref(), Some("600"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(vary(&answer).contains(&"origin".into()), "{answer}");
    let plain = Request::new("OPTIONS", "/x")
        .origin("null")
        .header("Access-Control-Request-Method", "POST")
        .send(&gate);
    assert_eq!((plain.status, plain.header("access-control-allow-headers")), (204, None));
    assert_eq!(plain.header("access-control-allow-origin").as_deref(), Some("null"));
    upstream.assert_untouched();
}

#[test]
fn a_preflight_is_answered_whatever_its_path_but_by_no_gate_that_is_misconfigured() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup.route("/only/*", json!({"methods": ["GET"]})));
    let asks = |target: &str| {
        Request::new("OPTIONS", target).origin(SITE).header("Access-Control-Request-Method", "PUT")
    };
    for target in ["/nowhere", "/only/x", "/a//b", "/a/../b", "/a%00", "/_gate/nothing"] {
        assert_eq!(asks(target).send(&gate).status, 204, "{target}");
    }
    assert_eq!(asks("/x").header("Host", "a_b").send(&gate).status, 204);
    let broken = start(&upstream, |setup| setup.env("CLOCK_SKEW", 999));
    asks("/x").send(&broken).refused(503, "misconfigured");
    upstream.assert_untouched();
}

#[test]
fn any_other_options_is_an_ordinary_request() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup);
    let bare = Request::new("OPTIONS", "/x");
    bare.send(&gate).refused(401, "credential-missing");
    bare.clone().origin(SITE).send(&gate).refused(401, "credential-missing");
    bare.clone()
        .header("Access-Control-Request-Method", "PUT")
        .send(&gate)
        .refused(401, "credential-missing");
    for (method, status, code) in [
        ("GET", 401, "credential-missing"),
        ("PUT", 401, "credential-missing"),
        ("options", 405, "method-not-allowed"),
    ] {
        let asks = Request::new(method, "/x").origin(SITE);
        asks.header("Access-Control-Request-Method", "PUT").send(&gate).refused(status, code);
    }
    upstream.assert_untouched();
    bare.origin(SITE).bearer(&gate.bearer()).send(&gate).passed();
    assert_eq!(upstream.only().method, "OPTIONS");
}

#[test]
fn every_answer_echoes_the_origin() {
    let upstream = Upstream::answering(|request, _| {
        Reply::new(request.target[1..].parse().unwrap_or(200)).header("Vary", "Accept")
    });
    let gate = start(&upstream, |setup| {
        setup
            .route("/*", json!({}))
            .route("/read/*", json!({"methods": ["GET"]}))
            .site(json!({}))
            .key(json!({"id": "pk_bound", "allowed_origins": [SITE]}))
    });
    let good = gate.bearer();
    let bound = gate.session_of("pk_bound").mint();
    for (request, status) in [
        (Request::post("/x").bearer(&good), 200),
        (Request::post("/404").bearer(&good), 404),
        (Request::post("/401").bearer(&good), 502),
        (Request::post("/522").bearer(&good), 502),
        (Request::post("/x"), 401),
        (Request::post("/a//b"), 400),
        (Request::post("/read/x"), 405),
        (Request::post("/x").bearer("nonsense"), 400),
        (Request::post("/x").bearer(&bound), 403),
        (Request::get("/_gate/health"), 200),
    ] {
        let answer = request.clone().origin(OTHER).send(&gate);
        assert_eq!(answer.status, status, "{answer}");
        assert_open_to(&answer, OTHER);
        let without = request.send(&gate);
        assert_eq!(without.header("access-control-allow-origin"), None, "{without}");
    }
    let answer = Request::post("/x").bearer(&good).origin(OTHER).send(&gate);
    assert!(vary(&answer).contains(&"accept".into()), "the upstream's own stays: {answer}");
    let broken = start(&upstream, |setup| setup.env("CLOCK_SKEW", 999));
    let answer = Request::post("/x").origin(OTHER).send(&broken).refused(503, "misconfigured");
    assert_open_to(&answer, OTHER);
}

#[test]
fn a_bare_public_key_opens_only_to_origins_that_matched() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| {
        setup
        .key(json!({"id": "pk_origin", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_ip", "schemes": ["public-key"], "paths": ["/*"], "allowed_ips": ["192.0.2.1"]}))
        .key(json!({"id": "pk_any", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE],
                    "allowed_ips": ["192.0.2.1"], "match": "any"}))
    });
    let with = |key: &str, origin: &str| {
        Request::get("/x")
            .header("X-Public-Key", key)
            .header("CF-Connecting-IP", "192.0.2.1")
            .origin(origin)
            .send(&gate)
    };
    assert_open_to(&with("pk_origin", SITE).passed(), SITE);
    let denied = with("pk_origin", OTHER).refused(403, "origin-denied");
    assert_eq!(denied.header("access-control-allow-origin"), None, "{denied}");
    let by_address = with("pk_ip", SITE).passed();
    assert_eq!(by_address.header("access-control-allow-origin"), None, "{by_address}");
    assert_open_to(&with("pk_any", SITE).passed(), SITE);
    let other = with("pk_any", OTHER).passed();
    assert_eq!(other.header("access-control-allow-origin"), None, "{other}");
}
