//! Tokens of a Secrets Store: when it is asked, what counts as a token, and what is said without one.

use serde_json::{Value, json};

use writegate::token_age::{self, Level, State};
use writegate::{Decision, Fingerprint, Gate, Secret, Timestamp};

use crate::world::{
    NOW, Native, TARGET, code_of, decide_at, gate_with, now_or_never, raw, root, token,
};

/// Returns a gate whose token is in a Secrets Store.
fn gate() -> Gate {
    gate_with(json!({}), json!({"probe": "/me"}), [("WRITE_TOKEN", Value::Null)])
}

fn store(text: Option<&str>) -> Native {
    let platform = Native::with_body(Vec::new());
    platform.stored.replace(text.map(str::to_owned));
    platform
}

/// Returns the token that a request is sent with, or the code of its refusal.
fn sent(gate: &Gate, platform: &Native, now: Timestamp) -> String {
    let bearer = format!("Bearer {}", token(json!({"exp": NOW.seconds() + 3_000})));
    let headers = [("authorization", bearer.as_str())];
    match decide_at(now, platform, gate, raw("POST", TARGET, &headers)) {
        Decision::Forward(outbound, _) => {
            let mut set = outbound.set.iter();
            let (_, value) = set.find(|(name, _)| name == "authorization").unwrap();
            value.expose_str().unwrap().to_owned()
        }
        Decision::Respond(answer) => code_of(&answer),
    }
}

#[test]
fn a_new_value_counts_after_thirty_seconds_without_a_deployment() {
    let gate = gate();
    let platform = store(Some("first"));
    assert_eq!(sent(&gate, &platform, NOW), "Bearer first");
    platform.stored.replace(Some(json!({"token": "second"}).to_string()));
    assert_eq!(sent(&gate, &platform, NOW.plus_seconds(29)), "Bearer first");
    assert_eq!(platform.asked.get(), 1, "not asked for every request");
    assert_eq!(sent(&gate, &platform, NOW.plus_seconds(30)), "Bearer second");
    assert_eq!(platform.asked.get(), 2);
}

#[test]
fn a_clock_that_is_set_back_lengthens_nothing() {
    let gate = gate();
    let platform = store(Some("first"));
    assert_eq!(sent(&gate, &platform, NOW), "Bearer first");
    platform.stored.replace(Some("second".to_owned()));
    assert_eq!(sent(&gate, &platform, NOW.plus_seconds(-1)), "Bearer second");
}

#[test]
fn a_store_that_does_not_answer_closes_its_routes_and_is_asked_again() {
    let gate = gate();
    let platform = store(None);
    assert_eq!(sent(&gate, &platform, NOW), "feature-unavailable");
    platform.stored.replace(Some("there".to_owned()));
    assert_eq!(sent(&gate, &platform, NOW), "Bearer there");
    platform.stored.replace(None);
    assert_eq!(sent(&gate, &platform, NOW.plus_seconds(29)), "Bearer there");
    assert_eq!(sent(&gate, &platform, NOW.plus_seconds(30)), "feature-unavailable");
}

