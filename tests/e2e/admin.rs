//! The admin API on the platform's registry (docs/wire-contract.md, section 7): one case for each task, and pages.
//! `tests/core/admin_*.rs` has the permissions, and the fields that are refused.

use serde_json::{Value, json};
use testkit::admin_api::{
    ADMIN, admin, administered, ask, bare, by_id, many, pages, stored, tell, with_sk,
};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::Setup;
use testkit::token::{Session, fresh};

/// Most records of a page.
const PAGE: usize = 100;

#[test]
fn a_key_is_made_shown_changed_and_deleted() {
    let mut table = Check::of(admin);
    let record = json!({"id": "pk_new", "paths": ["/posts"]});
    let made = json!({"id": "pk_new", "paths": ["/posts"], "version": 1, "schemes": ["session"]});
    let by = |secret: &Value| {
        let session = Session::new("", "pk_new").key(secret.as_str().unwrap());
        Request::post("/posts").bearer(&session.mint())
    };
    let create = tell(&table.gate, "POST", "keys", &record);
    let answer = table.answered("made", &create, 201);
    let shown = answer.json();
    table.that(shown == with_sk(&table.gate, &made, 1), || shown.to_string());
    let first = by(&shown["sk"]);
    table.passes("at once", &first);
    table.taken("twice", &create, "key-exists", ("pk_new", "id"));
    let show = ask(&table.gate, "GET", "keys/pk_new");
    table.answers("shown", &show, 200, &made);
    let kept = stored(&table.gate, "pk_new");
    table.that(kept == Some(made), || format!("stored: {kept:?}"));
    let wrong = tell(&table.gate, "PATCH", "keys/pk_new", &json!({"path": ["/x"]}));
    table.names("a misspelt change", &wrong, "path");
    let change =
        tell(&table.gate, "PATCH", "keys/pk_new", &json!({"version": 2, "methods": ["POST"]}));
    let second = table.answered("changed", &change, 200).json();
    table.refused("the secret before", &first, 401, "signature-invalid");
    table.passes("the next secret", &by(&second["sk"]));
    let own = tell(&table.gate, "PATCH", "keys/pk_site", &json!({"name": "x"}));
    table.taken("of the configuration", &own, "key-in-configuration", ("pk_site", ""));
    let delete = ask(&table.gate, "DELETE", "keys/pk_new");
    let tombstone = json!({"id": "pk_new", "version": 2, "revoked": true});
    table.answers("deleted", &delete, 200, &tombstone);
    table.refused("afterwards", &by(&second["sk"]), 401, "key-revoked");
}

#[test]
fn nobody_but_an_admin_is_answered() {
    let mut table = Check::of(admin);
    let root = table.gate.signing_secret.clone();
    let list = || bare("GET", "keys");
    table.refused("nobody", &list(), 401, "credential-missing");
    table.refused("another key", &list().bearer(&table.gate.bearer()), 403, "path-denied");
    let forged = Session::new(&root, ADMIN).key(&fresh()).mint();
    table.refused("forged", &list().bearer(&forged), 401, "signature-invalid");
    let elsewhere = ask(&table.gate, "GET", "keyz");
    table.refused("another path", &elsewhere, 404, "no-route");
    let method = ask(&table.gate, "PUT", "keys");
    table.refused("another method", &method, 405, "method-not-allowed");
    let posts = Request::post("/posts").bearer(&Session::new(&root, ADMIN).mint());
    table.refused("an admin elsewhere", &posts, 403, "path-denied");
    let signed = table.gate.signature_of(ADMIN).sign(list());
    table.answered("signed", &signed, 200);
    let ours = ask(&table.gate, "HEAD", "keys").send(&table.gate);
    assert_eq!((ours.status, ours.body.len()), (200, 0), "{ours}");
}

#[test]
fn every_record_is_on_one_page() {
    let records = many();
    let table = Check::of(|setup| {
        let setup = admin(setup).in_registry("nokey/pk_x", "{}").in_registry("key", "{}");
        records.iter().cloned().fold(setup, Setup::registered)
    });
    let pages = pages(&table.gate);
    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= PAGE), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), records.len(), "{sizes:?}");
    assert_eq!(by_id(pages.into_iter().flatten()), by_id(records));
}

#[test]
fn a_page_that_is_just_full_is_the_last() {
    for count in [0, 100, 101] {
        let table = Check::of(|setup| {
            let record = |number: i32| json!({"id": format!("pk_{number}"), "version": 1, "schemes": ["session"]});
            (0..count).map(record).fold(admin(setup), Setup::registered)
        });
        let found: usize = pages(&table.gate).iter().map(Vec::len).sum();
        assert_eq!(i32::try_from(found).unwrap(), count);
    }
}

#[test]
fn a_cursor_that_is_not_valid_is_refused() {
    let mut table =
        Check::of(|setup: Setup| administered(setup).registered(json!({"id": "pk_there"})));
    for cursor in ["%00", "!", "a%20b"] {
        let list = ask(&table.gate, "GET", &format!("keys?cursor={cursor}"));
        table.refused_as_any(cursor, &list, &[(400, "bad-request"), (503, "feature-unavailable")]);
    }
    for query in ["", "?", "?cursor=", "?cursor", "?limit=1", "?key=pk_there", "?x&y=1"] {
        let list = ask(&table.gate, "GET", &format!("keys{query}"));
        let answer = table.answered(query, &list, 200).json();
        table.that(answer["keys"].as_array().is_some_and(|keys| keys.len() == 1), || {
            answer.to_string()
        });
    }
}
