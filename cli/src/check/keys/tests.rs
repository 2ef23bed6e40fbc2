//! Each row: well, to be warned of, to fail, and what just misses.

use serde_json::json;

use super::super::configuration;
use super::super::row::Status::{self, Fail, Ok, Warn};
use super::*;

fn config(key: &Value, resources: &[&str]) -> Config {
    let vars = json!({"UPSTREAM": "https://a.example", "KEYS": [key]});
    configuration::of(&vars, resources).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-20").unwrap()
}

#[track_caller]
fn table(row: fn(&Config, Timestamp) -> Verdict, cases: &[(Value, Status)]) {
    for (key, status) in cases {
        let verdict = row(&config(key, &["REPLAY"]), now());
        assert_eq!(verdict.status, *status, "{key}: {verdict:?}");
        let named = verdict.evidence.contains("pk_");
        assert!(named || *status == Ok, "{key}: {verdict:?}");
    }
}

#[test]
fn keys_that_are_open_to_everything_are_named() {
    let all = json!(writegate::METHODS);
    table(
        open,
        &[
            (json!({"id": "pk_a"}), Warn),
            (json!({"id": "pk_a", "methods": all, "paths": ["/*"]}), Warn),
            (json!({"id": "pk_a", "allowed_ips": ["203.0.113.7"]}), Warn),
            (json!({"id": "pk_a", "methods": ["GET"]}), Ok),
            (json!({"id": "pk_a", "paths": ["/posts/*"]}), Ok),
            // The one route is /*.
            (json!({"id": "pk_a", "paths": ["/posts"]}), Ok),
            (json!({"id": "pk_a", "revoked": true}), Ok),
            (json!({"id": "pk_a", "expires": "2026-11-20"}), Ok),
            (json!({"id": "pk_a", "expires": "2026-11-21"}), Warn),
            (json!({"id": "pk_a", "admin": true}), Ok),
            (
                json!({"id": "pk_a", "schemes": ["public-key"], "paths": ["/img/*"], "allowed_ips": ["203.0.113.7"]}),
                Warn,
            ),
            (
                json!({"id": "pk_a", "schemes": ["public-key"], "paths": ["/img/*"], "allowed_ips": ["203.0.113.7"], "rate": "standard"}),
                Ok,
            ),
        ],
    );
}

#[test]
fn admin_keys_that_nothing_limits_are_named() {
    table(
        admin,
        &[
            (json!({"id": "pk_a", "admin": true}), Warn),
            (json!({"id": "pk_a", "admin": true, "allowed_origins": ["https://a.example"]}), Warn),
            (json!({"id": "pk_a", "admin": true, "allowed_ips": ["203.0.113.7"]}), Ok),
            (
                json!({"id": "pk_a", "admin": true, "methods": ["GET"], "paths": ["/_gate/status"]}),
                Ok,
            ),
            (json!({"id": "pk_a", "admin": true, "expires": "2027-01-01"}), Ok),
            (json!({"id": "pk_a", "admin": true, "paths": ["/cms/*", "/_gate"]}), Warn),
            (json!({"id": "pk_a", "admin": true, "paths": ["/cms/*", "/_gate/keys/*"]}), Ok),
            (
                json!({"id": "pk_a", "admin": true, "schemes": ["signature"], "nonce": "required"}),
                Ok,
            ),
            (json!({"id": "pk_a"}), Ok),
        ],
    );
}

#[test]
fn the_example_key_is_nobody_s() {
    table(
        example,
        &[
            (json!({"id": "pk_example"}), Fail),
            (json!({"id": "pk_example", "revoked": true}), Ok),
            (json!({"id": "pk_example2"}), Ok),
        ],
    );
}

#[test]
fn what_a_key_asks_for_must_be_there() {
    let row = |key: &Value, text: &str, resources: &[&str]| {
        let document = Document::parse("wrangler.toml", text, None).unwrap();
        bindings(&document, &config(key, resources), now())
    };
    let rate = json!({"id": "pk_a", "rate": "standard"});
    let limiter = "[[ratelimits]]\nname = \"RATE_STANDARD\"";
    assert_eq!(row(&rate, limiter, &[]).status, Ok);
    assert_eq!(row(&rate, "", &[]).status, Fail);
    assert_eq!(row(&rate, "[[ratelimits]]\nname = \"standard\"", &[]).status, Fail);
    let nonce = json!({"id": "pk_a", "schemes": ["signature"], "nonce": "required"});
    assert_eq!(row(&nonce, "", &["REPLAY"]).status, Ok);
    assert_eq!(row(&nonce, "", &["LEDGER"]).status, Fail);
    let quota = json!({"id": "pk_a", "quota": {"requests": 1, "per": "day"}});
    assert_eq!(row(&quota, "", &["LEDGER"]).status, Ok);
    assert_eq!(row(&quota, "", &["REPLAY"]).status, Fail);
    let mint = json!({"id": "pk_a", "mint": {}, "methods": ["GET"], "paths": ["/x"], "allowed_origins": ["https://a.example"]});
    assert_eq!(row(&mint, "", &[]).status, Fail);
    assert_eq!(row(&mint, "[[ratelimits]]\nname = \"RATE_MINT\"\n", &[]).status, Ok);
    assert_eq!(row(&mint, "[[ratelimits]]\nname = \"RATE_MINTS\"\n", &[]).status, Fail);
    let bound = "[[durable_objects.bindings]]\nname = \"LEDGER\"\nclass_name = \"Ledger\"\n";
    let plain = json!({"id": "pk_a"});
    assert_eq!(row(&plain, bound, &[]).status, Fail);
    let made = format!("{bound}[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Ledger\"]");
    assert_eq!(row(&plain, &made, &[]).status, Ok);
    let elsewhere = format!("{bound}script_name = \"other\"");
    assert_eq!(row(&plain, &elsewhere, &[]).status, Ok);
}

