//! The answer to a refused signature (docs/wire-contract.md, section 6): the base that the gate computed, and what to
//! sign. Never a MAC.

use serde_json::json;
use testkit::client::{Request, Response};
use testkit::gate::KEY;
use testkit::signing::sha256;
use testkit::token::fresh;

use crate::native::check;
use crate::signatures::start;
use testkit::bound::Bound;

/// Returns the base in a refusal, or an empty text.
fn base_in(answer: &Response) -> String {
    let base = answer.json()["signature_base"].as_str().map(str::to_owned);
    base.unwrap_or_default()
}

#[test]
fn the_answer_to_a_wrong_signature_has_the_base() {
    let mut table = start();
    let by = table.gate.signature().secret(&fresh());
    let full = by
        .clone()
        .covers(&[
            "x-own", "@target-uri", "@method", "@scheme", "@request-target", "content-digest",
        ])
        .nonce("a \\\"nonce\\\"")
        .param("tag", "token")
        .param("flag", "")
        .param("alg", "\"hmac-sha256\"");
    let own = |request: Request| request.header("X-Own", " a ").header("X-Own", "\"b\\\"");
    let digest = |request: Request, body: &[u8]| request.header("Content-Digest", &sha256(body));
    for (what, by, request) in [
        ("nothing more", &by, Request::get("/a%7eb?x=%2f&y")),
        ("a body", &by, digest(Request::post("/x"), br#"{"a":1}"#)),
        ("much more", &full, digest(own(Request::post("/x?")), b"other")),
    ] {
        let answer = table.refused(what, &by.sign(request.clone()), 401, "signature-invalid");
        let (shown, expected) = (base_in(&answer), by.base(&request));
        table.that(shown == expected, || format!("{what}: shown {shown:?}, expected {expected:?}"));
    }
    let head = by.sign(Request::new("HEAD", "/x")).send(&table.gate);
    assert_eq!((head.status, head.body.len()), (401, 0));
}

#[test]
fn the_base_in_an_answer_has_no_secret() {
    let mut table = check(|setup| setup.site(json!({"schemes": ["signature", "session"]})));
    let value = fresh();
    let names = [
        "cookie", "proxy-authorization", "signature", "x-api-key", "x-auth-token",
        "cf-access-jwt-assertion", "cf-access-client-secret", "x-goog-api-key", "private-token",
        "dpop", "x-edge-secret", "x-forwarded-for",
    ];
    for name in names {
        let by = table.gate.signature().also(name).secret("another");
        let mut request = Request::get("/x");
        if name != "signature" {
            request = request.header(name, &value);
        }
        let answer = table.refused(name, &by.sign(request.clone()), 401, "signature-invalid");
        let expected = by.value(name, "[redacted]").base(&request);
        let shown = base_in(&answer);
        table.that(shown == expected, || format!("{name}: shown {shown:?}"));
        table.that(!answer.to_string().contains(&value), || format!("{name}: {answer}"));
    }
    let by = table.gate.signature().also("cookie");
    table.passes(
        "a cookie, covered as it is",
        &by.sign(Request::get("/x").header("Cookie", &value)),
    );
    let bound = Bound::new(&table.gate.signing_secret, KEY);
    let by = bound.proof().secret("another");
    let request = Request::get("/x").bearer(&bound.token());
    let answer = table.refused("a session", &by.sign(request.clone()), 401, "signature-invalid");
    let expected = by.value("authorization", "[redacted]").base(&request);
    table.that(base_in(&answer) == expected, || format!("a session: {answer}"));
}

#[test]
fn no_other_refusal_tells_a_base() {
    let mut table =
        check(|setup| setup.site(json!({"schemes": ["signature", "session"], "paths": ["/x"]})));
    let by = table.gate.signature();
    let bound = Bound::new(&table.gate.signing_secret, KEY);
    let mut forged = bound.clone();
    forged.session = forged.session.key(&fresh());
    let post = || Request::post("/x");
    for (what, request, status, code) in [
        ("coverage", by.clone().covers(&["@method"]).sign(post()), 401, "signature-incomplete"),
        ("time", by.clone().param("created", 1).sign(post()), 401, "signature-stale"),
        ("body", by.sign(post()).body("{}"), 401, "digest-mismatch"),
        ("path", by.sign(Request::get("/y")), 403, "path-denied"),
        ("form", by.clone().param("nonce", 1).sign(post()), 400, "bad-credential"),
        ("support", by.clone().also("@status").sign(post()), 400, "signature-unsupported"),
        (
            "a session",
            post().bearer(&table.gate.session().key("x").mint()),
            401,
            "signature-invalid",
        ),
        ("a bound session", forged.sign(post()), 401, "signature-invalid"),
        ("no proof", post().bearer(&bound.token()), 401, "proof-missing"),
    ] {
        let answer = table.refused(what, &request, status, code);
        let base = &answer.json()["signature_base"];
        table.that(base.is_null(), || format!("{what}: {answer}"));
    }
}
