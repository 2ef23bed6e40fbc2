//! Calls of wrangler, Cloudflare's own tool, which has the login of the account.
//!
//! Secrets go to it only through its standard input: other programs can read a command line.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use writegate::{Secret, Token};

use crate::checkout::Checkout;
use crate::error::{Error, Result};
use crate::process::{self, Said};
use crate::progress::Progress;
use crate::project::{Project, USUAL};
use crate::setup;

/// The path at which npm installs wrangler.
const PROGRAM: &str = "node_modules/wrangler/bin/wrangler.js";
/// An option for a call that is about no configuration: wrangler reads none at an empty path, and looks for none.
const NO_CONFIGURATION: &str = "--config=";
/// Secrets in the environment that no other program needs.
const SECRETS: [&str; 7] = [
    "SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WRITE_TOKEN", "WAF_SECRET", "TURNSTILE_SECRET",
    "ROTATION_API_TOKEN", "CHECK_API_TOKEN",
];

/// Removes the gate's secrets from a program's environment.
pub(crate) fn remove_secrets(command: &mut Command) {
    for name in SECRETS {
        command.env_remove(name);
    }
}

/// Returns this program without these secrets, and without what cargo told this process about the package that it
/// runs: wrangler may run a build, whose cargo would take it for its own. Everything else is there, because
/// the login may depend on any of it.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    remove_secrets(&mut command);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_cargo = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if of_cargo
            || ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Returns Node, likewise.
pub(crate) fn node() -> Command {
    program("node")
}

/// wrangler, for a project and one of its environments.
#[derive(Clone)]
pub(crate) struct Wrangler {
    root: PathBuf,
    program: PathBuf,
    configuration: PathBuf,
    environment: Option<String>,
    /// Longest time for a call.
    limit: Option<Duration>,
}

impl Wrangler {
    /// Finds wrangler, and in a checkout of this repository installs the npm packages where it is missing.
    pub(crate) fn find(project: &Project, progress: &Progress) -> Result<Self> {
        let program = project.root.join(PROGRAM);
        if !program.is_file() {
            if !Checkout::is_root(&project.root) {
                return Err(Error::usage(format!(
                    "wrangler is not installed in {}: npm install --save-dev wrangler",
                    project.root.display()
                )));
            }
            setup::packages(&Checkout::at(&project.root)?, progress)?;
        }
        Ok(Self {
            root: project.root.clone(),
            program,
            // `init` looks for a login before it writes one.
            configuration: project.file().map_or_else(|_| project.root.join(USUAL), Path::to_owned),
            environment: project.environment.clone(),
            limit: None,
        })
    }

    /// Ends each call after this time.
    pub(crate) fn within(&self, limit: Option<Duration>) -> Self {
        Self { limit, ..self.clone() }
    }

    /// Returns true if wrangler is there.
    pub(crate) fn is_installed(project: &Project) -> bool {
        project.root.join(PROGRAM).is_file()
    }

