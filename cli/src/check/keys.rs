//! Rows about the keys of the configuration: which of them are open wider than anybody needs.

use serde_json::Value;
use writegate::Methods;
use writegate::Timestamp;
use writegate::config::Config;
use writegate::policy::path::Pattern;
use writegate::rate;
use writegate::{Key, Scheme};

use super::row::{Findings, Verdict, listed};
use crate::invocation;
use crate::project::Document;

/// The key that the shipped configuration brings.
const EXAMPLE: &str = "pk_example";

/// The binding of the limiter that counts requests for sessions.
const MINT_LIMITER: &str = "RATE_MINT";

/// Returns the keys that are neither revoked nor expired.
pub(super) fn live(config: &Config, now: Timestamp) -> impl Iterator<Item = &Key> {
    config
        .keys
        .values()
        .map(|known| known.key())
        .filter(move |key| !key.revoked && key.expires.is_none_or(|expires| expires > now))
}

fn any_method(key: &Key) -> bool {
    key.methods == Methods::ALL
}

fn any_path(key: &Key) -> bool {
    key.paths.as_ref().is_none_or(|paths| paths.iter().any(|path| path.to_string() == "/*"))
}

/// Returns true if some route serves some path of the key.
fn is_served(config: &Config, key: &Key) -> bool {
    let Some(paths) = &key.paths else {
        return true;
    };
    // Of two that end with `/*`, one begins with the other.
    let meets = |one: &Pattern, other: &Pattern| match (one.is_prefix(), other.is_prefix()) {
        (false, _) => other.matches(one.stem()),
        (true, false) => one.matches(other.stem()),
        (true, true) => {
            one.stem().starts_with(other.stem()) || other.stem().starts_with(one.stem())
        }
    };
    config.routes.iter().any(|route| paths.iter().any(|path| meets(&route.path, path)))
}

pub(super) fn open(config: &Config, now: Timestamp) -> Verdict {
    let callers: Vec<&Key> = live(config, now).filter(|key| !key.admin).collect();
    let named = |keep: &dyn Fn(&Key) -> bool| -> Vec<String> {
        let kept = callers.iter().filter(|key| keep(key));
        kept.map(|key| key.id.to_string()).collect()
    };
    let mut findings = Findings::default();
    let open = named(&|key| any_method(key) && any_path(key));
    findings.warn_of(
        "every method on every path is open to",
        &open,
        "give the key the methods and paths that its callers need, such as methods = [\"POST\"] \
        and paths = [\"/posts/*\"]",
    );
    let unlimited = named(&|key| key.schemes.contains(&Scheme::PublicKey) && key.rate.is_none());
    findings.warn_of(
        "anybody can send a public key, and no rate limits the callers of",
        &unlimited,
        &format!(
            "give the key rate = \"standard\" and the binding RATE_STANDARD: {}",
            invocation::page("configuration.md")
        ),
    );
    let unserved = named(&|key| !is_served(config, key));
    findings.warn_of(
        "no route serves any path of",
        &unserved,
        "correct the key's paths, or add a route for them",
    );
    findings.verdict(format!(
        "{} key(s) of the configuration are limited by method or path{}",
        callers.len(),
        if config.registry {
            "; those of the registry were not checked (`cargo run -- key list --gate …`)"
        } else {
            ""
        }
    ))
}

/// Warns of admin keys that are open wider than needed: they open the registry, the usage and the purge.
pub(super) fn admin(config: &Config, now: Timestamp) -> Verdict {
    let admins: Vec<&Key> = live(config, now).filter(|key| key.admin).collect();
    let open: Vec<String> = admins
        .iter()
        .filter(|key| {
            let narrowed = !any_method(key) || !any_path(key);
            !narrowed && key.allowed_ips.is_none() && key.expires.is_none() && !key.nonce_required
        })
        .map(|key| key.id.to_string())
        .collect();
    let mut findings = Findings::default();
    findings.warn_of(
        "an admin key may use all of /_gate/ from any address, and never expires:",
        &open,
        "give it allowed_ips or expires; a key only for check and rotation needs methods = \
        [\"GET\"] and paths = [\"/_gate/status\"]",
    );
    let names: Vec<String> = admins.iter().map(|key| key.id.to_string()).collect();
    findings.verdict(match names.as_slice() {
        [] => "no admin key, so /_gate/status and the registry are closed".to_owned(),
        names => format!("limited: {}", listed(names, 8)),
    })
}

pub(super) fn example(config: &Config, now: Timestamp) -> Verdict {
    if live(config, now).any(|key| key.id.as_str() == EXAMPLE) {
        return Verdict::fail(
            format!("{EXAMPLE}, the key of every fresh clone, is in the configuration"),
            "replace it by a key of your own: `cargo run -- key new`",
        );
    }
    Verdict::ok(format!("{EXAMPLE} is not in the configuration"))
}

/// Lists what keys ask for and the deployment does not have: their requests would be answered 503.
pub(super) fn bindings(document: &Document, config: &Config, now: Timestamp) -> Verdict {
    let limiters = document.names("ratelimits");
    let mut findings = Findings::default();
    for key in live(config, now) {
        let id = &key.id;
        let rate =
            key.rate.as_ref().map(|rate| (rate::binding(rate), format!("rate = \"{rate}\"")));
        let mint = key.mint.map(|_| (MINT_LIMITER.to_owned(), "mint".to_owned()));
        for (binding, field) in rate.into_iter().chain(mint) {
            if !limiters.contains(&binding.as_str()) {
                findings.fail(
                    format!("{id} has {field}, and there is no binding {binding}"),
                    format!("add [[ratelimits]] with name = \"{binding}\" to {}", document.place()),
                );
            }
        }
        for (wanted, there, field, binding) in [
            (key.nonce_required, config.replay, "nonce", "REPLAY"),
            (key.quota.is_some(), config.ledger, "quota", "LEDGER"),
        ] {
            if wanted && !there {
                findings.fail(
                    format!("{id} has {field}, and there is no binding {binding}"),
                    format!(
                        "add [[durable_objects.bindings]] with name = \"{binding}\" to {}",
                        document.place()
                    ),
                );
            }
        }
    }
    if config.registry && !config.key_writer {
        findings.fail(
            "there is KEY_REGISTRY and no binding KEY_WRITER, so the admin API refuses every change of a key",
            format!(
                "add [[durable_objects.bindings]] with name = \"KEY_WRITER\" and class_name = \"KeyWriter\" to {}",
                document.place()
            ),
        );
    }
    for class in unmade(document) {
        findings.fail(
            format!(
                "no migration creates the class {class}, so Cloudflare would refuse the \
                deployment"
            ),
            format!("add [[migrations]] with new_sqlite_classes = [\"{class}\"] to wrangler.toml"),
        );
    }
    findings.verdict("every binding that a key needs is there, and a migration creates every class")
}

/// Classes of this Worker that are bound, and that no migration makes.
fn unmade(document: &Document) -> Vec<&str> {
    let migrations = document.inherited("migrations").as_array();
    let made: Vec<&str> = migrations
        .into_iter()
        .flatten()
        .flat_map(|migration| [&migration["new_sqlite_classes"], &migration["new_classes"]])
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let bindings = document.own("durable_objects")["bindings"].as_array();
    let bound = bindings.into_iter().flatten();
    bound
        .filter(|binding| binding["script_name"].is_null())
        .filter_map(|binding| binding["class_name"].as_str())
        .filter(|class| !made.contains(class))
        .collect()
}

#[cfg(test)]
mod tests;
