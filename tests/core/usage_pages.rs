//! `GET /_gate/usage/keys` (docs/wire-contract.md, section 7): who may read it, which keys are on which page, and which
//! requests are wrong. The numbers are the ledgers': `tests/e2e/usage_pages.rs`.

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, ask, bare};
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::signing::Signature;
use testkit::token::Session;

use crate::native::{Check, Gate, check};

/// Most keys of a page.
const PAGE: usize = 24;

/// Starts a gate with these numbers of keys in the configuration, beside the default one, and in the registry.
fn with_keys(configured: usize, registered: usize) -> Check {
    check(|setup| {
        let mut setup = admin(setup).ledger();
        for number in 0..configured {
            setup = setup.key(json!({"id": format!("c_{number:02}")}));
        }
        for number in 0..registered {
            setup = setup.registered(json!({"id": format!("r_{number:02}")}));
        }
        setup
    })
}

/// Returns the ids of each page.
fn pages(gate: &Gate) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = ask(gate, "GET", &format!("usage/keys?cursor={cursor}")).send(gate);
        let page = answer.passed().json();
        let members: Vec<_> = page.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["cursor", "keys"]);
        let keys = page["keys"].as_array().unwrap().iter();
        pages.push(
            keys.map(|key| {
                assert_eq!(*key, json!({"id": key["id"], "rows": []}));
                key["id"].as_str().unwrap().to_owned()
            })
            .collect(),
        );
        match page["cursor"].as_str() {
            None => return pages,
            Some(next) => next.clone_into(&mut cursor),
        }
    }
}

#[test]
fn each_key_that_is_no_admin_s_is_on_one_page() {
    for (configured, registered) in [(0, 0), (PAGE - 1, 1), (PAGE, 2 * PAGE), (2 * PAGE, PAGE + 1)]
    {
        let table = with_keys(configured, registered);
        let pages = pages(&table.gate);
        let mut wanted: Vec<String> =
            (0..configured).map(|number| format!("c_{number:02}")).collect();
        wanted.push(KEY.to_owned());
        wanted.extend((0..registered).map(|number| format!("r_{number:02}")));
        assert_eq!(pages.concat(), wanted, "{configured} and {registered}");
        let longest = pages.iter().map(Vec::len).max().unwrap();
        assert_eq!(longest, PAGE.min(wanted.len()), "{configured} and {registered}");
        let asked = table.gate.platform.calls.borrow();
        assert!(!asked.contains(&"batch"), "nothing was to be sent: {asked:?}");
    }
}

#[test]
fn a_record_that_the_configuration_shadows_is_read_once_and_a_tombstone_is_read() {
    let gone = json!({"id": "pk_gone", "version": 1, "revoked": true});
    let set_up =
        |setup: Setup| admin(setup).ledger().registered(json!({"id": KEY})).registered(gone);
    assert_eq!(pages(&check(set_up).gate), [vec![KEY.to_owned()], vec!["pk_gone".to_owned()]]);
}

#[test]
fn without_a_registry_the_configuration_has_all_keys() {
    let set_up =
        |setup: Setup| setup.site(json!({})).key(json!({"id": ADMIN, "admin": true})).ledger();
    assert_eq!(pages(&check(set_up).gate), [[KEY.to_owned()]]);
}

/// A session that may read one key's usage cannot find out which keys there are.
#[test]
fn the_page_is_for_admins_whose_session_allows_its_path() {
    let mut table = with_keys(0, 1);
    let get = || bare("GET", "usage/keys");
    let of = |id: &str| Session::new(&table.gate.signing_secret, id);
    let narrowed = |name: &str, value: Value| get().bearer(&of(ADMIN).claim(name, value).mint());
    let signed = Signature::new(&table.gate.signing_secret, ADMIN).sign(get());
    let allowed = [
        signed,
        narrowed("paths", json!(["/_gate/usage/*"])),
        narrowed("paths", json!(["/_gate/usage/keys"])),
        narrowed("methods", json!(["GET"])),
    ];
    let refused = [
        (narrowed("paths", json!(["/_gate/usage"])), 403, "path-denied"),
        (narrowed("paths", json!(["/_gate/keys/*"])), 403, "path-denied"),
        (narrowed("methods", json!(["POST"])), 403, "method-denied"),
        (get().bearer(&of(KEY).mint()), 403, "path-denied"),
        (get().bearer(&of("r_00").mint()), 403, "path-denied"),
        (get(), 401, "credential-missing"),
    ];
    for request in allowed {
        table.answered("allowed", &request, 200);
    }
    for (request, status, code) in refused {
        table.refused(code, &request, status, code);
    }
}

