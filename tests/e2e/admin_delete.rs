//! Deleted keys (docs/wire-contract.md, sections 2 and 7): what stays is a tombstone, and nobody ever has that id
//! again.

use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, stored, tell, write};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::{Session, sk};

fn delete(table: &Check, id: &str) -> Request {
    ask(&table.gate, "DELETE", &format!("keys/{id}"))
}

fn tombstone(id: &str, version: u64) -> Value {
    json!({"id": id, "version": version, "revoked": true})
}

#[test]
fn a_deleted_key_stops_at_once_and_stays_deleted() {
    let mut table = Check::of(|setup| {
        admin(setup).registered(json!({"id": "pk_a", "version": 3, "name": "A"}))
    });
    let secret = sk(&table.gate.signing_secret, "pk_a", 3);
    let by = Request::post("/posts").bearer(&Session::new("", "pk_a").key(&secret).mint());
    table.passes("before", &by);
    let tombstone = tombstone("pk_a", 3);
    for what in ["once", "twice"] {
        table.answers(what, &delete(&table, "pk_a"), 200, &tombstone);
        table.refused(what, &by, 401, "key-revoked");
        let kept = stored(&table.gate, "pk_a");
        table.that(kept.as_ref() == Some(&tombstone), || format!("{what}: stored {kept:?}"));
    }
    let show = ask(&table.gate, "GET", "keys/pk_a");
    table.answers("shown", &show, 200, &tombstone);
    let list = ask(&table.gate, "GET", "keys");
    table.answers("listed", &list, 200, &json!({"keys": [tombstone], "cursor": null}));
    for (what, method, path, body) in [
        ("made again", "POST", "keys", json!({"id": "pk_a"})),
        ("with a higher version", "POST", "keys", json!({"id": "pk_a", "version": 9})),
        ("in a batch", "POST", "keys", json!([{"id": "pk_a"}])),
        ("changed", "PATCH", "keys/pk_a", json!({"revoked": false})),
        (
            "changed to a key",
            "PATCH",
            "keys/pk_a",
            json!({"revoked": false, "schemes": ["session"]}),
        ),
    ] {
        let request = tell(&table.gate, method, path, &body);
        table.taken(what, &request, "key-exists", ("pk_a", ""));
    }
    table.refused("for good", &by, 401, "key-revoked");
}

#[test]
fn what_is_made_here_can_be_deleted_here() {
    let mut table = Check::of(admin);
    for id in ["pk_new", "customer.17", "-"] {
        let new = tell(&table.gate, "POST", "keys", &json!({"id": id}));
        table.answered(id, &new, 201);
        table.passes(id, &write(&table.gate, id));
        table.answers(id, &delete(&table, id), 200, &tombstone(id, 1));
        table.refused(id, &write(&table.gate, id), 401, "key-revoked");
    }
}

#[test]
fn any_record_of_the_registry_can_be_deleted_and_nothing_else() {
    let mut table = Check::of(|setup| {
        admin(setup)
            .registered(json!({"id": "pk_least"}))
            .registered(json!({"id": "pk_gone", "version": 4, "revoked": true}))
            .registered(
                json!({"id": "pk_paused", "version": 2, "revoked": true, "schemes": ["session"]}),
            )
            .in_registry("key/pk_broken", r#"{"id":"pk_broken","version":3,"path":["/x"]}"#)
            .in_registry("key/pk_text", "nonsense")
            .registered(json!({"id": KEY, "methods": ["PUT"]}))
    });
    for (id, version) in
        [("pk_least", 1), ("pk_gone", 4), ("pk_paused", 2), ("pk_broken", 3), ("pk_text", 1)]
    {
        table.answers(id, &delete(&table, id), 200, &tombstone(id, version));
        table.refused(id, &write(&table.gate, id), 401, "key-revoked");
    }
    table.refused("unknown", &delete(&table, "pk_nobody"), 404, "no-route");
    table.refused("the registry's other names", &delete(&table, "settings"), 404, "no-route");
    table.taken("of the configuration", &delete(&table, KEY), "key-in-configuration", (KEY, ""));
    table.passes("which goes on", &write(&table.gate, KEY));
    let shadowed = stored(&table.gate, KEY);
    table
        .that(shadowed == Some(json!({"id": KEY, "methods": ["PUT"]})), || format!("{shadowed:?}"));
}

#[test]
fn a_paused_key_is_not_deleted() {
    let mut table = Check::of(|setup| {
        let paused =
            json!({"id": "pk_paused", "version": 1, "revoked": true, "schemes": ["session"]});
        admin(setup).registered(paused)
    });
    let again = tell(&table.gate, "POST", "keys", &json!({"id": "pk_paused"}));
    table.taken("its id is its own", &again, "key-exists", ("pk_paused", ""));
    let back = tell(&table.gate, "PATCH", "keys/pk_paused", &json!({"revoked": null}));
    table.answered("taken back", &back, 200);
    table.passes("works", &write(&table.gate, "pk_paused"));
}
