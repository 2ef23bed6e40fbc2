//! The claims of a session (docs/wire-contract.md, section 3): every rule broken, and beside it the nearest token
//! that keeps it. Its form is in `jwt_form.rs`, what it takes away from its key in `narrowing.rs`.

use serde_json::{Value, json};
use testkit::client::{HOST, Request};
use testkit::token::{b64, now};

use crate::jwt_form::Sessions;
use crate::native::check;
use testkit::bound::BAD;

#[test]
fn exp_is_required_and_nothing_extends_it() {
    let mut table = Sessions(check(|setup| setup.env("CLOCK_SKEW", 300)));
    let token = table.good().without("exp").mint();
    table.refused("no exp", &token, BAD);
    let time = now();
    table.claim(
        "exp",
        &[json!(time.to_string()), Value::Null, json!([time + 60]), json!(true)],
        &[],
        BAD,
    );
    let over =
        [json!(time), json!(time - 1), json!(1), json!(0), json!(-1), json!(time as f64 - 0.5)];
    table.claim("exp", &over, &[], (401, "session-expired"));
    table.claim(
        "exp",
        &[],
        &[json!(time + 300), json!(time as f64 + 300.5), json!(3e2 + time as f64)],
        BAD,
    );
}

#[test]
fn nbf_and_iat_may_be_ahead_by_the_skew_only() {
    let mut table = Sessions::start();
    let time = now();
    for claim in ["nbf", "iat"] {
        let early = [json!(time + 3_000), json!(time as f64 + 3_000.5), json!(9_999_999_999_u64)];
        let good = [
            json!(time + 50),
            json!(time),
            json!(time - 1_000),
            json!(0),
            json!(time as f64 - 0.25),
        ];
        table.claim(claim, &early, &good, (401, "session-not-yet-valid"));
        table.claim(
            claim,
            &[json!(time.to_string()), Value::Null, json!({}), json!(false)],
            &[],
            BAD,
        );
    }
    let mut exact = Sessions(check(|setup| setup.env("CLOCK_SKEW", 0)));
    exact.claim("nbf", &[json!(now() + 3_000)], &[json!(now())], (401, "session-not-yet-valid"));
}

#[test]
fn a_session_ends_within_the_longest_time() {
    let mut table = Sessions::start();
    let too_long = (401, "session-too-long");
    let time = now();
    table.claim(
        "exp",
        &[json!(time + 3_600 + 60 + 1_000), json!(9_999_999_999_u64)],
        &[json!(time + 3_600)],
        too_long,
    );
    let mut short = Sessions(check(|setup| setup.env("SESSION_MAX_TTL", 600).env("CLOCK_SKEW", 0)));
    let time = now();
    short.claim("exp", &[json!(time + 2_000)], &[json!(time + 600), json!(time + 599)], too_long);
}

#[test]
fn the_audience_is_this_gate() {
    let mut table = Sessions::start();
    let origin = format!("http://{HOST}");
    let good = [
        json!("writegate"),
        json!(origin),
        json!(["https://other.example", origin]),
        json!(["writegate"]),
    ];
    let wrong = [
        json!("https://other.example"),
        json!(""),
        json!(["https://other.example"]),
        json!(HOST),
        json!(format!("{origin}/")),
        json!(format!("https://{HOST}:8443")),
        json!(format!("http://{HOST}.evil.example")),
        json!("Writegate"),
    ];
    table.claim("aud", &wrong, &good, (401, "audience-mismatch"));
    for value in [json!(1), json!({}), json!([1]), json!(["writegate", 1]), Value::Null] {
        let token = table.good().claim("aud", value.clone()).mint();
        let request = Request::post("/x").bearer(&token);
        table.0.refused_as_any(
            &format!("aud {value}"),
            &request,
            &[BAD, (401, "audience-mismatch")],
        );
    }
    let elsewhere = table.good().claim("aud", origin).mint();
    let request = Request::post("/x").bearer(&elsewhere).header("Host", "other.example");
    table.0.refused("for another host", &request, 401, "audience-mismatch");
}

#[test]
fn sub_and_jti_are_short_and_printable() {
    let mut table = Sessions::start();
    for claim in ["sub", "jti"] {
        let bad = [
            json!(""),
            json!("a b"),
            json!("a\r\nx: y"),
            json!("é"),
            json!("a\u{7f}"),
            json!("a".repeat(129)),
            json!(7),
            json!(["a"]),
            Value::Null,
        ];
        table.claim(claim, &bad, &[json!("a"), json!("a".repeat(128)), json!("!~\"\\,;=%")], BAD);
    }
}

#[test]
fn a_restriction_that_is_misspelt_or_malformed_is_refused() {
    let mut table = Sessions::start();
    for claim in ["method", "path", "origins"] {
        table.claim(claim, &[json!("POST"), json!(["POST"]), Value::Null, json!([])], &[], BAD);
    }
    for claim in ["methods", "paths"] {
        let bad = [
            json!([]),
            Value::Null,
            json!("POST"),
            json!({}),
            json!([1]),
            json!([""]),
            json!([null]),
        ];
        table.claim(claim, &bad, &[], BAD);
    }
    table.claim(
        "origin",
        &[json!(""), Value::Null, json!(["https://a.example"]), json!(1)],
        &[],
        BAD,
    );
    for claim in ["iss", "scope", "name", "azp"] {
        table.claim(claim, &[], &[json!("anything"), json!({"a": [1, null]})], BAD);
    }
}

#[test]
fn a_session_that_is_bound_to_a_proof_is_no_bearer_token() {
    let mut table = Sessions::start();
    // Any 22 characters, also such as no 16 bytes have.
    for name in [&b64([7; 16]), &("A".repeat(21) + "a"), &"-_".repeat(11)] {
        table.claim("cnf", &[json!({"kid": format!("s_{name}")})], &[], (401, "proof-missing"));
    }
    for name in ["A".repeat(21), "A".repeat(23), "A".repeat(21) + "=", "A".repeat(21) + "+"] {
        table.claim("cnf", &[json!({"kid": format!("s_{name}")})], &[], BAD);
    }
    for value in [
        json!({}),
        json!({"kid": ""}),
        json!({"kid": 1}),
        json!({"jkt": "x"}),
        Value::Null,
        json!("s_"),
    ] {
        let token = table.good().claim("cnf", value.clone()).mint();
        let request = Request::post("/x").bearer(&token);
        table.0.refused_as_any(&format!("cnf {value}"), &request, &[BAD, (401, "proof-missing")]);
    }
}
