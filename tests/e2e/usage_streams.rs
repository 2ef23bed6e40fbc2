//! Usage of bodies whose length nobody knows before they end (docs/wire-contract.md, sections 2 and 7), some of them
//! never as they should.

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::{Connection, Request, Response};
use testkit::gate::KEY;
use testkit::poll::poll;
use testkit::signing::sha256;
use testkit::upstream::{Latch, PATIENCE, Reply, Upstream};

use crate::usage::{add, admin, only, rows, settles};
use crate::usage_outcomes::{ledger, upstream};

/// As it streams, and when it was compared with its digest first.
#[test]
fn an_upload_of_unknown_length_counts_as_it_came() {
    let table = Check::before(upstream(), |setup| {
        ledger(setup).key(json!({"id": "pk_signs", "schemes": ["signature"]}))
    });
    let request = Request::new("POST", "/x")
        .header("Content-Digest", &sha256(b"hello world"))
        .header("Transfer-Encoding", "chunked")
        .body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    let signed = table.gate.signature_of("pk_signs").sign(request.clone());
    for (id, request) in [(KEY, request.bearer(&table.gate.bearer())), ("pk_signs", signed)] {
        request.send(&table.gate).passed();
        settles(&table.gate, id, &only("forwarded", 1, 11, 4));
    }
}

/// Reads the beginning of an answer of unknown length, which then waits for the latch.
fn begin(table: &Check) -> Connection {
    let mut connection = Connection::open(&table.gate);
    connection.write(&Request::get("/slow").bearer(&table.gate.bearer()).head());
    let head: Response = connection.read_head();
    assert_eq!(head.status, 200);
    assert_eq!(connection.read_chunk(), b"first");
    connection
}

#[test]
fn an_answer_that_ends_late_or_that_nobody_reads_counts_with_what_came() {
    let latch = Latch::default();
    let waits = latch.clone();
    let upstream = Upstream::answering(move |_, _| {
        Reply::new(200)
            .parts(vec![(None, b"first".to_vec()), (Some(waits.clone()), b" second".to_vec())])
    });
    let mut table = Check::before(upstream, ledger);
    let (mut patient, impatient) = (begin(&table), begin(&table));
    // The requests count at once, what they are sent when it is known.
    poll(PATIENCE, || {
        let answer = admin(&table.gate, &format!("usage?key={KEY}")).send(&table.gate);
        let requests: u64 = rows(&answer).iter().filter_map(|row| row["requests"].as_u64()).sum();
        (requests == 2).then_some(()).ok_or_else(|| answer.to_string())
    });
    impatient.abandon();
    latch.open();
    assert_eq!((patient.read_chunk(), patient.read_chunk()), (b" second".to_vec(), Vec::new()));
    // Of what was on its way to a caller who left, some may have come.
    let bytes = poll(PATIENCE, || {
        let answer = admin(&table.gate, &format!("usage?key={KEY}")).send(&table.gate);
        let rows = rows(&answer);
        let bytes: u64 = rows.iter().filter_map(|row| row["bytes_out"].as_u64()).sum();
        (bytes > 12).then_some(bytes).ok_or_else(|| format!("{rows:#?}"))
    });
    table.that((17..=24).contains(&bytes), || format!("{bytes} bytes out"));
}

#[test]
fn an_upload_that_breaks_off_or_grows_too_long_counts_once() {
    let table = Check::before(upstream(), |setup| {
        ledger(setup.route("/*", json!({})).route("/small", json!({"max_body_bytes": 3})))
    });
    let request = Request::post("/small")
        .bearer(&table.gate.bearer())
        .header("Transfer-Encoding", "chunked")
        .body("4\r\nbody\r\n0\r\n\r\n");
    request.send(&table.gate).refused(413, "body-too-large");
    let mut connection = Connection::open(&table.gate);
    connection.write(
        &Request::new("POST", "/left")
            .bearer(&table.gate.bearer())
            .header("Content-Length", "100")
            .head(),
    );
    connection.write(b"half");
    table.upstream.until("the half", |seen| seen.iter().any(|one| one.body == b"half"));
    connection.abandon();
    let ended = poll(PATIENCE, || {
        let answer = admin(&table.gate, &format!("usage?key={KEY}")).send(&table.gate);
        let rows = rows(&answer);
        let of = |outcome: &str| -> u64 {
            let own = rows.iter().filter(|row| row["outcome"] == outcome);
            own.filter_map(|row| row["requests"].as_u64()).sum()
        };
        let all: Value = json!([of("refused"), of("failed"), of("forwarded")]);
        (all[1] != 0).then_some(all).ok_or_else(|| format!("{rows:#?}"))
    });
    assert_eq!(ended, json!([1, 1, 0]));
}

#[test]
fn a_length_that_a_chunked_answer_states_too_does_not_count() {
    let chunked = |length: &str, body: &str| {
        let size = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        Reply::raw(format!("{head}{size:x}\r\n{body}\r\n0\r\n\r\n"))
    };
    for (path, more) in [("/*", json!({})), ("/c/*", json!({"cache": {"ttl": 10}}))] {
        let upstream = Upstream::queue(vec![chunked("1", "hello"), chunked("8", "world")]);
        let mut table = Check::before(upstream, |setup| ledger(setup).cache().route(path, more));
        let mut counts = only("forwarded", 2, 0, 10);
        for (target, body) in [("/c/1", "hello"), ("/c/2", "world")] {
            let request = Request::get(target).bearer(&table.gate.bearer());
            let mut answers = Vec::new();
            if path == "/*" {
                answers.push(request.send(&table.gate));
            } else {
                answers.push(table.warm("first", &request));
                answers.push(table.hit("from the cache", &request));
                add(&mut counts, "cached", 1, 0, 5);
            }
            for answer in answers {
                assert!(answer.complete && answer.text() == body, "{path}: {answer}");
            }
        }
        settles(&table.gate, KEY, &counts);
    }
}
