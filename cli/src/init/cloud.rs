//! The steps of `init` at Cloudflare, all of them through wrangler: who is logged in, whether the Worker is
//! there already, its secrets, its deployment.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use writegate::Secret;

use crate::error::{Context as _, Error, Result};
use crate::progress::Progress;
use crate::project::Project;
use crate::wrangler::Wrangler;
use crate::{input, invocation};

use super::prompt::Question;
use super::secrets::ROOT;

pub(super) struct Cloud<'p> {
    progress: &'p Progress,
    wrangler: Wrangler,
    root: PathBuf,
}

/// An account that the login may use.
pub(super) struct Account {
    pub(super) id: String,
    pub(super) name: String,
}

impl<'p> Cloud<'p> {
    pub(super) fn find(project: &Project, progress: &'p Progress) -> Result<Self> {
        let wrangler = Wrangler::find(project, progress)?;
        Ok(Self { progress, wrangler, root: project.root.clone() })
    }

    /// Returns the accounts of wrangler's login. Without a login, a person may log in now.
    pub(super) fn accounts(&self) -> Result<Vec<Account>> {
        let who = self.who();
        let who = match who {
            Err(_) if input::is_terminal() => {
                let prompt = "wrangler is not logged in to Cloudflare. Log in now (y or n)";
                match Question::new("--local", prompt, Some("y")).yes()? {
                    true => {
                        self.show(&["login"])?;
                        self.who()
                    }
                    false => who,
                }
            }
            who => who,
        };
        who.map_err(|error| {
            Error::new(format!(
                "not logged in to Cloudflare, or it does not answer ({}): `{}npx wrangler login`, or CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID, or --local to write only the files",
                error.message,
                // Elsewhere npx would take any wrangler, which may need another Node.
                invocation::change_to(&self.root)
            ))
        })
    }

    fn who(&self) -> Result<Vec<Account>> {
        let who = self.progress.step("asking wrangler who is logged in", |_step| {
            self.wrangler.json(&["whoami", "--json"])
        })?;
        let accounts = who["accounts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let account = |account: &serde_json::Value| {
            Some(Account {
                id: account["id"].as_str()?.to_owned(),
                name: account["name"].as_str()?.chars().filter(|c| !c.is_control()).collect(),
            })
        };
        Ok(accounts.iter().filter_map(account).collect())
    }

    /// Returns true if there is a Worker of this name that has a root secret: its keys depend on it.
    pub(super) fn has_root(&self, worker: &str, account: Option<&str>) -> Result<bool> {
        let found = self.progress.step("looking for a Worker of that name", |_step| {
            self.wrangler.secrets_of(worker, account)
        });
        let none = format!("Worker \"{worker}\" not found");
        match found {
            Ok(secrets) => Ok(secrets
                .as_array()
                .is_some_and(|secrets| secrets.iter().any(|secret| secret["name"] == ROOT))),
            Err(error) if error.message.contains(&none) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sets a secret, through a pipe.
    pub(super) fn put(&self, name: &str, secret: &Secret) -> Result<()> {
        self.progress.step(&format!("setting {name} at Cloudflare"), |_step| {
            self.wrangler.feed(&["secret", "put", name], secret).map(|_said| ())
        })
    }

    pub(super) fn deploy(&self) -> Result<()> {
        self.show(&["deploy"])
    }

    /// Lets wrangler talk to the person itself, on standard error: standard output is the key's.
    fn show(&self, arguments: &[&str]) -> Result<()> {
        let shown = format!("npx wrangler {}", arguments.join(" "));
        let mut command = self.wrangler.command(arguments);
        command
            .stdin(match input::is_terminal() {
                true => Stdio::inherit(),
                false => Stdio::null(),
            })
            .stdout(io::stderr());
        let status = command.status().context(&shown)?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::new(format!("{shown} failed ({status})"))),
        }
    }
}
