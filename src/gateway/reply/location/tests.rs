//! References of an upstream, as the caller of the gate reads them; generated ones beside the URL Standard's parser.

use serde_json::json;
use url::Url;

use super::*;

fn routes(list: &[(&str, &str)]) -> Vec<Route> {
    let route = |(path, upstream): &(&str, &str)| {
        let route = json!({"path": path, "upstream": upstream, "encoded_slash": *path == "/raw/*"});
        Route::parse("ROUTES[0]", route).unwrap()
    };
    list.iter().map(route).collect()
}

fn found<'r>(routes: &'r [Route], path: &str) -> &'r Route {
    let checked = path::check(path).unwrap();
    route::find(routes, &checked).unwrap().unwrap()
}

/// Returns the reference as the caller reads it, who asked for `asked` at the gate.
fn seen(routes: &[Route], asked: &str, reference: &str) -> Option<String> {
    let route = found(routes, asked);
    let rest = route.path.rest(asked).filter(|_| route.path.is_prefix());
    let url = route.upstream.join(rest, None).unwrap();
    let target = Target { routes, route, url: &url };
    at_gate(reference, target)
}

#[test]
fn a_reference_to_the_upstream_becomes_a_path_of_the_gate() {
    let routes = routes(&[("/cms/*", "https://api.example.com/v1")]);
    for (reference, expected) in [
        ("/v1/posts/1?a#b", Some("/cms/posts/1?a#b")),
        ("https://API.example.com:443/v1/x", Some("/cms/x")),
        ("//api.example.com/v1/x", Some("/cms/x")),
        ("/login", Some("https://api.example.com/login")),
        ("/v1x/y", Some("https://api.example.com/v1x/y")),
        ("/v1", Some("https://api.example.com/v1")),
        ("posts/1", None),
        ("../posts/1", None),
        ("../a/../../v1/x", Some("/cms/x")),
        ("../../x", Some("https://api.example.com/v1/a/../../x")),
        ("?page=2", None),
        ("?key=pk_1", Some("https://api.example.com/v1/a/b?key=pk_1")),
        ("/v1/./x/%2E%2e/y/..", Some("/cms/")),
        ("/v1/files/../../admin", Some("https://api.example.com/v1/files/../../admin")),
        ("https://api.example.com//evil/", Some("https://api.example.com//evil/")),
        ("https://api.example.com/v1//evil/", Some("https://api.example.com/v1//evil/")),
        ("https://api.example.com/v1/\\evil/", Some("https://api.example.com/v1//evil/")),
        ("/v1/a%2Fb", Some("https://api.example.com/v1/a%2Fb")),
        ("/v1/x?key=pk_1", Some("https://api.example.com/v1/x?key=pk_1")),
        ("/v1/x?verify=1&sig=2", Some("/cms/x?verify=1&sig=2")),
        ("https:/v1/x", Some("/cms/x")),
        (" \t/v1/\tx", Some("/cms/x")),
        ("https://elsewhere.example/v1/x", None),
        ("https://api.example.com.evil.example/v1/x", None),
        ("https://api.example.com@evil.example/v1/x", None),
        ("https://user@api.example.com/v1/x", None),
        ("https://api.example.com:444/v1/x", None),
        ("http://api.example.com/v1/x", None),
        ("/\\evil/", None),
        ("/\t/evil/", None),
        ("\\\\evil/", None),
        ("///evil/", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
    ] {
        let found = seen(&routes, "/cms/a/b", reference);
        assert_eq!(found.as_deref(), expected, "{reference:?}");
    }
}

#[test]
fn a_query_that_the_gate_would_take_or_refuse_stays_absolute() {
    let route = json!({"path": "/cms/*", "upstream": "https://api.example.com/v1", "waf_key": "pk_1", "deny_query": ["_method"]});
    let routes = [Route::parse("ROUTES[0]", route).unwrap()];
    for (reference, expected) in [
        ("/v1/x?a=1", "/cms/x?a=1"),
        ("/v1/x?verify=1", "https://api.example.com/v1/x?verify=1"),
        ("/v1/x?a=1&key=2", "https://api.example.com/v1/x?a=1&key=2"),
        ("/v1/x?%5Fmethod=PUT", "https://api.example.com/v1/x?%5Fmethod=PUT"),
        ("/v1/x%3F_method=PUT", "https://api.example.com/v1/x%3F_method=PUT"),
        ("/v1/x#?_method=PUT", "/cms/x#?_method=PUT"),
    ] {
        assert_eq!(seen(&routes, "/cms/a", reference).as_deref(), Some(expected));
    }
}

#[test]
fn the_most_specific_route_that_leads_there_counts() {
    let routes = routes(&[
        ("/api/*", "https://x.example"),
        ("/files", "https://x.example/v1/files"),
        ("/files/*", "https://x.example:443/v1/files"),
        ("/other/*", "https://y.example/v1/files"),
        ("/again/*", "https://x.example/v1/files"),
        ("/again/mine/*", "https://z.example"),
        ("/upload", "https://x.example/v2/upload"),
    ]);
    for (asked, reference, expected) in [
        ("/files", "/v1/files/17", "/files/17"),
        ("/files/1", "/v1/files", "/files"),
        ("/files/1", "/v1/files/", "/files/"),
        ("/api/1", "/v1/files/17", "/files/17"),
        ("/again/1", "/v1/files/17", "/again/17"),
        ("/files", "/v2/upload", "/upload"),
        ("/files", "/v2/upload/1", "/api/v2/upload/1"),
        ("/upload", "files", "/api/v2/files"),
        ("/again/1", "/v1/files/mine/1", "/files/mine/1"),
        ("/other/1", "/v1/files", "https://y.example/v1/files"),
    ] {
        let found = seen(&routes, asked, reference);
        assert_eq!(found.as_deref(), Some(expected), "{asked} {reference}");
    }
}

#[test]
fn no_reference_leads_to_the_gates_own_paths() {
    let routes = routes(&[("/*", "https://x.example")]);
    let found = seen(&routes, "/a", "/_gate/keys");
    assert_eq!(found.as_deref(), Some("https://x.example/_gate/keys"));
    assert_eq!(seen(&routes, "/a", "/_gat/").as_deref(), Some("/_gat/"));
}

/// The property: a browser that follows what the caller gets arrives where the upstream sent it,
/// either there or through the gate.
#[test]
fn a_browser_arrives_where_the_upstream_sent_it() {
    let routes = routes(&[
        ("/*", "https://x.example"),
        ("/cms/*", "https://x.example/v1"),
        ("/cms/users/*", "https://x.example/v1/people"),
        ("/files", "https://x.example/v1/files"),
        ("/files/*", "https://x.example/v1/files/"),
        ("/raw/*", "https://x.example/raw"),
        ("/y/*", "https://y.example/v1"),
    ]);
    let gate = Url::parse("https://gate.example/").unwrap();
    let begins = [
        "", "/", "//", "///", "\\", "/\\", "/\t/", "https:", "https:/", "https://", "https:///",
        "HTTPS:\\\\", "http://", "x.example/", "//x.example", "https://x.example",
        "https://x.example:443", "https://x.example:8443", "https://u@x.example",
        "https://y.example", "//evil.example", "\thttps://x.example", "mailto:",
    ];
    let pieces = [
        "", "/", "//", "/\\", "/v1", "/v1/", "v1/files", "/v1/files/17", "/../", "..", "/.",
        "/%2e%2E/", "/%2F", "/a%5Cb", "/_gate/", "_gate/keys", "/people/1", "/users/", "/raw/",
        "/cms/users/x", ";x", "é", " ", "?a=/../", "?key=pk", "?#key=", "#//", "\t", "@evil", ":1",
        "/%", "/a%00",
    ];
    let mut mapped = 0;
    for asked in ["/a/b", "/files", "/raw/x/y"] {
        let route = found(&routes, asked);
        let rest = route.path.rest(asked).filter(|_| route.path.is_prefix());
        let base = Url::parse(&route.upstream.join(rest, None).unwrap()).unwrap();
        let at_gate = gate.join(asked).unwrap();
        for begin in begins {
            for one in pieces {
                for two in pieces.iter().step_by(3) {
                    for three in ["", "/x", "\\x"] {
                        let reference = format!("{begin}{one}{two}{three}");
                        let Ok(meant) = base.join(&reference) else {
                            continue;
                        };
                        let seen = seen(&routes, asked, &reference);
                        if let Some(seen) = &seen {
                            let is_path = seen.starts_with('/') && !seen.starts_with("//");
                            assert!(is_path || seen.starts_with("https://"), "{reference:?}");
                        }
                        let followed = at_gate.join(seen.as_deref().unwrap_or(&reference));
                        let followed = followed.unwrap();
                        if followed.origin() != gate.origin() {
                            assert_eq!(followed, meant, "{asked} {reference:?} {seen:?}");
                            continue;
                        }
                        mapped += 1;
                        let path = followed.path();
                        assert!(!path.starts_with("/_gate/"), "{reference:?} {seen:?}");
                        assert!(path::check(path).is_ok(), "{reference:?} {seen:?}");
                        let route = found(&routes, path);
                        let rest = route.path.rest(path).filter(|_| route.path.is_prefix());
                        let there = route.upstream.join(rest, followed.query()).unwrap();
                        let mut there = Url::parse(&there).unwrap();
                        there.set_fragment(followed.fragment());
                        assert_eq!(there, meant, "{asked} {reference:?} {seen:?}");
                    }
                }
            }
        }
    }
    assert!(mapped > 1_000, "{mapped}");
}
