//! Debian's own Rust toolchain with a Wasm standard library, for where rustup's server is not reached.
//!
//! Nothing is installed into the system and no root is needed: the packages are downloaded, unpacked
//! into a directory of ours, and the standard library is compiled from Debian's source package. Debian
//! has no `rust-lld`; the one of the Rust that compiled this command is linked in.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};

use super::TARGET;
use super::environment::clean;
use crate::failure::{Doing, Failure, Result};
use crate::progress::{Progress, Step, output};

/// `rustc-web` is the newer compiler that Debian's stable releases carry beside their own.
const VARIANTS: [&str; 2] = ["-web", ""];

/// Written last; holds the version.
const STAMP: &str = "writegate-complete";

pub(super) fn is_ready(directory: &Path) -> bool {
    directory.join(STAMP).is_file() && linker(directory).exists()
}

/// Directories to put in front of these search paths.
pub(super) fn environment(directory: &Path) -> [(&'static str, PathBuf); 2] {
    [("PATH", directory.join("usr/bin")), ("LD_LIBRARY_PATH", libraries(directory))]
}

fn libraries(directory: &Path) -> PathBuf {
    directory.join(format!("usr/lib/{ARCH}-linux-gnu"))
}

fn linker(directory: &Path) -> PathBuf {
    directory.join(format!("usr/lib/rustlib/{ARCH}-unknown-linux-gnu/bin/rust-lld"))
}

pub(super) fn install(directory: &Path, progress: &Progress) -> Result<()> {
    for program in ["apt-get", "apt-cache", "dpkg"] {
        if output(clean(program).arg("--version")).is_none() {
            return Err(Failure::new("this is not Debian or a relative of it"));
        }
    }
    let rust_lld = rust_lld()?;
    let variant = match variant() {
        Some(variant) => variant,
        None => {
            update(progress)?;
            variant().ok_or_else(|| {
                Failure::new(format!(
                    "its package lists offer no rustc of at least {}",
                    env!("CARGO_PKG_RUST_VERSION")
                ))
            })?
        }
    };

    // Made beside the final place, so that an interrupted run leaves nothing that looks complete.
    let parent = directory.parent().unwrap_or(directory);
    let made = parent.join("toolchain.new");
    let debs = made.join("packages");
    if made.exists() {
        fs::remove_dir_all(&made).doing("removing an unfinished toolchain")?;
    }
    fs::create_dir_all(&debs).doing("making a directory for the toolchain")?;
    progress.step("unpacking Debian's Rust", |step| unpack(variant, &debs, &made, step))?;
    progress.step("compiling Rust's standard library to Wasm", |step| compile(&made, step))?;
    let place = linker(&made);
    let create = || format!("linking {}", place.display());
    fs::create_dir_all(place.parent().unwrap_or(&made)).doing(create())?;
    link(&rust_lld, &place).doing(create())?;
    fs::write(made.join(STAMP), "").doing("finishing the toolchain")?;
    if directory.exists() {
        fs::remove_dir_all(directory).doing("removing the former toolchain")?;
    }
    fs::rename(&made, directory).doing("moving the toolchain to its place")
}

/// The linker that rustup's toolchains bring along.
fn rust_lld() -> Result<PathBuf> {
    let root = output(clean("rustc").args(["--print", "sysroot"])).unwrap_or_default();
    let path = linker(Path::new("")).strip_prefix("usr").map(|path| Path::new(&root).join(path));
    path.ok().filter(|path| path.exists()).ok_or_else(|| {
        Failure::new("it needs rust-lld, which the Rust installed here does not have")
    })
}

/// The first variant whose compiler is new enough.
fn variant() -> Option<&'static str> {
    let wanted = version(env!("CARGO_PKG_RUST_VERSION"))?;
    VARIANTS.into_iter().find(|variant| {
        let policy = output(clean("apt-cache").args(["policy", &format!("rustc{variant}")]));
        let candidate = policy.as_deref().and_then(|text| {
            let mut lines = text.lines();
            lines.find_map(|line| version(line.trim().strip_prefix("Candidate: ")?))
        });
        candidate.is_some_and(|candidate| candidate >= wanted)
    })
}

/// `1.96.0+dfsg1-1~deb12u2` → (1, 96).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn update(progress: &Progress) -> Result<()> {
    if output(clean("id").arg("-u")).as_deref() != Some("0") {
        return Err(Failure::new(
            "its package lists have to be fetched first: run `sudo apt-get update`, then this again",
        ));
    }
    progress.step("fetching Debian's package lists", |step| {
        let mut command = clean("apt-get");
        command.arg("update");
        step.run(command)
    })
}

fn unpack(variant: &str, debs: &Path, made: &Path, step: &Step) -> Result<()> {
    // Which libraries the compiler needs differs from release to release: apt knows.
    let wanted = ["rustc", "cargo"]
        .map(|name| format!("{name}{variant}"))
        .into_iter()
        .chain(["src", "clippy"].map(|name| format!("rust{variant}-{name}")));
    let mut simulate = clean("apt-get");
    simulate.args(["install", "--simulate", "--no-install-recommends"]).args(wanted);
    let plan = output(&mut simulate)
        .ok_or_else(|| Failure::new(format!("apt-get finds no way to install rustc{variant}")))?;
    let packages: Vec<_> =
        plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).collect();
    let mut download = clean("apt-get");
    download.arg("download").args(&packages).current_dir(debs);
    step.run(download)?;
    let files = fs::read_dir(debs).doing("reading the packages")?;
    for file in files.flatten() {
        let mut extract = clean("dpkg");
        extract.arg("-x").arg(file.path()).arg(made);
        step.run(extract)?;
    }
    fs::remove_dir_all(debs).doing("removing the packages")
}

/// Debian has no standard library for the target; a library crate without content makes cargo build it.
fn compile(made: &Path, step: &Step) -> Result<()> {
    let work = made.join("std");
    let making = "making a crate to build the standard library with";
    fs::create_dir_all(work.join("src")).doing(making)?;
    let manifest = "[package]\nname = \"wasm-std\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(work.join("Cargo.toml"), manifest).doing(making)?;
    fs::write(work.join("src/lib.rs"), "#![no_std]\n").doing(making)?;

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
    fs::create_dir_all(&library).doing(copying)?;
    let built = work.join(format!("target/{TARGET}/release/deps"));
    for file in fs::read_dir(built).doing(copying)?.flatten() {
        let name = file.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libwasm_std") {
            fs::copy(file.path(), library.join(&name)).doing(copying)?;
        }
    }
    fs::remove_dir_all(work).doing(copying)
}

#[cfg(unix)]
fn link(original: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(original, place)
}

#[cfg(not(unix))]
fn link(original: &Path, place: &Path) -> std::io::Result<()> {
    fs::copy(original, place).map(drop)
}
