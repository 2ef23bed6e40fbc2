//! The requests that reach the upstream of a cached route (docs/wire-contract.md, section 8): of a read nothing that
//! is not part of what its answer is kept under, for whoever asks next would get what it was made of.

use serde_json::json;
use testkit::cache::{TTL, cached, get, scoped, start};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::fresh;
use testkit::upstream::Seen;

/// The headers that a caller may add to a read.
const UNKEYED: [&str; 40] = [
    "User-Agent", "Referer", "Accept-Encoding", "Accept-Charset", "Content-Type",
    "Content-Language", "Cookie", "DNT", "From", "Host-Override", "Idempotency-Key",
    "Max-Forwards", "Prefer", "Priority", "Save-Data", "Sec-Fetch-Site", "Sec-CH-UA",
    "Traceparent", "Tracestate", "Upgrade-Insecure-Requests", "Via", "Warning", "X-Custom",
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP",
    "X-Original-URL", "X-Rewrite-URL", "X-Host", "X-HTTP-Method-Override", "X-Request-Id",
    "X-Auth-Token", "Forwarded", "Writegate-Key", "Writegate-Subject", "cf-aig-metadata",
    "X_Forwarded_Host", "Accept_Language",
];

/// The conditions on a copy that the caller has.
const ABOUT_COPIES: [&str; 5] =
    ["If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"];

/// Returns a value that only this test knows, in all of these headers.
fn saying(request: Request, names: &[&str], marker: &str) -> Request {
    names.iter().fold(request, |request, name| request.header(name, marker))
}

fn says(seen: &Seen, marker: &str) -> Vec<String> {
    let named = seen.headers.iter().filter(|(_, value)| value.contains(marker));
    named.map(|(name, _)| name.to_ascii_lowercase()).collect()
}

#[test]
fn of_a_get_only_what_its_answer_is_kept_under_reaches_the_upstream() {
    let mut table = start(cached);
    let marker = fresh();
    let site = format!("https://{marker}.example");
    let request = get(&table.gate, "/posts?a=%7e&b")
        .header("Accept", "text/html")
        .header("Accept-Language", "de, en;q=0.5");
    let request =
        saying(request, &UNKEYED, &marker).origin(&site).header("CF-Connecting-IP", "192.0.2.77");
    let request = saying(request, &ABOUT_COPIES, &marker);
    table.miss("with all of them", &request.header("Range", "bytes=0-1"));
    let seen = table.upstream.only();
    assert_eq!(says(&seen, &marker), Vec::<String>::new());
    for (name, value) in [
        ("accept", "text/html".to_owned()),
        ("accept-language", "de, en;q=0.5".to_owned()),
        ("authorization", format!("Bearer {}", table.gate.token)),
    ] {
        table.that(seen.header(name).as_deref() == Some(value.as_str()), || {
            format!("{name} in {seen:#?}")
        });
    }
    table.that(seen.target == "/posts?a=%7e&b" && seen.header("x-request-id").is_some(), || {
        format!("{seen:#?}")
    });
    // Nothing else at all, but what the platform says of itself.
    let allowed = [
        "accept", "accept-language", "authorization", "x-request-id", "host", "cache-control",
        "pragma", "connection",
    ];
    let more: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| !allowed.contains(&name.to_ascii_lowercase().as_str()))
        .collect();
    table.that(more.is_empty(), || format!("{more:?}"));
    table.that(!format!("{seen:?}").contains("192.0.2.77"), || format!("{seen:#?}"));
}

#[test]
fn what_was_kept_is_what_a_plain_request_would_have_got() {
    let mut table = start(|setup| scoped(setup, "shared"));
    let marker = fresh();
    let poisoned = saying(get(&table.gate, "/posts"), &UNKEYED, &marker);
    let poisoned = poisoned
        .header("Cache-Control", "no-cache, no-store, max-age=0")
        .header("Pragma", "no-cache");
    table.warm("with everything", &poisoned);
    let plain = table.hit("plain", &get(&table.gate, "/posts"));
    table.that(!plain.to_string().contains(&marker), || plain.to_string());
    // What a caller says of caches is for its own.
    for control in ["no-cache", "no-store", "max-age=0", "only-if-cached", "min-fresh=9999"] {
        let request = get(&table.gate, "/posts").header("Cache-Control", control);
        table.hit(control, &request);
    }
    table.hit("Pragma", &get(&table.gate, "/posts").header("Pragma", "no-cache"));
    let first = get(&table.gate, "/other").header("Cache-Control", "only-if-cached");
    table.miss("only-if-cached", &first);
}

