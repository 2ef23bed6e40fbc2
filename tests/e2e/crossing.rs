//! The headers and bodies that cross the gate on the real platform, in both directions (docs/wire-contract.md,
//! sections 1 and 5): one case for each rule. Every name and every spelling of it is in `tests/core/crossing.rs`.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{Gate, KEY, Setup};
use testkit::token::fresh;
use testkit::upstream::{Reply, Upstream};

/// Headers that arrive as they were sent.
const KEPT: [&str; 25] = [
    "Accept-Encoding", "Cache-Control", "Pragma", "DNT", "Accept", "Accept-Language", "User-Agent",
    "Content-Type", "Content-Language", "Content-Disposition", "Content-Digest", "If-Match",
    "If-None-Match", "Range", "Origin", "Referer", "Prefer", "Idempotency-Key", "traceparent",
    "X-Custom", "X-Authentic", "X-Forward", "X-Request-Identity", "CFX-Other", "Signed",
];

#[test]
fn everything_else_arrives_as_it_was_sent() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let mut request = Request::new("PUT", "/x").bearer(&gate.bearer()).body("0123456789");
    let mut sent = Vec::new();
    for name in KEPT {
        let value = match name {
            "Origin" => "https://www.example.com".to_owned(),
            "Referer" => "https://www.example.com/a?b".to_owned(),
            "Range" => "bytes=0-1".to_owned(),
            "Accept-Encoding" => "br;q=0.5, gzip".to_owned(),
            "Cache-Control" => "max-age=7".to_owned(),
            _ => format!("{}; q=\"a, b\"", fresh()),
        };
        request = request.header(name, &value);
        sent.push((name, value));
    }
    request = request
        .header("X-Twice", "1")
        .header("X-Under_Score", "u")
        .header("X-Twice", "2")
        .header("X-Empty", "");
    request.send(&gate).passed();
    let seen = upstream.only();
    for (name, value) in sent {
        assert_eq!(seen.header(name).as_deref(), Some(value.as_str()), "{name}");
    }
    assert_eq!(seen.header("x-twice").as_deref(), Some("1, 2"));
    assert_eq!(seen.header("x-under_score").as_deref(), Some("u"));
    assert_eq!(seen.header("x-empty").as_deref(), Some(""));
    assert_eq!(seen.header("host"), Some(format!("127.0.0.1:{}", upstream.port)));
    assert_eq!(seen.body, b"0123456789");
}

#[test]
fn a_host_that_the_caller_names_changes_nothing() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for host in ["evil.example", "127.0.0.1:1"] {
        Request::post("/x").header("Host", host).bearer(&token).send(&gate).passed();
        assert_eq!(upstream.last().header("host"), Some(format!("127.0.0.1:{}", upstream.port)));
    }
    Request::post("/@127.0.0.1:1/x").bearer(&token).send(&gate).passed();
    assert_eq!(upstream.last().target, "/@127.0.0.1:1/x");
}

#[test]
fn a_redirect_is_handed_back_and_never_followed() {
    let elsewhere = Upstream::start();
    let there = format!("{}/stolen", elsewhere.url());
    let target = there.clone();
    let upstream = Upstream::answering(move |request, _| {
        let status = request.target[1..4].parse().unwrap();
        Reply::new(status).header("Location", &target)
    });
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "POST"] {
            let answer = Request::new(method, &format!("/{status}")).bearer(&token).send(&gate);
            assert_eq!(answer.status, status, "{method}: {answer}");
            assert_eq!(answer.header("location").as_deref(), Some(there.as_str()));
        }
    }
    elsewhere.assert_untouched();
}

#[test]
fn an_upstream_may_have_a_path_and_a_name_of_loopback() {
    let upstream = Upstream::start();
    let url = format!("http://localhost:{}/api/", upstream.port);
    let gate = Setup::to_url(&url).start();
    Request::post("/a/b?c").bearer(&gate.bearer()).send(&gate).passed();
    assert_eq!(upstream.only().target, "/api/a/b?c");
    let nobody = Setup::to_url("http://[::1]:1/").start();
    let request = Request::post("/x").bearer(&nobody.bearer());
    request.send(&nobody).refused(502, "upstream-unreachable");
}

