//! The parts of an upstream's answer that reach the caller (docs/wire-contract.md, section 5). Bodies are in
//! `bodies.rs` and `streaming.rs`.

use crate::native::{Upstream, start};
use testkit::client::Request;
use testkit::upstream::Reply;

#[test]
fn headers_that_an_upstream_may_not_set_are_removed_from_its_answer() {
    let upstream = Upstream::queue(vec![
        Reply::new(201)
            .header("Set-Cookie", "a=b")
            .header("Set-Cookie", "c=d")
            .header("Access-Control-Allow-Origin", "*")
            .header("Access-Control-Allow-Credentials", "true")
            .header("Access-Control-Max-Age", "7")
            .header("Service-Worker-Allowed", "/")
            .header("Clear-Site-Data", "\"*\"")
            .header("NEL", "{\"report_to\":\"r\",\"max_age\":9}")
            .header("Report-To", "{\"group\":\"r\"}")
            .header("Reporting-Endpoints", "r=\"https://evil.example\"")
            .header("Strict-Transport-Security", "max-age=9; includeSubDomains")
            .header("Alt-Svc", "h3=\"evil.example:443\"")
            .header("Origin-Trial", "t")
            .header("Set-Login", "logged-in")
            .header("Proxy-Authenticate", "Basic")
            .header("WWW-Authenticate", "Basic realm=\"x\"")
            .header("Refresh", "0; url=//evil.example/")
            .header("CDN-Cache-Control", "public, max-age=9")
            .header("Cloudflare-CDN-Cache-Control", "public, max-age=9")
            .header("Connection", "X-Hop")
            .header("X-Hop", "1")
            .header("Keep-Alive", "timeout=9")
            .header("X-Content-Type-Options", "sniff")
            .header("X-Request-Id", "theirs")
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=5")
            .header("X-Custom", "kept")
            .header("Content-Type", "application/json")
            .header("Link", "</a>; rel=next")
            .body("{}"),
    ]);
    let gate = start(&upstream, |setup| setup);
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!(answer.status, 201);
    for name in [
        "set-cookie",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-max-age",
        "service-worker-allowed",
        "clear-site-data",
        "content-security-policy",
        "nel",
        "report-to",
        "reporting-endpoints",
        "strict-transport-security",
        "alt-svc",
        "origin-trial",
        "set-login",
        "proxy-authenticate",
        "www-authenticate",
        "refresh",
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "keep-alive",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("etag", "\"v1\""),
        ("cache-control", "private, max-age=5"),
        ("x-custom", "kept"),
        ("content-type", "application/json"),
        ("link", "</a>; rel=next"),
        ("content-length", "2"),
    ] {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{name}");
    }
    assert_ne!(answer.request_id(), "theirs");
    assert_eq!(answer.text(), "{}");
}

#[test]
fn documents_that_a_browser_would_run_are_sandboxed() {
    let types = [
        ("text/html", true),
        ("text/html; charset=utf-8", true),
        ("TEXT/HTML", true),
        ("application/xhtml+xml", true),
        ("image/svg+xml", true),
        ("application/xml", true),
        ("text/xml", true),
        ("application/atom+xml", true),
        ("text/html (x)", true),
        ("text/html x", true),
        ("text/xsl", true),
        ("image/svg+xml(x)", true),
        ("application/json, text/html", true),
        ("unknown/unknown", true),
        ("application/vnd.api+json", false),
        ("application/json", false),
        ("text/plain", false),
        ("image/png", false),
    ];
    let upstream = Upstream::answering(move |_, nth| {
        Reply::ok("<a>")
            .header("Content-Type", types[nth].0)
            .header("Content-Security-Policy", "default-src *")
    });
    let gate = start(&upstream, |setup| setup);
    let token = gate.bearer();
    for (kind, sandboxed) in types {
        let answer = Request::get("/x").bearer(&token).send(&gate).passed();
        let policy = answer.header("content-security-policy");
        assert_eq!(policy.as_deref(), sandboxed.then_some("sandbox"), "{kind}");
    }
}

#[test]
fn only_the_caller_may_keep_an_answer() {
    let said = [
        (None, "private"),
        (Some("public, max-age=60"), "private, max-age=60"),
        (Some("s-maxage=60"), "private"),
        (Some("private, max-age=7"), "private, max-age=7"),
        (Some("no-store"), "no-store"),
        (Some("no-cache"), "no-cache"),
    ];
    let upstream = Upstream::answering(move |_, nth| {
        let reply = Reply::ok("a").header("Surrogate-Control", "max-age=60");
        match said[nth].0 {
            Some(said) => reply.header("Cache-Control", said),
            None => reply,
        }
    });
    let gate = start(&upstream, |setup| setup);
    let token = gate.bearer();
    for (said, expected) in said {
        let answer = Request::get("/x").bearer(&token).send(&gate).passed();
        let shown = answer.header("cache-control");
        assert_eq!(shown.as_deref(), Some(expected), "{said:?}");
        let vary = answer.header("vary");
        assert_eq!(vary.as_deref(), Some("Origin, Authorization, X-Public-Key"), "{said:?}");
        assert_eq!(answer.header("surrogate-control"), None);
    }
}

#[test]
fn the_upstreams_own_statuses_pass() {
    let statuses = [200, 201, 202, 204, 206, 304, 400, 402, 403, 404, 409, 418, 422, 451, 500, 501];
    let upstream = Upstream::answering(move |_, nth| Reply::new(statuses[nth]).header("X-A", "b"));
    let gate = start(&upstream, |setup| setup);
    let token = gate.bearer();
    for status in statuses {
        let answer = Request::post("/x").bearer(&token).send(&gate);
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(answer.header("x-a").as_deref(), Some("b"));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}
