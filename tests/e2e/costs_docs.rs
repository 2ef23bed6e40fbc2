//! `docs/costs.md` and `docs/free-plan.md` say what was counted (`costs.rs`), and their sums are what comes of that.

use std::collections::BTreeMap;

use testkit::process::root;

use crate::costs::{MOST, OPERATIONS};

fn page() -> String {
    page_of("costs.md")
}

fn page_of(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// Returns a line of a table: its name, and its numbers.
fn read(line: &str) -> Option<(&str, Vec<f64>)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let first = cells.next()?;
    let numbers: Vec<f64> = cells.filter_map(|cell| cell.replace(',', "").parse().ok()).collect();
    (!numbers.is_empty()).then_some((first, numbers))
}

fn row(page: &str, name: &str) -> Vec<f64> {
    let mut found = page.lines().filter_map(read).filter(|(first, _)| *first == name);
    let (_, numbers) = found.next().unwrap_or_else(|| panic!("no row {name:?}"));
    assert!(found.next().is_none(), "{name:?} is there twice");
    numbers
}

fn assert_near(what: &str, stated: &[f64], computed: &[f64], within: f64) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= within;
    let right = stated.len() == computed.len() && stated.iter().zip(computed).all(near);
    assert!(right, "{what}: the page says {stated:?}, computed {computed:?}");
}

#[test]
fn the_page_says_what_was_counted() {
    let page = page();
    for (name, counted) in OPERATIONS {
        assert_near(name, &row(&page, name), &counted, 0.0);
    }
}

#[test]
fn its_sums_are_those_of_its_prices() {
    let page = page();
    let price = |unit: &str| row(&page, unit)[0];
    let counted: BTreeMap<_, _> = OPERATIONS.into_iter().collect();
    let worker = price("Workers requests") + price("CPU milliseconds");
    // 10 ms of 128 MB.
    let object =
        price("Durable Object requests") + 0.128 * 0.01 * price("Durable Object GB-seconds");
    let dollars = |kind: usize| {
        let kv = counted["KV reads"][kind] * price("a KV read");
        let requests = counted["Ledger: requests"][kind] + counted["Nonces: requests"][kind];
        let rows = counted["Ledger: rows written"][kind] + counted["Nonces: rows written"][kind];
        worker + kv + requests * object + rows * price("rows written")
    };
    let computed = [0, 1, 2].map(dollars);
    assert_near("together", &row(&page, "together"), &computed, 0.000_51);
    let all: Vec<f64> = [worker].into_iter().chain(computed).collect();
    assert_near("dollars", &row(&page, "dollars per million"), &all, 0.005_1);
    let lines = price("Workers Logs events");
    let logged: Vec<f64> = all.iter().map(|dollars| dollars + lines).collect();
    assert_near("with logs", &row(&page, "and with Workers Logs"), &logged, 0.005_1);
}

/// The text has numbers of its own, which come of the same prices.
#[test]
fn its_text_says_what_its_tables_come_to() {
    let tables = page();
    let page = tables.replace('\n', " ");
    let price = |unit: &str| row(&tables, unit)[0];
    let object =
        price("Durable Object requests") + 0.128 * 0.01 * price("Durable Object GB-seconds");
    let worker = price("Workers requests") + price("CPU milliseconds");
    let (kv, line) = (price("a KV read"), price("Workers Logs events"));
    let ledger = object + 2.0 * price("rows written");
    // At 100 a second, of 256 objects with an alarm a minute each.
    let alarms = 256.0 / (60.0 * 100.0);
    let shared = row(&tables, "together")[0];
    let busy = shared + (1.0 + alarms) * object + (2.0 + alarms) * price("rows written");
    for (said, value) in [
        ("{} dollars per million. With less", ledger),
        ("together with the Worker {} in place", worker + ledger + kv),
        ("{} requests and", 1.0 + alarms),
        ("and {} rows in place", 2.0 + alarms),
        ("2 and 5, and {} dollars", busy),
        ("costs: {} dollars per million", worker),
        ("per million, {} with its lines", worker + line),
        ("ever new ids costs {}.", worker + kv),
        ("public key: then it costs {}.", worker + 5.0 * kv),
    ] {
        let text = said.replace("{}", &format!("{value:.2}"));
        assert!(page.contains(&text), "the page should say: {text}");
    }
}

/// The last column is computed for requests of which each costs the most.
#[test]
fn the_free_plan_allows_what_its_scarcest_limit_does() {
    let page = page_of("free-plan.md");
    for limit in
        ["| requests | 100,000 a day", "included | 100,000 a day", "KV reads | 100,000 a day"]
    {
        assert!(page.contains(limit), "{limit}");
    }
    for (feature, most) in MOST {
        // All of these limits are as large as that of requests, which each costs one of.
        let scarcest = most[1..].iter().copied().fold(1.0, f64::max);
        let [subrequests, kv, objects, rows] = most;
        let requests = (100_000.0 / scarcest).floor();
        assert_near(
            feature,
            &row(&page, feature),
            &[subrequests, kv, objects, rows, requests],
            0.0,
        );
    }
    let [.., ledger, nonce, both] = MOST.map(|(_, most)| most);
    assert_near("both", &both, &[0, 1, 2, 3].map(|at| ledger[at] + nonce[at]), 0.0);
}
