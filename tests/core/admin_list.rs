//! Reading the registry as an admin (docs/wire-contract.md, section 7): the registry's records, whole, and never a
//! secret. Pages are the platform's: `tests/e2e/admin.rs`.

use crate::native::check;
use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, by_id, many, pages};
use testkit::gate::{KEY, Setup};

#[test]
fn the_configuration_s_keys_are_not_in_the_list_but_shadowed_records_are() {
    let shadowed = json!({"id": KEY, "version": 1, "schemes": ["session"], "methods": ["PUT"]});
    let table = check(|setup| admin(setup).registered(shadowed.clone()));
    assert_eq!(pages(&table.gate), [[shadowed]]);
    let empty = check(admin);
    assert_eq!(pages(&empty.gate), [Vec::<Value>::new()]);
}

#[test]
fn one_record_is_shown_as_it_is_stored() {
    let records = many();
    let mut table =
        check(|setup| records.iter().take(10).cloned().fold(admin(setup), Setup::registered));
    for record in records.iter().take(10) {
        let id = record["id"].as_str().unwrap();
        let show = ask(&table.gate, "GET", &format!("keys/{id}"));
        table.answers(id, &show, 200, record);
    }
    for id in ["pk_250", "pk_", "customer", KEY, "settings"] {
        let show = ask(&table.gate, "GET", &format!("keys/{id}"));
        table.refused(id, &show, 404, "no-route");
    }
}

#[test]
fn a_record_that_is_not_valid_is_listed_with_its_error() {
    // The gate reads none that is longer than 16 KiB.
    let long = format!(r#"{{"id":"pk_long","name":"{}"}}"#, "x".repeat(16_384));
    let broken = [
        ("pk_long", long.as_str(), "record"),
        ("pk_text", "nonsense", "record"),
        ("pk_list", "[]", ""),
        ("pk_twice", r#"{"id":"pk_twice","id":"pk_twice"}"#, "record"),
        ("pk_other", r#"{"id":"pk_another"}"#, "id"),
        ("pk_misspelt", r#"{"id":"pk_misspelt","path":["/secret"]}"#, "path"),
        ("pk_wide", r#"{"id":"pk_wide","paths":[]}"#, "paths"),
        ("pk_sly", r#"{"id":"pk_sly","admin":true}"#, "admin"),
    ];
    let table = check(|setup| {
        let setup = admin(setup).registered(json!({"id": "pk_good"}));
        broken
            .iter()
            .fold(setup, |setup, (id, text, _)| setup.in_registry(&format!("key/{id}"), text))
    });
    let listed = by_id(pages(&table.gate).into_iter().flatten());
    assert_eq!(listed.len(), broken.len() + 1);
    assert_eq!(listed["pk_good"]["error"], Value::Null);
    for (id, _, field) in broken {
        let error = &listed[id]["error"];
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(hint.len() > 5, "{id}: {}", listed[id]);
        if !field.is_empty() && field != "record" {
            assert_eq!(error["field"], field, "{id}: {}", listed[id]);
        }
        let said = listed[id].to_string();
        assert!(!said.contains("secret") && !said.contains("another\""), "{said}");
        // What is in the list can be looked at.
        let shown = ask(&table.gate, "GET", &format!("keys/{id}")).send(&table.gate).passed();
        assert_eq!(shown.json()["id"], id);
    }
}
