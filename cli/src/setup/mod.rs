//! Everything that building and running the Worker needs, installed once.
//!
//! In scope: the Wasm target and the npm packages. Each first looks whether its result is there, so the
//! usual run does nothing and takes less than a second. `package-lock.json` pins the npm packages.
//! Out of scope: wasm-bindgen, which is a library of this command.

mod debian;
mod environment;
mod node;
mod wasm;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::{Checkout, Lock};
use crate::error::Result;
use crate::progress::{Progress, output};

use environment::clean;

/// The Worker's target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The variables that make `cargo` and `rustc` those of a toolchain. The user's own needs none.
type Variables = Vec<(&'static str, OsString)>;

/// The tools of a build.
pub(crate) struct Tools {
    toolchain: Variables,
    modules: PathBuf,
}

impl Tools {
    /// Installs the Wasm target if it is missing. The npm packages are for [`ensure_packages`].
    pub(crate) fn ensure(checkout: &Checkout, progress: &Progress) -> Result<Self> {
        node::check()?;
        // All checkouts share it.
        let _shared = Lock::take(&checkout.cache, progress)?;
        let toolchain = wasm::ensure(&checkout.cache, progress)?;
        Ok(Self { toolchain, modules: checkout.root.join("node_modules") })
    }

    /// Returns the cargo that builds for Wasm.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = clean("cargo");
        command.envs(self.toolchain.iter().cloned());
        command
    }

    /// Puts a script around the one that it imports as `built`, in one file.
    pub(crate) fn bundle(&self, entry: &Path, built: &Path, to: &Path) -> Command {
        let mut command = self.program("esbuild");
        command.args([
            "--bundle",
            "--minify",
            "--format=esm",
            "--external:./index_bg.wasm",
            "--external:cloudflare:*",
            "--define:Symbol.dispose=undefined",
        ]);
        for (option, path) in [("--alias:built", built), ("--outfile", to)] {
            let mut argument = OsString::from(option);
            argument.push("=");
            argument.push(path);
            command.arg(argument);
        }
        command.arg(entry);
        command
    }

    /// Makes a module smaller, and leaves its functions' names out: they are a tenth of its gzipped size,
    /// and a panic names its file and line without them.
    pub(crate) fn optimize(&self, module: &Path, to: &Path) -> Command {
        let mut command = self.program("wasm-opt");
        // The features that rustc and wasm-bindgen use, and SHA-256's: not all, because workerd may not
        // know the newest encodings.
        command.args([
            "-O3",
            // The runtime compiles a function when it is first called, so what few requests need stays a function.
            "--one-caller-inline-max-function-size=100",
            "--enable-bulk-memory",
            "--enable-exception-handling",
            "--enable-multivalue",
            "--enable-mutable-globals",
            "--enable-nontrapping-float-to-int",
            "--enable-reference-types",
            "--enable-sign-ext",
            "--enable-simd",
            "--strip-debug",
            "--strip-producers",
        ]);
        command.arg(module).arg("-o").arg(to);
        command
    }

    /// Returns a program of the npm packages; on Windows it is a script.
    fn program(&self, name: &str) -> Command {
        let script = if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() };
        clean(self.modules.join(".bin").join(script))
    }

    /// Returns the variables that make `cargo` and `rustc` those of the Wasm build.
    pub(crate) fn environment(&self) -> &[(&'static str, OsString)] {
        &self.toolchain
    }

    /// Returns a text that changes with the compiler.
    pub(crate) fn identity(&self) -> String {
        output(clean("rustc").envs(self.toolchain.iter().cloned()).arg("-vV")).unwrap_or_default()
    }
}

/// Returns npm, with no variables but those of the list.
pub(crate) fn npm() -> Command {
    clean(node::NPM)
}

/// Installs the npm packages if they are missing, for a caller that holds the lock of the target directory.
pub(crate) fn ensure_packages(checkout: &Checkout, progress: &Progress) -> Result<()> {
    node::ensure_packages(&checkout.root, progress)
}

/// Installs only the npm packages, wrangler among them.
pub(crate) fn packages(checkout: &Checkout, progress: &Progress) -> Result<()> {
    node::check()?;
    let _own = Lock::take(&checkout.target, progress)?;
    node::ensure_packages(&checkout.root, progress)
}
