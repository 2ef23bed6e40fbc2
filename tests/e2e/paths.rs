//! Targets as raw bytes (docs/wire-contract.md, section 4): what is refused before anything else, and what is not
//! touched.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;

const BAD: [&str; 26] = [
    "/a/../b", "/..", "/.", "/a/./b", "/a/.", "/a/..", "/../a", "/a/%2e%2e/b", "/a/%2E./b",
    "/a/.%2e/b", "/a/%2e/b", "/a/..;x=1/b", "/a/.;/b", "/a/%2e%2e;/b", "/a/..%3Bx/b", "//a",
    "/a//b", "/a//", "/a\\b", "/a/..\\b", "/a%00b", "/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb",
    "/a/..%2fb",
];

#[test]
fn a_path_that_two_readers_would_read_differently_is_refused() {
    let mut table = Check::of(|setup| setup);
    let token = table.gate.bearer();
    for path in BAD {
        table.refused(path, &Request::post(path).bearer(&token), 400, "bad-path");
        table.refused("without a credential", &Request::get(path), 400, "bad-path");
    }
}

#[test]
fn everything_else_arrives_as_it_was_written() {
    let mut table = Check::of(|setup| setup);
    let token = table.gate.bearer();
    for target in [
        "/", "/a", "/a/", "/...", "/a/.../b", "/.well-known/x", "/a/b..c/d.", "/a/..b", "/a;x=1/b",
        "/a;..", "/%252e%252e/b", "/a%252Fb", "/%7e%41~", "/%E2%82%AC/%ff", "/a+b%20c",
        "/a:b@c!$&*()=,", "/a?b=../..//\\%2f%00", "/a?", "/a??b", "/a?b=%7e&a=1&b=+%20",
        "/a?sig=1&verify=2&sig=3", "/a?%6bey=1",
    ] {
        table.passes(target, &Request::post(target).bearer(&token));
        let arrived = table.upstream.last().target;
        table.that(arrived == target, || format!("{target} arrived as {arrived}"));
    }
}

#[test]
fn an_encoded_slash_passes_where_the_route_says_so_but_no_dots_with_it() {
    let mut table = Check::of(|setup| {
        setup.route("/open/*", json!({"encoded_slash": true})).route("/closed/*", json!({}))
    });
    let token = table.gate.bearer();
    for path in ["/open/a%2Fb", "/open/a%2fb%5Cc", "/open/%2Fa", "/open/a%2F...%2Fb"] {
        table.passes(path, &Request::post(path).bearer(&token));
        let arrived = table.upstream.last().target;
        table.that(arrived == path["/open".len()..], || format!("{path} arrived as {arrived}"));
    }
    for path in [
        "/closed/a%2Fb", "/open/a%2F..%2Fb", "/open/..%2Fb", "/open/a%5C..", "/open/a%2F%2e%2e",
        "/open/a%5c%2E%2e%5cb", "/open/.%2Fb", "/open/a%2F.", "/open/a%2F..;x", "/open/a\\b",
        "/open//b", "/open/a%00b",
    ] {
        table.refused(path, &Request::post(path).bearer(&token), 400, "bad-path");
    }
}

#[test]
fn a_narrower_route_takes_every_spelling_of_its_paths() {
    let mut table = Check::of(|setup| {
        setup.route("/cms/*", json!({})).route("/cms/users/*", json!({"methods": ["GET"]}))
    });
    let token = table.gate.bearer();
    for path in [
        "/cms/%75sers/7", "/cms/users;x=1/7", "/cms/users%3bx/7", "/cms/Users/7", "/%5Fgate/keys",
        "/_gate;x/keys",
    ] {
        let delete = Request::new("DELETE", path).bearer(&token);
        table.refused(path, &delete, 400, "bad-path");
    }
    let passing = "/cms/%70osts;x/%7E7";
    table.passes(passing, &Request::new("DELETE", passing).bearer(&token));
    let arrived = table.upstream.last().target;
    table.that(arrived == "/%70osts;x/%7E7", || format!("{passing} arrived as {arrived}"));
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
fn methods_that_no_gate_forwards_are_refused() {
    let mut table = Check::of(|setup| setup);
    let token = table.gate.bearer();
    table.refused("TRACE", &Request::new("TRACE", "/x").bearer(&token), 405, "method-not-allowed");
    // workerd answers these two itself, before any Worker runs.
    for (method, status) in [("TRACK", 501), ("CONNECT", 500)] {
        let answer = Request::new(method, "/x").bearer(&token).send(&table.gate);
        table.that(answer.status == status || answer.status == 405, || {
            format!("{method}: {answer}")
        });
    }
    table.upstream.assert_untouched();
    for method in ["PURGE", "PROPFIND", "FOO", "get", "Post"] {
        let request = Request::new(method, "/x").bearer(&token);
        let either =
            [(405, "method-not-allowed"), (403, "method-denied"), (501, ""), (400, "bad-request")];
        table.refused_as_any(method, &request, &either);
    }
}

#[test]
fn a_body_where_none_belongs_and_an_upgrade_are_refused() {
    let mut table = Check::of(|setup| setup);
    let token = table.gate.bearer();
    for method in ["GET", "HEAD"] {
        let bare = Request::new(method, "/x").bearer(&token);
        table.passes(method, &bare);
        table.passes("an announced empty body", &bare.clone().header("Content-Length", "0"));
        let with_body = bare.clone().body("x");
        let answer = with_body.send(&table.gate);
        table.that(answer.status == 400, || format!("{method} with a body: {answer}"));
        let chunked = bare.header("Transfer-Encoding", "chunked").body("1\r\nx\r\n0\r\n\r\n");
        let answer = chunked.send(&table.gate);
        table.that(answer.status == 400, || format!("{method} with a chunked body: {answer}"));
    }
    let seen = table.upstream.seen();
    table.that(seen.len() == 4, || format!("bodies of GET or HEAD arrived: {seen:#?}"));
    let upgrade = Request::get("/x")
        .bearer(&token)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==");
    table.refused("Upgrade", &upgrade, 400, "bad-request");
}
