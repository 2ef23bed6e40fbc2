//! `key list`, `key revoke` and `key import` with a running gate (docs/wire-contract.md, section 10).

use std::process::Stdio;

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, administered, stored, write};
use testkit::cache::cached;
use testkit::check::Check;
use testkit::gate::KEY;
use testkit::program::Done;
use testkit::token::{fresh, sk};

use crate::Folder;

/// The command in a folder of its own, whose `wrangler.toml` names the admin.
struct Checkout {
    folder: Folder,
    gate: String,
    signing_secret: String,
}

impl Checkout {
    fn of(table: &Check) -> Self {
        Self {
            folder: Folder::of(&format!(
                "[[vars.KEYS]]\nid = \"{KEY}\"\n[[vars.KEYS]]\nid = \"{ADMIN}\"\nadmin = true\n"
            )),
            gate: format!("http://127.0.0.1:{}", table.gate.port),
            signing_secret: table.gate.signing_secret.clone(),
        }
    }

    /// Runs a command about the gate.
    fn run(&self, line: &str) -> Done {
        let mut writegate = self.folder.command(&self.signing_secret);
        writegate.args(shlex::split(line).unwrap()).args(["--gate", &self.gate]);
        let done = Done::of(writegate.stdin(Stdio::null()));
        for text in [&done.out, &done.err] {
            assert!(!text.contains(&self.signing_secret), "the root is shown: {text}");
        }
        done
    }

    fn import(&self, text: &str, more: &str) -> Done {
        let file = self.folder.file("keys.json", text);
        self.run(&format!("key import {more} {file}"))
    }
}

/// Returns so many records, one a line.
fn records(count: usize) -> String {
    let record = |number| json!({"id": format!("pk_{number:03}"), "paths": ["/posts"]});
    (0..count).map(|number| format!("{}\n", record(number))).collect()
}

fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["id"].as_str().unwrap()).collect()
}

#[test]
fn what_is_imported_works_is_listed_and_can_be_revoked() {
    let mut table = Check::of(admin);
    let checkout = Checkout::of(&table);
    let done = checkout.import(&records(250), "");
    let made = done.lines();
    for (number, key) in made.iter().enumerate() {
        let id = format!("pk_{number:03}");
        let secret = sk(&table.gate.signing_secret, &id, 1);
        table.that(*key == json!({"id": id, "sk": secret}), || key.to_string());
    }
    assert_eq!(made.len(), 250);
    for word in ["100 of 250", "200 of 250", "250 of 250", "imported 250 keys"] {
        assert!(done.err.contains(word), "{word} in {}", done.err);
    }
    table.passes("the last", &write(&table.gate, "pk_249"));

    let listed = checkout.run("key list").lines();
    assert_eq!(ids(&listed), ids(&made));
    let expected =
        json!({"id": "pk_017", "paths": ["/posts"], "version": 1, "schemes": ["session"]});
    assert_eq!(listed[17], expected);

    let revoked = checkout.run("key revoke pk_017").lines();
    assert_eq!(revoked, [json!({"id": "pk_017", "version": 1, "revoked": true})]);
    table.refused("revoked", &write(&table.gate, "pk_017"), 401, "key-revoked");
    assert_eq!(checkout.run("key list").lines()[17], revoked[0]);
    checkout.run("key revoke pk_nobody").ended(1, &["404 no-route"]);
    checkout.run(&format!("key revoke {KEY}")).ended(1, &["409 key-in-configuration", KEY]);
}

#[test]
fn one_key_is_made_changed_disabled_and_enabled() {
    let mut table = Check::of(admin);
    let checkout = Checkout::of(&table);
    let made = checkout.run("key new --id pk_one --method POST --path /posts").lines();
    let secret = sk(&table.gate.signing_secret, "pk_one", 1);
    assert_eq!((&made[0]["id"], &made[0]["sk"]), (&json!("pk_one"), &json!(secret)));
    table.passes("made", &write(&table.gate, "pk_one"));
    checkout.run("key update pk_one --path /other").lines();
    table.refused("changed", &write(&table.gate, "pk_one"), 403, "path-denied");
    checkout.run("key update pk_one --clear paths").lines();
    table.passes("changed back", &write(&table.gate, "pk_one"));
    checkout.run("key disable pk_one").lines();
    table.refused("disabled", &write(&table.gate, "pk_one"), 401, "key-revoked");
    checkout.run("key enable pk_one").lines();
    table.passes("enabled", &write(&table.gate, "pk_one"));
    checkout.run("key update pk_nobody --path /x").ended(1, &["404 no-route"]);
    checkout.run("key new --id pk_one").ended(1, &["409 key-exists"]);
}

#[test]
fn the_usage_of_all_keys_is_shown_by_key_and_day() {
    let mut table = Check::of(|setup| admin(setup.ledger()));
    let checkout = Checkout::of(&table);
    checkout.import(&records(60), "").lines();
    for _twice in 0..2 {
        table.passes("counted", &write(&table.gate, "pk_007"));
    }
    table.passes("counted", &write(&table.gate, KEY));
    let rows = checkout.run("usage").lines();
    let shown = |key: &str| -> u64 {
        let own = rows.iter().filter(|row| row["key"] == key);
        own.map(|row| row["requests"].as_u64().unwrap()).sum()
    };
    assert_eq!((shown("pk_007"), shown(KEY), rows.len()), (2, 1, 2), "{rows:#?}");
    let day = rows[0]["day"].as_str().unwrap();
    let csv = checkout.run(&format!("usage --csv --key pk_007 --from {day} --to {day}")).out;
    let lines: Vec<_> = csv.lines().collect();
    let names = "key,day,outcome,code,requests,bytes_in,bytes_out,upstream_ms,upstream_429";
    assert_eq!(lines[0], names);
    assert!(lines[1].starts_with(&format!("pk_007,{day},forwarded,,2,")), "{csv}");
    assert_eq!(lines.len(), 2);
    let other = checkout.run("usage --from 2020-01-01 --to 2020-01-02");
    assert!(other.lines().is_empty(), "{}", other.out);
}

