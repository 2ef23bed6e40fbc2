//! Node, npm, and the packages of `package-lock.json`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::progress::{Progress, output};

use super::environment::clean;

/// The oldest Node that the pinned wrangler takes.
const NODE: (u32, u32) = (20, 3);

/// npm's program; on Windows it is a script.
pub(super) const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

pub(super) fn check() -> Result<()> {
    let get = "install Node 20 or newer from your distribution or https://nodejs.org, then run this again";
    let Some(version) = output(clean("node").arg("--version")) else {
        return Err(Error::new(format!("Node is missing: {get}")));
    };
    if parsed(&version).is_none_or(|version| version < NODE) {
        return Err(Error::new(format!("Node {version} is too old: {get}")));
    }
    if output(clean(NPM).arg("--version")).is_none() {
        return Err(Error::new(
            "npm is missing: it comes with Node, or as a package of its own (Debian: `apt-get install npm`)",
        ));
    }
    Ok(())
}

/// Parses `v20.20.2` as (20, 20).
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Runs `npm ci`, unless `node_modules` is already what the lock says.
pub(super) fn ensure_packages(root: &Path, progress: &Progress) -> Result<()> {
    if installed(root) {
        return Ok(());
    }
    progress.step("installing the npm packages of package-lock.json", |step| {
        let mut command = clean(NPM);
        // None of these packages needs its scripts: the programs are in packages for each system.
        command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(root);
        step.run(command)
    })
}

/// Compares with npm's own record of what it installed; a package may be missing from it only if the lock
/// calls it optional, as the builds for other systems are.
fn installed(root: &Path) -> bool {
    let packages = |path: &str| -> Option<serde_json::Map<String, Value>> {
        let text = fs::read_to_string(root.join(path)).ok()?;
        match serde_json::from_str::<Value>(&text).ok()?.get_mut("packages")?.take() {
            Value::Object(packages) => Some(packages),
            _ => None,
        }
    };
    let Some(wanted) = packages("package-lock.json") else {
        return false;
    };
    let Some(have) = packages("node_modules/.package-lock.json") else {
        return false;
    };
    let extra = have.keys().any(|name| !wanted.contains_key(name));
    let fits = |(name, entry): (&String, &Value)| match have.get(name) {
        // The entry of the checkout itself.
        _ if name.is_empty() => true,
        Some(installed) => installed.get("version") == entry.get("version"),
        None => entry.get("optional") == Some(&Value::Bool(true)),
    };
    !extra && wanted.iter().all(fits) && testkit::workerd::binary(root).exists()
}
