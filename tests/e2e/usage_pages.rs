//! `GET /_gate/usage/keys` (docs/wire-contract.md, section 7) on the platform's own KV pages and objects: the sums are those of
//! `GET /_gate/usage`, and a page costs no more subrequests than a request has on the Free plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{Gate, KEY, Setup};
use testkit::upstream::Upstream;

use crate::spent::{Spent, mark, spent};
use crate::usage::{admin, only, rows, settles, with_ledger};

/// Most keys of a page.
const PAGE: usize = 24;
/// Keys of the registry: not a whole number of pages.
const KEYS: usize = 130;

fn id(number: usize) -> String {
    format!("customer.{number:03}")
}

fn registered(setup: Setup, keys: usize) -> Setup {
    (0..keys).fold(setup, |setup, number| setup.registered(json!({"id": id(number)})))
}

/// Returns the pages of one listing, and the rows of each key.
fn pages(gate: &Gate, period: &str) -> (usize, BTreeMap<String, Vec<Value>>) {
    let (mut count, mut all) = (0, BTreeMap::new());
    let mut cursor = String::new();
    loop {
        let page = admin(gate, &format!("usage/keys?{period}&cursor={cursor}")).send(gate);
        let page = page.passed().json();
        count += 1;
        for key in page["keys"].as_array().unwrap() {
            let id = key["id"].as_str().unwrap().to_owned();
            let twice = all.insert(id, key["rows"].as_array().unwrap().clone());
            assert!(twice.is_none(), "{key} is on two pages");
        }
        match page["cursor"].as_str() {
            None => return (count, all),
            Some(next) => next.clone_into(&mut cursor),
        }
    }
}

#[test]
fn the_sums_are_those_key_by_key() {
    let mut table = Check::of(|setup| registered(with_ledger(setup.site(json!({}))), KEYS));
    let used: Vec<String> = (0..KEYS).step_by(7).map(id).chain([KEY.to_owned()]).collect();
    for (number, id) in used.iter().enumerate() {
        for _ in 0..=number % 3 {
            let session = table.gate.session_of(id).mint();
            table.passes(id, &Request::post("/posts").bearer(&session).body("x".repeat(number)));
        }
        let narrow = table.gate.session_of(id).claim("paths", json!(["/elsewhere"])).mint();
        table.refused(id, &Request::get("/posts").bearer(&narrow), 403, "path-denied");
    }
    // The last of them are not sent yet: the page sends them.
    let (count, all) = pages(&table.gate, "");
    assert_eq!((count, all.len()), (1 + KEYS.div_ceil(PAGE), KEYS + 1));
    for (id, paged) in &all {
        let alone = admin(&table.gate, &format!("usage?key={id}")).send(&table.gate);
        assert_eq!(*paged, rows(&alone.passed()), "{id}");
        assert_eq!(paged.is_empty(), !used.contains(id), "{id}: {paged:?}");
    }
    let requests = all.values().flatten().map(|row| row["requests"].as_u64().unwrap()).sum::<u64>();
    let sent = (0..used.len()).map(|number| 2 + number % 3).sum::<usize>();
    assert_eq!(requests, u64::try_from(sent).unwrap());
    let (_, before) = pages(&table.gate, "from=2020-01-01&to=2020-12-31");
    assert!(before.values().all(Vec::is_empty) && before.len() == KEYS + 1);
}

#[test]
fn a_page_costs_a_list_and_a_read_of_each_key_and_writes_nothing() {
    let upstream = Upstream::start();
    let gate = registered(with_ledger(Setup::to(&upstream)), PAGE).counted().start();
    let cursor = admin(&gate, "usage/keys").send(&gate).passed().json()["cursor"].clone();
    let request = admin(&gate, &format!("usage/keys?cursor={}", cursor.as_str().unwrap()));
    let cost = || {
        // The lines of the requests before this one have arrived, too.
        gate.logs.audit(&request.send(&gate).passed().request_id());
        let from = mark(&gate);
        let answer = request.send(&gate).passed();
        assert_eq!(answer.json()["keys"].as_array().unwrap().len(), PAGE);
        gate.logs.audit(&answer.request_id());
        spent(&gate, from)
    };
    let unused = Spent { kv: 1, ledger: PAGE, lines: 1, ..Spent::default() };
    assert_eq!(cost(), unused);
    // What a key has used is sent first, and its ledger has rows from then on.
    let session = gate.session_of(&id(3)).mint();
    Request::post("/posts").bearer(&session).send(&gate).passed();
    settles(&gate, &id(3), &only("forwarded", 1, 7, 4));
    assert_eq!(cost(), unused);
}