#[test]
fn what_must_not_pass_does_not() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .route("/*", json!({}))
        .route("/told/*", json!({"identify_caller": true, "pass_headers": ["cf-aig-cache-ttl"]}))
        .start();
    let token = gate.session().claim("sub", "user-7").mint();
    for name in ["Cookie", "X-Api-Key", "Proxy-Authorization", "X-Auth-Token", "Writegate-Key"] {
        for spelling in
            [name.to_owned(), name.to_uppercase(), name.replace('-', "_"), name.replace('-', ".")]
        {
            let value = fresh();
            Request::post("/x").bearer(&token).header(&spelling, &value).send(&gate).passed();
            let seen = upstream.last();
            let arrived = seen.headers.iter().any(|(_, arrived)| arrived.contains(&value));
            // A name of one word has one spelling.
            assert!(!arrived, "{spelling}: {seen:?}");
        }
    }
    let answer = Request::post("/told/x")
        .bearer(&token)
        .header("CF-Connecting-IP", "192.0.2.1")
        .header("X-Request-Id", "from-the-caller")
        .header("Connection", "keep-alive, X-Hop")
        .header("X-Hop", "1")
        .header("Forwarded", "for=1.2.3.4")
        .header("cf-aig-cache-ttl", "60")
        .header("cf-aig-custom-cost", "0")
        .send(&gate)
        .passed();
    let seen = upstream.last();
    for (name, value) in [
        ("authorization", Some(format!("Bearer {}", gate.token))),
        ("x-request-id", Some(answer.request_id())),
        ("writegate-key", Some(KEY.to_owned())),
        ("writegate-subject", Some("user-7".to_owned())),
        ("cf-aig-cache-ttl", Some("60".to_owned())),
        ("cf-aig-custom-cost", None),
        ("cf-connecting-ip", None),
        ("x-hop", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let forwarded = seen.header("forwarded").expect("Forwarded");
    assert!(forwarded.starts_with("for=192.0.2.1;"), "{forwarded}");
}

#[test]
fn what_an_upstream_may_not_say_does_not_come_back() {
    let upstream = Upstream::answering(|request, _| {
        let sent = request.header("authorization").unwrap();
        let token = sent.strip_prefix("Bearer ").unwrap();
        Reply::new(201)
            .reason(&format!("Made with {token}"))
            .header("Set-Cookie", "a=b")
            .header("Set-Cookie", "c=d")
            .header("Access-Control-Allow-Origin", "*")
            .header("Strict-Transport-Security", "max-age=9")
            .header("Connection", "X-Hop")
            .header("X-Hop", "1")
            .header("X-Request-Id", "theirs")
            .header("X-Raw", &format!("a {token} b"))
            .header("Location", "/api/made/7")
            .header("Vary", "Accept")
            .header("Cache-Control", "public, max-age=5")
            .header("Content-Type", "text/html")
            .header("Content-Security-Policy", "default-src *")
            .header("X-Custom", "kept")
            .body("{}")
    });
    let url = format!("{}/api", upstream.url());
    let mut table =
        Check::before(upstream, |setup| setup.route("/cms/*", json!({"upstream": url})));
    let request = Request::post("/cms/x").bearer(&table.gate.bearer());
    let answer = table.passes("a page", &request.origin("https://www.example.com"));
    for (name, value) in [
        ("set-cookie", None),
        ("access-control-allow-origin", Some("https://www.example.com")),
        ("strict-transport-security", None),
        ("x-hop", None),
        ("x-raw", Some("a [redacted] b")),
        ("location", Some("/cms/made/7")),
        ("vary", Some("Accept, Origin")),
        ("cache-control", Some("private, max-age=5")),
        ("content-security-policy", Some("sandbox")),
        ("x-content-type-options", Some("nosniff")),
        ("x-custom", Some("kept")),
        ("content-length", Some("2")),
    ] {
        let found = answer.header(name);
        table.that(found.as_deref() == value, || format!("{name}: {found:?}"));
    }
    assert!(["", "Created"].contains(&answer.reason.as_str()), "{}", answer.reason);
    assert_ne!(answer.request_id(), "theirs");
    assert_eq!(answer.text(), "{}");
    table.gate.logs.until("line of the echo guard", |lines| {
        lines.iter().any(|line| line.is_event("echo_guard")).then_some(())
    });
}

#[test]
fn a_preflight_is_answered_here() {
    let mut table = Check::of(|setup| setup);
    let preflight = Request::new("OPTIONS", "/x")
        .origin("https://www.example.com")
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "authorization, x-any");
    let answer = preflight.send(&table.gate);
    assert_eq!(answer.status, 204, "{answer}");
    for (name, value) in [
        ("access-control-allow-origin", "https://www.example.com"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "authorization, x-any"),
    ] {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{name}");
    }
    table.upstream.assert_untouched();
    let options = Request::new("OPTIONS", "/x").bearer(&table.gate.bearer());
    table.passes("any other", &options);
}
