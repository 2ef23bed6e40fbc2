//! Siteverify's answers, and the decision on each (docs/wire-contract.md, "Minted sessions").

use serde_json::{Value, json};
use testkit::client::{Request, Response};
use testkit::gate::KEY;
use testkit::logs::Stream;
use testkit::minting::{UNAVAILABLE, minting, no, page_key, yes};

use crate::native::{Gate, Upstream, start};

/// Returns a gate for pages of these origins.
fn gate(origins: Value) -> Gate {
    start(&Upstream::start(), |setup| {
        let key = page_key(KEY, json!({"allowed_origins": origins}));
        minting(setup.key(key), "http://127.0.0.1:9/verify")
    })
}

/// Mints for a page of this origin, where siteverify answers so.
fn mint(origin: &str, status: u16, answer: &str) -> (Gate, Response) {
    let gate = gate(json!([origin]));
    gate.platform.verdict.replace(Some((status, answer.to_owned())));
    let request = Request::new("POST", "/_gate/session").origin(origin);
    let body = json!({"key": KEY, "turnstile": "0.token"}).to_string();
    let response = request.body(body).send(&gate);
    let asked = gate.platform.calls.take();
    assert_eq!(asked.iter().filter(|call| **call == "siteverify").count(), 1, "asked once");
    (gate, response)
}

/// Returns the lines of an event, without the request's id.
fn lines(gate: &Gate, event: &str) -> Vec<Value> {
    gate.logs.until("lines", |lines| {
        let own = lines.iter().filter(|line| line.is_event(event));
        Some(
            own.map(|line| {
                assert_eq!(line.stream, Stream::Error);
                let mut line = line.json().unwrap();
                assert!(line["request_id"].is_string(), "{line}");
                line.as_object_mut().unwrap().remove("request_id");
                line
            })
            .collect(),
        )
    })
}

const SITE: &str = "https://www.example.com";

fn with(name: &str, value: Value) -> String {
    let mut answer = yes("www.example.com");
    answer[name] = value;
    answer.to_string()
}

fn without(name: &str) -> String {
    let mut answer = yes("www.example.com");
    answer.as_object_mut().unwrap().remove(name);
    answer.to_string()
}

#[test]
fn a_yes_is_for_this_host_and_this_action() {
    let host = |origin: &str, hostname: &str| (origin.to_owned(), yes(hostname).to_string());
    for (origin, answer) in [
        host(SITE, "www.example.com"),
        host(SITE, "WWW.Example.COM"),
        host("https://WWW.example.com", "www.example.com"),
        host("https://www.example.com:8443", "www.example.com"),
        host("http://localhost:3000", "localhost"),
        (SITE.to_owned(), without("metadata")),
        (SITE.to_owned(), without("error-codes")),
        (SITE.to_owned(), with("metadata", json!({"result_with_testing_key": false}))),
        (SITE.to_owned(), with("metadata", Value::Null)),
    ] {
        let (gate, response) = mint(&origin, 200, &answer);
        assert_eq!(response.status, 201, "{origin} {answer}: {response}");
        assert!(lines(&gate, "turnstile").is_empty());
    }
    let long = "h".repeat(5_000);
    for (answer, reason, expected, got) in [
        (yes("example.com").to_string(), "hostname", "www.example.com", json!("example.com")),
        (
            yes("www.example.com.").to_string(),
            "hostname",
            "www.example.com",
            json!("www.example.com."),
        ),
        (
            yes("www.example.com:443").to_string(),
            "hostname",
            "www.example.com",
            json!("www.example.com:443"),
        ),
        (yes("").to_string(), "hostname", "www.example.com", json!("")),
        (yes(&long).to_string(), "hostname", "www.example.com", json!("h".repeat(253))),
        (without("hostname"), "hostname", "www.example.com", Value::Null),
        (with("hostname", json!(["www.example.com"])), "hostname", "www.example.com", Value::Null),
        (with("action", json!("Writegate")), "action", "writegate", json!("Writegate")),
        (with("action", json!("login\u{202e}\n")), "action", "writegate", json!("login\u{202e}\n")),
        (without("action"), "action", "writegate", Value::Null),
    ] {
        let (gate, response) = mint(SITE, 200, &answer);
        let problem = response.refused(403, "challenge-failed").json();
        assert_eq!(problem["reason"], reason, "{answer}");
        assert!(!problem.to_string().contains("login"), "{problem}");
        let line = json!({"event": "turnstile", "level": "warn", "reason": reason, "expected": expected, "got": got});
        let mut logged = lines(&gate, "turnstile");
        let hint = logged[0].as_object_mut().unwrap().remove("hint");
        assert!(
            hint.is_some_and(|hint| hint.as_str().unwrap().contains("docs/troubleshooting.md"))
        );
        assert_eq!(logged, [line]);
    }
}

