//! Every message between Rust and JavaScript, written by one side and read by the other.

use std::process::Command;

use serde_json::{Value, json};
use testkit::program::run;

use super::*;
use crate::cache::Lookup;

const HEADERS: [(&str, &str); 3] =
    [("content-type", "text/plain"), ("x-empty", ""), ("x-a,b", "1, 2")];

/// Has `wire.js` read messages, as `[[function, message],…]`, or write them, as `[[function, argument,…],…]`.
fn javascript(calls: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/wire.mjs");
    let output = run(Command::new("node").arg(script), &calls.to_string());
    serde_json::from_str(&output).unwrap()
}

fn own(headers: &[(&'static str, &str)], alarm: Option<&str>) -> GateResponse {
    GateResponse {
        status: 403,
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        body: r#"{"a":"\\n"}"#.to_owned(),
        audit: r#"{"event":"request"}"#.to_owned(),
        alarm: alarm.map(str::to_owned),
    }
}

fn flat(headers: &[(&str, &str)]) -> Vec<String> {
    headers.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect()
}

#[test]
fn javascript_reads_what_rust_writes() {
    let mut reads = Vec::new();
    let mut right = Vec::new();
    let mut expect = |name: &str, message: &str, value: Value| {
        reads.push(json!([name, message]));
        right.push(value);
    };
    for alarm in [None, Some("{}")] {
        for headers in [&[][..], &HEADERS[..]] {
            let response = own(headers, alarm);
            let value = json!({"status": 403, "audit": response.audit, "alarm": alarm.unwrap_or_default(),
                "body": response.body, "headers": flat(headers)});
            expect("readResponse", &super::response(&response), value);
            let text = super::response(&response);
            expect(
                "readStep",
                &step(&Step::Respond(response)),
                json!({"what": "respond", "response": text}),
            );
        }
    }
    expect("readStep", &step(&Step::Again(250)), json!({"what": "again", "pauseMs": 250}));
    expect("readStep", &step(&Step::Inspect), json!({"what": "inspect"}));
    for (status, drop, set, is_metered, copied) in [
        (None, &[][..], &[][..], false, None),
        (Some(304), &["age", "etag"][..], &HEADERS[..], true, None),
        (None, &["age"][..], &[][..], true, Some((&[][..], &HEADERS[..]))),
        (Some(416), &[][..], &HEADERS[..], false, Some((&["vary"][..], &[][..]))),
    ] {
        let owned = |set: &[(&'static str, &str)]| {
            set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
        };
        let edits =
            HeaderEdits { status, drop: drop.to_vec(), set: owned(set), ..HeaderEdits::default() };
        let lines = LogLines { audit: "{}".to_owned(), alarm: None, is_metered };
        let copy =
            copied.map(|(drop, set)| CacheWrite { drop: drop.to_vec(), set: owned(set), life: 1 });
        let mut value = json!({"what": "pass", "audit": "{}", "alarm": "", "isMetered": is_metered,
            "drop": drop.join(","), "set": flat(set)});
        if let Some(status) = status {
            value["status"] = status.into();
        }
        if let Some((drop, set)) = copied {
            value["copy"] = json!({"drop": drop.join(","), "set": flat(set)});
        }
        expect("readStep", &step(&Step::Pass(edits, lines, copy)), value);
    }
    let token = Secret::new("token");
    let set = vec![("authorization".to_owned(), token)];
    for (body, travel) in [
        (Body::None, "none"),
        (Body::Stream, "stream"),
        (Body::Buffered, "buffered"),
        (Body::Counted(7), "7"),
    ] {
        let mut outbound = Outbound {
            url: "https://api.example/x?y".to_owned(),
            drop: vec!["cookie", "x-a"],
            set: set.clone(),
            body,
            repeatable: false,
            is_head: false,
            cache: None,
        };
        let mut value = json!({"url": outbound.url, "travel": travel, "timeoutMs": 30, "drop": "cookie,x-a",
            "lookup": "", "set": ["authorization", "token"]});
        expect("readPlan", &plan(&outbound, 30), value.clone());
        let lookup = Lookup::for_test("name");
        let [route, url] = lookup.purge_markers();
        value["lookup"] = format!("name,{route},{url}").into();
        outbound.cache = Some(lookup);
        expect("readPlan", &plan(&outbound, 30), value.clone());
        let is_range = json!({"name": "name", "markers": [route, url], "isRange": false});
        expect("readLookup", value["lookup"].as_str().unwrap(), is_range);
    }
    let value = json!({"url": "https://a", "timeoutMs": 9, "headers": ["authorization", "token"]});
    expect("readProbe", &probe("https://a", 9, &set), value);
    for pairs in [vec![], vec![("pk_a", "{}")], vec![("pk_a", "{}"), ("pk_b", "[1]")]] {
        let owned: Vec<(String, String)> =
            pairs.iter().map(|(key, batch)| ((*key).to_owned(), (*batch).to_owned())).collect();
        expect("readBatches", &batches(&owned), json!(pairs));
    }
    assert_eq!(javascript(&Value::Array(reads)), Value::Array(right));
}

#[test]
fn the_ledgers_of_a_page_are_as_many_as_its_keys() {
    let pair = |answer: &str, rows: &str| (answer.to_owned(), rows.to_owned());
    let both = vec![pair("", "[]"), pair("{}", "[1]")];
    assert_eq!(ledgers("\n[]\n{}\n[1]", 2), Some(both));
    for (lines, count) in [("\n[]", 2), ("\n[]\n{}\n[1]", 1), ("", 1), ("[]", 1)] {
        assert_eq!(ledgers(lines, count), None, "{lines:?}");
    }
}

#[test]
fn rust_reads_what_javascript_writes() {
    let request = json!({"method": "POST", "url": "https://gate/x?y", "headers": HEADERS, "hasBody": true,
        "cf": {"country": "DE", "colo": "FRA"}});
    let located = json!({"method": "GET", "url": "https://gate/ü", "headers": [["cf-ipcountry", "FR"], ["cf-ray", "1-CDG"]],
        "hasBody": false});
    let written = javascript(&json!([
        ["writeRequest", request],
        ["writeRequest", located],
        ["writeHeaders", HEADERS],
        ["writeHeaders", []],
        ["writeProbed", 401, "a\nb"],
    ]));
    let text = |index: usize| written[index].as_str().unwrap();
    let now = Timestamp::from_millis(5);
    let (raw, context) = super::request(text(0), now).unwrap();
    assert_eq!((raw.method, raw.target, raw.has_body), ("POST", "https://gate/x?y", true));
    assert_eq!(raw.headers, HEADERS);
    assert_eq!((context.country.as_deref(), context.colo.as_deref()), (Some("DE"), Some("FRA")));
    assert_eq!(context.request_id.len(), 36);
    let (raw, context) = super::request(text(1), now).unwrap();
    assert_eq!((raw.target, raw.has_body), ("https://gate/ü", false));
    assert_eq!((context.country.as_deref(), context.colo.as_deref()), (Some("FR"), Some("CDG")));
    assert_eq!(super::headers(text(2)), HEADERS);
    assert_eq!(super::headers(text(3)), []);
    assert_eq!(probed(text(4)), Some((401, "a\nb")));
}
