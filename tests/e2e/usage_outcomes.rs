//! The requests that are counted against a key (docs/wire-contract.md, sections 2 and 7): every way that a request
//! can end once its credential was good, with the bytes of its body and of the answer's.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::provocations;
use testkit::token::{date, now};
use testkit::upstream::{Reply, Upstream};

use crate::usage::{Counts, add, admin, only, rows, settles, with_ledger};

/// A request, the outcome that it is counted under, and the bytes of its body and of the answer's.
type Case = (&'static str, Request, &'static str, usize);

pub(crate) fn ledger(setup: Setup) -> Setup {
    with_ledger(setup.site(json!({})))
}

/// Expects that each is counted so, and that all together are what the ledger says.
fn counted(table: &Check, cases: Vec<Case>) {
    let mut expected = Counts::new();
    for (what, request, outcome, bytes_out) in cases {
        let answer = request.send(&table.gate);
        let line = table.gate.logs.audit(&answer.request_id());
        assert_eq!(line["outcome"], outcome, "{what}: {answer}");
        let bytes_in = request.body.as_ref().map_or(0, Vec::len);
        add(&mut expected, outcome, 1, bytes_in, bytes_out);
        settles(&table.gate, KEY, &expected);
    }
}

/// Answers as the path says.
pub(crate) fn upstream() -> Upstream {
    Upstream::answering(|request, _| match request.target.as_str() {
        "/chunked" => {
            Reply::new(200).parts(vec![(None, b"twelve".to_vec()), (None, b" bytes".to_vec())])
        }
        "/empty" => Reply::ok(""),
        "/304" => Reply::new(304).header("ETag", "\"a\""),
        path => Reply::new(path[1..].parse().unwrap_or(200)).body("done"),
    })
}

#[test]
fn what_was_forwarded_counts_with_both_bodies() {
    let table = Check::before(upstream(), ledger);
    let by = |method: &str, path: &str| Request::new(method, path).bearer(&table.gate.bearer());
    let large = vec![b'x'; 300_000];
    counted(
        &table,
        vec![
            ("a write", by("POST", "/x").body("hello"), "forwarded", 4),
            ("a read", by("GET", "/x"), "forwarded", 4),
            ("an answer of unknown length", by("GET", "/chunked"), "forwarded", 12),
            ("an empty answer", by("GET", "/empty"), "forwarded", 0),
            ("a HEAD", by("HEAD", "/x"), "forwarded", 0),
            ("a 204", by("DELETE", "/204"), "forwarded", 0),
            ("a 304", by("GET", "/304"), "forwarded", 0),
            ("the upstream's own refusal", by("POST", "/422").body("x"), "forwarded", 4),
            ("the upstream's own failure", by("POST", "/500").body("x"), "forwarded", 4),
            ("a large upload", by("PUT", "/x").body(large), "forwarded", 4),
        ],
    );
}

#[test]
fn every_429_of_the_upstream_is_counted() {
    let upstream =
        Upstream::queue(vec![Reply::new(429), Reply::new(429), Reply::ok("done"), Reply::new(429)]);
    let table = Check::before(upstream, ledger);
    Request::get("/x").bearer(&table.gate.bearer()).send(&table.gate).passed();
    let mut expected = only("forwarded", 1, 0, 4);
    expected.get_mut("forwarded").unwrap().upstream_429 = 2;
    settles(&table.gate, KEY, &expected);
    // A write is not sent again.
    let answer = Request::post("/x").bearer(&table.gate.bearer()).send(&table.gate);
    assert_eq!(answer.status, 429);
    add(&mut expected, "forwarded", 1, 7, 0);
    expected.get_mut("forwarded").unwrap().upstream_429 = 3;
    settles(&table.gate, KEY, &expected);
}

#[test]
fn a_row_has_the_day_of_arrival_and_the_upstreams_time() {
    let table = Check::before(upstream(), ledger);
    let today = [date(now()), date(now() + 60)];
    let mut took = 0;
    for path in ["/x", "/chunked", "/204"] {
        let answer = Request::get(path).bearer(&table.gate.bearer()).send(&table.gate).passed();
        took += table.gate.logs.audit(&answer.request_id())["upstream_ms"].as_u64().unwrap();
    }
    settles(&table.gate, KEY, &only("forwarded", 3, 0, 16));
    let answer = admin(&table.gate, &format!("usage?key={KEY}")).send(&table.gate).passed();
    let rows = rows(&answer);
    let total: u64 = rows.iter().map(|row| row["upstream_ms"].as_u64().unwrap()).sum();
    assert_eq!(total, took, "{rows:#?}");
    for row in &rows {
        assert!(today.iter().any(|day| row["day"] == *day), "{row}");
        let names: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let numbers = ["requests", "bytes_in", "bytes_out", "upstream_ms", "upstream_429"];
        let mut expected = [&["day", "outcome", "code"][..], &numbers].concat();
        expected.sort_unstable();
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
    }
}

/// Whatever can be refused: the audit line tells whether, as what, and with how many bytes it counts.
#[test]
fn usage_and_audit_lines_agree_for_every_code() {
    let upstream = Upstream::answering(provocations::reply);
    let gate = with_ledger(provocations::setup(Setup::to(&upstream))).start();
    let mut expected = BTreeMap::<String, Counts>::new();
    // Making them forwards one.
    add(expected.entry("pk_nonce".into()).or_default(), "forwarded", 1, 7, 0);
    for (_, code, request) in provocations::provocations(&gate) {
        let answer = request.send(&gate);
        let line = gate.logs.audit(&answer.request_id());
        if line["verified"] == false {
            continue;
        }
        let key = line["key"].as_str().unwrap_or_else(|| panic!("{code}: {line}"));
        let outcome = line["outcome"].as_str().unwrap();
        let bytes_in = request.body.as_ref().map_or(0, Vec::len);
        add(expected.entry(key.into()).or_default(), outcome, 1, bytes_in, answer.body.len());
    }
    for (key, counts) in &expected {
        settles(&gate, key, counts);
    }
    for key in ["pk_revoked", "pk_expired", "pk_link"] {
        assert!(!expected.contains_key(key), "{key}");
        settles(&gate, key, &Counts::new());
    }
}
