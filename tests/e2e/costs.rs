//! The cost of a request in steady state: every operation that somebody bills is counted, from what the bindings and the
//! objects say of themselves. `docs/costs.md` turns these numbers into dollars.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::cache::TTL;
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::poll::poll;
use testkit::token::{fresh, now};
use testkit::upstream::{PATIENCE, Upstream};

use crate::spent::{Spent, mark, spent};

/// Operations of a request: a cached read, a write by a session, a write that a nonce protects. A fraction is what it is at
/// most, anything else what it is exactly.
pub(crate) const OPERATIONS: [(&str, [f64; 3]); 7] = [
    ("KV reads", [0.02, 0.02, 0.02]),
    ("Ledger: requests", [0.02, 0.02, 0.02]),
    ("Ledger: rows written", [0.06, 0.06, 0.06]),
    ("Nonces: requests", [0.0, 0.0, 2.0]),
    ("Nonces: rows written", [0.0, 0.0, 5.0]),
    ("Requests to the API", [0.0, 1.0, 1.0]),
    ("Log lines", [1.0, 1.0, 1.0]),
];

/// The most that a feature adds to a request of its key: subrequests, KV reads, requests of objects and their
/// alarms, and rows written. The first row's subrequest is the request to the API, which the others have too.
pub(crate) const MOST: [(&str, [f64; 4]); 5] = [
    ("a session, for a key of the configuration", [1.0, 0.0, 0.0, 0.0]),
    ("a key of the registry", [1.0, 1.0, 0.0, 0.0]),
    ("usage (`LEDGER`)", [1.0, 0.0, 1.0, 2.0]),
    ("a nonce (`REPLAY`)", [1.0, 0.0, 2.0, 5.0]),
    ("usage and a nonce", [2.0, 0.0, 3.0, 7.0]),
];

/// Requests of one measurement; fewer where each writes to a disk.
const REQUESTS: usize = 1_000;
const NONCES: usize = 200;
const CONNECTIONS: usize = 4;

/// Returns a key of the registry, and every binding there is.
fn full(setup: Setup) -> Setup {
    let cache = json!({"ttl": TTL});
    let key = json!({"id": "customer.17", "schemes": ["session", "signature"]});
    setup
        .route("/kept/*", json!({"cache": cache}))
        .route("/live/*", json!({}))
        .site(json!({"rate": "standard"}))
        .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
        .registered(key)
        .limiter("RATE_STANDARD")
        .replay()
        .ledger()
        .cache()
        .counted()
}

/// The total of many requests of one kind.
struct Steady {
    requests: usize,
    spent: Spent,
    reached: usize,
    took: Duration,
}

/// Sends so many of these requests, once the first has been answered and counted.
fn steady(
    gate: &Gate,
    upstream: &Upstream,
    requests: usize,
    request: impl Fn() -> Request + Sync,
) -> Steady {
    request().send(gate).passed();
    let flushed = |from: usize| {
        poll(PATIENCE, || match spent(gate, from).ledger {
            0 => Err("no batch for the ledger".to_owned()),
            _ => Ok(()),
        });
    };
    flushed(0);
    let (from, before, began) = (mark(gate), upstream.seen().len(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = Connection::open(gate);
                for _ in 0..requests / CONNECTIONS {
                    connection.exchange(&request()).passed();
                }
            });
        }
    });
    let last = request().send(gate).passed();
    gate.logs.audit(&last.request_id());
    flushed(from);
    Steady {
        requests: requests + 1,
        spent: spent(gate, from),
        reached: upstream.seen().len() - before,
        took: began.elapsed(),
    }
}

/// Asserts that each of these requests costs what the table has for this kind; with what its nonce cost.
#[track_caller]
fn assert_costs(kind: usize, steady: &Steady, nonces: [f64; 2]) {
    let Steady { spent, requests, .. } = steady;
    let number = |number: usize| f64::from(u32::try_from(number).unwrap());
    let each = |all: usize| number(all) / number(*requests);
    // The ledger gets a batch every two seconds: on a slow machine that is more often in a thousand
    // requests, and its rows are those of the isolate and of two outcomes.
    let batches = (steady.took.as_secs_f64() / 2.0 + 2.0) / number(*requests);
    let measured = [
        (each(spent.kv), 0.0),
        (each(spent.ledger), batches),
        (each(spent.ledger_rows), 3.0 * batches),
        (nonces[0], 0.0),
        (nonces[1], 0.0),
        (each(steady.reached), 0.0),
        (each(spent.lines), 0.0),
    ];
    for ((name, table), (measured, slow)) in OPERATIONS.iter().zip(measured) {
        let stated = table[kind];
        let right = match stated.fract() == 0.0 {
            true => (measured - stated).abs() < 1e-9,
            false => measured <= stated.max(slow),
        };
        assert!(right, "{name}: {measured} a request, stated {stated}; {spent:#?}");
    }
    assert_eq!(spent.limiter, 0, "{spent:#?}");
}

#[test]
fn a_cached_read_costs_what_is_stated() {
    let upstream = Upstream::start();
    let gate = full(Setup::to(&upstream)).start();
    let token = gate.session_of("customer.17").mint();
    let request = Request::get("/kept/a").bearer(&token);
    request.send(&gate).passed();
    poll(PATIENCE, || match spent(&gate, 0).kept {
        0 => Err("nothing kept".to_owned()),
        _ => Ok(()),
    });
    let steady = steady(&gate, &upstream, REQUESTS, || request.clone());
    assert_costs(0, &steady, [0.0; 2]);
    let spent = steady.spent;
    assert_eq!((spent.nonces, spent.kept), (0, 0), "{spent:#?}");
    // Free, but not in time: an answer, and two marks of purges.
    assert!(spent.cached <= 3 * steady.requests, "{spent:#?}");
}

