//! The gate's handling of the upstream's answers: which requests it sends again, which answers it passes on, and whose fault a failure is.

use serde_json::{Value, json};

use writegate::{CacheEntry, Decision, Failure, Fingerprint, Secret, Step};

use crate::world::{NOW, TARGET, TOKEN, code_of, decide, gate, gate_with, raw, root, token};

/// Forwards a GET and tells the exchange what the upstream did, step by step.
fn exchange(route: Value, method: &str, answers: &[(u16, &[(&str, &str)])]) -> Vec<String> {
    let gate = gate(json!({}), route);
    let bearer = format!("Bearer {}", token(json!({})));
    let headers = [("authorization", bearer.as_str()), ("origin", "https://a.example")];
    let Decision::Forward(_, mut exchange) = decide(&gate, raw(method, TARGET, &headers)) else {
        panic!("refused");
    };
    answers
        .iter()
        .map(|(status, headers)| {
            let step = match status {
                0 => exchange.failed(Failure::Unreachable, None, NOW, 1.0),
                1 => exchange.failed(Failure::Timeout, None, NOW, 1.0),
                status => exchange.answered(*status, headers, None, NOW, 1.0),
            };
            match step {
                Step::Again(pause_ms) => format!("again {pause_ms}"),
                Step::Pass(edits, lines, _) => {
                    let audit: Value = serde_json::from_str(&lines.audit).unwrap();
                    assert_eq!(audit["route"], "/*");
                    assert_eq!(
                        audit["token"],
                        Fingerprint::of(&Secret::new(TOKEN), &Secret::new(root())).as_str()
                    );
                    format!("pass {} {} {:?}", audit["status"], audit["attempts"], edits.echoed)
                }
                Step::Inspect => {
                    let answer = exchange.rejected(*status, b"");
                    let alarm = answer.alarm.as_deref().unwrap_or_default();
                    assert!(alarm.contains("WRITE_TOKEN"), "{alarm}");
                    let audit: Value = serde_json::from_str(&answer.audit).unwrap();
                    assert_eq!(
                        (&audit["outcome"], &audit["upstream_status"]),
                        (&json!("failed"), &json!(status))
                    );
                    code_of(&answer)
                }
                Step::Respond(answer) => code_of(&answer),
            }
        })
        .collect()
}

#[test]
fn reads_are_tried_again_and_writes_are_not() {
    let seen = exchange(json!({}), "GET", &[(503, &[]), (0, &[]), (503, &[])]);
    assert_eq!(seen, ["again 100", "again 200", "pass 503 3 []"]);
    assert_eq!(exchange(json!({}), "POST", &[(503, &[])]), ["pass 503 1 []"]);
    assert_eq!(exchange(json!({}), "POST", &[(0, &[])]), ["upstream-unreachable"]);
    assert_eq!(exchange(json!({"retries": 0}), "GET", &[(429, &[])]), ["pass 429 1 []"]);
    let later = [(429, &[("retry-after", "6")] as &[(&str, &str)])];
    assert_eq!(exchange(json!({}), "GET", &later), ["pass 429 1 []"]);
    assert_eq!(exchange(json!({}), "GET", &[(1, &[])]), ["upstream-timeout"]);
    for status in [429, 502, 503, 504] {
        for method in ["GET", "HEAD"] {
            assert_eq!(exchange(json!({}), method, &[(status, &[])]), ["again 100"]);
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let seen = exchange(json!({}), method, &[(status, &[])]);
            assert_eq!(seen, [format!("pass {status} 1 []")], "{method}");
        }
    }
    for status in [200, 400, 404, 408, 409, 500, 501, 505] {
        let seen = exchange(json!({}), "GET", &[(status, &[])]);
        assert_eq!(seen, [format!("pass {status} 1 []")]);
    }
}

