//! The days of `GET /_gate/usage` (docs/wire-contract.md, section 7): which of them are listed, and which queries are
//! refused.

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::poll::poll;
use testkit::token::{date, now};
use testkit::upstream::PATIENCE;

use crate::usage::{admin, rows, with_ledger};
use crate::usage_api::local_answer;

const DAY: u64 = 86_400;

/// Expects the refusal of a bad request that names this field.
fn names(table: &mut Check, query: &str, field: &str) {
    let request = admin(&table.gate, &format!("usage{query}"));
    let answer = table.refused(query, &request, 400, "bad-request");
    let problem = answer.json();
    let hinted = problem["hint"].as_str().is_some_and(|hint| hint.len() > 3);
    table.that(hinted && problem["field"] == field, || {
        format!("{query}: expected {field}, got {problem}")
    });
}

#[test]
fn a_query_that_is_not_valid_names_its_field() {
    let mut table = Check::of(|setup| with_ledger(setup.site(json!({}))));
    for query in ["", "?key=", "?key=a%20b", "?from=2026-01-01"] {
        names(&mut table, query, "key");
    }
    for bad in [
        "", "today", "2026-13-01", "2026-02-30", "2026-00-10", "2026-1-1", "20260101",
        "2026-01-01T00:00:00Z", "-2026-01-01", "02026-01-01",
    ] {
        for field in ["from", "to"] {
            names(&mut table, &format!("?key={KEY}&{field}={bad}"), field);
        }
    }
    // Backwards, and too many days.
    for (from, to) in
        [("2026-03-02", "2026-03-01"), ("2025-01-01", "2026-03-01"), ("0001-01-01", "9999-12-31")]
    {
        let query = format!("?key={KEY}&from={from}&to={to}");
        names(&mut table, &query, "from");
    }
    let coming = date(now() + 2 * DAY);
    names(&mut table, &format!("?key={KEY}&from={coming}"), "from");
    for (from, to) in
        [("2026-03-01", "2026-03-01"), ("2025-03-01", "2026-03-01"), ("2024-02-29", "2024-03-01")]
    {
        let path = format!("usage?key={KEY}&from={from}&to={to}");
        let request = admin(&table.gate, &path);
        let answer = local_answer(&mut table, &path, &request);
        table.that(rows(&answer).is_empty(), || answer.to_string());
    }
    let unknown = admin(&table.gate, "usage?key=pk_nobody");
    table.refused("no such key", &unknown, 404, "no-route");
}

/// Days that are over: each batch is taken as if it were of another day.
const OTHER_DAYS: &str = "export class Broken {
  constructor(state, env) { this.name = state.id.name; this.env = env; this.batches = 0; }
  async fetch(request) {
    const own = this.env.OWN.get(this.env.OWN.idFromName(this.name));
    if (request.method === 'GET') return own.fetch(request);
    const text = await request.text();
    const day = (back) => new Date(Date.now() - back * 86400000).toISOString().slice(0, 10);
    if (text.includes('forwarded') || text.includes('refused')) this.batches += 1;
    const back = [40, 3, 3, 1, 0][this.batches - 1] ?? 0;
    return own.fetch(request.url, { method: 'POST', body: text.replaceAll(day(0), day(back)) });
  }
}
export default {};";

fn ask(table: &Check, query: &str) -> Vec<Value> {
    let request = admin(&table.gate, &format!("usage?key={KEY}{query}"));
    rows(&request.send(&table.gate).passed())
}

#[test]
fn days_are_listed_apart_and_in_order() {
    let mut table = Check::of(|setup| {
        let setup = setup.site(json!({"methods": ["POST"]}));
        with_ledger(setup).ledger_by(OTHER_DAYS)
    });
    let today = now();
    let back = |days: u64| date(today - days * DAY);
    let all = format!("&from={}", back(300));
    // Each batch is on its way before the next request counts.
    for (index, method) in ["POST", "POST", "GET", "POST", "POST"].iter().enumerate() {
        let request = Request::new(method, "/x").bearer(&table.gate.bearer());
        request.send(&table.gate);
        poll(PATIENCE, || {
            let rows = ask(&table, &all);
            let sum: u64 = rows.iter().filter_map(|row| row["requests"].as_u64()).sum();
            let all = sum == u64::try_from(index + 1).unwrap();
            all.then_some(()).ok_or_else(|| format!("{rows:#?}"))
        });
    }
    let had =
        [(40, "forwarded"), (3, "forwarded"), (3, "refused"), (1, "forwarded"), (0, "forwarded")];
    for (query, from, to) in [
        (all, 40, 0),
        (String::new(), 30, 0),
        (format!("&from={}", back(3)), 3, 0),
        (format!("&from={}", back(2)), 2, 0),
        (format!("&from={}&to={}", back(50), back(3)), 50, 3),
        (format!("&to={}", back(1)), 31, 1),
        (format!("&to={}", back(20)), 50, 20),
        (format!("&from={}&to={}", back(3), back(3)), 3, 3),
    ] {
        let listed: Vec<_> = ask(&table, &query)
            .iter()
            .map(|row| format!("{} {}", row["day"], row["outcome"]).replace('"', ""))
            .collect();
        let expected: Vec<_> = had
            .iter()
            .filter(|(days, _)| (to..=from).contains(days))
            .map(|(days, outcome)| format!("{} {outcome}", back(*days)))
            .collect();
        // A day that ended meanwhile moves them all.
        let moved = date(now()) != date(today);
        table.that(moved || listed == expected, || {
            format!("{query}: {listed:?}, expected {expected:?}")
        });
    }
}
