//! The key that a route names for WAF-token URLs, and the gate without `WAF_SECRET`.

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::logs::Line;
use testkit::token::{fresh, now};

use super::{link, waf, with_links};
use crate::native::check;

#[test]
fn the_route_may_name_the_key() {
    let (mut table, secret) = waf(|setup| {
        with_links(setup, &json!({"schemes": ["waf-url", "session"]}))
            .key(json!({"id": "pk_two", "schemes": ["waf-url"], "paths": ["/waf/two/*"]}))
            .route("/waf/*", json!({"waf_key": KEY}))
            .route("/plain/*", json!({}))
    });
    let signed = |text: &str| Request::get(&link(&secret, text, now()));
    for (text, arrives) in [
        ("/waf/x", "/x"),
        ("/waf/x?a=1&b", "/x?a=1&b"),
        ("/waf/x?exp=2&a=key=pk_two", "/x?exp=2&a=key=pk_two"),
        // A key in the query comes before the route's.
        ("/waf/two/x?key=pk_two", "/two/x"),
        ("/plain/x?key=pk_site", "/x"),
    ] {
        table.passes(text, &signed(text));
        let seen = table.upstream.last().target;
        table.that(seen == arrives, || format!("{text} arrived as {seen}"));
    }
    let two = signed("/waf/x?key=pk_two");
    table.refused("the query's key, not the route's", &two, 403, "path-denied");
    let unknown = signed("/waf/x?key=pk_none");
    table.refused("an unknown key", &unknown, 401, "key-unknown");

    let sig = signed("/waf/x?sig=1");
    table.refused("sig beside verify", &sig, 400, "bad-credential");

    // Without `verify` nothing there is a credential; without a key, `verify` is not one either.
    let session = table.gate.bearer();
    let target = link(&secret, "/plain/x", now());
    for target in ["/waf/x", "/waf/x?a=1", "/waf/x?sig=1&exp=2", &target] {
        let request = Request::get(target);
        table.refused(target, &request, 401, "credential-missing");
        table.passes(target, &request.bearer(&session));
        let seen = table.upstream.last().target;
        let arrives = target.trim_start_matches("/waf").trim_start_matches("/plain");
        table.that(seen == arrives, || format!("{target} arrived as {seen}"));
    }
    for target in ["/waf/x?verify", "/waf/x?verify=1&a=1", "/waf/x?verify=1&verify=2"] {
        table.refused(target, &Request::get(target), 400, "bad-credential");
    }
}

#[test]
fn a_link_is_good_on_every_host() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    let request = Request::get(&link(&secret, "/x?key=pk_site", now()));
    for host in ["gate.example", "Other.Example", "gate.example:8080", "127.0.0.1"] {
        table.passes(host, &request.clone().header("Host", host));
    }
    let empty = Request::get(&link(&secret, "/x?key=", now()));
    table.refused_as_any("an empty id", &empty, &[(400, "bad-credential"), (401, "key-unknown")]);
}

#[test]
fn the_key_that_a_route_names_may_be_the_only_one() {
    let (mut table, secret) = waf(|setup| {
        with_links(setup, &json!({"schemes": ["waf-url", "session", "signature"]}))
            .key(json!({"id": "pk_two"}))
            .route("/waf/*", json!({"waf_key": KEY}))
    });
    let link = Request::get(&link(&secret, "/waf/x", now()));
    let with = |id: &str| link.clone().header("X-Public-Key", id);
    table.passes("its link", &link);
    table.passes("its public key", &with(KEY));
    let session = link.clone().bearer(&table.gate.bearer());
    for (what, request) in [("another public key", with("pk_two")), ("a session", session)] {
        table.refused(what, &request, 400, "ambiguous-credential");
    }
}

#[test]
fn without_the_secret_no_link_is_good() {
    let mut table = check(|setup| {
        with_links(setup, &json!({"schemes": ["waf-url", "session"]}))
            .route("/*", json!({}))
            .route("/waf/*", json!({"waf_key": KEY}))
            .without("WAF_SECRET")
    });
    for text in ["/x?key=pk_site", "/waf/x"] {
        for secret in [fresh(), String::from("x")] {
            let target = link(&secret, text, now());
            let request = Request::get(&target);
            let answer = table.refused(&target, &request, 503, "feature-unavailable");
            let logged = table.gate.logs.audit(&answer.request_id());
            assert_eq!(logged["code"], "feature-unavailable");
        }
    }
    table.gate.logs.until("line about WAF_SECRET", |lines| {
        let about =
            |line: &Value| line["event"] != "request" && line.to_string().contains("WAF_SECRET");
        lines.iter().filter_map(Line::json).any(|line| about(&line)).then_some(())
    });
    let shapeless = Request::get("/x?key=pk_site&verify=1");
    table.refused("shape comes first", &shapeless, 400, "bad-credential");
    let session = Request::get("/x").bearer(&table.gate.bearer());
    table.passes("a session needs none", &session);
}
