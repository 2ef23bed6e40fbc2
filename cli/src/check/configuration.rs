//! The gate's own reading of its variables, and rows about where they send requests.

use serde_json::Value;
use writegate::FieldError;
use writegate::Secret;
use writegate::Upstream;
use writegate::config::{Config, RESERVED_SECRETS, VARIABLES};
use writegate::route::Route;

use super::row::{Findings, Verdict, listed};
use crate::invocation;
use crate::project::{
    BINDINGS, Deployed, Document, is_secret, names, placeholder_root, placeholder_token,
};

/// The most bytes that a variable may hold.
const MAX_VARIABLE: usize = 5 * 1024;
/// The upstream of the shipped configuration.
const EXAMPLE_HOST: &str = "example.com";

/// Returns the configuration as the gate would have it; `secrets` are those that can be read here.
pub(super) fn read(
    document: &Document,
    secrets: &dyn Fn(&str) -> Option<Secret>,
) -> Result<Config, FieldError> {
    let mut resources = document.names("kv_namespaces");
    resources.extend(document.names("durable_objects"));
    read_from(document.own("vars"), resources, secrets)
}

/// Reads the configuration as if every secret existed, because other rows check which secrets are missing, and those that can be
/// read.
fn read_from(
    vars: &Value,
    resources: Vec<&str>,
    secrets: &dyn Fn(&str) -> Option<Secret>,
) -> Result<Config, FieldError> {
    let secret = |name: &str| match name {
        name if vars.get(name).is_some() || !is_secret(name) => None,
        // The row `root-length` measures them.
        "SIGNING_SECRET" | "WAF_SECRET" => Some(placeholder_root()),
        "SIGNING_SECRET_PREVIOUS" => None,
        name => Some(secrets(name).unwrap_or_else(placeholder_token)),
    };
    Config::read(&Deployed { vars, resources, secret: &secret })
}

/// Reads variables only, for tests of other rows.
#[cfg(test)]
pub(super) fn of(vars: &Value, resources: &[&str]) -> Result<Config, FieldError> {
    read_from(vars, resources.to_vec(), &|_| None)
}

/// Checks that the gate accepts its configuration.
pub(super) fn row(
    document: &Document,
    config: &Result<Config, FieldError>,
    others: &[&str],
) -> Verdict {
    let mut findings = Findings::default();
    if let Some(other) = others.first() {
        findings.fail(
            format!("there is a {other}, too, and wrangler reads only {}", document.name()),
            format!("keep one of {other} and {}", document.name()),
        );
    }
    for (name, value) in document.own("vars").as_object().into_iter().flatten() {
        let bytes = match value {
            Value::String(text) => text.len(),
            other => other.to_string().len(),
        };
        if bytes > MAX_VARIABLE {
            findings.fail(
                format!(
                    "the variable {name} is {bytes} bytes long, and Cloudflare allows {MAX_VARIABLE}"
                ),
                format!("move keys to the registry: {}", invocation::page("admin.md")),
            );
        }
    }
    match config {
        Err(error) => findings.fail(
            format!("{}: {error}; the gate would answer 503 to every request", document.place()),
            format!("fix {} in {}", error.field, document.place()),
        ),
        Ok(config) if config.keys.is_empty() && !config.registry => findings.warn(
            "there are no KEYS and no KEY_REGISTRY, so nobody may call the gate",
            format!("make a key: {}", invocation::hint("key new --write")),
        ),
        Ok(_) => {}
    }
    let Ok(config) = config else {
        return findings.verdict("");
    };
    for name in document.own("vars").as_object().into_iter().flatten().map(|(name, _)| name) {
        if !is_read(name, config) {
            findings.warn(
                format!("the gate reads no variable {name}, so it has no effect"),
                format!("correct its name, or remove it: {}", invocation::page("configuration.md")),
            );
        }
    }
    let uncached = config
        .routes
        .iter()
        .filter(|route| route.cache.is_some() && !route.methods.contains("GET"));
    let uncached: Vec<String> = uncached.map(|route| route.path.to_string()).collect();
    findings.warn_of(
        "cache stores answers to GET only, which is not among the methods of",
        &uncached,
        "add GET to the route's methods, or remove cache",
    );
    findings.verdict(format!(
        "the gate reads {} as it should: {} route(s), {} key(s){}",
        document.place(),
        config.routes.len(),
        config.keys.len(),
        if config.registry { ", and a registry" } else { "" }
    ))
}

