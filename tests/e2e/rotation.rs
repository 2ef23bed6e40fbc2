//! The daily check of each token's age (docs/wire-contract.md, section 9): every state, its level and its console.

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::{Gate, Setup};
use testkit::logs::Stream;
use testkit::token::{date, fingerprint, fresh, now};
use testkit::upstream::{Reply, Upstream};

const DAY: u64 = 86_400;

fn days_ago(days: u64) -> String {
    date(now() - days * DAY)
}

fn in_days(days: u64) -> String {
    date(now() + days * DAY)
}

/// Runs the scheduled handler and returns so many of its lines.
fn run(gate: &Gate, lines: usize) -> Vec<(Stream, Value)> {
    Request::get("/").send_to(gate.cron).passed();
    gate.logs.events("rotation", lines)
}

/// Returns the one line about a token of this value.
fn line_of(set_up: impl FnOnce(Setup) -> Setup) -> (Stream, Value) {
    let upstream = Upstream::start();
    let gate = set_up(Setup::to(&upstream)).start();
    let line = run(&gate, 1).remove(0);
    upstream.assert_untouched();
    assert_eq!(count(gate), 1, "one line for each token");
    line
}

fn count(gate: Gate) -> usize {
    let lines = gate.stop();
    lines.iter().filter(|line| line.json().is_some_and(|line| line["event"] == "rotation")).count()
}

fn assert_state((stream, line): (Stream, Value), state: &str, level: &str) -> Value {
    assert_eq!((&line["state"], &line["level"]), (&json!(state), &json!(level)), "{line}");
    let expected = if level == "info" { Stream::Log } else { Stream::Error };
    assert_eq!(stream, expected, "{line}");
    assert_eq!(line["secret"], "WRITE_TOKEN");
    assert!(line["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{line}");
    line
}

fn envelope(members: Value) -> String {
    let mut all = json!({"token": fresh()});
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    all.to_string()
}

fn issued(days: u64) -> impl FnOnce(Setup) -> Setup {
    move |setup| setup.env("WRITE_TOKEN", envelope(json!({"issued_at": days_ago(days)})))
}

#[test]
fn age_makes_a_token_due_and_then_overdue() {
    let line = assert_state(line_of(issued(10)), "ok", "info");
    assert_eq!((&line["age_days"], &line["max_age_days"]), (&json!(10), &json!(90)), "{line}");
    assert_eq!(line["expires_in_days"], Value::Null);
    assert_state(line_of(issued(0)), "ok", "info");
    assert_state(line_of(issued(75)), "ok", "info");
    assert_state(line_of(issued(77)), "due", "warn");
    assert_state(line_of(issued(89)), "due", "warn");
    assert_state(line_of(issued(91)), "overdue", "warn");
    let sooner = |setup: Setup| {
        issued(10)(setup.env("ROTATION", json!({"max_age_days": 12, "warn_days": 5})))
    };
    let line = assert_state(line_of(sooner), "due", "warn");
    assert_eq!(line["max_age_days"], 12);
}

#[test]
fn an_end_makes_a_token_due_and_then_expired() {
    let until = |end: String| {
        move |setup: Setup| {
            setup.env("WRITE_TOKEN", envelope(json!({"issued_at": days_ago(1), "expires_at": end})))
        }
    };
    assert_state(line_of(until(in_days(30))), "ok", "info");
    let line = assert_state(line_of(until(in_days(7))), "due", "warn");
    let left = line["expires_in_days"].as_i64().unwrap();
    assert!((6..=7).contains(&left), "{line}");
    assert_state(line_of(until(days_ago(2))), "expired", "error");
    assert_state(line_of(until(format!("{}T00:00:00Z", in_days(40)))), "ok", "info");
}

#[test]
fn a_raw_token_may_have_its_date_beside_it() {
    assert_state(line_of(|setup| setup), "unknown", "warn");
    let line = assert_state(
        line_of(|setup| setup.env("WRITE_TOKEN_ISSUED_AT", days_ago(5))),
        "ok",
        "info",
    );
    assert_eq!(line["age_days"], 5);
    assert_state(
        line_of(|setup| setup.env("WRITE_TOKEN_ISSUED_AT", days_ago(120))),
        "overdue",
        "warn",
    );
}

#[test]
fn a_token_that_is_not_there_is_missing() {
    let line = assert_state(line_of(|setup| setup.without("WRITE_TOKEN")), "missing", "error");
    assert_eq!(line["fingerprint"], Value::Null);
}

#[test]
fn a_token_is_named_only_by_its_fingerprint() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).start();
    let line = run(&gate, 1).remove(0).1;
    assert_eq!(line["fingerprint"], fingerprint(&gate.signing_secret, &gate.token));
    let token = gate.token.clone();
    assert!(gate.stop().iter().all(|line| !line.text.contains(&token)));
}

