//! A kept answer is for whoever may have it (docs/wire-contract.md, sections 4 and 8): who is known but may not, or
//! has had enough, gets nothing of it.

use serde_json::json;
use testkit::cache::{TTL, get, start};
use testkit::client::Request;
use testkit::token::fresh;

use crate::cache_refusals::{SITE, TARGET, by, closed, warmed};

#[test]
fn who_may_not_gets_nothing_of_the_cache() {
    let mut table = warmed();
    let site = |origin: &str| by(&table, "pk_origin").origin(origin);
    let claim = |name: &str, value: serde_json::Value| {
        Request::get(TARGET).bearer(&table.gate.session().claim(name, value).mint())
    };
    let bare = |origin: &str| Request::get(TARGET).header("X-Public-Key", "pk_open").origin(origin);
    let address = |address: &str| by(&table, "pk_ip").header("CF-Connecting-IP", address);
    let refused = [
        ("origin", site("https://evil.example"), "origin-denied"),
        ("no origin", by(&table, "pk_origin"), "origin-denied"),
        ("a public key's origin", bare("https://evil.example"), "origin-denied"),
        ("address", address("192.0.2.2"), "ip-denied"),
        ("no address", by(&table, "pk_ip"), "ip-denied"),
        ("method", by(&table, "pk_posts"), "method-denied"),
        ("path", by(&table, "pk_elsewhere"), "path-denied"),
        ("a session's method", claim("methods", json!(["POST"])), "method-denied"),
        ("a session's path", claim("paths", json!(["/other"])), "path-denied"),
        (
            "a session's origin",
            claim("origin", json!(SITE)).origin("https://evil.example"),
            "origin-denied",
        ),
        ("an admin", by(&table, "pk_admin"), "path-denied"),
    ];
    let allowed = [
        ("origin", site(SITE)),
        ("a public key's origin", bare(SITE)),
        ("address", address("192.0.2.1")),
        ("a session's method", claim("methods", json!(["GET"]))),
        ("a session's path", claim("paths", json!(["/posts"]))),
        ("a session's origin", claim("origin", json!(SITE)).origin(SITE)),
    ];
    for (what, request, code) in refused {
        closed(&mut table, what, &request, 403, code);
    }
    for (what, request) in allowed {
        table.hit(what, &request);
    }
}

#[test]
fn who_has_had_enough_gets_nothing_of_the_cache() {
    let mut table = warmed();
    let limited = by(&table, "pk_rate");
    for _ in 0..3 {
        table.hit("within its rate", &limited);
    }
    closed(&mut table, "over its rate", &limited, 429, "rate-limited");
    let quota = by(&table, "pk_quota");
    table.hit("within its quota", &quota);
    closed(&mut table, "over its quota", &quota, 429, "quota-exceeded");
    let unlimited = by(&table, "pk_no_rate");
    closed(&mut table, "a limiter that is not there", &unlimited, 503, "feature-unavailable");
}

#[test]
fn a_nonce_counts_once_for_a_kept_answer_too() {
    let mut table = warmed();
    let signature = table.gate.signature_of("pk_nonce");
    let plain = signature.sign(Request::get(TARGET));
    closed(&mut table, "without a nonce", &plain, 401, "signature-incomplete");
    let session = by(&table, "pk_nonce");
    closed(&mut table, "a session", &session, 401, "proof-missing");
    let request = signature.nonce(&fresh()).sign(Request::get(TARGET));
    table.hit("once", &request);
    closed(&mut table, "twice", &request, 401, "replayed");
}

#[test]
fn a_malformed_request_gets_nothing_of_the_cache() {
    let mut table = warmed();
    let token = table.gate.bearer();
    for (what, request, status, code) in [
        (
            "a path that means two things",
            Request::get("/x/../posts").bearer(&token),
            400,
            "bad-path",
        ),
        ("a body", Request::get(TARGET).bearer(&token).body("x"), 400, "bad-request"),
        (
            "an upgrade",
            Request::get(TARGET)
                .bearer(&token)
                .header("Upgrade", "websocket")
                .header("Connection", "upgrade"),
            400,
            "bad-request",
        ),
        ("no method", Request::new("TRACE", TARGET).bearer(&token), 405, "method-not-allowed"),
    ] {
        let answer = table.refused(what, &request, status, code);
        table.that(!answer.text().contains("answer"), || format!("{what}: {answer}"));
    }
}

#[test]
fn a_route_that_lost_its_token_serves_nothing_of_the_cache() {
    let mut table = start(|setup| {
        let cache = json!({"ttl": TTL, "scope": "shared"});
        setup
            .route("/*", json!({"cache": cache}))
            .site(json!({}))
            .cache()
            .twice_with("WRITE_TOKEN", "")
    });
    let request = get(&table.gate, TARGET);
    table.warm("with the token", &request);
    let answer = request.send_to(table.gate.second);
    table.that(answer.status == 503 && !answer.text().contains("answer"), || answer.to_string());
}
