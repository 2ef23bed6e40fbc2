//! Calls of git about this checkout.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Said};

/// Longest wait for an answer: listing a large tree takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns a call in this folder that changes nothing and asks nobody.
pub(in crate::check) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // A partial clone would fetch what it lacks.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}

/// Returns git's output, whatever its exit code.
pub(in crate::check) fn ask(folder: &Path, arguments: &[&str]) -> Result<Said, String> {
    process::run(command(folder, arguments), None, Some(LIMIT))
}

/// Returns git's output if it succeeded.
pub(in crate::check) fn read(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let said = ask(folder, arguments)?;
    if said.status.success() {
        return Ok(said.out);
    }
    let error = said.last_error();
    let error = if error.is_empty() { "it failed" } else { &error };
    Err(format!("git {}: {error}", arguments.first().unwrap_or(&"")))
}

/// Says why this folder is no git work tree of its own; `Ok` where it is one.
pub(in crate::check) fn work_tree(folder: &Path) -> Result<(), String> {
    read(folder, &["rev-parse", "--is-inside-work-tree"])?;
    // A folder that the repository around it ignores is not a part of that repository.
    let ignored = ask(folder, &["check-ignore", "--quiet", "."])?;
    match ignored.status.success() {
        true => Err("this folder is ignored by the git repository around it".to_owned()),
        false => Ok(()),
    }
}
