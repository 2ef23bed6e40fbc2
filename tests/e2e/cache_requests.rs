//! Asking for parts, for changes, or for the head of what is kept (docs/wire-contract.md, section 8; RFC 9110,
//! sections 13 and 14).

use testkit::cache::{cached, counting, get, start};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;

use crate::usage::{add, only, settles, with_ledger};

const TAG: &str = "\"one\"";
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";

/// Starts a gate in front of an upstream whose every answer is ten bytes with a tag.
fn tagged() -> Check {
    let upstream = counting(|request, reply| {
        let reply = reply
            .body("0123456789")
            .header("Last-Modified", CHANGED)
            .header("Content-Type", "text/plain");
        match request.target.ends_with("/untagged") {
            true => reply,
            false => reply.header("ETag", TAG),
        }
    });
    Check::before(upstream, cached)
}

/// Returns the same check with a warm cache, and its request.
fn warmed() -> (Check, Request) {
    let mut table = tagged();
    let request = get(&table.gate, "/file");
    table.warm("the file", &request);
    (table, request)
}

#[test]
fn a_part_of_what_is_kept_is_answered_from_there() {
    let (mut table, request) = warmed();
    for (asked, part, of) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-5", "2345", "bytes 2-5/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        let answer = table.hit(asked, &request.clone().header("Range", asked));
        table.that(answer.status == 206 && answer.text() == part, || format!("{asked}: {answer}"));
        table.that(answer.header("content-range").as_deref() == Some(of), || {
            format!("{asked}: {answer}")
        });
        table.that(answer.header("etag").as_deref() == Some(TAG), || format!("{asked}: {answer}"));
    }
    let whole = table.hit("and whole", &request);
    table.that(whole.status == 200 && whole.text() == "0123456789", || whole.to_string());
}

/// Else it would be a way around the cache: each of these requests would reach the upstream.
#[test]
fn a_range_that_cannot_be_had_is_answered_from_there_too() {
    let (mut table, request) = warmed();
    for asked in ["bytes=10-", "bytes=50-60", "bytes=-0", "bytes=99999999999999999999-"] {
        let answer = table.hit(asked, &request.clone().header("Range", asked));
        let range = answer.header("content-range");
        table.that(
            answer.status == 416
                && answer.body.is_empty()
                && range.as_deref() == Some("bytes */10"),
            || format!("{asked}: {answer}"),
        );
    }
    for asked in ["items=0-1", "bytes=0-1,5-6", "bytes=5-2", "bytes=a-b", "bytes", "0-1"] {
        let answer = table.hit(asked, &request.clone().header("Range", asked));
        table.that(answer.status == 200 && answer.text() == "0123456789", || {
            format!("{asked}: {answer}")
        });
    }
    table.upstream.only();
}

#[test]
fn a_tag_that_does_not_match_goes_before_a_date() {
    let (mut table, tagged) = warmed();
    let untagged = get(&table.gate, "/untagged");
    table.warm("a file without a tag", &untagged);
    for (request, since) in
        [(&tagged, CHANGED), (&tagged, LATER), (&untagged, CHANGED), (&untagged, LATER)]
    {
        let request =
            request.clone().header("If-None-Match", "\"other\"").header("If-Modified-Since", since);
        let answer = table.hit(since, &request);
        table.that(answer.status == 200 && answer.text() == "0123456789", || {
            format!("{since}: {answer}")
        });
    }
}

#[test]
fn a_part_with_a_condition_is_the_whole() {
    let (mut table, request) = warmed();
    for condition in [TAG, "\"other\"", CHANGED, LATER, "nonsense"] {
        let request = request.clone().header("Range", "bytes=2-5").header("If-Range", condition);
        let answer = table.hit(condition, &request);
        table.that(answer.status == 200 && answer.text() == "0123456789", || {
            format!("{condition}: {answer}")
        });
        table.that(answer.header("content-range").is_none(), || format!("{condition}: {answer}"));
    }
}

