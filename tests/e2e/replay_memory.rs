//! The memory of nonces (docs/wire-contract.md, section 4): what the gate asks it, what happens without it, and how
//! it forgets.

use serde_json::json;
use sha2::{Digest, Sha256};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::poll::poll;
use testkit::token::{fresh, now};
use testkit::upstream::PATIENCE;

use crate::replay::nonces;
use testkit::bound::{Bound, INVALID, refused};

const UNAVAILABLE: (u16, &str) = (503, "feature-unavailable");

/// Says what it was asked, and records nothing.
const TELLS: &str = "export class Broken {
  constructor(state) { this.name = state.id.name; }
  fetch(request) {
    const { method, url } = request;
    console.log(JSON.stringify({ event: 'asked', name: this.name, method, url }));
    return new Response(null, { status: 201 });
  }
}
export default {};";

/// Returns the two digits that name a nonce's part of the memory.
fn part(nonce: &str) -> String {
    format!("{:02x}", Sha256::digest(nonce)[0])
}

#[test]
fn a_nonce_is_asked_for_by_signer_and_time() {
    let mut table = Check::of(|setup| nonces(setup).env("CLOCK_SKEW", 100).replay_by(TELLS));
    let (nonce, created) = ("a b/&=%20~+", now() - 7);
    let until = created + 300 + 100;
    let url = format!("https://replay/?nonce=a%20b%2F%26%3D%2520~%2B&until={until}");
    let bound = Bound::new(&table.gate.signing_secret, KEY);
    let key = table.gate.signature().nonce(nonce).param("created", created);
    table.passes("by a key", &key.sign(Request::post("/x")));
    let proof = bound.proof().nonce(nonce).param("created", created);
    table.passes("by a session", &proof.sign(Request::post("/x").bearer(&bound.token())));
    let asked = table.gate.logs.events("asked", 2);
    for ((_, line), keyid) in asked.iter().zip([KEY, &bound.kid]) {
        let name = format!("{KEY}/{keyid}/{}", part(nonce));
        let expected = json!({"event": "asked", "name": name, "method": "POST", "url": url});
        table.that(*line == expected, || format!("asked {line}, expected {expected}"));
    }
}

#[test]
fn a_request_that_is_refused_does_not_ask() {
    let mut table = Check::of(|setup| {
        setup
            .site(json!({"schemes": ["signature"], "nonce": "required", "paths": ["/x"]}))
            .replay_by(TELLS)
    });
    let by = table.gate.signature().nonce(&fresh());
    refused(&mut table, "path", by.sign(Request::post("/y")), (403, "path-denied"));
    refused(&mut table, "MAC", by.clone().secret("x").sign(Request::post("/x")), INVALID);
    let changed = by.sign(Request::post("/x")).body("other");
    refused(&mut table, "body", changed, (401, "digest-mismatch"));
    table.passes("nothing wrong", &by.sign(Request::post("/x")));
    let asked = table.gate.logs.events("asked", 1);
    table.that(asked.len() == 1, || format!("{asked:?}"));
}

#[test]
fn without_a_memory_the_key_is_refused_after_its_mac() {
    let mut table = Check::of(nonces);
    let by = table.gate.signature().nonce(&fresh());
    let post = || Request::post("/x");
    refused(&mut table, "right", by.sign(post()), UNAVAILABLE);
    table.gate.logs.until("line about the binding", |lines| {
        let mut own = lines.iter().filter(|line| !line.is_event("request"));
        // As missing, and not as one that did not answer.
        own.any(|line| line.text.contains("\"feature\":\"REPLAY\"")).then_some(())
    });
    refused(&mut table, "forged", by.clone().secret(&fresh()).sign(post()), INVALID);
    let late = by.param("created", 1);
    refused(&mut table, "late", late.sign(post()), (401, "signature-stale"));
    let session = post().bearer(&table.gate.bearer());
    refused(&mut table, "a session", session, (401, "proof-missing"));
}

#[test]
fn a_memory_that_fails_closes_the_gate_for_that_key() {
    for source in [
        "export class Broken { fetch() { throw new Error('broken'); } } export default {};",
        "export class Broken { constructor() { throw new Error('broken'); } } export default {};",
        "export class Broken { fetch() { return new Response('no', { status: 500 }); } } export default {};",
        "export class Broken { fetch() { return new Response('ok'); } } export default {};",
        "export class Broken { fetch() { return new Response(null, { status: 204 }); } } export default {};",
        "export class Broken { fetch() { return new Response(null, { status: 302, headers: { location: '/' } }); } } export default {};",
        "export class Broken { fetch() { return 201; } } export default {};",
        "export class Broken { fetch() { return new Promise(() => setTimeout(() => {}, 1e9)); } } export default {};",
    ] {
        let mut table = Check::of(|setup: Setup| {
            nonces(setup).key(json!({"id": "pk_plain", "schemes": ["signature"]})).replay_by(source)
        });
        let by = table.gate.signature().nonce(&fresh());
        refused(&mut table, source, by.sign(Request::post("/x")), UNAVAILABLE);
        let plain = table.gate.signature_of("pk_plain");
        table.passes("a key without nonces", &plain.sign(Request::post("/x")));
    }
}

#[test]
fn a_nonce_that_was_recorded_is_forgotten_when_it_is_over() {
    let table = Check::of(|setup| nonces(setup).replay());
    let record = |object: &str, nonce: &str, until: u64| {
        let target = format!("/{object}?nonce={nonce}&until={until}");
        Request::get(&target).send_to(table.gate.replay).status
    };
    // The gate's own record, found where the contract says it is.
    let nonce = fresh();
    let request = table.gate.signature().nonce(&nonce).sign(Request::post("/x"));
    request.send(&table.gate).passed();
    let object = format!("{KEY}/{KEY}/{}", part(&nonce));
    assert_eq!(record(&object, &nonce, now() + 400), 409);
    assert_eq!(record("another/object/00", &nonce, now() + 400), 201);
    // What is over is never new, seen or not: its row may be gone. A copy could otherwise wait for that, its body
    // trickling in after its time was checked.
    assert_eq!(record("over/object/00", &fresh(), now()), 409);
    assert_eq!(record("over/object/00", &fresh(), 1), 409);
    // Another object, so that its alarm is its own.
    let short = || {
        let nonce = fresh();
        match record("a/b/00", &nonce, now() + 1) {
            201 => Ok(nonce),
            // The second is over before the request arrives.
            status => Err(format!("the nonce was not recorded: {status}")),
        }
    };
    let short = poll(PATIENCE, short);
    poll(PATIENCE, || match record("a/b/00", &short, now() + 1) {
        201 => Ok(()),
        status => Err(format!("the nonce was not forgotten: {status}")),
    });
    assert_eq!(record(&object, &nonce, now() + 400), 409);
}
