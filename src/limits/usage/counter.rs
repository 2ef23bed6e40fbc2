//! One key's usage in this isolate: the part that its ledger does not know yet, and the ledger's last
//! total.

use core::cell::Cell;

use serde_json::Value;

use crate::base::day::Day;
use crate::base::sorted_map::SortedMap;
use crate::base::time::Timestamp;
use crate::base::{json, json_writer};
use crate::keys::Period;
use crate::limits::quota::Totals;

/// Longest time, in seconds, that a ledger's total is used. The isolate does not know how much other
/// isolates let through in that time.
const MAX_AGE: i64 = 30;

/// Largest number that a ledger stores and that JSON transports exactly: 2^53 - 1. Sums saturate there.
pub(super) const MAX_COUNT: u64 = 9_007_199_254_740_991;

/// The outcome of a request, for charging it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The upstream's response was passed on.
    Forwarded,
    /// The response came from the cache.
    Cached,
    /// The gate minted a session of the key for a page.
    Minted,
    /// The gate refused it: the caller's fault.
    Refused,
    /// It failed: the gate's or the upstream's fault.
    Failed,
}

impl Kind {
    /// Returns the name of the outcome in the audit line.
    const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Cached => "cached",
            Self::Minted => "minted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Returns true if such a request counts against a quota, because the key used the upstream, or would
    /// have without the cache.
    const fn is_charged(self) -> bool {
        match self {
            Self::Forwarded | Self::Cached => true,
            Self::Minted | Self::Refused | Self::Failed => false,
        }
    }
}

/// The usage of some requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Number of requests.
    pub requests: u64,
    /// Bytes of the request bodies.
    pub bytes_in: u64,
    /// Bytes of the response bodies.
    pub bytes_out: u64,
    /// Milliseconds that the upstream took.
    pub upstream_ms: u64,
    /// Number of 429 responses of the upstream.
    pub upstream_429: u64,
}

impl Amounts {
    fn add(&mut self, other: &Self) {
        self.requests = sum(self.requests, other.requests);
        self.bytes_in = sum(self.bytes_in, other.bytes_in);
        self.bytes_out = sum(self.bytes_out, other.bytes_out);
        self.upstream_ms = sum(self.upstream_ms, other.upstream_ms);
        self.upstream_429 = sum(self.upstream_429, other.upstream_429);
    }
}

/// Adds two numbers, saturating at [`MAX_COUNT`].
fn sum(one: u64, other: u64) -> u64 {
    one.saturating_add(other).min(MAX_COUNT)
}

/// The outcomes that a ledger keeps apart: the day, the kind, and the code of a refusal or a fault.
pub(super) type Outcome = (Day, Kind, Option<&'static str>);

type Rows = SortedMap<Outcome, Amounts>;

/// The usage of one key in this isolate.
#[derive(Debug, Default)]
pub(super) struct UsageCounter {
    /// The period of the key's quota, if it has one.
    pub(super) per: Option<Period>,
    /// Usage that was not sent yet.
    rows: Rows,
    /// The batch that was sent, with its sequence number, and is not known to have arrived.
    sent: Option<(u64, Rows)>,
    /// Reserved requests, which are under way.
    in_flight: u64,
    /// The ledger's last total: the first day that it includes, the total, and when it arrived.
    last_ledger_total: Option<(Day, Totals, Timestamp)>,
}

impl UsageCounter {
    pub(super) fn count(&mut self, outcome: Outcome, amounts: &Amounts) {
        let mut sum = self.rows.remove(&outcome).unwrap_or_default();
        sum.add(amounts);
        let _ = self.rows.insert(outcome, sum);
    }

    pub(super) const fn reserve(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    pub(super) const fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.sent.is_some() || !self.rows.is_empty()
    }

    /// Returns true if nothing is lost when this counter is dropped.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let is_fresh = |(_, _, at): (Day, Totals, Timestamp)| at.is_recent(now, MAX_AGE);
        self.in_flight == 0 && !self.is_unsent() && !self.last_ledger_total.is_some_and(is_fresh)
    }

    pub(super) fn total(&self, from: Day, now: Timestamp) -> Option<Totals> {
        let (since, mut total, at) = self.last_ledger_total?;
        if since != from || !at.is_recent(now, MAX_AGE) {
            return None;
        }
        let sent = self.sent.iter().flat_map(|(_, rows)| rows.iter());
        for ((day, kind, _), amounts) in sent.chain(self.rows.iter()) {
            if *day >= from && kind.is_charged() {
                total.requests = sum(total.requests, amounts.requests);
                total.bytes = sum(total.bytes, sum(amounts.bytes_in, amounts.bytes_out));
            }
        }
        total.requests = sum(total.requests, self.in_flight);
        Some(total)
    }

    /// Returns the batch to send. `last` is the sequence number of the isolate's last batch of any key.
    /// A key cannot have numbers of its own: they would begin again when the key was idle and its
    /// counter was dropped, and its ledger would take a new batch for an old one.
    pub(super) fn batch(&mut self, isolate: &str, last: &Cell<u64>, now: Timestamp) -> String {
        if self.sent.is_none() && !self.rows.is_empty() {
            last.set(last.get().saturating_add(1));
            self.sent = Some((last.get(), core::mem::take(&mut self.rows)));
        }
        // Empty batches have sequence number 0; the ledger ignores them.
        let sequence = self.sent.as_ref().map_or(0, |(number, _)| *number);
        let rows = self.sent.iter().flat_map(|(_, rows)| rows.iter());
        // The codes are a list of their own, because ledgers of former versions take rows without them.
        let (rows, codes): (Vec<Value>, Vec<Value>) = rows
            .map(|((day, kind, code), amounts)| {
                let Amounts { requests, bytes_in, bytes_out, upstream_ms, upstream_429 } = *amounts;
                let counts = [requests, bytes_in, bytes_out, upstream_ms, upstream_429];
                let mut row: Vec<Value> = vec![day.to_string().into(), kind.name().into()];
                row.extend(counts.map(Value::from));
                (row.into(), (*code).into())
            })
            .unzip();
        let since = self.per.map(|per| per.bounds(now).0.to_string());
        json_writer::text(&json::object([
            ("isolate", isolate.into()),
            ("sequence", sequence.into()),
            ("since", since.into()),
            ("rows", rows.into()),
            ("codes", codes.into()),
        ]))
    }

    pub(super) fn settle(&mut self, sequence: u64, used: Option<(Day, Totals)>, now: Timestamp) {
        let taken = self.sent.take_if(|(number, _)| *number <= sequence);
        let Some((since, mut used)) = used else {
            // The batch that it took is not in the last known total, so that total is outdated.
            let _ = self.last_ledger_total.take_if(|_| taken.is_some());
            return;
        };
        // Two answers may arrive in the wrong order. Within a period a total only grows, so the older
        // answer is the smaller one.
        if let Some((_, before, _)) = self.last_ledger_total.filter(|(of, _, _)| *of == since) {
            used.requests = used.requests.max(before.requests);
            used.bytes = used.bytes.max(before.bytes);
        }
        self.last_ledger_total = Some((since, used, now));
    }
}
