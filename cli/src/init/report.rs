//! The report at the end: what a person has to know, on standard error; only the key's secret on standard output.

use serde_json::{Value, json};
use writegate::Secret;
use writegate::derive_sk;
use writegate::{KeyId, Scheme};

use crate::error::{Error, Result};
use crate::invocation;
use crate::project::Project;
use crate::settings;

use super::secret_source::SecretSource;

/// The progress of `init`.
pub(super) enum Online {
    /// The files are written.
    No,
    /// The secrets are set.
    Secrets,
    /// The gate is deployed.
    Gate,
}

/// Reports what is written now; `kept` is where the root was found.
pub(super) fn written(kept: Option<SecretSource>) {
    let root = match kept {
        Some(SecretSource::File) => "with the SIGNING_SECRET that was there before",
        Some(SecretSource::Environment) => "with the SIGNING_SECRET of the environment",
        None => "with a new SIGNING_SECRET",
    };
    eprintln!("writegate: wrote wrangler.toml, and .dev.vars {root}");
}

/// Which of the secrets that are sent are not those of `.dev.vars`.
pub(super) fn exported(names: &[String]) {
    if !names.is_empty() {
        let names = names.join(", ");
        eprintln!("writegate: with the {names} of the environment, for .dev.vars has none");
    }
}

/// The facts that the report is made of.
pub(super) struct End<'e> {
    pub(super) project: &'e Project,
    /// `wrangler.toml`.
    pub(super) whole: &'e Value,
    pub(super) root: &'e Secret,
    /// The instructions for the workflows, if the gate has some.
    pub(super) publishing: Option<String>,
}

impl End<'_> {
    /// Reports what to keep, what comes next, and the first key.
    pub(super) fn report(&self, online: Online) -> Result<()> {
        let none = || Error::usage("wrangler.toml has no key for a caller: `key new` makes one");
        let keys = self.whole["vars"]["KEYS"].as_array().ok_or_else(none)?;
        let first = keys.iter().find(|key| key["admin"] != true);
        let id = first.and_then(|key| KeyId::parse(key["id"].as_str()?));
        let id = id.ok_or_else(none)?;
        let (_, key) = settings::key(self.project, &id)?.ok_or_else(none)?;
        let prefix = invocation::prefix();
        let use_it = match key.schemes.contains(&Scheme::Session) {
            true if key.mint.is_some() => {
                format!("docs/recipes/form.md has the page's script: its key is {id}")
            }
            true => format!("{prefix} session mint --key {id}   make a session for its caller"),
            false => format!("{prefix} key show {id}   see what that key may do"),
        };
        eprintln!(
            "\n\
             Keep SIGNING_SECRET: copy it from .dev.vars into your password store now. Every key's secret is made from\n\
             it, and it cannot be read back from Cloudflare. WRITE_TOKEN stands in .dev.vars for `npx wrangler dev` alone;\n\
             take it out where this machine should not have it.\n{}\
             \n\
             Next:\n  \
             {}\n  \
             {use_it}\n\
             \n\
             The first key and its secret, for its callers' servers and never for a browser\n\
             (`{prefix} key show {id}` shows it again):",
            self.lacks(),
            self.next(online)
        );
        if let Some(publishing) = &self.publishing {
            eprintln!("\n{publishing}");
        }
        let sk = derive_sk(self.root, &id, key.version);
        println!("{}", json!({"id": id.as_str(), "sk": sk.expose_str()}));
        Ok(())
    }

    fn next(&self, online: Online) -> String {
        match online {
            Online::No => {
                let finish = format!("{} init --secrets-only --deploy", invocation::prefix());
                format!(
                    "{:width$}   try it on this machine\n  {finish}   put it online",
                    "npx wrangler dev",
                    width = finish.len()
                )
            }
            Online::Secrets => "npx wrangler deploy   put it online".to_owned(),
            Online::Gate => {
                let domain = self.whole["routes"][0]["pattern"].as_str().unwrap_or("…");
                format!(
                    "{} check --gate https://{domain}   see that all is as it should be",
                    invocation::prefix()
                )
            }
        }
    }

    /// Lists what this gate does without, in lines of their own.
    fn lacks(&self) -> String {
        let routes = self.whole["vars"]["ROUTES"].as_array();
        let any =
            |field: &str| routes.is_some_and(|all| all.iter().any(|one| !one[field].is_null()));
        let mut lines = String::new();
        if any("cache") && self.whole["routes"].is_null() {
            lines.push_str("\nNothing is cached on workers.dev: give the gate a host name of one of your zones (--domain).\n");
        }
        if !any("probe") {
            lines.push_str("\nWithout a probe in the route nobody can try a new token before it replaces the old one (--probe).\n");
        }
        lines
    }
}
