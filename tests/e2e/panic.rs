//! A panic in one request: that request is answered 500 and the next ones are unharmed, however often it happens. The
//! Worker under test is built with the feature `panic-probe`, which no build for use has.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::json;
use testkit::client::Request;
use testkit::gate::{Gate, Setup};
use testkit::process::{Script, build, scratch};
use testkit::upstream::{Latch, Reply, Upstream};

/// The log line when a new memory begins.
const RENEWED: &str = "Reinitializing Wasm application";

fn with_probe() -> Script {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = scratch("panic-probe");
        build(&["--features", "panic-probe", "--out-dir", folder.to_str().unwrap()]).unwrap();
        folder
    });
    Script::Built(built.clone())
}

#[test]
fn a_panic_harms_only_one_request() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).script(with_probe()).start();
    let good = || Request::post("/x").bearer(&gate.bearer());
    good().send(&gate).passed();
    for round in 1..=3 {
        let answer = good().header("X-Writegate-Panic", "early").send(&gate);
        assert_eq!(answer.status, 500, "{answer}");
        assert!(!answer.text().contains("panicked"), "what went wrong is for the log: {answer}");
        assert_eq!(
            upstream.seen().len(),
            2 * round - 1,
            "the request that panicked is not forwarded"
        );
        good().send(&gate).passed();
        Request::post("/x").send(&gate).refused(401, "credential-missing");
        good().send(&gate).passed();
        assert_eq!(upstream.seen().len(), 2 * round + 1);
    }
    gate.logs.until("message of the panic", |lines| {
        lines.iter().any(|line| line.text.contains("panicked")).then_some(())
    });
}

/// Sends three requests that fail in this way, each before two that pass, and waits for three new memories.
fn fails_thrice(gate: &Gate, upstream: &Upstream, kind: &str, request: impl Fn() -> Request) {
    for round in 1..=3 {
        let answer = request().header("X-Writegate-Panic", kind).send(gate);
        assert_eq!(answer.status, 500, "{answer}");
        request().send(gate).passed();
        request().send(gate).passed();
        assert_eq!(upstream.seen().len(), 2 * round);
    }
    gate.logs.until("a new memory for each", |lines| {
        let renewals = lines.iter().filter(|line| line.text.contains(RENEWED));
        (renewals.count() == 3).then_some(())
    });
}

#[test]
fn a_trap_that_is_no_panic_harms_only_one_request() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).script(with_probe()).start();
    fails_thrice(&gate, &upstream, "trap", || Request::post("/x").bearer(&gate.bearer()));
}

#[test]
fn a_panic_after_waiting_harms_no_later_request() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .site(json!({"schemes": ["session", "signature"]}))
        .script(with_probe())
        .start();
    // The gate waits for the body of a signed request, so the panic comes when JavaScript calls back.
    fails_thrice(&gate, &upstream, "late", || gate.signature().sign(Request::post("/x")));
}

#[test]
fn a_request_in_flight_ends_with_the_panic_of_another_and_touches_no_later_one() {
    let latch = Latch::default();
    let held = latch.clone();
    let upstream = Upstream::answering(move |_, nth| match nth {
        0 => Reply::ok("done").header("Set-Cookie", "a=b").after(&held),
        _ => Reply::ok("done"),
    });
    let gate = Setup::to(&upstream).script(with_probe()).start();
    let good = || Request::post("/x").bearer(&gate.bearer());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| good().send(&gate));
        upstream.until("the request that waits", |seen| seen.len() == 1);
        let panicked = good().header("X-Writegate-Panic", "early").send(&gate);
        assert_eq!(panicked.status, 500, "{panicked}");
        // No request has come since, so the memory of before the panic is still the one in use.
        latch.open();
        let ended = waiting.join().unwrap();
        assert_eq!(ended.status, 500, "{ended}");
        assert_eq!(ended.header("set-cookie"), None);
    });
    for _ in 0..20 {
        good().send(&gate).passed();
    }
    // A stale address would have made the new memory's allocator panic in its turn.
    let logged = gate.stop();
    let mut panics = logged.iter().filter(|line| line.text.contains("panicked at"));
    assert!(panics.all(|line| line.text.contains("src/edge/handlers.rs")));
}

#[test]
fn a_build_for_use_has_no_probe() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).start();
    Request::post("/x")
        .bearer(&gate.bearer())
        .header("X-Writegate-Panic", "early")
        .send(&gate)
        .passed();
}
