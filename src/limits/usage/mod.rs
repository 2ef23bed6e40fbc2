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

/// Longest duration of a flush, in seconds. After it the flush counts as dead, because the platform ends
/// background work of a request after 30 s.
const FLUSH_SECONDS: i64 = 35;
/// Most keys whose usage is kept at once: each takes some hundred bytes. So many accumulate only if a
/// ledger fails for a long time.
const MAX_KEYS: usize = 16_384;
/// Most batches of one flush: the platform allows 1,000 subrequests of a request.
const MAX_BATCHES: usize = 500;
/// A flush that has sent so many batches is its last attempt, and the next request begins another: on the Free plan, a
/// request and all of its background work have 50 subrequests.
const ENOUGH_BATCHES: usize = 40;

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
    /// The time until which the current flush may take.
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

    /// Returns true, and begins a flush, if there is something to send and no flush is under way.
    pub fn begin_flush(&self, now: Timestamp) -> bool {
        let is_due = self.is_unsent.get() && self.flushing.get().is_none_or(|until| now >= until);
        if is_due {
            self.flushing.set(Some(now.plus_seconds(FLUSH_SECONDS)));
        }
        is_due
    }

    /// Returns a flush that has sent nothing.
    pub const fn flush(&self) -> Flush<'_> {
        Flush { usage: self, batches: Cell::new(0) }
    }

    /// Ends the time in which the current flush takes usage: later usage is for the next one.
    pub fn close_flush(&self) {
        self.flushing.set(None);
    }

    /// Returns all batches to send. They begin behind those that were settled, so that where only some arrive, others do
    /// the next time.
    pub fn batches(&self, now: Timestamp) -> Vec<(String, String)> {
        let mut counters = self.counters.borrow_mut();
        counters.retain(|_, counter| !counter.is_idle(now));
        let unsent = counters.iter_mut().filter(|(_, counter)| counter.is_unsent());
        let mut unsent: Vec<_> = unsent.collect();
        let start = self.settled.get().checked_rem(unsent.len()).unwrap_or(0);
        let (before, after) = unsent.split_at_mut(start);
        let isolate = self.isolate.borrow();
        after
            .iter_mut()
            .chain(before)
            .take(MAX_BATCHES)
            .map(|(key, counter)| (key.to_string(), counter.batch(&isolate, &self.sequence, now)))
            .collect()
    }

    /// Ends the flush, which has sent its batches, if nothing is left to send. Returns true if so.
    pub fn end_flush(&self) -> bool {
        let is_unsent = self.counters.borrow().values().any(UsageCounter::is_unsent);
        self.is_unsent.set(is_unsent);
        if !is_unsent {
            self.flushing.set(None);
        }
        !is_unsent
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

/// A flush: some attempts to send what is there.
#[derive(Debug)]
pub struct Flush<'u> {
    usage: &'u Usage,
    /// Number of batches so far.
    batches: Cell<usize>,
}

