//! Keys of the registry (docs/wire-contract.md, sections 2 and 7): found beside those of the configuration, read
//! seldom, gone in time.

use std::time::Duration;

use serde_json::json;
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::gate::{Gate, KEY, Setup};
use testkit::logs::Line;
use testkit::poll::poll;
use testkit::token::fresh;

/// Longest time until a change counts, as the contract says it.
const BOUND: Duration = Duration::from_secs(90);

/// Returns the names that KV was asked for until this answer.
fn reads(gate: &Gate, last: &Response) -> Vec<String> {
    // Its own line comes after those of what it asked for.
    gate.logs.audit(&last.request_id());
    gate.logs.until("what was asked", |lines| {
        let lines = lines.iter().filter_map(Line::json);
        let reads = lines.filter(|line| line["event"] == "kv" && line["method"] == "GET");
        let names = reads.map(|line| line["name"].as_str().unwrap_or_default().to_owned());
        Some(names.collect())
    })
}

fn by(table: &Check, id: &str) -> Request {
    Request::post("/posts").bearer(&table.gate.session_of(id).mint())
}

fn registered(setup: Setup) -> Setup {
    setup
        .site(json!({}))
        .registered(json!({"id": "pk_narrow", "methods": ["PUT"]}))
        .registered(json!({"id": "customer.17", "version": 1, "schemes": ["session", "signature"]}))
        .registered(json!({"id": "pk_gone", "revoked": true}))
        // The configuration's own record wins.
        .registered(json!({"id": KEY, "methods": ["PUT"]}))
}

#[test]
fn a_key_of_the_registry_is_a_key_like_any_other() {
    let mut table = Check::of(registered);
    table.passes("of the registry", &by(&table, "customer.17"));
    table.passes("of the configuration", &by(&table, KEY));
    table.refused("its methods", &by(&table, "pk_narrow"), 403, "method-denied");
    table.refused("revoked", &by(&table, "pk_gone"), 401, "key-revoked");
    table.refused("of neither", &by(&table, "pk_nobody"), 401, "key-unknown");
    let signed = table.gate.signature_of("customer.17").sign(Request::post("/posts"));
    table.passes("a signature", &signed);
    let unknown = table.gate.signature_of("pk_nobody").sign(Request::post("/posts"));
    table.refused("a signature by nobody", &unknown, 401, "key-unknown");
    let narrow = table.gate.signature_of("pk_narrow").sign(Request::post("/posts"));
    table.refused("its schemes", &narrow, 401, "scheme-not-allowed");
}

#[test]
fn a_record_is_read_once_for_many_requests_and_so_is_an_absent_one() {
    let mut table = Check::of(registered);
    for _ in 0..20 {
        table.passes("there", &by(&table, "customer.17"));
        table.refused("not there", &by(&table, "pk_nobody"), 401, "key-unknown");
    }
    let last = table.passes("of the configuration", &by(&table, KEY));
    let reads = reads(&table.gate, &last);
    table.that(reads == ["key/customer.17", "key/pk_nobody"], || format!("{reads:?}"));
}

#[test]
fn a_registry_that_fails_closes_the_keys_that_only_it_may_know() {
    let mut table = Check::of(registered);
    for id in ["pk_fails", "pk_hangs"] {
        table.refused(id, &by(&table, id), 503, "feature-unavailable");
    }
    table.passes("of the configuration", &by(&table, KEY));
    table.passes("of the registry", &by(&table, "customer.17"));
}

#[test]
fn strangers_cannot_make_one_request_cost_many_reads() {
    let mut table = Check::of(registered);
    let labels: Vec<String> =
        (0..5).map(|number| format!("a{number}=(\"@method\");keyid=\"pk_{number}\"")).collect();
    let request = Request::post("/posts")
        .header("Signature-Input", &labels.join(", "))
        .header("Signature", "a0=:AA==:");
    let last = table.refused("five signers", &request, 400, "bad-credential");
    let reads = reads(&table.gate, &last);
    table.that(reads.is_empty(), || format!("{reads:?}"));
    let id = "x".repeat(129);
    let long = Request::post("/posts").header("X-Public-Key", &id);
    table.refused("a name too long", &long, 400, "bad-credential");
}

#[test]
fn a_revoked_key_stops_and_a_new_one_works_within_the_stated_bound() {
    let mut table = Check::of(registered);
    let late = fresh();
    table.passes("before", &by(&table, "customer.17"));
    table.refused("before", &by(&table, &late), 401, "key-unknown");
    let put = |record: serde_json::Value| {
        let name = format!("/key%2F{}", record["id"].as_str().unwrap_or_default());
        let put = Request::new("PUT", &name).body(record.to_string());
        put.send_to(table.gate.kv).passed();
    };
    put(json!({"id": "customer.17", "revoked": true}));
    put(json!({"id": late}));
    // A new key is asked for again in its time, and so is the revoked one; the gate's own memory is the bound here, for
    // this KV keeps no copies.
    poll(BOUND, || {
        let revoked = by(&table, "customer.17").send(&table.gate).code() == "key-revoked";
        let known = by(&table, &late).send(&table.gate).status == 200;
        match revoked && known {
            true => Ok(()),
            false => Err(format!("revoked: {revoked}, known: {known}")),
        }
    });
}
