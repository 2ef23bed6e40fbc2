//! From where a key may be used (docs/wire-contract.md, section 2): origins, the Referer rules, addresses, and how
//! both go together.

use crate::native::{Check, check};
use serde_json::json;
use testkit::client::Request;

const SITE: &str = "https://www.example.com";

#[test]
fn an_origin_is_compared_as_scheme_host_and_port() {
    let mut table = check(|setup| {
        setup.site(
            json!({"allowed_origins": [SITE, "https://*.example.org", "http://localhost:8080"]}),
        )
    });
    let token = table.gate.bearer();
    let from = |origin: &str| Request::post("/x").bearer(&token).origin(origin);
    for origin in [
        SITE, "https://www.example.com:443", "https://a.example.org", "https://a.b.example.org",
        "https://a.example.org:443", "http://localhost:8080",
    ] {
        table.passes(origin, &from(origin));
    }
    for origin in [
        "null", "", "http://www.example.com", "https://www.example.com:80",
        "https://www.example.com/", "https://example.org", "https://a.example.org:8443",
        "http://localhost", "https://*.example.org", "www.example.com",
    ] {
        table.refused(origin, &from(origin), 403, "origin-denied");
    }
    let twice = from(SITE).origin("https://evil.example");
    table.refused("two origins", &twice, 403, "origin-denied");
}

#[test]
fn a_referer_replaces_an_origin_only_for_reads() {
    let mut table = check(|setup| setup.site(json!({"allowed_origins": [SITE]})));
    let token = table.gate.bearer();
    let with = |method: &str, referer: &str| {
        Request::new(method, "/x").bearer(&token).header("Referer", referer)
    };
    for method in ["GET", "HEAD"] {
        table.passes(method, &with(method, "https://www.example.com/a/b?c=https://evil.example"));
    }
    table.passes("a bare origin", &with("GET", SITE));
    table.passes("a query at once", &with("GET", "https://www.example.com?x"));
    table.refused("POST", &with("POST", "https://www.example.com/a"), 403, "origin-denied");
    for referer in [
        "https://evil.example/https://www.example.com/",
        "https://www.example.com@evil.example/",
        "https://www.example.com.evil.example/",
        "https://evil.example#https://www.example.com",
        "https://evil.example\\@www.example.com/",
        "http://www.example.com/",
        "/a",
        "",
    ] {
        table.refused(referer, &with("GET", referer), 403, "origin-denied");
    }
    let other = with("GET", "https://www.example.com/").origin("https://evil.example");
    table.refused("only Origin decides", &other, 403, "origin-denied");
    let null = with("GET", "https://www.example.com/").origin("null");
    table.refused("so does null", &null, 403, "origin-denied");
    let good = with("GET", "https://evil.example/").origin(SITE);
    table.passes("a good Origin beside another Referer", &good);
    table.refused("neither", &Request::get("/x").bearer(&token), 403, "origin-denied");
}

#[test]
fn an_address_is_that_of_the_connection() {
    let mut table = check(|setup| {
        setup.site(
            json!({"allowed_ips": ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "2001:db9::1",
                                          "192.0.2.128/25"]}),
        )
    });
    let token = table.gate.bearer();
    let from = |ip: &str| Request::post("/x").bearer(&token).header("CF-Connecting-IP", ip);
    for ip in [
        "203.0.113.0",
        "203.0.113.255",
        "198.51.100.7",
        "192.0.2.128",
        "2001:db8::1",
        "2001:DB8:ffff::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:0db9:0:0:0:0:0:1",
    ] {
        table.passes(ip, &from(ip));
    }
    for ip in [
        "203.0.112.255", "203.0.114.0", "198.51.100.8", "192.0.2.127", "2001:db7:ffff::1",
        "2001:db9::2", "::1", "", "203.0.113", "203.0.113.7, 10.0.0.1", "203.0.113.7:80",
        "unknown",
    ] {
        table.refused(ip, &from(ip), 403, "ip-denied");
    }
    let bare = Request::post("/x").bearer(&token);
    table.refused("absent", &bare, 403, "ip-denied");
    for claim in ["X-Forwarded-For", "X-Real-IP", "True-Client-IP", "Forwarded"] {
        table.refused(claim, &bare.clone().header(claim, "203.0.113.7"), 403, "ip-denied");
    }
}

#[test]
fn both_lists_must_match_or_either_with_any() {
    let lists = |kind: &str| json!({"allowed_origins": [SITE], "allowed_ips": ["203.0.113.0/24"], "match": kind});
    let mut all = check(|setup| setup.site(lists("all")));
    let mut any = check(|setup| setup.site(lists("any")));
    let make = |table: &Check, origin: Option<&str>, ip: Option<&str>| {
        let mut request = Request::post("/x").bearer(&table.gate.bearer());
        if let Some(origin) = origin {
            request = request.origin(origin);
        }
        if let Some(ip) = ip {
            request = request.header("CF-Connecting-IP", ip);
        }
        request
    };
    let (good, bad, here, there) =
        (Some(SITE), Some("https://evil.example"), Some("203.0.113.9"), Some("192.0.2.9"));
    all.passes("both", &make(&all, good, here));
    all.refused("all: the address is wrong", &make(&all, good, there), 403, "ip-denied");
    all.refused("all: no address", &make(&all, good, None), 403, "ip-denied");
    all.refused("all: the origin is wrong", &make(&all, bad, here), 403, "origin-denied");
    all.refused("all: no origin", &make(&all, None, here), 403, "origin-denied");
    any.passes("any: both", &make(&any, good, here));
    any.passes("any: the origin", &make(&any, good, there));
    any.passes("any: the origin, no address", &make(&any, good, None));
    any.passes("any: the address", &make(&any, bad, here));
    any.passes("any: the address, no origin", &make(&any, None, here));
    let either = [(403, "origin-denied"), (403, "ip-denied")];
    any.refused_as_any("any: neither", &make(&any, bad, there), &either);
    any.refused_as_any("any: nothing", &make(&any, None, None), &either);
}

#[test]
fn a_key_without_lists_is_good_from_anywhere() {
    let mut table = check(|setup| setup);
    let token = table.gate.bearer();
    table.passes("nothing said", &Request::post("/x").bearer(&token));
    table.passes("any origin", &Request::post("/x").bearer(&token).origin("https://any.example"));
    table.passes("null", &Request::post("/x").bearer(&token).origin("null"));
}
