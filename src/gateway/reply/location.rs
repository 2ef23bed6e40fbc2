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
        let named = Origin::of_url(&format!("{upstream_scheme}://{authority}"))?;
        (named == *target.route.upstream.compared_origin()).then_some(())?;
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
    let mut best = None;
    for route in target.routes {
        if route.upstream.compared_origin() != current.upstream.compared_origin() {
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
mod tests;
