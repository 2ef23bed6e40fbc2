//! Configurations that are wrong (contract, section 1): every request is answered 503 `misconfigured`, one line of the
//! log names the field, and nothing reaches the upstream. Beside them, the nearest ones that are right.

use serde_json::{Map, Value, json};
use testkit::client::Request;
use testkit::gate::Setup;
use testkit::logs::Line;
use testkit::upstream::Upstream;

pub(crate) const SITE: &str = "https://www.example.com";

/// What is wrong with this configuration; `None` if it is refused as it should be.
pub(crate) fn fault(
    what: &str,
    field: &str,
    set_up: impl FnOnce(Setup) -> Setup,
) -> Option<String> {
    let upstream = Upstream::start();
    let gate = set_up(Setup::to(&upstream)).start();
    let token = gate.bearer();
    for request in [
        Request::post("/x").bearer(&token),
        Request::get("/x"),
        Request::get("/_gate/health"),
        Request::post("/x").bearer(&token),
    ] {
        let answer = request.send(&gate);
        if (answer.status, answer.code().as_str()) != (503, "misconfigured") {
            return Some(format!("{what}: answered {answer}"));
        }
    }
    if !upstream.seen().is_empty() {
        return Some(format!("{what}: reached the upstream"));
    }
    let lines: Vec<_> = gate
        .stop()
        .into_iter()
        .filter(|line| line.json().is_none_or(|line| line["event"] != "request"))
        .map(|line: Line| line.text)
        .collect();
    (lines.len() != 1 || !lines[0].contains(field))
        .then(|| format!("{what}: {field} not named in {lines:#?}"))
}

/// A gate that works.
fn works(what: &str, set_up: impl FnOnce(Setup) -> Setup) -> Option<String> {
    let upstream = Upstream::start();
    let gate = set_up(Setup::to(&upstream)).start();
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    (answer.status != 200).then(|| format!("{what} should work: {answer}"))
}

pub(crate) fn tell(faults: impl IntoIterator<Item = Option<String>>) {
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{} configurations:\n- {}", faults.len(), faults.join("\n- "));
}

pub(crate) fn merged(base: Value, more: &Value) -> Value {
    let mut members: Map<String, Value> = base.as_object().unwrap().clone();
    members.extend(more.as_object().unwrap().clone());
    members.into()
}

/// A variable of this value is refused by its name.
pub(crate) fn wrong(name: &str, values: &[Value]) -> Vec<Option<String>> {
    let case = |value: &Value| {
        fault(&format!("{name} = {value}"), name, |setup| setup.env(name, value.clone()))
    };
    values.iter().map(case).collect()
}

#[test]
fn the_upstream_is_one_https_address_or_on_loopback() {
    tell(wrong(
        "UPSTREAM",
        &[
            json!(""),
            json!("api.example.com"),
            json!("ftp://api.example.com"),
            json!("http://api.example.com"),
            json!("http://localhost.example.com"),
            json!("http://127.0.0.1.example.com"),
            json!("https://user@api.example.com"),
            json!("https://user:pass@api.example.com"),
            json!("https://api.example.com/?a=b"),
            json!("https://api.example.com/#a"),
            json!("https://api.example.com?"),
            json!("https://"),
            json!("https:///x"),
            json!("https://api example.com"),
            json!("https://api.example.com:99999"),
            json!("https://api.example.com\\x"),
            json!("https://api.example.com/../x"),
            json!(5),
            json!(["https://api.example.com"]),
            Value::Null,
        ],
    ));
    tell([
        fault("neither UPSTREAM nor ROUTES", "UPSTREAM", |setup| setup.without("UPSTREAM")),
        fault("both UPSTREAM and ROUTES", "ROUTES", |setup| {
            let url = "https://api.example.com";
            setup.env("UPSTREAM", url).route("/*", json!({}))
        }),
    ]);
}

#[test]
fn numbers_and_secrets_are_checked() {
    tell(wrong(
        "SESSION_MAX_TTL",
        &[json!(0), json!(-1), json!("x"), json!("1h"), json!(1.5), json!("+60"), Value::Null],
    ));
    tell(wrong(
        "CLOCK_SKEW",
        &[json!(301), json!(-1), json!("x"), json!(""), json!(0.5), Value::Null],
    ));
    tell(wrong(
        "ROTATION",
        &[
            json!({"max_age": 90}),
            json!({"max_age_days": "90"}),
            json!({"max_age_days": -1}),
            json!({"warn_days": null}),
            json!(90),
            Value::Null,
        ],
    ));
    tell(wrong("WRITE_TOKEN_ISSUED_AT", &[json!("yesterday"), json!("2026-13-01"), json!(1)]));
    tell(wrong("SIGNING_SECRET", &[json!(""), json!("x".repeat(31))]));
    tell(wrong("SIGNING_SECRET_PREVIOUS", &[json!("x".repeat(31))]));
    tell([fault("no SIGNING_SECRET", "SIGNING_SECRET", |setup| setup.without("SIGNING_SECRET"))]);
}

#[test]
fn the_nearest_right_ones_work() {
    tell([
        works("the smallest gate", |setup| setup),
        works("a secret of 32 bytes", |setup| {
            setup.env("SIGNING_SECRET", &testkit::token::fresh()[..32])
        }),
        works("numbers as texts", |setup| {
            setup.env("SESSION_MAX_TTL", "3600").env("CLOCK_SKEW", "300")
        }),
        works("numbers", |setup| setup.env("SESSION_MAX_TTL", 400).env("CLOCK_SKEW", 0)),
        works("rotation", |setup| {
            setup.env("ROTATION", json!({"max_age_days": 30, "warn_days": 3}))
        }),
        works("part of rotation", |setup| setup.env("ROTATION", json!({"warn_days": 3}))),
        works("an issue date", |setup| setup.env("WRITE_TOKEN_ISSUED_AT", "2026-11-22")),
        works("every member of a route", |setup| {
            setup.route("/x", json!({
                "upstream_auth": {"scheme": "bearer", "secret": "WRITE_TOKEN"}, "methods": [], "timeout_ms": 100_000,
                "retries": 2, "idempotency_key": false, "max_body_bytes": 104_857_600, "encoded_slash": false,
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
        works("an older id", |setup| setup.site(json!({})).key(json!({"id": "A.z-0_9"}))),
        works("the longest id", |setup| setup.site(json!({})).key(json!({"id": "p".repeat(128)}))),
    ]);
}

#[test]
fn no_keys_at_all_is_a_gate_that_is_shut() {
    let upstream = Upstream::start();
    for set_up in
        [Setup::to(&upstream).without("KEYS"), Setup::to(&upstream).env("KEYS", json!([]))]
    {
        let gate = set_up.start();
        Request::post("/x").bearer(&gate.bearer()).send(&gate).refused(401, "key-unknown");
        assert_eq!(Request::get("/_gate/health").send(&gate).status, 200);
    }
    upstream.assert_untouched();
}

#[test]
fn health_says_ok_and_which_version() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).start();
    let answer = Request::get("/_gate/health").send(&gate);
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.json(), json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
    assert_eq!(Request::new("HEAD", "/_gate/health").send(&gate).status, 200);
    for (request, status) in [
        (Request::post("/_gate/health"), 405),
        (Request::get("/_gate/nothing"), 404),
        (Request::get("/_gate/nothing").bearer(&gate.bearer()), 404),
    ] {
        let answer = request.send(&gate);
        assert_eq!(answer.status, status, "{answer}");
    }
    upstream.assert_untouched();
}
