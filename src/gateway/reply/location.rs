//! `Location` and `Content-Location`: references to the upstream become paths at the gate.
//!
//! A rewritten path always leads back to the upstream's URL through the gate's own routes. If there is
//! no such path, the reference becomes absolute, because as a path it would mean something else at the
//! gate. References to other hosts stay as they are.
//!
//! References are resolved as browsers do it (URL Standard, section 4.4), because browsers are the most
//! lenient readers: they read `\` as `/`, ignore tabs, and read `https:/x` as a path.

use std::borrow::Cow;

use crate::policy::origin::Origin;
use crate::policy::path;
use crate::upstream::route::{self, GATE_PREFIX, Route};

/// The target of the request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// All routes of the gate.
    pub routes: &'a [Route],
    /// The route that the request took.
    pub route: &'a Route,
    /// The upstream's URL for the request.
    pub url: &'a str,
}

/// Returns the reference as the caller must read it; `None` if it stays as it is.
pub(super) fn at_gate(reference: &str, target: Target<'_>) -> Option<String> {
    let origin = target.route.upstream.origin();
    let reference = cleaned(reference);
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let (address, tail) = reference.split_at_checked(end)?;
    let slashes = address.replace('\\', "/");
    let referred = resolve(&slashes, target)?;
    let normal = without_dots(&referred);
    let gate_path = normal.as_deref().and_then(|path| find_gate_path(path, tail, target));
    let Some(gate_path) = gate_path else {
        return Some(format!("{origin}{referred}{tail}"));
    };
    match already_means(&slashes, &gate_path, target) {
        true => None,
        false => Some(format!("{gate_path}{tail}")),
    }
}

/// Returns true if a relative reference means `path` at the gate without a change.
fn already_means(reference: &str, gate_path: &str, target: Target<'_>) -> bool {
    if reference.starts_with('/') || scheme(reference).is_some() {
        return false;
    }
    let asked = target
        .url
        .strip_prefix(target.route.upstream.origin())
        .and_then(|path| candidate(target.route, split_path(path).0));
    let asked = asked.unwrap_or_default();
    let (directory, _) = asked.rsplit_once('/').unwrap_or_default();
    match reference.is_empty() {
        true => asked == gate_path,
        false => without_dots(&format!("{directory}/{reference}")).as_deref() == Some(gate_path),
    }
}

/// Removes the characters that browsers ignore: controls and spaces around a reference, tabs within.
fn cleaned(reference: &str) -> Cow<'_, str> {
    let trimmed = reference.trim_matches(|c: char| c <= ' ');
    match trimmed.contains(['\t', '\n', '\r']) {
        true => Cow::Owned(trimmed.replace(['\t', '\n', '\r'], "")),
        false => Cow::Borrowed(trimmed),
    }
}

/// Returns the path on the upstream that a reference without query and fragment means; `None` if it
/// leads to another host.
fn resolve<'a>(reference: &'a str, target: Target<'a>) -> Option<Cow<'a, str>> {
    let upstream = target.route.upstream.origin();
    let (upstream_scheme, _) = upstream.split_once("://")?;
    let rest = match scheme(reference) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(upstream_scheme) => rest,
        Some(_) => return None,
        None => reference,
    };
    if rest.starts_with("//") {
        let authority = rest.trim_start_matches('/');
        let end = authority.find('/').unwrap_or(authority.len());
        let (authority, path) = authority.split_at_checked(end)?;
        let named = Origin::of_url(&format!("{upstream_scheme}://{authority}"));
        (named.is_some() && named == Origin::parse(upstream)).then_some(())?;
        return Some(Cow::Borrowed(if path.is_empty() { "/" } else { path }));
    }
    if rest.starts_with('/') {
        return Some(Cow::Borrowed(rest));
    }
    let (base, _query) = split_path(target.url.strip_prefix(upstream)?);
    if rest.is_empty() {
        return Some(Cow::Borrowed(base));
    }
    let (directory, _) = base.rsplit_once('/')?;
    Some(Cow::Owned(format!("{directory}/{rest}")))
}

/// Splits an absolute reference into its scheme and the text after the colon (RFC 3986 section 3.1).
fn scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

fn split_path(target: &str) -> (&str, &str) {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    target.split_at_checked(end).unwrap_or((target, ""))
}

