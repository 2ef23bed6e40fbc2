//! Many keys at once (docs/wire-contract.md, section 7): up to a hundred, all of them or none.

use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, stored, tell, with_sk, write};
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::gate::KEY;
use testkit::logs::Line;

fn create(table: &Check, batch: &Value) -> Request {
    tell(&table.gate, "POST", "keys", batch)
}

/// Records `pk_0`, `pk_1`, … with this many bytes of name.
fn records(count: usize, name: usize) -> Vec<Value> {
    let one = |number| json!({"id": format!("pk_{number}"), "name": "x".repeat(name)});
    (0..count).map(one).collect()
}

/// Returns the names that were put into KV until this answer.
fn puts(table: &Check, last: &Response) -> Vec<String> {
    table.gate.logs.audit(&last.request_id());
    table.gate.logs.until("what was put", |lines| {
        let lines = lines.iter().filter_map(Line::json);
        let puts = lines.filter(|line| line["event"] == "kv" && line["method"] == "PUT");
        Some(puts.map(|line| line["name"].to_string()).collect())
    })
}

#[test]
fn each_is_made_and_shown_in_order() {
    let mut table = Check::of(admin);
    let batch = json!([
        {"id": "pk_b", "version": 2},
        {"id": "customer.17", "schemes": ["signature"], "paths": ["/posts"]},
        {"id": "pk_a", "revoked": true},
    ]);
    let kept = json!([
        {"id": "pk_b", "version": 2, "schemes": ["session"]},
        {"id": "customer.17", "schemes": ["signature"], "paths": ["/posts"], "version": 1},
        {"id": "pk_a", "revoked": true, "version": 1, "schemes": ["session"]},
    ]);
    let shown = json!({"keys": [
        with_sk(&table.gate, &kept[0], 2),
        with_sk(&table.gate, &kept[1], 1),
        with_sk(&table.gate, &kept[2], 1),
    ]});
    table.answers("three", &create(&table, &batch), 201, &shown);
    for record in kept.as_array().unwrap() {
        let id = record["id"].as_str().unwrap();
        let found = stored(&table.gate, id);
        table.that(found.as_ref() == Some(record), || format!("stored: {found:?}"));
    }
    let signed = table.gate.signature_of("customer.17").sign(Request::post("/posts"));
    table.passes("at once", &signed);
    let revoked = write(&table.gate, "pk_a");
    table.refused("revoked from the start", &revoked, 401, "key-revoked");
    let one = json!([{"id": "pk_one"}]);
    let shown = json!({"keys": [with_sk(&table.gate, &json!({"id": "pk_one", "version": 1, "schemes": ["session"]}), 1)]});
    table.answers("a batch of one is a batch", &create(&table, &one), 201, &shown);
}

#[test]
fn a_hundred_are_taken_and_no_more() {
    let mut table = Check::of(admin);
    let over = create(&table, &records(101, 1).into());
    table.names("101", &over, "body");
    table.names("none", &create(&table, &json!([])), "body");
    table.absent("of 101", "pk_0");
    // As long as they may be, all together.
    let all = records(100, 10_000);
    let made = table.answered("100", &create(&table, &all.into()), 201).json();
    let ids: Vec<_> =
        made["keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    let expected: Vec<Value> = (0..100).map(|number| format!("pk_{number}").into()).collect();
    table.that(ids == expected, || format!("{ids:?}"));
    for id in ["pk_0", "pk_57", "pk_99"] {
        let by = write(&table.gate, id);
        table.passes(id, &by);
    }
    let list = ask(&table.gate, "GET", "keys");
    let listed = table.answered("the list", &list, 200).json();
    table.that(listed["keys"].as_array().unwrap().len() == 100, || "some are missing".into());
}

#[test]
fn what_is_refused_is_refused_whole() {
    let mut table = Check::of(|setup| {
        admin(setup)
            .registered(json!({"id": "pk_there"}))
            .registered(json!({"id": "pk_gone", "version": 1, "revoked": true}))
    });
    let with = |second: Value| json!([{"id": "pk_new"}, second, {"id": "pk_newer"}]);
    for id in ["pk_there", "pk_gone"] {
        let batch = create(&table, &with(json!({"id": id})));
        table.taken(id, &batch, "key-exists", (id, "[1].id"));
    }
    let configured = create(&table, &with(json!({"id": KEY})));
    table.taken("of the configuration", &configured, "key-in-configuration", (KEY, "[1].id"));
    for (batch, field) in [
        (json!([{"id": "pk_new"}, {"id": "pk_newer"}, {"id": "pk_new"}]), "[2].id"),
        (with(json!({"id": "pk_b", "path": ["/x"]})), "[1].path"),
        (with(json!({"id": ""})), "[1].id"),
        (with(json!("pk_b")), "[1]"),
        (with(json!(null)), "[1]"),
        (with(json!([{"id": "pk_b"}])), "[1]"),
        (with(json!({"id": "pk_b", "name": "x".repeat(17_000)})), "[1]"),
    ] {
        table.names(
            &batch.to_string()[..80.min(batch.to_string().len())],
            &create(&table, &batch),
            field,
        );
    }
    for id in ["pk_new", "pk_newer", "pk_b"] {
        table.absent("refused", id);
    }
    let last = table.answered("the list", &ask(&table.gate, "GET", "keys"), 200);
    let puts = puts(&table, &last);
    table.that(puts.is_empty(), || format!("written and taken back: {puts:?}"));
    table.answered("nothing wrong", &create(&table, &with(json!({"id": "pk_b"}))), 201);
}

#[test]
fn where_a_write_fails_nothing_stays() {
    let mut table = Check::of(admin);
    let mut batch = records(40, 10);
    batch[20]["id"] = "pk_unwritable".into();
    for id in ["pk_0", "pk_39"] {
        let by = write(&table.gate, id);
        table.refused("before", &by, 401, "key-unknown");
    }
    let failed = create(&table, &batch.clone().into());
    table.refused("one cannot be written", &failed, 503, "feature-unavailable");
    for record in &batch {
        table.absent("not made", record["id"].as_str().unwrap());
    }
    let list = ask(&table.gate, "GET", "keys");
    table.answers("an empty list", &list, 200, &json!({"keys": [], "cursor": null}));
    // Nobody knows of them, so their ids are not used up.
    batch.remove(20);
    table.answered("without it", &create(&table, &batch.into()), 201);
    let by = write(&table.gate, "pk_39");
    table.passes("made", &by);
}

#[test]
fn where_a_write_does_not_end_nothing_stays() {
    let mut table = Check::of(admin);
    let batch = json!([{"id": "pk_a"}, {"id": "pk_stuck"}, {"id": "pk_b"}]);
    table.refused("one does not end", &create(&table, &batch), 503, "feature-unavailable");
    for id in ["pk_a", "pk_stuck", "pk_b"] {
        table.absent("not made", id);
    }
    let batch = json!([{"id": "pk_a"}, {"id": "pk_b"}]);
    table.answered("without it", &create(&table, &batch), 201);
}
