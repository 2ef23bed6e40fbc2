//! A Rust toolchain that builds for `wasm32-unknown-unknown`: the user's own where it has the target or
//! rustup can add it, else Debian's, made ready by [`super::debian`].

use std::path::Path;

use super::environment::clean;
use super::{TARGET, Variables, debian};
use crate::error::{Error, Result};
use crate::progress::{Progress, output};

pub(super) fn ensure(cache: &Path, progress: &Progress) -> Result<Variables> {
    if own_has_target() {
        return Ok(Variables::new());
    }
    if let Some(unpacked) = debian::find(cache) {
        return Ok(unpacked);
    }
    let Err(rustup) = progress.step("adding the Wasm target with rustup", |step| {
        let mut command = clean("rustup");
        command.args(["target", "add", TARGET]);
        step.run(command)
    }) else {
        return if own_has_target() {
            Ok(Variables::new())
        } else {
            Err(Error::new(format!(
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
    debian::install(cache, progress).map_err(|error| Error {
        message: format!(
            "Rust's target {TARGET} is missing. `rustup target add {TARGET}` failed: {reason}. \
             Debian's toolchain instead: {}",
            error.message
        ),
        ..error
    })
}

/// Returns true if the compiler on the path has a standard library for the target.
fn own_has_target() -> bool {
    let query = output(clean("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    let Some(directory) = query else {
        return false;
    };
    let mut files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with("libcore"))
}
