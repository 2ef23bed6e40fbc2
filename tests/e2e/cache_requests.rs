//! Asking for parts, for changes, or for the head of what is kept (docs/wire-contract.md, section 8; RFC 9110, sections 13 and 14),
//! as the platform's cache answers: one case for each rule. Every spelling is in `src/cache/conditions.rs`.

use testkit::cache::{cached, counting, get, start};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;

use crate::usage::{add, only, settles, with_ledger};

const TAG: &str = "\"one\"";
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";
const WHOLE: &str = "0123456789";

/// Starts a gate in front of an upstream whose every answer is ten bytes with a tag.
fn tagged() -> Check {
    let upstream = counting(|_, reply| {
        let reply = reply.body(WHOLE).header("Last-Modified", CHANGED).header("ETag", TAG);
        reply.header("Content-Type", "text/plain")
    });
    Check::before(upstream, cached)
}

/// Each of these would otherwise be a way around the cache: a request that reaches the upstream.
#[test]
fn parts_and_changes_are_answered_from_what_is_kept() {
    let mut table = tagged();
    let plain = get(&table.gate, "/file");
    table.warm("the file", &plain);
    let range = |asked: &'static str| vec![("Range", asked)];
    for (asked, status, body, part) in [
        (range("bytes=2-5"), 206, "2345", Some("bytes 2-5/10")),
        (range("bytes=7-"), 206, "789", Some("bytes 7-9/10")),
        (range("bytes=-3"), 206, "789", Some("bytes 7-9/10")),
        (range("bytes=5-99"), 206, "56789", Some("bytes 5-9/10")),
        (range("bytes=10-"), 416, "", Some("bytes */10")),
        (range("bytes=0-1,5-6"), 200, WHOLE, None),
        (range("items=0-1"), 200, WHOLE, None),
        (vec![("Range", "bytes=2-5"), ("If-Range", TAG)], 200, WHOLE, None),
        (vec![("If-None-Match", "\"a\", W/\"one\"")], 304, "", None),
        (vec![("If-None-Match", "\"other\""), ("If-Modified-Since", LATER)], 200, WHOLE, None),
        (vec![("If-Modified-Since", CHANGED)], 304, "", None),
        (vec![("If-Modified-Since", EARLIER)], 200, WHOLE, None),
    ] {
        let what = format!("{asked:?}");
        let request =
            asked.iter().fold(plain.clone(), |all, (name, value)| all.header(name, value));
        let answer = table.hit(&what, &request);
        let right = answer.status == status && answer.text() == body;
        table.that(right, || format!("{what}: {answer}"));
        let shown = answer.header("content-range");
        table.that(shown.as_deref() == part, || format!("{what}: {answer}"));
        let line = table.gate.logs.audit(&answer.request_id());
        table.that(line["status"] == status && line["outcome"] == "cached", || line.to_string());
    }
    table.upstream.only();
}

#[test]
fn a_first_request_for_a_part_or_a_change_gets_and_keeps_the_whole() {
    let mut table = tagged();
    for (index, (name, value)) in [
        ("Range", "bytes=2-5"),
        ("If-None-Match", TAG),
        ("If-Modified-Since", LATER),
        ("If-Match", "\"other\""),
    ]
    .into_iter()
    .enumerate()
    {
        let plain = get(&table.gate, &format!("/{index}"));
        let first = table.warm(name, &plain.clone().header(name, value));
        let seen = table.upstream.last();
        table.that(seen.header(name).is_none(), || format!("{seen:#?}"));
        for answer in [first, table.hit(name, &plain)] {
            let right = answer.status == 200 && answer.text() == WHOLE;
            table.that(right, || format!("{name}: {answer}"));
        }
    }
}

#[test]
fn a_head_is_answered_from_what_get_has_kept() {
    let mut table = tagged();
    let whole = table.warm("the file", &get(&table.gate, "/file"));
    let head = Request::new("HEAD", "/file").bearer(&table.gate.bearer());
    let answer = table.hit("HEAD", &head);
    table.that(answer.status == 200 && answer.body.is_empty(), || answer.to_string());
    for name in ["etag", "last-modified", "content-type", "cache-control"] {
        table.that(answer.header(name) == whole.header(name), || format!("{name}: {answer}"));
    }
    // HEAD has no range (RFC 9110, section 14.2).
    let answer = table.hit("HEAD of a part", &head.clone().header("Range", "bytes=2-5"));
    table.that(answer.status == 200 && answer.body.is_empty(), || answer.to_string());
    let answer = table.hit("HEAD of what did not change", &head.header("If-None-Match", TAG));
    table.that(answer.status == 304, || answer.to_string());
}

#[test]
fn the_bytes_of_a_part_are_what_is_charged() {
    let mut table = start(|setup| with_ledger(cached(setup)));
    let request = get(&table.gate, "/file");
    table.warm("the whole", &request);
    table.hit("a part", &request.clone().header("Range", "bytes=0-2"));
    let head = Request { method: "HEAD".into(), ..request };
    table.hit("a HEAD", &head);
    let mut expected = only("forwarded", 1, 0, 8);
    add(&mut expected, "cached", 2, 0, 3);
    settles(&table.gate, KEY, &expected);
}
