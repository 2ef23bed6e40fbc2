//! The order in which a bound session is refused (docs/wire-contract.md, section 4): the session first, then its proof.

use serde_json::json;
use testkit::client::Request;
use testkit::signing::Signature;
use testkit::token::{fresh, now};

use crate::bound::{bound, post};
use crate::native::check;
use testkit::bound::{Bound, INCOMPLETE, INVALID, STALE, UNSUPPORTED, refused};

#[test]
fn the_session_comes_first_then_its_proof() {
    let mut table = check(|setup| {
        setup
            .site(json!({"paths": ["/x"]}))
            .key(json!({"id": "pk_signs", "schemes": ["signature"]}))
            .key(json!({"id": "pk_revoked", "revoked": true}))
    });
    let mine = bound(&table);
    let root = table.gate.signing_secret.clone();
    let by = |bound: &Bound, proof: Signature| proof.sign(post().bearer(&bound.token()));
    let mut forged = mine.clone();
    forged.session = forged.session.key(&fresh());
    let late = mine.clone().claim("exp", now() - 10);
    let early = mine.clone().claim("nbf", now() + 3_000);
    let long = mine.clone().claim("exp", now() + 99_999);
    let elsewhere = mine.clone().claim("aud", "https://other.example");
    let wrong = |bound: &Bound| bound.proof_of_less().secret("x").param("created", 1);
    for (what, request, expected) in [
        (
            "form, then session",
            by(&late, wrong(&late).param("nonce", "1")),
            (400, "bad-credential"),
        ),
        ("support, then session", by(&late, wrong(&late).param("alg", "\"none\"")), UNSUPPORTED),
        ("the session's MAC", by(&forged, wrong(&forged)), INVALID),
        ("its end", by(&late, wrong(&late)), (401, "session-expired")),
        ("its beginning", by(&early, wrong(&early)), (401, "session-not-yet-valid")),
        ("its length", by(&long, wrong(&long)), (401, "session-too-long")),
        ("its audience", by(&elsewhere, wrong(&elsewhere)), (401, "audience-mismatch")),
        ("coverage, then MAC", by(&mine, wrong(&mine)), INCOMPLETE),
        ("MAC, then time", by(&mine, wrong(&mine).also("authorization")), INVALID),
        ("time", by(&mine, mine.proof().param("created", now() - 400)), STALE),
        ("expires", by(&mine, mine.proof().param("expires", now() - 1)), STALE),
        ("no created", by(&mine, mine.proof().without("created")), INCOMPLETE),
        ("revoked", Bound::new(&root, "pk_revoked").sign(post()), (401, "key-revoked")),
        ("unknown", Bound::new(&root, "pk_nobody").sign(post()), (401, "key-unknown")),
        ("another scheme", Bound::new(&root, "pk_signs").sign(post()), (401, "scheme-not-allowed")),
        ("path", mine.sign(Request::post("/y")), (403, "path-denied")),
        (
            "a claim",
            mine.clone().claim("methods", json!(["PUT"])).sign(post()),
            (403, "method-denied"),
        ),
    ] {
        refused(&mut table, what, request, expected);
    }
    table.passes("nothing wrong", &mine.sign(post()));
}