/// Returns true if the gate reads a variable of this name. Another row checks secrets.
fn is_read(name: &str, config: &Config) -> bool {
    let is_token = |name: &str| config.tokens.contains_key(name);
    VARIABLES.contains(&name)
        || RESERVED_SECRETS.contains(&name)
        || is_token(name)
        || name.strip_suffix("_ISSUED_AT").is_some_and(is_token)
}

/// Checks that the upstreams are not the example, and that Cloudflare can reach them.
pub(super) fn upstream(config: &Config) -> Verdict {
    let mut findings = Findings::default();
    for route in &config.routes {
        let origin = route.upstream.origin();
        let hint = format!("set the upstream of the route {} to your API", route.path);
        if is_example(&route.upstream) {
            findings.fail(format!("{} goes to {origin}, the example", route.path), hint);
        } else if let Some(why) = unreachable(route) {
            findings.fail(why, hint);
        }
    }
    let mut origins: Vec<&str> =
        config.routes.iter().map(|route| route.upstream.origin()).collect();
    origins.dedup();
    findings.verdict(format!("requests go to {}", listed(&origins, 4)))
}

/// Says that a route goes to this machine, if it does.
pub(crate) fn unreachable(route: &Route) -> Option<String> {
    let origin = route.upstream.origin();
    // The gate takes http on loopback only.
    origin.starts_with("http://").then(|| {
        format!("{} goes to {origin}, this machine, which Cloudflare does not reach", route.path)
    })
}

fn is_example(upstream: &Upstream) -> bool {
    let authority = upstream.origin().split("://").nth(1).unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    host == EXAMPLE_HOST || host.strip_suffix(EXAMPLE_HOST).is_some_and(|rest| rest.ends_with('.'))
}

/// Lists the variables and bindings of the top level that an environment lacks, because environments do not
/// inherit them.
pub(super) fn environments(document: &Document) -> Verdict {
    let (top, environments) = document.all();
    let mut findings = Findings::default();
    let mut complete = Vec::new();
    for (name, environment) in environments {
        let lacking = lacking(top, environment);
        let hint = format!("repeat them under [env.{name}] in {}", document.name());
        if !lacking.needed.is_empty() {
            findings
                .fail(format!("[env.{name}] lacks {}", listed(&lacking.needed, 12)), hint.clone());
        }
        if !lacking.optional.is_empty() {
            findings.warn(
                format!(
                    "[env.{name}] does not set {}, so the defaults apply there",
                    listed(&lacking.optional, 12)
                ),
                hint,
            );
        }
        complete.push(name);
    }
    findings.verdict(match complete.as_slice() {
        [] => format!("{} has no [env.…]", document.name()),
        names => format!("every variable and binding is in [env.…] too: {}", listed(names, 8)),
    })
}

struct Lacking {
    needed: Vec<String>,
    optional: Vec<String>,
}

fn lacking(top: &Value, environment: &Value) -> Lacking {
    let (mut needed, mut optional) = (Vec::new(), Vec::new());
    let own = |name: &str| !environment["vars"][name].is_null();
    for (name, _) in top["vars"].as_object().into_iter().flatten() {
        // One of the two names the upstream.
        let same = match name.as_str() {
            "UPSTREAM" | "ROUTES" => own("UPSTREAM") || own("ROUTES"),
            name => own(name),
        };
        match (same, ["UPSTREAM", "ROUTES", "KEYS"].contains(&name.as_str())) {
            (true, _) => {}
            (false, true) => needed.push(format!("vars.{name}")),
            (false, false) => optional.push(format!("vars.{name}")),
        }
    }
    for place in &BINDINGS {
        let has = names(environment, place);
        for name in names(top, place) {
            if !has.contains(&name) {
                needed.push(format!("{}: {name}", place.0));
            }
        }
    }
    Lacking { needed, optional }
}

#[cfg(test)]
mod tests;
