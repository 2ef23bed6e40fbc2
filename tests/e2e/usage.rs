//! A key's rows in the ledger (docs/wire-contract.md, section 7), and those that a test expects. Usage that is still
//! under way comes to the ledger within seconds, so it is asked until it says so.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::client::{Request, Response};
use testkit::gate::{Gate, Setup};
use testkit::poll::poll;
use testkit::upstream::PATIENCE;

/// The key that asks.
pub(crate) const ADMIN: &str = "pk_admin";

/// Adds a ledger, and a key that may ask it.
pub(crate) fn with_ledger(setup: Setup) -> Setup {
    setup.key(json!({"id": ADMIN, "admin": true})).ledger()
}

/// The sum of one outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) upstream_429: u64,
}

/// By outcome.
pub(crate) type Counts = BTreeMap<String, Count>;

/// Returns the counts of one outcome only.
pub(crate) fn only(outcome: &str, requests: usize, bytes_in: usize, bytes_out: usize) -> Counts {
    let mut counts = Counts::new();
    add(&mut counts, outcome, requests, bytes_in, bytes_out);
    counts
}

/// Adds so many requests more, with so many bytes altogether.
pub(crate) fn add(
    counts: &mut Counts,
    outcome: &str,
    requests: usize,
    bytes_in: usize,
    bytes_out: usize,
) {
    let count = counts.entry(outcome.to_owned()).or_default();
    let number = |size: usize| u64::try_from(size).unwrap();
    count.requests += number(requests);
    count.bytes_in += number(bytes_in);
    count.bytes_out += number(bytes_out);
}

/// Returns the admin's request for this path and query below `/_gate/`.
pub(crate) fn admin(gate: &Gate, path: &str) -> Request {
    let session = gate.session_of(ADMIN).mint();
    Request::get(&format!("/_gate/{path}")).bearer(&session)
}

/// Returns the rows of an answer.
pub(crate) fn rows(answer: &Response) -> Vec<Value> {
    answer.json()["rows"].as_array().expect("rows").clone()
}

/// Rows added up by outcome, over days: a test may run at midnight.
fn by_outcome(rows: &[Value]) -> Counts {
    let mut counts = Counts::new();
    for row in rows {
        let number = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name} in {row}"));
        let outcome = row["outcome"].as_str().expect("an outcome");
        let count = counts.entry(outcome.to_owned()).or_default();
        count.requests += number("requests");
        count.bytes_in += number("bytes_in");
        count.bytes_out += number("bytes_out");
        count.upstream_429 += number("upstream_429");
    }
    counts
}

/// Waits until the ledger says exactly this of a key, as it is asked by way of this port.
#[track_caller]
pub(crate) fn settles_at(gate: &Gate, port: u16, key: &str, expected: &Counts) {
    settles_by(gate, &[port], key, expected);
}

/// Reads the ledger through all of these ports in turn: an isolate whose batches failed sends them again when it is asked.
#[track_caller]
pub(crate) fn settles_by(gate: &Gate, ports: &[u16], key: &str, expected: &Counts) {
    let mut asked = ports.iter().cycle();
    poll(PATIENCE, || {
        let port = *asked.next().expect("a port");
        let answer = admin(gate, &format!("usage?key={key}")).send_to(port);
        if answer.status != 200 {
            return Err(answer.to_string());
        }
        let counts = by_outcome(&rows(&answer));
        match counts == *expected {
            true => Ok(()),
            false => Err(format!("{key} has had {counts:#?}, expected {expected:#?}")),
        }
    });
}

#[track_caller]
pub(crate) fn settles(gate: &Gate, key: &str, expected: &Counts) {
    settles_at(gate, gate.port, key, expected);
}
