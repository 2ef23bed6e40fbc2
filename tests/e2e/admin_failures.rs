//! The answers to an admin when the registry is not there or does not answer (docs/wire-contract.md, sections 1 and
//! 7), and what a change is worth while others read.

use std::thread;

use serde_json::json;
use testkit::admin_api::{admin, ask, stored, tell, write};
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::logs::Line;
use testkit::poll::poll;
use testkit::process::Script;
use testkit::upstream::PATIENCE;

const UNAVAILABLE: (u16, &str) = (503, "feature-unavailable");

#[test]
fn a_failing_registry_is_reported() {
    let mut table = Check::of(admin);
    for id in ["pk_fails", "pk_hangs"] {
        for (method, body) in
            [("GET", None), ("PATCH", Some(json!({"name": "x"}))), ("DELETE", None)]
        {
            let path = format!("keys/{id}");
            let request = match &body {
                Some(body) => tell(&table.gate, method, &path, body),
                None => ask(&table.gate, method, &path),
            };
            table.refused(&format!("{method} {id}"), &request, UNAVAILABLE.0, UNAVAILABLE.1);
        }
        let new = tell(&table.gate, "POST", "keys", &json!({"id": id}));
        table.refused(&format!("POST {id}"), &new, UNAVAILABLE.0, UNAVAILABLE.1);
    }
    let new = tell(&table.gate, "POST", "keys", &json!([{"id": "pk_a"}, {"id": "pk_fails"}]));
    table.refused("one of two", &new, UNAVAILABLE.0, UNAVAILABLE.1);
    table.absent("the other", "pk_a");
    for id in ["pk_unwritable", "pk_stuck"] {
        let new = tell(&table.gate, "POST", "keys", &json!({"id": id}));
        table.refused(id, &new, UNAVAILABLE.0, UNAVAILABLE.1);
        table.absent(id, id);
    }
    let new = tell(&table.gate, "POST", "keys", &json!({"id": "pk_a"}));
    table.answered("one that does not fail", &new, 201);
}

#[test]
fn a_failing_list_is_reported() {
    for name in ["list-fails", "list-hangs"] {
        let mut table =
            Check::of(|setup| admin(setup).registered(json!({"id": "pk_a"})).in_registry(name, ""));
        let list = ask(&table.gate, "GET", "keys");
        table.refused(name, &list, UNAVAILABLE.0, UNAVAILABLE.1);
        let show = ask(&table.gate, "GET", "keys/pk_a");
        table.answered("one record", &show, 200);
    }
    for id in ["pk_fails", "pk_hangs"] {
        let mut table = Check::of(|setup| admin(setup).registered(json!({"id": id})));
        let list = ask(&table.gate, "GET", "keys");
        table.refused(id, &list, UNAVAILABLE.0, UNAVAILABLE.1);
    }
}

#[test]
fn a_change_that_cannot_be_written_changes_nothing() {
    for id in ["pk_unwritable", "pk_stuck"] {
        let record = json!({"id": id, "version": 1, "schemes": ["session"]});
        let mut table = Check::of(|setup| admin(setup).registered(record.clone()));
        table.passes("before", &write(&table.gate, id));
        let path = format!("keys/{id}");
        let revoke = tell(&table.gate, "PATCH", &path, &json!({"revoked": true}));
        table.refused("a change", &revoke, UNAVAILABLE.0, UNAVAILABLE.1);
        let delete = ask(&table.gate, "DELETE", &path);
        table.refused("a deletion", &delete, UNAVAILABLE.0, UNAVAILABLE.1);
        table.passes("after", &write(&table.gate, id));
        let kept = stored(&table.gate, id);
        table.that(kept.as_ref() == Some(&record), || format!("stored: {kept:?}"));
    }
}

/// The gate with a writer whose alarms come at once.
const SOON: &str = "import * as gate from './built.js';
export * from './built.js';
export { default } from './built.js';
const around = (target, own) => new Proxy(target, { get(_, name) {
  if (name in own) return own[name];
  const value = target[name];
  return typeof value === 'function' ? value.bind(target) : value;
} });
export class KeyWriter extends gate.KeyWriter {
  constructor(state, env) {
    const storage = around(state.storage, { setAlarm: () => state.storage.setAlarm(Date.now()) });
    super(around(state, { storage }), env);
  }
}";

#[test]
fn a_change_that_was_not_written_is_written_later() {
    let mut table = Check::of(|setup| {
        admin(setup).registered(json!({"id": "pk_flaky"})).script(Script::Around(SOON))
    });
    let revoke = tell(&table.gate, "PATCH", "keys/pk_flaky", &json!({"revoked": true}));
    table.refused("a change", &revoke, UNAVAILABLE.0, UNAVAILABLE.1);
    poll(PATIENCE, || match stored(&table.gate, "pk_flaky") {
        Some(record) if record["revoked"] == true => Ok(()),
        record => Err(format!("{record:?}")),
    });
}

/// Sends `change` while KV is asked for `pk_slow`, whose answer is what was there before: the early request, and the
/// change.
fn overtaken(table: &Check, change: &Request) -> (Response, Response) {
    let (gate, early) = (&table.gate, write(&table.gate, "pk_slow"));
    thread::scope(|scope| {
        let early = scope.spawn(|| early.send(gate));
        gate.logs.until("the read", |lines| {
            let mut lines = lines.iter().filter_map(Line::json);
            lines.find(|line| line["event"] == "kv" && line["name"] == "key/pk_slow")
        });
        let change = change.send(gate);
        (early.join().unwrap(), change)
    })
}

#[test]
fn a_read_that_was_under_way_does_not_undo_a_change() {
    let mut table = Check::of(|setup| admin(setup).registered(json!({"id": "pk_slow"})));
    let path = "keys/pk_slow";
    let revoke = tell(&table.gate, "PATCH", path, &json!({"revoked": true}));
    let (early, change) = overtaken(&table, &revoke);
    table.that(change.status == 200, || format!("the change: {change}"));
    // It was under way, so it may pass or not.
    let is_old_or_new = early.status == 200 || early.code() == "key-revoked";
    table.that(is_old_or_new, || format!("the early one: {early}"));
    let after = write(&table.gate, "pk_slow");
    table.refused("after the answer", &after, 401, "key-revoked");
}

#[test]
fn a_read_that_was_under_way_does_not_hide_a_new_key() {
    let mut table = Check::of(admin);
    let new = tell(&table.gate, "POST", "keys", &json!({"id": "pk_slow"}));
    let (early, made) = overtaken(&table, &new);
    table.that(made.status == 201, || format!("the new key: {made}"));
    let is_old_or_new = early.status == 200 || early.code() == "key-unknown";
    table.that(is_old_or_new, || format!("the early one: {early}"));
    let after = write(&table.gate, "pk_slow");
    table.passes("after the answer", &after);
}
