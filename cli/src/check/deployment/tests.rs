//! Each row: well, to be warned of, to fail, and what just misses.

use serde_json::json;

use super::super::configuration;
use super::super::row::Status::{self, Fail, Ok, Warn};
use super::*;

fn document(text: &str) -> Document {
    Document::parse("wrangler.toml", text, None).unwrap()
}

#[track_caller]
fn table(row: impl Fn(&Document) -> Verdict, cases: &[(&str, Status, &str)]) {
    for (text, status, word) in cases {
        let verdict = row(&document(text));
        assert_eq!(verdict.status, *status, "{text}: {verdict:?}");
        assert!(verdict.evidence.contains(word), "{text}: {verdict:?}");
        assert_eq!(verdict.hint.is_none(), *status == Ok, "{text}");
    }
}

#[test]
fn dates() {
    let now = Timestamp::parse_rfc3339("2026-11-20").unwrap();
    table(
        |document| compatibility_date(document, now),
        &[
            ("compatibility_date = \"2026-11-17\"", Ok, "2026-11-17"),
            ("compatibility_date = \"2026-11-20\"", Ok, "2026-11-20"),
            ("compatibility_date = \"2026-11-21\"", Warn, "in the future"),
            ("compatibility_date = \"2026-11-16\"", Warn, "tested with"),
            ("compatibility_date = \"2025-09-01\"", Warn, "tested with"),
            ("compatibility_date = \"2025-08-31\"", Fail, "Authorization"),
            ("compatibility_date = \"yesterday\"", Fail, "not a date"),
            ("compatibility_date = 2026-11-17", Fail, "quotes"),
            ("", Fail, "no compatibility_date"),
        ],
    );
}

#[test]
fn the_date_that_the_gate_is_tested_with_is_the_shipped_one() {
    let shipped = document(include_str!("../../init/template.toml"));
    assert_eq!(shipped.inherited("compatibility_date"), TESTED_DATE);
    assert_eq!(preview_urls(&shipped).status, Ok);
    assert_eq!(schedule(&shipped).status, Ok);
    assert_eq!(audit_log(&shipped).status, Ok);
}

#[test]
fn previews() {
    table(
        preview_urls,
        &[
            ("preview_urls = false", Ok, "false"),
            ("preview_urls = true", Fail, "is on"),
            ("workers_dev = false", Fail, "not set"),
            ("preview_urls = \"false\"", Fail, "is on"),
        ],
    );
}

#[test]
fn workers_dev_and_the_cache() {
    let row = |cache: bool| {
        move |document: &Document| {
            let mut route = json!({"path": "/img/*", "upstream": "https://a.example"});
            if cache {
                route["cache"] = json!({"ttl": 60});
            }
            let config = configuration::of(&json!({"ROUTES": [route]}), &[]).unwrap();
            workers_dev(document, &config)
        }
    };
    let routes = "routes = [{ pattern = \"gate.example.com\", custom_domain = true }]";
    let both = format!("{routes}\nworkers_dev = true");
    table(
        row(true),
        &[
            ("", Warn, "/img/*"),
            ("workers_dev = true", Warn, "/img/*"),
            ("routes = []", Warn, "/img/*"),
            (routes, Ok, "not on workers.dev"),
            ("route = \"gate.example.com/*\"", Ok, "routes of its own"),
            (&both, Ok, "workers.dev too"),
            ("workers_dev = false", Warn, "nobody"),
        ],
    );
    table(row(false), &[("", Ok, "no route has cache")]);
}

#[test]
fn crons() {
    table(
        schedule,
        &[
            ("triggers = { crons = [\"17 5 * * *\"] }", Ok, "17 5"),
            ("triggers = { crons = [] }", Warn, "crons"),
            ("", Warn, "crons"),
        ],
    );
}

#[test]
fn logs() {
    let logs = |more: &str| format!("[observability.logs]\nenabled = true\n{more}");
    let well = logs("invocation_logs = false");
    table(
        audit_log,
        &[
            (&well, Ok, "some days"),
            (&format!("logpush = true\n{well}"), Ok, "elsewhere"),
            ("logpush = true", Ok, "logpush is on"),
            (&logs(""), Warn, "invocation_logs"),
            (&logs("invocation_logs = true"), Warn, "invocation_logs"),
            (&logs("invocation_logs = false\nhead_sampling_rate = 0.99"), Warn, "0.99"),
            (&logs("invocation_logs = false\nhead_sampling_rate = 1"), Ok, "on"),
            (&logs("invocation_logs = false\npersist = false"), Warn, "persist"),
            ("observability = { enabled = true }", Warn, "invocation_logs"),
            ("observability = { enabled = true, logs = { enabled = false } }", Fail, "is stored"),
            ("logpush = false", Fail, "is stored"),
            ("", Fail, "is stored"),
        ],
    );
}
