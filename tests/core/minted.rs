//! The session that `POST /_gate/session` mints: what it is good for, how long, and for which key.

use serde_json::{Value, json};
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::minting::{SITE, ask, ask_of, claims, minting, page_key, write_with};
use testkit::signing::Signature;
use testkit::token::{fresh, now};

use crate::mint::{VERIFY, at, from, gate, key, says_yes};
use crate::native::{Check, check};

/// Starts a table before such a gate.
fn table(set_up: impl FnOnce(Setup) -> Setup) -> Check {
    let table = check(|setup| set_up(minting(setup, VERIFY)));
    says_yes(&table.gate.platform);
    table
}

#[test]
fn a_session_is_for_this_gate_this_page_and_a_short_time() {
    let pattern = json!({"allowed_origins": ["https://*.example.com"]});
    let mut table = table(|setup| setup.key(key(pattern)));
    let began = now();
    let answer = ask().send(&table.gate);
    assert_eq!(answer.status, 201, "{answer}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", SITE),
        ("set-cookie", ""),
        ("www-authenticate", ""),
    ] {
        assert_eq!(answer.header(name).unwrap_or_default(), value, "{answer}");
    }
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["expires_in", "token", "token_type"]);
    assert_eq!((&body["expires_in"], &body["token_type"]), (&json!(300), &json!("Bearer")));
    let first = claims(&answer);
    let names: Vec<_> = first.keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "exp", "iat", "jti", "origin"]);
    assert!(first["iat"].as_u64().is_some_and(|iat| (began..=now()).contains(&iat)));
    assert_eq!(first["exp"].as_u64(), first["iat"].as_u64().map(|iat| iat + 300));
    assert_eq!((&first["aud"], &first["origin"]), (&json!(format!("http://{HOST}")), &json!(SITE)));
    assert_eq!(first["jti"].as_str().map(str::len), Some(22));
    assert_ne!(claims(&ask().send(&table.gate))["jti"], first["jti"]);
    // It works where it is for, and nowhere else.
    table.passes("a write", &write_with(&answer));
    for origin in [Some("https://a.example.com"), None] {
        let elsewhere = from(origin, write_with(&answer));
        table.refused("another page", &elsewhere, 403, "origin-denied");
    }
    let host = write_with(&answer).header("Host", "other.example");
    table.refused("another gate", &host, 401, "audience-mismatch");
    table.refused("another path", &at("/other", write_with(&answer)), 403, "path-denied");
}

#[test]
fn a_bound_session_comes_with_its_secret() {
    let bound = json!({"mint": {"bind": true, "ttl": 60}, "nonce": "required"});
    let mut table = table(|setup| setup.key(key(bound)).replay());
    let answer = ask().send(&table.gate);
    let (body, of) = (answer.json(), claims(&answer));
    assert_eq!(body["expires_in"], 60);
    let kid = of["cnf"]["kid"].as_str().unwrap().to_owned();
    assert!(kid.starts_with("s_") && kid.len() == 24, "{kid}");
    let again = claims(&ask().send(&table.gate))["cnf"]["kid"].clone();
    assert_ne!(again, kid, "fresh for each session");
    let secret = body["session_key"].as_str().unwrap();
    assert!(secret.starts_with("ss_"), "{secret}");
    table.refused("without its secret", &write_with(&answer), 401, "proof-missing");
    let proof = Signature::by(&kid, secret).also("authorization");
    table.refused("no nonce", &proof.sign(write_with(&answer)), 401, "signature-incomplete");
    table.passes("signed", &proof.nonce(&fresh()).sign(write_with(&answer)));
    let other = Signature::by(&kid, &fresh()).also("authorization").nonce(&fresh());
    table.refused("another secret", &other.sign(write_with(&answer)), 401, "signature-invalid");
}

