//! The deployment of the Worker: rows about `wrangler.toml` only.

use serde_json::Value;
use writegate::Timestamp;
use writegate::config::Config;

use super::row::{Findings, Verdict};
use crate::project::Document;

/// From this date on a redirect to another origin loses its `Authorization`.
const LEAST_DATE: &str = "2025-09-01";
/// The date that the gate is tested with.
const TESTED_DATE: &str = "2026-11-17";

pub(super) fn compatibility_date(document: &Document, now: Timestamp) -> Verdict {
    let hint = format!("set compatibility_date = \"{TESTED_DATE}\" in wrangler.toml");
    let text = match document.inherited("compatibility_date") {
        Value::Null => return Verdict::fail("wrangler.toml has no compatibility_date", hint),
        Value::String(text) => text.as_str(),
        _ => return Verdict::fail("compatibility_date is not a text in quotes", hint),
    };
    let is = format!("compatibility_date is {text}");
    let old = "a redirect to another origin keeps its Authorization";
    match Timestamp::parse_rfc3339(text).filter(|_| text.len() == 10) {
        None => Verdict::fail("compatibility_date is not a date such as 2026-11-17", hint),
        Some(_) if text < LEAST_DATE => {
            Verdict::fail(format!("{is}: before {LEAST_DATE} {old}"), hint)
        }
        Some(_) if text < TESTED_DATE => {
            Verdict::warn(format!("{is}, and the gate is tested with {TESTED_DATE}"), hint)
        }
        Some(date) if date > now => {
            Verdict::warn(format!("{is}, a date in the future, which Cloudflare refuses"), hint)
        }
        Some(_) => Verdict::ok(is),
    }
}

pub(super) fn preview_urls(document: &Document) -> Verdict {
    let why = "a preview URL serves an old version with the keys that it knew, revoked ones too";
    let hint = "set preview_urls = false in wrangler.toml, and deploy";
    match document.inherited("preview_urls") {
        Value::Bool(false) => Verdict::ok("preview_urls is false"),
        Value::Null => {
            Verdict::fail(format!("preview_urls is not set, so the dashboard decides: {why}"), hint)
        }
        _ => Verdict::fail(format!("preview_urls is on: {why}"), hint),
    }
}

/// Warns of a cache on workers.dev, where the Cache API does nothing.
pub(super) fn workers_dev(document: &Document, config: &Config) -> Verdict {
    let routes = [document.inherited("routes"), document.inherited("route")];
    let has_routes = routes.iter().any(|routes| {
        routes.is_string()
            || routes.is_object()
            || routes.as_array().is_some_and(|list| !list.is_empty())
    });
    let on = document.inherited("workers_dev").as_bool().unwrap_or(!has_routes);
    let cached: Vec<String> = config
        .routes
        .iter()
        .filter(|route| route.cache.is_some())
        .map(|route| route.path.to_string())
        .collect();
    match (has_routes, on, cached.as_slice()) {
        (false, false, _) => Verdict::warn(
            "workers_dev is false and wrangler.toml has no route, so nobody reaches the gate, \
            except by a domain that was set in the dashboard",
            "add routes = [{ pattern = \"gate.example.com\", custom_domain = true }] to wrangler.toml",
        ),
        (false, true, [first, ..]) => Verdict::warn(
            format!(
                "the gate is only on workers.dev, where the cache stores nothing, so every read on \
                {first} goes to the API"
            ),
            "add routes = [{ pattern = \"gate.example.com\", custom_domain = true }] to wrangler.toml",
        ),
        (false, true, []) => Verdict::ok("only on workers.dev; no route has cache"),
        (true, true, _) => Verdict::ok(
            "on routes of its own, and on workers.dev too, where neither the cache nor the zone's firewall works",
        ),
        (true, false, _) => Verdict::ok("on routes of its own, not on workers.dev"),
    }
}

pub(super) fn schedule(document: &Document) -> Verdict {
    let crons = document.inherited("triggers")["crons"].as_array();
    let crons: Vec<&str> = crons.into_iter().flatten().filter_map(Value::as_str).collect();
    if crons.is_empty() {
        return Verdict::warn(
            "[triggers] has no crons, so no line warns of an old token",
            "add [triggers] with crons = [\"17 5 * * *\"] to wrangler.toml",
        );
    }
    Verdict::ok(format!("the rotation check runs by crons: {}", crons.join(", ")))
}

/// Checks that the gate's own lines are stored, and the platform's, which hold whole URLs, are not.
pub(super) fn audit_log(document: &Document) -> Verdict {
    let observability = document.inherited("observability");
    let logs = &observability["logs"];
    let enabled = logs["enabled"].as_bool().or(observability["enabled"].as_bool()).unwrap_or(false);
    let logpush = document.inherited("logpush") == true;
    let mut findings = Findings::default();
    if !enabled && !logpush {
        findings.fail(
            "neither [observability.logs] nor logpush is on, so no line of a request is stored",
            "add [observability.logs] with enabled = true and invocation_logs = false to wrangler.toml",
        );
        return findings.verdict("");
    }
    if enabled && logs["invocation_logs"] != false {
        findings.warn(
            "invocation_logs is not false: the platform's own lines hold whole URLs, and a signed link is a credential",
            "set invocation_logs = false in [observability.logs]",
        );
    }
    if enabled && logs["persist"] == false && !logpush {
        findings.warn(
            "persist is false: the lines are not stored at Cloudflare",
            "remove persist from [observability.logs], unless its destinations keep them",
        );
    }
    for (place, rate) in [
        ("observability", &observability["head_sampling_rate"]),
        ("observability.logs", &logs["head_sampling_rate"]),
    ] {
        if enabled && rate.as_f64().is_some_and(|rate| rate < 1.0) {
            findings.warn(
                format!("head_sampling_rate of [{place}] is {rate}, so most lines are not stored"),
                format!("remove head_sampling_rate from [{place}]"),
            );
        }
    }
    findings.verdict(match (enabled, logpush) {
        (true, true) => "observability.logs are on, and logpush stores the lines elsewhere",
        (true, false) => {
            "observability.logs are on, stored for some days; logpush = true would store them elsewhere"
        }
        (false, _) => "logpush is on; observability.logs are not, so the dashboard shows nothing",
    })
}

#[cfg(test)]
mod tests;
