//! The largest body that must match its digest, and the bodies that need not (docs/wire-contract.md, section 3): 10
//! MiB, and the route's
//! `unsigned_body`.

use std::iter::repeat_n;

use serde_json::json;
use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::signing::{COVERED, Signature, sha256};
use testkit::token::fresh;
use testkit::upstream::Arrival;
use testkit::wire::Framing;

use testkit::bound::{INVALID, refused, signing};

const TOO_LARGE: (u16, &str) = (413, "body-too-large");
const MISMATCH: (u16, &str) = (401, "digest-mismatch");
const LIMIT: usize = 10 << 20;

/// Returns a gate with a route whose bodies need not be signed, and one with small ones.
fn unsigned() -> Check {
    Check::of(|setup| {
        setup
            .site(json!({"schemes": ["signature"], "paths": ["/x", "/open/*", "/small/*"]}))
            .route("/*", json!({}))
            .route("/open/*", json!({"unsigned_body": true}))
            .route("/small/*", json!({"max_body_bytes": 4}))
    })
}

fn of(target: &str, body: Vec<u8>) -> Request {
    Request::new("POST", target).body(body)
}

#[test]
fn the_route_s_own_limit_holds_for_a_signed_body_without_a_length() {
    let mut table = unsigned();
    let by = table.gate.signature();
    for (body, passes) in [("1234", true), ("12345", false)] {
        let signed = by.sign(of("/small/x", body.into()));
        let chunked = signed.header("Transfer-Encoding", "chunked");
        let request = chunked.body(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
        match passes {
            true => drop(table.passes("within", &request)),
            false => drop(table.refused("beyond", &request, TOO_LARGE.0, TOO_LARGE.1)),
        }
    }
}

#[test]
fn a_length_beside_chunks_does_not_lift_the_limit() {
    let mut table = unsigned();
    let body = "12345";
    let signed = table.gate.signature().sign(of("/small/x", body.into()));
    let both = signed.header("Content-Length", "2").header("Transfer-Encoding", "chunked");
    let before = table.upstream.seen().len();
    let answer = both.body("5\r\n12345\r\n0\r\n\r\n").send(&table.gate);
    table.that(answer.status >= 400, || format!("passed: {answer}"));
    let after = table.upstream.seen().len();
    table.that(after == before, || "reached the upstream".to_owned());
}

#[test]
fn a_length_beyond_the_limit_is_refused_unread() {
    let mut table = unsigned();
    let by = table.gate.signature().also("content-digest").covers(&COVERED);
    let announced = |by: &Signature, target: &str, length: usize| {
        let request = Request::new("POST", target).header("Content-Length", &length.to_string());
        by.sign(request)
    };
    refused(&mut table, "one byte more", announced(&by, "/x", LIMIT + 1), TOO_LARGE);
    refused(&mut table, "much more", announced(&by, "/x", 99_999_999), TOO_LARGE);
    refused(&mut table, "more than the route takes", announced(&by, "/small/x", 5), TOO_LARGE);
    let forged = by.clone().secret(&fresh());
    refused(&mut table, "the MAC comes first", announced(&forged, "/x", LIMIT + 1), INVALID);
    let elsewhere = announced(&by, "/elsewhere", LIMIT + 1);
    refused(&mut table, "so does the path", elsewhere, (403, "path-denied"));
    table.passes("as small as it may be", &by.sign(of("/small/x", b"four".to_vec())));
}

#[test]
fn a_body_without_a_length_is_refused_at_the_limit() {
    let table = Check::of(signing);
    let body = vec![b'a'; LIMIT + 1];
    let by = table.gate.signature().also("content-digest");
    let head = Request::new("POST", "/x")
        .header("Transfer-Encoding", "chunked")
        .header("Content-Digest", &sha256(&body));
    let mut connection = Connection::open(&table.gate);
    connection.write(&by.sign(head).head());
    // The gate may have answered and closed before all of it is sent.
    let _sent = connection.write_chunk(&body) && connection.write(b"0\r\n\r\n");
    connection.response().refused(TOO_LARGE.0, TOO_LARGE.1);
    table.upstream.assert_untouched();
}

#[test]
fn where_the_route_says_so_a_body_streams_unsigned() {
    let mut table = unsigned();
    let by = table.gate.signature().covers(&COVERED);
    let streamed = by.sign(Request::new("POST", "/open/x").header("Content-Length", "10"));
    let mut connection = Connection::open(&table.gate);
    connection.write(&streamed.head());
    connection.write(b"first");
    let seen = table
        .upstream
        .until("the first half", |seen| seen.first().is_some_and(|first| first.body == b"first"));
    assert_eq!(seen[0].arrival, Arrival::Arriving);
    connection.write(b"after");
    connection.response().passed();
    let seen = table.upstream.only();
    assert_eq!((seen.body.as_slice(), seen.framing), (&b"firstafter"[..], Framing::Length(10)));
    let garbage = of("/open/x", b"y".to_vec()).header("Content-Digest", "garbage garbage");
    table.passes("a digest that is not covered", &by.sign(garbage));
    let large: Vec<u8> = repeat_n(b'z', LIMIT + 1).collect();
    table.passes("more than 10 MiB", &by.sign(of("/open/x", large)));
    let arrived = table.upstream.last().body.len();
    table.that(arrived == LIMIT + 1, || format!("{arrived} bytes arrived"));
    // What is covered is compared on this route, too.
    let right = table.gate.signature().sign(of("/open/x", b"right".to_vec()));
    table.passes("right", &right);
    refused(&mut table, "wrong", right.body("wrong"), MISMATCH);
}
