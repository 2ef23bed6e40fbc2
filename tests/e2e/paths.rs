//! Targets as raw bytes (docs/wire-contract.md, section 4), as the platform hands them over: what is refused before anything else,
//! and what is not touched. Every spelling is in `src/policy/path.rs` and `tests/core/readings.rs`.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;

const BAD: [&str; 12] = [
    "/a/../b", "/..", "/a/.", "/a/%2e%2e/b", "/a/.%2e/b", "/a/..;x=1/b", "//a", "/a//b", "/a\\b",
    "/a%00b", "/a%2Fb", "/a%5cb",
];

#[test]
fn a_path_that_two_readers_would_read_differently_is_refused() {
    let mut table = Check::of(|setup| {
        setup.route("/*", json!({})).route("/open/*", json!({"encoded_slash": true}))
    });
    let token = table.gate.bearer();
    for path in BAD {
        table.refused(path, &Request::post(path).bearer(&token), 400, "bad-path");
        table.refused("without a credential", &Request::get(path), 400, "bad-path");
    }
    for (target, arrives) in [
        "/", "/a/.../b", "/a/b..c/d.", "/a;x=1/b", "/%252e%252e/b", "/%7e%41~", "/%E2%82%AC/%ff",
        "/a+b%20c", "/a:b@c!$&*()=,", "/a?b=../..//\\%2f%00", "/a?", "/a??b",
        "/a?b=%7e&a=1&b=+%20", "/a?sig=1&verify=2&sig=3",
    ]
    .map(|target| (target, target))
    .into_iter()
    // workerd cuts a fragment off, before the Worker sees the target.
    .chain([("/open/a%2fb%5Cc", "/a%2fb%5Cc"), ("/a?b#/../c", "/a?b"), ("/a#b?c", "/a")])
    {
        table.passes(target, &Request::post(target).bearer(&token));
        let arrived = table.upstream.last().target;
        table.that(arrived == arrives, || format!("{target} arrived as {arrived}"));
    }
}

#[test]
fn an_odd_authority_is_refused() {
    let mut table = Check::of(|setup| setup);
    let token = table.gate.bearer();
    let with = |host: &str| Request::post("/x").bearer(&token).header("Host", host);
    for host in [
        "a.b/cms?", "a.b/cms", "a.b?x", "a.b#x", "user@a.b", "a_b.example", "a.b%2f", "a.b\\c",
        "a.b,c",
    ] {
        table.refused(host, &with(host), 400, "bad-request");
    }
    for host in ["a.b", "A-1.example:8787", "127.0.0.1:80", "[::1]:8787"] {
        table.passes(host, &with(host));
    }
}

#[test]
fn methods_that_no_gate_forwards_a_body_where_none_belongs_and_an_upgrade_are_refused() {
    let mut table = Check::of(|setup| setup);
    let token = table.gate.bearer();
    let by = |method: &str| Request::new(method, "/x").bearer(&token);
    // workerd answers some of them itself, before any Worker runs.
    for method in ["TRACE", "TRACK", "CONNECT", "PURGE", "PROPFIND", "FOO", "get", "Post"] {
        let any = [(405, "method-not-allowed"), (403, "method-denied"), (400, "bad-request")];
        let any = [&any[..], &[(501, ""), (500, ""), (405, "")]].concat();
        let any = if method == "TRACE" { &any[..1] } else { &any };
        table.refused_as_any(method, &by(method), any);
    }
    for method in ["GET", "HEAD"] {
        table.passes(method, &by(method));
        table.passes("an announced empty body", &by(method).header("Content-Length", "0"));
        let chunked = by(method).header("Transfer-Encoding", "chunked");
        for request in [by(method).body("x"), chunked.body("1\r\nx\r\n0\r\n\r\n")] {
            let before = table.upstream.seen().len();
            let answer = request.send(&table.gate);
            let right = answer.status == 400 && table.upstream.seen().len() == before;
            table.that(right, || format!("{method} with a body: {answer}"));
        }
    }
    let upgrade = by("GET")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==");
    table.refused("Upgrade", &upgrade, 400, "bad-request");
}
