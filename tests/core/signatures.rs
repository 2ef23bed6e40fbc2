//! Signed requests (docs/wire-contract.md, section 3): what must be covered, algorithm, secret, and the order in
//! which they are refused.

use crate::native::{Check, check};
use serde_json::json;
use testkit::bound::{BAD, INCOMPLETE, INVALID, STALE, UNSUPPORTED, refused, signing};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::{COVERED, Signature, bytes, sha256, sha512};
use testkit::token::{fresh, sk};

/// Returns a gate whose one key signs requests and nothing else.
pub(crate) fn start() -> Check {
    check(signing)
}

#[test]
fn a_signed_request_arrives_without_its_proof() {
    let mut table = start();
    let request = table.gate.signature().sign(Request::post("/x?a=1"));
    table.passes("signed", &request);
    let seen = table.upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/x?a=1"));
    assert_eq!(seen.body, br#"{"a":1}"#);
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {}", table.gate.token)));
    for name in ["signature", "signature-input"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    for method in ["GET", "HEAD", "DELETE"] {
        let request = table.gate.signature().sign(Request::new(method, "/x"));
        table.passes(method, &request);
    }
    let empty = Request::new("POST", "/x").body("");
    let request = table.gate.signature().covers(&COVERED).sign(empty);
    table.passes("a length of 0 is no body", &request);
}

#[test]
fn the_method_the_whole_target_and_the_body_must_be_covered() {
    let mut table = start();
    let full: [&[&str]; 5] = [
        &["@method", "@authority", "@path", "@query"],
        &["@method", "@authority", "@request-target"],
        &["@method", "@target-uri"],
        &["@query", "@path", "@authority", "@method"],
        &["@target-uri", "@method", "@scheme", "accept", "host"],
    ];
    let short: [&[&str]; 12] = [
        &[],
        &["@authority", "@path", "@query"],
        &["@method"],
        &["@method", "@path", "@query"],
        &["@method", "@authority", "@query"],
        &["@method", "@authority", "@path"],
        &["@method", "@authority"],
        &["@method", "@request-target"],
        &["@method", "@scheme", "@path", "@query"],
        &["@method", "host", "@path", "@query"],
        &["@method", "host", "@request-target"],
        &["@target-uri"],
    ];
    let get = || Request::get("/x").header("Accept", "*/*");
    let post = || {
        let request = Request::new("POST", "/x").header("Accept", "*/*");
        request.body("{}")
    };
    for list in full {
        let what = format!("{list:?}");
        let by = table.gate.signature().covers(list);
        table.passes(&what, &by.sign(get()));
        refused(&mut table, &what, by.sign(post()), INCOMPLETE);
        let whole = by.also("content-digest").sign(post());
        table.passes(&format!("{what} and the body"), &whole);
    }
    for list in short {
        let by = table.gate.signature().covers(list);
        refused(&mut table, &format!("{list:?}"), by.sign(get()), INCOMPLETE);
    }
    // A parameter of the query is not the query.
    let parts = ["@method", "@authority", "@path", "@query-param;name=\"a\""];
    let by = table.gate.signature().covers(&parts);
    let by = by.value(parts[3], "1");
    refused(&mut table, "no @query", by.sign(Request::get("/x?a=1")), INCOMPLETE);
    table.passes("with it", &by.also("@query").sign(Request::get("/x?a=1")));
}

#[test]
fn a_digest_is_compared_where_it_is_covered_and_nowhere_else() {
    let mut table = check(|setup| setup.site(json!({"schemes": ["signature", "session"]})));
    let whole = table.gate.signature().also("content-digest");
    let mismatch = (401, "digest-mismatch");
    let signed = table.gate.signature().sign(Request::post("/x"));
    for body in [r#"{"a":2}"#, r#"{"a":1"#, r#"{"a":1} "#, "", "x"] {
        refused(&mut table, body, signed.clone().body(body), mismatch);
    }
    let swap = |digest: Option<String>| {
        let mut request = signed.clone().body("{}");
        request.headers.retain(|(name, _)| name != "Content-Digest");
        digest.iter().fold(request, |request, digest| request.header("Content-Digest", digest))
    };
    refused(&mut table, "its digest changed too", swap(Some(sha256(b"{}"))), INVALID);
    refused(&mut table, "no digest", swap(None), INCOMPLETE);
    for request in [Request::get("/x"), Request::new("DELETE", "/x"), Request::new("POST", "/x")] {
        table.passes(&request.method, &whole.sign(request.clone()));
        let other = request.clone().header("Content-Digest", &sha256(b"x"));
        refused(&mut table, &request.method, whole.sign(other), mismatch);
        let bad = request.header("Content-Digest", "x y");
        refused(&mut table, "no dictionary", whole.sign(bad), BAD);
    }
    let (by, body) = (table.gate.signature(), br#"{"a":1}"#);
    let two = Request::post("/x").header("Content-Digest", &sha256(body));
    let twice = two.clone().header("Content-Digest", &sha256(body));
    refused(&mut table, "twice, in two fields", by.sign(twice), BAD);
    table.passes("two algorithms", &by.sign(two.header("Content-Digest", &sha512(body))));
    for digest in ["garbage garbage", "sha-256=1", "sha-256=:AAAA:", "md5=:AA==:, md5=:AA==:"] {
        let by = table.gate.signature().covers(&COVERED);
        let with = |request: Request| request.header("Content-Digest", digest);
        table.passes(digest, &by.sign(with(Request::get("/x"))));
        table.passes(digest, &with(Request::post("/x")).bearer(&table.gate.bearer()));
        refused(&mut table, digest, by.sign(with(Request::post("/x"))), INCOMPLETE);
    }
}

#[test]
fn a_covered_header_that_is_absent_is_not_an_empty_one() {
    let mut table = start();
    let by = table.gate.signature().also("x-extra");
    refused(&mut table, "absent", by.sign(Request::get("/x")), INCOMPLETE);
    let empty = Request::get("/x").header("X-Extra", "");
    table.passes("empty", &by.sign(empty));
    let removed = by.sign(Request::get("/x").header("X-Extra", "1"));
    table.passes("there", &removed);
    let mut without = removed.clone();
    without.headers.retain(|(name, _)| name != "X-Extra");
    refused(&mut table, "removed after it was signed", without, INCOMPLETE);
    let mut twice = removed;
    twice.headers.push(("x-extra".into(), "1".into()));
    refused(&mut table, "repeated after it was signed", twice, INVALID);
}

#[test]
fn the_algorithm_is_the_gates_and_nobody_elses() {
    let mut table = start();
    let alg = |table: &Check, name: &str| {
        let by = table.gate.signature().param("alg", format!("\"{name}\""));
        by.sign(Request::get("/x"))
    };
    let right = alg(&table, "hmac-sha256");
    table.passes("hmac-sha256", &right);
    for name in [
        "HMAC-SHA256", "hmac-sha512", "hs2019", "none", "", "ed25519", "rsa-pss-sha512",
        "hmac-sha256 ",
    ] {
        let other = alg(&table, name);
        refused(&mut table, &format!("{name:?}"), other, UNSUPPORTED);
    }
    let by = table.gate.signature();
    let more = by.param("tag", "\"app\"").param("x-own", "7").param("flag", "");
    table.passes("parameters of the caller's own", &more.sign(Request::get("/x")));
}

#[test]
fn the_mac_is_the_keys() {
    let former = fresh();
    let mut table = check(|setup| {
        setup
            .site(json!({"schemes": ["signature"], "version": 3}))
            .key(json!({"id": "pk_other", "schemes": ["signature"]}))
            .env("SIGNING_SECRET_PREVIOUS", former.as_str())
    });
    let root = table.gate.signing_secret.clone();
    let by = |secret: &str| Signature::by(KEY, secret).sign(Request::post("/x"));
    table.passes("its version", &by(&sk(&root, KEY, 3)));
    table.passes("the former root", &by(&sk(&former, KEY, 3)));
    for (what, secret) in [
        ("a version before", sk(&root, KEY, 2)),
        ("the next version", sk(&root, KEY, 4)),
        ("another key's", sk(&root, "pk_other", 1)),
        ("another root", sk(&fresh(), KEY, 3)),
        ("without its prefix", sk(&root, KEY, 3)[3..].to_owned()),
        ("the root itself", root.clone()),
    ] {
        refused(&mut table, what, by(&secret), INVALID);
    }
    let mut without = check(|setup| setup.site(json!({"schemes": ["signature"], "version": 3})));
    refused(&mut without, "no former root", by(&sk(&former, KEY, 3)), INVALID);
    let zeros = table.gate.signature().tag(&bytes([0; 32]));
    refused(&mut table, "zeros", zeros.sign(Request::get("/x")), INVALID);
}

#[test]
fn what_is_wrong_in_two_ways_is_refused_for_the_earlier_one() {
    let mut table = check(|setup| {
        setup
            .site(
                json!({"schemes": ["signature"], "paths": ["/open/*"], "methods": ["GET", "POST"]}),
            )
            .key(json!({"id": "pk_revoked", "revoked": true, "expires": "2020-01-01T00:00:00Z"}))
            .key(json!({"id": "pk_over", "expires": "2020-01-01T00:00:00Z"}))
            .key(json!({"id": "pk_session"}))
            .key(json!({"id": "pk_ip", "schemes": ["signature"], "allowed_ips": ["192.0.2.1"]}))
    });
    let forged = |id: &str| Signature::by(id, &fresh());
    let nowhere = || Request::post("/closed");
    let broken = |by: Signature| by.param("nonce", "7").covers(&["@path"]);
    let odd = |by: Signature| by.param("alg", "\"none\"").covers(&["@path"]);
    let late = |by: Signature| by.param("created", 1);
    let mine = table.gate.signature();
    for (what, by, expected) in [
        ("form, then key", forged("pk_nobody").param("x", "("), (400, "bad-credential")),
        ("form, then revoked", broken(forged("pk_revoked")), (400, "bad-credential")),
        ("support, then revoked", odd(forged("pk_revoked")), UNSUPPORTED),
        ("unknown, then coverage", late(forged("pk_nobody")), (401, "key-unknown")),
        ("revoked, then over", late(forged("pk_revoked")), (401, "key-revoked")),
        ("over, then scheme", late(forged("pk_over")), (401, "key-expired")),
        (
            "scheme, then coverage",
            late(forged("pk_session")).covers(&["@path"]),
            (401, "scheme-not-allowed"),
        ),
        ("coverage, then MAC", late(forged(KEY)).covers(&["@path"]), INCOMPLETE),
        ("MAC, then time", late(forged(KEY)), INVALID),
        ("time, then method and path", late(mine.clone()), STALE),
        ("MAC, then address", forged("pk_ip"), INVALID),
        ("address, then path", table.gate.signature_of("pk_ip"), (403, "ip-denied")),
        ("path", mine, (403, "path-denied")),
    ] {
        refused(&mut table, what, by.sign(nowhere()), expected);
    }
    let digest = nowhere().header("Content-Digest", &testkit::signing::sha256(b"other"));
    let by = table.gate.signature();
    refused(&mut table, "path, then digest", by.sign(digest), (403, "path-denied"));
    let method = by.sign(Request::new("PUT", "/open/x").body("{}"));
    refused(&mut table, "a method that the key has not", method, (403, "method-denied"));
    table.passes("nothing wrong", &by.sign(Request::post("/open/x")));
}
