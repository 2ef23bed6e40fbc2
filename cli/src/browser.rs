//! Opens a page in this machine's browser.

use std::process::Stdio;

use crate::error::{Context as _, Error, Result};
use crate::wrangler;

/// Starts a browser, and does not wait for it: some programs stay until its window is closed.
pub(crate) fn open(url: &str) -> Result<()> {
    let mut last = Error::new("no program that opens a page is known for this system");
    for mut command in open::commands(url) {
        wrangler::remove_secrets(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn().context(command.get_program().to_string_lossy()) {
            Ok(_started) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}
