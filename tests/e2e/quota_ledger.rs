//! Quotas and usage without a ledger that tells what a key has had (docs/wire-contract.md, sections 1, 2, 4 and 7): its key is
//! closed, and no other; and its usage is not shown.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::poll::poll;
use testkit::upstream::PATIENCE;

use crate::quota::{OVER, quota};
use crate::usage::{ADMIN, admin};

const UNAVAILABLE: (u16, &str) = (503, "feature-unavailable");

/// The time for which a ledger's last answer is enough, as the contract says it.
const ENOUGH: Duration = Duration::from_secs(30);

/// Answers once.
const ONCE: &str = "export class Broken {
  constructor(state, env) { this.name = state.id.name; this.env = env; this.calls = 0; }
  fetch(request) {
    if (this.calls++ > 0) throw new Error('broken');
    return this.env.OWN.get(this.env.OWN.idFromName(this.name)).fetch(request);
  }
}
export default {};";

fn limited(setup: Setup) -> Setup {
    quota(setup, json!({"requests": 1_000_000, "per": "day"})).key(json!({"id": "pk_free"}))
}

fn by(table: &Check, id: &str) -> Request {
    Request::post("/x").bearer(&table.gate.session_of(id).mint())
}

/// Expects a line of the log that says so.
fn logged(table: &Check) {
    table.gate.logs.until("a line about the ledger", |lines| {
        let mut own = lines.iter().filter(|line| line.is_event("feature_unavailable"));
        own.any(|line| line.text.contains("LEDGER") && line.text.contains(KEY)).then_some(())
    });
}

/// Expects that nobody learns any usage.
fn shows_no_usage(table: &mut Check, what: &str) {
    for path in ["usage?key=pk_free", "usage/keys"] {
        table.refused(what, &admin(&table.gate, path), UNAVAILABLE.0, UNAVAILABLE.1);
    }
}

#[test]
fn a_failing_ledger_closes_only_keys_with_a_quota() {
    for source in [
        "export class Broken { fetch() { throw new Error('broken'); } } export default {};",
        "export class Broken { constructor() { throw new Error('broken'); } } export default {};",
        "export class Broken { fetch() { return new Response('no', { status: 500 }); } } export default {};",
        "export class Broken { fetch() { return new Response('nonsense'); } } export default {};",
        "export class Broken { fetch() { return Response.json({}); } } export default {};",
        "export class Broken { fetch() { return Response.json({ sequence: 0, since: null, requests: 0, bytes: 0 }); } } export default {};",
        "",
    ] {
        let mut table = Check::of(|setup| match source {
            "" => {
                let setup = setup.site(json!({"quota": {"requests": 10, "per": "day"}}));
                setup.key(json!({"id": "pk_free"})).key(json!({"id": ADMIN, "admin": true}))
            }
            _ => limited(setup).ledger_by(source),
        });
        table.refused(source, &by(&table, KEY), UNAVAILABLE.0, UNAVAILABLE.1);
        table.passes("another key", &by(&table, "pk_free"));
        // What one of these says of sums says nothing of rows.
        if !source.contains("sequence") {
            shows_no_usage(&mut table, source);
        }
        logged(&table);
    }
}

#[test]
fn a_ledger_that_does_not_answer_closes_a_key_in_time_and_slows_no_other() {
    const SILENT: &str = "export class Broken {
      fetch() { console.log(JSON.stringify({ event: 'asked' })); return new Promise(() => setTimeout(() => {}, 1e9)); }
    }
    export default {};";
    let mut table = Check::of(|setup| limited(setup).ledger_by(SILENT));
    let (closed, port) = (by(&table, KEY), table.gate.port);
    let waiting = thread::spawn(move || closed.send_to(port));
    table.gate.logs.events("asked", 1);
    let began = Instant::now();
    for _ in 0..20 {
        table.passes("another key", &by(&table, "pk_free"));
    }
    let took = began.elapsed();
    table.that(took < 2 * PATIENCE, || format!("20 requests took {took:?}"));
    waiting.join().unwrap().refused(UNAVAILABLE.0, UNAVAILABLE.1);
    shows_no_usage(&mut table, "silent");
}

#[test]
fn a_ledgers_word_is_enough_for_a_while_and_not_for_long() {
    let mut table = Check::of(|setup| limited(setup).ledger_by(ONCE));
    let began = Instant::now();
    table.passes("the ledger answers", &by(&table, KEY));
    let mut passed = began.elapsed();
    poll(ENOUGH + PATIENCE, || {
        let answer = by(&table, KEY).send(&table.gate);
        if answer.code() == UNAVAILABLE.1 {
            return Ok(());
        }
        passed = began.elapsed();
        Err(answer.to_string())
    });
    // As long as the gate took the word for good, it had reason to.
    table.that(passed <= ENOUGH + Duration::from_secs(5), || format!("passed for {passed:?}"));
    table.that(passed >= Duration::from_secs(10), || format!("closed after {passed:?}"));
    table.passes("another key", &by(&table, "pk_free"));
}

#[test]
fn a_quota_that_is_used_up_while_the_ledger_fails_is_used_up() {
    let mut table =
        Check::of(|setup| quota(setup, json!({"requests": 3, "per": "day"})).ledger_by(ONCE));
    for _ in 0..3 {
        table.passes("within", &by(&table, KEY));
    }
    table.refused("over", &by(&table, KEY), OVER.0, OVER.1);
}
