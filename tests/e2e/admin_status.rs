//! `GET /_gate/status` (docs/wire-contract.md, section 7): how old each token is and which bindings there are, for admins, without a secret.

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, ask};
use testkit::check::Check;
use testkit::gate::{KEY, Setup};
use testkit::token::{date, fingerprint, fresh, now};

fn status(table: &mut Check) -> Value {
    let request = ask(&table.gate, "GET", "status");
    let answer = table.answered("status", &request, 200);
    let text = answer.to_string();
    for secret in [&table.gate.signing_secret, &table.gate.token] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    answer.json()
}

/// Returns the presence of each of these; a binding that is not mentioned counts as neither.
fn bindings(shown: &Value) -> [&Value; 4] {
    ["KEY_REGISTRY", "KEY_WRITER", "REPLAY", "LEDGER"].map(|name| &shown["bindings"][name])
}

#[test]
fn it_says_version_tokens_and_bindings() {
    let mut table = Check::of(|setup| admin(setup).replay().ledger());
    let shown = status(&mut table);
    let members: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["bindings", "keys", "tokens", "version"]);
    let health = testkit::admin_api::bare("GET", "health").send(&table.gate).json();
    assert_eq!(shown["version"], health["version"]);
    let [token] = shown["tokens"].as_array().unwrap().as_slice() else {
        panic!("one token: {shown}");
    };
    // Nobody said when it was issued.
    assert_eq!((&token["secret"], &token["state"]), (&json!("WRITE_TOKEN"), &json!("unknown")));
    let expected = fingerprint(&table.gate.signing_secret, &table.gate.token);
    assert_eq!(token["fingerprint"], expected.as_str());
    assert_eq!(token["age_days"], Value::Null);
    assert_eq!(bindings(&shown), [true; 4], "{shown}");
}

#[test]
fn it_says_the_keys_of_the_configuration_as_they_are_configured() {
    let page = json!({"id": "pk_page", "name": "<b>Ü</b>", "mint": {}, "allowed_origins": ["https://www.example.com"],
        "methods": ["POST"], "paths": ["/x"]});
    let mut table =
        Check::of(|setup| admin(setup).key(page.clone()).registered(json!({"id": "pk_there"})));
    let shown = status(&mut table);
    let by_admin = json!({"id": ADMIN, "admin": true, "schemes": ["session", "signature"]});
    assert_eq!(shown["keys"], json!([{"id": KEY}, by_admin, page]), "none of the registry");
}

#[test]
fn it_says_what_is_not_there() {
    let mut table = Check::of(|setup: Setup| {
        setup.key(json!({"id": ADMIN, "admin": true})).without("WRITE_TOKEN")
    });
    table.gate.token = fresh();
    let shown = status(&mut table);
    assert_eq!(bindings(&shown), [false; 4], "{shown}");
    assert_eq!(shown["tokens"][0]["state"], "missing");
    assert_eq!(shown["tokens"][0]["fingerprint"], Value::Null);
}

#[test]
fn each_token_has_its_age() {
    let (old, new) = (fresh(), fresh());
    let aged = |token: &str, days: u64| {
        let issued = date(now() - days * 86_400);
        json!({"token": token, "issued_at": issued}).to_string()
    };
    let auth = |secret: &str| json!({"upstream_auth": {"scheme": "bearer", "secret": secret}});
    let mut table = Check::of(|setup| {
        admin(setup)
            .route("/a/*", auth("OLD_TOKEN"))
            .route("/b/*", auth("NEW_TOKEN"))
            .env("OLD_TOKEN", aged(&old, 200))
            .env("NEW_TOKEN", aged(&new, 10))
    });
    let shown = status(&mut table);
    for (name, token, state, days) in
        [("OLD_TOKEN", &old, "overdue", 200), ("NEW_TOKEN", &new, "ok", 10)]
    {
        let tokens = shown["tokens"].as_array().unwrap();
        let found = tokens
            .iter()
            .find(|found| found["secret"] == name)
            .unwrap_or_else(|| panic!("{name}: {shown}"));
        assert_eq!(found["state"], state, "{shown}");
        // It may have become midnight.
        let age = found["age_days"].as_u64().unwrap();
        assert!((days..=days + 1).contains(&age), "{shown}");
        let expected = fingerprint(&table.gate.signing_secret, token);
        assert_eq!(found["fingerprint"], expected.as_str());
        assert!(!shown.to_string().contains(token.as_str()), "{shown}");
    }
}