#[test]
fn a_head_that_finds_nothing_brings_what_is_about_copies_too() {
    let mut table = start(cached);
    let marker = fresh();
    let head = Request::new("HEAD", "/posts").bearer(&table.gate.bearer());
    let head = saying(saying(head, &UNKEYED, &marker), &ABOUT_COPIES, &format!("\"{marker}\""));
    table.miss("a HEAD", &head.header("Range", "bytes=0-1").header("Accept", "text/html"));
    let seen = table.upstream.only();
    let mut about: Vec<_> = ABOUT_COPIES.iter().map(|name| name.to_ascii_lowercase()).collect();
    about.sort();
    let mut said = says(&seen, &marker);
    said.sort();
    assert_eq!((seen.method.as_str(), said), ("HEAD", about));
    assert_eq!(seen.header("range").as_deref(), Some("bytes=0-1"));
    assert_eq!(seen.header("accept").as_deref(), Some("text/html"));
}

#[test]
fn a_write_brings_all_that_it_would_bring_elsewhere() {
    let mut table = Check::of(|setup| scoped(setup, "shared").route("/plain", json!({})));
    let write = |path: &str| {
        let post = Request::post(path).bearer(&table.gate.bearer());
        saying(
            post,
            &[
                "User-Agent", "X-Custom", "If-Match", "Idempotency-Key", "Accept-Encoding",
                "Referer",
            ],
            "\"said\"",
        )
    };
    let (cached, plain) = (write("/posts"), write("/plain"));
    table.passes("cached", &cached);
    table.passes("plain", &plain);
    let names = |seen: &Seen| {
        let mut names: Vec<_> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        names.retain(|(name, _)| name != "x-request-id");
        names.sort();
        names
    };
    let seen = table.upstream.seen();
    table.that(names(&seen[0]) == names(&seen[1]), || format!("{seen:#?}"));
    table.that(says(&seen[0], "said").len() == 6, || format!("{seen:#?}"));
}

#[test]
fn the_upstream_learns_of_a_caller_only_what_the_cache_key_has() {
    let of_key = json!({"key": KEY}).to_string();
    let of_subject = json!({"key": KEY, "subject": "user-7"}).to_string();
    for (scope, key, subject, metadata) in [
        ("key", Some(KEY), None, Some(of_key.as_str())),
        ("subject", Some(KEY), Some("user-7"), Some(of_subject.as_str())),
        ("shared", None, None, None),
    ] {
        let mut table = start(|setup| {
            let cache = json!({"ttl": TTL, "scope": scope});
            setup
                .route("/*", json!({"cache": cache, "identify_caller": true}))
                .site(json!({}))
                .cache()
        });
        let token = table.gate.session().claim("sub", "user-7").mint();
        let by = |method: &str| {
            let request = Request::new(method, "/posts")
                .bearer(&token)
                .header("CF-Connecting-IP", "192.0.2.77");
            request.header("X-Forwarded-For", "192.0.2.78")
        };
        for method in ["HEAD", "GET"] {
            table.miss(scope, &by(method));
            let seen = table.upstream.last();
            for (name, expected) in [
                ("writegate-key", key),
                ("writegate-subject", subject),
                ("cf-aig-metadata", metadata),
                ("forwarded", None),
            ] {
                table.that(seen.header(name).as_deref() == expected, || {
                    format!("{scope}, {method}, {name}: {seen:#?}")
                });
            }
            table.that(!format!("{seen:?}").contains("192.0.2."), || {
                format!("{scope}, {method}: {seen:#?}")
            });
        }
        table.passes("a write", &by("POST"));
        let seen = table.upstream.last();
        for (name, expected) in [("writegate-key", KEY), ("writegate-subject", "user-7")] {
            table.that(seen.header(name).as_deref() == Some(expected), || {
                format!("{scope}, POST, {name}: {seen:#?}")
            });
        }
        let forwarded = seen.header("forwarded").unwrap_or_default();
        table.that(forwarded.contains("192.0.2.77"), || format!("{scope}, POST: {seen:#?}"));
    }
}

#[test]
fn an_absent_subject_is_sent_as_absent() {
    let mut table = start(|setup| {
        let cache = json!({"ttl": TTL, "scope": "subject"});
        setup.route("/*", json!({"cache": cache, "identify_caller": true})).site(json!({})).cache()
    });
    let request = get(&table.gate, "/posts").header("Writegate-Subject", "forged");
    table.miss("no subject", &request);
    let seen = table.upstream.only();
    table.that(seen.header("writegate-subject").is_none(), || format!("{seen:#?}"));
    table.that(seen.header("writegate-key").as_deref() == Some(KEY), || format!("{seen:#?}"));
}
