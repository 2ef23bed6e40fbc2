//! Rates (docs/wire-contract.md, sections 2, 4 and 6): counted by key, and where anybody may send it by address too;
//! after everything that costs nothing, before everything that costs more.

use crate::native::{Check, check};
use serde_json::json;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};

const OVER: (u16, &str) = (429, "rate-limited");

fn limited(setup: Setup) -> Setup {
    setup
        .site(json!({"rate": "standard", "schemes": ["session", "signature"], "paths": ["/posts"]}))
        .limiter("RATE_STANDARD")
}

fn post(table: &Check, id: &str) -> Request {
    Request::post("/posts").bearer(&table.gate.session_of(id).mint())
}

#[test]
fn a_key_has_what_its_limiter_allows_and_no_more() {
    let mut table = check(|setup| {
        limited(setup)
            .env("RATES", json!({"standard": {"limit": 3, "period": 10}}))
            .key(json!({"id": "pk_other", "rate": "standard"}))
            .key(json!({"id": "pk_free"}))
    });
    for _ in 0..3 {
        table.passes("within", &post(&table, KEY));
    }
    for _ in 0..2 {
        let over = table.refused("over", &post(&table, KEY), OVER.0, OVER.1);
        for (name, value) in [("retry-after", "10"), ("ratelimit-policy", "\"standard\";q=3;w=10")]
        {
            table.that(over.header(name).as_deref() == Some(value), || over.to_string());
        }
    }
    table.passes("another key", &post(&table, "pk_other"));
    for _ in 0..5 {
        table.passes("without a rate", &post(&table, "pk_free"));
    }
}

#[test]
fn what_the_limiter_is_set_to_need_not_be_said() {
    let mut table = check(limited);
    for _ in 0..3 {
        table.passes("within", &post(&table, KEY));
    }
    let over = table.refused("over", &post(&table, KEY), OVER.0, OVER.1);
    for (name, value) in [("retry-after", "60"), ("ratelimit-policy", "\"standard\"")] {
        table.that(over.header(name).as_deref() == Some(value), || over.to_string());
    }
}

#[test]
fn a_request_that_is_refused_counts_only_where_its_key_is_proven() {
    let mut table = check(limited);
    let forged = Request::post("/posts").bearer(&table.gate.session().key("x").mint());
    table.refused("forged", &forged, 401, "signature-invalid");
    let elsewhere = Request::post("/other").bearer(&table.gate.bearer());
    table.refused("not its path", &elsewhere, 403, "path-denied");
    let signed = table.gate.signature().sign(Request::post("/posts"));
    let changed = signed.body("other");
    table.refused("another body", &changed, 401, "digest-mismatch");
    let counted = table.gate.platform.counted();
    table.that(counted == [(KEY.to_owned(), 1)].into(), || format!("{counted:?}"));
}

#[test]
fn a_public_key_is_counted_by_address_too() {
    let mut table = check(|setup| {
        let key = json!({"rate": "standard", "schemes": ["public-key"], "paths": ["/*"],
            "allowed_ips": ["0.0.0.0/0", "::/0"]});
        setup.site(key).limiter("RATE_STANDARD").ledger()
    });
    let from = |address: &str| {
        let get = Request::get("/img").header("X-Public-Key", KEY);
        get.header("CF-Connecting-IP", address)
    };
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
        for _ in 0..3 {
            table.passes(address, &from(address));
        }
    }
    table.refused("the same", &from("192.0.2.1"), OVER.0, OVER.1);
    table.refused("the same /64", &from("2001:db8:0:1:9::9"), OVER.0, OVER.1);
    table.passes("another", &from("192.0.2.3"));
    let usage: Vec<_> = table.gate.usage(KEY).iter().map(|row| row[2].clone()).collect();
    table.that(usage == [13, 2], || format!("counted: {usage:?}"));
}
