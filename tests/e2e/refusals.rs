//! The shape of every refusal (contract, section 6), and the order in which they come (section 4). That each code comes
//! when it should, and not a byte earlier, is in the suite of what it is about.

use std::collections::BTreeMap;

use serde_json::json;

use crate::client::{Request, Response};
use crate::gate::{Gate, Setup};
use crate::token::{fresh, now};
use crate::upstream::{Reply, Upstream};

const SITE: &str = "https://www.example.com";

/// A gate where everything can go wrong.
fn gate(upstream: &Upstream) -> Gate {
    Setup::to(upstream)
        .route("/*", json!({}))
        .route("/read/*", json!({"methods": ["GET", "PUT"]}))
        .route("/small/*", json!({"max_body_bytes": 3}))
        .route("/tokenless/*", json!({"upstream_auth": {"scheme": "bearer", "secret": "NOT_THERE"}}))
        .without("NOT_THERE")
        .site(json!({}))
        .key(json!({"id": "pk_revoked", "revoked": true}))
        .key(json!({"id": "pk_expired", "expires": "2020-01-01T00:00:00Z"}))
        .key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_origin", "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_ip", "allowed_ips": ["192.0.2.1"]}))
        .key(json!({"id": "pk_narrow", "methods": ["PUT"], "paths": ["/cms/*"]}))
        .key(json!({"id": "pk_rate", "rate": "standard"}))
        .start()
}

/// One request for each code that this slice can give.
fn provocations(gate: &Gate) -> Vec<(u16, &'static str, Request)> {
    let post = || Request::post("/x");
    let by = |id: &str| post().bearer(&gate.session_of(id).mint());
    let good = gate.bearer();
    let session = || gate.session();
    let claim =
        |name: &str, value: serde_json::Value| post().bearer(&session().claim(name, value).mint());
    vec![
        (400, "bad-path", Request::get("/a//b")),
        (
            400,
            "bad-request",
            post().header("Host", "a_b").bearer(&good),
        ),
        (400, "bad-credential", post().bearer("nonsense")),
        (
            400,
            "ambiguous-credential",
            post().bearer(&good).header("X-Public-Key", "pk_ip"),
        ),
        (401, "credential-missing", post()),
        (401, "key-unknown", by("pk_nobody")),
        (401, "key-revoked", by("pk_revoked")),
        (401, "key-expired", by("pk_expired")),
        (401, "scheme-not-allowed", by("pk_read")),
        (
            401,
            "signature-invalid",
            post().bearer(&session().key(&fresh()).mint()),
        ),
        (401, "session-expired", claim("exp", json!(now() - 10))),
        (
            401,
            "session-not-yet-valid",
            claim("nbf", json!(now() + 1_000)),
        ),
        (401, "session-too-long", claim("exp", json!(now() + 9_999))),
        (401, "audience-mismatch", claim("aud", json!("other"))),
        (
            401,
            "proof-missing",
            claim("cnf", json!({"kid": format!("s_{}", "A".repeat(22))})),
        ),
        (
            403,
            "origin-denied",
            by("pk_origin").origin("https://evil.example"),
        ),
        (403, "ip-denied", by("pk_ip")),
        (403, "method-denied", by("pk_narrow")),
        (
            403,
            "path-denied",
            Request::new("PUT", "/x").bearer(&gate.session_of("pk_narrow").mint()),
        ),
        (
            405,
            "method-not-allowed",
            Request::post("/read/x").bearer(&good),
        ),
        (
            413,
            "body-too-large",
            Request::post("/small/x").bearer(&good),
        ),
        (
            502,
            "upstream-rejected-token",
            Request::post("/401").bearer(&good),
        ),
        (
            502,
            "upstream-unreachable",
            Request::post("/522").bearer(&good),
        ),
        (
            503,
            "token-missing",
            Request::post("/tokenless/x").bearer(&good),
        ),
        (503, "feature-unavailable", by("pk_rate")),
    ]
}

/// Answers with the status that the path names, or 200.
fn upstream() -> Upstream {
    Upstream::answering(|request, _| Reply::new(request.target[1..].parse().unwrap_or(200)))
}

