//! Deleted keys (docs/wire-contract.md, sections 2 and 7): what stays is a tombstone, and nobody ever has that id
//! again.

use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, stored, tell, write};
use testkit::client::Request;
use testkit::gate::KEY;

use crate::native::{Check, check};

fn delete(table: &Check, id: &str) -> Request {
    ask(&table.gate, "DELETE", &format!("keys/{id}"))
}

#[test]
fn any_record_of_the_registry_can_be_deleted_and_stays_deleted() {
    let mut table = check(|setup| {
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
    table.passes("before", &write(&table.gate, "pk_least"));
    for id in ["pk_new", "customer.17", "-"] {
        table.answered(id, &tell(&table.gate, "POST", "keys", &json!({"id": id})), 201);
        table.passes(id, &write(&table.gate, id));
    }
    let versions = [
        ("pk_least", 1),
        ("pk_gone", 4),
        ("pk_paused", 2),
        ("pk_broken", 3),
        ("pk_text", 1),
        ("pk_new", 1),
        ("customer.17", 1),
        ("-", 1),
    ];
    for (id, version) in versions {
        let tombstone = json!({"id": id, "version": version, "revoked": true});
        for what in ["once", "twice"] {
            table.answers(what, &delete(&table, id), 200, &tombstone);
            table.refused(id, &write(&table.gate, id), 401, "key-revoked");
            let kept = stored(&table.gate, id);
            table.that(kept.as_ref() == Some(&tombstone), || format!("{what}: stored {kept:?}"));
        }
        table.answers(id, &ask(&table.gate, "GET", &format!("keys/{id}")), 200, &tombstone);
        let path = format!("keys/{id}");
        for (method, path, body) in [
            ("POST", "keys", json!({"id": id})),
            ("POST", "keys", json!({"id": id, "version": 9})),
            ("POST", "keys", json!([{"id": id}])),
            ("PATCH", path.as_str(), json!({"revoked": false})),
            ("PATCH", &path, json!({"revoked": false, "schemes": ["session"]})),
        ] {
            let request = tell(&table.gate, method, path, &body);
            table.taken(&format!("{method} {body}"), &request, "key-exists", (id, ""));
        }
        table.refused("for good", &write(&table.gate, id), 401, "key-revoked");
    }
    table.refused("unknown", &delete(&table, "pk_nobody"), 404, "no-route");
    table.refused("the registry's other names", &delete(&table, "settings"), 404, "no-route");
    table.taken("of the configuration", &delete(&table, KEY), "key-in-configuration", (KEY, ""));
    table.passes("which goes on", &write(&table.gate, KEY));
    let shadowed = stored(&table.gate, KEY).unwrap_or(Value::Null);
    table.that(shadowed == json!({"id": KEY, "methods": ["PUT"]}), || shadowed.to_string());
}
