//! Configurations that are wrong (docs/wire-contract.md, sections 1 and 2): every request is answered 503
//! `misconfigured`, the error names the field, and nothing reaches the upstream. Beside them, the nearest ones that
//! are right. A misspelt restriction of a key must not be an absent one, so it closes the whole gate, too.

use serde_json::{Deserializer, Map, Value, json};
use testkit::client::Request;
use testkit::gate::{KEY, Setup};

use crate::native::{Upstream, start};

const SITE: &str = "https://www.example.com";

/// Returns an error unless this configuration is refused with an error that names the field.
fn fault(what: &str, field: &str, set_up: impl FnOnce(Setup) -> Setup) -> Option<String> {
    let upstream = Upstream::start();
    let gate = start(&upstream, set_up);
    let token = gate.bearer();
    for request in
        [Request::post("/x").bearer(&token), Request::get("/x"), Request::get("/_gate/health")]
    {
        let answer = request.send(&gate);
        if (answer.status, answer.code().as_str()) != (503, "misconfigured") {
            return Some(format!("{what}: answered {answer}"));
        }
    }
    upstream.assert_untouched();
    let named = gate.fault().unwrap_or_default();
    (!named.contains(field)).then(|| format!("{what}: {field} not named, but {named:?}"))
}

/// Returns an error unless this is a gate that works.
fn works(what: &str, set_up: impl FnOnce(Setup) -> Setup) -> Option<String> {
    let gate = start(&Upstream::start(), set_up);
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    (answer.status != 200).then(|| format!("{what} should work: {answer}, {:?}", gate.fault()))
}

fn tell(faults: impl IntoIterator<Item = Option<String>>) {
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{} configurations:\n- {}", faults.len(), faults.join("\n- "));
}

/// Returns the JSON values of a line.
fn values(line: &str) -> Vec<Value> {
    Deserializer::from_str(line).into_iter().map(|value| value.expect(line)).collect()
}

fn with(base: &Value, name: &str, value: Value) -> Value {
    let mut members: Map<String, Value> = base.as_object().unwrap().clone();
    members.insert(name.to_owned(), value);
    members.into()
}

/// Checks that each of these members makes an object wrong; the error names the member.
fn all_wrong(base: &Value, lines: &[(&str, &str)], set_up: impl Fn(Setup, Value) -> Setup) {
    let cases =
        lines.iter().flat_map(|(field, line)| values(line).into_iter().map(move |v| (*field, v)));
    tell(cases.map(|(field, value)| {
        let whole = with(base, field, value);
        let named = format!("[0].{field}");
        fault(&format!("{field} of {whole}"), &named, |setup| set_up(setup, whole))
    }));
}

