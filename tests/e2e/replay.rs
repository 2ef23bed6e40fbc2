//! Nonces (docs/wire-contract.md, sections 3 and 4): where the key says so, no signature counts twice; and a nonce is
//! used up by a request that was forwarded, and by no other.

use std::thread;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::signing::{Signature, sha256};
use testkit::token::fresh;
use testkit::upstream::{Reply, Upstream};

use testkit::bound::{Bound, INCOMPLETE, INVALID, STALE, refused};

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
fn a_nonce_counts_once() {
    let mut table = start();
    let first = by(&table, &fresh()).sign(Request::post("/x"));
    table.passes("once", &first);
    for what in ["twice", "and once more"] {
        refused(&mut table, what, first.clone(), REPLAYED);
    }
    let next = by(&table, &fresh()).sign(Request::post("/x"));
    table.passes("another nonce", &next);
}

#[test]
fn a_nonce_counts_once_whatever_else_the_request_says() {
    let mut table = start();
    let nonce = fresh();
    let used = by(&table, &nonce);
    table.passes("the first", &used.sign(Request::post("/x")));
    let body = Request::post("/x").body("other");
    for (what, request) in [
        ("another body", used.sign(body)),
        ("another path", used.sign(Request::post("/y"))),
        ("another method", used.sign(Request::get("/x"))),
        (
            "another header",
            used.clone().also("accept").sign(Request::get("/x").header("Accept", "*/*")),
        ),
        (
            "another time",
            used.clone().param("created", testkit::token::now() - 60).sign(Request::post("/x")),
        ),
        (
            "another end",
            used.clone().param("expires", testkit::token::now() + 60).sign(Request::post("/x")),
        ),
        ("another label", used.clone().label("other").sign(Request::post("/x"))),
        ("another host", used.sign(Request::get("/x").header("Host", "other.example"))),
    ] {
        refused(&mut table, what, request, REPLAYED);
    }
}

#[test]
fn nonces_that_look_alike_are_others() {
    let mut table = start();
    for nonce in [
        "a b&c=d%20#?/", "a+b&c=d%20#?/", "a b&c=d #?/", "A B&c=d%20#?/", "a b&c=d%20#?/ ",
        " a b&c=d%20#?/", "until=0&until=0", "\\\"\\\"\\\"\\\"\\\"", "'; DROP TABLE nonces; --",
        "%00%00%00", "12345678", "123456780",
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
fn every_signer_has_nonces_of_its_own() {
    let mut table = Check::of(|setup| {
        let schemes = json!(["signature", "session"]);
        nonces(setup)
            .key(json!({"id": "pk_other", "schemes": schemes, "nonce": "required"}))
            .replay()
    });
    let nonce = fresh();
    let root = table.gate.signing_secret.clone();
    let sessions = [Bound::new(&root, KEY), Bound::new(&root, KEY), Bound::new(&root, "pk_other")];
    let mut requests: Vec<_> = sessions
        .iter()
        .map(|bound| bound.proof().nonce(&nonce).sign(Request::post("/x").bearer(&bound.token())))
        .collect();
    for key in [KEY, "pk_other"] {
        let signature = table.gate.signature_of(key).nonce(&nonce);
        requests.push(signature.sign(Request::post("/x")));
    }
    for (index, request) in requests.iter().enumerate() {
        table.passes(&format!("signer {index}"), request);
    }
    for (index, request) in requests.into_iter().enumerate() {
        refused(&mut table, &format!("signer {index}, again"), request, REPLAYED);
    }
}

#[test]
fn of_copies_sent_at_once_exactly_one_passes() {
    for copies in [2, 2, 2, 16] {
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
fn a_refused_request_does_not_use_its_nonce_up() {
    let mut table = Check::of(|setup| {
        setup
            .route("/*", json!({}))
            .route(
                "/tokenless",
                json!({"upstream_auth": {"scheme": "bearer", "secret": "NOT_THERE"}}),
            )
            .route("/small", json!({"max_body_bytes": 1}))
            .site(json!({"schemes": ["signature"], "nonce": "required", "methods": ["POST"],
                         "paths": ["/x", "/tokenless", "/small"]}))
            .without("NOT_THERE")
            .replay()
    });
    let nonce = fresh();
    let used = by(&table, &nonce);
    let post = || Request::post("/x");
    let other = post().header("Content-Digest", &sha256(b"other"));
    for (what, request, expected) in [
        ("path", used.sign(Request::post("/y")), (403, "path-denied")),
        ("method", used.sign(Request::get("/x")), (403, "method-denied")),
        ("body", used.sign(other), (401, "digest-mismatch")),
        ("size", used.sign(Request::post("/small")), (413, "body-too-large")),
        ("token", used.sign(Request::post("/tokenless")), (503, "token-missing")),
        ("MAC", used.clone().secret(&fresh()).sign(post()), INVALID),
        ("time", used.clone().param("created", 1).sign(post()), STALE),
        ("coverage", used.clone().covers(&["@method"]).sign(post()), INCOMPLETE),
    ] {
        refused(&mut table, what, request, expected);
    }
    table.passes("nothing wrong", &used.sign(post()));
    refused(&mut table, "and again", used.sign(post()), REPLAYED);
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

#[test]
fn the_audit_line_of_a_replay_names_it_and_no_nonce() {
    let mut table = start();
    let nonce = fresh();
    let request = by(&table, &nonce).sign(Request::post("/x"));
    table.passes("once", &request);
    let answer = table.refused("twice", &request, REPLAYED.0, REPLAYED.1);
    let line: Value = table.gate.logs.audit(&answer.request_id());
    table.that(
        line["code"] == "replayed" && line["verified"] == true && line["scheme"] == "signature",
        || line.to_string(),
    );
    table.that(!line.to_string().contains(&nonce), || line.to_string());
}
