//! The key of a signed URL, the parameters allowed beside it, and which of two faults is reported.

use serde_json::json;
use testkit::client::{HOST, Request};
use testkit::gate::KEY;
use testkit::token::{Session, fresh, now, sk};

use super::{before_sig, link, secret, signed, until, with_links};
use crate::native::check;

const SITE: &str = "https://www.example.com";

#[test]
fn a_link_needs_a_good_key_that_takes_links() {
    let mut table = check(|setup| {
        with_links(setup, &json!({}))
            .key(json!({"id": "pk_both", "schemes": ["session", "url"]}))
            .key(json!({"id": "pk_session"}))
            .key(json!({"id": "pk_others", "schemes": ["session", "signature", "waf-url"]}))
            .key(json!({"id": "pk_revoked", "schemes": ["url"], "revoked": true}))
            .key(json!({"id": "pk_over", "schemes": ["url"], "expires": "2020-01-01T00:00:00Z"}))
            .key(json!({"id": "pk_nonce", "schemes": ["url", "signature"], "nonce": "required"}))
            .key(json!({"id": "pk_two", "schemes": ["url"], "version": 2}))
    });
    let root = table.gate.signing_secret.clone();
    let of = |id: &str, version: u64| {
        let text = before_sig("/x", id, now() + 300);
        Request::get(&signed(&sk(&root, id, version), HOST, &text))
    };
    table.passes("links alone", &of(KEY, 1));
    table.passes("links too", &of("pk_both", 1));
    table.passes("a raised version", &of("pk_two", 2));
    for (id, code) in [
        ("pk_none", "key-unknown"),
        ("pk_revoked", "key-revoked"),
        ("pk_over", "key-expired"),
        ("pk_session", "scheme-not-allowed"),
        ("pk_others", "scheme-not-allowed"),
        ("pk_nonce", "proof-missing"),
        ("pk_two", "signature-invalid"),
    ] {
        table.refused(id, &of(id, 1), 401, code);
    }
    let session = Session::new(&root, KEY).mint();
    let session = Request::get("/x").bearer(&session);
    table.refused("a session of it", &session, 401, "scheme-not-allowed");
}

#[test]
fn a_link_needs_no_origin_but_one_that_is_sent_must_match() {
    let members = json!({"schemes": ["url", "session"], "allowed_origins": [SITE]});
    let mut table = check(|setup| with_links(setup, &members));
    let link = Request::get(&link(&table.gate, "/x"));
    table.passes("neither", &link);
    table.passes("Origin", &link.clone().origin(SITE));
    for origin in ["https://evil.example", "null", "http://www.example.com"] {
        table.refused(origin, &link.clone().origin(origin), 403, "origin-denied");
    }
    let from = |referer: &str| link.clone().header("Referer", referer);
    table.passes("Referer", &from("https://www.example.com/a?b"));
    for referer in ["https://evil.example/", "https://evil.example/?https://www.example.com"] {
        table.refused(referer, &from(referer), 403, "origin-denied");
    }
    let both = from("https://evil.example/").origin(SITE);
    table.passes("Origin decides alone", &both);
    let session = Request::get("/x").bearer(&table.gate.bearer());
    table.refused("a session needs one", &session, 403, "origin-denied");
    table.passes("a session has one", &session.origin(SITE));
}

#[test]
fn addresses_methods_and_paths_of_the_key_hold() {
    let mut table = check(|setup| {
        with_links(setup, &json!({"allowed_ips": ["192.0.2.1"]}))
            .key(json!({"id": "pk_paths", "schemes": ["url"], "paths": ["/cms/*"]}))
            .key(json!({"id": "pk_post", "schemes": ["url"], "methods": ["POST"]}))
            .key(json!({"id": "pk_head", "schemes": ["url"], "methods": ["HEAD"]}))
            .key(json!({"id": "pk_get", "schemes": ["url"], "methods": ["GET"]}))
    });
    let bare = Request::get(&link(&table.gate, "/x"));
    table.refused("no address", &bare, 403, "ip-denied");
    let there = bare.clone().header("CF-Connecting-IP", "192.0.2.2");
    table.refused("another address", &there, 403, "ip-denied");
    table.passes("the address", &bare.header("CF-Connecting-IP", "192.0.2.1"));
    let root = table.gate.signing_secret.clone();
    let of = |id: &str, method: &str, path: &str| {
        let text = before_sig(path, id, now() + 300);
        Request::new(method, &signed(&sk(&root, id, 1), HOST, &text))
    };
    table.passes("below the path", &of("pk_paths", "GET", "/cms/a"));
    let outside = of("pk_paths", "GET", "/other");
    table.refused("outside the path", &outside, 403, "path-denied");
    table.passes("GET implies HEAD", &of("pk_get", "HEAD", "/x"));
    table.passes("HEAD", &of("pk_head", "HEAD", "/x"));
    for (id, method) in [("pk_head", "GET"), ("pk_post", "GET"), ("pk_post", "POST")] {
        let what = format!("{id}, {method}");
        table.refused(&what, &of(id, method, "/x"), 403, "method-denied");
    }
}

