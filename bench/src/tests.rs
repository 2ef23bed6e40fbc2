//! The benchmark's own judgement, and what it measures without a clock: the Worker's size.

use testkit::process::built;
use testkit::random::Random;

use crate::goals::{Report, Verdict};
use crate::size;
use crate::statistics::Estimate;

#[test]
fn the_worker_is_no_larger_than_its_limit() {
    let [wasm, script] = size::of(built()).unwrap();
    assert!(
        wasm + script <= size::GOAL,
        "gzipped, the Wasm has {wasm} bytes and the JavaScript {script}: more than {} together",
        size::GOAL
    );
}

const FIGURE: Estimate = Estimate { median: 1.0, low: 0.9, high: 1.1 };

#[test]
fn a_goal_is_missed_only_when_the_whole_interval_is_above_it() {
    for (goal, verdict) in [
        (0.89, Verdict::Missed),
        (0.90, Verdict::Unsure),
        (1.09, Verdict::Unsure),
        (1.10, Verdict::Met),
    ] {
        assert_eq!(Verdict::of(FIGURE, goal), verdict, "{goal}");
    }
}

#[test]
fn the_report_names_what_was_missed_and_nothing_else() {
    let mut report = Report::default();
    report.begin("writes");
    report.row("met", FIGURE, Some(1.2));
    report.row("unsure", FIGURE, Some(1.0));
    report.row("without a goal", FIGURE, None);
    assert!(report.missed().is_empty());
    report.row("gate / Hono", FIGURE, Some(0.8));
    assert_eq!(report.missed(), ["writes: gate / Hono: 1.00 (0.90–1.10), and the goal is 0.8"]);
}

/// Figures around `center` as a busy machine gives them: some noise, and every tenth far too high.
fn noisy(center: f64, count: usize, random: &mut Random) -> Vec<f64> {
    (0..count)
        .map(|_| match random.below(10) {
            0 => center * 3.0,
            _ => center * (0.95 + random.below(1_000) as f64 / 10_000.0),
        })
        .collect()
}

#[test]
fn the_median_is_the_one_in_the_middle() {
    for (values, median) in
        [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 3.0, 2.0], 2.5), (&[7.0], 7.0)]
    {
        assert_eq!(Estimate::of(values, 1).median, median, "{values:?}");
    }
}

#[test]
fn one_seed_gives_one_order_and_no_item_is_lost() {
    let shuffled = |seed| {
        let mut items: Vec<_> = (0..20).collect();
        Random::new(seed).shuffle(&mut items);
        items
    };
    assert_eq!(shuffled(1), shuffled(1));
    assert_ne!(shuffled(1), shuffled(2));
    let mut sorted = shuffled(1);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..20).collect::<Vec<_>>());
}

#[test]
fn every_item_comes_to_every_place() {
    let mut random = Random::new(3);
    let mut first = [0; 4];
    for _ in 0..4_000 {
        let mut items = [0, 1, 2, 3];
        random.shuffle(&mut items);
        first[items[0]] += 1;
    }
    assert!(first.iter().all(|times| (850..1_150).contains(times)), "{first:?}");
}

#[test]
fn the_interval_holds_the_truth_and_is_the_same_each_time() {
    let mut random = Random::new(4);
    let missed = (0..100)
        .filter(|_| {
            let estimate = Estimate::of(&noisy(100.0, 50, &mut random), 1);
            // The median of a tenth at 300 and the rest spread evenly from 95 to 105.
            !(estimate.low..=estimate.high).contains(&100.55)
        })
        .count();
    assert!(missed <= 12, "{missed} of 100 intervals did not hold it");

    let values = noisy(100.0, 50, &mut random);
    assert_eq!(Estimate::of(&values, 1), Estimate::of(&values, 1));
}

#[test]
fn more_values_make_the_interval_narrower() {
    let mut random = Random::new(5);
    let mut width = |count| {
        let estimate = Estimate::of(&noisy(100.0, count, &mut random), 1);
        estimate.high - estimate.low
    };
    assert!(width(1_000) < width(20) / 2.0);
}

#[test]
fn the_interval_is_as_wide_as_processes_differ() {
    let mut random = Random::new(6);
    let mut missed = |group| {
        let surely_other = |_: &i32| {
            // Of five processes, each makes the worker up to 5 % faster or slower.
            let processes = (0..5).flat_map(|_| {
                let center = 95.0 + random.below(10_000) as f64 / 1_000.0;
                noisy(center, 20, &mut random)
            });
            let estimate = Estimate::of(&processes.collect::<Vec<_>>(), group);
            !(estimate.low..=estimate.high).contains(&100.55)
        };
        (0..30).filter(surely_other).count()
    };
    let (apart, together) = (missed(1), missed(20));
    assert!(apart > 12, "{apart}");
    assert!(together < 6, "{together}");
}

#[test]
fn what_was_counted_has_no_interval() {
    assert_eq!(Estimate::exact(230.0).to_string(), "230");
    let measured = Estimate { median: 1.0, low: 0.975, high: 1.031 };
    assert_eq!(measured.to_string(), "1.00 (0.97–1.03)");
}
