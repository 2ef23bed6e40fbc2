//! Quotas over periods and isolates (docs/wire-contract.md, sections 4 and 7).

use serde_json::json;
use testkit::check::Check;
use testkit::gate::KEY;
use testkit::poll::poll;
use testkit::upstream::PATIENCE;

use crate::quota::{OVER, post, quota};
use crate::usage::{admin, only, rows, settles};

#[test]
fn a_quota_of_months_counts_the_days_before() {
    // Each batch is taken as if it were of the first of this month.
    const FIRST: &str = "export class Broken {
      constructor(state, env) { this.name = state.id.name; this.env = env; }
      async fetch(request) {
        const own = this.env.OWN.get(this.env.OWN.idFromName(this.name));
        if (request.method === 'GET') return own.fetch(request);
        const today = new Date().toISOString().slice(0, 10);
        const batch = (await request.text()).replaceAll(`[\"${today}\"`, `[\"${today.slice(0, 8)}01\"`);
        return own.fetch(request.url, { method: 'POST', body: batch });
      }
    }
    export default {};";
    let mut table = Check::of(|setup| {
        quota(setup, json!({"requests": 2, "per": "month"})).ledger_by(FIRST).twice()
    });
    for _ in 0..2 {
        table.passes("within", &post(&table.gate));
    }
    settles(&table.gate, KEY, &only("forwarded", 2, 14, 8));
    table.refused("over", &post(&table.gate), OVER.0, OVER.1);
    // The other isolate has never heard of it but from the ledger.
    post(&table.gate).send_to(table.gate.second).refused(OVER.0, OVER.1);
}

#[test]
fn isolates_learn_of_each_other() {
    let mut table = Check::of(|setup| quota(setup, json!({"requests": 5, "per": "day"})).twice());
    let (first, second) = (table.gate.port, table.gate.second);
    let request = post(&table.gate);
    for _ in 0..5 {
        request.send_to(first).passed();
    }
    request.send_to(first).refused(OVER.0, OVER.1);
    let mut overshot = 0;
    poll(PATIENCE * 2, || match request.send_to(second).code().as_str() {
        "quota-exceeded" => Ok(()),
        "" => {
            overshot += 1;
            Err(format!("passed {overshot} times"))
        }
        other => Err(other.to_owned()),
    });
    table.that(overshot <= 5, || format!("{overshot} passed at the second gate"));
    for port in [first, second] {
        request.send_to(port).refused(OVER.0, OVER.1);
    }
    let passed = 5 + overshot;
    let seen = table.upstream.seen().len();
    table.that(seen == passed, || format!("{seen} at the upstream, {passed} passed"));
    // Both are in the ledger, with what was refused.
    poll(PATIENCE, || {
        let answer = admin(&table.gate, &format!("usage?key={KEY}")).send(&table.gate);
        let rows = rows(&answer);
        let forwarded: u64 = rows
            .iter()
            .filter(|row| row["outcome"] == "forwarded")
            .filter_map(|row| row["requests"].as_u64())
            .sum();
        (forwarded == u64::try_from(passed).unwrap())
            .then_some(())
            .ok_or_else(|| answer.to_string())
    });
}