#[test]
fn a_key_that_no_route_serves_is_named() {
    for (route, path, status) in [
        ("/cms/*", "/posts/*", Warn),
        ("/cms/*", "/cms", Warn),
        ("/cms/*", "/cms/posts/*", Ok),
        ("/cms/posts/*", "/cms/*", Ok),
        ("/cms", "/cms", Ok),
        ("/cms", "/*", Ok),
        ("/cms", "/cms/*", Warn),
        ("/cms/*", "/cmsx/*", Warn),
    ] {
        let vars = json!({
            "ROUTES": [{"path": route, "upstream": "https://a.example"}],
            "KEYS": [{"id": "pk_a", "methods": ["GET"], "paths": [path]}],
        });
        let verdict = open(&configuration::of(&vars, &[]).unwrap(), now());
        assert_eq!(verdict.status, status, "{route} {path}: {verdict:?}");
    }
}

#[test]
fn a_key_that_no_request_can_use_is_named() {
    let public = |methods: Value| json!({"schemes": ["public-key"], "allowed_ips": ["203.0.113.7"], "rate": "a", "methods": methods});
    for (route, more, status) in [
        (json!([]), json!({"schemes": ["url"], "methods": ["POST", "PUT"]}), Warn),
        (json!([]), json!({"schemes": ["url", "waf-url"], "methods": ["POST", "HEAD"]}), Ok),
        (json!([]), json!({"schemes": ["waf-url"], "methods": ["OPTIONS"]}), Warn),
        (json!([]), public(json!(["DELETE"])), Warn),
        (json!([]), public(json!(["GET"])), Ok),
        (json!([]), json!({"schemes": ["url", "session"], "methods": ["POST"]}), Ok),
        (json!([]), json!({"schemes": ["signature"], "methods": ["POST"]}), Ok),
        (json!([]), json!({"schemes": ["url"], "nonce": "required"}), Warn),
        (json!([]), json!({"schemes": ["url", "signature"], "nonce": "required"}), Ok),
        (json!([]), json!({"nonce": "required"}), Ok),
        (json!(["POST"]), json!({"schemes": ["url"]}), Warn),
        (json!(["POST"]), json!({"methods": ["GET"]}), Warn),
        (json!(["GET"]), json!({"methods": ["HEAD"]}), Ok),
        (json!(["HEAD"]), json!({"methods": ["GET"]}), Ok),
    ] {
        let mut key = json!({"id": "pk_a", "paths": ["/cms/*"]});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let vars = json!({
            // The second serves other paths.
            "ROUTES": [{"path": "/cms/*", "upstream": "https://a.example", "methods": route}, {"path": "/other/*", "upstream": "https://a.example"}],
            "KEYS": [key],
        });
        let verdict = open(&configuration::of(&vars, &["REPLAY"]).unwrap(), now());
        assert_eq!(verdict.status, status, "{vars}: {verdict:?}");
        assert_eq!(
            verdict.evidence.contains("exclude each other, of pk_a"),
            status == Warn,
            "{verdict:?}"
        );
    }
}

#[test]
fn a_route_whose_waf_key_nobody_has_is_named() {
    for (key, resources, status) in [
        (json!({"id": "pk_a", "methods": ["GET"], "schemes": ["waf-url"]}), &[][..], Ok),
        (json!({"id": "pk_a", "methods": ["GET"]}), &[], Warn),
        (json!({"id": "pk_a", "methods": ["GET"]}), &["KEY_REGISTRY"], Warn),
        (json!({"id": "pk_b", "methods": ["GET"]}), &[], Warn),
        (json!({"id": "pk_b", "methods": ["GET"]}), &["KEY_REGISTRY"], Ok),
    ] {
        let vars = json!({
            "ROUTES": [{"path": "/cms/*", "upstream": "https://a.example", "waf_key": "pk_a"}],
            "KEYS": [key],
        });
        let verdict = open(&configuration::of(&vars, resources).unwrap(), now());
        assert_eq!(verdict.status, status, "{vars} {resources:?}: {verdict:?}");
        assert_eq!(verdict.evidence.contains("waf-url, on /cms/*"), status == Warn, "{verdict:?}");
    }
}
