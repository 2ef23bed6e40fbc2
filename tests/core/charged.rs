//! Usage is charged to a key once the request has shown that it is the key's: after its credential was verified, and for a bare
//! public key, which proves nothing, after the key has allowed it.

use serde_json::{Value, json};

use writegate::{Decision, Gate};

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
