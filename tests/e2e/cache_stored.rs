//! Which answers are kept (docs/wire-contract.md, section 8), and which are asked for again.

use testkit::cache::{cached, get, kept, start};
use testkit::check::Check;
use testkit::client::Request;
use testkit::token::fresh;
use testkit::upstream::{Reply, Upstream};

/// Headers of an answer.
type Fields = &'static [(&'static str, &'static str)];

/// Answers each path as the test says, and every other one plainly.
fn answers(cases: Vec<(String, u16, Fields)>) -> Upstream {
    Upstream::answering(move |request, nth| {
        let own = cases.iter().find(|(path, _, _)| *path == request.target);
        let (status, fields) =
            own.map_or((200, [].as_slice()), |(_, status, fields)| (*status, *fields));
        let body = if status == 204 { String::new() } else { format!("answer {nth}") };
        let reply = Reply::new(status).body(body);
        fields.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    })
}

fn check(cases: &[(u16, Fields)], is_kept: bool) {
    let numbered = cases.iter().enumerate();
    let numbered =
        numbered.map(|(index, (status, fields))| (format!("/{index}"), *status, *fields));
    let mut table = Check::before(answers(numbered.collect()), cached);
    for (index, (status, fields)) in cases.iter().enumerate() {
        let what = format!("{status} {fields:?}");
        let request = get(&table.gate, &format!("/{index}"));
        if is_kept {
            let first = table.warm(&what, &request);
            let again = table.hit(&what, &request);
            table.that(again.body == first.body, || format!("{what}: {again}"));
            continue;
        }
        let before = kept(&table.gate);
        table.miss(&what, &request);
        // Whatever was to be kept of the first is kept before what is asked for after it.
        let other = get(&table.gate, &format!("/{}", fresh()));
        table.warm("another", &other);
        let kept = kept(&table.gate) - before;
        table.that(kept == 1, || format!("{what}: kept"));
        table.miss(&what, &request);
    }
}

#[test]
fn an_answer_that_others_may_have_is_kept() {
    const HOUR: Fields = &[("Cache-Control", "max-age=3600")];
    check(
        &[
            (200, &[]),
            (200, HOUR),
            (200, &[("Cache-Control", "public")]),
            (200, &[("Cache-Control", "public, max-age=60, must-revalidate")]),
            (200, &[("Cache-Control", "s-maxage=60")]),
            (200, &[("Cache-Control", "S-MaxAge=60,MAX-AGE=50")]),
            (200, &[("Cache-Control", "immutable"), ("ETag", "\"a\"")]),
            // Longer than the route's own time, and than any number.
            (200, &[("Cache-Control", "max-age=31536001")]),
            (200, &[("Cache-Control", "x-private, no-store-here=1, my-no-cache")]),
            (200, &[("Cache-Control", "x=\"private, no-store\", max-age=60")]),
            (200, &[("Vary", "Accept")]),
            (200, &[("Vary", "accept-LANGUAGE")]),
            (200, &[("Vary", "Accept-Language,Accept")]),
            (200, &[("Vary", "Accept"), ("Vary", "Accept-Language")]),
            (200, &[("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")]),
            (200, &[("Expires", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Cache-Control", "max-age=60")]),
            (200, &[("Expires", "0"), ("Cache-Control", "s-maxage=60")]),
            (200, &[("Cache-Control", "max-age=3600"), ("Age", "1800")]),
            (200, &[("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")]),
            (200, &[("Content-Type", "text/html; charset=utf-8"), ("Content-Language", "de")]),
        ],
        true,
    );
}

#[test]
fn an_answer_that_is_one_callers_or_nobodys_is_not() {
    check(
        &[
            (200, &[("Set-Cookie", "a=b")]),
            (200, &[("Set-Cookie", "a=b"), ("Cache-Control", "public, max-age=60")]),
            (200, &[("Cache-Control", "private")]),
            (200, &[("Cache-Control", "PRIVATE, max-age=60")]),
            (200, &[("Cache-Control", "max-age=60,private=\"x-a, x-b\"")]),
            (200, &[("Cache-Control", "private=x-a")]),
            (200, &[("Cache-Control", "no-store")]),
            (200, &[("Cache-Control", "max-age=60, No-Store")]),
            (200, &[("Cache-Control", "no-cache")]),
            (200, &[("Cache-Control", "no-cache=\"set-cookie\", max-age=60")]),
            (200, &[("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")]),
            (200, &[("Vary", "*")]),
            (200, &[("Vary", "Cookie")]),
            (200, &[("Vary", "Accept, Origin")]),
            (200, &[("Vary", "Accept-Encoding")]),
            (200, &[("Vary", "Accept"), ("Vary", "User-Agent")]),
        ],
        false,
    );
}

#[test]
fn an_answer_that_is_over_at_once_is_not_kept() {
    check(
        &[
            (200, &[("Cache-Control", "max-age=0")]),
            (200, &[("Cache-Control", "s-maxage=0, max-age=60")]),
            (200, &[("Cache-Control", "max-age=0, s-maxage=60")]),
            (200, &[("Cache-Control", "max-age=60, max-age=0")]),
            (200, &[("Cache-Control", "max-age=soon")]),
            (200, &[("Cache-Control", "max-age=-1")]),
            (200, &[("Cache-Control", "max-age=1.5")]),
            (200, &[("Cache-Control", "max-age")]),
            (200, &[("Cache-Control", "s-maxage=, max-age=60")]),
            (200, &[("Cache-Control", "max-age=60"), ("Age", "60")]),
            (200, &[("Cache-Control", "max-age=60"), ("Age", "old")]),
            (200, &[("Age", "3600")]),
            (200, &[("Expires", "0")]),
            (200, &[("Expires", "Sun, 06 Nov 1994 08:49:37 GMT")]),
        ],
        false,
    );
}

#[test]
fn only_a_200_is_kept() {
    let statuses =
        [201, 202, 203, 204, 206, 300, 301, 302, 307, 308, 400, 403, 404, 405, 410, 414, 500, 501];
    let cases: Vec<(u16, Fields)> = statuses
        .iter()
        .map(|status| (*status, [("Cache-Control", "public, max-age=60")].as_slice()))
        .collect();
    check(&cases, false);
}

#[test]
fn only_what_get_asked_for_is_kept() {
    let mut table = start(cached);
    let by = |method: &str| Request::new(method, "/x").bearer(&table.gate.bearer());
    let (read, head) = (by("GET"), by("HEAD"));
    let methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let writes: Vec<Request> = methods.iter().map(|method| by(method)).collect();
    for write in &writes {
        table.passes(&write.method, write);
    }
    for _ in 0..2 {
        table.miss("a HEAD that finds nothing", &head);
    }
    table.warm("a read after them", &read);
    for write in &writes {
        for _ in 0..2 {
            let answer = table.passes(&write.method, write);
            table.that(answer.header("cache-status").is_none(), || answer.to_string());
        }
    }
    table.hit("the read", &read);
    table.hit("its HEAD", &head);
    let kept = kept(&table.gate);
    table.that(kept == 1, || format!("{kept} answers kept"));
}
