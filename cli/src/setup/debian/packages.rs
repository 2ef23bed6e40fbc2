//! The packages: which there are, and what is in them.

use std::fs;
use std::path::Path;

use crate::error::{Context, Error, Result};
use crate::progress::{Progress, Step, output};
use crate::setup::environment::clean;

/// `rustc-web` is the newer compiler that Debian's stable releases carry beside their own.
const VARIANTS: [&str; 2] = ["-web", ""];

/// Refuses a system that has no Debian packages.
pub(super) fn check() -> Result<()> {
    for program in ["apt-get", "apt-cache", "dpkg"] {
        if output(clean(program).arg("--version")).is_none() {
            return Err(Error::new("this is not Debian or a relative of it"));
        }
    }
    Ok(())
}

/// Returns the first variant whose compiler is new enough.
pub(super) fn variant(progress: &Progress) -> Result<&'static str> {
    if let Some(variant) = find() {
        return Ok(variant);
    }
    update(progress)?;
    find().ok_or_else(|| {
        Error::new(format!(
            "its package lists offer no rustc of at least {}",
            env!("CARGO_PKG_RUST_VERSION")
        ))
    })
}

fn find() -> Option<&'static str> {
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

/// Parses `1.96.0+dfsg1-1~deb12u2` as (1, 96).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn update(progress: &Progress) -> Result<()> {
    if output(clean("id").arg("-u")).as_deref() != Some("0") {
        return Err(Error::new(
            "its package lists have to be fetched first: run `sudo apt-get update`, then this again",
        ));
    }
    progress.step("fetching Debian's package lists", |step| {
        let mut command = clean("apt-get");
        command.arg("update");
        step.run(command)
    })
}

/// Downloads and unpacks the toolchain's packages.
pub(super) fn unpack(variant: &str, debs: &Path, made: &Path, step: &Step) -> Result<()> {
    // Which libraries the compiler needs differs from release to release: apt knows.
    let wanted = ["rustc", "cargo"]
        .map(|name| format!("{name}{variant}"))
        .into_iter()
        .chain(["src", "clippy"].map(|name| format!("rust{variant}-{name}")));
    let mut simulate = clean("apt-get");
    simulate.args(["install", "--simulate", "--no-install-recommends"]).args(wanted);
    let plan = output(&mut simulate)
        .ok_or_else(|| Error::new(format!("apt-get finds no way to install rustc{variant}")))?;
    let packages: Vec<_> =
        plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).collect();
    let mut download = clean("apt-get");
    download.arg("download").args(&packages).current_dir(debs);
    step.run(download)?;
    let files = fs::read_dir(debs).context("reading the packages")?;
    for file in files.flatten() {
        let mut extract = clean("dpkg");
        extract.arg("-x").arg(file.path()).arg(made);
        step.run(extract)?;
    }
    fs::remove_dir_all(debs).context("removing the packages")
}
