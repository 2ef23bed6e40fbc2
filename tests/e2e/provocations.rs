//! A gate where everything can go wrong, and one request for each way.

use serde_json::json;
use testkit::client::{HOST, Request};
use testkit::gate::{Gate, Setup};
use testkit::token::{b64, fresh, hmac, now, sk};
use testkit::upstream::{Reply, Upstream};

const SITE: &str = "https://www.example.com";

/// A gate where everything can go wrong.
pub(crate) fn gate(upstream: &Upstream) -> Gate {
    setup(upstream).start()
}

pub(crate) fn setup(upstream: &Upstream) -> Setup {
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
        .key(json!({"id": "pk_signs", "schemes": ["signature"]}))
        .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
        .key(json!({"id": "pk_link", "schemes": ["url"]}))
        .replay()
}

/// One request for each code that the gate can give to a request that it would forward.
pub(crate) fn provocations(gate: &Gate) -> Vec<(u16, &'static str, Request)> {
    let mut all = of_sessions(gate);
    all.extend(of_signatures(gate));
    all.push((401, "url-expired", expired_link(gate)));
    all
}

fn of_sessions(gate: &Gate) -> Vec<(u16, &'static str, Request)> {
    let post = || Request::post("/x");
    let by = |id: &str| post().bearer(&gate.session_of(id).mint());
    let good = gate.bearer();
    let session = || gate.session();
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
            Request::new("PUT", "/x").bearer(&gate.session_of("pk_narrow").mint()),
        ),
        (405, "method-not-allowed", Request::post("/read/x").bearer(&good)),
        (413, "body-too-large", Request::post("/small/x").bearer(&good)),
        (502, "upstream-rejected-token", Request::post("/401").bearer(&good)),
        (502, "upstream-unreachable", Request::post("/522").bearer(&good)),
        (503, "token-missing", Request::post("/tokenless/x").bearer(&good)),
        (503, "feature-unavailable", by("pk_rate")),
    ]
}

fn of_signatures(gate: &Gate) -> Vec<(u16, &'static str, Request)> {
    let post = || Request::post("/x");
    let by = gate.signature_of("pk_signs");
    let once = gate.signature_of("pk_nonce").nonce(&fresh());
    once.sign(post()).send(gate).passed();
    vec![
        (400, "signature-unsupported", by.clone().param("alg", "\"ed25519\"").sign(post())),
        (401, "signature-incomplete", by.clone().without("created").sign(post())),
        (401, "signature-stale", by.clone().param("created", 1).sign(post())),
        (401, "digest-mismatch", by.sign(post()).body("another")),
        (401, "replayed", once.sign(post())),
    ]
}

fn expired_link(gate: &Gate) -> Request {
    let target = format!("/x?key=pk_link&exp={}", now() - 10);
    let sk = sk(&gate.signing_secret, "pk_link", 1);
    let signed = format!("writegate-url-v1\n{HOST}\n{target}");
    let mac = b64(hmac(sk.as_bytes(), signed.as_bytes()));
    Request::get(&format!("{target}&sig={mac}"))
}

/// Answers with the status that the path names, or 200.
pub(crate) fn upstream() -> Upstream {
    Upstream::answering(|request, _| Reply::new(request.target[1..].parse().unwrap_or(200)))
}
