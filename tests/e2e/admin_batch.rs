//! Many keys at once (docs/wire-contract.md, section 7): up to a hundred, all of them or none.

use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, tell, write};
use testkit::check::Check;
use testkit::client::Request;

fn create(table: &Check, batch: &Value) -> Request {
    tell(&table.gate, "POST", "keys", batch)
}

/// Records `pk_0`, `pk_1`, … with this many bytes of name.
fn records(count: usize, name: usize) -> Vec<Value> {
    let one = |number| json!({"id": format!("pk_{number}"), "name": "x".repeat(name)});
    (0..count).map(one).collect()
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