#[test]
fn a_no_to_the_token_says_what_is_wrong_with_it() {
    for (status, codes, reason) in [
        (200, json!(["invalid-input-response"]), "invalid"),
        (200, json!(["missing-input-response"]), "invalid"),
        (400, json!(["bad-request"]), "invalid"),
        (200, json!(["timeout-or-duplicate"]), "spent"),
        (200, json!(["timeout-or-duplicate", "timeout-or-duplicate"]), "spent"),
        (200, json!(["timeout-or-duplicate", "invalid-input-response"]), "invalid"),
    ] {
        let (gate, response) = mint(SITE, status, &no(codes.clone()).to_string());
        let problem = response.refused(403, "challenge-failed").json();
        assert_eq!(problem["reason"], reason, "{codes}");
        // It concerns only the visitor.
        assert!(lines(&gate, "turnstile").is_empty());
        assert!(lines(&gate, "feature_unavailable").is_empty());
    }
}

#[test]
fn whatever_is_no_answer_to_the_token_is_no_yes() {
    let yes = yes("www.example.com").to_string();
    let no = |codes: Value| no(codes).to_string();
    let cases = [
        (200, no(json!(["missing-input-secret"])), "TURNSTILE_SECRET"),
        (200, no(json!(["invalid-input-secret"])), "TURNSTILE_SECRET"),
        (200, no(json!(["invalid-input-response", "invalid-input-secret"])), "TURNSTILE_SECRET"),
        (200, no(json!(["internal-error", "invalid-input-secret"])), "TURNSTILE_SECRET"),
        (200, no(json!(["internal-error"])), "internal-error"),
        (200, no(json!(["timeout-or-duplicate", "internal-error"])), "internal-error"),
        (200, no(json!(["a-new-one"])), "a-new-one"),
        (200, no(json!([])), "error codes"),
        (200, no(json!([1])), "error codes"),
        (200, no(json!("timeout-or-duplicate")), "error codes"),
        (200, json!({"success": false}).to_string(), "error codes"),
        (200, String::new(), "status 200"),
        (200, "yes".to_owned(), "status 200"),
        (200, "true".to_owned(), "status 200"),
        (200, format!("[{yes}]"), "status 200"),
        (200, yes.replacen("{", "{\"success\":true,", 1), "status 200"),
        (200, with("success", json!("true")), "status 200"),
        (200, with("success", json!(1)), "status 200"),
        (200, with("success", Value::Null), "status 200"),
        (200, without("success"), "status 200"),
        (
            200,
            with("metadata", json!({"result_with_testing_key": "false"})),
            "result_with_testing_key",
        ),
        (301, yes.clone(), "status 301"),
        (400, yes.clone(), "status 400"),
        (500, yes.clone(), "status 500"),
        (503, no(json!(["invalid-input-response"])), "status 503"),
    ];
    for (status, answer, named) in cases {
        let (gate, response) = mint(SITE, status, &answer);
        response.refused(UNAVAILABLE.0, UNAVAILABLE.1);
        let lines = lines(&gate, "feature_unavailable");
        let [line] = lines.as_slice() else { panic!("one line: {lines:?}") };
        assert!(line["feature"].as_str().unwrap().contains(named), "{status} {answer}: {line}");
        assert_eq!(line["wanted_by"], KEY);
    }
}

#[test]
fn a_testing_key_counts_only_on_loopback_pages() {
    let mut answer = yes("example.com");
    answer["action"] = json!("test");
    answer["metadata"] = json!({"result_with_testing_key": true});
    let answer = answer.to_string();
    for origin in [
        "http://localhost", "http://LOCALHOST:3000", "https://127.0.0.1:8080",
        "http://127.255.1.2", "http://[::1]:5173",
    ] {
        let (gate, response) = mint(origin, 200, &answer);
        assert_eq!(response.status, 201, "{origin}: {response}");
        assert!(lines(&gate, "turnstile").is_empty());
    }
    for origin in [
        "https://www.example.com", "http://localhost.example.com", "http://a.localhost",
        "http://localhost.", "http://127.0.0.1.example.com", "http://128.0.0.1", "http://0.0.0.0",
        "http://[::2]", "http://[::ffff:127.0.0.1]",
    ] {
        let (gate, response) = mint(origin, 200, &answer);
        let problem = response.refused(403, "challenge-failed").json();
        assert_eq!(problem["reason"], "testing-key", "{origin}");
        let lines = lines(&gate, "turnstile");
        let [line] = lines.as_slice() else { panic!("one line: {lines:?}") };
        assert_eq!((&line["reason"], &line["level"]), (&json!("testing-key"), &json!("warn")));
    }
}