#[test]
fn what_did_not_change_is_not_sent_again() {
    let (mut table, request) = warmed();
    let with = |name: &str, value: &str| request.clone().header(name, value);
    for request in [
        with("If-None-Match", TAG),
        with("If-None-Match", "\"a\", \"one\""),
        with("If-None-Match", "W/\"one\""),
        with("If-None-Match", "*"),
        with("If-Modified-Since", CHANGED),
        with("If-Modified-Since", LATER),
    ] {
        let what = format!("{:?}", request.headers.last());
        let answer = table.hit(&what, &request);
        table.that(answer.status == 304 && answer.body.is_empty(), || format!("{what}: {answer}"));
        table.that(answer.header("etag").as_deref() == Some(TAG), || format!("{what}: {answer}"));
        let line = table.gate.logs.audit(&answer.request_id());
        table.that(line["status"] == 304 && line["outcome"] == "cached", || {
            format!("{what}: {line}")
        });
    }
    for request in [
        with("If-None-Match", "\"other\""),
        with("If-None-Match", "one"),
        with("If-Modified-Since", EARLIER),
    ] {
        let what = format!("{:?}", request.headers);
        let answer = table.hit(&what, &request);
        table.that(answer.status == 200 && answer.text() == "0123456789", || {
            format!("{what}: {answer}")
        });
    }
}

#[test]
fn a_first_request_for_a_part_or_a_change_gets_and_keeps_the_whole() {
    for (name, value) in [
        ("Range", "bytes=2-5"),
        ("Range", "bytes=50-60"),
        ("If-None-Match", TAG),
        ("If-None-Match", "*"),
        ("If-Modified-Since", LATER),
        ("If-Match", "\"other\""),
        ("If-Unmodified-Since", EARLIER),
        ("If-Range", TAG),
    ] {
        let mut table = tagged();
        let plain = get(&table.gate, "/file");
        let first = table.warm(name, &plain.clone().header(name, value));
        table.that(first.status == 200 && first.text() == "0123456789", || {
            format!("{name}: {first}")
        });
        let seen = table.upstream.only();
        table.that(seen.header(name).is_none(), || format!("{seen:#?}"));
        let again = table.hit(name, &plain);
        table.that(again.status == 200 && again.text() == "0123456789", || {
            format!("{name}: {again}")
        });
    }
}

#[test]
fn a_head_is_answered_from_what_get_has_kept() {
    let (mut table, request) = warmed();
    let whole = table.hit("GET", &request);
    let mut head = request.clone();
    head.method = "HEAD".into();
    let answer = table.hit("HEAD", &head);
    table.that(answer.status == 200 && answer.body.is_empty(), || answer.to_string());
    for name in ["etag", "last-modified", "content-type", "cache-control"] {
        table.that(answer.header(name) == whole.header(name), || format!("{name}: {answer}"));
    }
    // HEAD has no range (RFC 9110, section 14.2).
    let answer = table.hit("HEAD of a part", &head.clone().header("Range", "bytes=2-5"));
    table.that(answer.status == 200 && answer.body.is_empty(), || answer.to_string());
    let answer =
        table.hit("HEAD of what did not change", &head.clone().header("If-None-Match", TAG));
    table.that(answer.status == 304, || answer.to_string());
    let of_head = Request::new("HEAD", "/other").bearer(&table.gate.bearer());
    table.miss("HEAD of nothing", &of_head);
    table.miss("still nothing", &of_head);
}

#[test]
fn the_bytes_of_a_part_are_what_is_charged() {
    let mut table = start(|setup| with_ledger(cached(setup)));
    let request = get(&table.gate, "/file");
    table.warm("the whole", &request);
    table.hit("a part", &request.clone().header("Range", "bytes=0-2"));
    let mut head = request.clone();
    head.method = "HEAD".into();
    table.hit("a HEAD", &head);
    let mut expected = only("forwarded", 1, 0, 8);
    add(&mut expected, "cached", 2, 0, 3);
    settles(&table.gate, KEY, &expected);
}
