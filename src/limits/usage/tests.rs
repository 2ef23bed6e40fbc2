//! The batches of an isolate, and the totals that it knows from their answers.

use super::flush::FLUSH_SECONDS;
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
    let answer =
        json!({"sequence": sequence, "since": "2026-11-22", "requests": requests, "bytes": bytes});
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
fn of_two_answers_in_the_wrong_order_the_larger_counts_within_a_period() {
    let usage = Usage::default();
    one(&usage, 10);
    let _sent = batch(&usage);
    answer(&usage, 1, 102, 1_020);
    answer(&usage, 1, 101, 1_010);
    assert_eq!(total(&usage), Some((102, 1_020)));
    let of_a_month = json!({"sequence": 1, "since": "2026-11-01", "requests": 5, "bytes": 50});
    usage.settle(&key(), &of_a_month.to_string(), NOW).unwrap();
    answer(&usage, 1, 3, 30);
    assert_eq!(total(&usage), Some((3, 30)));
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
    let row =
        |kind: &str, requests: u64| json!(["2026-11-22", kind, requests, 10 * requests, 0, 0, 0]);
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
    let earlier = NOW.plus_seconds(-1);
    assert!(usage.total(&key(), Day::of(NOW), earlier).is_none(), "the clock was set back");
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
    assert!(usage.begin_flush(NOW), "the clock was set back");
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
    // A platform that allows 50 subrequests, of which the request has made one.
    let send = |batches: Vec<(String, String)>, left: usize| {
        for (key, batch) in batches.into_iter().take(left) {
            let batch: Value = serde_json::from_str(&batch).unwrap();
            let answer =
                json!({"sequence": batch["sequence"], "since": null, "requests": 0, "bytes": 0});
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