fn assert_shape(answer: &Response, status: u16, code: &str) {
    let problem = answer.clone().refused(status, code).json();
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/problem+json"),
        "{code}"
    );
    assert_eq!(problem["type"], format!("/_gate/problems#{code}"));
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], answer.request_id());
    for text in ["title", "detail"] {
        assert!(
            problem[text].as_str().is_some_and(|text| text.len() > 3),
            "{code}: {problem}"
        );
    }
    let members: Vec<_> = problem
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = vec!["type", "title", "status", "code", "detail", "request_id"];
    expected.sort_unstable();
    assert_eq!(
        {
            let mut all = members;
            all.sort_unstable();
            all
        },
        expected,
        "{code}"
    );
    assert_eq!(
        answer.header("cache-control").as_deref(),
        Some("no-store"),
        "{code}"
    );
    assert_eq!(answer.header("set-cookie"), None);
    let challenge = answer.header("www-authenticate");
    if status == 401 {
        let challenge = challenge.unwrap_or_else(|| panic!("{code} without a challenge"));
        assert!(
            challenge.starts_with("Bearer realm=\"writegate\""),
            "{code}: {challenge}"
        );
        // RFC 6750, section 3.1: a request without authentication information gets no error code.
        assert_eq!(
            challenge.contains("error="),
            code != "credential-missing",
            "{code}: {challenge}"
        );
    } else {
        assert_eq!(challenge, None, "{code}");
    }
}

#[test]
fn every_refusal_is_a_problem_document() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let mut ids = Vec::new();
    for (status, code, request) in provocations(&gate) {
        let answer = request.send(&gate);
        assert_shape(&answer, status, code);
        ids.push(answer.request_id());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "every request has an id of its own");
    let no_route = Setup::to(&upstream).route("/only", json!({})).start();
    assert_shape(
        &Request::post("/x")
            .bearer(&no_route.bearer())
            .send(&no_route),
        404,
        "no-route",
    );
    let broken = Setup::to(&upstream).env("CLOCK_SKEW", 999).start();
    assert_shape(
        &Request::post("/x").bearer(&broken.bearer()).send(&broken),
        503,
        "misconfigured",
    );
}

#[test]
fn the_detail_is_constant_for_each_code() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let mut details = BTreeMap::new();
    for (_, code, request) in provocations(&gate) {
        details.insert(code, request.send(&gate).json()["detail"].clone());
    }
    let good = gate.bearer();
    for (code, request) in [
        ("bad-path", Request::post("/x/%2e%2e/y").bearer(&good)),
        (
            "bad-credential",
            Request::post("/x").bearer(&gate.session().without("exp").mint()),
        ),
        (
            "key-unknown",
            Request::post("/x").bearer(&gate.session_of(&fresh()).mint()),
        ),
        (
            "path-denied",
            Request::new("PUT", "/y").bearer(&gate.session_of("pk_narrow").mint()),
        ),
        (
            "method-denied",
            Request::new("DELETE", "/cms/y").bearer(&gate.session_of("pk_narrow").mint()),
        ),
        (
            "ip-denied",
            Request::get("/y")
                .bearer(&gate.session_of("pk_ip").mint())
                .header("CF-Connecting-IP", "::1"),
        ),
    ] {
        let problem = request.send(&gate).json();
        assert_eq!(
            (&problem["code"], &problem["detail"]),
            (&json!(code), &details[code])
        );
    }
}

#[test]
fn a_refusal_repeats_nothing_that_was_sent() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let marker = fresh();
    for request in [
        Request::post(&format!("/x//{marker}")),
        Request::post("/x").bearer(&marker),
        Request::post("/x").bearer(&gate.session_of(&marker).mint()),
        Request::get("/x").header("X-Public-Key", &marker),
        Request::get(&format!("/x?key={marker}")),
    ] {
        let answer = request.send(&gate);
        assert!(answer.status >= 400, "{answer}");
        assert!(!answer.to_string().contains(&marker), "{answer}");
    }
}

#[test]
fn a_refused_head_has_no_body() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let answer = Request::new("HEAD", "/x").send(&gate);
    assert_eq!((answer.status, answer.body.len()), (401, 0));
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/problem+json")
    );
}