#[test]
fn a_write_by_a_session_costs_what_is_stated() {
    let upstream = Upstream::start();
    let gate = full(Setup::to(&upstream)).start();
    let token = gate.session_of("customer.17").mint();
    let request = Request::post("/live/a").bearer(&token);
    let steady = steady(&gate, &upstream, REQUESTS, || request.clone());
    assert_costs(1, &steady, [0.0; 2]);
    let spent = steady.spent;
    assert_eq!((spent.nonces, spent.cached, spent.kept), (0, 0, 0), "{spent:#?}");
    // On a cached route it costs no more.
    let (from, write) = (mark(&gate), Request::post("/kept/a").bearer(&token));
    let answer = write.send(&gate).passed();
    gate.logs.audit(&answer.request_id());
    let spent = self::spent(&gate, from);
    assert_eq!((spent.cached, spent.kept, spent.kv), (0, 0, 0), "{spent:#?}");
}

#[test]
fn a_write_that_a_nonce_protects_costs_one_object_more_and_its_alarm() {
    let upstream = Upstream::start();
    let gate = full(Setup::to(&upstream)).env("CLOCK_SKEW", 0).start();
    let signature = gate.signature_of("pk_nonce");
    let signed = || signature.clone().nonce(&fresh()).sign(Request::post("/live/a"));
    let steady = steady(&gate, &upstream, NONCES, signed);
    assert_eq!(steady.spent.nonces, steady.requests, "{:#?}", steady.spent);

    // What comes later: this one's alarm, which finds nothing else in its object.
    let gate = full(Setup::to(&upstream))
        .env("CLOCK_SKEW", 0)
        .env("SIGNING_SECRET", gate.signing_secret.as_str())
        .start();
    let lonely = gate.signature_of("pk_nonce").nonce(&fresh()).param("created", now() - 295);
    lonely.sign(Request::post("/live/a")).send(&gate).passed();
    poll(PATIENCE, || match self::spent(&gate, 0).alarms {
        0 => Err("no alarm".to_owned()),
        _ => Ok(()),
    });
    let alone = self::spent(&gate, 0);
    let number = |number: usize| f64::from(u32::try_from(number).unwrap());
    let nonces = [number(alone.nonces + alone.alarms), number(alone.nonce_rows)];
    assert_costs(2, &steady, nonces);
    assert_eq!(MOST[3].1, [1.0, 0.0, nonces[0], nonces[1]]);
}

#[test]
fn a_key_with_a_rate_costs_one_call_of_its_limiter() {
    let upstream = Upstream::start();
    let gate = full(Setup::to(&upstream)).start();
    let request = Request::post("/live/a").bearer(&gate.bearer());
    for calls in 1..=3 {
        let answer = request.send(&gate).passed();
        gate.logs.audit(&answer.request_id());
        let spent = spent(&gate, 0);
        assert_eq!((spent.limiter, spent.kv, spent.nonces), (calls, 0, 0), "{spent:#?}");
    }
}

#[test]
fn a_session_costs_the_request_to_the_api_and_the_registry_a_read() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .site(json!({}))
        .registered(json!({"id": "customer.17"}))
        .counted()
        .start();
    for (key, (feature, [_, kv, ..])) in [KEY, "customer.17"].into_iter().zip(MOST) {
        let (from, before) = (mark(&gate), upstream.seen().len());
        let request = Request::post("/a").bearer(&gate.session_of(key).mint());
        gate.logs.audit(&request.send(&gate).passed().request_id());
        let kv = if kv > 0.0 { 1 } else { 0 };
        assert_eq!(spent(&gate, from), Spent { kv, lines: 1, ..Spent::default() }, "{feature}");
        assert_eq!(upstream.seen().len() - before, 1, "{feature}");
    }
}

#[test]
fn a_key_with_little_traffic_costs_a_call_of_its_ledger_for_each_request() {
    let upstream = Upstream::start();
    let gate = full(Setup::to(&upstream)).start();
    let request = Request::post("/live/a").bearer(&gate.session_of("customer.17").mint());
    let mut rows = 0;
    for calls in 1..=3 {
        request.send(&gate).passed();
        let now = poll(PATIENCE, || match spent(&gate, 0) {
            now if now.ledger >= calls => Ok(now),
            now => Err(format!("{now:#?}")),
        });
        assert_eq!(now.ledger, calls);
        // The first one makes the tables too.
        assert!(calls == 1 || now.ledger_rows - rows == 2, "{now:#?}");
        rows = now.ledger_rows;
    }
    assert_eq!(spent(&gate, 0).kv, 1);
    assert_eq!(MOST[2].1, [1.0, 0.0, 1.0, 2.0]);
}

#[test]
fn what_is_refused_before_its_key_is_proven_costs_nothing_but_its_line() {
    let upstream = Upstream::start();
    let gate = full(Setup::to(&upstream)).start();
    let forged = gate.session().key(&fresh()).mint();
    let from = mark(&gate);
    for request in [
        Request::post("/live/a"),
        Request::post("/live/a").bearer(&forged),
        Request::get("/kept/a").bearer(&forged),
        Request::get("/nowhere"),
        gate.signature_of("pk_nonce").nonce(&fresh()).secret("x").sign(Request::post("/live/a")),
    ] {
        let answer = request.send(&gate);
        assert!(answer.status >= 400, "{answer}");
        gate.logs.audit(&answer.request_id());
    }
    assert_eq!(spent(&gate, from), Spent { lines: 5, ..Spent::default() });
}
