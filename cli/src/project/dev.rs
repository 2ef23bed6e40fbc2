//! The variables and secrets that `wrangler dev` takes from files: from `.dev.vars`, or from the `.env` files.

use std::env;

use writegate::Secret;
use writegate::config::VARIABLES;

use crate::error::{Error, Result};

use super::Project;
use super::dotenv::{self, Variables};

/// Holds the secrets of `wrangler dev`.
const DEV_VARS: &str = ".dev.vars";
/// If it is "false", wrangler takes no secrets from `.env`.
pub(super) const FROM_DOT_ENV: &str = "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV";
/// If it is "true", those of `.env` may refer to variables of the process, which win over them.
pub(super) const WITH_PROCESS: &str = "CLOUDFLARE_INCLUDE_PROCESS_ENV";

impl Project {
    /// Returns the name of the environment's own file of secrets.
    pub(crate) fn dev_vars(&self) -> String {
        match &self.environment {
            Some(name) => format!("{DEV_VARS}.{name}"),
            None => DEV_VARS.to_owned(),
        }
    }

    /// Returns the names of the gate's variables that the files of `wrangler dev` have, too, where they win.
    pub(crate) fn changed_in_dev(&self) -> Result<Vec<String>> {
        if !self.has_configuration() {
            return Ok(Vec::new());
        }
        let (variables, document) = (self.dev_variables()?, self.unchecked_document()?);
        // With a list of secrets, `wrangler dev` takes no others from its files.
        let secrets = document.own("secrets");
        let is_taken = |name: &str| {
            let required = secrets["required"].as_array();
            secrets.is_null() || required.is_some_and(|all| all.iter().any(|one| one == name))
        };
        let is_variable = |name: &&str| {
            is_taken(name) && (VARIABLES.contains(name) || document.own("vars").get(name).is_some())
        };
        Ok(variables.names().filter(is_variable).map(str::to_owned).collect())
    }

    /// Returns a secret of this name, from the environment or the files of `wrangler dev`.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<Secret>> {
        match exported(name) {
            Some(secret) => Ok(Some(secret)),
            None => self.secret_in_file(name),
        }
    }

    /// Returns the secret of the files of `wrangler dev`.
    pub(crate) fn secret_in_file(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.dev_variables()?.get(name).and_then(secret))
    }

    /// Returns the secret of the files of `wrangler dev`; for an environment, only of its own files.
    pub(crate) fn secret_in_own_file(&self, name: &str) -> Result<Option<Secret>> {
        if self.environment.is_none() {
            return self.secret_in_file(name);
        }
        let text = self.text(&self.dev_vars())?.unwrap_or_default();
        Ok(Variables::parse(&text).get(name).and_then(secret))
    }

    /// Returns the variables that `wrangler dev` takes from files: `.dev.vars`, or the environment's own, or else the
    /// `.env` files.
    pub(crate) fn dev_variables(&self) -> Result<Variables> {
        self.dev_variables_beside(&|name| env::var(name).ok())
    }

    /// Returns the variables of those files, beside a process with these variables.
    pub(super) fn dev_variables_beside(
        &self,
        process: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Variables> {
        for name in [self.dev_vars().as_str(), DEV_VARS] {
            if let Some(text) = self.text(name)? {
                return Ok(Variables::parse(&text));
            }
        }
        let variables = self.dot_env()?;
        // wrangler takes `.env` for its own variables, too.
        let is = |name: &str, wanted: &str| {
            let value = process(name).or_else(|| variables.get(name).map(str::to_owned));
            value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        };
        if is(FROM_DOT_ENV, "false") {
            return Ok(Variables::default());
        }
        let lists_secrets = || {
            self.has_configuration()
                && self
                    .unchecked_document()
                    .is_ok_and(|document| !document.own("secrets").is_null())
        };
        let process: &dyn Fn(&str) -> Option<String> =
            if is(WITH_PROCESS, "true") || lists_secrets() { process } else { &|_| None };
        variables.expand(process).ok_or_else(|| {
            Error::usage(".env: a $ in it refers to itself, and wrangler would follow it forever")
        })
    }

    /// Returns the text of the file of secrets with these in it; all else in it stays.
    pub(crate) fn dev_vars_with(&self, head: &str, secrets: &[(&str, &Secret)]) -> Result<Secret> {
        let old = self.text(&self.dev_vars())?.filter(|text| !text.is_empty());
        let old = old.unwrap_or_else(|| head.to_owned());
        let texts: Vec<_> = secrets
            .iter()
            .map(|(name, secret)| (*name, secret.expose_str().unwrap_or_default()))
            .collect();
        dotenv::rewritten(&old, &texts).map(Secret::new).ok_or_else(|| {
            Error::usage(format!(
                "{} cannot hold these secrets with what is in it: look for an open quote in it",
                self.dev_vars()
            ))
        })
    }

    /// Returns the variables of the `.env` files, as they are written.
    pub(super) fn dot_env(&self) -> Result<Variables> {
        let mut names = vec![".env".to_owned(), ".env.local".to_owned()];
        if let Some(own) = &self.environment {
            names.extend([format!(".env.{own}"), format!(".env.{own}.local")]);
        }
        let mut variables = Variables::default();
        for name in names {
            // Some projects have a folder of this name.
            if self.root.join(&name).is_file() {
                variables.extend(Variables::parse(&self.text(&name)?.unwrap_or_default()));
            }
        }
        Ok(variables)
    }
}

/// Returns a secret of the process's environment.
pub(crate) fn exported(name: &str) -> Option<Secret> {
    secret(&env::var(name).ok()?)
}

/// Returns a secret as `wrangler secret put` sets it: without white space at its end, and never empty.
pub(crate) fn secret(text: &str) -> Option<Secret> {
    let text = text.trim_end_matches(dotenv::is_space);
    (!text.is_empty()).then(|| Secret::new(text))
}
