//! The limits of routes, keys and sessions that refused a request, with their values.

use writegate::config::Config;
use writegate::policy::path;
use writegate::rate;
use writegate::route::{self, Route};
use writegate::{Head, Key, Problem};

use crate::{invocation, target};

use super::gate::Local;
use super::request_input::RequestInput;

/// Returns the route that takes the request.
pub(super) fn route<'l>(head: &Head<'_>, local: &'l Local) -> Option<&'l Route> {
    let path = path::check(head.path()).ok()?;
    route::find(&local.config()?.routes, &path).ok()?
}

/// Says which part of a path is ambiguous.
pub(super) fn bad_path(request: &RequestInput, local: &Local) -> String {
    let fault = request.head().and_then(|head| {
        let checked = path::check(head.path()).ok()?;
        let taken = route::find(&local.config()?.routes, &checked).ok()?;
        let refused = checked.encoded_slash && !taken.is_some_and(|route| route.encoded_slash);
        Some(match refused {
            true => {
                "it has an encoded slash (%2F or %5C), which its route does not allow \
                (encoded_slash)"
            }
            false => "the API's address and the rest of the path do not make one URL",
        })
    });
    let fault = fault.unwrap_or_else(|| target::path_fault(&request.url));
    format!("the path may be read in two ways: {fault}")
}

/// Says which part of a request is malformed.
pub(super) fn bad_request(request: &RequestInput, local: &Local) -> Vec<String> {
    let Some(head) = request.head() else {
        return vec![
            "the URL must be http or https, with a host of letters, digits, . and - and perhaps a port, \
             without a user and without #, at most 16 KiB long; and there may be at most 256 headers"
                .to_owned(),
        ];
    };
    let mut lines = Vec::new();
    if head.header("upgrade").is_some() {
        lines.push(
            "there is Upgrade: the gate forwards no WebSockets and no other protocol".to_owned(),
        );
    }
    if matches!(head.method(), "GET" | "HEAD") && head.has_body() {
        lines.push(format!("a {} must not have a body, but this one has", head.method()));
    }
    if let Some(route) = route(&head, local).filter(|route| route.denies_query(head.target())) {
        lines.push(format!(
            "the query has a parameter of the deny_query of the route {}: {}",
            route.path,
            route.deny_query.join(", ")
        ));
    }
    lines
}

/// Lists the routes.
pub(super) fn routes(head: &Head<'_>, config: Option<&Config>) -> Option<String> {
    if head.path().starts_with(route::GATE_PREFIX) {
        return Some(format!(
            "the gate has no such path of its own: {} names those that it has",
            invocation::page("admin.md")
        ));
    }
    let routes: Vec<String> = config?.routes.iter().map(|route| route.path.to_string()).collect();
    Some(format!("{}; the routes are: {}", head.path(), routes.join(", ")))
}

/// Lists the methods that the request's route takes.
pub(super) fn route_methods(head: &Head<'_>, local: &Local) -> Option<String> {
    let methods = route(head, local)?.methods.allow();
    let is_own = head.path().starts_with(route::GATE_PREFIX);
    (!is_own)
        .then(|| format!("{}; the route's methods are: {methods}", shown_method(head.method())))
}

/// Returns a method, if it is certainly a method.
fn shown_method(method: &str) -> &str {
    let is_method = method.len() <= 16 && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_method { method } else { "this is not a method" }
}

/// Names the longest body that the request's route takes, and the length of this one.
pub(super) fn body(request: &RequestInput, head: &Head<'_>, local: &Local) -> Option<String> {
    let length = request.header("content-length").map_or_else(
        || format!("the body is {} bytes long", request.body.len()),
        |length| format!("Content-Length is {length}"),
    );
    let route = route(head, local)?;
    Some(format!(
        "{length}; the max_body_bytes of the route {} is {}; a body that must be read before it is sent on, such as \
         a signed one, may be 10 MiB long",
        route.path, route.max_body_bytes
    ))
}

/// Names the time that the request's route waits for a body.
pub(super) fn timeout(head: &Head<'_>, local: &Local) -> Option<String> {
    let route = route(head, local)?;
    Some(format!("the timeout_ms of the route {} is {}", route.path, route.timeout_ms))
}

/// Names the key's rate limit.
pub(super) fn rate(key: &Key, config: Option<&Config>) -> Option<String> {
    let name = key.rate.as_deref()?;
    let stated = config.and_then(|config| config.rates.get(&*rate::binding(name))).map_or_else(
        || "RATES does not say how many requests that allows".to_owned(),
        |rate| format!("{} requests in {} s, in each data centre", rate.limit, rate.period),
    );
    Some(format!("the key's rate is {name}: {stated}"))
}

/// Names the key's quota.
pub(super) fn quota(key: &Key, local: &Local) -> Option<String> {
    let record = local.record(key)?;
    let quota = record["quota"].as_object()?;
    let fields: Vec<String> =
        quota.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    Some(format!(
        "the key's quota is: {}; {} prints what it has used",
        fields.join(", "),
        invocation::hint("usage --gate URL")
    ))
}

/// Names the binding or secret that a key or route needs and the gate lacks.
pub(super) fn missing(
    problem: Problem,
    head: &Head<'_>,
    key: Option<&Key>,
    local: &Local,
) -> Vec<String> {
    if problem.code() != "feature-unavailable" {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if let (Some(key), Some(config)) = (key, local.config()) {
        let wants = [
            (key.nonce_required && !config.replay, "nonce = \"required\"", "REPLAY".to_owned()),
            (key.quota.is_some() && !config.ledger, "a quota", "LEDGER".to_owned()),
            (
                key.rate.as_deref().is_some_and(|rate| !local.has_rate(rate)),
                "a rate",
                key.rate.as_deref().map(writegate::rate::binding).unwrap_or_default(),
            ),
        ];
        let wants = wants.into_iter().filter(|(is_missing, ..)| *is_missing);
        lines.extend(wants.map(|(_, field, binding)| {
            format!("the key has {field}, and the gate has no binding {binding}")
        }));
    }
    let has_verify = head.parameters().any(|(name, _)| name == "verify");
    if has_verify && local.config().is_some_and(|config| config.waf_secret.is_none()) {
        lines.push("WAF_SECRET is neither in the environment nor in .dev.vars".to_owned());
    }
    lines
}
