//! The way of usage to the ledger (docs/wire-contract.md, section 7): by itself, once, from every isolate, also when
//! the ledger fails now and then; and what a ledger that fails for good does to requests: nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::logs::Line;
use testkit::poll::poll;
use testkit::upstream::{Latch, PATIENCE, Reply, Upstream};

use crate::usage::{Counts, add, only, settles, settles_at, settles_by, with_ledger};

/// Fails in three of ten calls before the gate's own ledger gets them, and in two more when it has taken them.
pub(crate) const MOODY: &str = "export class Broken {
  constructor(state, env) { this.name = state.id.name; this.env = env; this.calls = 0; }
  async fetch(request) {
    const mood = 'bgagbggagb'[this.calls++ % 10];
    if (mood === 'b') throw new Error('before');
    const own = this.env.OWN.get(this.env.OWN.idFromName(this.name));
    const answer = await own.fetch(request);
    if (mood === 'a') throw new Error('after');
    return answer;
  }
}
export default {};";

/// Never answers.
const SILENT: &str =
    "export class Broken { fetch() { return new Promise(() => setTimeout(() => {}, 1e9)); } }
export default {};";

/// Fails.
const FAILING: &str =
    "export class Broken { fetch() { throw new Error('broken'); } } export default {};";

fn ledger(setup: Setup) -> Setup {
    with_ledger(setup.site(json!({})))
}

/// Awaits the answer to a request of the default key at this port, on a connection that stays.
fn post(connection: &mut Connection, gate: &Gate) {
    let request = Request::post("/x").bearer(&gate.bearer());
    connection.exchange(&request).passed();
}

#[test]
fn usage_comes_to_the_ledger_by_itself() {
    let latch = Latch::default();
    let waits = latch.clone();
    let upstream = Upstream::answering(move |request, _| match request.method.as_str() {
        "GET" => Reply::new(200)
            .parts(vec![(None, b"first".to_vec()), (Some(waits.clone()), b" second".to_vec())]),
        _ => Reply::ok("done"),
    });
    let table = Check::before(upstream, |setup| ledger(setup).twice());
    let gate = &table.gate;
    Request::post("/x").bearer(&gate.bearer()).send(gate).passed();
    // The second isolate is asked, which knows nothing of the first but by the ledger.
    settles_at(gate, gate.second, KEY, &only("forwarded", 1, 7, 4));
    // What comes when no request is there any more comes too.
    let mut connection = Connection::open(gate);
    connection.write(&Request::get("/x").bearer(&gate.bearer()).head());
    assert_eq!(connection.read_head().status, 200);
    assert_eq!(connection.read_chunk(), b"first");
    settles_at(gate, gate.second, KEY, &only("forwarded", 2, 7, 4));
    latch.open();
    assert_eq!(
        (connection.read_chunk(), connection.read_chunk()),
        (b" second".to_vec(), Vec::new())
    );
    settles_at(gate, gate.second, KEY, &only("forwarded", 2, 7, 16));
}

#[test]
fn two_isolates_add_up() {
    let table = Check::of(|setup| ledger(setup).key(json!({"id": "pk_other"})).twice());
    let gate = &table.gate;
    let mut connections = [gate.port, gate.second].map(Connection::to_port);
    for round in 0..60 {
        let own = &mut connections[round % 2];
        post(own, gate);
        if round % 3 == 0 {
            let other = Request::get("/x").bearer(&gate.session_of("pk_other").mint());
            own.exchange(&other).passed();
        }
    }
    for port in [gate.port, gate.second] {
        settles_at(gate, port, KEY, &only("forwarded", 60, 420, 240));
        settles_at(gate, port, "pk_other", &only("forwarded", 20, 0, 80));
    }
}

#[test]
fn a_key_that_was_idle_counts_on() {
    const OTHER: &str = "pk_other";
    let table = Check::of(|setup| ledger(setup).key(json!({"id": OTHER})).twice());
    let gate = &table.gate;
    let get = |id: &str| {
        let session = gate.session_of(id).mint();
        Request::get("/x").bearer(&session).send(gate).passed();
    };
    let settles = |id: &str, requests: usize| {
        // The second isolate has nothing to send, so it learned of this by itself.
        let counts = only("forwarded", requests, 0, 4 * requests);
        settles_at(gate, gate.second, id, &counts);
    };
    for round in 1..=2 {
        get(KEY);
        settles(KEY, round);
        // While this is sent, the first isolate forgets the key that has nothing to send.
        get(OTHER);
        settles(OTHER, round);
    }
}