#[test]
fn a_session_is_as_short_as_the_shorter_of_two_limits() {
    for (ttl, longest, expected) in [(300, 3_600, 300), (3_600, 600, 600), (1, 1, 1)] {
        let gate = gate(|setup| {
            setup.key(key(json!({"mint": {"ttl": ttl}}))).env("SESSION_MAX_TTL", longest)
        });
        let answer = ask().send(&gate);
        let of = claims(&answer);
        let lasts = of["exp"].as_u64().unwrap() - of["iat"].as_u64().unwrap();
        assert_eq!((answer.json()["expires_in"].as_u64(), lasts), (Some(expected), expected));
    }
}

#[test]
fn a_higher_version_and_the_current_root_sign_it() {
    let mut table = table(|setup| {
        let setup = setup.key(key(json!({"version": 7})));
        setup.env("SIGNING_SECRET_PREVIOUS", fresh().as_str())
    });
    let answer = ask().send(&table.gate);
    table.passes("a write", &write_with(&answer));
}

#[test]
fn a_session_is_true_to_the_key_as_it_is_when_it_is_made() {
    let there = |more: Value| page_key("pk_there", more).to_string();
    let later = "2026-11-22T00:00:00Z";
    for (what, seconds, then, expected) in [
        ("nothing changed", 30, Some(there(json!({}))), (201, "")),
        ("within the bound", 29, Some(there(json!({"revoked": true}))), (201, "")),
        ("revoked", 30, Some(there(json!({"revoked": true}))), (401, "key-revoked")),
        ("over", 30, Some(there(json!({"expires": later}))), (401, "key-expired")),
        ("gone", 30, None, (401, "key-unknown")),
        ("mints no more", 30, Some(there(json!({"mint": null}))), (401, "scheme-not-allowed")),
        (
            "other pages",
            30,
            Some(there(json!({"allowed_origins": ["https://other.example"]}))),
            (403, "origin-denied"),
        ),
        ("not a record", 30, Some("{".to_owned()), (503, "misconfigured")),
        ("shorter", 30, Some(there(json!({"mint": {"ttl": 10}}))), (201, "")),
    ] {
        let gate = gate(|setup| setup.registered(page_key("pk_there", json!({}))));
        gate.platform.while_verifying.replace(Some(Box::new(move |platform| {
            platform.now.set(platform.now.get().plus_seconds(seconds));
            let mut records = platform.records.borrow_mut();
            match &then {
                Some(text) => records.insert("pk_there".to_owned(), text.clone()),
                None => records.remove("pk_there"),
            };
        })));
        let began = now();
        let answer = ask_of("pk_there").send(&gate);
        assert_eq!((answer.status, answer.code().as_str()), expected, "{what}: {answer}");
        if answer.status == 201 {
            let ttl = if what == "shorter" { 10 } else { 300 };
            let of = claims(&answer);
            let (iat, exp) = (of["iat"].as_u64().unwrap(), of["exp"].as_u64().unwrap());
            assert!(iat >= began + u64::try_from(seconds).unwrap(), "{what}: when it is made");
            assert_eq!(
                (answer.json()["expires_in"].as_u64(), exp - iat),
                (Some(ttl), ttl),
                "{what}"
            );
        }
    }
}

#[test]
fn a_key_that_mints_works_on_routes_and_a_page_s_sessions_are_counted_by_visitor() {
    let mut table =
        table(|setup| setup.key(key(json!({"rate": "standard"}))).limiter("RATE_STANDARD"));
    let session = table.gate.session();
    let own = session.clone().mint();
    let page = session.claim("origin", SITE).mint();
    let from = |token: &str, address: &str| {
        Request::post("/posts").origin(SITE).bearer(token).header("CF-Connecting-IP", address)
    };
    for _ in 0..3 {
        table.passes("one visitor", &from(&page, "192.0.2.1"));
    }
    table.refused("too often", &from(&page, "192.0.2.1"), 429, "rate-limited");
    table.passes("another visitor", &from(&page, "192.0.2.2"));
    table.passes("a session of a server", &from(&own, "192.0.2.1"));
    let counted = table.gate.platform.counted();
    let expected = [(KEY, 1), ("pk_site/192.0.2.1", 4), ("pk_site/192.0.2.2", 1)];
    assert_eq!(counted, expected.map(|(name, count)| (name.to_owned(), count)).into());
}
