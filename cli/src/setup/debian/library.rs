//! The standard library for Wasm.

use std::fs;
use std::path::Path;

use super::libraries;
use crate::error::{Context, Result};
use crate::progress::Step;
use crate::setup::TARGET;
use crate::setup::environment::clean;

/// Compiles the target's standard library, which Debian does not have: cargo builds it for a crate without
/// content.
pub(super) fn compile(made: &Path, step: &Step) -> Result<()> {
    let work = made.join("std");
    let making = "making a crate to build the standard library with";
    fs::create_dir_all(work.join("src")).context(making)?;
    let manifest = "[package]\nname = \"wasm-std\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(work.join("Cargo.toml"), manifest).context(making)?;
    fs::write(work.join("src/lib.rs"), "#![no_std]\n").context(making)?;

    let mut build = clean(made.join("usr/bin/cargo"));
    build
        .args(["build", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,proc_macro")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", made.join("usr/bin/rustc"))
        .env("LD_LIBRARY_PATH", libraries(made))
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&work);
    step.run(build)?;

    let library = made.join(format!("usr/lib/rustlib/{TARGET}/lib"));
    let copying = "copying the standard library";
    fs::create_dir_all(&library).context(copying)?;
    let built = work.join(format!("target/{TARGET}/release/deps"));
    for file in fs::read_dir(built).context(copying)?.flatten() {
        let name = file.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libwasm_std") {
            fs::copy(file.path(), library.join(&name)).context(copying)?;
        }
    }
    fs::remove_dir_all(work).context(copying)
}
