//! The steps of `gateway.rs` without a platform: which refusal comes first, what a forwarded
//! request holds, and what becomes of the upstream's answers. Properties are checked over every
//! case of a small world rather than over a sample of a large one.

mod native;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use writegate::answer::Answer;
use writegate::audit::Context;
use writegate::config::{Binding, Environment};
use writegate::credential::session;
use writegate::exchange::{Failure, Step};
use writegate::gateway::{Decision, Gate, Raw};
use writegate::key::KeyId;
use writegate::known_key::derive_sk;
use writegate::policy::path;
use writegate::secret::Secret;
use writegate::time::Timestamp;

use native::{Native, decide_on};

const NOW: Timestamp = Timestamp::from_seconds(1_795_305_600);
const TOKEN: &str = "upstream-token";
const TARGET: &str = "https://gate.example/posts/1?a=%7e&b";

fn root() -> String {
    "root ".repeat(8)
}

struct Vars(BTreeMap<&'static str, Value>);

impl Environment for Vars {
    fn get(&self, name: &str) -> Option<Binding> {
        Some(match self.0.get(name)? {
            Value::String(text) => Binding::Text(Secret::new(text.as_str())),
            other => Binding::Json(other.to_string()),
        })
    }
}

/// A gate with one key and one route, both with these changes.
fn gate(key: Value, route: Value) -> Gate {
    let merge = |mut base: Value, changes: Value| {
        for (name, value) in changes.as_object().unwrap() {
            base[name] = value.clone();
        }
        base
    };
    let key = merge(json!({"id": "pk_site"}), key);
    let route = merge(
        json!({"path": "/*", "upstream": "https://api.example/v1"}),
        route,
    );
    Gate::new(&Vars(BTreeMap::from([
        ("SIGNING_SECRET", json!(root())),
        ("WRITE_TOKEN", json!(TOKEN)),
        ("ROUTES", json!([route])),
        ("KEYS", json!([key])),
    ])))
}

fn plain() -> Gate {
    gate(json!({}), json!({}))
}

fn token(claims: Value) -> String {
    let id = KeyId::parse("pk_site").unwrap();
    let sk = derive_sk(&Secret::new(root()), &id, 1);
    let mut all = Map::from_iter([("exp".to_owned(), json!(NOW.seconds() + 300))]);
    all.extend(claims.as_object().unwrap().clone());
    session::mint(&id, &sk, &all)
}

fn raw<'h>(method: &'h str, target: &'h str, headers: &[(&'h str, &'h str)]) -> Raw<'h> {
    Raw {
        method,
        target,
        headers: headers.to_vec(),
        has_body: false,
    }
}

fn context() -> Context {
    Context {
        now: NOW,
        request_id: "id".to_owned(),
        country: None,
        colo: None,
    }
}

fn decide<'g, 'h>(gate: &'g Gate, raw: Raw<'h>, context: Context) -> Decision<'g, 'h> {
    decide_on(&Native::with_body(Vec::new()), gate, raw, context)
}

/// The code of a refusal; `forwarded` when there is none.
fn code(gate: &Gate, raw: Raw<'_>) -> String {
    match decide(gate, raw, context()) {
        Decision::Forward(..) => "forwarded".to_owned(),
        Decision::Answer(answer) => code_of(&answer),
    }
}

fn code_of(answer: &Answer) -> String {
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let audit: Value = serde_json::from_str(&answer.audit).unwrap();
    assert_eq!(document["code"], audit["code"]);
    assert_eq!(document["status"], answer.status);
    document["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_earlier_step_refuses() {
    // Each request has this fault and every later one: what it is refused for is its own.
    let narrow = || {
        let key = json!({
            "allowed_ips": ["10.0.0.0/8"], "allowed_origins": ["https://a.example"],
            "methods": ["PUT"], "paths": ["/other"], "rate": "standard",
        });
        gate(
            key,
            json!({"path": "/posts/*", "methods": ["POST", "PUT"], "max_body_bytes": 1}),
        )
    };
    let good = format!("Bearer {}", token(json!({})));
    let old = format!("Bearer {}", token(json!({"exp": NOW.seconds()})));
    let ip = ("cf-connecting-ip", "10.1.2.3");
    let origin = ("origin", "https://a.example");
    type Step<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);
    let steps: [Step<'_>; 12] = [
        (
            "bad-path",
            "TRACE",
            "https://g/x/../y",
            &[("authorization", "x")],
        ),
        (
            "method-not-allowed",
            "TRACE",
            "https://g/none",
            &[("authorization", "x")],
        ),
        (
            "no-route",
            "POST",
            "https://g/none",
            &[("authorization", "x")],
        ),
        (
            "method-not-allowed",
            "GET",
            "https://g/posts/1",
            &[("authorization", "x")],
        ),
        ("credential-missing", "POST", "https://g/posts/1", &[]),
        (
            "bad-credential",
            "POST",
            "https://g/posts/1?key=pk_none",
            &[("authorization", "x")],
        ),
        ("key-unknown", "POST", "https://g/posts/1?key=pk_none", &[]),
        (
            "session-expired",
            "POST",
            "https://g/posts/1",
            &[("authorization", &old)],
        ),
        (
            "ip-denied",
            "POST",
            "https://g/posts/1",
            &[("authorization", &good)],
        ),
        (
            "origin-denied",
            "POST",
            "https://g/posts/1",
            &[("authorization", &good), ip],
        ),
        (
            "method-denied",
            "POST",
            "https://g/posts/1",
            &[("authorization", &good), ip, origin],
        ),
        (
            "path-denied",
            "PUT",
            "https://g/posts/1",
            &[("authorization", &good), ip, origin],
        ),
    ];
    for (expected, method, target, headers) in steps {
        assert_eq!(
            code(&narrow(), raw(method, target, headers)),
            expected,
            "{method} {target}"
        );
    }
    let rated = gate(json!({"rate": "standard"}), json!({}));
    let headers = [("authorization", good.as_str())];
    assert_eq!(
        code(&rated, raw("POST", TARGET, &headers)),
        "feature-unavailable"
    );
    assert_eq!(code(&plain(), raw("POST", TARGET, &headers)), "forwarded");
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
    let Decision::Forward(outbound, _) = decide(&gate, raw("POST", target, &headers), context())
    else {
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
    assert_eq!(
        outbound.set[0].1.expose(),
        format!("Bearer {TOKEN}").as_bytes()
    );
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
                let mut segments = decoded
                    .split('/')
                    .map(|segment| segment.split(';').next().unwrap_or_default());
                assert!(
                    !segments.any(|segment| segment == "." || segment == ".."),
                    "{text}"
                );
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
        ".evil.example/x",
        "@evil.example/",
        ":80/x",
        "%2F..%2F",
        "x?@evil.example",
        "?/../",
        "x#@evil.example",
        "x\\@evil.example",
        "\t/x",
        "//evil.example",
        "/evil.example",
    ] {
        let target = format!("https://gate.example/{rest}");
        let gate = plain();
        let headers = [("authorization", bearer.as_str())];
        if let Decision::Forward(outbound, _) =
            decide(&gate, raw("GET", &target, &headers), context())
        {
            assert!(
                outbound.url.starts_with("https://api.example/v1/"),
                "{}",
                outbound.url
            );
        }
    }
}

/// Forwards a GET and tells the exchange what the upstream did, step by step.
fn exchange(route: Value, method: &str, answers: &[(u16, &[(&str, &str)])]) -> Vec<String> {
    let gate = gate(json!({}), route);
    let bearer = format!("Bearer {}", token(json!({})));
    let headers = [
        ("authorization", bearer.as_str()),
        ("origin", "https://a.example"),
    ];
    let Decision::Forward(_, mut exchange) =
        decide(&gate, raw(method, TARGET, &headers), context())
    else {
        panic!("refused");
    };
    answers
        .iter()
        .map(|(status, headers)| {
            let step = match status {
                0 => exchange.failed(Failure::Unreachable, NOW, 1.0),
                1 => exchange.failed(Failure::Timeout, NOW, 1.0),
                status => exchange.answered(*status, headers, NOW, 1.0),
            };
            match step {
                Step::Again(pause_ms) => format!("again {pause_ms}"),
                Step::Pass(edits, lines) => {
                    let audit: Value = serde_json::from_str(&lines.audit).unwrap();
                    format!(
                        "pass {} {} {:?}",
                        audit["status"], audit["attempts"], edits.echoed
                    )
                }
                Step::Inspect => code_of(&exchange.rejected(*status, b"")),
                Step::Answer(answer) => code_of(&answer),
            }
        })
        .collect()
}

#[test]
fn reads_are_tried_again_and_writes_are_not() {
    let seen = exchange(json!({}), "GET", &[(503, &[]), (0, &[]), (503, &[])]);
    assert_eq!(seen, ["again 100", "again 200", "pass 503 3 []"]);
    assert_eq!(
        exchange(json!({}), "POST", &[(503, &[])]),
        ["pass 503 1 []"]
    );
    assert_eq!(
        exchange(json!({}), "POST", &[(0, &[])]),
        ["upstream-unreachable"]
    );
    assert_eq!(
        exchange(json!({"retries": 0}), "GET", &[(429, &[])]),
        ["pass 429 1 []"]
    );
    let later = [(429, &[("retry-after", "6")] as &[(&str, &str)])];
    assert_eq!(exchange(json!({}), "GET", &later), ["pass 429 1 []"]);
    assert_eq!(
        exchange(json!({}), "GET", &[(1, &[])]),
        ["upstream-timeout"]
    );
    assert_eq!(exchange(json!({}), "GET", &[(500, &[])]), ["pass 500 1 []"]);
}

#[test]
fn the_upstream_s_refusals_of_the_gate_are_not_the_caller_s() {
    assert_eq!(
        exchange(json!({}), "POST", &[(401, &[])]),
        ["upstream-rejected-token"]
    );
    assert_eq!(
        exchange(json!({}), "POST", &[(403, &[])]),
        ["pass 403 1 []"]
    );
    let route = json!({"reject_status": [403]});
    assert_eq!(
        exchange(route, "POST", &[(403, &[])]),
        ["upstream-rejected-token"]
    );
    for status in [520, 527, 530, 999, 103] {
        assert_eq!(
            exchange(json!({}), "POST", &[(status, &[])]),
            ["upstream-unreachable"]
        );
    }
    let echoing = [(200, &[("x-debug", "tok upstream-token")] as &[(&str, &str)])];
    assert_eq!(
        exchange(json!({}), "POST", &echoing),
        ["pass 200 1 [\"x-debug\"]"]
    );
}

#[test]
fn a_public_key_alone_reads_and_its_answer_is_readable_only_where_it_may_be_used() {
    let key = json!({
        "schemes": ["public-key"], "paths": ["/posts/*"], "match": "any",
        "allowed_origins": ["https://a.example"], "allowed_ips": ["10.0.0.0/8"],
    });
    let gate = gate(key, json!({}));
    let echoed = |origin: &str, method: &str| {
        let headers = [
            ("x-public-key", "pk_site"),
            ("origin", origin),
            ("cf-connecting-ip", "10.0.0.1"),
        ];
        match decide(&gate, raw(method, TARGET, &headers), context()) {
            Decision::Answer(answer) => {
                let allowed = answer
                    .headers
                    .iter()
                    .any(|(name, _)| *name == "access-control-allow-origin");
                (code_of(&answer), allowed)
            }
            Decision::Forward(_, mut exchange) => match exchange.answered(200, &[], NOW, 0.0) {
                Step::Pass(edits, _) => (
                    "forwarded".to_owned(),
                    edits
                        .set
                        .iter()
                        .any(|(name, _)| *name == "access-control-allow-origin"),
                ),
                other => panic!("{other:?}"),
            },
        }
    };
    assert_eq!(
        echoed("https://a.example", "GET"),
        ("forwarded".into(), true)
    );
    assert_eq!(
        echoed("https://b.example", "GET"),
        ("forwarded".into(), false)
    );
    assert_eq!(
        echoed("https://a.example", "POST"),
        ("method-denied".into(), true)
    );
    assert_eq!(
        echoed("https://b.example", "POST"),
        ("method-denied".into(), false)
    );
}

#[test]
fn a_gate_without_a_configuration_refuses_everything() {
    let gate = Gate::new(&Vars(BTreeMap::new()));
    assert_eq!(gate.config().unwrap_err().field, "SIGNING_SECRET");
    assert_eq!(
        code(&gate, raw("GET", "https://g/_gate/health", &[])),
        "misconfigured"
    );
    let preflight = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "POST"),
    ];
    assert_eq!(
        code(&gate, raw("OPTIONS", TARGET, &preflight)),
        "misconfigured"
    );
}
