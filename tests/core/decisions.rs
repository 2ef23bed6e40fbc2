//! The steps of `gateway.rs`: which refusal comes first, and what a forwarded request holds. Properties
//! are checked over every case of a small world rather than over a sample of a large one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use writegate::policy::path;
use writegate::{Decision, Gate, Step};

use crate::world::{NOW, TARGET, TOKEN, Vars, code, code_of, decide, gate, plain, raw, token};

#[test]
fn the_earlier_step_refuses() {
    // Each request has this fault and every later one: what it is refused for is its own.
    let narrow = || {
        let key = json!({
            "allowed_ips": ["10.0.0.0/8"], "allowed_origins": ["https://a.example"],
            "methods": ["PUT"], "paths": ["/other"], "quota": {"requests": 1, "per": "day"},
        });
        gate(key, json!({"path": "/posts/*", "methods": ["POST", "PUT"], "max_body_bytes": 1}))
    };
    let good = format!("Bearer {}", token(json!({})));
    let old = format!("Bearer {}", token(json!({"exp": NOW.seconds()})));
    let mac = |session: &str| session.rfind('.').unwrap();
    let forged = [&old[..mac(&old)], &good[mac(&good)..]].concat();
    let ip = ("cf-connecting-ip", "10.1.2.3");
    let origin = ("origin", "https://a.example");
    type Step<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);
    let steps: [Step<'_>; 14] = [
        ("bad-path", "TRACE", "https://g/x/../y", &[("authorization", "x")]),
        ("method-not-allowed", "TRACE", "https://g/none", &[("authorization", "x")]),
        ("no-route", "POST", "https://g/none", &[("authorization", "x")]),
        ("method-not-allowed", "GET", "https://g/posts/1", &[("authorization", "x")]),
        ("credential-missing", "POST", "https://g/posts/1", &[]),
        ("bad-credential", "POST", "https://g/posts/1?key=pk_none", &[("authorization", "x")]),
        ("bad-credential", "POST", "https://g/posts/1?key=a%20b", &[("authorization", &good)]),
        ("key-unknown", "POST", "https://g/posts/1?key=pk_none", &[]),
        ("signature-invalid", "POST", "https://g/posts/1", &[("authorization", &forged)]),
        ("session-expired", "POST", "https://g/posts/1", &[("authorization", &old)]),
        ("ip-denied", "POST", "https://g/posts/1", &[("authorization", &good)]),
        ("origin-denied", "POST", "https://g/posts/1", &[("authorization", &good), ip]),
        ("method-denied", "POST", "https://g/posts/1", &[("authorization", &good), ip, origin]),
        ("path-denied", "PUT", "https://g/posts/1", &[("authorization", &good), ip, origin]),
    ];
    for (expected, method, target, headers) in steps {
        assert_eq!(code(&narrow(), raw(method, target, headers)), expected, "{method} {target}");
    }
    let revoked = gate(json!({"revoked": true}), json!({}));
    let limited = gate(json!({"quota": {"requests": 1, "per": "day"}, "rate": "x"}), json!({}));
    for (expected, gate, session) in [
        ("key-revoked", &revoked, &forged),
        ("signature-invalid", &limited, &forged),
        ("feature-unavailable", &limited, &good),
        ("forwarded", &plain(), &good),
    ] {
        assert_eq!(code(gate, raw("POST", TARGET, &[("authorization", session)])), expected);
    }
}

#[test]
fn every_change_of_one_byte_of_a_session_is_refused() {
    let gate = plain();
    let good = token(json!({"sub": "joe"}));
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";
    for index in 0..good.len() {
        for byte in alphabet {
            let mut changed = good.clone().into_bytes();
            if changed[index] == *byte {
                continue;
            }
            changed[index] = *byte;
            let header = format!("Bearer {}", String::from_utf8(changed).unwrap());
            let seen = code(&gate, raw("POST", TARGET, &[("authorization", &header)]));
            assert_ne!(seen, "forwarded", "byte {index} as {}", char::from(*byte));
        }
    }
}

#[test]
fn no_byte_of_the_caller_s_credential_is_forwarded_and_the_rest_is_as_sent() {
    let gate = plain();
    let session = token(json!({"sub": "joe"}));
    let bearer = format!("Bearer {session}");
    let headers = [
        ("accept", "*/*"),
        ("authorization", bearer.as_str()),
        ("x-public-key", "pk_site"),
        ("cookie", session.as_str()),
        ("x_auth_token", session.as_str()),
    ];
    let target = "https://gate.example/posts/1?z=1&key=pk_site&a=%7e&b";
    let Decision::Forward(outbound, _) = decide(&gate, raw("POST", target, &headers)) else {
        panic!("refused");
    };
    assert_eq!(outbound.url, "https://api.example/v1/posts/1?z=1&a=%7e&b");
    let dropped: BTreeSet<&str> = outbound.drop.iter().copied().collect();
    for (name, value) in headers {
        assert_eq!(
            value.contains(session.as_str()) || name == "x-public-key",
            dropped.contains(name)
        );
    }
    let set: Vec<_> = outbound.set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(set, ["authorization", "x-request-id"]);
    assert_eq!(outbound.set[0].1.expose(), format!("Bearer {TOKEN}").as_bytes());
}

