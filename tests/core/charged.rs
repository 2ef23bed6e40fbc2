//! Usage is charged to a key once the request has shown that it is the key's: after its credential was verified, and for a bare
//! public key, which proves nothing, after the key has allowed it.

use serde_json::{Value, json};

use writegate::{CacheEntry, Decision, Gate, Step};

use crate::world::{NOW, TARGET, decide, gate_with, raw, token};

/// Returns the rows of the one key of a gate after a request that ended, as (outcome, code).
fn rows(gate: &Gate, method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<(Value, Value)> {
    if let Decision::Forward(_, mut exchange) = decide(gate, raw(method, target, headers)) {
        let _passed = exchange.answered(200, &[], None, NOW, 0.0);
    }
    let batches = gate.usage().batches(NOW);
    let all = batches.iter().flat_map(|(key, batch)| {
        assert_eq!(key, "pk_site");
        let batch: Value = serde_json::from_str(batch).unwrap();
        let rows = batch["rows"].as_array().unwrap().clone();
        let codes = batch["codes"].as_array().unwrap().clone();
        rows.into_iter().map(|row| row[1].clone()).zip(codes)
    });
    all.collect()
}

#[test]
fn a_key_is_charged_for_what_is_shown_to_be_its_own() {
    let bearer = format!("Bearer {}", token(json!({})));
    let forged = bearer.replacen('.', ".e", 1);
    let late = format!("Bearer {}", token(json!({"exp": NOW.seconds() - 10})));
    let own = [("authorization", bearer.as_str())];
    let page = [("x-public-key", "pk_site"), ("origin", "https://a.example")];
    let stranger = [("x-public-key", "pk_site"), ("origin", "https://b.example")];
    let other_path = TARGET.replace("/posts/1", "/other");
    let usage = "https://gate.example/_gate/usage";
    let (forwarded, denied) = (("forwarded", None), ("refused", Some("path-denied")));
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "PUT")];
    type Case<'a> =
        (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<(&'a str, Option<&'a str>)>);
    let cases: [Case<'_>; 12] = [
        ("GET", TARGET, &own, Some(forwarded)),
        ("GET", &other_path, &own, Some(denied)),
        ("GET", TARGET, &[("authorization", forged.as_str())], None),
        ("GET", TARGET, &[("authorization", late.as_str())], None),
        ("GET", TARGET, &[], None),
        ("GET", "https://gate.example//", &own, None),
        ("OPTIONS", TARGET, &preflight, None),
        ("GET", TARGET, &page, Some(forwarded)),
        ("POST", TARGET, &page, None),
        ("GET", TARGET, &stranger, None),
        ("GET", &other_path, &page, None),
        ("GET", usage, &own, None),
    ];
    for (method, target, headers, expected) in cases {
        let what = format!("{method} {target} {headers:?}");
        for (ledger, expected) in [(Some(("LEDGER", Value::Null)), expected), (None, None)] {
            let key = json!({"schemes": ["session", "public-key"], "paths": ["/posts/1"]});
            let mut key = key.as_object().unwrap().clone();
            let origin = "https://a.example";
            if headers.len() > 1 {
                key.insert("allowed_origins".to_owned(), json!([origin]));
            } else {
                key["schemes"] = json!(["session"]);
            }
            let gate = gate_with(key.into(), json!({}), ledger);
            let expected = expected.map(|(outcome, code)| (json!(outcome), json!(code)));
            assert_eq!(rows(&gate, method, target, headers), Vec::from_iter(expected), "{what}");
        }
    }
}

/// Returns the length of an answer in the audit line, and the bytes that are charged when five
/// bytes of it have passed. The quota limits `limit`. With status 0, it is an answer of the cache.
fn bytes(limit: &str, method: &str, status: u16, headers: &[(&str, &str)]) -> [Value; 2] {
    let key = json!({"quota": {limit: 1_000_000, "per": "day"}});
    let route = if status == 0 { json!({"cache": {"ttl": 60}}) } else { json!({}) };
    let gate = gate_with(key, route, [("LEDGER", Value::Null)]);
    let bearer = format!("Bearer {}", token(json!({})));
    let request = raw(method, TARGET, &[("authorization", &bearer)]);
    let Decision::Forward(_, mut exchange) = decide(&gate, request) else { panic!("refused") };
    let step = match status {
        0 => exchange.cached(200, CacheEntry { headers, purged: None }, NOW).expect("served"),
        _ => exchange.answered(status, headers, None, NOW, 0.0),
    };
    let Step::Pass(_, lines, _) = step else { panic!("not passed on") };
    if lines.is_metered {
        exchange.passed(0, 5);
    }
    let audit: Value = serde_json::from_str(&lines.audit).unwrap();
    let batches = gate.usage().batches(NOW);
    let batch: Value = serde_json::from_str(&batches[0].1).unwrap();
    let charged = batch["rows"].as_array().unwrap().iter().map(|row| row[4].as_u64().unwrap());
    [audit["response_bytes"].clone(), json!(charged.sum::<u64>())]
}

#[test]
fn an_answer_is_charged_by_its_length_or_while_it_passes() {
    for (limit, method, status, length, expected) in [
        ("requests", "GET", 200, "10", json!([10, 10])),
        ("requests", "GET", 200, "65536", json!([65_536, 65_536])),
        ("requests", "GET", 200, "65537", json!([65_537, 5])),
        ("requests", "GET", 200, "", json!([null, 5])),
        ("bytes", "GET", 200, "10", json!([10, 5])),
        ("bytes", "GET", 203, "10", json!([10, 5])),
        ("bytes", "GET", 200, "0", json!([0, 0])),
        ("bytes", "HEAD", 200, "10", json!([0, 0])),
        ("bytes", "GET", 204, "10", json!([0, 0])),
        ("bytes", "GET", 205, "10", json!([0, 0])),
        ("bytes", "GET", 304, "10", json!([0, 0])),
        // The cache keeps whole answers only.
        ("bytes", "GET", 0, "10", json!([10, 10])),
        ("requests", "GET", 0, "65537", json!([65_537, 5])),
        ("requests", "GET", 0, "65537 packed", json!([65_537, 65_537])),
        ("requests", "GET", 0, "packed", json!([null, 5])),
    ] {
        let (asked, until) = (NOW.millis().to_string(), (NOW.millis() + 9_000).to_string());
        let mut headers = vec![
            ("writegate-asked", asked.as_str()),
            ("writegate-until", until.as_str()),
            ("writegate-age", "0"),
        ];
        let number = length.trim_end_matches("packed").trim();
        if !number.is_empty() {
            headers.push(("content-length", number));
        }
        if length.ends_with("packed") {
            headers.push(("content-encoding", "gzip"));
        }
        let seen = json!(bytes(limit, method, status, &headers));
        assert_eq!(seen, expected, "{limit} {method} {status} {length:?}");
    }
}
