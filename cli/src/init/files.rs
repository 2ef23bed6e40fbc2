//! The two files that `init` writes: it checks that it may write them, and writes both completely or not at all.

use std::process::Command;

use crate::error::{Error, Result};
use crate::project::{Project, USUAL as CONFIGURATION};
use crate::replacement::{Replacement, SUFFIX};

use super::template::is_shipped;

/// Refuses to overwrite existing files.
pub(super) fn refuse_loss(project: &Project) -> Result<()> {
    let shipped = project.text(CONFIGURATION)?.is_none_or(|text| is_shipped(&text));
    let secrets = project.text(&project.dev_vars())?.is_some();
    if project.environment.is_some() {
        return refuse_loss_of_environment(project, shipped, secrets);
    }
    let lost = match (shipped, secrets) {
        (true, false) => return Ok(()),
        (true, true) => ".dev.vars exists already:",
        (false, false) => "wrangler.toml is no longer the shipped one:",
        (false, true) => {
            "this gate exists already, in wrangler.toml and .dev.vars: --secrets-only sets its \
            secrets at Cloudflare, and"
        }
    };
    Err(Error::usage(format!(
        "{lost} --force makes a new gate in its place (SIGNING_SECRET is kept)"
    )))
}

fn refuse_loss_of_environment(project: &Project, shipped: bool, secrets: bool) -> Result<()> {
    let section = !shipped && project.unchecked_document()?.section().is_object();
    let lost = match (section, secrets) {
        (false, false) => return Ok(()),
        (false, true) => format!("{} exists already", project.dev_vars()),
        (true, _) => format!("{CONFIGURATION} has this environment already"),
    };
    Err(Error::usage(format!(
        "{lost}: --force makes a new gate in its place (its SIGNING_SECRET is kept)"
    )))
}

/// Refuses a checkout whose git does not ignore the file with the secrets.
pub(super) fn refuse_exposure(project: &Project) -> Result<()> {
    let (checkout, secrets) = (&project.root, project.dev_vars());
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(checkout).args(arguments);
        git.output().is_ok_and(|done| done.status.success())
    };
    // A file that git tracks counts as not ignored.
    let ignored = |name: &str| git(&["check-ignore", "--quiet", name]);
    let exposed = match git(&["rev-parse", "--is-inside-work-tree"]) {
        true => !ignored(&secrets) || !ignored(&format!("{secrets}{SUFFIX}")),
        // Without git, or if it does not answer.
        false => checkout.ancestors().any(|above| above.join(".git").exists()),
    };
    match exposed {
        false => Ok(()),
        true => Err(Error::usage(
            "git would commit the secrets of .dev.vars: add .dev.vars and .dev.vars.* to \
            .gitignore, and run `git rm --cached .dev.vars` if it was committed",
        )),
    }
}

/// Writes both files. The old files stay until the new ones are complete.
pub(super) fn write(project: &Project, configuration: &str, secrets: &[u8]) -> Result<()> {
    let place = |name: &str| project.root.join(name);
    let secrets = Replacement::new(&place(&project.dev_vars()), secrets, Some(0o600))?;
    let configuration =
        Replacement::new(&place(CONFIGURATION), configuration.as_bytes(), Some(0o644))?;
    secrets.place()?;
    configuration.place()
}
