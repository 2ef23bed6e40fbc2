//! Rates (contract, sections 2, 4 and 6): counted by key, and where anybody may send it by address too; after everything
//! that costs nothing, before everything that costs more.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::logs::Line;

const OVER: (u16, &str) = (429, "rate-limited");

fn limited(setup: Setup) -> Setup {
    setup
        .site(json!({"rate": "standard", "schemes": ["session", "signature"], "paths": ["/posts"]}))
        .limiter("RATE_STANDARD")
}

fn post(table: &Check, id: &str) -> Request {
    Request::post("/posts").bearer(&table.gate.session_of(id).mint())
}

/// As what requests were counted until this answer.
fn counted(table: &Check, last: &testkit::client::Response) -> Vec<String> {
    table.gate.logs.audit(&last.request_id());
    table.gate.logs.until("what was counted", |lines| {
        let lines = lines.iter().filter_map(Line::json);
        let counted = lines.filter(|line| line["event"] == "counted");
        Some(counted.map(|line| line["key"].as_str().unwrap_or_default().to_owned()).collect())
    })
}

#[test]
fn a_key_has_what_its_limiter_allows_and_no_more() {
    let mut table = Check::of(|setup| {
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
    let mut table = Check::of(limited);
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
    let mut table = Check::of(limited);
    let forged = Request::post("/posts").bearer(&table.gate.session().key("x").mint());
    table.refused("forged", &forged, 401, "signature-invalid");
    let elsewhere = Request::post("/other").bearer(&table.gate.bearer());
    table.refused("not its path", &elsewhere, 403, "path-denied");
    let signed = table.gate.signature().sign(Request::post("/posts"));
    let changed = signed.body("other");
    let last = table.refused("another body", &changed, 401, "digest-mismatch");
    let seen = counted(&table, &last);
    table.that(seen == [KEY], || format!("{seen:?}"));
}

#[test]
fn a_public_key_is_counted_by_address_too() {
    let mut table = Check::of(|setup| {
        let key = json!({"rate": "standard", "schemes": ["public-key"], "paths": ["/*"],
            "allowed_ips": ["0.0.0.0/0", "::/0"]});
        setup.site(key).limiter("RATE_STANDARD")
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
}

#[test]
fn a_limiter_that_is_missing_or_fails_closes_its_keys() {
    let closed = (503, "feature-unavailable");
    let mut table = Check::of(|setup| {
        limited(setup)
            .key(json!({"id": "pk_missing", "rate": "other"}))
            .key(json!({"id": "fails", "rate": "standard"}))
            .key(json!({"id": "hangs", "rate": "standard"}))
    });
    for (id, named) in
        [("pk_missing", "RATE_OTHER"), ("fails", "RATE_STANDARD"), ("hangs", "RATE_STANDARD")]
    {
        table.refused(id, &post(&table, id), closed.0, closed.1);
        table.gate.logs.until("a line about the limiter", |lines| {
            let mut own = lines.iter().filter(|line| line.is_event("feature_unavailable"));
            own.any(|line| line.text.contains(named) && line.text.contains(id)).then_some(())
        });
    }
    table.passes("another key", &post(&table, KEY));
}
