//! New keys (docs/wire-contract.md, sections 2 and 7): stored as they were sent with what that implies, shown with
//! their secret once, and good at once.

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, stored, tell, with_sk, write};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::Signature;
use testkit::token::{Session, sk};

fn create(table: &Check, record: &Value) -> Request {
    tell(&table.gate, "POST", "keys", record)
}

#[test]
fn a_new_key_is_shown_with_its_secret_and_works_at_once() {
    let mut table = check(admin);
    let write = |path: &str, secret: &str| {
        let session = Session::new("", "pk_new").key(secret).mint();
        Request::post(path).bearer(&session)
    };
    let secret = sk(&table.gate.signing_secret, "pk_new", 1);
    // That it is not there is remembered, and must not last.
    table.refused("before", &write("/posts", &secret), 401, "key-unknown");
    let record = json!({"id": "pk_new", "paths": ["/posts"], "name": "A page"});
    let made = table.answered("made", &create(&table, &record), 201);
    let implied = json!({"id": "pk_new", "paths": ["/posts"], "name": "A page", "version": 1, "schemes": ["session"]});
    let shown = made.json();
    table.that(shown == with_sk(&table.gate, &implied, 1), || shown.to_string());
    table.that(made.header("location").as_deref() == Some("/_gate/keys/pk_new"), || {
        made.to_string()
    });
    let secret = shown["sk"].as_str().unwrap();
    table.passes("at once", &write("/posts", secret));
    table.refused("within its limits", &write("/other", secret), 403, "path-denied");
    let kept = stored(&table.gate, "pk_new");
    table.that(kept.as_ref() == Some(&implied), || format!("stored: {kept:?}"));
    let show = ask(&table.gate, "GET", &made.header("location").unwrap()["/_gate/".len()..]);
    table.answers("without its secret", &show, 200, &implied);
    let all = ask(&table.gate, "GET", "keys");
    table.answers("in the list", &all, 200, &json!({"keys": [implied], "cursor": null}));
}

#[test]
fn every_field_is_kept_as_it_was_sent() {
    let mut table = check(admin);
    let record = json!({
        "id": "pk_whole", "name": "Ünïcode \"é\" \u{1}\n", "version": 3, "revoked": false, "expires": "2099-06-30T00:00:00+02:00",
        "schemes": ["session", "signature"], "methods": ["POST", "GET"], "paths": ["/posts/*", "/posts"],
        "allowed_origins": ["https://*.example.com"], "allowed_ips": ["2001:db8::/32", "203.0.113.7"], "match": "any",
        "rate": "standard", "quota": {"requests": 100_000, "bytes": 10_000_000_000_u64, "per": "month"},
        "mint": {"ttl": 300, "bind": false}, "url_ttl": 600, "admin": false,
    });
    let expected = with_sk(&table.gate, &record, 3);
    table.answers("made", &create(&table, &record), 201, &expected);
    let kept = stored(&table.gate, "pk_whole");
    table.that(kept.as_ref() == Some(&record), || format!("stored: {kept:?}"));
    let show = ask(&table.gate, "GET", "keys/pk_whole");
    table.answers("shown", &show, 200, &record);
}

#[test]
fn a_version_has_its_own_secret() {
    let mut table = check(admin);
    let record = json!({"id": "pk_third", "version": 3, "schemes": ["session", "signature"]});
    let made = table.answered("made", &create(&table, &record), 201).json();
    let by = |version: u64| {
        let secret = sk(&table.gate.signing_secret, "pk_third", version);
        let session = Session::new("", "pk_third").key(&secret).mint();
        (
            Request::post("/posts").bearer(&session),
            Signature::by("pk_third", &secret).sign(Request::post("/posts")),
            secret,
        )
    };
    let (session, signature, secret) = by(3);
    let (old_session, old_signature, _) = by(1);
    table.that(made["sk"] == secret.as_str(), || made.to_string());
    table.passes("a session", &session);
    table.passes("a signature", &signature);
    table.refused("of another version", &old_session, 401, "signature-invalid");
    table.refused("of another version", &old_signature, 401, "signature-invalid");
}

#[test]
fn ids_of_an_existing_system_are_welcome() {
    let mut table = check(admin);
    let longest = "x".repeat(128);
    for id in [
        "customer.17", "A", "-", "_", "a.b-c_D.9", "...", "pk_0123456789abcdefABCDEF",
        "2026-11-22", "null", "admin", &longest,
    ] {
        let made = table.answered(id, &create(&table, &json!({"id": id})), 201);
        let location = made.header("location");
        table.that(location == Some(format!("/_gate/keys/{id}")), || made.to_string());
        let by = write(&table.gate, id);
        table.passes(id, &by);
        let show = ask(&table.gate, "GET", &format!("keys/{id}"));
        let shown = table.answered(id, &show, 200).json();
        table.that(shown["id"] == id, || shown.to_string());
    }
}

#[test]
fn an_id_is_used_once() {
    let mut table = check(|setup| {
        admin(setup)
            .registered(json!({"id": "pk_there", "paths": ["/posts"]}))
            .registered(json!({"id": "pk_gone", "version": 2, "revoked": true}))
            .in_registry("key/pk_broken", "nonsense")
    });
    for id in ["pk_there", "pk_gone", "pk_broken"] {
        let before = ask(&table.gate, "GET", &format!("keys/{id}")).send(&table.gate).text();
        for record in [json!({"id": id}), json!({"id": id, "version": 9})] {
            let again = create(&table, &record);
            table.taken(id, &again, "key-exists", (id, ""));
        }
        let after = ask(&table.gate, "GET", &format!("keys/{id}")).send(&table.gate).text();
        table.that(before == after, || format!("{before} became {after}"));
    }
    let configured = create(&table, &json!({"id": KEY}));
    table.taken("of the configuration", &configured, "key-in-configuration", (KEY, ""));
    table.answered("another", &create(&table, &json!({"id": "pk_ther"})), 201);
    table.answered("other case", &create(&table, &json!({"id": "PK_there"})), 201);
}

#[test]
fn a_key_may_be_made_revoked_and_is_no_tombstone() {
    let mut table = check(admin);
    let made = create(&table, &json!({"id": "pk_later", "revoked": true}));
    table.answered("made", &made, 201);
    let by = write(&table.gate, "pk_later");
    table.refused("revoked", &by, 401, "key-revoked");
    let back = tell(&table.gate, "PATCH", "keys/pk_later", &json!({"revoked": false}));
    table.answered("taken back", &back, 200);
    table.passes("works", &by);
}

#[test]
fn what_is_stored_is_never_longer_than_what_is_read() {
    let mut table = check(admin);
    let name = |length: usize| "x".repeat(length);
    let fits = create(&table, &json!({"id": "pk_fits", "name": name(15_000)}));
    table.answered("15 KB", &fits, 201);
    let by = write(&table.gate, "pk_fits");
    table.passes("15 KB", &by);
    let long = create(&table, &json!({"id": "pk_long", "name": name(17_000)}));
    let answer = table.refused("17 KB", &long, 400, "bad-request").json();
    table.that(answer["field"].is_string() && answer["id"] == "pk_long", || answer.to_string());
    table.absent("17 KB", "pk_long");
    // What the gate adds to a record counts too.
    for length in (16_260..16_400).step_by(9) {
        let id = format!("pk_{length}");
        let record = json!({"id": id, "name": name(length)});
        let made = create(&table, &record).send(&table.gate);
        match made.status {
            201 => drop(table.passes(&id, &write(&table.gate, &id))),
            400 => table.absent(&id, &id),
            _ => table.that(false, || made.to_string()),
        }
    }
}
