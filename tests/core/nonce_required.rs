//! Which keys want nonces, and what such a key takes (docs/wire-contract.md, section 2).

use serde_json::json;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::sha256;
use testkit::token::{fresh, now};

use crate::native::check;
use testkit::bound::{Bound, INCOMPLETE, INVALID, MISSING, STALE, refused};

const REPLAYED: (u16, &str) = (401, "replayed");

#[test]
fn nothing_but_a_signature_with_a_nonce_will_do() {
    let mut table = check(|setup| {
        setup
            .site(json!({"schemes": ["signature", "session", "public-key"], "nonce": "required",
                         "paths": ["/*"], "allowed_ips": ["192.0.2.1"]}))
            .replay()
    });
    let from = |request: Request| request.header("CF-Connecting-IP", "192.0.2.1");
    let post = || from(Request::post("/x"));
    let session = post().bearer(&table.gate.bearer());
    refused(&mut table, "a session", session, MISSING);
    let bare = from(Request::get("/x")).header("X-Public-Key", KEY);
    refused(&mut table, "a public key", bare, MISSING);
    let without = table.gate.signature();
    refused(&mut table, "a signature without one", without.sign(post()), INCOMPLETE);
    let forged = without.secret(&fresh());
    refused(&mut table, "that comes before its MAC", forged.sign(post()), INCOMPLETE);
    let bound = Bound::new(&table.gate.signing_secret, KEY);
    refused(&mut table, "a proof without one", bound.sign(post()), INCOMPLETE);
    refused(&mut table, "a token without a proof", post().bearer(&bound.token()), MISSING);
    let with = bound.proof().nonce(&fresh());
    let proof = with.sign(post().bearer(&bound.token()));
    table.passes("a proof with one", &proof);
    refused(&mut table, "a proof with one, twice", proof, REPLAYED);
}

/// The first of these is forwarded, and so is each by another signer.
#[test]
fn a_nonce_counts_once_for_its_signer_and_only_if_the_request_is_forwarded() {
    let key = |id: &str| json!({"id": id, "schemes": ["signature", "session"], "nonce": "required", "paths": ["/x", "/small"]});
    let mut table = check(|setup| {
        let setup = setup.route("/*", json!({})).route("/small", json!({"max_body_bytes": 1}));
        setup.key(key(KEY)).key(key("pk_other")).replay()
    });
    let nonce = fresh();
    let used = table.gate.signature().nonce(&nonce);
    let post = || Request::post("/x");
    let other = post().header("Content-Digest", &sha256(b"other"));
    for (what, request, expected) in [
        ("path", used.sign(Request::post("/y")), (403, "path-denied")),
        ("body", used.sign(other), (401, "digest-mismatch")),
        ("size", used.sign(Request::post("/small")), (413, "body-too-large")),
        ("MAC", used.clone().secret(&fresh()).sign(post()), INVALID),
        ("time", used.clone().param("created", 1).sign(post()), STALE),
        ("coverage", used.clone().covers(&["@method"]).sign(post()), INCOMPLETE),
    ] {
        refused(&mut table, what, request, expected);
    }
    assert_eq!(table.gate.platform.nonces(), 0);
    let root = table.gate.signing_secret.clone();
    let bound = [KEY, KEY, "pk_other"].map(|id| Bound::new(&root, id));
    let proofs = bound.map(|one| one.proof().nonce(&nonce).sign(post().bearer(&one.token())));
    let keys = [KEY, "pk_other"].map(|id| table.gate.signature_of(id).nonce(&nonce).sign(post()));
    let requests = [proofs.as_slice(), &keys].concat();
    for request in &requests {
        table.passes("once", request);
    }
    for request in requests {
        refused(&mut table, "twice", request, REPLAYED);
    }
    let accept = Request::get("/x").header("Accept", "*/*");
    for (what, request) in [
        ("another method", used.sign(Request::get("/x"))),
        ("another header", used.clone().also("accept").sign(accept)),
        ("another end", used.clone().param("expires", now() + 60).sign(post())),
        ("another label", used.clone().label("other").sign(post())),
        ("another host", used.sign(Request::get("/x").header("Host", "other.example"))),
    ] {
        refused(&mut table, what, request, REPLAYED);
    }
}

#[test]
fn a_key_that_does_not_want_nonces_does_not_keep_them() {
    for (what, memory) in [("a memory", true), ("no memory", false)] {
        let mut table = check(|setup| {
            let setup = setup.site(json!({"schemes": ["signature"]}));
            if memory { setup.replay() } else { setup }
        });
        let request = table.gate.signature().nonce(&fresh()).sign(Request::post("/x"));
        table.passes(what, &request);
        table.passes(&format!("{what}, twice"), &request);
    }
}