#[test]
fn a_purge_is_asked_for_by_route_or_by_url() {
    let table = Check::of(|setup| administered(cached(setup)));
    let checkout = Checkout::of(&table);
    for line in ["purge --route '/*'", "purge --url '/posts?a=1'"] {
        assert_eq!(checkout.run(line).lines(), [json!({"purged": true})], "{line}");
    }
    checkout.run("purge --route '/none/*'").ended(1, &["400 bad-request"]);
    checkout.run("purge").ended(2, &[]);
    checkout.run("purge --route '/*' --url /").ended(2, &[]);
}

#[test]
fn an_array_is_imported_as_lines_are() {
    let table = Check::of(admin);
    let checkout = Checkout::of(&table);
    let array = json!([{"id": "pk_a", "version": 2}, {"id": "customer.17", "name": "Ünïcode"}]);
    let made = checkout.import(&format!("{array:#}"), "").lines();
    assert_eq!(ids(&made), ["pk_a", "customer.17"]);
    let secret = sk(&table.gate.signing_secret, "pk_a", 2);
    assert_eq!(made[0]["sk"], secret.as_str());
    assert_eq!(stored(&table.gate, "customer.17").unwrap()["name"], "Ünïcode");
}

#[test]
fn long_records_go_in_batches_that_a_gate_takes() {
    let table = Check::of(admin);
    let checkout = Checkout::of(&table);
    let record = |number| json!({"id": format!("pk_{number}"), "name": "x".repeat(16_000)});
    let all: Vec<Value> = (0..100).map(record).collect();
    assert_eq!(checkout.import(&json!(all).to_string(), "").lines().len(), 100);
    assert_eq!(checkout.run("key list").lines().len(), 100);
}

#[test]
fn where_a_batch_is_refused_it_is_said_from_where_to_go_on() {
    let mut table =
        Check::of(|setup| admin(setup).registered(json!({"id": "pk_120", "name": "there"})));
    let checkout = Checkout::of(&table);
    let done = checkout.import(&records(250), "");
    done.ended(
        1,
        &[
            "records 101 to 200 not imported",
            "409 key-exists",
            "record 121.id (pk_120)",
            "100 keys were imported",
            "from record 101",
            "--skip-existing",
        ],
    );
    assert_eq!(done.out.lines().count(), 100, "{}", done.out);
    table.passes("of the first batch", &write(&table.gate, "pk_099"));
    table.absent("of the second", "pk_100");

    let done = checkout.import(&records(250), "--skip-existing");
    assert_eq!(done.lines().len(), 149);
    assert!(done.err.contains("imported 149 keys, skipped 101 that exist"), "{}", done.err);
    table.passes("of the second", &write(&table.gate, "pk_100"));
    assert_eq!(stored(&table.gate, "pk_120").unwrap()["name"], "there");
    let done = checkout.import(&records(250), "--skip-existing");
    assert_eq!(done.lines().len(), 0);
    assert!(done.err.contains("skipped 250 that exist"), "{}", done.err);
}

#[test]
fn keys_of_the_configuration_and_revoked_ones_are_skipped_too() {
    let table = Check::of(|setup| {
        admin(setup).registered(json!({"id": "pk_gone", "version": 1, "revoked": true}))
    });
    let checkout = Checkout::of(&table);
    let text = json!([{"id": "pk_a"}, {"id": KEY}, {"id": "pk_gone"}, {"id": "pk_b"}]).to_string();
    checkout
        .import(&text, "")
        .ended(1, &["records 1 to 4 not imported", "record 2.id", "nothing was imported"]);
    let done = checkout.import(&text, "--skip-existing");
    assert_eq!(ids(&done.lines()), ["pk_a", "pk_b"]);
    assert!(done.err.contains("imported 2 keys, skipped 2 that exist"), "{}", done.err);
}

#[test]
fn the_gate_s_answer_is_shown() {
    let table = Check::of(admin);
    let mut checkout = Checkout::of(&table);
    checkout.run(&format!("key list --as {KEY}")).ended(1, &["403 path-denied", "admin key"]);
    checkout.run("key list --as pk_nobody").ended(1, &["401 key-unknown", "KEYS"]);
    checkout.import(r#"{"id":"pk_unwritable"}"#, "").ended(
        1,
        &[
            "record 1 not imported", "503 feature-unavailable", "KEY_REGISTRY",
            "nothing was imported",
        ],
    );
    checkout.signing_secret = fresh();
    checkout.run("key list").ended(1, &["401 signature-invalid", "SIGNING_SECRET"]);
    let without = Check::of(|setup| setup.key(json!({"id": ADMIN, "admin": true})));
    Checkout::of(&without).run("key list").ended(1, &["503 feature-unavailable", "KEY_REGISTRY"]);
}