#[test]
fn an_invalid_token_is_named_and_can_be_replaced_there() {
    for (text, code) in [
        ("", "token-missing"),
        (" \n", "token-missing"),
        (r#"{"tokn":"hunter2"}"#, "misconfigured"),
        ("two words", "misconfigured"),
        (r#"{"token":"hunter2","issued_at":"yesterday"}"#, "misconfigured"),
    ] {
        let gate = gate();
        let platform = store(Some(text));
        assert_eq!(sent(&gate, &platform, NOW), code, "{text}");
        platform.stored.replace(Some("replaced".to_owned()));
        assert_eq!(sent(&gate, &platform, NOW.plus_seconds(29)), code, "{text}");
        assert_eq!(sent(&gate, &platform, NOW.plus_seconds(30)), "Bearer replaced");
    }
}

/// Returns the refusal of a request, and the line for the operator, where the store has this.
fn alarmed(stored: &str) -> (String, Value) {
    let (gate, platform) = (gate(), store(Some(stored)));
    let bearer = format!("Bearer {}", token(json!({})));
    let headers = [("authorization", bearer.as_str())];
    let decision = decide_at(NOW, &platform, &gate, raw("POST", TARGET, &headers));
    let Decision::Respond(answer) = decision else {
        panic!("forwarded");
    };
    let alarm = serde_json::from_str(answer.alarm.as_ref().unwrap()).unwrap();
    (answer.body.to_string(), alarm)
}

#[test]
fn the_line_of_a_missing_token_has_the_command_that_puts_it() {
    let (_, alarm) = alarmed("");
    assert_eq!(alarm["event"], "token_missing");
    assert_eq!(alarm["hint"], "put the token: npx writegate token put --secret WRITE_TOKEN");
}

#[test]
fn the_line_names_the_field_and_not_the_value() {
    let (body, alarm) = alarmed(r#"{"token":"hunter2","issued_at":"yesterday"}"#);
    assert_eq!(alarm["event"], "misconfigured");
    assert_eq!(alarm["field"], "WRITE_TOKEN.issued_at");
    assert!(!alarm.to_string().contains("hunter2"));
    assert!(!body.contains("hunter2"));
}

/// Returns state, age and fingerprint of the one token.
fn report(gate: &Gate, platform: &Native) -> (State, Value) {
    let config = gate.config().unwrap();
    let tokens = now_or_never(gate.tokens(config, platform, NOW));
    let probes = token_age::probes(config, &tokens).count();
    let mut reports = token_age::reports(config, &tokens, &[], NOW);
    assert_eq!(reports.len(), 1);
    let report = reports.remove(0);
    assert_eq!(probes == 0, report.state == State::Missing);
    (report.state, report.status())
}

#[test]
fn its_age_is_reported_as_any_other_s() {
    let dated = r#"{"token":"a","issued_at":"2026-11-01"}"#;
    let (state, shown) = report(&gate(), &store(Some(dated)));
    assert_eq!((state, &shown["age_days"]), (State::Ok, &json!(21)));
    let expected = Fingerprint::of(&Secret::new("a"), &Secret::new(root()));
    assert_eq!(shown["fingerprint"], expected.as_str());
    // A raw one is dated by a variable.
    assert_eq!(report(&gate(), &store(Some("a"))).0, State::Unknown);
    let old = || {
        let issued = ("WRITE_TOKEN_ISSUED_AT", json!("2026-01-01"));
        let probe = json!({"probe": "/me"});
        gate_with(json!({}), probe, [("WRITE_TOKEN", Value::Null), issued])
    };
    assert_eq!(report(&old(), &store(Some("a"))).0, State::Overdue);
    // Its own date wins.
    assert_eq!(report(&old(), &store(Some(dated))).0, State::Ok);
}

#[test]
fn a_token_that_its_route_cannot_send_is_reported() {
    for (scheme, why) in [("basic", "user:password"), ("cloudflare-global-key", "email:key")] {
        let auth =
            json!({"upstream_auth": {"scheme": scheme, "secret": "WRITE_TOKEN"}, "probe": "/me"});
        let gate = gate_with(json!({}), auth, [("WRITE_TOKEN", Value::Null)]);
        let platform = store(Some(r#"{"token":"a","issued_at":"2026-11-01"}"#));
        assert_eq!(sent(&gate, &platform, NOW), "misconfigured", "{scheme}");
        let (state, shown) = report(&gate, &platform);
        let advice = shown["advice"].as_str().unwrap();
        assert!(state == State::Missing && advice.contains(why), "{shown}");
    }
}

#[test]
fn without_a_token_the_report_says_why() {
    for (text, why) in [
        (None, "secrets-store secret list"),
        (Some(""), "token put --secret"),
        (Some(r#"{"token":1}"#), "WRITE_TOKEN.token"),
    ] {
        let (state, shown) = report(&gate(), &store(text));
        assert_eq!(state, State::Missing);
        assert_eq!(shown["fingerprint"], Value::Null);
        let advice = shown["advice"].as_str().unwrap();
        assert!(advice.contains(why), "{advice}");
    }
}

/// Returns state and level of the one token, whose probes at `path` have these results.
fn probed(scheme: &str, path: &str, results: &[(u16, Value)]) -> (State, Level) {
    let auth = json!({"scheme": scheme, "secret": "WRITE_TOKEN"});
    let value = json!({"token": "me@example.com:key", "issued_at": "2026-11-21"}).to_string();
    let route = json!({"upstream_auth": auth, "probe": path});
    let gate = gate_with(json!({}), route, [("WRITE_TOKEN", json!(value))]);
    let config = gate.config().unwrap();
    let tokens = now_or_never(gate.tokens(config, &store(None), NOW));
    let probe = token_age::probes(config, &tokens).next().unwrap();
    let read = |(status, body): &(u16, Value)| {
        ("WRITE_TOKEN", probe.read(*status, body.to_string().as_bytes()))
    };
    let results: Vec<_> = results.iter().map(read).collect();
    let reports = token_age::reports(config, &tokens, &results, NOW);
    (reports[0].state, reports[0].level)
}

#[test]
fn what_a_probe_says_counts_and_a_broad_token_is_warned_of() {
    let of = |status: &str| json!({"result": {"status": status}});
    let ends = |on: &str| json!({"result": {"status": "active", "expires_on": on}});
    let verify = "/user/tokens/verify";
    let (good, bad) = ((State::Ok, Level::Info), (State::Rejected, Level::Error));
    for (path, results, expected) in [
        ("/me", vec![(200, Value::Null)], good),
        ("/me", vec![(401, Value::Null)], bad),
        ("/me", vec![(403, Value::Null)], good),
        ("/me", vec![(200, of("disabled"))], good),
        (verify, vec![(200, of("active"))], good),
        (verify, vec![(200, of("disabled"))], bad),
        (verify, vec![(401, of("active"))], bad),
        (verify, vec![(401, of("active")), (200, of("active"))], bad),
        (verify, vec![(200, of("active")), (401, of("active"))], bad),
        (verify, vec![(200, ends("2026-11-23T12:00:00Z"))], (State::Due, Level::Warn)),
        (verify, vec![(200, ends("2026-11-21T12:00:00Z"))], (State::Expired, Level::Error)),
        (verify, vec![(200, ends("soon"))], good),
    ] {
        assert_eq!(probed("bearer", path, &results), expected, "{path} {results:?}");
    }
    let broad = |status| probed("cloudflare-global-key", "/me", &[(status, Value::Null)]);
    assert_eq!((broad(200), broad(401)), ((State::Ok, Level::Warn), bad));
}
