//! The cost of requests, as reported by the bindings and the gate's watched objects: operations that somebody
//! bills, and those of the cache, which nobody does.

use testkit::gate::Gate;
use testkit::logs::Line;

/// The operations that were spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) kv: usize,
    pub(crate) limiter: usize,
    /// Entries looked up and kept; nobody bills them.
    pub(crate) cached: usize,
    pub(crate) kept: usize,
    pub(crate) ledger: usize,
    pub(crate) ledger_rows: usize,
    pub(crate) nonces: usize,
    pub(crate) alarms: usize,
    pub(crate) nonce_rows: usize,
    pub(crate) lines: usize,
}

/// Returns the operations in the lines from this one on.
pub(crate) fn spent(gate: &Gate, from: usize) -> Spent {
    gate.logs.until("what was spent", |lines| {
        let mut spent = Spent::default();
        for line in lines.iter().skip(from).filter_map(Line::json) {
            let is = |name: &str, value: &str| line[name] == value;
            let rows = || usize::try_from(line["written"].as_u64().unwrap_or_default()).unwrap();
            match line["event"].as_str().unwrap_or_default() {
                "kv" => spent.kv += 1,
                "counted" => spent.limiter += 1,
                "cache" if is("operation", "GET") => spent.cached += 1,
                "cache" => spent.kept += 1,
                "object" if is("class", "Ledger") => spent.ledger += 1,
                "object" if is("what", "alarm") => spent.alarms += 1,
                "object" => spent.nonces += 1,
                "rows" if is("class", "Ledger") => spent.ledger_rows += rows(),
                "rows" => spent.nonce_rows += rows(),
                "request" => spent.lines += 1,
                _ => {}
            }
        }
        Some(spent)
    })
}

pub(crate) fn mark(gate: &Gate) -> usize {
    gate.logs.until("all lines", |lines| Some(lines.len()))
}
