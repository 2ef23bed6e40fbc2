//! `Content-Digest` (docs/wire-contract.md, section 3; RFC 9530): what a signature covers is compared with the body, whole, before
//! anything reaches the upstream.

use serde_json::json;
use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::signing::{COVERED, bytes, sha256, sha512};
use testkit::wire::Framing;

use testkit::bound::{INCOMPLETE, INVALID, UNSUPPORTED, refused, signing};

const MISMATCH: (u16, &str) = (401, "digest-mismatch");
const BAD: (u16, &str) = (400, "bad-credential");
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
fn the_body_is_compared_with_every_digest() {
    let mut table = Check::of(signing);
    let body = b"{\"hello\": \"world\"}";
    let (short, long) = (sha256(body), sha512(body));
    let (other, other_long) = (sha256(b"{}"), sha512(b"{}"));
    for digest in [
        short.clone(),
        long.clone(),
        format!("{short}, {long}"),
        format!("{long},{short}"),
        format!("md5=:AAAA:, {short}, unixsum=:AAAA:"),
        format!("sha=:AAAA:, id-sha-256=:AAAA:, {long}"),
        format!("  {short}  "),
        format!("{short};q=1"),
    ] {
        let request = with(&table, body, &digest);
        table.passes(&digest, &request);
        let seen = table.upstream.last();
        let right = (seen.body.as_slice(), seen.framing) == (&body[..], Framing::Length(18));
        table.that(right, || format!("{digest}: arrived as {seen:?}"));
    }
    for digest in [
        other.clone(),
        other_long.clone(),
        format!("{other}, {long}"),
        format!("{short}, {other_long}"),
        format!("{other}, {other_long}"),
        format!("md5=:AAAA:, {other}"),
        "sha-256=::".into(),
        "sha-256=:AAAA:".into(),
        format!("sha-256={}", bytes([0; 32])),
        format!("sha-256={}", &long["sha-512=".len()..]),
        format!("sha-512={}", &short["sha-256=".len()..]),
        format!("sha-512={}", bytes([0; 63])),
        format!("sha-256={}", bytes([0; 33])),
    ] {
        let request = with(&table, body, &digest);
        refused(&mut table, &digest, request, MISMATCH);
    }
}

#[test]
fn a_digest_of_another_form_is_refused() {
    let mut table = Check::of(signing);
    let good = sha256(b"x");
    let text = &good["sha-256=:".len()..good.len() - 1];
    for digest in [
        String::new(),
        "md5=:AAAA:".into(),
        "sha=:AAAA:".into(),
        "sha-384=:AAAA:, unixsum=:AAAA:".into(),
    ] {
        let request = with(&table, b"x", &digest);
        refused(&mut table, &format!("{digest:?}"), request, UNSUPPORTED);
    }
    for digest in [
        format!("{good}, {good}"),
        format!("{good}, {}", sha256(b"y")),
        format!("md5=:AAAA:, {good}, md5=:AAAA:"),
        format!("sha-256=\"{text}\""),
        format!("sha-256={text}"),
        format!("sha-256=:{text}"),
        format!("sha-256=({})", &good["sha-256=".len()..]),
        format!("SHA-256=:{text}:"),
        format!("{good},"),
        format!("{good}, sha-512=1"),
        "sha-256".into(),
        "sha-256=?1".into(),
        "sha-256=:!:".into(),
        "garbage garbage".into(),
    ] {
        let request = with(&table, b"x", &digest);
        refused(&mut table, &digest, request, BAD);
    }
    let lines = post(b"x").header("Content-Digest", &good);
    let twice = lines.clone().header("Content-Digest", &good);
    let by = table.gate.signature();
    refused(&mut table, "twice, in two fields", by.sign(twice), BAD);
    let both = lines.header("Content-Digest", &sha512(b"x"));
    table.passes("two algorithms in two fields", &by.sign(both));
}

#[test]
fn a_changed_body_reaches_nobody() {
    let mut table = Check::of(signing);
    let signed = table.gate.signature().sign(post(b"{\"amount\": 10}"));
    for body in ["{\"amount\": 90}", "{\"amount\": 10", "{\"amount\": 10} ", "", "x"] {
        let changed = signed.clone().body(body);
        refused(&mut table, body, changed, MISMATCH);
    }
    let swapped = {
        let digest = sha256(b"{}");
        let mut request = signed.clone().body("{}");
        for (name, value) in &mut request.headers {
            if name == "Content-Digest" {
                value.clone_from(&digest);
            }
        }
        request
    };
    refused(&mut table, "its digest changed too", swapped, INVALID);
    let mut removed = signed.clone();
    removed.headers.retain(|(name, _)| name != "Content-Digest");
    refused(&mut table, "no digest", removed, INCOMPLETE);
    table.passes("unchanged", &signed);
}

#[test]
fn no_body_has_a_digest_too() {
    let mut table = Check::of(signing);
    let by = table.gate.signature().also("content-digest");
    for request in [Request::get("/x"), Request::new("DELETE", "/x"), Request::new("POST", "/x")] {
        table.passes(&request.method, &by.sign(request.clone()));
        let other = request.clone().header("Content-Digest", &sha256(b"x"));
        refused(&mut table, &request.method, by.sign(other), MISMATCH);
        let bad = request.header("Content-Digest", "x y");
        refused(&mut table, "no dictionary", by.sign(bad), BAD);
    }
    let empty = post(b"");
    table.passes("a length of 0", &table.gate.signature().sign(empty.clone()));
    let bare = table.gate.signature().covers(&COVERED).sign(empty);
    table.passes("a length of 0, not covered", &bare);
}

#[test]
fn a_digest_that_is_not_covered_is_not_looked_at() {
    let mut table = Check::of(|setup| setup.site(json!({"schemes": ["signature", "session"]})));
    for digest in ["garbage garbage", "sha-256=1", "sha-256=:AAAA:", "md5=:AA==:, md5=:AA==:"] {
        let by = table.gate.signature().covers(&COVERED);
        let get = Request::get("/x").header("Content-Digest", digest);
        table.passes(&format!("no body, {digest}"), &by.sign(get));
        let session = post(b"x").header("Content-Digest", digest).bearer(&table.gate.bearer());
        table.passes(&format!("a session, {digest}"), &session);
        let uncovered = by.sign(post(b"x").header("Content-Digest", digest));
        refused(&mut table, digest, uncovered, INCOMPLETE);
    }
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