impl<'u> Flush<'u> {
    /// Returns the usage that it sends.
    pub const fn usage(&self) -> &'u Usage {
        self.usage
    }

    /// Returns the batches of an attempt. After the last one, new usage is for the next flush.
    pub fn batches(&self, now: Timestamp, is_last: bool) -> Vec<(String, String)> {
        let batches = self.usage.batches(now);
        self.batches.set(self.batches.get().saturating_add(batches.len()));
        if is_last || self.has_sent_enough() {
            self.usage.close_flush();
        }
        batches
    }

    /// Ends an attempt. Returns true if it was the last one.
    pub fn end_attempt(&self) -> bool {
        self.usage.end_flush() || self.has_sent_enough()
    }

    const fn has_sent_enough(&self) -> bool {
        self.batches.get() >= ENOUGH_BATCHES
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
        usage.count(&key(), per, (day, Kind::Forwarded, None), &amounts);
    }

    fn batch(usage: &Usage) -> Value {
        serde_json::from_str(&usage.batch_for_quota(&key(), Period::Day, NOW)).unwrap()
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
            json!({"isolate": "first", "sequence": 1, "since": "2026-11-22", "rows": [["2026-11-22", "forwarded", 1, 10, 0, 0, 0]], "codes": [null]})
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
    fn each_code_of_a_refusal_has_a_row_and_no_quota() {
        let usage = Usage::default();
        let amounts = Amounts { requests: 1, bytes_in: 10, ..Amounts::default() };
        for (kind, code) in [
            (Kind::Refused, Some("path-denied")),
            (Kind::Minted, None),
            (Kind::Refused, Some("path-denied")),
            (Kind::Refused, Some("origin-denied")),
            (Kind::Failed, None),
        ] {
            usage.count(&key(), Some(Period::Day), (Day::of(NOW), kind, code), &amounts);
        }
        let row = |kind: &str, requests: u64| {
            json!(["2026-11-22", kind, requests, 10 * requests, 0, 0, 0])
        };
        let batch = batch(&usage);
        let rows = [row("minted", 1), row("refused", 1), row("refused", 2), row("failed", 1)];
        assert_eq!(batch["rows"], json!(rows));
        assert_eq!(batch["codes"], json!([null, "origin-denied", "path-denied", null]));
        answer(&usage, 0, 0, 0);
        assert_eq!(total(&usage), Some((0, 0)));
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
    fn a_flush_that_has_sent_enough_leaves_the_rest_to_the_next_request() {
        let usage = Usage::default();
        let key = |number: usize| KeyId::parse(&format!("pk_{number:03}")).unwrap();
        let amounts = Amounts { requests: 1, ..Amounts::default() };
        let count = |numbers: core::ops::Range<usize>| {
            for number in numbers {
                usage.count(&key(number), None, (Day::of(NOW), Kind::Forwarded, None), &amounts);
            }
        };
        // The subrequests of the Free plan, of which the first request has made one.
        let send = |batches: Vec<(String, String)>, left: usize| {
            for (key, batch) in batches.into_iter().take(left) {
                let batch: Value = serde_json::from_str(&batch).unwrap();
                let answer = json!({"sequence": batch["sequence"], "since": null, "requests": 0, "bytes": 0});
                usage.settle(&KeyId::parse(&key).unwrap(), &answer.to_string(), NOW).unwrap();
            }
        };
        // Several attempts of one flush, while their keys go on.
        count(0..20);
        assert!(usage.begin_flush(NOW));
        let flush = usage.flush();
        for attempt in 0..2 {
            let batches = flush.batches(NOW, false);
            assert_eq!(batches.len(), 20);
            count(0..20);
            send(batches, 49);
            assert_eq!(flush.end_attempt(), attempt == 1, "40 are enough");
        }
        assert!(usage.begin_flush(NOW), "the next request goes on");
        let flush = usage.flush();
        send(flush.batches(NOW, false), 49);
        assert!(flush.end_attempt() && !usage.begin_flush(NOW), "nothing is left");

        // More keys than a request may send, all the time: nobody waits for ever.
        let mut arrived = std::collections::BTreeSet::new();
        count(0..100);
        assert!(usage.begin_flush(NOW));
        for _ in 0..4 {
            let flush = usage.flush();
            let batches = flush.batches(NOW, false);
            assert_eq!(batches.len(), 100, "a paid plan sends all of them");
            arrived.extend(batches.iter().take(49).map(|(key, _)| key.clone()));
            count(0..100);
            assert!(
                usage.begin_flush(NOW),
                "closed before it sends: a request meanwhile begins another"
            );
            send(batches, 49);
            assert!(flush.end_attempt(), "and this one ends");
        }
        assert_eq!(arrived.len(), 100);
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
            let _asked = usage.batch_for_quota(&key(number), Period::Day, NOW);
            usage.count(&key(number), None, (Day::of(NOW), Kind::Forwarded, None), &amounts);
            usage.reserve(&key(number));
        }
        assert_eq!(usage.counters.borrow().len(), MAX_KEYS);
        assert_eq!(usage.take_lost(), 10);
        // Keys that were only asked about make room.
        let usage = Usage::default();
        for number in 0..MAX_KEYS + 10 {
            let _asked = usage.batch_for_quota(&key(number), Period::Day, NOW);
        }
        assert!((1..=MAX_KEYS).contains(&usage.counters.borrow().len()));
    }

    #[test]
    fn a_ledger_that_talks_nonsense_is_not_believed() {
        let usage = Usage::default();
        one(&usage, 0);
        batch(&usage);
        for text in ["", "{}", r#"{"sequence":1,"requests":"1","bytes":0}"#] {
            assert_eq!(usage.settle(&key(), text, NOW), Err(MalformedAnswer));
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
            let outcome = (Day::of(NOW), Kind::Forwarded, None);
            usage.count(&key(), Some(Period::Month), outcome, &huge);
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
