//! A checkout of this repository, from which the Worker is built, and the place for tools that every checkout needs.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::progress::Progress;

/// A checkout of writegate, and the folder of the tools.
pub(crate) struct Checkout {
    /// Holds the workspace's `Cargo.toml`, and `package.json`.
    pub(crate) root: PathBuf,
    /// Holds tools that took minutes to install, for every checkout of this user.
    pub(crate) cache: PathBuf,
    /// cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Checkout {
    /// Finds the checkout that the current folder is in.
    pub(crate) fn find() -> Result<Self> {
        let here = env::current_dir().context("finding the current directory")?;
        let root = here.ancestors().find(|folder| Self::is_root(folder)).ok_or_else(|| {
            Error::usage(
                "no checkout of writegate here or in a folder above, and `build` and `demo` need its source: \
                 git clone the repository, and run this in it",
            )
        })?;
        Self::at(root)
    }

    /// Returns true if this folder is the root of a checkout.
    pub(crate) fn is_root(folder: &Path) -> bool {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let name = manifest.get("package").and_then(|package| package.get("name"));
        manifest.contains_key("workspace")
            && name.and_then(toml::Value::as_str) == Some("writegate")
    }

    pub(crate) fn at(root: &Path) -> Result<Self> {
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(own) => root.join(own),
            None => root.join("target"),
        };
        Ok(Self { root: root.to_owned(), cache: cache()?, target })
    }
}

/// Returns the directory of the tools.
fn cache() -> Result<PathBuf> {
    let cache = cache_on(env::consts::OS, &|name| env::var_os(name)).ok_or_else(|| {
        Error::usage("no cache directory is known: set WRITEGATE_CACHE to a directory")
    })?;
    std::path::absolute(&cache).context("finding the cache directory")
}

/// Returns `$WRITEGATE_CACHE`, else a directory where users of this system look for caches.
fn cache_on(system: &str, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = || match system {
        "windows" => set("LOCALAPPDATA"),
        "macos" => set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join("Library/Caches"))),
        _ => set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache"))),
    };
    set("WRITEGATE_CACHE").or_else(|| Some(caches()?.join("writegate")))
}

/// Held while something is installed or built that another process may want at the same time, such
/// as the test binaries of one `cargo test`. The system lets go of it when the process ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(directory: &Path, progress: &Progress) -> Result<Self> {
        let path = directory.join("writegate.lock");
        let failed = || format!("locking {}", path.display());
        fs::create_dir_all(directory).context(failed())?;
        let file = File::create(&path).context(failed())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.note("waiting for another writegate that is setting up or building");
                file.lock().context(failed())?;
            }
            Err(TryLockError::Error(error)) => return Err(error).context(failed()),
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_users_of_a_system_look_for_it() {
        let own = ("WRITEGATE_CACHE", "own");
        let xdg = ("XDG_CACHE_HOME", "xdg");
        let home = ("HOME", "home");
        let local = ("LOCALAPPDATA", "local");
        for (system, set, expected) in [
            ("linux", &[own, xdg, home][..], Some("own")),
            ("linux", &[xdg, home, local], Some("xdg/writegate")),
            ("linux", &[("XDG_CACHE_HOME", ""), home], Some("home/.cache/writegate")),
            ("freebsd", &[home], Some("home/.cache/writegate")),
            ("macos", &[home], Some("home/Library/Caches/writegate")),
            ("macos", &[xdg, home], Some("xdg/writegate")),
            ("windows", &[xdg, home, local], Some("local/writegate")),
            ("windows", &[own, local], Some("own")),
            ("windows", &[home], None),
            ("linux", &[local], None),
        ] {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(
                cache_on(system, &variable),
                expected.map(PathBuf::from),
                "{system} {set:?}"
            );
        }
    }
}
