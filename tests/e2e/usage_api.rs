//! `GET /_gate/usage` (docs/wire-contract.md, section 7) on the platform's own ledger. Who may read what, and which queries are
//! refused, is in `tests/core/admin_who.rs` and `tests/core/usage_pages.rs`; what there is without a ledger in `quota_ledger.rs`.

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::poll::poll;
use testkit::token::{date, now};
use testkit::upstream::PATIENCE;

use crate::usage::{Counts, admin, only, rows, settles, with_ledger};

const DAY: u64 = 86_400;

#[test]
fn an_admin_reads_any_key_and_others_their_own() {
    let mut table = Check::of(|setup| {
        with_ledger(setup.site(json!({"paths": ["/posts"]})))
            .registered(json!({"id": "customer.17"}))
            .registered(json!({"id": "customer.18", "version": 1, "revoked": true}))
    });
    for id in [KEY, "customer.17"] {
        let session = table.gate.session_of(id).mint();
        table.passes(id, &Request::post("/posts").bearer(&session));
        settles(&table.gate, id, &only("forwarded", 1, 7, 4));
        let expected = admin(&table.gate, &format!("usage?key={id}")).send(&table.gate).json();
        let own = Request::get("/_gate/usage").bearer(&session);
        table.answers(id, &own, 200, &expected);
        let head = Request { method: "HEAD".into(), ..own }.send(&table.gate);
        table.that(head.status == 200 && head.body.is_empty(), || head.to_string());
    }
    // What a revoked key has had is still the operator's to see.
    settles(&table.gate, "customer.18", &Counts::new());
    let unknown = admin(&table.gate, "usage?key=customer.19");
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
