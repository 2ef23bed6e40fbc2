//! The audit line of requests of any kind: bounded, escaped, and without a value of the query.

use super::*;
use crate::base::secret::Secret;
use serde_json::json;

fn line(method: &str, target: &str, headers: &[(&str, &str)]) -> serde_json::Value {
    let context = Context {
        now: Timestamp::from_seconds(0),
        request_id: "id".to_owned(),
        country: Some("Y".repeat(1_000)),
        colo: Some("Z".repeat(1_000)),
    };
    let raw = Raw { method, target, headers: headers.to_vec(), has_body: false };
    let line = AuditRecord::new(context, &raw).end(Outcome::Refused, Some(400));
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn every_request_has_a_method_a_path_and_an_address() {
    for (target, path) in [
        ("https://g/a?b=c", Some("/a")),
        ("https://g", Some("/")),
        ("https://user:pass@g/a#secret", Some("/a")),
        ("https://g?b", Some("/")),
        ("https://a b/c", Some("/c")),
        ("/a", None),
    ] {
        let line = line("GET", target, &[("cf-connecting-ip", "::ffff:192.0.2.1")]);
        assert_eq!(line["path"].as_str(), path, "{target}");
        assert_eq!((&line["method"], &line["ip"]), (&"GET".into(), &"192.0.2.1".into()));
    }
    let long = format!("https://g/{}", "é".repeat(20_000));
    let shown = line(&"X".repeat(1_000), &long, &[]);
    assert_eq!(shown["path"].as_str().unwrap().len(), MAX_TARGET_BYTES - 1);
    for name in ["method", "country", "colo"] {
        assert_eq!(shown[name].as_str().unwrap().len(), MAX_WORD_BYTES, "{name}");
    }
}

#[test]
fn names_of_parameters_are_few_and_short_and_no_values() {
    let (fits, long) = ("a".repeat(64), "b".repeat(65));
    let many = "c=1&".repeat(40);
    let target = format!("https://g/?{fits}=1&{long}=2&secret&{many}");
    let head = Head::new("GET", &target, Vec::new(), false).unwrap();
    let raw = Raw { method: "GET", target: &target, headers: Vec::new(), has_body: false };
    let context = Context {
        now: Timestamp::from_seconds(0),
        request_id: "id".to_owned(),
        country: None,
        colo: None,
    };
    let mut record = AuditRecord::new(context, &raw);
    record.request(&head);
    assert_eq!(record.query_keys.len(), MAX_QUERY_KEYS);
    assert_eq!(record.query_keys.get(..4).unwrap(), [fits.as_str(), "*", "*", "c"]);
}

#[test]
fn a_line_is_as_serde_json_writes_it() {
    let odd = |name: &str| format!("{name} \"\\\n\u{7f}é\u{1f600}");
    let is_set = [true, false];
    for (some, outcome) in is_set.into_iter().flat_map(|some| {
        [Outcome::Forwarded, Outcome::Cached, Outcome::Answered, Outcome::Refused, Outcome::Failed]
            .map(|outcome| (some, outcome))
    }) {
        let text = |name: &str| some.then(|| odd(name));
        let fingerprint = Fingerprint::of(&Secret::new("a"), &Secret::new("b"));
        let record = AuditRecord {
            code: some.then_some("bad-path"),
            request_id: odd("id"),
            key: text("key"),
            verified: some,
            subject: text("subject"),
            scheme: some.then_some("session"),
            method: text("method"),
            path: text("path"),
            query_keys: text("query").into_iter().chain(text("second")).collect(),
            route: text("route"),
            upstream_status: some.then_some(599),
            upstream_ms: some.then_some(i64::MIN),
            attempts: u32::MAX,
            upstream_429: 1,
            request_bytes: some.then_some(u64::MAX),
            response_bytes: some.then_some(0),
            cache: some.then_some("hit"),
            token: some.then(|| fingerprint.clone()),
            ip: text("ip"),
            country: text("country"),
            colo: text("colo"),
            time: odd("time"),
        };
        let members = [
            ("event", json!("request")),
            ("outcome", json!(format!("{outcome:?}").to_lowercase())),
            ("code", json!(record.code)),
            ("request_id", json!(record.request_id)),
            ("key", json!(record.key)),
            ("verified", json!(record.verified)),
            ("subject", json!(record.subject)),
            ("scheme", json!(record.scheme)),
            ("method", json!(record.method)),
            ("path", json!(record.path)),
            ("query_keys", json!(record.query_keys)),
            ("route", json!(record.route)),
            ("status", json!(some.then_some(204))),
            ("upstream_status", json!(record.upstream_status)),
            ("upstream_ms", json!(record.upstream_ms)),
            ("attempts", json!(record.attempts)),
            ("request_bytes", json!(record.request_bytes)),
            ("response_bytes", json!(record.response_bytes)),
            ("cache", json!(record.cache)),
            ("token", json!(some.then(|| fingerprint.as_str()))),
            ("ip", json!(record.ip)),
            ("country", json!(record.country)),
            ("colo", json!(record.colo)),
            ("time", json!(record.time)),
        ];
        let members = members.map(|(name, value)| format!("\"{name}\":{value}"));
        let expected = format!("{{{}}}", members.join(","));
        let expected = expected
            .replace('\u{7f}', "\\u007f")
            .replace('é', "\\u00e9")
            .replace('\u{1f600}', "\\ud83d\\ude00");
        assert_eq!(record.end(outcome, some.then_some(204)), expected);
    }
}

#[test]
fn what_a_caller_chose_is_escaped() {
    let odd = "\u{7f}\u{80}\u{9b}\u{200e}\u{202e}\u{2066}\u{feff}\u{1f600}é\"\\";
    let target = format!("https://g/{odd}");
    let path = line("GET", &target, &[])["path"].clone();
    assert_eq!(path, format!("/{odd}"), "and means the same");
}
