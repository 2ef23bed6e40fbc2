//! What every key has had (contract sections 2 and 7): added up in the isolate, and sent now and then
//! to the key's ledger, a Durable Object, whose answer says what all isolates together have counted.
//!
//! In scope: adding up, what is sent and when it may be forgotten, what a key has had as far as this
//! isolate knows. Out of scope: sending it (`edge`), and what a quota is (`quota`).
//!
//! A batch has the isolate's name and a number, and the ledger takes each once: a batch whose answer
//! was lost is sent again and counted once. What is counted is lost only with the isolate.

mod account;
mod counter;

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::day::Day;
use crate::base::json;
use crate::base::time::Timestamp;
use crate::keys::KeyId;
use crate::keys::Period;
use crate::limits::quota::Totals;

use counter::{MAX_COUNT, UsageCounter};

pub use account::{Account, InFlightGuard};
pub use counter::{Amounts, Kind};

/// Longest flush, in seconds, after which it counts as dead: the platform ends what a request leaves
/// running after 30.
const FLUSH_SECONDS: i64 = 35;
/// Most keys whose usage is kept at once: some hundred bytes each. Only a ledger that fails for long
/// leaves so many.
const MAX_KEYS: usize = 16_384;
/// Most batches of one flush: the platform allows 1,000 calls of a request.
const MAX_BATCHES: usize = 500;

/// The usage of this isolate that its keys' ledgers do not know of yet, and what they know.
#[derive(Debug, Default)]
pub struct Usage {
    /// The isolate's name: that of the first request it counted.
    isolate: RefCell<String>,
    /// The number of its last batch, of whichever key.
    sequence: Cell<u64>,
    counters: RefCell<BTreeMap<KeyId, UsageCounter>>,
    /// There is something to send.
    is_unsent: Cell<bool>,
    /// Until when the flush that is under way may take.
    flushing: Cell<Option<Timestamp>>,
    /// Requests that were not counted.
    lost: Cell<u64>,
}

/// Reads a sum of a ledger. JavaScript writes a very large one as a float; it counts as [`MAX_COUNT`].
fn sum(answer: &Value, name: &str) -> Option<u64> {
    let number = answer.get(name)?;
    let is_huge = |float: &f64| *float >= 9_007_199_254_740_992.0;
    match number.as_u64() {
        Some(whole) => Some(whole.min(MAX_COUNT)),
        None => number.as_f64().filter(is_huge).map(|_| MAX_COUNT),
    }
}

impl Usage {
    /// Names the isolate, unless it has a name. Ids of requests are unique.
    pub fn name(&self, request_id: &str) {
        let mut isolate = self.isolate.borrow_mut();
        if isolate.is_empty() {
            request_id.clone_into(&mut isolate);
        }
    }

    /// Adds to what a key has had on a day.
    pub fn count(&self, key: &KeyId, per: Option<Period>, day: Day, kind: Kind, amounts: &Amounts) {
        let mut counters = self.counters.borrow_mut();
        let Some(counter) = counter_of(&mut counters, key) else {
            let lost = self.lost.get().saturating_add(amounts.requests);
            self.lost.set(lost);
            return;
        };
        counter.per = per;
        counter.count(day, kind, amounts);
        self.is_unsent.set(true);
    }

    /// What a key has had since `from`, with what is under way; `None` when its ledger was not heard of
    /// lately.
    #[must_use]
    pub fn total(&self, key: &KeyId, from: Day, now: Timestamp) -> Option<Totals> {
        self.counters.borrow().get(key)?.total(from, now)
    }

    /// Returns the batch to send to a key's ledger, perhaps one that was sent before, perhaps an empty one.
    #[must_use]
    pub fn batch(&self, key: &KeyId, now: Timestamp) -> String {
        let mut counters = self.counters.borrow_mut();
        let mut nothing = UsageCounter::default();
        let counter = counters.get_mut(key).unwrap_or(&mut nothing);
        counter.batch(&self.isolate.borrow(), &self.sequence, now)
    }