/// Removes the dot segments of a path (RFC 3986 section 5.2.4). Returns `None` for a path that gate and
/// upstream could read differently, such as one with an empty segment.
fn without_dots(path: &str) -> Option<Cow<'_, str>> {
    if path::check(path).is_ok() {
        return Some(Cow::Borrowed(path));
    }
    let mut segments_left: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
        let is_dot = matches!(decoded.as_str(), "." | "..");
        match decoded.as_str() {
            "." => {}
            ".." => {
                let _ = segments_left.pop();
            }
            _ => segments_left.push(segment),
        }
        if is_dot && segments.peek().is_none() {
            segments_left.push("");
        }
    }
    let normal = format!("/{}", segments_left.join("/"));
    path::check(&normal).is_ok().then_some(Cow::Owned(normal))
}

/// Returns the path at the gate that leads to `path` on the upstream: by the most specific route, and
/// among equals by the one that the request took.
fn find_gate_path(path: &str, tail: &str, target: Target<'_>) -> Option<String> {
    let current = target.route;
    let upstream = Origin::parse(current.upstream.origin());
    let mut best = None;
    for route in target.routes {
        if Origin::parse(route.upstream.origin()) != upstream {
            continue;
        }
        let Some(candidate) = candidate(route, path) else {
            continue;
        };
        let rank = (
            !route.path.is_prefix(),
            route.upstream.base().len(),
            core::ptr::eq(route, current),
            route.path.stem().len(),
        );
        let is_better = best.as_ref().is_none_or(|(other, _)| rank > *other);
        if is_better && leads_back(&candidate, path, tail, target.routes, route) {
            best = Some((rank, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Returns the path at the gate that this route takes to `path`, regardless of other routes.
fn candidate(route: &Route, path: &str) -> Option<String> {
    match route.path.is_prefix() {
        true => {
            let below = path.strip_prefix(route.upstream.base())?.strip_prefix('/')?;
            Some(format!("{}{below}", route.path.stem()))
        }
        false => (path == route.upstream.path()).then(|| route.path.stem().to_owned()),
    }
}

/// Returns true if a request to the gate for `candidate` goes to `path` by `route`, and no query
/// parameter is read as a credential or refused.
fn leads_back(candidate: &str, path: &str, tail: &str, routes: &[Route], route: &Route) -> bool {
    // A character that a browser encodes makes it another path when it arrives (URL Standard section
    // 1.3).
    let stays = |byte: u8| byte.is_ascii_graphic() && !b"\"<>^`{|}".contains(&byte);
    if !candidate.bytes().all(stays) {
        return false;
    }
    let Ok(checked) = path::check(candidate) else {
        return false;
    };
    let found = route::find(routes, &checked).ok().flatten();
    let is_found = found.is_some_and(|found| core::ptr::eq(found, route));
    let rest = route.path.rest(candidate).filter(|_| route.path.is_prefix());
    let url = route.upstream.join(rest, None);
    let goes_there = url.is_some_and(|url| url.strip_prefix(route.upstream.origin()) == Some(path));
    let query = tail.split('#').next().unwrap_or_default();
    let is_credential = query.trim_start_matches('?').split('&').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        name == "key" || (name == "verify" && route.waf_key.is_some())
    });
    is_found
        && goes_there
        && !is_credential
        && !route.denies_query(candidate)
        && !route.denies_query(query)
        && !candidate.starts_with(GATE_PREFIX)
        && (!checked.encoded_slash || route.encoded_slash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use url::Url;

    fn routes(list: &[(&str, &str)]) -> Vec<Route> {
        let route = |(path, upstream): &(&str, &str)| {
            let route =
                json!({"path": path, "upstream": upstream, "encoded_slash": *path == "/raw/*"});
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
            "", "/", "//", "///", "\\", "/\\", "/\t/", "https:", "https:/", "https://",
            "https:///", "HTTPS:\\\\", "http://", "x.example/", "//x.example", "https://x.example",
            "https://x.example:443", "https://x.example:8443", "https://u@x.example",
            "https://y.example", "//evil.example", "\thttps://x.example", "mailto:",
        ];
        let pieces = [
            "", "/", "//", "/\\", "/v1", "/v1/", "v1/files", "/v1/files/17", "/../", "..", "/.",
            "/%2e%2E/", "/%2F", "/a%5Cb", "/_gate/", "_gate/keys", "/people/1", "/users/", "/raw/",
            "/cms/users/x", ";x", "é", " ", "?a=/../", "?key=pk", "?#key=", "#//", "\t", "@evil",
            ":1", "/%", "/a%00",
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
}
