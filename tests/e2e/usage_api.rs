//! `GET /_gate/usage` (docs/wire-contract.md, section 7): who may read what, and what there is without a ledger.

use serde_json::json;
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::gate::{KEY, Setup};
use testkit::token::fresh;

use crate::usage::{Counts, admin, only, rows, settles, with_ledger};
use testkit::bound::Bound;

const SITE: &str = "https://www.example.com";

fn own(query: &str) -> Request {
    Request::get(&format!("/_gate/usage{query}"))
}

/// Returns the gate's own answers, without the upstream.
pub(crate) fn local_answer(table: &mut Check, what: &str, request: &Request) -> Response {
    let before = table.upstream.seen().len();
    let answer = request.send(&table.gate);
    let untouched = table.upstream.seen().len() == before;
    table.that(answer.status == 200 && untouched, || format!("{what}: {answer}"));
    answer
}

#[test]
fn an_admin_reads_any_key_and_others_their_own() {
    let mut table = Check::of(|setup| {
        with_ledger(setup.site(
            json!({"schemes": ["session", "signature", "url", "public-key"], "methods": ["POST"],
            "paths": ["/posts"], "allowed_origins": [SITE]}),
        ))
        .key(json!({"id": "pk_other"}))
    });
    let posted = Request::post("/posts").bearer(&table.gate.bearer()).origin(SITE);
    table.passes("a request", &posted);
    settles(&table.gate, KEY, &only("forwarded", 1, 7, 4));

    let request = admin(&table.gate, &format!("usage?key={KEY}"));
    let expected = local_answer(&mut table, "an admin", &request).json()["rows"].clone();
    let bound = Bound::new(&table.gate.signing_secret, KEY);
    let of_key = table.gate.signature();
    // Its methods and paths are those of routes; its origins are not.
    let from = |request: Request| request.origin(SITE);
    for (what, request) in [
        ("its session", from(own("").bearer(&table.gate.bearer()))),
        ("by name", from(own(&format!("?key={KEY}")).bearer(&table.gate.bearer()))),
        ("its signature", of_key.sign(from(own("")))),
        ("its bound session", bound.sign(from(own("")))),
        (
            "with parameters that mean nothing here",
            from(own("?x=1&exp=1&sig=x&verify=1").bearer(&table.gate.bearer())),
        ),
    ] {
        let answer = local_answer(&mut table, what, &request);
        table.that(answer.json()["rows"] == expected, || format!("{what}: {answer}"));
    }

    let denied = (403, "path-denied");
    let minted = table.gate.session().claim("origin", SITE).mint();
    for (what, request, (status, code)) in [
        ("another's", from(own("?key=pk_other").bearer(&table.gate.bearer())), denied),
        ("nobody's", from(own("?key=pk_nobody").bearer(&table.gate.bearer())), denied),
        ("another's, by a signature", of_key.sign(from(own("?key=pk_other"))), denied),
        ("a minted session", from(own("").bearer(&minted)), denied),
        (
            "another origin",
            own("").bearer(&table.gate.bearer()).origin("https://evil.example"),
            (403, "origin-denied"),
        ),
        ("no credential", own(""), (401, "credential-missing")),
        (
            "a query is not a credential",
            from(own(&format!("?key={KEY}"))),
            (401, "credential-missing"),
        ),
        (
            "a forged session",
            from(own("").bearer(&table.gate.session().key(&fresh()).mint())),
            (401, "signature-invalid"),
        ),
    ] {
        table.refused(what, &request, status, code);
    }
    let bare = from(own("")).header("X-Public-Key", KEY);
    table.refused("a public key alone", &bare, denied.0, denied.1);
    // Of another key, which has had nothing.
    let other = own("").bearer(&table.gate.session_of("pk_other").mint());
    let answer = local_answer(&mut table, "another key", &other);
    table.that(rows(&answer).is_empty(), || answer.to_string());
}

