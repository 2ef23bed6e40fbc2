//! The project's configuration, as a gate with it would read it.

use writegate::config::Config;
use writegate::{Secret, Upstream};

use crate::error::{Error, Result};
use crate::project::{Deployed, Document, placeholder_root};

/// The configuration, and the host names of the Worker, as far as they are known.
pub(super) struct Local {
    document: Document,
    hosts: Vec<String>,
}

/// A secret in a Secrets Store.
pub(super) struct Stored {
    pub(super) store: String,
    pub(super) name: String,
}

impl Local {
    pub(super) fn of(document: Document) -> Self {
        let hosts = hosts(&document);
        Self { document, hosts }
    }

    /// Refuses a gate at another address than this configuration's, because the token goes to this configuration's Worker.
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
                "--gate: {} has its Worker at {}, so the token would be put somewhere else than at that gate; is --env missing?",
                self.document.place(),
                self.hosts.join(", ")
            ))),
        }
    }

    /// Returns the place of a secret that is not the Worker's own.
    pub(super) fn stored(&self, secret: &str) -> Option<Stored> {
        let bindings = self.document.own("secrets_store_secrets").as_array()?;
        let binding = bindings.iter().find(|one| one["binding"] == secret)?;
        let text = |name: &str| binding[name].as_str().unwrap_or_default().to_owned();
        Some(Stored { store: text("store_id"), name: text("secret_name") })
    }

    /// Reads the configuration as a gate does that has this token in a secret of this name.
    pub(super) fn config(&self, root: &Secret, token: Option<(&str, &Secret)>) -> Result<Config> {
        let vars = self.document.own("vars");
        let secret = |name: &str| match token {
            _ if name == "SIGNING_SECRET" => Some(root.clone()),
            Some((token, value)) if name == token => Some(value.clone()),
            _ => None,
        };
        let deployed = Deployed { vars, resources: Vec::new(), secret: &secret };
        Config::read(&deployed).map_err(|error| match token {
            // The token does not fit its route.
            Some((name, _)) if error.field == name => {
                Error::usage(format!("the token for {name} {}", error.hint))
            }
            _ => Error::usage(format!("{}: {error}", self.document.name())),
        })
    }

    /// Returns the secret: the one that `--secret` names, or the only one that a route names.
    pub(super) fn secret(&self, asked: Option<&str>) -> Result<String> {
        let config = self.config(&placeholder_root(), None)?;
        let known: Vec<&str> = config.tokens.keys().map(String::as_str).collect();
        match (asked, known.as_slice()) {
            (Some(asked), known) if known.contains(&asked) => Ok(asked.to_owned()),
            (Some(_), known) => Err(Error::usage(format!(
                "--secret: no route of {} takes its token from a secret of that name; known: {}",
                self.document.place(),
                known.join(", ")
            ))),
            (None, [only]) => Ok((*only).to_owned()),
            (None, several) => Err(Error::usage(format!(
                "the routes of {} have several tokens: name one with --secret ({})",
                self.document.place(),
                several.join(", ")
            ))),
        }
    }
}

/// Returns the host names of `route` and `routes`.
fn hosts(document: &Document) -> Vec<String> {
    let listed = document.inherited("routes").as_array().into_iter().flatten();
    let all = listed.chain([document.inherited("route")]);
    all.filter_map(|route| route.as_str().or(route["pattern"].as_str()))
        .map(|pattern| {
            let pattern = pattern.split_once("://").map_or(pattern, |(_, rest)| rest);
            pattern.split('/').next().unwrap_or_default().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_of_another_configuration_is_refused() {
        let local = |text: &str| Local::of(Document::parse("wrangler.toml", text, None).unwrap());
        let own = local(
            "routes = [{ pattern = \"gate.example.com\", custom_domain = true }, \"*.example.org/api/*\"]",
        );
        assert_eq!(own.hosts, ["gate.example.com", "*.example.org"]);
        assert_eq!(local("route = \"https://a.example/*\"").hosts, ["a.example"]);
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
            let refused = own.refuse_elsewhere(&gate);
            assert_eq!(refused.is_err(), is_refused, "{}", gate.origin());
            assert!(local("").refuse_elsewhere(&gate).is_ok());
        }
    }
}