#[test]
fn variables_and_secrets_are_of_their_form() {
    for (name, line) in [
        ("UPSTREAM", r#""" "api.example.com" "ftp://api.example.com" "http://api.example.com""#),
        ("UPSTREAM", r#""http://localhost.example.com" "http://127.0.0.1.example.com""#),
        ("UPSTREAM", r#""https://user@api.example.com" "https://user:pass@api.example.com""#),
        ("UPSTREAM", r#""https://api.example.com/?a=b" "https://api.example.com/#a""#),
        (
            "UPSTREAM",
            r#""https://api.example.com?" "https://" "https:///x" "https://.example.com" "https://a..example""#,
        ),
        ("UPSTREAM", r#""https://api example.com" "https://api.example.com:99999""#),
        ("UPSTREAM", r#""https://api.example.com\\x" "https://api.example.com/../x""#),
        ("UPSTREAM", r#"5 ["https://api.example.com"] null"#),
        ("ROUTES", r#"[] {} "/*" [[]] [null] null"#),
        ("KEYS", r#"{} "pk_site" [[]] ["pk_site"] [null] null"#),
        ("SESSION_MAX_TTL", r#"0 -1 31536001 "x" "1h" 1.5 "+60" null"#),
        ("CLOCK_SKEW", r#"301 -1 "x" "" 0.5 null"#),
        ("ROTATION", r#"{"max_age": 90} {"max_age_days": "90"} {"max_age_days": -1}"#),
        ("ROTATION", r#"{"max_age_days": 0} {"max_age_days": 3651} {"warn_days": 3651}"#),
        ("ROTATION", r#"{"warn_days": null} 90 null"#),
        ("WRITE_TOKEN_ISSUED_AT", r#""yesterday" "2026-13-01" 1"#),
        ("SIGNING_SECRET", r#""                                        ""#),
        ("SIGNING_SECRET", r#""" "0123456789012345678901234567890" 7"#),
        ("SIGNING_SECRET_PREVIOUS", r#""0123456789012345678901234567890""#),
        ("WAF_SECRET", r#""01" "0123456789012345678901234567890""#),
        ("KEY_REGISTRY", r#""kv""#),
        ("KEY_WRITER", "{}"),
        ("REPLAY", r#""yes""#),
        ("LEDGER", "true"),
        ("TURNSTILE_SECRET", r#"{"a": 1} 5"#),
        ("TURNSTILE_VERIFY_URL", r#""http://verify.example/" "verify.example" "ftp://[::1]/" 5"#),
        ("TURNSTILE_VERIFY_URL", r#""https://user@verify.example/" "https://verify.example/?a""#),
        ("RATES", r#"[] {"standard": {"limit": 0, "period": 10}} {"standard": {"limit": 1}} null"#),
    ] {
        tell(values(line).into_iter().map(|value| {
            fault(&format!("{name} = {value}"), name, |setup| setup.env(name, value))
        }));
    }
    tell([
        fault("no SIGNING_SECRET", "SIGNING_SECRET", |setup| setup.without("SIGNING_SECRET")),
        fault("neither UPSTREAM nor ROUTES", "UPSTREAM", |setup| setup.without("UPSTREAM")),
        fault("both UPSTREAM and ROUTES", "UPSTREAM", |setup| {
            setup.env("UPSTREAM", "https://api.example.com").route("/*", json!({}))
        }),
    ]);
}

#[test]
fn routes_are_checked_whole() {
    let base = json!({"path": "/*", "upstream": "https://api.example.com"});
    let lines = [
        ("path", r#""" "x" "*" "/a*" "/*/b" "/a/../*" "/a?b" "//*" 1 null"#),
        ("path", r#""/_gate/x" "/_GATE/*" "/a;x/*" "/%63ms/*" "/users/{id}""#),
        ("methds", r#"["GET"]"#),
        ("upstream", r#""" "http://api.example.com" "https://127.1" "https://api.0x7f" null"#),
        ("methods", r#""GET" ["get"] ["FETCH IT"] [""] [1] null"#),
        ("timeout_ms", r#"0 -1 600001 "1" 1.5 null"#),
        ("retries", r#"-1 11 "1" 0.5 null"#),
        ("max_body_bytes", r#"-1 5000000001 "1" 0.5 null"#),
        ("encoded_slash", r#""true" 1 null"#),
        ("unsigned_body", r#""true" null"#),
        ("idempotency_key", r#""true" null"#),
        ("identify_caller", r#""false" null"#),
        ("reject_status", r#"401 ["401"] [99] [399] [600] null"#),
        ("pass_headers", r#""cf-aig-metadata" ["authorization"] ["cf-aig-authorization"]"#),
        ("pass_headers", r#"[""] ["cf-aig-"] ["cf-aig-*"] ["CF-AIG-Authorization"] ["cookie"]"#),
        ("pass_headers", r#"["cf-connecting-ip"] ["cf-access-jwt-assertion"] ["x-api-key"]"#),
        ("pass_headers", r#"["cf_aig_metadata"] ["connection"] ["writegate-subject"] ["accept"]"#),
        ("pass_headers", r#"["x-forwarded-for"] ["forwarded"] ["signature"] null"#),
        ("pass_headers", r#"["x-http-method-override"]"#),
        ("deny_query", r#""_method" ["a b"] ["a=b"] [""] [1] null"#),
        ("Deny_query", r#"["_method"]"#),
        ("probe", r#""me" "/me/*" 1 null"#),
        ("upstream_auth", r#""bearer" {"scheme": "bearers", "secret": "WRITE_TOKEN"} null"#),
        ("upstream_auth", r#"{"scheme": "header", "secret": "WRITE_TOKEN"}"#),
        ("upstream_auth", r#"{"scheme": "header", "name": "X Auth", "secret": "WRITE_TOKEN"}"#),
        ("upstream_auth", r#"{"scheme": "header", "name": "", "secret": "WRITE_TOKEN"}"#),
        ("upstream_auth", r#"{"scheme": "bearer", "secret": "WRITE_TOKEN", "nmae": "x"}"#),
        ("upstream_auth", r#"{"scheme": "bearer", "secret": ""} {"scheme": "digest"}"#),
        ("upsteam_auth", r#"{"scheme": "bearer", "secret": "WRITE_TOKEN"}"#),
        ("cache", "null"),
        ("waf_key", r#"null "a b""#),
    ];
    all_wrong(&base, &lines, |setup, route| setup.env("ROUTES", json!([route])));
    for required in ["path", "upstream"] {
        let mut route = base.clone();
        route.as_object_mut().unwrap().remove(required);
        let set_up = |setup: Setup| setup.env("ROUTES", json!([route]));
        tell([fault(&format!("no {required}"), required, set_up)]);
    }
    tell(["/a%2Fb", "/a%5c/*"].map(|path| {
        fault(path, "encoded_slash", |setup| {
            setup.env("ROUTES", json!([with(&base, "path", json!(path))]))
        })
    }));
    let twice = |setup: Setup| setup.route("/a", json!({})).route("/a", json!({}));
    tell([fault("two routes of one path", "path", twice)]);
}

#[test]
fn keys_are_checked_whole() {
    let lines = [
        ("id", r#""" "a b" "a/b" "ä" "sk_a" "ss_a" "eyJhbGciOi.x.y" 1 null"#),
        ("origins", r#"["https://www.example.com"]"#),
        ("allowed_origin", r#""https://www.example.com""#),
        ("Methods", r#"["GET"]"#),
        ("path", r#"["/x"]"#),
        ("methods", r#"[] ["get"] "GET" [""] null"#),
        ("paths", r#"[] ["x"] ["/a*"] ["/*/a"] [""] "/a" null"#),
        ("schemes", r#"[] ["sessions"] ["session", 1] "session" null"#),
        ("allowed_origins", r#"[] ["www.example.com"] ["https://www.example.com/"] [""] null"#),
        ("allowed_origins", r#"["https://www.example.com/x"] ["*"] ["https://*"] ["null"]"#),
        ("allowed_origins", r#"["https://a.*.example.com"] ["https://*example.com"]"#),
        ("allowed_origins", r#"["https://bücher.example"] ["https://127.1"] ["http://*.[::1]"]"#),
        ("allowed_origins", r#""https://www.example.com""#),
        ("allowed_ips", r#"[] ["300.0.0.1"] ["10.0.0.0/33"] ["10.0.0.0/"] ["10.0.0.0/+8"]"#),
        (
            "allowed_ips",
            r#"["10.0.0"] ["2001:db8::/129"] ["010.0.0.1"] [""] "10.0.0.1" ["10.0.0.1/8"] null"#,
        ),
        ("match", r#""some" "" null"#),
        ("expires", r#""tomorrow" "2027-02-30T00:00:00Z" 1 "" null"#),
        ("version", r#"0 -1 4294967296 "1" 1.5 null"#),
        ("revoked", r#""false" 0 null"#),
        ("admin", r#""true" null"#),
        ("rate", r#""" "a b" 5 null"#),
        ("quota", r#"{"requests": 1, "per": "year"} {"per": "day", "calls": 1} 5 null"#),
        ("nonce", r#""maybe" true null"#),
        ("mint", r#"{"ttl": 300, "bound": true} {"ttl": 300} {"ttl": 0} null"#),
        ("url_ttl", r#"0 -1 4294967296 "1" null"#),
        ("name", "5 null"),
    ];
    let base = json!({"id": KEY});
    all_wrong(&base, &lines, |setup, record| setup.key(record));
    let open = json!({"schemes": ["public-key"], "paths": ["/*"]});
    let site = json!({"schemes": ["public-key"], "allowed_origins": [SITE]});
    let mints = json!({"admin": true, "mint": {"ttl": 300}, "allowed_origins": [SITE], "methods": ["POST"], "paths": ["/*"]});
    let page = json!({"mint": {}, "allowed_origins": [SITE], "methods": ["POST"], "paths": ["/*"]});
    let admin = with(&with(&open, "admin", json!(true)), "allowed_ips", json!(["::1"]));
    let link = json!({"admin": true, "schemes": ["session", "url"]});
    for (what, field, more) in [
        ("a public key without paths", "schemes", site),
        ("a public key without a place", "schemes", open),
        ("an admin that mints", "mint", mints),
        ("an admin by public key", "schemes", admin),
        ("a key that does not take what it mints", "mint", with(&page, "schemes", json!(["url"]))),
        ("a bearer session that needs a nonce", "mint", with(&page, "nonce", json!("required"))),
        ("sessions of more than an hour", "mint", with(&page, "mint", json!({"ttl": 3_601}))),
        ("an admin by URL", "schemes", link),
    ] {
        tell([fault(what, field, |setup| setup.site(more))]);
    }
    tell([
        fault("no id", "id", |setup| setup.key(json!({"name": "x"}))),
        fault("an id that is too long", "id", |setup| setup.key(json!({"id": "p".repeat(129)}))),
        fault("two keys of one id", "id", |setup| {
            setup.site(json!({})).site(json!({"version": 2}))
        }),
    ]);
}

#[test]
fn the_nearest_right_ones_work() {
    tell([
        works("the smallest gate", |setup| setup),
        works("secrets of 32 bytes", |setup| {
            let secrets = ["SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WAF_SECRET"];
            secrets.iter().fold(setup, |setup, name| setup.env(name, "s".repeat(32)))
        }),
        works("numbers as texts", |s| s.env("SESSION_MAX_TTL", "3600").env("CLOCK_SKEW", "300")),
        works("numbers", |setup| setup.env("SESSION_MAX_TTL", 400).env("CLOCK_SKEW", 0)),
        works("the largest numbers", |setup| setup.env("SESSION_MAX_TTL", 31_536_000)),
        works("rotation", |s| s.env("ROTATION", json!({"max_age_days": 3_650, "warn_days": 0}))),
        works("part of rotation", |setup| setup.env("ROTATION", json!({"warn_days": 3_650}))),
        works("an issue date", |setup| setup.env("WRITE_TOKEN_ISSUED_AT", "2026-11-22")),
        works("every member of a route", |setup| {
            setup.route("/x", json!({
                "upstream_auth": {"scheme": "bearer", "secret": "WRITE_TOKEN"}, "methods": [], "timeout_ms": 600_000,
                "retries": 10, "idempotency_key": false, "max_body_bytes": 5_000_000_000_u64, "encoded_slash": false,
                "unsigned_body": false, "identify_caller": false, "reject_status": [401], "probe": "/me",
                "pass_headers": ["cf-aig-metadata"], "deny_query": ["_method"],
            }))
        }),
        works("every member of a key", |setup| {
            setup.site(json!({
                "name": "Marketing site", "version": 1, "revoked": false, "expires": "2100-06-30T00:00:00Z",
                "schemes": ["session"], "methods": ["POST"], "paths": ["/x", "/y/*"], "match": "all",
                "url_ttl": 604_800, "admin": false,
            }))
        }),
        works("a key that mints", |setup| {
            setup.site(json!({})).key(json!({
                "id": "pk_page", "mint": {"ttl": 3_600, "bind": true}, "nonce": "required",
                "schemes": ["session"], "allowed_origins": [SITE], "methods": ["POST"], "paths": ["/*"],
            }))
        }),
        works("siteverify's URL", |s| s.env("TURNSTILE_VERIFY_URL", "https://verify.example/x")),
        works("siteverify on loopback", |s| s.env("TURNSTILE_VERIFY_URL", "http://[::1]:8080/")),
        works("siteverify's own URL", |setup| setup.env("TURNSTILE_VERIFY_URL", "")),
        works("older ids", |setup| {
            let setup = setup.site(json!({})).key(json!({"id": "A.z-0_9"}));
            setup.key(json!({"id": "SK_a"})).key(json!({"id": "pk_sk_a"}))
        }),
        works("the longest id", |setup| setup.site(json!({})).key(json!({"id": "p".repeat(128)}))),
    ]);
}

#[test]
fn no_keys_at_all_is_a_gate_that_is_shut() {
    let upstream = Upstream::start();
    for keys in [None, Some(json!([]))] {
        let gate = start(&upstream, |setup| match keys {
            None => setup.without("KEYS"),
            Some(keys) => setup.env("KEYS", keys),
        });
        Request::post("/x").bearer(&gate.bearer()).send(&gate).refused(401, "key-unknown");
        assert_eq!(Request::get("/_gate/health").send(&gate).status, 200);
    }
    upstream.assert_untouched();
}
