//! `GET /_gate/status` and the log lines of the admin API (docs/wire-contract.md, sections 7 and 9): how old each token is, which
//! bindings there are, and who did what to which key, without a secret.

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, ask, bare};
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::token::{date, fingerprint, fresh, now};

use crate::native::check;

/// Returns the status of a gate, and its root secret.
fn status(set_up: impl FnOnce(Setup) -> Setup) -> (Value, String) {
    let mut table = check(set_up);
    let answer = table.answered("status", &ask(&table.gate, "GET", "status"), 200);
    for secret in [&table.gate.signing_secret, &table.gate.token] {
        assert!(secret.is_empty() || !answer.to_string().contains(secret), "{answer}");
    }
    (answer.json(), table.gate.signing_secret.clone())
}

#[test]
fn it_says_version_bindings_keys_and_the_age_of_each_token() {
    let (old, new) = (fresh(), fresh());
    let aged = |token: &str, days: u64| {
        json!({"token": token, "issued_at": date(now() - days * 86_400)}).to_string()
    };
    let auth = |secret: &str| json!({"upstream_auth": {"scheme": "bearer", "secret": secret}});
    let page = json!({"id": "pk_page", "name": "<b>Ü</b>", "mint": {}, "allowed_origins": ["https://www.example.com"],
        "methods": ["POST"], "paths": ["/x"]});
    let (shown, root) = status(|setup| {
        let setup = admin(setup).key(page.clone()).registered(json!({"id": "pk_there"}));
        let setup = setup.replay().ledger().route("/a/*", auth("OLD_TOKEN"));
        let setup = setup.route("/b/*", auth("NEW_TOKEN")).route("/*", json!({}));
        setup.env("OLD_TOKEN", aged(&old, 200)).env("NEW_TOKEN", aged(&new, 10))
    });
    let members: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["bindings", "keys", "tokens", "version"]);
    assert_eq!(shown["version"], env!("CARGO_PKG_VERSION"));
    for (secret, state, days, value) in [
        ("OLD_TOKEN", "overdue", json!(200), Some(&old)),
        ("NEW_TOKEN", "ok", json!(10), Some(&new)),
        ("WRITE_TOKEN", "unknown", Value::Null, None),
    ] {
        let mut tokens = shown["tokens"].as_array().unwrap().iter();
        let token = tokens.find(|token| token["secret"] == secret).expect(secret);
        assert_eq!((&token["state"], &token["age_days"]), (&json!(state), &days), "{token}");
        let print = value.map(|value| fingerprint(&root, value));
        assert!(print.is_none_or(|print| token["fingerprint"] == print), "{token}");
        assert!(value.is_none_or(|value| !shown.to_string().contains(value)), "{shown}");
    }
    let by_admin = json!({"id": ADMIN, "admin": true, "schemes": ["session", "signature"]});
    assert_eq!(shown["keys"], json!([{"id": KEY}, by_admin, page]), "none of the registry");
    let bindings = ["KEY_REGISTRY", "KEY_WRITER", "REPLAY", "LEDGER"];
    assert_eq!(bindings.map(|name| &shown["bindings"][name]), [true; 4], "{shown}");
    let (shown, _) =
        status(|setup| setup.key(json!({"id": ADMIN, "admin": true})).without("WRITE_TOKEN"));
    assert_eq!(bindings.map(|name| &shown["bindings"][name]), [false; 4], "{shown}");
    let token = &shown["tokens"][0];
    assert_eq!((&token["state"], &token["fingerprint"]), (&json!("missing"), &Value::Null));
}

#[test]
fn each_request_has_its_line() {
    let table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    let token = table.gate.session_of(ADMIN).claim("sub", "operator-7").mint();
    let body = json!({"id": "pk_new"}).to_string();
    let line = |request: Request| {
        let answer = request.send(&table.gate);
        table.gate.logs.audit(&answer.request_id())
    };
    for (request, status, outcome, code) in [
        (bare("GET", "keys?cursor=&key=x"), 200, "answered", Value::Null),
        (bare("POST", "keys").body(body.clone()), 201, "answered", Value::Null),
        (bare("POST", "keys").body(body), 409, "refused", json!("key-exists")),
        (bare("GET", "keys/pk_nobody"), 404, "refused", json!("no-route")),
        (bare("PATCH", "keys/pk_there").body("[]"), 400, "refused", json!("bad-request")),
        (bare("PATCH", "keys/pk_there").body("{}"), 200, "answered", Value::Null),
        (bare("DELETE", "keys/pk_there"), 200, "answered", Value::Null),
        (bare("GET", "status"), 200, "answered", Value::Null),
    ] {
        let path = request.target.split('?').next().unwrap().to_owned();
        let bytes = request.body.as_ref().map_or(0, Vec::len);
        let expected = json!({
            "outcome": outcome, "code": code, "key": ADMIN, "verified": true, "subject": "operator-7", "scheme": "session",
            "method": request.method, "path": path, "route": null, "status": status, "upstream_status": null, "upstream_ms": null,
            "attempts": 0, "cache": null, "token": null, "request_bytes": bytes,
        });
        let line = line(request.bearer(&token));
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(line[name], *value, "{name} in {line}");
        }
    }
    assert_eq!(line(bare("GET", "keys?cursor=&key=x"))["query_keys"], json!(["cursor", "key"]));
    let nobody = line(bare("GET", "keys"));
    assert_eq!((&nobody["code"], &nobody["key"]), (&json!("credential-missing"), &Value::Null));
    let other = line(bare("GET", "keys").bearer(&table.gate.bearer()));
    assert_eq!((&other["code"], &other["key"]), (&json!("path-denied"), &json!(KEY)));
}
