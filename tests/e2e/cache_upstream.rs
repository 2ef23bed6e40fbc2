//! The requests that reach the upstream of a cached route (docs/wire-contract.md, section 8): of a read nothing that
//! is not part of what its answer is kept under, because the next caller would get it. HEAD, `identify_caller`
//! and scopes are in `tests/core/outbound.rs`.

use testkit::cache::{get, scoped, start};
use testkit::client::Request;
use testkit::token::fresh;

/// The headers that a caller may add to a read.
const UNKEYED: [&str; 24] = [
    "User-Agent", "Referer", "Accept-Encoding", "Content-Type", "Content-Language", "Cookie",
    "DNT", "From", "Idempotency-Key", "Max-Forwards", "Prefer", "Priority", "Sec-Fetch-Site",
    "Sec-CH-UA", "Traceparent", "Via", "X-Custom", "X-Forwarded-Host", "X-Request-Id", "Forwarded",
    "Writegate-Subject", "If-None-Match", "If-Match", "X_Forwarded_Host",
];

/// Returns a value that only this test knows, in all of these headers.
fn saying(request: Request, marker: &str) -> Request {
    let request = UNKEYED.iter().fold(request, |request, name| request.header(name, marker));
    request.header("Cache-Control", "no-cache, no-store, max-age=0").header("Pragma", "no-cache")
}

#[test]
fn only_what_its_answer_is_kept_under_reaches_the_upstream_and_decides() {
    let mut table = start(|setup| scoped(setup, "shared"));
    let marker = fresh();
    let site = format!("https://{marker}.example");
    let request = get(&table.gate, "/posts?a=%7e&b")
        .header("Accept", "text/html")
        .header("Accept-Language", "de, en;q=0.5");
    let poisoned = saying(request.clone(), &marker).origin(&site).header("Range", "bytes=0-1");
    table.warm("with all of them", &poisoned.header("CF-Connecting-IP", "192.0.2.77"));
    let seen = table.upstream.only();
    for (name, value) in [
        ("accept", "text/html".to_owned()),
        ("accept-language", "de, en;q=0.5".to_owned()),
        ("authorization", format!("Bearer {}", table.gate.token)),
    ] {
        let found = seen.header(name);
        table.that(found.as_deref() == Some(&value), || format!("{name} in {seen:#?}"));
    }
    table.that(seen.target == "/posts?a=%7e&b" && seen.header("x-request-id").is_some(), || {
        format!("{seen:#?}")
    });
    // Nothing else at all, but what the platform says of itself.
    let allowed = [
        "accept", "accept-language", "authorization", "x-request-id", "host", "cache-control",
        "pragma", "connection",
    ];
    let is_more = |name: &str| !allowed.contains(&name.to_ascii_lowercase().as_str());
    let more: Vec<_> = seen.headers.iter().filter(|(name, _)| is_more(name)).collect();
    table.that(more.is_empty(), || format!("{more:?}"));
    let text = format!("{seen:?}");
    table.that(!text.contains(&marker) && !text.contains("192.0.2.77"), || text.clone());

    let plain = table.hit("plain", &request);
    table.that(!plain.to_string().contains(&marker), || plain.to_string());
    // What a caller says of caches is for its own.
    for control in ["no-cache", "no-store", "max-age=0", "only-if-cached", "min-fresh=9999"] {
        table.hit(control, &request.clone().header("Cache-Control", control));
    }
    let first = get(&table.gate, "/other").header("Cache-Control", "only-if-cached");
    table.miss("only-if-cached", &first);
}
