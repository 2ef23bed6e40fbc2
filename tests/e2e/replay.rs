//! Nonces (docs/wire-contract.md, sections 3 and 4): where the key says so, no signature counts twice; and a nonce is
//! used up by a request that was forwarded, and by no other.

use std::thread;

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::Setup;
use testkit::signing::Signature;
use testkit::token::{fresh, now};
use testkit::upstream::{Reply, Upstream};

use testkit::bound::refused;

pub(crate) const REPLAYED: (u16, &str) = (401, "replayed");

/// Returns the default key, which wants nonces.
pub(crate) fn nonces(setup: Setup) -> Setup {
    setup.site(json!({"schemes": ["signature", "session"], "nonce": "required"}))
}

fn start() -> Check {
    Check::of(|setup| nonces(setup).replay())
}

/// Returns a signature with this nonce.
pub(crate) fn by(table: &Check, nonce: &str) -> Signature {
    table.gate.signature().nonce(nonce)
}

#[test]
fn a_nonce_counts_once_whatever_else_the_request_says() {
    let mut table = start();
    let nonce = fresh();
    let used = by(&table, &nonce);
    table.passes("the first", &used.sign(Request::post("/x")));
    let body = Request::post("/x").body("other");
    for (what, request) in [
        ("the same", used.sign(Request::post("/x"))),
        ("another body", used.sign(body)),
        ("another path", used.sign(Request::post("/y"))),
        ("another time", used.clone().param("created", now() - 60).sign(Request::post("/x"))),
    ] {
        refused(&mut table, what, request, REPLAYED);
    }
}

#[test]
fn nonces_that_look_alike_are_others() {
    let mut table = start();
    for nonce in [
        "a b&c=d%20#?/", "a+b&c=d%20#?/", "a b&c=d #?/", "A B&c=d%20#?/", "a b&c=d%20#?/ ",
        "until=0&until=0", "'; DROP TABLE nonces; --", "%00%00%00", "12345678", "123456780",
    ] {
        let request = by(&table, nonce).sign(Request::post("/x"));
        table.passes(nonce, &request);
        refused(&mut table, nonce, request, REPLAYED);
    }
    let longest = "n".repeat(127);
    for end in ["1", "2"] {
        let request = by(&table, &format!("{longest}{end}")).sign(Request::post("/x"));
        table.passes("128 bytes", &request);
    }
}

#[test]
fn of_copies_sent_at_once_exactly_one_passes() {
    for copies in [2, 16] {
        let table = start();
        let request = by(&table, &fresh()).sign(Request::post("/x"));
        let gate = &table.gate;
        let answers: Vec<_> = thread::scope(|scope| {
            let sent: Vec<_> = (0..copies).map(|_| scope.spawn(|| request.send(gate))).collect();
            sent.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let passed = answers.iter().filter(|answer| answer.status == 200).count();
        let replayed = answers.iter().filter(|answer| answer.code() == "replayed").count();
        assert_eq!((passed, replayed), (1, copies - 1), "{answers:#?}");
        table.upstream.only();
    }
}

#[test]
fn a_forwarded_request_uses_its_nonce_up_whatever_becomes_of_it() {
    let upstream = Upstream::queue(vec![Reply::new(500), Reply::hang_up(), Reply::ok("done")]);
    let mut table = Check::before(upstream, |setup| nonces(setup).replay());
    let (first, second) = (fresh(), fresh());
    for nonce in [&first, &second] {
        let answer = by(&table, nonce).sign(Request::post("/x")).send(&table.gate);
        table.that(answer.status >= 500, || format!("the upstream failed: {answer}"));
    }
    for nonce in [&first, &second] {
        let again = by(&table, nonce).sign(Request::post("/x"));
        refused(&mut table, "again", again, REPLAYED);
    }
}
