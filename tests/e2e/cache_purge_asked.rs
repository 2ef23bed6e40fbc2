//! Requests for a purge, and their callers (docs/wire-contract.md, sections 7 and 8). A refused one purges nothing.

use serde_json::json;
use testkit::cache::{counting, get};
use testkit::check::Check;
use testkit::client::Request;

use crate::cache_purge::{filled, purge, routes, start};
use crate::usage::ADMIN;

#[test]
fn only_an_admin_purges() {
    let mut table = start();
    let kept = get(&table.gate, "/cms/a");
    filled(&table, "kept", &kept);
    let body = json!({"route": "/cms/*"}).to_string();
    let with = |token: &str| Request::post("/_gate/purge").bearer(token).body(body.as_str());
    let plain = Request::post("/_gate/purge").body(body.as_str());
    for (what, request, status, code) in [
        ("nobody", plain.clone(), 401, "credential-missing"),
        ("another key", with(&table.gate.bearer()), 403, "path-denied"),
        (
            "a forged session",
            with(&table.gate.session_of(ADMIN).key("x").mint()),
            401,
            "signature-invalid",
        ),
        (
            "a session for elsewhere",
            with(&table.gate.session_of(ADMIN).claim("paths", json!(["/_gate/keys"])).mint()),
            403,
            "path-denied",
        ),
        (
            "a query",
            Request::post(&format!("/_gate/purge?key={ADMIN}")).body(body.as_str()),
            401,
            "credential-missing",
        ),
        ("below it", Request::post("/_gate/purge/x").body(body.as_str()), 404, "no-route"),
    ] {
        table.refused(what, &request, status, code);
    }
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = Request::new(method, "/_gate/purge").send(&table.gate);
        let right = answer.status == 405 && answer.header("allow").as_deref() == Some("POST");
        table.that(right, || format!("{method}: {answer}"));
    }
    table.hit("kept", &kept);
    let narrowed =
        with(&table.gate.session_of(ADMIN).claim("paths", json!(["/_gate/purge"])).mint());
    let answer = narrowed.send(&table.gate);
    table.that(answer.status == 200, || answer.to_string());
    table.miss("purged", &kept);
}

#[test]
fn a_purge_of_nothing_is_refused_and_names_its_field() {
    let mut table = start();
    let kept = get(&table.gate, "/cms/a");
    filled(&table, "kept", &kept);
    let session = table.gate.session_of(ADMIN).mint();
    for (body, field) in [
        ("", "body"),
        ("nonsense", "body"),
        ("[]", "body"),
        ("null", "body"),
        ("\"/cms/*\"", "body"),
        ("{\"route\":\"/cms/*\"", "body"),
        ("{\"route\":\"/cms/*\",\"route\":\"/img/*\"}", "body"),
        ("{}", "route"),
        ("{\"route\":null}", "route"),
        ("{\"route\":[\"/cms/*\"]}", "route"),
        ("{\"route\":\"\"}", "route"),
        ("{\"route\":\"/cms\"}", "route"),
        ("{\"route\":\"/cms/a\"}", "route"),
        ("{\"route\":\"/*\"}", "route"),
        ("{\"route\":\"/plain/*\"}", "route"),
        ("{\"url\":7}", "url"),
        ("{\"url\":\"\"}", "url"),
        ("{\"url\":\"cms/a\"}", "url"),
        ("{\"url\":\"/plain/a\"}", "url"),
        ("{\"url\":\"/nowhere\"}", "url"),
        ("{\"url\":\"/cms/../a\"}", "url"),
        ("{\"url\":\"/cms//a\"}", "url"),
        ("{\"url\":\"/cms/%2e%2e/a\"}", "url"),
        ("{\"url\":\"/_gate/health\"}", "url"),
        ("{\"route\":\"/cms/*\",\"url\":\"/cms/a\"}", "url"),
        ("{\"route\":\"/cms/*\",\"all\":true}", "all"),
        ("{\"urls\":[\"/cms/a\"]}", "urls"),
    ] {
        let request = Request::post("/_gate/purge").bearer(&session).body(body);
        let answer = table.refused(body, &request, 400, "bad-request");
        let problem = answer.json();
        let hinted = problem["hint"].as_str().is_some_and(|hint| hint.len() > 3);
        table.that(hinted && problem["field"] == field, || {
            format!("{body}: expected {field}, got {problem}")
        });
    }
    let padding = " ".repeat(1 << 20);
    let large = Request::post("/_gate/purge")
        .bearer(&session)
        .body(format!("{{\"route\":\"/cms/*\"}}{padding}"));
    table.refused("too large", &large, 413, "body-too-large");
    table.hit("kept", &kept);
}

#[test]
fn a_purge_that_the_cache_does_not_take_is_not_said_to_be_one() {
    for reply in ["throws", "fails", "hangs", "full"] {
        let mut table =
            Check::before(counting(|_, reply| reply), |setup| routes(setup).cache_that(reply));
        let request = purge(&table.gate, &json!({"route": "/cms/*"}));
        table.refused(reply, &request, 503, "feature-unavailable");
    }
}
