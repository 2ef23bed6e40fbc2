//! This checkout's configuration, as a gate with it would read it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use writegate::Secret;
use writegate::Upstream;
use writegate::config::{Binding, Config, Environment, MIN_SECRET_BYTES};

use crate::error::{Context as _, Error, Result};

/// The `[vars]` of `wrangler.toml`, or of one of its environments, which inherits none.
pub(super) struct Local {
    vars: Value,
    /// The bindings of Secrets Stores.
    stores: Value,
    /// Host names that the Worker has, as far as they stand there.
    hosts: Vec<String>,
}

/// A secret that lies in a Secrets Store.
pub(super) struct Stored {
    pub(super) store: String,
    pub(super) name: String,
}

/// The variables of a configuration as a gate finds them, with a root secret and at most one token.
struct Bindings<'l> {
    vars: &'l Value,
    root: &'l Secret,
    token: Option<(&'l str, &'l Secret)>,
}

impl Environment for Bindings<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        match (name, self.token, self.vars.get(name)) {
            ("SIGNING_SECRET", ..) => Some(Binding::Text(self.root.clone())),
            (name, Some((token, value)), _) if name == token => Some(Binding::Text(value.clone())),
            (.., None) => None,
            (.., Some(Value::String(text))) => Some(Binding::Text(Secret::new(text.as_str()))),
            (.., Some(value)) => Some(Binding::Json(value.to_string())),
        }
    }
}

impl Local {
    pub(super) fn read(checkout: &Path, environment: Option<&str>) -> Result<Self> {
        let text = fs::read_to_string(checkout.join("wrangler.toml")).context("wrangler.toml")?;
        let mut whole: Value = toml::from_str(&text)
            .map_err(|error| Error::usage(format!("wrangler.toml: {}", error.message())))?;
        // An environment inherits these, unless it has its own.
        let own = environment.map_or(&Value::Null, |name| &whole["env"][name]);
        let hosts = [own, &whole].into_iter().find_map(hosts).unwrap_or_default();
        let section = match environment {
            None => &mut whole,
            Some(name) => whole["env"].get_mut(name).ok_or_else(|| {
                Error::usage("--env: wrangler.toml has no environment of that name, [env.NAME]")
            })?,
        };
        Ok(Self {
            vars: section["vars"].take(),
            stores: section["secrets_store_secrets"].take(),
            hosts,
        })
    }

    /// Refuses a gate that this configuration is not of: what is put goes to this configuration's Worker.
    pub(super) fn refuse_elsewhere(&self, gate: &Upstream) -> Result<()> {
        let host = gate.origin().split_once("://").map_or("", |(_, host)| host);
        let host = host.split(':').next().unwrap_or_default();
        let is_here = |own: &String| match own.strip_prefix('*') {
            Some(end) => host.ends_with(end),
            None => own == host,
        };
        // On loopback it is a test, or `wrangler dev`.
        let may_be_here = self.hosts.is_empty() || host.ends_with(".workers.dev");
        match may_be_here || gate.origin().starts_with("http://") || self.hosts.iter().any(is_here)
        {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "--gate: wrangler.toml has its Worker at {}, so the token would be put somewhere else than at that gate; is --env missing?",
                self.hosts.join(", ")
            ))),
        }
    }

    /// Where a secret lies that is none of the Worker's own.
    pub(super) fn stored(&self, secret: &str) -> Option<Stored> {
        let bindings = self.stores.as_array()?;
        let binding = bindings.iter().find(|one| one["binding"] == secret)?;
        let text = |name: &str| binding[name].as_str().unwrap_or_default().to_owned();
        Some(Stored { store: text("store_id"), name: text("secret_name") })
    }

    /// Reads the configuration as a gate does that has this token in a secret of this name.
    pub(super) fn config(&self, root: &Secret, token: Option<(&str, &Secret)>) -> Result<Config> {
        Config::read(&Bindings { vars: &self.vars, root, token }).map_err(|error| match token {
            // It is the token that does not fit its route.
            Some((name, _)) if error.field == name => {
                Error::usage(format!("the token for {name} {}", error.hint))
            }
            _ => Error::usage(format!("wrangler.toml: {error}")),
        })
    }

    /// The secret that is meant: the one named, or the only one that a route names.
    pub(super) fn secret(&self, asked: Option<&str>) -> Result<String> {
        let config = self.config(&stand_in(), None)?;
        let known: Vec<&str> = config.tokens.keys().map(String::as_str).collect();
        match (asked, known.as_slice()) {
            (Some(asked), known) if known.contains(&asked) => Ok(asked.to_owned()),
            (Some(_), known) => Err(Error::usage(format!(
                "--secret: no route of wrangler.toml takes its token from a secret of that name; known: {}",
                known.join(", ")
            ))),
            (None, [only]) => Ok((*only).to_owned()),
            (None, several) => Err(Error::usage(format!(
                "the routes of wrangler.toml have several tokens: name one with --secret ({})",
                several.join(", ")
            ))),
        }
    }
}

/// The host names of `route` and `routes`.
fn hosts(section: &Value) -> Option<Vec<String>> {
    let listed = section["routes"].as_array().into_iter().flatten();
    let all = listed.chain(Some(&section["route"]));
    let hosts: Vec<String> = all
        .filter_map(|route| route.as_str().or(route["pattern"].as_str()))
        .map(|pattern| {
            let pattern = pattern.split_once("://").map_or(pattern, |(_, rest)| rest);
            pattern.split('/').next().unwrap_or_default().to_owned()
        })
        .collect();
    (!hosts.is_empty()).then_some(hosts)
}

/// A root where none is needed: what is read with it derives no secret.
pub(super) fn stand_in() -> Secret {
    Secret::new("-".repeat(MIN_SECRET_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_of_another_configuration_is_refused() {
        let hosts = |text: &str| {
            let whole: Value = toml::from_str(text).unwrap();
            hosts(&whole).unwrap_or_default()
        };
        let local = |hosts: Vec<String>| Local { vars: Value::Null, stores: Value::Null, hosts };
        let own = hosts(
            "routes = [{ pattern = \"gate.example.com\", custom_domain = true }, \"*.example.org/api/*\"]",
        );
        assert_eq!(own, ["gate.example.com", "*.example.org"]);
        assert_eq!(hosts("route = \"https://a.example/*\""), ["a.example"]);
        for (gate, is_refused) in [
            ("https://gate.example.com", false),
            ("https://gate.example.com:8443", false),
            ("https://a.example.org", false),
            ("https://gate.me.workers.dev", false),
            ("http://127.0.0.1:8787", false),
            ("https://staging.example.com", true),
            ("https://xgate.example.com", true),
        ] {
            let gate = Upstream::parse(gate).unwrap();
            let refused = local(own.clone()).refuse_elsewhere(&gate);
            assert_eq!(refused.is_err(), is_refused, "{}", gate.origin());
            assert!(local(Vec::new()).refuse_elsewhere(&gate).is_ok());
        }
    }
}
