//! A gate where everything can go wrong, and one request for each way.

use crate::bound::Bound;
use crate::check::Answers;
use crate::client::{HOST, Request, Response};
use crate::gate::{KEY, Setup};
use crate::links::{before_sig, signed};
use crate::signing::Signature;
use crate::token::{Session, fresh, now, sk};
use crate::upstream::{Reply, Seen};
use serde_json::json;

const SITE: &str = "https://www.example.com";

/// Returns a gate where everything can go wrong.
pub fn setup(setup: Setup) -> Setup {
    setup
        .route("/*", json!({}))
        .route("/read/*", json!({"methods": ["GET", "PUT"]}))
        .route("/small/*", json!({"max_body_bytes": 3}))
        .route("/tokenless/*", json!({"upstream_auth": {"scheme": "bearer", "secret": "NOT_THERE"}}))
        .without("NOT_THERE")
        .site(json!({}))
        .key(json!({"id": "pk_revoked", "revoked": true}))
        .key(json!({"id": "pk_lasting", "revoked": false, "expires": "2100-01-01T00:00:00Z"}))
        .key(json!({"id": "pk_expired", "expires": "2020-01-01T00:00:00Z"}))
        .key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_origin", "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_ip", "allowed_ips": ["192.0.2.1"]}))
        .key(json!({"id": "pk_narrow", "methods": ["PUT"], "paths": ["/cms/*"]}))
        .key(json!({"id": "pk_rate", "rate": "standard"}))
        .key(json!({"id": "pk_signs", "schemes": ["signature"]}))
        .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
        .key(json!({"id": "pk_link", "schemes": ["url"]}))
        .replay()
}

/// Returns one request for each code that the gate can give to a request that it would forward.
pub fn provocations(gate: &impl Answers) -> Vec<(u16, &'static str, Request)> {
    let mut all = of_sessions(gate);
    all.extend(of_signatures(gate));
    all.push((401, "url-expired", link(gate, now() - 10)));
    all
}

/// Returns the nearest request to each provocation that is not refused for it, with the status that the upstream
/// gives it.
pub fn near_misses(gate: &impl Answers) -> Vec<(u16, &'static str, Request)> {
    let post = || Request::post("/x");
    let session = || Session::new(gate.signing_secret(), KEY);
    let by = |id: &str| post().bearer(&Session::new(gate.signing_secret(), id).mint());
    let good = || by(KEY);
    let claim =
        |name: &str, value: serde_json::Value| post().bearer(&session().claim(name, value).mint());
    let signs = Signature::new(gate.signing_secret(), "pk_signs");
    let nonce = Signature::new(gate.signing_secret(), "pk_nonce").nonce(&fresh());
    let read = Request::get("/x").header("X-Public-Key", "pk_read").origin(SITE);
    let narrow = Session::new(gate.signing_secret(), "pk_narrow").mint();
    let at = |method: &str, target: &str| Request::new(method, target).bearer(&session().mint());
    vec![
        (200, "bad-path", at("GET", "/a/..b")),
        (200, "bad-request", good().header("Host", "a-b")),
        (
            200,
            "bad-credential",
            post().header("Authorization", &format!("bearer {}", session().mint())),
        ),
        (200, "ambiguous-credential", good().header("X-Public-Key", KEY)),
        (200, "credential-missing", good()),
        (200, "key-unknown", by("pk_lasting")),
        (200, "key-revoked", by("pk_lasting")),
        (200, "key-expired", by("pk_lasting")),
        (200, "scheme-not-allowed", read),
        (200, "signature-invalid", claim("sub", json!("somebody"))),
        (200, "session-expired", claim("exp", json!(now() + 30))),
        (200, "session-not-yet-valid", claim("nbf", json!(now() + 30))),
        (200, "session-too-long", claim("exp", json!(now() + 3_600))),
        (200, "audience-mismatch", claim("aud", json!(["other", format!("http://{HOST}")]))),
        (200, "proof-missing", Bound::new(gate.signing_secret(), KEY).sign(post())),
        (200, "origin-denied", by("pk_origin").origin(SITE)),
        (200, "ip-denied", by("pk_ip").header("CF-Connecting-IP", "192.0.2.1")),
        (200, "method-denied", Request::new("PUT", "/cms/x").bearer(&narrow)),
        (200, "path-denied", Request::new("PUT", "/cms/").bearer(&narrow)),
        (200, "method-not-allowed", at("PUT", "/read/x")),
        (200, "body-too-large", at("POST", "/small/x").body("abc")),
        (403, "upstream-rejected-token", at("POST", "/403")),
        (519, "upstream-unreachable", at("POST", "/519")),
        (200, "token-missing", good()),
        (200, "feature-unavailable", good()),
        (200, "signature-unsupported", signs.clone().param("alg", "\"hmac-sha256\"").sign(post())),
        (200, "signature-incomplete", signs.sign(post())),
        (200, "signature-stale", signs.clone().param("created", now() - 250).sign(post())),
        (200, "digest-mismatch", signs.sign(post().body("another"))),
        (200, "replayed", nonce.sign(post())),
        (200, "url-expired", link(gate, now() + 30)),
    ]
}

