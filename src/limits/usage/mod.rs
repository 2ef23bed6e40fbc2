//! The usage of all keys (docs/wire-contract.md, "The gate's own paths"): added up in the isolate, and
//! sent from time to time to the key's ledger, a Durable Object, whose answer is the total of all
//! isolates.
//!
//! In scope: adding up, the batches to send, forgetting what the ledger knows, and the total of a key as
//! far as this isolate knows it. Out of scope: sending (`edge`), and quotas (`quota`).
//!
//! A batch has the isolate's name and a sequence number, and the ledger takes each batch once. A batch
//! whose answer was lost is sent again and counted once. Usage is lost only if the isolate ends before
//! it is sent.

mod account;
mod counter;
pub mod flush;

use core::cell::{Cell, RefCell};

use serde_json::Value;

use crate::base::day::Day;
use crate::base::json;
use crate::base::sorted_map::SortedMap;
use crate::base::time::Timestamp;
use crate::keys::{KeyId, Period};
use crate::limits::quota::Totals;

use counter::{MAX_COUNT, Outcome, UsageCounter};

pub use account::{Account, InFlightGuard};
pub use counter::{Amounts, Kind};

/// Most keys whose usage is kept at once: each takes some hundred bytes. So many accumulate only if a
/// ledger fails for a long time.
const MAX_KEYS: usize = 16_384;

/// The usage in this isolate that the ledgers do not know yet, and the ledgers' last totals.
#[derive(Debug, Default)]
pub struct Usage {
    /// The isolate's name: the id of the first request that it counted.
    isolate: RefCell<String>,
    /// The sequence number of the isolate's last batch, of any key.
    sequence: Cell<u64>,
    counters: RefCell<SortedMap<KeyId, UsageCounter>>,
    /// There is something to send.
    is_unsent: Cell<bool>,
    /// The time at which the current flush began.
    flushing: Cell<Option<Timestamp>>,
    /// Number of batches that ledgers answered.
    settled: Cell<usize>,
    /// Number of requests that were not counted.
    lost: Cell<u64>,
}

/// Parses a total of a ledger. JavaScript writes a very large number as a float; it counts as
/// [`MAX_COUNT`].
fn sum(answer: &Value, name: &str) -> Option<u64> {
    let number = answer.get(name)?;
    let is_huge = |float: &f64| *float >= 9_007_199_254_740_992.0;
    match number.as_u64() {
        Some(whole) => Some(whole.min(MAX_COUNT)),
        None => number.as_f64().filter(is_huge).map(|_| MAX_COUNT),
    }
}

impl Usage {
    /// Names the isolate, unless it has a name. Request ids are unique.
    pub fn name(&self, request_id: &str) {
        let mut isolate = self.isolate.borrow_mut();
        if isolate.is_empty() {
            request_id.clone_into(&mut isolate);
        }
    }

    /// Adds usage of a key.
    pub fn count(&self, key: &KeyId, per: Option<Period>, outcome: Outcome, amounts: &Amounts) {
        let mut counters = self.counters.borrow_mut();
        let Some(counter) = counter_of(&mut counters, key) else {
            let lost = self.lost.get().saturating_add(amounts.requests);
            self.lost.set(lost);
            return;
        };
        counter.per = per;
        counter.count(outcome, amounts);
        self.is_unsent.set(true);
    }

    /// Returns the usage of a key since `from`, with requests under way; `None` without a recent answer
    /// of its ledger.
    pub fn total(&self, key: &KeyId, from: Day, now: Timestamp) -> Option<Totals> {
        self.counters.borrow().get(key)?.total(from, now)
    }

    /// Returns the batch to send to a key's ledger. It may be one that was sent before, or empty.
    pub fn batch(&self, key: &KeyId, now: Timestamp) -> String {
        let mut counters = self.counters.borrow_mut();
        let mut nothing = UsageCounter::default();
        let counter = counters.get_mut(key).unwrap_or(&mut nothing);
        counter.batch(&self.isolate.borrow(), &self.sequence, now)
    }

    /// Returns the batch to send to a key's ledger; an empty text if the ledger knows everything.
    #[must_use]
    pub fn unsent_batch(&self, key: &KeyId, now: Timestamp) -> String {
        let is_unsent = self.counters.borrow().get(key).is_some_and(UsageCounter::is_unsent);
        if is_unsent { self.batch(key, now) } else { String::new() }
    }

    /// Returns the batch to send, for an answer with the key's usage in its period.
    pub fn batch_for_quota(&self, key: &KeyId, per: Period, now: Timestamp) -> String {
        let mut counters = self.counters.borrow_mut();
        if counters.len() >= MAX_KEYS {
            counters.retain(|_, counter| !counter.is_idle(now));
        }
        // Without room for it the answer is of no use, and the key with a quota is refused.
        if let Some(counter) = counter_of(&mut counters, key) {
            counter.per = Some(per);
        }
        drop(counters);
        self.batch(key, now)
    }

    /// Takes a ledger's answer to a batch.
    ///
    /// # Errors
    /// When the answer is malformed.
    pub fn settle(&self, key: &KeyId, answer: &str, now: Timestamp) -> Result<(), MalformedAnswer> {
        let answer = json::parse(answer.as_bytes()).ok_or(MalformedAnswer)?;
        // The last batch of this isolate that the ledger took.
        let sequence = answer.get("sequence").and_then(Value::as_u64);
        let (Some(sequence), Some(requests), Some(bytes)) =
            (sequence, sum(&answer, "requests"), sum(&answer, "bytes"))
        else {
            return Err(MalformedAnswer);
        };
        self.settled.set(self.settled.get().wrapping_add(1));
        if let Some(counter) = self.counters.borrow_mut().get_mut(key) {
            // The first day of the total; absent if none was asked for.
            let since = answer.get("since").and_then(Value::as_str);
            let since = since.and_then(Day::parse);
            let used = Totals { requests, bytes };
            counter.settle(sequence, since.map(|since| (since, used)), now);
        }
        Ok(())
    }

    /// Returns the number of requests since the last call that were not counted, because the ledgers of
    /// too many keys do not answer.
    pub fn take_lost(&self) -> u64 {
        self.lost.take()
    }

    fn reserve(&self, key: &KeyId) {
        if let Some(counter) = self.counters.borrow_mut().get_mut(key) {
            counter.reserve();
        }
    }

    fn release(&self, key: &KeyId) {
        if let Some(counter) = self.counters.borrow_mut().get_mut(key) {
            counter.release();
        }
    }
}

/// Returns the counter of a key, a new one if there is room.
fn counter_of<'t>(
    counters: &'t mut SortedMap<KeyId, UsageCounter>,
    key: &KeyId,
) -> Option<&'t mut UsageCounter> {
    if !counters.contains_key(key) {
        if counters.len() >= MAX_KEYS {
            return None;
        }
        let _ = counters.insert(key.clone(), UsageCounter::default());
    }
    counters.get_mut(key)
}

/// A malformed answer of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedAnswer;

#[cfg(test)]
mod tests;
