//! New keys (docs/wire-contract.md, sections 2 and 7): stored as they were sent with what that implies, shown with
//! their secret once, and good at once.

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, ask, bare, stored, tell, with_sk, write};
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

#[test]
fn a_batch_is_made_in_order_or_refused_whole() {
    let mut table = check(|setup| {
        admin(setup)
            .registered(json!({"id": "pk_there"}))
            .registered(json!({"id": "pk_gone", "version": 1, "revoked": true}))
    });
    let with = |second: Value| json!([{"id": "pk_new"}, second, {"id": "pk_newer"}]);
    for (id, code) in
        [("pk_there", "key-exists"), ("pk_gone", "key-exists"), (KEY, "key-in-configuration")]
    {
        let batch = create(&table, &with(json!({"id": id})));
        table.taken(id, &batch, code, (id, "[1].id"));
    }
    for (batch, field) in [
        (json!([{"id": "pk_new"}, {"id": "pk_newer"}, {"id": "pk_new"}]), "[2].id"),
        (with(json!({"id": ""})), "[1].id"),
        (with(json!("pk_b")), "[1]"),
        (with(json!(null)), "[1]"),
        (with(json!([{"id": "pk_b"}])), "[1]"),
        (with(json!({"id": "pk_b", "name": "x".repeat(17_000)})), "[1]"),
        (json!([]), "body"),
        (json!([{"id": null}]), "[0].id"),
    ] {
        table.names(&batch.to_string(), &create(&table, &batch), field);
    }
    for id in ["pk_new", "pk_newer", "pk_b"] {
        table.absent("refused", id);
    }
    let batch = json!([
        {"id": "pk_b", "version": 2},
        {"id": "customer.17", "schemes": ["signature"], "paths": ["/posts"]},
        {"id": "pk_a", "revoked": true},
    ]);
    let kept = [
        json!({"id": "pk_b", "version": 2, "schemes": ["session"]}),
        json!({"id": "customer.17", "schemes": ["signature"], "paths": ["/posts"], "version": 1}),
        json!({"id": "pk_a", "revoked": true, "version": 1, "schemes": ["session"]}),
    ];
    let shown =
        [2, 1, 1].iter().zip(&kept).map(|(version, key)| with_sk(&table.gate, key, *version));
    let shown = json!({"keys": Vec::from_iter(shown)});
    table.answers("three", &create(&table, &batch), 201, &shown);
    for record in &kept {
        let found = stored(&table.gate, record["id"].as_str().unwrap());
        table.that(found.as_ref() == Some(record), || format!("stored: {found:?}"));
    }
    let signed = table.gate.signature_of("customer.17").sign(Request::post("/posts"));
    table.passes("at once", &signed);
    table.refused("revoked", &write(&table.gate, "pk_a"), 401, "key-revoked");
}

#[test]
fn a_key_without_an_id_is_given_one() {
    let mut table = check(admin);
    let make = create(&table, &json!([{"name": "a"}, {"name": "b"}]));
    let keys = table.answered("two", &make, 201).json()["keys"].clone();
    let ids = [0, 1].map(|index| keys[index]["id"].as_str().unwrap().to_owned());
    let has_form = |id: &String| id.len() == 25 && id.starts_with("pk_");
    assert!(ids.iter().all(has_form) && ids[0] != ids[1], "{ids:?}");
    let kept = stored(&table.gate, &ids[0]).unwrap();
    table.that(kept["sk"].is_null(), || format!("a secret is kept: {kept}"));
    table.passes("it works", &write(&table.gate, &ids[0]));
}

#[test]
fn without_its_bindings_there_is_no_registry() {
    let mut table = check(|setup| setup.site(json!({})).key(json!({"id": ADMIN, "admin": true})));
    for (method, path) in [
        ("GET", "keys"),
        ("POST", "keys"),
        ("GET", "keys/pk_a"),
        ("PATCH", "keys/pk_a"),
        ("DELETE", "keys/pk_a"),
    ] {
        let request = match method {
            "GET" => ask(&table.gate, method, path),
            _ => tell(&table.gate, method, path, &json!({"id": "pk_a"})),
        };
        table.refused(method, &request, 503, "feature-unavailable");
        table.refused(method, &bare(method, path), 401, "credential-missing");
    }
    table.passes("a key of the configuration", &write(&table.gate, KEY));
}