fn of_sessions(gate: &impl Answers) -> Vec<(u16, &'static str, Request)> {
    let post = || Request::post("/x");
    let by = |id: &str| post().bearer(&Session::new(gate.signing_secret(), id).mint());
    let session = || Session::new(gate.signing_secret(), KEY);
    let good = session().mint();
    let claim =
        |name: &str, value: serde_json::Value| post().bearer(&session().claim(name, value).mint());
    vec![
        (400, "bad-path", Request::get("/a//b")),
        (400, "bad-request", post().header("Host", "a_b").bearer(&good)),
        (400, "bad-credential", post().bearer("nonsense")),
        (400, "ambiguous-credential", post().bearer(&good).header("X-Public-Key", "pk_ip")),
        (401, "credential-missing", post()),
        (401, "key-unknown", by("pk_nobody")),
        (401, "key-revoked", by("pk_revoked")),
        (401, "key-expired", by("pk_expired")),
        (401, "scheme-not-allowed", by("pk_read")),
        (401, "signature-invalid", post().bearer(&session().key(&fresh()).mint())),
        (401, "session-expired", claim("exp", json!(now() - 10))),
        (401, "session-not-yet-valid", claim("nbf", json!(now() + 1_000))),
        (401, "session-too-long", claim("exp", json!(now() + 9_999))),
        (401, "audience-mismatch", claim("aud", json!("other"))),
        (401, "proof-missing", claim("cnf", json!({"kid": format!("s_{}", "A".repeat(22))}))),
        (403, "origin-denied", by("pk_origin").origin("https://evil.example")),
        (403, "ip-denied", by("pk_ip")),
        (403, "method-denied", by("pk_narrow")),
        (
            403,
            "path-denied",
            Request::new("PUT", "/x")
                .bearer(&Session::new(gate.signing_secret(), "pk_narrow").mint()),
        ),
        (405, "method-not-allowed", Request::post("/read/x").bearer(&good)),
        (413, "body-too-large", Request::post("/small/x").bearer(&good)),
        (502, "upstream-rejected-token", Request::post("/401").bearer(&good)),
        (502, "upstream-unreachable", Request::post("/522").bearer(&good)),
        (503, "token-missing", Request::post("/tokenless/x").bearer(&good)),
        (503, "feature-unavailable", by("pk_rate")),
    ]
}

fn of_signatures(gate: &impl Answers) -> Vec<(u16, &'static str, Request)> {
    let post = || Request::post("/x");
    let by = Signature::new(gate.signing_secret(), "pk_signs");
    let once = Signature::new(gate.signing_secret(), "pk_nonce").nonce(&fresh());
    once.sign(post()).send(gate).passed();
    vec![
        (400, "signature-unsupported", by.clone().param("alg", "\"ed25519\"").sign(post())),
        (401, "signature-incomplete", by.clone().without("created").sign(post())),
        (401, "signature-stale", by.clone().param("created", 1).sign(post())),
        (401, "digest-mismatch", by.sign(post()).body("another")),
        (401, "replayed", once.sign(post())),
    ]
}

fn link(gate: &impl Answers, exp: u64) -> Request {
    let secret = sk(gate.signing_secret(), "pk_link", 1);
    Request::get(&signed(&secret, HOST, &before_sig("/x", "pk_link", exp)))
}

/// Answers with the status that the path names, or 200.
pub fn reply(request: &Seen, _nth: usize) -> Reply {
    Reply::new(request.target[1..].parse().unwrap_or(200))
}

/// Asserts that this answer is a refusal with everything that one has.
#[track_caller]
pub fn assert_shape(answer: &Response, status: u16, code: &str) {
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
        assert!(problem[text].as_str().is_some_and(|text| text.len() > 3), "{code}: {problem}");
    }
    let members: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
    let error = json!({"message": problem["detail"], "type": problem["type"], "code": code});
    assert_eq!(problem["error"], error, "{code}");
    let mut expected = vec!["type", "title", "status", "code", "detail", "request_id", "error"];
    if code.ends_with("-denied") {
        expected.push("limit");
    }
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
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"), "{code}");
    assert_eq!(answer.header("set-cookie"), None);
    let challenge = answer.header("www-authenticate");
    if status == 401 {
        let challenge = challenge.unwrap_or_else(|| panic!("{code} without a challenge"));
        assert!(challenge.starts_with("Bearer realm=\"writegate\""), "{code}: {challenge}");
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