#[test]
fn a_link_stands_alone_but_for_its_own_public_key() {
    let mut table = check(|setup| {
        with_links(setup, &json!({"schemes": ["url", "session", "signature"]}))
            .key(json!({"id": "pk_two"}))
    });
    let link = Request::get(&link(&table.gate, "/x"));
    let twice = link.clone().bearer(&table.gate.bearer());
    table.refused("a session", &twice, 400, "ambiguous-credential");
    let signature = |keyid: &str| {
        let input =
            format!("sig1=(\"@method\" \"@target-uri\");created={};keyid=\"{keyid}\"", now());
        link.clone()
            .header("Signature-Input", &input)
            .header("Signature", &format!("sig1=:{}=:", "A".repeat(43)))
    };
    for id in [KEY, "pk_two"] {
        let what = format!("a signature by {id}");
        table.refused(&what, &signature(id), 400, "ambiguous-credential");
    }
    table.passes("somebody else's signature", &signature("elsewhere"));
    let seen = table.upstream.last();
    table.that(seen.header("signature-input").is_none(), || {
        "somebody else's signature arrived".into()
    });
    let with = |id: &str| link.clone().header("X-Public-Key", id);
    table.passes("its public key", &with(KEY));
    let other = with("pk_two");
    table.refused("another public key", &other, 400, "ambiguous-credential");
}

#[test]
fn the_checks_come_in_their_order() {
    let mut table = check(|setup| {
        with_links(
            setup,
            &json!({"allowed_ips": ["192.0.2.1"], "paths": ["/x"], "methods": ["POST"]}),
        )
        .key(json!({"id": "pk_revoked", "schemes": ["session"], "revoked": true}))
        .key(json!({"id": "pk_session"}))
        .key(json!({"id": "pk_nonce", "schemes": ["url", "signature"], "nonce": "required"}))
    });
    let forged = |id: &str, exp: u64| signed(&fresh(), HOST, &before_sig("/x", id, exp));
    let (soon, over, far) = (now() + 300, 1, now() + 9_999_999);
    let shapeless = format!("/x?key=pk_none&exp={soon}&sig=A");
    let good = link(&table.gate, "/y");
    let late = until(&table.gate, "/y", over);
    let long = until(&table.gate, "/y", far);
    for (what, target, status, code) in [
        ("path, then shape", format!("/x//{shapeless}"), 400, "bad-path"),
        ("shape, then key", shapeless, 400, "bad-credential"),
        ("revoked, then scheme", forged("pk_revoked", soon), 401, "key-revoked"),
        ("scheme, then MAC", forged("pk_session", soon), 401, "scheme-not-allowed"),
        ("nonce, then MAC", forged("pk_nonce", soon), 401, "proof-missing"),
        ("MAC, then exp", forged(KEY, over), 401, "signature-invalid"),
        ("MAC, then url_ttl", forged(KEY, far), 401, "signature-invalid"),
        ("exp, then address", late, 401, "url-expired"),
        ("url_ttl, then address", long, 400, "bad-credential"),
        ("address, then method", good.clone(), 403, "ip-denied"),
    ] {
        table.refused(what, &Request::get(&target), status, code);
    }
    let here = |method: &str, target: &str| {
        Request::new(method, target).header("CF-Connecting-IP", "192.0.2.1")
    };
    table.refused("method, then path", &here("GET", &good), 403, "method-denied");
    let post = Request::post(&forged(KEY, soon));
    table.refused("MAC, then GET and HEAD", &post, 401, "signature-invalid");
    let text = before_sig("/x", KEY, soon);
    let right = signed(&secret(&table.gate), HOST, &text);
    table.refused("GET and HEAD alone", &here("POST", &right), 403, "method-denied");
}
