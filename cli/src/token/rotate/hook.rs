//! Tokens of an API that this command does not know: commands of the operator make and revoke them.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use writegate::{Secret, Timestamp};

use crate::error::{Context as _, Error, Result};

use super::super::envelope::{Dates, Envelope};

/// Longest output of a hook that is read.
const MAX_BYTES: u64 = 16 * 1024;

/// The commands, as `sh -c` takes them.
pub(super) struct Hook {
    pub(super) make: String,
    pub(super) revoke: Option<String>,
    /// Where they run.
    pub(super) folder: PathBuf,
    /// The secret's name, which may be set in the environment.
    pub(super) secret: String,
}

impl Hook {
    /// Returns the new token, which the command prints raw or as an envelope.
    pub(super) fn make(&self, now: Timestamp) -> Result<Envelope> {
        let doing = "running the command of --hook";
        let mut child = self
            .shell(&self.make)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context(doing)?;
        // At its full size at once: a buffer that grows leaves copies behind.
        let mut printed = Vec::with_capacity(usize::try_from(MAX_BYTES).unwrap_or_default());
        if let Some(out) = child.stdout.take() {
            out.take(MAX_BYTES).read_to_end(&mut printed).context(doing)?;
        }
        let printed = Secret::new(printed);
        let status = child.wait().context(doing)?;
        if !status.success() {
            return Err(Error::new(format!(
                "the command of --hook failed ({status}), so nothing was put"
            )));
        }
        Envelope::read(&printed, Dates::default(), now).map_err(|wrong| {
            Error::new(format!(
                "what the command of --hook printed is not a token, so nothing was put: {wrong}"
            ))
        })
    }

    /// Runs the command that revokes every other token. Returns false without one.
    pub(super) fn revoke_all_but(&self, kept: &Secret) -> Result<bool> {
        let Some(command) = &self.revoke else {
            return Ok(false);
        };
        let doing = "running the command of --revoke-hook";
        let mut child = self
            .shell(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context(doing)?;
        if let Some(mut input) = child.stdin.take() {
            // One that knows by itself what to revoke need not read.
            let _ = input.write_all(kept.expose());
        }
        let status = child.wait().context(doing)?;
        match status.success() {
            true => Ok(true),
            false => Err(Error::new(format!(
                "the command of --revoke-hook failed ({status}): the new token is in place, the old one may still be valid"
            ))),
        }
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(Path::new(&self.folder))
            // The hook does not need these.
            .env_remove("SIGNING_SECRET")
            .env_remove("SIGNING_SECRET_PREVIOUS")
            .env_remove(&self.secret);
        shell
    }
}
