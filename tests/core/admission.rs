//! Admission: what is asked of the platform, in which order, and what each failure is answered with (docs/wire-contract.md,
//! section 4).

use serde_json::{Value, json};
use testkit::client::{Request, Response};
use testkit::upstream::Reply;
use writegate::platform::BodyError;

use crate::native::{Gate, Upstream, start};

/// Returns a gate whose key asks for everything that costs something.
fn gate(key: Value) -> Gate {
    let gate = start(&Upstream::start(), |setup| {
        let setup = setup.site(key).route("/*", json!({"max_body_bytes": 1_000}));
        setup.limiter("RATE_STANDARD").replay().ledger()
    });
    gate.platform.calls.take();
    gate
}

fn everything() -> Value {
    json!({"schemes": ["signature"], "rate": "standard", "nonce": "required", "quota": {"requests": 2, "per": "day"}})
}

fn signed(gate: &Gate, nonce: &str) -> Request {
    gate.signature().nonce(nonce).sign(Request::post("/x"))
}

/// Sends this, and compares the code and what was asked meanwhile.
#[track_caller]
fn asks(gate: &Gate, request: &Request, code: &str, calls: &[&str]) -> Response {
    let answer = request.send(gate);
    assert_eq!(answer.code(), code, "{answer}");
    assert_eq!(gate.platform.calls.take(), calls, "{code}");
    answer
}

#[test]
fn the_rate_comes_first_then_the_quota_the_body_and_the_nonce() {
    let gate = gate(everything());
    asks(&gate, &signed(&gate, "nonce one"), "", &["rate", "usage", "body", "nonce"]);
    // What the ledger said a moment ago counts, so it is not asked again.
    asks(&gate, &signed(&gate, "nonce one"), "replayed", &["rate", "body", "nonce"]);
    let other = signed(&gate, "nonce two").body("other");
    asks(&gate, &other, "digest-mismatch", &["rate", "body"]);
    asks(&gate, &signed(&gate, "nonce two"), "rate-limited", &["rate"]);
}

#[test]
fn what_is_refused_earlier_asks_for_nothing() {
    let gate = gate(everything());
    let by = gate.signature().nonce("nonce one");
    for (code, request) in [
        ("bad-path", Request::get("/a//b")),
        ("credential-missing", Request::post("/x")),
        ("signature-invalid", by.clone().secret("another").sign(Request::post("/x"))),
        ("signature-incomplete", by.clone().covers(&["@method"]).sign(Request::post("/x"))),
        ("body-too-large", by.sign(Request::post("/x").body("x".repeat(1_001)))),
    ] {
        asks(&gate, &request, code, &[]);
    }
}

#[test]
fn a_quota_that_is_used_up_refuses_before_the_body_is_read() {
    let gate = gate(everything());
    gate.platform.had.set(2);
    let over = asks(&gate, &signed(&gate, "nonce one"), "quota-exceeded", &["rate", "usage"]);
    let left = over.header("retry-after").unwrap();
    assert_eq!(over.header("ratelimit"), Some(format!("\"requests\";r=0;t={left}")));
    assert_eq!(over.header("ratelimit-policy").as_deref(), Some("\"requests\";q=2;w=86400"));
    let within = self::gate(everything());
    within.platform.had.set(1);
    let calls = ["rate", "usage", "body", "nonce"];
    asks(&within, &signed(&within, "nonce one"), "", &calls);
}

