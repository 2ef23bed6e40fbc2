//! The delay of a change of the registry (docs/wire-contract.md, section 2): no time in the isolate that took it, and
//! 90 s in any other.

use std::time::Duration;

use serde_json::json;
use testkit::admin_api::{admin, ask, tell, write};
use testkit::check::Check;
use testkit::poll::poll;

/// Longest time until a change counts everywhere.
const BOUND: Duration = Duration::from_secs(90);

#[test]
fn a_change_reaches_every_isolate_within_the_stated_bound() {
    let mut table = Check::of(|setup| {
        ["pk_revoked", "pk_deleted", "pk_changed", "pk_risen"]
            .iter()
            .fold(admin(setup), |setup, id| setup.registered(json!({"id": id})))
            .twice()
    });
    let second = table.gate.second;
    let there = |table: &Check, id: &str| write(&table.gate, id).send_to(second).code();
    // What the other isolate knows now, it may believe for a while.
    for id in ["pk_revoked", "pk_deleted", "pk_changed", "pk_risen"] {
        assert_eq!(there(&table, id), "", "{id} before");
    }
    assert_eq!(there(&table, "pk_new"), "key-unknown");
    for (method, path, body) in [
        ("PATCH", "keys/pk_revoked", json!({"revoked": true})),
        ("PATCH", "keys/pk_changed", json!({"methods": ["GET"]})),
        ("PATCH", "keys/pk_risen", json!({"version": 2})),
        ("POST", "keys", json!({"id": "pk_new"})),
    ] {
        tell(&table.gate, method, path, &body).send(&table.gate).passed();
    }
    ask(&table.gate, "DELETE", "keys/pk_deleted").send(&table.gate).passed();
    let expected = [
        ("pk_revoked", "key-revoked"),
        ("pk_deleted", "key-revoked"),
        ("pk_changed", "method-denied"),
        ("pk_risen", "signature-invalid"),
        ("pk_new", ""),
    ];
    for (id, code) in expected {
        let here = write(&table.gate, id).send(&table.gate);
        table.that(here.code() == code, || format!("{id} where it was changed: {here}"));
    }
    for (id, code) in expected {
        poll(BOUND, || match there(&table, id) {
            found if found == code => Ok(()),
            found => Err(format!("{id} in the other isolate: {found:?}, not {code:?}")),
        });
    }
}
