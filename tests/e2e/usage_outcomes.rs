//! The requests that are counted against a key (docs/wire-contract.md, sections 2 and 7): every way that a request
//! can end once its credential was good, with the bytes of its body and of the answer's.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::token::{date, fresh, now};
use testkit::upstream::{Reply, Upstream};

use crate::usage::{Counts, add, admin, only, rows, settles, with_ledger};

pub(crate) const SITE: &str = "https://www.example.com";

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
        "/gone" => Reply::hang_up(),
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
fn what_the_gate_refused_counts_once_its_credential_was_good() {
    let mut table = Check::before(upstream(), |setup| {
        let key = json!({"schemes": ["session", "signature"], "methods": ["GET", "POST"], "paths": ["/x"],
            "allowed_origins": [SITE], "allowed_ips": ["192.0.2.1"]});
        with_ledger(setup.site(key))
    });
    let good = table.gate.bearer();
    let with = |method: &str, path: &str, origin: &str, address: &str| {
        let request = Request::new(method, path).bearer(&good);
        request.origin(origin).header("CF-Connecting-IP", address)
    };
    let (there, other) = ("192.0.2.1", "192.0.2.2");
    let signed = table.gate.signature().sign(Request::post("/x"));
    let signed = signed.origin(SITE).header("CF-Connecting-IP", there);
    let mut expected = Counts::new();
    for (what, request, status, code) in [
        ("origin", with("GET", "/x", "https://evil.example", there), 403, "origin-denied"),
        ("address", with("GET", "/x", SITE, other), 403, "ip-denied"),
        ("method", with("DELETE", "/x", SITE, there), 403, "method-denied"),
        ("path", with("GET", "/y", SITE, there), 403, "path-denied"),
        ("body", signed.body("changed"), 401, "digest-mismatch"),
    ] {
        let bytes_in = request.body.as_ref().map_or(0, Vec::len);
        let answer = table.refused(what, &request, status, code);
        add(&mut expected, "refused", 1, bytes_in, answer.body.len());
    }
    let head = with("HEAD", "/y", SITE, there).send(&table.gate);
    assert_eq!((head.status, head.body.len()), (403, 0));
    add(&mut expected, "refused", 1, 0, 0);
    settles(&table.gate, KEY, &expected);
}

#[test]
fn a_replayed_request_counts_as_refused() {
    let mut table = Check::before(upstream(), |setup| {
        with_ledger(setup.site(json!({"schemes": ["signature"], "nonce": "required"}))).replay()
    });
    let signed = table.gate.signature().nonce(&fresh()).sign(Request::post("/x"));
    table.passes("once", &signed);
    let answer = table.refused("twice", &signed, 401, "replayed");
    let mut expected = only("forwarded", 1, 7, 4);
    add(&mut expected, "refused", 1, 7, answer.body.len());
    settles(&table.gate, KEY, &expected);
}

#[test]
fn what_failed_counts_as_failed() {
    let table = Check::before(upstream(), ledger);
    let post = |path: &str| Request::new("POST", path).bearer(&table.gate.bearer()).body("hello");
    let mut expected = Counts::new();
    for (path, code) in [
        ("/522", "upstream-unreachable"),
        ("/gone", "upstream-unreachable"),
        ("/401", "upstream-rejected-token"),
    ] {
        let answer = post(path).send(&table.gate).refused(502, code);
        add(&mut expected, "failed", 1, 5, answer.body.len());
    }
    settles(&table.gate, KEY, &expected);
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
