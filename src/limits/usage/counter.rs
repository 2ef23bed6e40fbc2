//! One key's usage in this isolate: what its ledger does not know of yet, and what it last said.

use core::cell::Cell;
use std::collections::BTreeMap;

use serde_json::json;

use crate::base::day::Day;
use crate::base::time::Timestamp;
use crate::keys::Period;
use crate::limits::quota::Totals;

/// How long, in seconds, a ledger's word is enough to decide by. Of what other isolates let pass in
/// that time nothing is known here.
const MAX_AGE: i64 = 30;

/// Largest number that a ledger holds and that JSON carries to it exactly: 2^53 - 1. Sums stay there.
pub(super) const MAX_COUNT: u64 = 9_007_199_254_740_991;

/// How a request ended, as far as it is charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The upstream's answer was passed on.
    Forwarded,
    /// The answer came from the cache.
    Cached,
    /// The caller's fault.
    Refused,
    /// The gate's or the upstream's.
    Failed,
}

impl Kind {
    /// The audit line's word for it.
    const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Cached => "cached",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Whether it counts against a quota: the key got what it asked for.
    const fn is_charged(self) -> bool {
        match self {
            Self::Forwarded | Self::Cached => true,
            Self::Refused | Self::Failed => false,
        }
    }
}

/// What requests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// How many.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes_in: u64,
    /// Bytes of the answers' bodies.
    pub bytes_out: u64,
    /// Milliseconds that the upstream took.
    pub upstream_ms: u64,
    /// How often it answered 429.
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

/// Adds, up to [`MAX_COUNT`].
fn sum(one: u64, other: u64) -> u64 {
    one.saturating_add(other).min(MAX_COUNT)
}

type Rows = BTreeMap<(Day, Kind), Amounts>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UsageCounter {
    /// The key's period, if it has a quota.
    pub(super) per: Option<Period>,
    /// Not sent yet.
    rows: Rows,
    /// Sent under this number, and not known to have arrived.
    sent: Option<(u64, Rows)>,
    /// Requests under way.
    held: u64,
    /// What the ledger said: since which day, how much, and when it said so.
    last_ledger_total: Option<(Day, Totals, Timestamp)>,
}

impl UsageCounter {
    pub(super) fn count(&mut self, day: Day, kind: Kind, amounts: &Amounts) {
        self.rows.entry((day, kind)).or_default().add(amounts);
    }

    pub(super) const fn reserve(&mut self) {
        self.held = self.held.saturating_add(1);
    }

    pub(super) const fn release(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.sent.is_some() || !self.rows.is_empty()
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let is_news = |(_, _, at): (Day, Totals, Timestamp)| now < at.plus_seconds(MAX_AGE);
        self.held == 0 && !self.is_unsent() && !self.last_ledger_total.is_some_and(is_news)
    }

    pub(super) fn total(&self, from: Day, now: Timestamp) -> Option<Totals> {
        let (since, mut total, at) = self.last_ledger_total?;
        if since != from || now >= at.plus_seconds(MAX_AGE) {
            return None;
        }
        let sent = self.sent.iter().flat_map(|(_, rows)| rows);
        for ((day, kind), amounts) in sent.chain(&self.rows) {
            if *day >= from && kind.is_charged() {
                total.requests = sum(total.requests, amounts.requests);
                total.bytes = sum(total.bytes, sum(amounts.bytes_in, amounts.bytes_out));
            }
        }
        total.requests = sum(total.requests, self.held);
        Some(total)
    }

    /// What to send. `last` is the number of the isolate's last batch of any key: a key's own would begin
    /// again after the key was idle, and its ledger would take a new batch for an old one.
    pub(super) fn batch(&mut self, isolate: &str, last: &Cell<u64>, now: Timestamp) -> String {
        if self.sent.is_none() && !self.rows.is_empty() {
            last.set(last.get().saturating_add(1));
            self.sent = Some((last.get(), core::mem::take(&mut self.rows)));
        }
        // An empty one is no news, whatever its number.
        let sequence = self.sent.as_ref().map_or(0, |(number, _)| *number);
        let rows = self.sent.iter().flat_map(|(_, rows)| rows);
        let rows = rows.map(|((day, kind), amounts)| {
            json!([
                day.to_string(),
                kind.name(),
                amounts.requests,
                amounts.bytes_in,
                amounts.bytes_out,
                amounts.upstream_ms,
                amounts.upstream_429,
            ])
        });
        let since = self.per.map(|per| per.bounds(now).0.to_string());
        json!({
            "isolate": isolate,
            "sequence": sequence,
            "since": since,
            "rows": rows.collect::<Vec<_>>(),
        })
        .to_string()
    }

    pub(super) fn settle(&mut self, sequence: u64, used: Option<(Day, Totals)>, now: Timestamp) {
        let taken = self.sent.take_if(|(number, _)| *number <= sequence);
        let Some((since, mut used)) = used else {
            // What it took now is in no sum that was last_ledger_total.
            self.last_ledger_total.take_if(|_| taken.is_some());
            return;
        };
        // Of two answers on their way at once the older may come last; within a period it is the smaller.
        if let Some((_, before, _)) = self.last_ledger_total.filter(|(of, _, _)| *of == since) {
            used.requests = used.requests.max(before.requests);
            used.bytes = used.bytes.max(before.bytes);
        }
        self.last_ledger_total = Some((since, used, now));
    }
}
