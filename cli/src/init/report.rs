//! The report at the end: what a person has to know, on standard error; only the key's secret on standard output.

use serde_json::{Value, json};
use writegate::{KeyId, Scheme, Secret, derive_sk};

use crate::error::{Error, Result};
use crate::project::Project;
use crate::wrangler::Wrangler;
use crate::{invocation, settings};

use super::package;
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

/// Prints what needs attention.
pub(super) fn warn<'w>(warnings: impl IntoIterator<Item = &'w String>) {
    for warning in warnings {
        eprintln!("writegate: {warning}");
    }
}

/// Reports what is written now; `kept` is where the root was found.
pub(super) fn written(project: &Project, kept: Option<SecretSource>) {
    let root = match kept {
        Some(SecretSource::File) => "with the SIGNING_SECRET that was there before",
        Some(SecretSource::Environment) => "with the SIGNING_SECRET of the environment",
        None => "with a new SIGNING_SECRET",
    };
    eprintln!("writegate: wrote wrangler.toml, and {} {root}", project.dev_vars());
}

/// Names the secrets that are sent and are not those of the file.
pub(super) fn exported(names: &[String], file: &str) -> Option<String> {
    let list = names.join(", ");
    (!names.is_empty())
        .then(|| format!("with the {list} of the environment, because {file} has none"))
}

/// The facts that the report is made of.
pub(super) struct End<'e> {
    pub(super) project: &'e Project,
    /// The part of `wrangler.toml` that wrangler deploys.
    pub(super) whole: &'e Value,
    pub(super) root: &'e Secret,
    /// The instructions for the workflows, if the gate has some.
    pub(super) publishing: Option<String>,
    /// Print an object for a program, and no secret.
    pub(super) json: bool,
    /// The names of the secrets that were put at Cloudflare.
    pub(super) put: Vec<String>,
    pub(super) warnings: Vec<String>,
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
        let (prefix, env) = (invocation::prefix(), self.project.env_option());
        if self.json {
            return self.report_json(&id, &online);
        }
        let secrets = self.project.dev_vars();
        let lacks: String = self.lacks().iter().map(|warning| format!("\n{warning}\n")).collect();
        let use_it = match key.schemes.contains(&Scheme::Session) {
            true if key.mint.is_some() => {
                let page = invocation::page("recipes/form.md");
                format!("{page} has the page's script: its key is {id}")
            }
            true => {
                format!("{prefix} session mint --key {id}{env}   make a session for its caller")
            }
            false => format!("{prefix} key show {id}{env}   see what that key may do"),
        };
        let folder = invocation::below(&self.project.root);
        let mut first = folder.map(|folder| format!("cd {folder}\n  ")).unwrap_or_default();
        if !Wrangler::is_installed(self.project) {
            // Else npx would take any wrangler, which may need another Node.
            first.push_str("npm ci   install wrangler\n  ");
        }
        eprintln!(
            "\nKeep SIGNING_SECRET: copy it from {secrets} into your password store now. Every \
             key's secret is made from\nit, and it cannot be read back from Cloudflare. \
             WRITE_TOKEN is in {secrets} for `npx wrangler dev{env}` only;\nremove it if this \
             machine should not have it.\n{lacks}\nNext:\n  {first}{}\n  {use_it}",
            self.next(online)
        );
        if let Some(publishing) = &self.publishing {
            eprint!("\n{publishing}");
        }
        eprintln!(
            "\n\
             The first key and its secret, for its callers' servers and never for a browser\n\
             (`{prefix} key show {id}{env}` shows it again):"
        );
        let sk = derive_sk(self.root, &id, key.version);
        println!("{}", json!({"id": id.as_str(), "sk": sk.expose_str()}));
        Ok(())
    }

    fn report_json(&self, id: &KeyId, online: &Online) -> Result<()> {
        let lacks = self.lacks();
        warn(&lacks);
        let warnings: Vec<&String> = self.warnings.iter().chain(&lacks).collect();
        let report = json!({
            "configuration": self.project.name(),
            "secrets": self.project.dev_vars(),
            "environment": self.project.environment,
            "worker": self.whole["name"],
            "key": id.as_str(),
            "put": self.put,
            "deployed": matches!(online, Online::Gate),
            "warnings": warnings,
        });
        println!("{report}");
        Ok(())
    }

    fn next(&self, online: Online) -> String {
        let env = self.project.env_option();
        match online {
            Online::No => {
                let finish = format!("{} init --secrets-only --deploy{env}", invocation::prefix());
                format!(
                    "{:width$}   try it on this machine\n  {finish}   put it online",
                    format!("npx wrangler dev{env}"),
                    width = finish.len()
                )
            }
            Online::Secrets => format!("npx wrangler deploy{env}   put it online"),
            Online::Gate => {
                let address = match package::has_subdomain(self.whole) {
                    true => ", at the address that wrangler printed above",
                    false => "",
                };
                format!(
                    "{} check --gate {}{env}   check the gate{address}",
                    invocation::prefix(),
                    package::url(self.whole)
                )
            }
        }
    }

    /// Lists the features that this gate lacks.
    fn lacks(&self) -> Vec<String> {
        let routes = self.whole["vars"]["ROUTES"].as_array();
        let any =
            |field: &str| routes.is_some_and(|all| all.iter().any(|one| !one[field].is_null()));
        let mut lines = Vec::new();
        if any("cache") && self.whole["routes"][0].is_null() {
            lines.push("Nothing is cached on workers.dev: give the gate a host name of one of your zones (--domain).".to_owned());
        }
        if !any("probe") {
            lines.push(
                "Without a probe in the route, no command can test a new token before it \
                replaces the old one (--probe)."
                    .to_owned(),
            );
        }
        lines
    }
}
