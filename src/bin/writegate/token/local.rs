//! This checkout's configuration, as a gate with it would read it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use writegate::config::{Binding, Config, Environment, MIN_ROOT_BYTES};
use writegate::secret::Secret;

use crate::failure::{Doing as _, Failure, Result};

/// The `[vars]` of `wrangler.toml`, or of one of its environments, which inherits none.
pub(super) struct Local {
    vars: Value,
    /// The bindings of Secrets Stores.
    stores: Value,
}

/// A secret that lies in a Secrets Store.
pub(super) struct Stored {
    pub(super) store: String,
    pub(super) name: String,
}

/// Those, with a root and at most one token.
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
        let text = fs::read_to_string(checkout.join("wrangler.toml")).doing("wrangler.toml")?;
        let mut whole: Value = toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("wrangler.toml: {}", error.message())))?;
        let section = match environment {
            None => &mut whole,
            Some(name) => whole["env"].get_mut(name).ok_or_else(|| {
                Failure::usage(format!(
                    "wrangler.toml has no [env.{name}]: name one of its environments with --env"
                ))
            })?,
        };
        Ok(Self {
            vars: section["vars"].take(),
            stores: section["secrets_store_secrets"].take(),
        })
    }

    /// Where a secret lies that is none of the Worker's own.
    pub(super) fn stored(&self, secret: &str) -> Option<Stored> {
        let bindings = self.stores.as_array()?;
        let binding = bindings.iter().find(|one| one["binding"] == secret)?;
        let text = |name: &str| binding[name].as_str().unwrap_or_default().to_owned();
        Some(Stored {
            store: text("store_id"),
            name: text("secret_name"),
        })
    }

    /// What a gate makes of it with this token in a secret of this name.
    pub(super) fn config(&self, root: &Secret, token: Option<(&str, &Secret)>) -> Result<Config> {
        Config::read(&Bindings {
            vars: &self.vars,
            root,
            token,
        })
        .map_err(|error| match token {
            // It is the token that does not fit its route.
            Some((name, _)) if error.field == name => {
                Failure::usage(format!("the token for {name} {}", error.mend))
            }
            _ => Failure::usage(format!("wrangler.toml: {error}")),
        })
    }

    /// The secret that is meant: the one named, or the only one that a route names.
    pub(super) fn secret(&self, asked: Option<&str>) -> Result<String> {
        let config = self.config(&stand_in(), None)?;
        let known: Vec<&str> = config.tokens.keys().map(String::as_str).collect();
        match (asked, known.as_slice()) {
            (Some(asked), known) if known.contains(&asked) => Ok(asked.to_owned()),
            (Some(asked), known) => Err(Failure::usage(format!(
                "--secret {asked}: no route of wrangler.toml takes its token from it; known: {}",
                known.join(", ")
            ))),
            (None, [only]) => Ok((*only).to_owned()),
            (None, several) => Err(Failure::usage(format!(
                "the routes of wrangler.toml have several tokens: name one with --secret ({})",
                several.join(", ")
            ))),
        }
    }
}

/// A root where none is needed: what is read with it derives no secret.
pub(super) fn stand_in() -> Secret {
    Secret::new("-".repeat(MIN_ROOT_BYTES))
}