#[test]
fn the_claims_of_a_session_hold_for_usage_too() {
    let mut table =
        Check::of(|setup| with_ledger(setup.site(json!({"allowed_ips": ["192.0.2.1"]}))));
    let session = table.gate.session();
    let with = |name: &str, value: serde_json::Value, address: &str| {
        let token = session.clone().claim(name, value).mint();
        own("").bearer(&token).header("CF-Connecting-IP", address)
    };
    let there = "192.0.2.1";
    local_answer(&mut table, "its path", &with("paths", json!(["/_gate/usage"]), there));
    local_answer(&mut table, "its method", &with("methods", json!(["GET"]), there));
    for (what, request, code) in [
        ("not its path", with("paths", json!(["/posts"]), there), "path-denied"),
        ("not its method", with("methods", json!(["POST"]), there), "method-denied"),
        ("not its address", with("sub", json!("a"), "192.0.2.2"), "ip-denied"),
    ] {
        table.refused(what, &request, 403, code);
    }
}

#[test]
fn a_key_of_the_registry_has_usage_too() {
    let mut table = Check::of(|setup| {
        with_ledger(setup.site(json!({})))
            .registered(json!({"id": "customer.17"}))
            .registered(json!({"id": "customer.18", "version": 1, "revoked": true}))
    });
    let session = table.gate.session_of("customer.17").mint();
    table.passes("a request", &Request::post("/posts").bearer(&session));
    settles(&table.gate, "customer.17", &only("forwarded", 1, 7, 4));
    let answer = local_answer(&mut table, "its own", &own("").bearer(&session));
    table.that(rows(&answer).len() == 1, || answer.to_string());
    // What a revoked key has had is still the operator's to see.
    settles(&table.gate, "customer.18", &Counts::new());
    let unknown = admin(&table.gate, "usage?key=customer.19");
    table.refused("no such key", &unknown, 404, "no-route");
}

#[test]
fn the_answer_is_json_that_nobody_keeps_and_the_methods_are_those_of_a_reading() {
    let mut table = Check::of(|setup| with_ledger(setup.site(json!({}))));
    let request = admin(&table.gate, &format!("usage?key={KEY}"));
    let answer = local_answer(&mut table, "GET", &request);
    for (name, value) in [("content-type", "application/json"), ("cache-control", "no-store")] {
        table.that(answer.header(name).as_deref() == Some(value), || answer.to_string());
    }
    table.that(answer.json() == json!({"rows": []}), || answer.to_string());
    let mut head = request.clone();
    head.method = "HEAD".into();
    let answer = local_answer(&mut table, "HEAD", &head);
    table.that(answer.body.is_empty(), || answer.to_string());
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        // Before any credential is looked at.
        let request = Request::new(method, "/_gate/usage");
        let answer = table.refused(method, &request, 405, "method-not-allowed");
        table.that(answer.header("allow").as_deref() == Some("GET, HEAD"), || answer.to_string());
    }
    table.refused("below it", &Request::get("/_gate/usage/x"), 404, "no-route");
}

#[test]
fn without_a_ledger_there_is_no_usage_and_nothing_else_is_missing() {
    let mut table =
        Check::of(|setup| setup.site(json!({})).key(json!({"id": "pk_admin", "admin": true})));
    let unavailable = (503, "feature-unavailable");
    let request = admin(&table.gate, &format!("usage?key={KEY}"));
    table.refused("an admin", &request, unavailable.0, unavailable.1);
    let by_key = own("").bearer(&table.gate.bearer());
    table.refused("the key itself", &by_key, unavailable.0, unavailable.1);
    table.refused("nobody", &own(""), 401, "credential-missing");
    table.passes("a route", &Request::post("/x").bearer(&table.gate.bearer()));
}

#[test]
fn a_ledger_that_fails_has_no_usage_to_tell() {
    for source in [
        "export class Broken { fetch() { throw new Error('broken'); } } export default {};",
        "export class Broken { fetch() { return new Response('no', { status: 500 }); } } export default {};",
        "export class Broken { fetch() { return new Response('nonsense'); } } export default {};",
        "export class Broken { fetch() { return Response.json({}); } } export default {};",
        "export class Broken { fetch() { return new Promise(() => setTimeout(() => {}, 1e9)); } } export default {};",
    ] {
        let mut table =
            Check::of(|setup: Setup| with_ledger(setup.site(json!({}))).ledger_by(source));
        table.passes("a route", &Request::post("/x").bearer(&table.gate.bearer()));
        let request = admin(&table.gate, &format!("usage?key={KEY}"));
        table.refused(source, &request, 503, "feature-unavailable");
    }
}
