//! The key and the route of a WAF-token URL, the parameters allowed beside it, and which of two faults is reported.

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::logs::Line;
use testkit::token::{fresh, now};

use super::{link, waf, with_links};
use crate::native::check;

const SITE: &str = "https://www.example.com";

#[test]
fn a_link_needs_a_good_key_that_takes_links() {
    let (mut table, secret) = waf(|setup| {
        with_links(setup, &json!({}))
            .key(json!({"id": "pk_both", "schemes": ["session", "waf-url"]}))
            .key(json!({"id": "pk_session"}))
            .key(json!({"id": "pk_others", "schemes": ["session", "signature", "url"]}))
            .key(json!({"id": "pk_revoked", "schemes": ["waf-url"], "revoked": true}))
            .key(
                json!({"id": "pk_over", "schemes": ["waf-url"], "expires": "2020-01-01T00:00:00Z"}),
            )
            .key(
                json!({"id": "pk_nonce", "schemes": ["waf-url", "signature"], "nonce": "required"}),
            )
    });
    let of = |id: &str| Request::get(&link(&secret, &format!("/x?key={id}"), now()));
    table.passes("links alone", &of(KEY));
    table.passes("links too", &of("pk_both"));
    for (id, code) in [
        ("pk_none", "key-unknown"),
        ("pk_revoked", "key-revoked"),
        ("pk_over", "key-expired"),
        ("pk_session", "scheme-not-allowed"),
        ("pk_others", "scheme-not-allowed"),
        ("pk_nonce", "proof-missing"),
    ] {
        table.refused(id, &of(id), 401, code);
    }
    table.refused_as_any("an empty id", &of(""), &[(400, "bad-credential"), (401, "key-unknown")]);
}

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

    // Without `verify` nothing there is a credential; without a key `verify` is none either.
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
fn a_link_is_good_for_get_and_head_on_every_host() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    let target = link(&secret, "/x?key=pk_site", now());
    for host in ["gate.example", "Other.Example", "gate.example:8080", "127.0.0.1"] {
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, &target).header("Host", host);
            table.passes(&format!("{method} on {host}"), &request);
        }
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = Request::new(method, &target);
        table.refused(method, &request, 403, "method-denied");
    }
}

#[test]
fn a_link_needs_no_origin_but_one_that_is_sent_must_match() {
    let members = json!({"allowed_origins": [SITE]});
    let (mut table, secret) = waf(|setup| with_links(setup, &members));
    let link = Request::get(&link(&secret, "/x?key=pk_site", now()));
    table.passes("neither", &link);
    table.passes("Origin", &link.clone().origin(SITE));
    for origin in ["https://evil.example", "null"] {
        table.refused(origin, &link.clone().origin(origin), 403, "origin-denied");
    }
    let from = |referer: &str| link.clone().header("Referer", referer);
    table.passes("Referer", &from("https://www.example.com/a?b"));
    let elsewhere = from("https://evil.example/");
    table.refused("another Referer", &elsewhere, 403, "origin-denied");
    table.passes("Origin decides alone", &elsewhere.origin(SITE));
}

#[test]
fn a_link_stands_alone_but_for_its_own_public_key() {
    let (mut table, secret) = waf(|setup| {
        with_links(setup, &json!({"schemes": ["waf-url", "session", "signature"]}))
            .key(json!({"id": "pk_two"}))
            .route("/*", json!({}))
            .route("/waf/*", json!({"waf_key": KEY}))
    });
    for text in ["/x?key=pk_site", "/waf/x"] {
        let link = Request::get(&link(&secret, text, now()));
        let with = |id: &str| link.clone().header("X-Public-Key", id);
        let twice = link.clone().bearer(&table.gate.bearer());
        let signature = |keyid: &str| {
            let time = now();
            let input =
                format!("sig1=(\"@method\" \"@target-uri\");created={time};keyid=\"{keyid}\"");
            link.clone()
                .header("Signature-Input", &input)
                .header("Signature", &format!("sig1=:{}=:", "A".repeat(43)))
        };
        table.passes("alone", &link);
        table.passes("its public key", &with(KEY));
        table.passes("somebody else's signature", &signature("elsewhere"));
        for (what, request) in [
            ("another public key", with("pk_two")),
            ("a session", twice),
            ("a signature", signature(KEY)),
        ] {
            table.refused(what, &request, 400, "ambiguous-credential");
        }
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
            let told = table.gate.logs.audit(&answer.request_id());
            assert_eq!(told["code"], "feature-unavailable");
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

#[test]
fn the_checks_come_in_their_order() {
    let (mut table, secret) = waf(|setup| {
        with_links(
            setup,
            &json!({"allowed_ips": ["192.0.2.1"], "paths": ["/y"], "methods": ["POST"]}),
        )
        .key(json!({"id": "pk_revoked", "schemes": ["session"], "revoked": true}))
        .key(json!({"id": "pk_session"}))
        .key(json!({"id": "pk_nonce", "schemes": ["waf-url", "signature"], "nonce": "required"}))
    });
    let forged = |id: &str, issued: u64| link(&fresh(), &format!("/x?key={id}"), issued);
    let good = link(&secret, "/x?key=pk_site", now());
    for (what, target, status, code) in [
        ("shape, then key", "/x?key=pk_none&verify=1".into(), 400, "bad-credential"),
        ("revoked, then scheme", forged("pk_revoked", now()), 401, "key-revoked"),
        ("scheme, then MAC", forged("pk_session", now()), 401, "scheme-not-allowed"),
        ("nonce, then MAC", forged("pk_nonce", now()), 401, "proof-missing"),
        ("MAC, then time", forged(KEY, 1_484_063_787), 401, "signature-invalid"),
        ("time, then address", link(&secret, "/x?key=pk_site", 1_484_063_787), 401, "url-expired"),
        ("address, then method", good.clone(), 403, "ip-denied"),
    ] {
        table.refused(what, &Request::get(&target), status, code);
    }
    let here = Request::get(&good).header("CF-Connecting-IP", "192.0.2.1");
    table.refused("method, then path", &here, 403, "method-denied");
    let post = Request::post(&forged(KEY, now()));
    table.refused("MAC, then GET and HEAD", &post, 401, "signature-invalid");
}
