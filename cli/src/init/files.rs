//! The two files that `init` writes: whether they may be written, and writing them whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context as _, Error, Result};
use crate::project::{Project, USUAL as CONFIGURATION};

use super::template::SHIPPED;

/// Refuses what would overwrite somebody's work.
pub(super) fn refuse_loss(project: &Project) -> Result<()> {
    let shipped = project.text(CONFIGURATION)?.is_none_or(|text| text == SHIPPED);
    let secrets = project.text(&project.dev_vars())?.is_some();
    if project.environment.is_some() {
        return refuse_loss_of_environment(project, shipped, secrets);
    }
    let lost = match (shipped, secrets) {
        (true, false) => return Ok(()),
        (true, true) => ".dev.vars is there already:",
        (false, false) => "wrangler.toml is not the shipped one any more:",
        (false, true) => {
            "this gate is made already, in wrangler.toml and .dev.vars: --secrets-only sets its secrets at Cloudflare, and"
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
        (false, true) => format!("{} is there already", project.dev_vars()),
        (true, _) => format!("{CONFIGURATION} has this environment already"),
    };
    Err(Error::usage(format!(
        "{lost}: --force makes a new gate in its place (its SIGNING_SECRET is kept)"
    )))
}

/// Refuses a checkout from which git would take the secrets along.
pub(super) fn refuse_exposure(project: &Project) -> Result<()> {
    let (checkout, secrets) = (&project.root, project.dev_vars());
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(checkout).args(arguments);
        git.output().is_ok_and(|done| done.status.success())
    };
    // A file that git has already counts as one that it does not ignore.
    let ignored = |name: &str| git(&["check-ignore", "--quiet", name]);
    let exposed = match git(&["rev-parse", "--is-inside-work-tree"]) {
        true => !ignored(&secrets) || !ignored(&beside(&secrets)),
        // No git, or one that will not say.
        false => checkout.ancestors().any(|above| above.join(".git").exists()),
    };
    match exposed {
        false => Ok(()),
        true => Err(Error::usage(
            "git would take along what .dev.vars will hold: put .dev.vars and .dev.vars.* into .gitignore, and `git rm --cached .dev.vars` if it was committed",
        )),
    }
}

/// Writes both files, whose old ones stay until the new ones are complete.
pub(super) fn write(project: &Project, configuration: &str, secrets: &[u8]) -> Result<()> {
    let root = &project.root;
    let secrets = Prepared::new(root, &project.dev_vars(), secrets, 0o600)?;
    let configuration = Prepared::new(root, CONFIGURATION, configuration.as_bytes(), 0o644)?;
    secrets.place()?;
    configuration.place()
}

/// Returns the name under which a file is completed.
fn beside(name: &str) -> String {
    format!("{name}.new")
}

/// A complete file beside the one that it will replace.
struct Prepared {
    beside: PathBuf,
    place: PathBuf,
}

impl Prepared {
    fn new(checkout: &Path, name: &str, content: &[u8], mode: u32) -> Result<Self> {
        let prepared = Self { beside: checkout.join(beside(name)), place: checkout.join(name) };
        prepared.fill(content, mode).at("writing", &prepared.beside)?;
        Ok(prepared)
    }

    fn fill(&self, content: &[u8], mode: u32) -> io::Result<()> {
        match fs::remove_file(&self.beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Elsewhere the folder's own permissions are the file's.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(&self.beside)?;
        file.write_all(content)?;
        file.sync_all()
    }

    fn place(&self) -> Result<()> {
        fs::rename(&self.beside, &self.place).at("writing", &self.place)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Gone if it was placed; else half of a pair would be left.
        let _ = fs::remove_file(&self.beside);
    }
}
