//! The lifetime of a signature (docs/wire-contract.md, section 3).

use serde_json::json;
use testkit::client::Request;
use testkit::token::now;

use crate::native::{Check, check};
use crate::signatures::start;
use testkit::bound::{INCOMPLETE, STALE, refused};

#[test]
fn a_signature_is_young_and_not_from_the_future() {
    let mut table = start();
    let created = |table: &Check, at: u64| table.gate.signature().param("created", at);
    let time = now();
    for (what, at) in [("now", time), ("a while ago", time - 200), ("within the skew", time + 30)] {
        let request = created(&table, at).sign(Request::get("/x"));
        table.passes(what, &request);
    }
    for (what, at) in [
        ("too old", time - 400),
        ("ancient", 0),
        ("beyond the skew", time + 3_000),
        ("in an age", 999_999_999_999_999),
    ] {
        let request = created(&table, at).sign(Request::get("/x"));
        refused(&mut table, what, request, STALE);
    }
    let negative = table.gate.signature().param("created", "-1");
    refused(&mut table, "before 1970", negative.sign(Request::get("/x")), STALE);
    let never = table.gate.signature().without("created");
    refused(&mut table, "no created", never.sign(Request::get("/x")), INCOMPLETE);
    let only_expires = never.param("expires", time + 100);
    let request = only_expires.sign(Request::get("/x"));
    refused(&mut table, "expires instead of created", request, INCOMPLETE);
}

#[test]
fn the_skew_excuses_only_the_future() {
    let mut table =
        check(|setup| setup.site(json!({"schemes": ["signature"]})).env("CLOCK_SKEW", 300));
    let time = now();
    let by = |table: &Check, name: &str, at: u64| {
        let signature = table.gate.signature().param(name, at);
        signature.sign(Request::get("/x"))
    };
    let ahead = by(&table, "created", time + 200);
    table.passes("ahead by less", &ahead);
    let ahead = by(&table, "created", time + 3_000);
    refused(&mut table, "ahead by more", ahead, STALE);
    let old = by(&table, "created", time - 400);
    refused(&mut table, "older than the limit", old, STALE);
    for at in [time, time - 1, 1, 0] {
        let over = by(&table, "expires", at);
        refused(&mut table, &format!("expires {at}"), over, STALE);
    }
    for at in [time + 300, time + 999_999] {
        let lasting = by(&table, "expires", at);
        table.passes(&format!("expires {at}"), &lasting);
    }
    let mut exact =
        check(|setup| setup.site(json!({"schemes": ["signature"]})).env("CLOCK_SKEW", 0));
    let present = by(&exact, "created", now());
    exact.passes("no skew, now", &present);
    let future = by(&exact, "created", now() + 1_000);
    refused(&mut exact, "no skew, ahead", future, STALE);
}
