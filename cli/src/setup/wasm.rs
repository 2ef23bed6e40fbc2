//! A Rust toolchain that builds for `wasm32-unknown-unknown`: the user's own where it has the target or
//! rustup can add it, else Debian's, made ready by [`super::debian`].

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::clean;
use super::{TARGET, debian};
use crate::failure::{Failure, Result};
use crate::progress::{Progress, output};

/// Which toolchain builds the Worker.
pub(super) enum Toolchain {
    /// The one that `cargo` on the path is.
    Own,
    /// One unpacked in this directory.
    Unpacked(PathBuf),
}

impl Toolchain {
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Own => Vec::new(),
            Self::Unpacked(directory) => debian::environment(directory)
                .into_iter()
                .map(|(name, first)| (name, before(first, name)))
                .collect(),
        }
    }
}

/// A list of directories with one more in front.
fn before(first: PathBuf, variable: &str) -> OsString {
    let rest = env::var_os(variable).unwrap_or_default();
    let all = std::iter::once(first).chain(env::split_paths(&rest));
    env::join_paths(all).unwrap_or(rest)
}

pub(super) fn ensure(cache: &Path, progress: &Progress) -> Result<Toolchain> {
    if own_has_target() {
        return Ok(Toolchain::Own);
    }
    let directory = cache.join("toolchain");
    if debian::is_ready(&directory) {
        return Ok(Toolchain::Unpacked(directory));
    }
    let Err(rustup) = progress.step("adding the Wasm target with rustup", |step| {
        let mut command = clean("rustup");
        command.args(["target", "add", TARGET]);
        step.run(command)
    }) else {
        return if own_has_target() {
            Ok(Toolchain::Own)
        } else {
            Err(Failure::new(format!(
                "rustup added the target {TARGET}, but the rustc on the path does not have it: \
                 is another rustc before rustup's?"
            )))
        };
    };
    let said = rustup.output.as_deref().and_then(|text| text.lines().last());
    let reason = said.unwrap_or(&rustup.message).trim().to_owned();
    progress.note(&format!(
        "rustup could not add the Wasm target ({reason}); trying Debian's toolchain"
    ));
    debian::install(&directory, progress).map_err(|error| Failure {
        message: format!(
            "Rust's target {TARGET} is missing. `rustup target add {TARGET}` failed: {reason}. \
             Debian's toolchain instead: {}",
            error.message
        ),
        ..error
    })?;
    Ok(Toolchain::Unpacked(directory))
}

/// Whether the compiler on the path has a standard library for the target.
fn own_has_target() -> bool {
    let query = output(clean("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    let Some(directory) = query else {
        return false;
    };
    let mut files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with("libcore"))
}
