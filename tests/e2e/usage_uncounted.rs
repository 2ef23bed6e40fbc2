//! The requests that are counted against no key (docs/wire-contract.md, sections 2 and 4): whatever comes before a
//! good credential.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::provocations;
use testkit::token::{fresh, now};
use testkit::upstream::Upstream;

use crate::usage::{Counts, add, admin, only, settles, with_ledger};
use crate::usage_outcomes::{SITE, ledger, upstream};

#[test]
fn what_comes_before_a_good_credential_counts_nowhere() {
    let mut table = Check::before(upstream(), |setup| {
        ledger(setup.route("/x", json!({"methods": ["GET", "POST"]})))
            .key(json!({"id": "pk_over", "expires": "2020-01-01T00:00:00Z"}))
    });
    let good = table.gate.bearer();
    let session = table.gate.session();
    for (what, request, status, code) in [
        ("no credential", Request::get("/x"), 401, "credential-missing"),
        (
            "a bad MAC",
            Request::get("/x").bearer(&session.clone().key(&fresh()).mint()),
            401,
            "signature-invalid",
        ),
        (
            "over",
            Request::get("/x").bearer(&session.claim("exp", now() - 10).mint()),
            401,
            "session-expired",
        ),
        ("no route", Request::get("/y").bearer(&good), 404, "no-route"),
        ("no path", Request::get("/x/../x").bearer(&good), 400, "bad-path"),
        (
            "not the route's method",
            Request::new("PUT", "/x").bearer(&good),
            405,
            "method-not-allowed",
        ),
        (
            "an expired key",
            Request::get("/x").bearer(&table.gate.session_of("pk_over").mint()),
            401,
            "key-expired",
        ),
    ] {
        table.refused(what, &request, status, code);
    }
    let preflight =
        Request::new("OPTIONS", "/x").origin(SITE).header("Access-Control-Request-Method", "POST");
    assert_eq!(preflight.send(&table.gate).status, 204);
    // The gate's own paths neither, and so not this asking either.
    let own = Request::get("/_gate/usage").bearer(&good);
    for _ in 0..3 {
        own.send(&table.gate).passed();
    }
    admin(&table.gate, "usage?key=pk_admin").send(&table.gate).passed();
    table.passes("the one that counts", &Request::get("/x").bearer(&good));
    settles(&table.gate, KEY, &only("forwarded", 1, 0, 4));
    for id in ["pk_over", "pk_admin"] {
        settles(&table.gate, id, &Counts::new());
    }
}

#[test]
fn a_bare_public_key_counts_once_its_policy_let_it_pass() {
    let mut table = Check::before(upstream(), |setup| {
        let key = json!({"schemes": ["public-key"], "paths": ["/x"], "allowed_origins": [SITE], "allowed_ips": ["192.0.2.1"],
            "rate": "standard"});
        with_ledger(setup.site(key)).limiter("RATE_STANDARD")
    });
    let with = |method: &str, path: &str, origin: &str, address: &str| {
        let request = Request::new(method, path).header("X-Public-Key", KEY);
        request.origin(origin).header("CF-Connecting-IP", address)
    };
    let (there, other) = ("192.0.2.1", "192.0.2.2");
    for (what, request, code) in [
        ("origin", with("GET", "/x", "https://evil.example", there), "origin-denied"),
        ("address", with("GET", "/x", SITE, other), "ip-denied"),
        ("path", with("GET", "/y", SITE, there), "path-denied"),
        ("method", with("DELETE", "/x", SITE, there), "method-denied"),
    ] {
        table.refused(what, &request, 403, code);
    }
    for _ in 0..3 {
        table.passes("within its rate", &with("GET", "/x", SITE, there));
    }
    let over = table.refused("over", &with("GET", "/x", SITE, there), 429, "rate-limited");
    let mut expected = only("forwarded", 3, 0, 12);
    add(&mut expected, "refused", 1, 0, over.body.len());
    settles(&table.gate, KEY, &expected);
}

/// Whatever can be refused: the audit line tells whether, as what, and with how many bytes it counts.
#[test]
fn usage_and_audit_lines_agree_for_every_code() {
    let upstream = Upstream::answering(provocations::reply);
    let gate = with_ledger(provocations::setup(Setup::to(&upstream))).start();
    let mut expected = BTreeMap::<String, Counts>::new();
    // Making them forwards one.
    add(expected.entry("pk_nonce".into()).or_default(), "forwarded", 1, 7, 0);
    for (_, code, request) in provocations::provocations(&gate) {
        let answer = request.send(&gate);
        let line = gate.logs.audit(&answer.request_id());
        if line["verified"] == false {
            continue;
        }
        let key = line["key"].as_str().unwrap_or_else(|| panic!("{code}: {line}"));
        let outcome = line["outcome"].as_str().unwrap();
        let bytes_in = request.body.as_ref().map_or(0, Vec::len);
        add(expected.entry(key.into()).or_default(), outcome, 1, bytes_in, answer.body.len());
    }
    for (key, counts) in &expected {
        settles(&gate, key, counts);
    }
    for key in ["pk_revoked", "pk_expired", "pk_link"] {
        assert!(!expected.contains_key(key), "{key}");
        settles(&gate, key, &Counts::new());
    }
}