    /// Returns the batch whose answer says what the key has had in its period.
    #[must_use]
    pub fn ask(&self, key: &KeyId, per: Period, now: Timestamp) -> String {
        let mut counters = self.counters.borrow_mut();
        if counters.len() >= MAX_KEYS {
            counters.retain(|_, counter| !counter.is_idle(now));
        }
        // Where there is no room the answer is of no use, and the key with a quota is refused.
        if let Some(counter) = counter_of(&mut counters, key) {
            counter.per = Some(per);
        }
        drop(counters);
        self.batch(key, now)
    }

    /// The ledger answered to a batch.
    ///
    /// # Errors
    /// When that is no answer.
    pub fn settle(&self, key: &KeyId, answer: &str, now: Timestamp) -> Result<(), NoAnswer> {
        let answer = json::parse(answer.as_bytes()).ok_or(NoAnswer)?;
        // The last batch of this isolate that the ledger took.
        let sequence = answer.get("sequence").and_then(Value::as_u64);
        let (Some(sequence), Some(requests), Some(bytes)) =
            (sequence, sum(&answer, "requests"), sum(&answer, "bytes"))
        else {
            return Err(NoAnswer);
        };
        if let Some(counter) = self.counters.borrow_mut().get_mut(key) {
            // From which day on it added up; absent where it was not asked to.
            let since = answer.get("since").and_then(Value::as_str);
            let since = since.and_then(Day::parse);
            let used = Totals { requests, bytes };
            counter.settle(sequence, since.map(|since| (since, used)), now);
        }
        Ok(())
    }

    /// Whether a flush should begin now, for there is something to send and none is under way. It is then
    /// under way.
    #[must_use]
    pub fn begin_flush(&self, now: Timestamp) -> bool {
        let is_due = self.is_unsent.get() && self.flushing.get().is_none_or(|until| now >= until);
        if is_due {
            self.flushing.set(Some(now.plus_seconds(FLUSH_SECONDS)));
        }
        is_due
    }

    /// The flush that is under way sends for the last time: what is counted from now on is for the next.
    pub fn close_flush(&self) {
        self.flushing.set(None);
    }

    /// Everything that is to be sent, by key.
    #[must_use]
    pub fn batches(&self, now: Timestamp) -> Vec<(String, String)> {
        let mut counters = self.counters.borrow_mut();
        counters.retain(|_, counter| !counter.is_idle(now));
        let unsent = counters.iter_mut().filter(|(_, counter)| counter.is_unsent());
        let isolate = self.isolate.borrow();
        unsent
            .take(MAX_BATCHES)
            .map(|(key, counter)| (key.to_string(), counter.batch(&isolate, &self.sequence, now)))
            .collect()
    }

    /// A flush has sent its batches: whether nothing is left to send, so that it is over.
    #[must_use]
    pub fn end_flush(&self) -> bool {
        let is_unsent = self.counters.borrow().values().any(UsageCounter::is_unsent);
        self.is_unsent.set(is_unsent);
        if !is_unsent {
            self.flushing.set(None);
        }
        !is_unsent
    }

    /// How many requests were not counted since this was last asked, because too many keys' ledgers do
    /// not answer.
    #[must_use]
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

/// Returns the counter of a key, a new one where there is room.
fn counter_of<'t>(
    counters: &'t mut BTreeMap<KeyId, UsageCounter>,
    key: &KeyId,
) -> Option<&'t mut UsageCounter> {
    if counters.len() >= MAX_KEYS && !counters.contains_key(key) {
        return None;
    }
    Some(counters.entry(key.clone()).or_default())
}

