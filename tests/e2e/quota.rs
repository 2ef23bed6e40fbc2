//! Quotas (docs/wire-contract.md, sections 2, 4, 6 and 7): how much a key has in a day or a month, the answers once
//! that is used up, and what counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::upstream::{Latch, Reply, Upstream};

use crate::usage::{add, only, settles, with_ledger};
use crate::usage_ledger::MOODY;

pub(crate) const OVER: (u16, &str) = (429, "quota-exceeded");

/// Returns the default key with this quota.
pub(crate) fn quota(setup: Setup, quota: Value) -> Setup {
    with_ledger(setup.site(json!({"schemes": ["session", "signature"], "quota": quota})))
}

pub(crate) fn post(gate: &Gate) -> Request {
    Request::post("/x").bearer(&gate.bearer())
}

#[test]
fn a_key_has_its_quota_and_no_more() {
    let mut table = Check::of(|setup| {
        quota(setup, json!({"requests": 3, "per": "day"})).key(json!({"id": "pk_other"}))
    });
    for _ in 0..3 {
        table.passes("within", &post(&table.gate));
    }
    let mut expected = only("forwarded", 3, 21, 12);
    for _ in 0..3 {
        let answer = table.refused("over", &post(&table.gate), OVER.0, OVER.1);
        add(&mut expected, "refused", 1, 7, answer.body.len());
    }
    let other = Request::post("/x").bearer(&table.gate.session_of("pk_other").mint());
    table.passes("another key", &other);
    settles(&table.gate, KEY, &expected);
    table.refused("still", &post(&table.gate), OVER.0, OVER.1);
}

/// Many at once, for longer than a batch waits, with a ledger that fails now and then, and somebody who asks for usage all
/// the time: not one too many.
#[test]
fn exactly_the_quota_passes_however_often_usage_is_submitted() {
    const QUOTA: usize = 2_000;
    let table =
        Check::of(|setup| quota(setup, json!({"requests": QUOTA, "per": "day"})).ledger_by(MOODY));
    let (gate, over) = (&table.gate, AtomicBool::new(false));
    let (request, usage) = (post(gate), Request::get("/_gate/usage").bearer(&gate.bearer()));
    let passed: usize = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                usage.send(gate);
            }
        });
        let one = || {
            let (mut connection, mut passed) = (Connection::open(gate), 0);
            // It is closed while nothing has been heard of the ledger.
            for _ in 0..QUOTA {
                let answer = connection.exchange(&request);
                match answer.code().as_str() {
                    "" => passed += 1,
                    "quota-exceeded" => break,
                    code => assert_eq!(code, "feature-unavailable", "{answer}"),
                }
            }
            over.store(true, Ordering::Relaxed);
            passed
        };
        let sent: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        sent.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!((passed, table.upstream.seen().len()), (QUOTA, QUOTA));
}

/// Returns a request under way against a quota of `requests`: it waits at the upstream, and then ends so.
fn under_way(end: impl Fn() -> Reply + Send + Sync + 'static) -> (Check, Latch) {
    let latch = Latch::default();
    let waits = latch.clone();
    let upstream = Upstream::answering(move |request, _| match request.target.as_str() {
        "/wait" => end().after(&waits),
        _ => Reply::ok("done"),
    });
    (Check::before(upstream, |setup| quota(setup, json!({"requests": 3, "per": "day"}))), latch)
}

/// Sends three requests to the upstream, a fourth beside them that is refused, and then the three answers.
fn fill(table: &mut Check, latch: &Latch) -> Vec<u16> {
    let wait = Request::post("/wait").bearer(&table.gate.bearer());
    let port = table.gate.port;
    let sent: Vec<_> = (0..3)
        .map(|_| {
            let request = wait.clone();
            thread::spawn(move || request.send_to(port).status)
        })
        .collect();
    table.upstream.until("all three", |seen| seen.len() == 3);
    table.refused("a fourth", &post(&table.gate), OVER.0, OVER.1);
    latch.open();
    sent.into_iter().map(|one| one.join().unwrap()).collect()
}

#[test]
fn what_is_under_way_counts() {
    let (mut table, latch) = under_way(|| Reply::ok("done"));
    assert_eq!(fill(&mut table, &latch), [200; 3]);
    table.refused("and stays", &post(&table.gate), OVER.0, OVER.1);
}

#[test]
fn what_failed_makes_room_again() {
    let (mut table, latch) = under_way(|| Reply::new(522));
    assert_eq!(fill(&mut table, &latch), [502; 3]);
    for _ in 0..3 {
        table.passes("as if it had not been", &post(&table.gate));
    }
    table.refused("a fourth", &post(&table.gate), OVER.0, OVER.1);
}

#[test]
fn bytes_of_unknown_length_count_too() {
    let parts = vec![(None, vec![b'x'; 40]), (None, vec![b'x'; 60])];
    let upstream = Upstream::answering(move |_, _| Reply::new(200).parts(parts.clone()));
    let table = Check::before(upstream, |setup| quota(setup, json!({"bytes": 250, "per": "day"})));
    let upload = Request::new("POST", "/x")
        .bearer(&table.gate.bearer())
        .header("Transfer-Encoding", "chunked")
        .body("5\r\nhello\r\n0\r\n\r\n");
    // 105 each. What an answer came to is known when it has ended, which its reader may know first.
    upload.send(&table.gate).passed();
    settles(&table.gate, KEY, &only("forwarded", 1, 5, 100));
    upload.send(&table.gate).passed();
    settles(&table.gate, KEY, &only("forwarded", 2, 10, 200));
    upload.send(&table.gate).passed();
    settles(&table.gate, KEY, &only("forwarded", 3, 15, 300));
    upload.send(&table.gate).refused(OVER.0, OVER.1);
}