#[test]
fn of_a_key_that_nobody_has_there_is_no_usage() {
    let mut table = with_keys(1, 1);
    for (id, is_there) in [(KEY, true), ("c_00", true), ("r_00", true), ("pk_nobody", false)] {
        let usage = ask(&table.gate, "GET", &format!("usage?key={id}"));
        // The second time, the gate remembers who asked for something.
        for what in [format!("{id} unseen"), format!("{id} seen")] {
            match is_there {
                true => drop(table.answered(&what, &usage, 200)),
                false => drop(table.refused(&what, &usage, 404, "no-route")),
            }
            let bearer = Session::new(&table.gate.signing_secret, id).mint();
            let seen = Request::get("/x").bearer(&bearer).send(&table.gate);
            assert_eq!(seen.status == 200, is_there, "{what}: {seen}");
        }
    }
    // What the gate still knows of their requests reaches the ledger first.
    table.gate.platform.calls.borrow_mut().clear();
    table.answered("all", &ask(&table.gate, "GET", "usage/keys"), 200);
    assert!(table.gate.platform.calls.borrow().contains(&"batch"));
}

#[test]
fn a_wrong_key_cursor_or_day_is_named() {
    let mut table = with_keys(0, 0);
    for query in ["", "?key=", "?key=a%20b", "?from=2026-01-01"] {
        let request = ask(&table.gate, "GET", &format!("usage{query}"));
        table.names(query, &request, "key");
    }
    let coming = testkit::token::date(testkit::token::now() + 2 * 86_400);
    // `YyE` is c!, `eA` is x, `Yw` is c and no id.
    for cursor in ["YyE", "eA", "Yw", "*", "_w"] {
        let request = ask(&table.gate, "GET", &format!("usage/keys?cursor={cursor}"));
        table.names(cursor, &request, "cursor");
    }
    let bad = ["", "today", "2026-13-01", "2026-02-30", "2026-1-1", "2026-01-01T00:00:00Z"];
    let fields = ["from", "to"].into_iter();
    let mut cases: Vec<_> =
        fields.flat_map(|field| bad.map(|bad| (format!("{field}={bad}"), Some(field)))).collect();
    for (query, field) in [
        ("from=2026-11-02&to=2026-11-01", Some("from")),
        ("from=2025-01-01&to=2026-11-01", Some("from")),
        ("from=0001-01-01&to=9999-12-31", Some("from")),
        (&format!("from={coming}"), Some("from")),
        ("from=2026-03-01&to=2026-03-01", None),
        ("from=2025-03-01&to=2026-03-01", None),
        ("from=2024-02-29&to=2024-03-01", None),
    ] {
        cases.push((query.to_owned(), field));
    }
    for (query, field) in cases {
        for path in ["usage/keys?".to_owned(), format!("usage?key={KEY}&")] {
            let request = ask(&table.gate, "GET", &format!("{path}{query}"));
            match field {
                Some(field) => table.names(&query, &request, field),
                None => table.answered(&query, &request, 200),
            };
        }
    }
}

#[test]
fn without_a_ledger_or_its_answer_there_is_no_page() {
    let mut table = check(admin);
    let request = ask(&table.gate, "GET", "usage/keys");
    table.refused("no ledger", &request, 503, "feature-unavailable");
    let mut table = with_keys(0, 0);
    let request = ask(&table.gate, "GET", "usage/keys");
    table.gate.platform.silent.set("ledgers");
    table.refused("a silent one", &request, 503, "feature-unavailable");
    table.gate.platform.silent.set("");
    for rows in ["", "{}", r#"{"error":"broken"}"#, "null"] {
        table.gate.platform.rows.set(rows);
        table.refused(rows, &request, 503, "feature-unavailable");
        let one = ask(&table.gate, "GET", &format!("usage?key={KEY}"));
        table.refused(rows, &one, 503, "feature-unavailable");
    }
}