/// A ledger's answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_305_600);

    fn key() -> KeyId {
        KeyId::parse("pk_a").unwrap()
    }

    fn one(usage: &Usage, bytes: u64) {
        let amounts = Amounts { requests: 1, bytes_in: bytes, ..Amounts::default() };
        let (day, per) = (Day::of(NOW), Some(Period::Day));
        usage.count(&key(), per, day, Kind::Forwarded, &amounts);
    }

    fn batch(usage: &Usage) -> Value {
        serde_json::from_str(&usage.ask(&key(), Period::Day, NOW)).unwrap()
    }

    fn answer(usage: &Usage, sequence: u64, requests: u64, bytes: u64) {
        let answer = json!({"sequence": sequence, "since": "2026-11-22", "requests": requests, "bytes": bytes});
        usage.settle(&key(), &answer.to_string(), NOW).unwrap();
    }

    fn total(usage: &Usage) -> Option<(u64, u64)> {
        let total = usage.total(&key(), Day::of(NOW), NOW)?;
        Some((total.requests, total.bytes))
    }

    #[test]
    fn a_batch_whose_answer_was_lost_is_sent_again_as_it_was() {
        let usage = Usage::default();
        usage.name("first");
        usage.name("second");
        one(&usage, 10);
        let first = batch(&usage);
        assert_eq!(
            first,
            json!({"isolate": "first", "sequence": 1, "since": "2026-11-22", "rows": [["2026-11-22", "forwarded", 1, 10, 0, 0, 0]]})
        );
        one(&usage, 5);
        assert_eq!(batch(&usage), first, "what came since waits");
        answer(&usage, 1, 101, 1_010);
        assert_eq!(total(&usage), Some((102, 1_015)), "the ledger's, and what it does not know");
        assert_eq!(batch(&usage)["sequence"], 2);
        // An answer to something older says nothing of the second.
        answer(&usage, 1, 101, 1_010);
        assert_eq!(total(&usage), Some((102, 1_015)));
        answer(&usage, 2, 102, 1_015);
        assert_eq!(total(&usage), Some((102, 1_015)));
        assert_eq!(batch(&usage)["rows"], json!([]));
    }

    #[test]
    fn what_is_under_way_counts_until_it_ends() {
        let usage = Usage::default();
        assert_eq!(total(&usage), None, "not heard of");
        batch(&usage);
        answer(&usage, 0, 7, 0);
        assert_eq!(total(&usage), Some((7, 0)));
        usage.reserve(&key());
        assert_eq!(total(&usage), Some((8, 0)));
        usage.release(&key());
        assert_eq!(total(&usage), Some((7, 0)));
        let later = NOW.plus_seconds(30);
        assert!(usage.total(&key(), Day::of(NOW), later).is_none(), "long ago");
        assert!(usage.total(&key(), Day::of(NOW).plus(1), NOW).is_none(), "another period");
    }

    #[test]
    fn one_flush_at_a_time_until_nothing_is_left() {
        let usage = Usage::default();
        assert!(!usage.begin_flush(NOW), "nothing to send");
        one(&usage, 0);
        assert!(usage.begin_flush(NOW));
        assert!(!usage.begin_flush(NOW), "under way");
        assert!(usage.begin_flush(NOW.plus_seconds(FLUSH_SECONDS)), "dead");
        assert_eq!(usage.batches(NOW).len(), 1);
        assert!(!usage.end_flush(), "no answer");
        answer(&usage, 1, 1, 0);
        assert!(usage.end_flush());
        assert!(!usage.begin_flush(NOW), "all sent");
        one(&usage, 0);
        assert!(usage.begin_flush(NOW));
        usage.close_flush();
        let _unsent = usage.batches(NOW);
        one(&usage, 0);
        assert!(usage.begin_flush(NOW), "what came since is for the next");
        assert!(!usage.end_flush(), "and no answer");
        assert!(!usage.begin_flush(NOW), "under way");
        assert!(usage.batches(NOW.plus_seconds(3_600)).len() == 1, "not forgotten");
        answer(&usage, 2, 2, 0);
        let _third = usage.batches(NOW);
        answer(&usage, 3, 3, 0);
        assert!(usage.batches(NOW.plus_seconds(3_600)).is_empty());
        assert!(usage.counters.borrow().is_empty(), "idle");
    }

    #[test]
    fn numbers_go_on_after_a_key_was_idle() {
        let usage = Usage::default();
        one(&usage, 0);
        assert_eq!(batch(&usage)["sequence"], 1);
        answer(&usage, 1, 1, 0);
        let later = NOW.plus_seconds(3_600);
        assert!(usage.batches(later).is_empty());
        assert!(usage.counters.borrow().is_empty(), "idle, so forgotten");
        one(&usage, 0);
        assert_eq!(batch(&usage)["sequence"], 2, "its ledger would ignore another first batch");
    }

    #[test]
    fn no_caller_makes_it_grow_without_bound() {
        let usage = Usage::default();
        let key = |number: usize| KeyId::parse(&format!("pk_{number}")).unwrap();
        // Asking for usage keeps nothing.
        let _empty = usage.batch(&key(0), NOW);
        assert!(usage.counters.borrow().is_empty());
        let amounts = Amounts { requests: 1, ..Amounts::default() };
        for number in 0..MAX_KEYS + 10 {
            let _asked = usage.ask(&key(number), Period::Day, NOW);
            usage.count(&key(number), None, Day::of(NOW), Kind::Forwarded, &amounts);
            usage.reserve(&key(number));
        }
        assert_eq!(usage.counters.borrow().len(), MAX_KEYS);
        assert_eq!(usage.take_lost(), 10);
        // Keys that were only asked about make room.
        let usage = Usage::default();
        for number in 0..MAX_KEYS + 10 {
            let _asked = usage.ask(&key(number), Period::Day, NOW);
        }
        assert!((1..=MAX_KEYS).contains(&usage.counters.borrow().len()));
    }

    #[test]
    fn a_ledger_that_talks_nonsense_is_not_believed() {
        let usage = Usage::default();
        one(&usage, 0);
        batch(&usage);
        for text in ["", "{}", r#"{"sequence":1,"requests":"1","bytes":0}"#] {
            assert_eq!(usage.settle(&key(), text, NOW), Err(NoAnswer));
        }
        assert!(!usage.end_flush());
    }

    #[test]
    fn sums_stop_where_numbers_are_no_longer_exact() {
        let usage = Usage::default();
        let huge = Amounts {
            requests: 1,
            bytes_in: u64::MAX,
            bytes_out: 9_000_000_000_000_000_000,
            ..Amounts::default()
        };
        for _ in 0..3 {
            usage.count(&key(), Some(Period::Month), Day::of(NOW), Kind::Forwarded, &huge);
        }
        let row = json!(["2026-11-22", "forwarded", 3, MAX_COUNT, MAX_COUNT, 0, 0]);
        assert_eq!(batch(&usage)["rows"], json!([row]));
        answer(&usage, 0, 1, MAX_COUNT);
        assert_eq!(total(&usage), Some((4, MAX_COUNT)));
    }

    #[test]
    fn a_ledger_s_sum_may_be_any_number_that_javascript_writes() {
        for (text, bytes) in [
            ("9007199254740990", MAX_COUNT - 1),
            ("9007199254740992", MAX_COUNT),
            ("27000000000000000000", MAX_COUNT),
            ("2.7e+21", MAX_COUNT),
            ("1e400", 0),
            ("-1", 0),
            ("1.5", 0),
            ("null", 0),
        ] {
            let usage = Usage::default();
            let _first = batch(&usage);
            let answer =
                format!(r#"{{"sequence":0,"since":"2026-11-22","requests":0,"bytes":{text}}}"#);
            let settled = usage.settle(&key(), &answer, NOW);
            assert_eq!(settled.is_ok(), bytes > 0, "{text}");
            assert_eq!(total(&usage), (bytes > 0).then_some((0, bytes)), "{text}");
        }
    }

    #[test]
    fn an_answer_without_a_sum_gives_nothing_back() {
        let usage = Usage::default();
        one(&usage, 0);
        batch(&usage);
        answer(&usage, 0, 4, 0);
        assert_eq!(total(&usage), Some((5, 0)));
        let answer = json!({"sequence": 1, "since": null, "requests": 0, "bytes": 0});
        usage.settle(&key(), &answer.to_string(), NOW).unwrap();
        assert_eq!(total(&usage), None, "to be asked for");
    }
}