#[test]
fn no_acceptable_path_means_two_things() {
    // Every text of up to seven of these characters, against a reader that decodes all it can.
    const ALPHABET: [&str; 8] = ["/", ".", "%2e", "%2F", "\\", ";", "a", "%"];
    let mut texts = vec![String::from("/")];
    for _ in 0..5 {
        let longer: Vec<String> = texts
            .iter()
            .flat_map(|text| ALPHABET.iter().map(move |next| format!("{text}{next}")))
            .collect();
        for text in &longer {
            if path::check(text).is_ok() {
                let decoded = text.replace("%2e", ".").replace("%2F", "/");
                let mut segments =
                    decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
                assert!(!segments.any(|segment| segment == "." || segment == ".."), "{text}");
                assert!(!text.contains("//") && !text.contains('\\'), "{text}");
            }
        }
        texts = longer;
    }
}

#[test]
fn no_target_leaves_the_upstream_s_host() {
    let bearer = format!("Bearer {}", token(json!({})));
    for rest in [
        ".evil.example/x", "@evil.example/", ":80/x", "%2F..%2F", "x?@evil.example", "?/../",
        "x#@evil.example", "x\\@evil.example", "\t/x", "//evil.example", "/evil.example",
    ] {
        let target = format!("https://gate.example/{rest}");
        let gate = plain();
        let headers = [("authorization", bearer.as_str())];
        if let Decision::Forward(outbound, _) = decide(&gate, raw("GET", &target, &headers)) {
            assert!(outbound.url.starts_with("https://api.example/v1/"), "{}", outbound.url);
        }
    }
}

#[test]
fn a_bare_public_key_reads_and_its_answer_is_readable_only_where_it_may_be_used() {
    let key = json!({
        "schemes": ["public-key"], "paths": ["/posts/*"], "match": "any",
        "allowed_origins": ["https://a.example"], "allowed_ips": ["10.0.0.0/8"],
    });
    let gate = gate(key, json!({}));
    let echoed = |origin: &str, method: &str| {
        let headers =
            [("x-public-key", "pk_site"), ("origin", origin), ("cf-connecting-ip", "10.0.0.1")];
        match decide(&gate, raw(method, TARGET, &headers)) {
            Decision::Respond(answer) => {
                let allowed =
                    answer.headers.iter().any(|(name, _)| *name == "access-control-allow-origin");
                (code_of(&answer), allowed)
            }
            Decision::Forward(_, mut exchange) => match exchange.answered(200, &[], None, NOW, 0.0)
            {
                Step::Pass(edits, ..) => (
                    "forwarded".to_owned(),
                    edits.set.iter().any(|(name, _)| *name == "access-control-allow-origin"),
                ),
                other => panic!("{other:?}"),
            },
        }
    };
    assert_eq!(echoed("https://a.example", "GET"), ("forwarded".into(), true));
    assert_eq!(echoed("https://b.example", "GET"), ("forwarded".into(), false));
    assert_eq!(echoed("https://a.example", "POST"), ("method-denied".into(), true));
    assert_eq!(echoed("https://b.example", "POST"), ("method-denied".into(), false));
}

#[test]
fn a_gate_without_a_configuration_refuses_everything() {
    let gate = Gate::new(&Vars(BTreeMap::new()));
    assert_eq!(gate.config().unwrap_err().field, "SIGNING_SECRET");
    assert_eq!(code(&gate, raw("GET", "https://g/_gate/health", &[])), "misconfigured");
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    assert_eq!(code(&gate, raw("OPTIONS", TARGET, &preflight)), "misconfigured");
}

#[test]
fn no_route_sends_a_secret_of_the_gate_s_own() {
    for secret in ["SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WAF_SECRET", "TURNSTILE_SECRET"] {
        let route = json!({"upstream_auth": {"scheme": "bearer", "secret": secret}});
        let gate = gate(json!({}), route);
        let error = gate.config().unwrap_err();
        assert_eq!(error.field, "ROUTES[0].upstream_auth.secret", "{secret}");
    }
    let route = json!({"upstream_auth": {"scheme": "bearer", "secret": "OTHER"}});
    assert!(gate(json!({}), route).config().is_ok());
}
