//! Quotas (docs/wire-contract.md, sections 4, 6 and 7): the answers to a key that has used its quota, which refusal
//! comes first, and periods and isolates.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::poll::poll;
use testkit::token::{date, now};
use testkit::upstream::PATIENCE;

use crate::quota::{OVER, post, quota};
use crate::usage::{admin, only, rows, settles, with_ledger};

const DAY: u64 = 86_400;

/// Returns the seconds of this period, and those that are left of it, at a time.
fn period(per: &str, at: u64) -> (u64, u64) {
    let begun = at / DAY;
    if per == "day" {
        return (DAY, DAY - at % DAY);
    }
    let month = |day: u64| date(day * DAY)[..7].to_owned();
    let first = (0..31)
        .map(|back| begun - back)
        .take_while(|day| month(*day) == month(begun))
        .last()
        .unwrap();
    let next = (begun..begun + 32).find(|day| month(*day) != month(begun)).unwrap();
    ((next - first) * DAY, next * DAY - at)
}

#[test]
fn a_caller_over_quota_learns_the_limit_and_when_it_resets() {
    for (per, bytes) in [("day", false), ("month", false), ("day", true), ("month", true)] {
        let mut record = json!({"requests": 1, "per": per});
        if bytes {
            record["bytes"] = json!(1_000);
        }
        let mut table = Check::of(|setup| quota(setup, record));
        table.passes("within", &post(&table.gate));
        let earliest = now();
        let answer = table.refused("over", &post(&table.gate), OVER.0, OVER.1);
        let (window, most) = period(per, earliest);
        // It takes a moment, and counts the second that has begun.
        let (_, least) = period(per, now());
        let header = |name: &str| answer.header(name).unwrap_or_default();
        let left: u64 = header("retry-after").parse().unwrap_or_default();
        // The period may have ended in between.
        let fits = (least..=most).contains(&left) || least > most;
        table.that(fits, || format!("{least} to {most} seconds are left: {answer}"));
        let (more_policy, more_limit) = match bytes {
            true => (
                format!(", \"bytes\";q=1000;qu=\"content-bytes\";w={window}"),
                format!(", \"bytes\";r=989;t={left}"),
            ),
            false => Default::default(),
        };
        for (name, value) in [
            ("ratelimit-policy", format!("\"requests\";q=1;w={window}{more_policy}")),
            ("ratelimit", format!("\"requests\";r=0;t={left}{more_limit}")),
        ] {
            table.that(header(name) == value, || format!("{name} should be {value}: {answer}"));
        }
    }
}

#[test]
fn the_quota_comes_after_the_rate_and_before_body_and_nonce() {
    let mut table = Check::of(|setup| {
        let key = json!({"schemes": ["signature"], "rate": "standard", "nonce": "required",
            "quota": {"requests": 1, "per": "day"}});
        with_ledger(setup.site(key)).limiter("RATE_STANDARD").replay()
    });
    let by = |nonce: &str| table.gate.signature().nonce(nonce).sign(Request::post("/x"));
    let (first, second) = (by("first nonce"), by("second nonce"));
    table.passes("within", &first);
    table.refused("seen before, but over", &first, OVER.0, OVER.1);
    table.refused("another body, but over", &second.body("other"), OVER.0, OVER.1);
    // The limiter has had its three.
    let third = table.gate.signature().nonce("third nonce").sign(Request::post("/x"));
    table.refused("over both", &third, 429, "rate-limited");
}

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
