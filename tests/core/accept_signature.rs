//! `Accept-Signature` (docs/wire-contract.md, section 6; RFC 9421, section 5): a refusal says what to sign, and a client that does
//! exactly that passes.

use serde_json::json;
use testkit::client::{Request, Response};
use testkit::gate::{KEY, Setup};
use testkit::signing::{COVERED, Signature, sha256};
use testkit::token::{fresh, now};

use crate::native::{Check, check};
use testkit::bound::Bound;

const BODY: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
const NO_BODY: &str = r#"("@method" "@authority" "@path" "@query")"#;

/// Keys of every kind, and a route whose bodies need not be signed.
fn start() -> Check {
    check(|setup: Setup| {
        setup
            .route("/*", json!({}))
            .route("/open/*", json!({"unsigned_body": true}))
            .site(json!({"schemes": ["signature", "session"], "allowed_ips": ["192.0.2.1"]}))
            .key(json!({"id": "pk_session"}))
            .key(json!({"id": "pk_nonce", "schemes": ["session", "signature"], "nonce": "required"}))
            .key(json!({"id": "pk_strict", "schemes": ["session"], "nonce": "required"}))
            .key(json!({"id": "pk_signs", "schemes": ["signature"]}))
            .key(json!({"id": "pk_over", "schemes": ["signature"], "expires": "2020-01-01T00:00:00Z"}))
            .key(json!({"id": "pk_gone", "schemes": ["signature"], "revoked": true}))
            .replay()
    })
}

fn from(request: Request) -> Request {
    request.header("CF-Connecting-IP", "192.0.2.1")
}

fn post() -> Request {
    from(Request::post("/x"))
}

fn get() -> Request {
    from(Request::get("/x"))
}

fn wanted(answer: &Response) -> String {
    answer.header("accept-signature").unwrap_or_default()
}

#[test]
fn a_refusal_says_what_to_sign() {
    let mut table = start();
    let by = table.gate.signature();
    let nonce = table.gate.signature_of("pk_nonce").nonce(&fresh());
    table.passes("to be used up", &nonce.sign(post()));
    let session = |id: &str| table.gate.session_of(id);
    let cases = [
        (KEY, NO_BODY, by.clone().secret("x").sign(get())),
        (KEY, BODY, by.clone().secret("x").sign(post())),
        (KEY, NO_BODY, by.clone().secret("x").sign(from(Request::post("/open/x")))),
        (KEY, NO_BODY, by.clone().secret("x").sign(from(Request::new("POST", "/x").body("")))),
        (KEY, BODY, by.clone().covers(&["@method"]).sign(post())),
        (KEY, BODY, by.clone().covers(&COVERED).sign(post())),
        (KEY, BODY, by.clone().param("created", 1).sign(post())),
        (KEY, BODY, by.sign(post()).body("{}")),
        (KEY, BODY, post().bearer(&session(KEY).claim("exp", 1).mint())),
        (KEY, NO_BODY, get().bearer(&session(KEY).key("x").mint())),
        ("pk_signs", BODY, post().bearer(&session("pk_signs").mint())),
        ("pk_over", BODY, post().bearer(&session("pk_over").mint())),
        ("pk_gone", NO_BODY, get().bearer(&session("pk_gone").mint())),
        ("pk_nonce", BODY, post().bearer(&session("pk_nonce").mint())),
        ("pk_nonce", NO_BODY, table.gate.signature_of("pk_nonce").sign(get())),
        ("pk_nonce", BODY, nonce.sign(post())),
    ];
    for (id, list, request) in cases {
        let answer = request.send(&table.gate);
        let mut expected = format!("sig1={list};created;keyid=\"{id}\";alg=\"hmac-sha256\"");
        if id == "pk_nonce" {
            expected.push_str(&format!(";nonce=\"{}\"", answer.request_id()));
        }
        table.that(answer.status == 401 && wanted(&answer) == expected, || {
            format!("expected {expected}, got {answer}")
        });
    }
}