#[test]
fn the_allowed_methods_are_named() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let good = gate.bearer();
    let answer = Request::post("/read/x")
        .bearer(&good)
        .send(&gate)
        .refused(405, "method-not-allowed");
    let mut allow: Vec<_> = answer
        .header("allow")
        .expect("Allow")
        .split(", ")
        .map(str::to_owned)
        .collect();
    allow.sort();
    assert_eq!(allow, ["GET", "HEAD", "PUT"]);
    for method in ["GET", "HEAD", "PUT"] {
        Request::new(method, "/read/x")
            .bearer(&good)
            .send(&gate)
            .passed();
    }
}

#[test]
fn the_checks_come_in_their_order() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let revoked_and_forged = gate.session_of("pk_revoked").key(&fresh()).mint();
    let forged = |id: &str| gate.session_of(id).key(&fresh()).claim("exp", 1).mint();
    let late = |id: &str| gate.session_of(id).claim("exp", 1).mint();
    let good = |id: &str| gate.session_of(id).mint();
    for (what, request, code) in [
        (
            "path, then method",
            Request::new("TRACE", "/a//b"),
            "bad-path",
        ),
        (
            "path, then credential",
            Request::post("/a/../b").bearer("x"),
            "bad-path",
        ),
        (
            "route's methods, then credential",
            Request::post("/read/x"),
            "method-not-allowed",
        ),
        (
            "route's methods, then a bad one",
            Request::post("/read/x").bearer("x"),
            "method-not-allowed",
        ),
        (
            "shape, then key",
            Request::post("/x").bearer("a.b"),
            "bad-credential",
        ),
        (
            "key, then MAC",
            Request::post("/x").bearer(&revoked_and_forged),
            "key-revoked",
        ),
        (
            "MAC, then time",
            Request::post("/x").bearer(&forged("pk_ip")),
            "signature-invalid",
        ),
        (
            "time, then address",
            Request::post("/x").bearer(&late("pk_ip")),
            "session-expired",
        ),
        (
            "MAC, then origin",
            Request::post("/x").bearer(&forged("pk_origin")),
            "signature-invalid",
        ),
        (
            "MAC, then method",
            Request::post("/x").bearer(&forged("pk_narrow")),
            "signature-invalid",
        ),
        (
            "MAC, then rate",
            Request::post("/x").bearer(&forged("pk_rate")),
            "signature-invalid",
        ),
        (
            "method, then path",
            Request::post("/x").bearer(&good("pk_narrow")),
            "method-denied",
        ),
    ] {
        let answer = request.send(&gate);
        assert_eq!(answer.code(), code, "{what}: {answer}");
    }
    upstream.assert_untouched();
}

#[test]
fn the_token_may_be_an_envelope() {
    let upstream = Upstream::start();
    let value = fresh();
    let envelope =
        json!({"token": value, "issued_at": "2026-11-22", "expires_at": "2099-01-01T00:00:00Z"});
    let gate = Setup::to(&upstream)
        .env("WRITE_TOKEN", envelope.to_string())
        .start();
    Request::post("/x")
        .bearer(&gate.bearer())
        .send(&gate)
        .passed();
    assert_eq!(
        upstream.only().header("authorization"),
        Some(format!("Bearer {value}"))
    );
}

#[test]
fn a_token_that_is_none_is_never_sent() {
    let envelope = |value: serde_json::Value| value.to_string();
    let broken = [
        String::new(),
        envelope(json!({"token": ""})),
        envelope(json!({"issued_at": "2026-11-22"})),
        envelope(json!({"token": "abc", "issued": "2026-11-22"})),
        envelope(json!({"token": "abc", "issued_at": "yesterday"})),
        envelope(json!({"token": 1})),
        "a\r\nX-Injected: 1".into(),
    ];
    for token in broken {
        let upstream = Upstream::start();
        let gate = Setup::to(&upstream)
            .env("WRITE_TOKEN", token.as_str())
            .start();
        let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
        assert_eq!(answer.status, 503, "{token:?}: {answer}");
        assert!(
            ["token-missing", "misconfigured"].contains(&answer.code().as_str()),
            "{token:?}: {answer}"
        );
        upstream.assert_untouched();
    }
}
