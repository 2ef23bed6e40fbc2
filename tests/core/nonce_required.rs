//! Which keys want nonces, and what such a key takes (docs/wire-contract.md, section 2).

use serde_json::json;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::fresh;

use crate::native::check;
use testkit::bound::{Bound, INCOMPLETE, MISSING, refused};

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