#[test]
fn a_quota_is_used_up_by_what_was_forwarded_and_by_its_bytes() {
    let upstream = Upstream::answering(|request, _| {
        Reply::new(request.target[1..].parse().unwrap_or(200)).body("done")
    });
    for (quota, passing) in [
        (json!({"requests": 2, "per": "day"}), vec!["/500", "/x"]),
        // 7 bytes each; those of an answer are known as they pass (`tests/e2e/usage_passed.rs`).
        (json!({"bytes": 50, "per": "day"}), [&["/500"][..], &["/x"; 7]].concat()),
    ] {
        let gate = start(&upstream, |setup| {
            setup.site(json!({"paths": ["/x", "/500", "/522"], "quota": quota})).ledger()
        });
        let code = |path: &str| Request::post(path).bearer(&gate.bearer()).send(&gate).code();
        for _ in 0..9 {
            assert_eq!(code("/y"), "path-denied");
            assert_eq!(code("/522"), "upstream-unreachable");
        }
        for path in passing {
            assert_eq!(code(path), "", "{quota}");
        }
        assert_eq!(code("/x"), "quota-exceeded", "{quota}");
    }
}

#[test]
fn only_a_body_that_is_needed_is_read() {
    let session = |gate: &Gate| Request::post("/x").bearer(&gate.bearer());
    let plain = gate(json!({}));
    asks(&plain, &session(&plain), "", &[]);
    let quota = gate(json!({"quota": {"requests": 1, "per": "day"}}));
    asks(&quota, &session(&quota), "", &["usage"]);
    let signs = gate(json!({"schemes": ["signature"]}));
    asks(&signs, &signs.signature().sign(Request::post("/x")), "", &["body"]);
    asks(&signs, &signs.signature().sign(Request::get("/x")), "", &[]);
}

#[test]
fn a_body_that_does_not_arrive_has_a_refusal_for_each_reason() {
    for (error, status, code) in [
        (BodyError::TooLarge, 413, "body-too-large"),
        (BodyError::TooSlow, 408, "body-timeout"),
        (BodyError::Overloaded, 503, "overloaded"),
        (BodyError::CallerGone, 499, ""),
    ] {
        let gate = gate(everything());
        gate.platform.body_error.set(Some(error));
        let request = signed(&gate, "nonce one");
        let answer = asks(&gate, &request, code, &["rate", "usage", "body"]);
        assert_eq!(answer.status, status, "{code}");
        let retry = answer.header("retry-after");
        assert_eq!(retry.as_deref(), (code == "overloaded").then_some("1"), "{code}");
        gate.platform.body_error.set(None);
        asks(&gate, &request, "", &["rate", "body", "nonce"]);
    }
}

#[test]
fn what_does_not_answer_closes_the_keys_that_ask_for_it() {
    let alarms = [
        ("rate", "RATE_STANDARD (missing, or did not answer)", vec!["rate"]),
        ("usage", "LEDGER (missing, or did not answer)", vec!["rate", "usage"]),
        ("nonce", "REPLAY (missing, or did not answer)", vec!["rate", "usage", "body", "nonce"]),
    ];
    for (silent, feature, calls) in alarms {
        let gate = gate(everything());
        gate.platform.silent.set(silent);
        asks(&gate, &signed(&gate, "nonce one"), "feature-unavailable", &calls);
        gate.logs.until(feature, |lines| {
            lines.iter().any(|line| line.text.contains(feature)).then_some(())
        });
    }
}

#[test]
fn a_request_for_the_gates_own_paths_uses_its_nonce_too_and_no_quota() {
    let admin = json!({"id": "pk_admin", "admin": true, "schemes": ["signature"], "nonce": "required", "rate": "standard", "quota": {"requests": 1, "per": "day"}});
    let gate = start(&Upstream::start(), |setup| {
        setup.key(admin).in_registry("settings", "").limiter("RATE_STANDARD").replay().ledger()
    });
    let by = gate.signature_of("pk_admin").nonce("nonce one");
    let list = by.sign(Request::get("/_gate/keys"));
    asks(&gate, &list, "", &["rate", "nonce"]);
    asks(&gate, &list, "replayed", &["rate", "nonce"]);
    let post = gate.signature_of("pk_admin").nonce("nonce two");
    let post = post.sign(Request::post("/_gate/keys").body(r#"{"id":"pk_a"}"#));
    asks(&gate, &post, "", &["rate", "body", "nonce"]);
}
