//! `Content-Digest` (docs/wire-contract.md, section 3; RFC 9530): what a signature covers is compared with the body, whole, before
//! anything reaches the upstream. Its form is in `src/credential/digest.rs`, what must be covered in `tests/core/signatures.rs`.

use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::signing::{COVERED, sha256, sha512};
use testkit::wire::Framing;

use testkit::bound::{INCOMPLETE, refused, signing};

const MISMATCH: (u16, &str) = (401, "digest-mismatch");
const MIB: usize = 1 << 20;

fn post(body: &[u8]) -> Request {
    Request::new("POST", "/x").body(body)
}

/// Signs with this header, whatever the body is.
fn with(table: &Check, body: &[u8], digest: &str) -> Request {
    let by = table.gate.signature();
    by.sign(post(body).header("Content-Digest", digest))
}

#[test]
fn a_body_without_a_length_is_read_whole() {
    let mut table = Check::of(signing);
    let by = table.gate.signature();
    let head = |body: &[u8]| {
        let request = Request::new("POST", "/x").header("Transfer-Encoding", "chunked");
        by.clone().also("content-digest").sign(request.header("Content-Digest", &sha256(body)))
    };
    let send = |table: &Check, head: &Request, parts: &[&[u8]]| {
        let mut connection = Connection::open(&table.gate);
        connection.write(&head.head());
        for part in parts {
            connection.write_chunk(part);
        }
        connection.write(b"0\r\n\r\n");
        connection.response()
    };
    send(&table, &head(b"firstafter"), &[b"first", b"after"]).passed();
    assert_eq!(table.upstream.only().body, b"firstafter");
    send(&table, &head(b""), &[]).passed();
    assert_eq!(table.upstream.last().body, b"");
    let before = table.upstream.seen().len();
    for parts in [&[&b"first"[..]][..], &[b"first", b"after", b"!"], &[]] {
        send(&table, &head(b"firstafter"), parts).refused(MISMATCH.0, MISMATCH.1);
    }
    let uncovered = by.covers(&COVERED);
    let uncovered =
        uncovered.sign(Request::new("POST", "/x").header("Transfer-Encoding", "chunked"));
    send(&table, &uncovered, &[b"first"]).refused(INCOMPLETE.0, INCOMPLETE.1);
    let seen = table.upstream.seen().len();
    table.that(seen == before, || "a refused body reached the upstream".into());
}

#[test]
fn half_a_body_that_must_match_reaches_nobody() {
    let mut table = Check::of(signing);
    let whole = table.gate.signature().sign(post(b"firstafter"));
    let mut connection = Connection::open(&table.gate);
    connection.write(&whole.head());
    connection.write(b"first");
    connection.abandon();
    let audit = table.gate.logs.events("request", 1);
    table.that(audit[0].1["outcome"] != "forwarded", || format!("{audit:?}"));
    table.upstream.assert_untouched();
    table.passes("and then the whole of it", &whole);
}

#[test]
fn a_large_body_is_compared_too() {
    let mut table = Check::of(signing);
    for length in [MIB, 10 * MIB] {
        let body: Vec<u8> =
            (0_u32..).map(|i| i.wrapping_mul(31).to_le_bytes()[1]).take(length).collect();
        for digest in [sha256(&body), sha512(&body)] {
            let request = with(&table, &body, &digest);
            table.passes(&format!("{length} bytes"), &request);
            let seen = table.upstream.last();
            let whole = seen.body == body && seen.framing == Framing::Length(length);
            table.that(whole, || format!("{length} bytes arrived otherwise"));
            let mut changed = body.clone();
            *changed.last_mut().unwrap() ^= 1;
            let request = request.body(changed);
            refused(
                &mut table,
                &format!("{length} bytes, the last one changed"),
                request,
                MISMATCH,
            );
        }
    }
}
