//! The credentials of admins (docs/wire-contract.md, sections 3 and 4): the admin API takes the credentials that any
//! route takes, with the same checks, and none from a query.

use serde_json::json;
use testkit::admin_api::{ADMIN, administered, bare};
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::signing::{Signature, sha256};
use testkit::token::{Session, fresh, now, sk};

use crate::admin_who::{refused, start, taken};
use crate::native::check;
use testkit::bound::Bound;

#[test]
fn an_admin_may_sign_and_what_is_signed_is_checked() {
    let mut table = start();
    let root = table.gate.signing_secret.clone();
    let by = Signature::new(&root, ADMIN);
    taken(&mut table, "signed", |request| by.sign(request));
    let record = json!({"id": "pk_signed"}).to_string();
    let post = || bare("POST", "keys").body(record.clone());
    let less = by.clone().covers(&["@method", "@target-uri"]);
    table.refused("no digest", &less.sign(post()), 401, "signature-incomplete");
    let other = post().header("Content-Digest", &sha256(b"other"));
    table.refused("another body", &by.sign(other), 401, "digest-mismatch");
    let swapped = Request { body: Some(b"{\"id\":\"pk_sly\"}".to_vec()), ..by.sign(post()) };
    table.refused("a body put in its place", &swapped, 401, "digest-mismatch");
    let moved = Request {
        method: "DELETE".into(),
        target: "/_gate/keys/pk_there".into(),
        ..by.sign(bare("GET", "keys"))
    };
    table.refused("another request", &moved, 401, "signature-invalid");
    let stale = by.clone().param("created", now() - 400);
    table.refused("too old", &stale.sign(post()), 401, "signature-stale");
    let forged = by.clone().secret(&fresh());
    table.refused("forged", &forged.sign(post()), 401, "signature-invalid");
    table.absent("refused each time", "pk_signed");
    table.answered("as it should be", &by.sign(post()), 201);
}

#[test]
fn an_admin_s_bound_session_needs_its_proof() {
    let mut table = start();
    let bound = Bound::new(&table.gate.signing_secret, ADMIN);
    refused(
        &mut table,
        "without its proof",
        |request| request.bearer(&bound.token()),
        (401, "proof-missing"),
    );
    taken(&mut table, "with its proof", |request| bound.sign(request));
}

#[test]
fn an_admin_s_nonce_counts_once() {
    let mut table = check(|setup| {
        let setup = setup.key(
            json!({"id": ADMIN, "admin": true, "schemes": ["signature"], "nonce": "required"}),
        );
        setup.in_registry("settings", "").replay()
    });
    let post = |id: &str| bare("POST", "keys").body(json!({"id": id}).to_string());
    let by = table.gate.signature_of(ADMIN);
    table.refused("without", &by.sign(post("pk_a")), 401, "signature-incomplete");
    let once = by.clone().nonce(&fresh());
    // What is wrong before it uses no nonce up.
    let wrong = once.sign(post("pk_a").header("Content-Digest", &sha256(b"other")));
    table.refused("another body", &wrong, 401, "digest-mismatch");
    table.answered("once", &once.sign(post("pk_a")), 201);
    table.refused("twice", &once.sign(post("pk_b")), 401, "replayed");
    let again = by.nonce(&fresh());
    table.answered("another", &again.sign(post("pk_b")), 201);
}

#[test]
fn a_former_root_secret_is_an_admin_s_too() {
    let former = fresh();
    let mut table =
        check(|setup: Setup| administered(setup).env("SIGNING_SECRET_PREVIOUS", former.as_str()));
    let by = |root: &str| {
        bare("POST", "keys").bearer(&Session::new(root, ADMIN).mint()).body(r#"{"id":"pk_a"}"#)
    };
    table.refused("another", &by(&fresh()), 401, "signature-invalid");
    // What is shown is the secret of the root of today.
    let expected = sk(&table.gate.signing_secret, "pk_a", 1);
    let made = table.answered("the former", &by(&former), 201).json();
    table.that(made["sk"] == expected.as_str(), || "another sk".into());
}

#[test]
fn nothing_in_a_query_is_a_credential_here() {
    let mut table = start();
    let token = table.gate.session_of(ADMIN).mint();
    for query in [
        format!("key={KEY}"),
        format!("key={ADMIN}"),
        "key=pk_nobody".into(),
        "key=&exp=1&sig=AAAA".into(),
        format!("key={KEY}&exp={}&sig=AAAA", now() + 60),
        format!("verify={}-AAAA", now()),
        "sig=1&sig=2".into(),
        "unknown=1".into(),
    ] {
        let list = bare("GET", &format!("keys?{query}"));
        table.refused(&query, &list, 401, "credential-missing");
        table.answered(&query, &list.bearer(&token), 200);
    }
    let list = bare("GET", "keys").header("X-Public-Key", ADMIN);
    table.refused("the public key", &list, 401, "scheme-not-allowed");
    table.answered("beside a session", &list.bearer(&token), 200);
    let other = bare("GET", "keys").header("X-Public-Key", KEY).bearer(&token);
    table.refused("of another key", &other, 400, "ambiguous-credential");
    let twice = Signature::new(&table.gate.signing_secret, ADMIN).sign(bare("GET", "keys"));
    table.refused("two credentials", &twice.bearer(&token), 400, "ambiguous-credential");
}
