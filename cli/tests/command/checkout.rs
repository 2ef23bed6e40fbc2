//! The command in a checkout of its own, and what became of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

pub(crate) use testkit::program::Done;
pub(crate) use testkit::token::fresh as random_secret;

/// Returns the words of a command line, which is cut as a shell cuts it.
pub(crate) fn words(line: &str) -> Vec<String> {
    shlex::split(line).unwrap_or_else(|| panic!("no command line: {line}"))
}

/// Returns each row of a table: a text, and behind its arrow the words that are expected, with `…` between them.
pub(crate) fn rows(table: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let rows = table.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| match row.split_once(" → ") {
        Some((text, words)) => (text.trim_end(), words.split(" … ").map(str::trim_start).collect()),
        None => (row, Vec::new()),
    })
}

/// A checkout of its own, without tools and without secrets.
pub(crate) struct Checkout(pub(crate) PathBuf);

impl Checkout {
    pub(crate) fn new(wrangler: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("command-{number}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let manifest = "[workspace]\n[package]\nname = \"writegate\"\n";
        fs::write(path.join("Cargo.toml"), manifest).unwrap();
        fs::write(path.join("wrangler.toml"), wrangler).unwrap();
        Self(path)
    }

    /// Makes one with a root secret.
    pub(crate) fn keyed(wrangler: &str) -> Self {
        let checkout = Self::new(wrangler);
        checkout.secret(&random_secret());
        checkout
    }

    pub(crate) fn secret(&self, secret: &str) {
        fs::write(self.0.join(".dev.vars"), format!("SIGNING_SECRET={secret}\n")).unwrap();
    }

    /// Returns a file in it; its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Puts a program on the path that does what a shell script says.
    pub(crate) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = self.0.join("bin");
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = writegate(line);
        command
            .current_dir(&self.0)
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_TARGET_DIR")
            .env("WRITEGATE_CACHE", self.0.join("cache"));
        command
    }

    pub(crate) fn run(&self, line: &str) -> Done {
        Done::of(&mut self.command(line))
    }

    /// Returns what it prints when it succeeds, without the last line's end.
    #[track_caller]
    pub(crate) fn prints(&self, line: &str) -> String {
        self.run(line).succeeded().trim_end().to_owned()
    }

    /// Returns the JSON that it prints when it succeeds.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.prints(line)).unwrap()
    }

    /// Runs each line of a table, which has to end with this code, nothing on standard output, and one line on standard
    /// error that has the words behind the arrow.
    #[track_caller]
    pub(crate) fn refuses(&self, code: i32, table: &str) {
        for (line, words) in rows(table) {
            eprintln!("{line}");
            self.run(line).failed(code, &words);
        }
    }

    /// Runs it where no other program is found than [`Checkout::program`]'s.
    pub(crate) fn run_with_own_programs(&self, line: &str) -> Done {
        Done::of(self.command(line).env("PATH", self.0.join("bin")))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Returns its configuration.
    pub(crate) fn configuration(&self) -> Value {
        toml::from_str(&self.text("wrangler.toml")).unwrap()
    }
}

/// An empty folder that is in no project, gone with it.
pub(crate) struct Empty(pub(crate) PathBuf);

impl Empty {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("writegate-{}", random_secret()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Returns the checkout of writegate itself.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub(crate) fn writegate(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_writegate"));
    command.args(words(line)).env_remove("SIGNING_SECRET").env_remove("WRITEGATE_SK");
    command
}