#[test]
fn a_probe_tells_whether_the_token_works() {
    let upstream =
        Upstream::queue(vec![Reply::ok("{}"), Reply::new(401), Reply::new(500), Reply::new(404)]);
    let url = upstream.url();
    let gate = Setup::to(&upstream)
        .env("WRITE_TOKEN", envelope(json!({"issued_at": days_ago(1)})))
        .route("/cms/*", json!({"upstream": format!("{url}/v1/"), "probe": "/me"}))
        .start();
    assert_state(run(&gate, 1).pop().unwrap(), "ok", "info");
    let seen = upstream.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/me"));
    assert!(seen.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
    assert_state(run(&gate, 2).pop().unwrap(), "rejected", "error");
    // An upstream in trouble says nothing about the token.
    assert_state(run(&gate, 3).pop().unwrap(), "ok", "info");
}

#[test]
fn a_probe_of_the_cloudflare_api_reads_when_the_token_ends() {
    let end = in_days(5);
    let upstream = Upstream::answering(move |_, _| {
        let result = json!({"success": true, "errors": [],
            "result": {"id": "x", "status": "active", "expires_on": format!("{end}T12:00:00Z")}});
        Reply::ok(&result.to_string()).header("Content-Type", "application/json")
    });
    // A user's token, and one that an account owns.
    for (probe, state) in [
        ("/user/tokens/verify", "due"),
        ("/accounts/0a/tokens/verify", "due"),
        ("/user/tokens", "ok"),
    ] {
        let gate = Setup::to(&upstream)
            .env("WRITE_TOKEN_ISSUED_AT", days_ago(1))
            .route("/cf/*", json!({"probe": probe}))
            .start();
        let level = if state == "ok" { "info" } else { "warn" };
        let line = assert_state(run(&gate, 1).remove(0), state, level);
        let days = line["expires_in_days"].as_i64();
        let read = days.is_some_and(|days| (4..=6).contains(&days));
        assert_eq!(read, state == "due", "{line}");
    }
}

#[test]
fn there_is_one_line_for_each_token_and_a_global_key_is_called_broad() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .env("OTHER", format!("me@example.com:{}", fresh()))
        .env("OTHER_ISSUED_AT", days_ago(1))
        .route("/a/*", json!({}))
        .route("/b/*", json!({}))
        .route(
            "/c/*",
            json!({"upstream_auth": {"scheme": "cloudflare-global-key", "secret": "OTHER"}}),
        )
        .start();
    let lines = run(&gate, 2);
    let mut secrets: Vec<_> =
        lines.iter().map(|(_, line)| line["secret"].as_str().unwrap()).collect();
    secrets.sort_unstable();
    assert_eq!(secrets, ["OTHER", "WRITE_TOKEN"]);
    let (_, other) = lines.iter().find(|(_, line)| line["secret"] == "OTHER").unwrap();
    assert!(other["advice"].as_str().unwrap().to_lowercase().contains("broad"), "{other}");
    assert_eq!(count(gate), 2);
}
