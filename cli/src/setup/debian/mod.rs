//! Debian's own Rust toolchain with a Wasm standard library, for machines that cannot reach rustup's server.
//!
//! Nothing is installed into the system and no root is needed: the packages are downloaded, unpacked
//! into a directory of ours, and the standard library is compiled from Debian's source package. Debian
//! has no `rust-lld`; the one of the Rust that compiled this command is linked in.

mod library;
mod packages;

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::Variables;
use super::environment::clean;
use crate::error::{Context, Error, Result};
use crate::progress::{Progress, output};

/// The file that marks a complete toolchain, because it is written last.
const STAMP: &str = "writegate-complete";

/// Returns the variables of the toolchain that an earlier run unpacked.
pub(super) fn find(cache: &Path) -> Option<Variables> {
    let directory = cache.join("toolchain");
    (directory.join(STAMP).is_file() && linker(&directory).exists()).then(|| variables(&directory))
}

/// Unpacks the toolchain and returns its variables.
pub(super) fn install(cache: &Path, progress: &Progress) -> Result<Variables> {
    let rust_lld = packages::check().and_then(|()| rust_lld())?;
    let variant = packages::variant(progress)?;

    // Made beside the final place, so that an interrupted run leaves nothing that looks complete.
    let made = cache.join("toolchain.new");
    let debs = made.join("packages");
    if made.exists() {
        fs::remove_dir_all(&made).context("removing an unfinished toolchain")?;
    }
    fs::create_dir_all(&debs).context("making a directory for the toolchain")?;
    progress
        .step("unpacking Debian's Rust", |step| packages::unpack(variant, &debs, &made, step))?;
    progress
        .step("compiling Rust's standard library to Wasm", |step| library::compile(&made, step))?;
    let place = linker(&made);
    let create = || format!("linking {}", place.display());
    fs::create_dir_all(place.parent().unwrap_or(&made)).context(create())?;
    link(&rust_lld, &place).context(create())?;
    fs::write(made.join(STAMP), "").context("finishing the toolchain")?;
    let directory = cache.join("toolchain");
    if directory.exists() {
        fs::remove_dir_all(&directory).context("removing the former toolchain")?;
    }
    fs::rename(&made, &directory).context("moving the toolchain to its place")?;
    Ok(variables(&directory))
}

/// Puts the toolchain's directories in front of the search paths.
fn variables(directory: &Path) -> Variables {
    [("PATH", directory.join("usr/bin")), ("LD_LIBRARY_PATH", libraries(directory))]
        .map(|(name, first)| (name, before(first, name)))
        .into()
}

/// Returns a variable's list of directories with one more in front.
fn before(first: PathBuf, variable: &str) -> OsString {
    let rest = env::var_os(variable).unwrap_or_default();
    let all = std::iter::once(first).chain(env::split_paths(&rest));
    env::join_paths(all).unwrap_or(rest)
}

fn libraries(directory: &Path) -> PathBuf {
    directory.join(format!("usr/lib/{ARCH}-linux-gnu"))
}

fn linker(directory: &Path) -> PathBuf {
    directory.join(format!("usr/lib/rustlib/{ARCH}-unknown-linux-gnu/bin/rust-lld"))
}

/// Returns the linker that rustup's toolchains bring along.
fn rust_lld() -> Result<PathBuf> {
    let root = output(clean("rustc").args(["--print", "sysroot"])).unwrap_or_default();
    let path = linker(Path::new("")).strip_prefix("usr").map(|path| Path::new(&root).join(path));
    path.ok()
        .filter(|path| path.exists())
        .ok_or_else(|| Error::new("it needs rust-lld, which the Rust installed here does not have"))
}

#[cfg(unix)]
fn link(original: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(original, place)
}

#[cfg(not(unix))]
fn link(original: &Path, place: &Path) -> std::io::Result<()> {
    fs::copy(original, place).map(drop)
}