#[test]
fn a_batch_that_failed_is_sent_again_without_another_request() {
    // Fails for the first two batches that have something in them.
    const TWICE: &str = "export class Broken {
      constructor(state, env) { this.name = state.id.name; this.env = env; this.batches = 0; }
      async fetch(request) {
        const copy = request.clone();
        if (request.method === 'POST' && (await copy.text()).includes('forwarded') && this.batches++ < 2) throw new Error('broken');
        return this.env.OWN.get(this.env.OWN.idFromName(this.name)).fetch(request);
      }
    }
    export default {};";
    let table = Check::of(|setup| ledger(setup).ledger_by(TWICE).twice());
    let gate = &table.gate;
    Request::post("/x").bearer(&gate.bearer()).send(gate).passed();
    settles_at(gate, gate.second, KEY, &only("forwarded", 1, 7, 4));
}

#[test]
fn many_requests_are_few_batches() {
    let table = Check::of(|setup| ledger(setup).counted());
    let gate = &table.gate;
    let mut connection = Connection::open(gate);
    let began = Instant::now();
    for _ in 0..300 {
        post(&mut connection, gate);
    }
    settles(gate, KEY, &only("forwarded", 300, 2_100, 1_200));
    // One for every 2 s, and those of this asking.
    let batches = gate.logs.until("batches", |lines| {
        let lines = lines.iter().filter_map(Line::json);
        let taken = lines.filter(|line| line["event"] == "rows");
        Some(
            taken
                .filter(|line| line["what"].as_str().is_some_and(|sql| sql.contains("INTO usage")))
                .count(),
        )
    });
    let most = usize::try_from(began.elapsed().as_secs()).unwrap() / 2 + 3;
    assert!((1..=most).contains(&batches), "{batches} batches, {most} at most");
}

#[test]
fn a_ledger_that_fails_now_and_then_loses_nothing_and_doubles_nothing() {
    let mut table = Check::of(|setup| ledger(setup).ledger_by(MOODY).twice());
    let gate = &table.gate;
    let mut connections = [gate.port, gate.second].map(Connection::to_port);
    let mut expected = Counts::new();
    let refused = Request::get("/_x").bearer(&gate.session().claim("paths", json!(["/x"])).mint());
    // Batches go every 2 s, so that some must fail before all of this is over.
    let end = Instant::now() + Duration::from_secs(12);
    poll(PATIENCE, || {
        for connection in &mut connections {
            post(connection, gate);
            add(&mut expected, "forwarded", 1, 7, 4);
            let answer = connection.exchange(&refused).refused(403, "path-denied");
            add(&mut expected, "refused", 1, 0, answer.body.len());
        }
        (Instant::now() >= end).then_some(()).ok_or_else(|| "too early".to_owned())
    });
    settles_by(gate, &[gate.port, gate.second], KEY, &expected);
    let logged = gate.logs.events("usage_unsent", 1);
    table.that(logged.iter().all(|(_, line)| line["lost"] == 0), || format!("{logged:?}"));
}

#[test]
fn a_ledger_that_fails_for_good_harms_no_request() {
    for source in [SILENT, FAILING] {
        let mut table =
            Check::of(|setup| ledger(setup).key(json!({"id": "pk_other"})).ledger_by(source));
        let began = Instant::now();
        for _ in 0..10 {
            for id in [KEY, "pk_other"] {
                let request = Request::post("/x").bearer(&table.gate.session_of(id).mint());
                table.passes("a request", &request);
            }
        }
        // A request that waited for the ledger would have waited five seconds.
        let took = began.elapsed();
        table.that(took < 2 * PATIENCE, || format!("20 requests took {took:?}"));
        // The operator learns of it.
        let logged: Value = table.gate.logs.events("usage_unsent", 1).remove(0).1;
        table.that(logged["batches"].as_u64().is_some_and(|batches| batches > 0), || {
            logged.to_string()
        });
    }
}
