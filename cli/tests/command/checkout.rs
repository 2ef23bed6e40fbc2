//! The command in a checkout of its own, and what became of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use testkit::program::Done;

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

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = writegate(arguments);
        command
            .current_dir(&self.0)
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_TARGET_DIR")
            .env("WRITEGATE_CACHE", self.0.join("cache"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(&mut self.command(arguments))
    }

    /// Runs it where no other program is found than [`Checkout::program`]'s.
    pub(crate) fn run_with_own_programs(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).env("PATH", self.0.join("bin")))
    }
}

/// Returns the checkout of writegate itself.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub(crate) fn writegate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_writegate"));
    command.args(arguments).env_remove("SIGNING_SECRET").env_remove("WRITEGATE_SK");
    command
}

pub(crate) fn random_secret() -> String {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
