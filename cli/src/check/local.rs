//! The secrets that can be read on this machine: to be measured, and to be looked for where they must
//! not be.

use std::collections::BTreeMap;

use serde_json::Value;
use writegate::Secret;

use crate::error::Result;
use crate::project::{Document, Project};

/// The gate's own secrets.
pub(super) const ROOT: &str = "SIGNING_SECRET";
pub(super) const PREVIOUS_ROOT: &str = "SIGNING_SECRET_PREVIOUS";
pub(super) const WAF: &str = "WAF_SECRET";
pub(super) const TURNSTILE: &str = "TURNSTILE_SECRET";
pub(super) const OWN: [&str; 4] = [ROOT, PREVIOUS_ROOT, WAF, TURNSTILE];
/// The secrets with which gates and tokens are managed.
const MANAGING: [&str; 3] = ["CLOUDFLARE_API_TOKEN", "ROTATION_API_TOKEN", "CHECK_API_TOKEN"];

/// The secrets that can be read on this machine.
pub(super) struct Local(BTreeMap<String, Secret>);

impl Local {
    /// Reads the secrets of the environment and of `.dev.vars` that are the gate's own, the routes', or have a name
    /// there that says that they are secret.
    pub(super) fn read(project: &Project, document: Option<&Document>) -> Result<Self> {
        let known = OWN.iter().chain(&MANAGING);
        let mut names: Vec<String> = known.map(ToString::to_string).collect();
        names.extend(document.map(|document| routes(document.own("vars"))).unwrap_or_default());
        let file = project.dev_variables()?;
        names.extend(file.names().filter(|name| sounds_secret(name)).map(str::to_owned));
        let mut found = BTreeMap::new();
        for name in names {
            if let Some(secret) = project.secret(&name)? {
                found.insert(name, secret);
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret))
    }

    #[cfg(test)]
    pub(super) fn of(secrets: &[(&str, &str)]) -> Self {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), Secret::new(*text));
        Self(secrets.iter().map(own).collect())
    }
}

/// Returns true if a variable of this name sounds like a secret.
fn sounds_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper != "KEYS"
        && ["TOKEN", "SECRET", "PASSWORD", "KEY"].iter().any(|word| upper.contains(word))
}

/// Returns the secrets that routes name, also where the configuration as a whole does not parse.
pub(super) fn routes(vars: &Value) -> Vec<String> {
    let routes = vars["ROUTES"].as_array().into_iter().flatten();
    let mut names: Vec<String> = routes
        .filter_map(|route| route["upstream_auth"]["secret"].as_str())
        .map(str::to_owned)
        .collect();
    names.push("WRITE_TOKEN".to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sound_like_a_secret_s() {
        for (name, sounds) in
            [("API_TOKEN", true), ("my_password", true), ("UPSTREAM", false), ("KEYS", false)]
        {
            assert_eq!(sounds_secret(name), sounds, "{name}");
        }
    }
}