#[test]
fn no_other_refusal_does() {
    let mut table = start();
    let by = table.gate.signature();
    let session = |id: &str| table.gate.session_of(id);
    let cases = [
        (401, post()),
        (401, Signature::by("pk_nobody", "x").sign(post())),
        (401, post().bearer(&session("pk_session").claim("exp", 1).mint())),
        (401, post().bearer(&session("pk_session").key("x").mint())),
        (401, table.gate.signature_of("pk_session").sign(post())),
        (401, post().bearer(&session("pk_strict").mint())),
        (400, by.clone().param("nonce", 1).sign(post())),
        (400, by.clone().also("@status").sign(post())),
        (403, by.sign(Request::post("/x"))),
        (400, by.sign(Request::post("/x//y"))),
        (200, by.sign(post())),
    ];
    for (status, request) in cases {
        let answer = request.send(&table.gate);
        table.that(answer.status == status && wanted(&answer).is_empty(), || {
            format!("expected {status} and no Accept-Signature, got {answer}")
        });
    }
}

#[test]
fn a_bound_session_must_cover_its_token() {
    let mut table = start();
    let root = table.gate.signing_secret.clone();
    for (id, nonce) in [(KEY, false), ("pk_session", false), ("pk_strict", true)] {
        let bound = Bound::new(&root, id);
        let with = |request: Request| request.bearer(&bound.token());
        for (list, request) in [
            (BODY, with(post())),
            (NO_BODY, with(get())),
            (BODY, bound.proof().nonce(&fresh()).secret("x").sign(with(post()))),
            (BODY, bound.proof_of_less().nonce(&fresh()).sign(with(post()))),
            (NO_BODY, bound.proof().nonce(&fresh()).param("created", 1).sign(with(get()))),
        ] {
            let answer = request.send(&table.gate);
            let list = list.replace(')', " \"authorization\")");
            let mut expected =
                format!("sig1={list};created;keyid=\"{}\";alg=\"hmac-sha256\"", bound.kid);
            if nonce {
                expected.push_str(&format!(";nonce=\"{}\"", answer.request_id()));
            }
            table.that(answer.status == 401 && wanted(&answer) == expected, || {
                format!("expected {expected}, got {answer}")
            });
        }
    }
}

/// Does what a refusal asked for: its list, its parameters, and a time for `created`.
fn obey(answer: &Response, secret: &str, mut request: Request) -> Request {
    let wanted = wanted(answer);
    let member = wanted.strip_prefix("sig1=").expect("one signature wanted");
    let list = &member[1..member.find(')').expect("a list")];
    let names: Vec<_> = list.split(' ').map(|name| name.trim_matches('"')).collect();
    if names.contains(&"content-digest") {
        let digest = sha256(request.body.as_deref().unwrap_or_default());
        request = request.header("Content-Digest", &digest);
    }
    let member = member.replacen(";created;", &format!(";created={};", now()), 1);
    let by = Signature::by("", secret).covers(&names).member(&member);
    by.sign(request)
}

#[test]
fn who_obeys_passes() {
    let mut table = start();
    let root = table.gate.signing_secret.clone();
    let targets =
        [post(), get(), from(Request::post("/open/x?a=%7e")), from(Request::new("DELETE", "/x"))];
    for id in [KEY, "pk_nonce", "pk_signs"] {
        for request in targets.clone() {
            let by = table.gate.signature_of(id);
            let refused = by.covers(&["@path"]).sign(request.clone()).send(&table.gate);
            let obedient = obey(&refused, &table.gate.signature_of(id).secret, request);
            table.passes(&format!("{id} at {}", obedient.target), &obedient);
        }
    }
    for id in [KEY, "pk_session", "pk_strict"] {
        for request in targets.clone() {
            let bound = Bound::new(&root, id);
            let request = request.bearer(&bound.token());
            let refused = request.send(&table.gate);
            let obedient = obey(&refused, &bound.proof().secret, request);
            table.passes(&format!("a session of {id} at {}", obedient.target), &obedient);
        }
    }
}