    /// Returns wrangler with these arguments, and with the configuration and the environment that are meant. Without
    /// the two it would take them from the folders above, from `.wrangler/deploy/config.json`, and from
    /// CLOUDFLARE_ENV, also that of `.env`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = node();
        command.arg(&self.program).args(arguments).current_dir(&self.root);
        // Without a configuration there are no environments.
        let none = arguments.contains(&NO_CONFIGURATION);
        // A login is no environment's, and `init` asks for it before there is this one.
        let login = matches!(arguments.first(), Some(&("whoami" | "login")));
        if !none && self.configuration.is_file() {
            command.arg("--config").arg(&self.configuration);
        }
        match &self.environment {
            Some(environment) if !none && !login => command.args(["--env", environment]),
            // The top level, for wrangler.
            _ => command.arg("--env="),
        };
        command.env_remove("CLOUDFLARE_ENV");
        command
    }

    /// Returns the list of a Worker's secrets, whatever a configuration says of its name and account.
    pub(crate) fn secrets_of(&self, worker: &str, account: Option<&str>) -> Result<Value> {
        let list = ["secret", "list", "--format", "json", "--name", worker, NO_CONFIGURATION];
        let mut command = self.command(&list);
        command.envs(account.map(|account| ("CLOUDFLARE_ACCOUNT_ID", account)));
        parsed(&list, &self.call(command, &list, None)?)
    }

    /// Returns wrangler's output.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        self.call(self.command(arguments), arguments, None)
    }

    /// Returns wrangler's output, as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        parsed(arguments, &self.run(arguments)?)
    }

    /// Passes a secret to wrangler's standard input.
    pub(crate) fn feed(&self, arguments: &[&str], secret: &Secret) -> Result<String> {
        self.call(self.command(arguments), arguments, Some(secret))
    }

    fn call(
        &self,
        mut command: Command,
        arguments: &[&str],
        secret: Option<&Secret>,
    ) -> Result<String> {
        let failed = |why: &str| Error::new(format!("{}: {why}", command_line(arguments)));
        command
            // Its log of what it sends would hold the secret.
            .env_remove("WRANGLER_LOG_SANITIZE")
            .env_remove("WRANGLER_LOG")
            // Colours and links in what is read here.
            .env("NO_COLOR", "1")
            .env("FORCE_COLOR", "0");
        let Said { status, out, err } =
            process::run(command, secret, self.limit).map_err(|why| failed(&why))?;
        // A token's envelope, and the token in it.
        let token = secret.and_then(|secret| Token::parse(secret).ok());
        let hidden: Vec<&Secret> =
            secret.into_iter().chain(token.as_ref().map(|token| &token.value)).collect();
        let [out, err] = [out, err].map(|text| {
            let text = String::from_utf8_lossy(&text).into_owned();
            hidden.iter().fold(text, |text, hidden| match hidden.expose_str() {
                Some(hidden) if !hidden.is_empty() => text.replace(hidden, "[redacted]"),
                _ => text,
            })
        });
        if status.success() {
            return Ok(out);
        }
        let why = reason(&err).or_else(|| reason(&out));
        Err(failed(&why.unwrap_or_else(|| status.to_string())))
    }
}

fn parsed(arguments: &[&str], text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|_misshapen| {
        Error::new(format!("{}: the output is not JSON", command_line(arguments)))
    })
}

/// Returns a call as a person would type it.
fn command_line(arguments: &[&str]) -> String {
    format!("npx wrangler {}", arguments.join(" "))
}

/// Returns the first line of what wrangler says went wrong, and the Cloudflare API's words below it.
fn reason(printed: &str) -> Option<String> {
    let lines = printed.lines().map(|line| plain(line).trim().to_owned());
    let mut lines = lines.skip_while(|line| !line.contains("[ERROR]"));
    let first = lines.next()?;
    let (_, first) = first.split_once("[ERROR]")?;
    let more: Vec<String> =
        lines.filter(|line| !line.is_empty()).take_while(|line| line.contains("[code: ")).collect();
    let parts = std::iter::once(first.trim().to_owned()).chain(more);
    Some(parts.collect::<Vec<_>>().join(" "))
}

/// Returns a line without the colours that wrangler gives its errors also where nobody sees them.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            // ESC [ … and a letter.
            '\u{1b}' => {
                let _ = rest.by_ref().find(char::is_ascii_alphabetic);
            }
            other if other.is_control() => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line() {
        let printed = "\n\u{1b}[31m✘ \u{1b}[41;31m[\u{1b}[41;97mERROR\u{1b}[41;31m]\u{1b}[0m \u{1b}[1mA request to the Cloudflare API (/accounts/x) failed.\u{1b}[0m\n\n  Authentication error [code: 10000]\n\n  If you think this is a bug\n";
        let reason = reason(printed).unwrap();
        assert!(reason.starts_with("A request to the Cloudflare API"), "{reason}");
        assert!(reason.ends_with("Authentication error [code: 10000]"), "{reason}");
        assert_eq!(super::reason("nothing of that"), None);
    }
}
