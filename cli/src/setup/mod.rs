//! Everything that building and running the Worker needs, installed once.
//!
//! In scope: the Wasm target, worker-build, wasm-bindgen and the npm packages. Each step first looks
//! whether its result is there, so the usual run does nothing and takes less than a second. Versions
//! are pinned: worker-build here, wasm-bindgen by `Cargo.lock` (it must equal the crate), the npm
//! packages by `package-lock.json`.

mod debian;
mod node;
mod wasm;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context, Error, Result};
use crate::progress::{Progress, output};
use crate::project::{Lock, Project};

const WORKER_BUILD: &str = "0.8.7";

/// The tools, ready to be called.
pub(crate) struct Tools {
    toolchain: wasm::Toolchain,
    worker_build: PathBuf,
    wasm_bindgen: PathBuf,
    modules: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub(crate) fn ensure(project: &Project, progress: &Progress) -> Result<Self> {
        node::check()?;
        // One lock for what all checkouts share, one for this checkout.
        let shared = Lock::take(&project.cache, progress)?;
        let toolchain = wasm::ensure(&project.cache, progress)?;
        let worker_build = crate_binary(project, progress, "worker-build", WORKER_BUILD)?;
        let version = locked_version(&project.root, "wasm-bindgen")?;
        let directory = crate_binary(project, progress, "wasm-bindgen-cli", &version)?;
        drop(shared);
        let own = Lock::take(&project.target, progress)?;
        node::ensure_packages(&project.root, progress)?;
        drop(own);
        Ok(Self {
            toolchain,
            worker_build: worker_build.join("worker-build"),
            wasm_bindgen: directory.join("wasm-bindgen"),
            modules: project.root.join("node_modules"),
        })
    }

    /// worker-build, in an environment in which it finds every tool and downloads none.
    pub(crate) fn worker_build(&self) -> Command {
        let mut command = clean(&self.worker_build);
        command.envs(self.environment());
        command
    }

    /// Puts a script around the one that it imports as `built`, in one file.
    pub(crate) fn bundle(&self, entry: &Path, built: &Path, to: &Path) -> Command {
        let mut command = clean(self.modules.join(".bin/esbuild"));
        // What worker-build itself bundles with.
        command.args([
            "--bundle",
            "--minify",
            "--format=esm",
            "--external:./index_bg.wasm",
            "--external:cloudflare:*",
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

    /// Copies a module without its functions' names, which worker-build keeps in: they are a tenth of its
    /// gzipped size, and a panic names its file and line without them.
    pub(crate) fn without_names(&self, module: &Path, to: &Path) -> Command {
        let mut command = clean(self.modules.join(".bin/wasm-opt"));
        // The features that worker-build names, and SHA-256's: not all, for workerd may not know
        // the newest encodings.
        command.args([
            "--enable-bulk-memory",
            "--enable-exception-handling",
            "--enable-multivalue",
            "--enable-mutable-globals",
            "--enable-nontrapping-float-to-int",
            "--enable-reference-types",
            "--enable-sign-ext",
            "--enable-simd",
            "--strip-debug",
        ]);
        command.arg(module).arg("-o").arg(to);
        command
    }

    /// The variables that make `cargo`, `rustc` and worker-build those of the Wasm build.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let bin = self.modules.join(".bin");
        let mut variables = vec![
            ("WASM_BINDGEN_BIN", self.wasm_bindgen.clone().into()),
            ("WASM_OPT_BIN", bin.join("wasm-opt").into()),
            ("ESBUILD_BIN", bin.join("esbuild").into()),
        ];
        variables.extend(self.toolchain.environment());
        variables
    }

    /// Changes whenever another set of tools would build something else.
    pub(crate) fn identity(&self) -> String {
        let rustc = output(clean("rustc").envs(self.environment()).arg("-vV"));
        format!(
            "{}\n{}\n{}",
            rustc.unwrap_or_default(),
            self.worker_build.display(),
            self.wasm_bindgen.display()
        )
    }
}

/// The npm packages alone, wrangler among them.
pub(crate) fn packages(project: &Project, progress: &Progress) -> Result<()> {
    node::check()?;
    let _own = Lock::take(&project.target, progress)?;
    node::ensure_packages(&project.root, progress)
}

/// Secrets that a command may find in its environment and that no program below has any business with:
/// packages run scripts when they are installed, and crates when they are built.
pub(crate) const SECRETS: [&str; 7] = [
    "SIGNING_SECRET",
    "SIGNING_SECRET_PREVIOUS",
    "WRITE_TOKEN",
    "WAF_SECRET",
    "TURNSTILE_SECRET",
    "ROTATION_API_TOKEN",
    "CHECK_API_TOKEN",
];

/// A command without secrets, and without what cargo told this process about the package that it runs:
/// another cargo below would take it for its own.
pub(crate) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in SECRETS {
        command.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let cargos = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if cargos
            || ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command
}

/// The directory with a crate's programs, in the version asked for.
fn crate_binary(
    project: &Project,
    progress: &Progress,
    name: &str,
    version: &str,
) -> Result<PathBuf> {
    let root = project.cache.join(format!("{name}-{version}"));
    let bin = root.join("bin");
    if bin.join(name.trim_end_matches("-cli")).is_file() {
        return Ok(bin);
    }
    need_c_compiler()?;
    progress.step(&format!("installing {name} {version}"), |step| {
        let build = project.cache.join("build");
        let mut install = clean("cargo");
        // Unoptimized, they install in a third of the time and run as fast as it matters. Without
        // `--locked`, because wasm-bindgen-cli's lock names a version that was withdrawn.
        install
            .args(["install", "--debug", "--root"])
            .arg(&root)
            .arg(format!("{name}@{version}"))
            .env("CARGO_TARGET_DIR", &build)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        step.run(install)?;
        let _ = std::fs::remove_dir_all(build);
        Ok(())
    })?;
    Ok(bin)
}

fn need_c_compiler() -> Result<()> {
    let found = ["cc", "gcc", "clang"]
        .iter()
        .any(|name| output(Command::new(name).arg("--version")).is_some());
    if found {
        return Ok(());
    }
    Err(Error::new(
        "no C compiler found, and Rust links with one: install it (Debian: `apt-get install gcc libc6-dev`; \
         macOS: `xcode-select --install`), then run this again",
    ))
}

/// The version of a crate in `Cargo.lock`.
fn locked_version(root: &Path, name: &str) -> Result<String> {
    let path = root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).context(format!("reading {}", path.display()))?;
    let entry = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| **line != *entry);
    lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| Error::new(format!("Cargo.lock does not name the crate {name}")))
}
