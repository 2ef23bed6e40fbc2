//! What an admin reads (contract, section 7): the registry's records, whole, page by page, and never a secret.

use std::collections::BTreeMap;

use crate::native::{Gate, check};
use serde_json::{Value, json};
use testkit::admin_api::{admin, administered, ask};
use testkit::gate::{KEY, Setup};

/// Most records of a page.
const PAGE: usize = 100;

/// All pages, from the first to the last.
fn pages(gate: &Gate) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut path = "keys".to_owned();
    loop {
        let answer = ask(gate, "GET", &path).send(gate).passed().json();
        let members: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["cursor", "keys"]);
        pages.push(answer["keys"].as_array().unwrap().clone());
        assert!(pages.len() < 20, "no end");
        match &answer["cursor"] {
            Value::Null => return pages,
            Value::String(cursor) => {
                let plain = cursor.bytes().all(|byte| byte.is_ascii_graphic());
                assert!(plain && !cursor.contains(['&', '#', '+', '%']), "{cursor}");
                path = format!("keys?cursor={cursor}");
            }
            other => panic!("a cursor: {other}"),
        }
    }
}

fn by_id(records: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let named = |record: Value| (record["id"].as_str().unwrap().to_owned(), record);
    records.into_iter().map(named).collect()
}

/// Records of every kind there is.
fn many() -> Vec<Value> {
    let one = |number: usize| match number % 5 {
        0 => json!({"id": format!("pk_{number:03}"), "version": 1, "schemes": ["session"]}),
        1 => {
            json!({"id": format!("customer.{number}"), "version": 7, "schemes": ["signature"], "nonce": "required"})
        }
        2 => json!({"id": format!("pk_{number:03}"), "version": 2, "revoked": true}),
        3 => {
            json!({"id": format!("pk_{number:03}"), "version": 1, "schemes": ["session"], "name": "Ünïcode \"é\" \n",
                    "quota": {"requests": 5, "per": "day"}})
        }
        _ => {
            json!({"id": format!("A-{number}_x"), "version": 1, "schemes": ["session"], "paths": ["/a/*"],
                    "name": "x".repeat(5_000)})
        }
    };
    (0..250).map(one).collect()
}

#[test]
fn every_record_is_on_one_page() {
    let records = many();
    let table = check(|setup| {
        let setup = admin(setup).in_registry("nokey/pk_x", "{}").in_registry("key", "{}");
        records.iter().cloned().fold(setup, Setup::registered)
    });
    let pages = pages(&table.gate);
    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= PAGE), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), records.len(), "{sizes:?}");
    assert_eq!(by_id(pages.into_iter().flatten()), by_id(records));
}

#[test]
fn a_page_that_is_just_full_is_the_last() {
    for count in [0, 1, 99, 100, 101] {
        let table = check(|setup| {
            let record = |number: i32| json!({"id": format!("pk_{number}"), "version": 1, "schemes": ["session"]});
            (0..count).map(record).fold(admin(setup), Setup::registered)
        });
        let found: usize = pages(&table.gate).iter().map(Vec::len).sum();
        assert_eq!(i32::try_from(found).unwrap(), count);
    }
}

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
fn a_record_that_is_none_is_listed_with_what_is_wrong() {
    let broken = [
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

#[test]
fn a_cursor_that_is_none_is_refused() {
    let mut table = check(|setup: Setup| administered(setup).registered(json!({"id": "pk_there"})));
    for cursor in ["%00", "!", "a%20b"] {
        let list = ask(&table.gate, "GET", &format!("keys?cursor={cursor}"));
        table.refused_as_any(cursor, &list, &[(400, "bad-request"), (503, "feature-unavailable")]);
    }
    for query in ["", "?", "?cursor=", "?cursor", "?limit=1", "?key=pk_there", "?x&y=1"] {
        let list = ask(&table.gate, "GET", &format!("keys{query}"));
        let answer = table.answered(query, &list, 200).json();
        table.that(answer["keys"].as_array().is_some_and(|keys| keys.len() == 1), || {
            answer.to_string()
        });
    }
}
