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
    /// `[[secrets_store_secrets]]`.
    stored: Value,
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
            Some(name) => match whole["env"].get_mut(name) {
                Some(section) => section,
                None => {
                    return Err(Failure::usage(format!(
                        "wrangler.toml has no [env.{name}]: name one of its environments with --env"
                    )));
                }
            },
        };
        Ok(Self {
            vars: section["vars"].take(),
            stored: section["secrets_store_secrets"].take(),
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
        let secret = match (asked, known.as_slice()) {
            (Some(asked), known) if known.contains(&asked) => asked.to_owned(),
            (Some(asked), known) => {
                return Err(Failure::usage(format!(
                    "--secret {asked}: no route of wrangler.toml takes its token from it; known: {}",
                    known.join(", ")
                )));
            }
            (None, [only]) => (*only).to_owned(),
            (None, several) => {
                return Err(Failure::usage(format!(
                    "the routes of wrangler.toml have several tokens: name one with --secret ({})",
                    several.join(", ")
                )));
            }
        };
        self.refuse_stored(&secret).map(|()| secret)
    }

    /// `wrangler secret put` would make a Worker's secret of a name that is bound to a Secrets Store.
    fn refuse_stored(&self, secret: &str) -> Result<()> {
        let mut bindings = self.stored.as_array().into_iter().flatten();
        let Some(binding) = bindings.find(|binding| binding["binding"] == secret) else {
            return Ok(());
        };
        let store = binding["store_id"].as_str().unwrap_or("STORE_ID");
        Err(Failure::usage(format!(
            "{secret} is bound to a Secrets Store: replace it there, `npx wrangler secrets-store secret update {store} \
             --secret-id ID --remote`, and the gate takes it within 30 s without a deployment"
        )))
    }
}

/// A root where none is needed: what is read with it derives no secret.
pub(super) fn stand_in() -> Secret {
    Secret::new("-".repeat(MIN_ROOT_BYTES))
}
