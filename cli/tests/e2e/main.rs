//! The command beside a running gate: what it signs passes, what it changes counts, and a rotation leaves the gate with a
//! working token wherever it ends.

// The double of Cloudflare, and what a rotation is watched with.
mod cloudflare;
mod cloudflare_tokens;
mod cloudflare_worker;
mod rotate_front;
mod rotate_points;
mod rotate_run;
mod rotate_stage;
// What ends TLS, and somebody who does what a page says.
mod reader;
mod tls_front;

// A token replaced while callers write.
mod rotate_answers;
mod rotate_clock;
mod rotate_docs;
mod rotate_flow;
mod rotate_hook;
mod rotate_killed;
mod rotate_load;
mod rotate_refused;
mod rotate_twice;
mod rotate_wrangler;

// A gate set up, administered, checked, and called.
mod admin_command;
mod admin_docs;
mod admin_tls;
mod check_command;
mod explain_agrees;
mod gitlab;
mod init;
mod leaks;
mod npm;
mod pages;
mod recipe_link;
mod signing_command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::process::scratch;
use testkit::token::fresh;

/// Returns the command.
fn writegate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_writegate"))
}

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(scratch(&format!("folder-{}", fresh())))
    }

    /// Makes one with this configuration of a gate.
    fn of(wrangler: &str) -> Self {
        let folder = Self::new();
        folder.file("wrangler.toml", wrangler);
        folder
    }

    /// Writes a file, and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Returns every file in it and below that is no link's.
    fn files(&self) -> Vec<PathBuf> {
        fn below(folder: &Path) -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            let files = entries.map(|entry| match entry.file_type().unwrap() {
                kind if kind.is_dir() => below(&entry.path()),
                kind if kind.is_file() => vec![entry.path()],
                _ => Vec::new(),
            });
            files.flatten().collect()
        }
        below(&self.0)
    }

    /// Puts a program there that does what a shell script says.
    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.file(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the command in it, with this root secret. It must not be asked for what is on this machine.
    fn command(&self, root: &str) -> Command {
        let mut command = writegate();
        command.current_dir(&self.0).env("SIGNING_SECRET", root);
        command.env("http_proxy", "http://127.0.0.1:1").env_remove("WRITEGATE_SK");
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}
