//! Where things are: the checkout, and what is kept outside of it because every checkout needs the same.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::progress::Progress;

/// One checkout of writegate, and the tools' place.
pub(crate) struct Project {
    /// Holds `Cargo.toml`, `package.json` and `wrangler.toml`.
    pub(crate) root: PathBuf,
    /// Holds tools that took minutes to install, for every checkout of this user.
    pub(crate) cache: PathBuf,
    /// cargo's target directory.
    pub(crate) target: PathBuf,
    /// wrangler's environment that the command is about. It inherits no variables.
    pub(crate) environment: Option<String>,
}

impl Project {
    pub(crate) fn find() -> Result<Self> {
        Self::find_for(None)
    }

    /// Finds the checkout, and has everything read for this environment of wrangler's.
    pub(crate) fn find_for(environment: Option<&str>) -> Result<Self> {
        let root = root()?;
        let cache = cache()?;
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(own) => root.join(own),
            None => root.join("target"),
        };
        Ok(Self { root, cache, target, environment: environment.map(str::to_owned) })
    }
}

/// `cargo run` and `cargo test` say where the package is, inside the checkout; a binary called by its path
/// looks around itself, and at last goes where it was built.
fn root() -> Result<PathBuf> {
    let here = env::current_dir().context("finding the current directory")?;
    let ours = |directory: &Path| {
        directory.join("Cargo.toml").is_file() && directory.join("wrangler.toml").is_file()
    };
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    let around = |package: &Path| package.ancestors().take(2).map(Path::to_path_buf).collect();
    let mut candidates: Vec<_> = package.as_deref().map(around).unwrap_or_default();
    candidates.extend(here.ancestors().map(Path::to_path_buf));
    candidates.extend(built.parent().map(Path::to_path_buf));
    candidates.into_iter().find(|directory| ours(directory)).ok_or_else(|| {
        Error::usage("no checkout of writegate here: run this where its wrangler.toml is")
    })
}

/// `$WRITEGATE_CACHE`, else the user's cache directory.
fn cache() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let cache = if let Some(own) = set("WRITEGATE_CACHE") {
        PathBuf::from(own)
    } else if let Some(caches) = set("XDG_CACHE_HOME") {
        PathBuf::from(caches).join("writegate")
    } else if let Some(home) = set("HOME") {
        PathBuf::from(home).join(".cache/writegate")
    } else {
        return Err(Error::usage(
            "no place to keep the tools in: set WRITEGATE_CACHE to a directory",
        ));
    };
    std::path::absolute(&cache).context("finding the cache directory")
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
