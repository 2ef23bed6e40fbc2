//! Rows about the keys of the configuration: which of them are open wider than anybody needs.

use serde_json::Value;
use writegate::Timestamp;
use writegate::config::Config;
use writegate::policy::path::Pattern;
use writegate::rate;
use writegate::route::Route;
use writegate::{Key, METHODS, Methods, Scheme};

use super::row::{Findings, Verdict, listed};
use crate::invocation;
use crate::project::Document;

/// The key of the shipped configuration.
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

/// Returns true if some path matches both patterns.
fn meet(one: &Pattern, other: &Pattern) -> bool {
    match (one.is_prefix(), other.is_prefix()) {
        (false, _) => other.matches(one.stem()),
        (true, false) => one.matches(other.stem()),
        // Of two that end with `/*`, one begins with the other.
        (true, true) => {
            one.stem().starts_with(other.stem()) || other.stem().starts_with(one.stem())
        }
    }
}

/// Returns true if some path of the key is a path of `place`.
fn has_path_in(key: &Key, place: &Pattern) -> bool {
    key.paths.as_ref().is_none_or(|paths| paths.iter().any(|path| meet(place, path)))
}

/// Returns true if the gate accepts some credential of the key for this method.
fn may_send(key: &Key, method: &str) -> bool {
    let accepts = |scheme: &Scheme| match scheme {
        Scheme::Session | Scheme::Signature => true,
        Scheme::Url | Scheme::WafUrl | Scheme::PublicKey => {
            !key.nonce_required && matches!(method, "GET" | "HEAD")
        }
    };
    key.methods.contains(method) && key.schemes.iter().any(accepts)
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
    let serves = |key: &Key, route: &&Route| has_path_in(key, &route.path);
    let is_served = |key: &Key| config.routes.iter().any(|route| serves(key, &route));
    findings.warn_of(
        "no route serves any path of",
        &named(&|key| !is_served(key)),
        "correct the key's paths, or add a route for them",
    );
    let takes = |route: &Route, key: &Key| {
        METHODS.iter().any(|method| route.methods.contains(method) && may_send(key, method))
    };
    let is_usable = |key: &Key| {
        config.routes.iter().filter(|route| serves(key, route)).any(|route| takes(route, key))
    };
    findings.warn_of(
        "no request is accepted, because methods and schemes exclude each other, of",
        &named(&|key| is_served(key) && !is_usable(key)),
        "correct the methods of key and route, or the schemes: url, waf-url and public-key are for GET and HEAD, and not with nonce",
    );
    let names_no_key = |route: &&Route| {
        route.waf_key.as_ref().is_some_and(|id| match config.keys.get(id) {
            Some(known) => !known.key().schemes.contains(&Scheme::WafUrl),
            None => !config.registry,
        })
    };
    let routes = config.routes.iter().filter(names_no_key).map(|route| route.path.to_string());
    findings.warn_of(
        "waf_key names no key with the scheme waf-url, on",
        &routes.collect::<Vec<_>>(),
        "correct waf_key, or give its key schemes = [\"waf-url\"]",
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
    let own_paths = Pattern::parse("/_gate/*");
    let closed = admins
        .iter()
        .filter(|key| own_paths.as_ref().is_some_and(|own_paths| !has_path_in(key, own_paths)));
    let closed: Vec<String> = closed.map(|key| key.id.to_string()).collect();
    findings.warn_of(
        "an admin key opens paths under /_gate/ only, and none of its paths is there:",
        &closed,
        "correct its paths, for example to [\"/_gate/status\"], or remove admin",
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

/// Lists the bindings that keys need and the deployment lacks, because the gate would answer their requests with 503.
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

/// Classes of this Worker that are bound but that no migration creates.
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