#[test]
fn the_upstream_s_refusals_of_the_gate_are_not_the_caller_s() {
    assert_eq!(exchange(json!({}), "POST", &[(401, &[])]), ["upstream-rejected-token"]);
    assert_eq!(exchange(json!({}), "POST", &[(403, &[])]), ["pass 403 1 []"]);
    let route = json!({"reject_status": [403, 407]});
    assert_eq!(exchange(route.clone(), "POST", &[(403, &[])]), ["upstream-rejected-token"]);
    assert_eq!(exchange(route, "POST", &[(401, &[])]), ["pass 401 1 []"]);
    for status in [520, 521, 522, 523, 524, 525, 526, 527, 530, 999, 103] {
        assert_eq!(exchange(json!({}), "POST", &[(status, &[])]), ["upstream-unreachable"]);
    }
    for status in [519, 528, 529, 531] {
        let seen = exchange(json!({}), "POST", &[(status, &[])]);
        assert_eq!(seen, [format!("pass {status} 1 []")]);
    }
    let echoing = [(200, &[("x-debug", "tok upstream-token")] as &[(&str, &str)])];
    assert_eq!(exchange(json!({}), "POST", &echoing), ["pass 200 1 [\"x-debug\"]"]);
}

#[test]
fn only_the_answer_to_a_get_is_stored() {
    let bearer = format!("Bearer {}", token(json!({})));
    for (method, is_stored) in [("GET", true), ("HEAD", false)] {
        let gate = gate(json!({}), json!({"cache": {"ttl": 60}}));
        let request = raw(method, TARGET, &[("authorization", &bearer)]);
        let Decision::Forward(_, mut exchange) = decide(&gate, request) else { panic!("refused") };
        let step = exchange.answered(200, &[("content-type", "text/plain")], None, NOW, 0.0);
        let Step::Pass(_, _, write) = step else { panic!("not passed on") };
        assert_eq!(write.is_some(), is_stored, "{method}");
    }
}

#[test]
fn a_browser_keeps_answers_to_keys_whose_requests_need_not_be_counted() {
    let bearer = format!("Bearer {}", token(json!({})));
    let limited = |may: bool| json!({"requests": 9, "per": "day", "browser_cache": may});
    for (key, is_kept) in [
        (json!({}), true),
        (json!({"quota": limited(true)}), true),
        (json!({"quota": limited(false)}), false),
    ] {
        let route = json!({"cache": {"ttl": 60, "browser_ttl": 30}});
        let gate = gate_with(key.clone(), route, [("LEDGER", Value::Null)]);
        let request = raw("GET", TARGET, &[("authorization", &bearer)]);
        let Decision::Forward(_, mut exchange) = decide(&gate, request) else { panic!("refused") };
        let step = exchange.answered(200, &[("content-type", "text/plain")], None, NOW, 0.0);
        let Step::Pass(edits, ..) = step else { panic!("not passed on") };
        let kept = ("cache-control", "private, max-age=30".to_owned());
        assert_eq!(edits.set.contains(&kept), is_kept, "{key}: {:?}", edits.set);
    }
}

#[test]
fn a_304_and_a_416_of_the_cache_are_edited_as_what_they_are() {
    let gate = gate(json!({}), json!({"cache": {"ttl": 60}}));
    let bearer = format!("Bearer {}", token(json!({})));
    let until = (NOW.millis() + 60_000).to_string();
    let asked = NOW.millis().to_string();
    let stored = [
        ("content-type", "text/html"),
        ("content-length", "5"),
        ("etag", "\"a\""),
        ("writegate-asked", asked.as_str()),
        ("writegate-until", until.as_str()),
        ("writegate-age", "0"),
        ("writegate-length", "5"),
    ];
    for (condition, status, is_typed) in [
        (("accept", "text/html"), None, true),
        (("range", "bytes=9-"), Some(416), true),
        (("if-none-match", "\"a\""), Some(304), false),
    ] {
        let headers = [("authorization", bearer.as_str()), condition];
        let Decision::Forward(_, mut exchange) = decide(&gate, raw("GET", TARGET, &headers)) else {
            panic!("refused");
        };
        let entry = CacheEntry { headers: &stored, purged: None };
        let Some(Step::Pass(edits, ..)) = exchange.cached(200, entry, NOW) else {
            panic!("not served");
        };
        assert_eq!(edits.status, status);
        let has_policy = edits.set.iter().any(|(name, _)| *name == "content-security-policy");
        let has_type = !edits.drop.contains(&"content-type");
        assert_eq!((has_policy, has_type), (is_typed, is_typed), "{status:?}");
    }
}
