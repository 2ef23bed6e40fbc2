//! `writegate build`: the Worker as `index.js` and `index_bg.wasm`.
//!
//! cargo compiles the Worker, wasm-bindgen makes the script that loads it, esbuild puts our entry around
//! that script, and wasm-opt makes the module small. These are the steps of worker-build, which is not
//! used: installing it takes longer than everything else, and its entry costs each request.
//!
//! It does nothing if the Worker is up to date, because `wrangler dev` and every test binary call
//! this command.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{fs, thread};

use clap::Args;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::checkout::{Checkout, Lock};
use crate::error::{Context, Error, Result};
use crate::progress::Progress;
use crate::setup::{self, TARGET, Tools};

/// The files of the Worker, for workerd and wrangler.
const PRODUCTS: [&str; 2] = [SCRIPT, MODULE];
const SCRIPT: &str = "index.js";
const MODULE: &str = "index_bg.wasm";

#[derive(Args)]
pub(crate) struct Options {
    /// Where to put the Worker, from the checkout's root
    #[arg(long, value_name = "DIR", default_value = "build")]
    out_dir: PathBuf,
    /// Features of the crate to build it with, separated by commas
    #[arg(long, value_name = "LIST")]
    features: Option<String>,
    /// Build nothing; print the variables under which cargo builds for Wasm, for a shell to eval
    #[arg(long)]
    env: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { out_dir: PathBuf::from("build"), features: None, env: false }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let checkout = Checkout::find()?;
    let progress = Progress::new();
    let tools = Tools::ensure(&checkout, &progress)?;
    if options.env {
        for (name, value) in tools.environment() {
            let quoted = value.to_string_lossy().replace('\'', r"'\''");
            println!("export {name}='{quoted}'");
        }
        return Ok(());
    }
    build(&checkout, &tools, &progress, options)?;
    Ok(())
}

/// Builds the Worker, unless the existing one was built from the same inputs. Returns the directory.
pub(crate) fn build(
    checkout: &Checkout,
    tools: &Tools,
    progress: &Progress,
    options: &Options,
) -> Result<PathBuf> {
    let out = checkout.root.join(&options.out_dir);
    let target = checkout.target.join("wasm");
    let _lock = Lock::take(&checkout.target, progress)?;

    let features = options.features.as_deref().unwrap_or_default();
    // The options of the build count as much as its inputs.
    let steps = [include_str!("build.rs"), include_str!("setup/mod.rs")].concat();
    let (identity, place) = (tools.identity(), out.display());
    let recipe = format!("{identity}\n{features}\n{place}\n{steps}");
    // One record per directory, so that builds with other features beside this one keep theirs.
    let record = target
        .join(format!("writegate-{:.16}", hex(&Sha256::digest(out.to_string_lossy().as_bytes()))));
    let built = fs::read_to_string(&record).is_ok_and(|known| {
        fingerprint(checkout, &recipe, &out).is_some_and(|fingerprint| fingerprint == known)
    });
    let begun = SystemTime::now();
    // Both at the same time, because a first run waits for both.
    thread::scope(|scope| {
        let packages = scope.spawn(|| setup::ensure_packages(checkout, progress));
        let compiled = match built {
            true => Ok(()),
            false => progress.step("compiling the Worker", |step| {
                step.run(compiler(checkout, tools, &target, features))
            }),
        };
        packages.join().unwrap_or_else(|panic| resume_unwind(panic)).and(compiled)
    })?;
    if built {
        return Ok(out);
    }

    progress.step("bundling the Worker", |step| {
        let bound = target.join("wasm-bindgen");
        bind(&target.join(TARGET).join("release/writegate.wasm"), &bound)?;
        let entry = checkout.root.join("src/edge/entry.js");
        step.run(tools.bundle(&entry, &bound.join(SCRIPT), &out.join(SCRIPT)))?;
        step.run(tools.optimize(&bound.join(MODULE), &out.join(MODULE)))
    })?;
    // The build may lack changes that somebody made meanwhile.
    let edited = inputs(checkout).is_none_or(|files| files.iter().any(|file| changed(file, begun)));
    if let Some(fingerprint) = fingerprint(checkout, &recipe, &out).filter(|_| !edited) {
        fs::write(&record, fingerprint).context("recording the build")?;
    }
    Ok(out)
}

/// Returns the call of cargo that compiles the Worker.
fn compiler(checkout: &Checkout, tools: &Tools, target: &Path, features: &str) -> Command {
    let mut command = tools.cargo();
    // The crate type is said here because in Cargo.toml, beside the rlib of the command and the tests,
    // cargo would leave link-time optimization out.
    command
        .current_dir(&checkout.root)
        .args(["rustc", "--locked", "--release", "--package", "writegate", "--lib"])
        .args(["--crate-type", "cdylib", "--target", TARGET])
        .env("CARGO_TARGET_DIR", target);
    if !features.is_empty() {
        command.args(["--features", features]);
    }
    command
}

/// Makes the script that loads a compiled module, and the module as that script expects it.
fn bind(compiled: &Path, to: &Path) -> Result<()> {
    // Scripts of an earlier build, whose source files no longer exist.
    if to.exists() {
        fs::remove_dir_all(to).context("removing the former script")?;
    }
    Bindgen::new()
        .input_path(compiled)
        .out_name("index")
        .module(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                // A new memory after a panic: see src/edge/entry.js.
                .reset_state_function(true)
                .force_enable_abort_handler(true)
                .generate(to)
        })
        .map_err(|error| Error::new(format!("wasm-bindgen: {error:#}")))?;
    let script = to.join(SCRIPT);
    let text = fs::read_to_string(&script).context("reading the script of wasm-bindgen")?;
    // `import source` is a proposal that workerd does not know. There, a plain import of Wasm gives the module.
    let text = text.replace("import source ", "import ");
    // So the bundler leaves out the classes of `worker` that the gate does not use.
    let unused = "/* @__PURE__ */ new FinalizationRegistry(";
    let text = text.replace("new FinalizationRegistry(", unused);
    fs::write(&script, text).context("writing the script")
}

/// Returns true if a file was changed since then, or may have been.
fn changed(file: &Path, since: SystemTime) -> bool {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    modified.map_or(true, |modified| modified >= since)
}

/// Returns everything that the Worker is made of; `None` if that is unknown.
fn inputs(checkout: &Checkout) -> Option<Vec<PathBuf>> {
    let mut files = vec![
        checkout.root.join("Cargo.toml"),
        checkout.root.join("Cargo.lock"),
        checkout.root.join("package-lock.json"),
    ];
    // Cargo's flags of the checkout, if it has any.
    let flags = checkout.root.join(".cargo/config.toml");
    files.extend(flags.is_file().then_some(flags));
    // Files from outside of `src` that the library includes are in cargo's own list.
    let listed = checkout.target.join("wasm/wasm32-unknown-unknown/release/writegate.d");
    let text = fs::read_to_string(listed).ok()?;
    let inputs = text.lines().flat_map(|line| line.split_once(": ")).map(|(_, files)| files);
    files.extend(inputs.flat_map(|line| line.split(' ')).map(|path| checkout.root.join(path)));
    sources(&checkout.root.join("src"), &mut files)?;
    Some(files)
}

/// Returns the fingerprint of everything the Worker is made of, and of the product; `None` if one of them cannot be
/// read.
fn fingerprint(checkout: &Checkout, recipe: &str, out: &Path) -> Option<String> {
    let mut files = inputs(checkout)?;
    files.extend(PRODUCTS.map(|name| out.join(name)));
    files.sort();
    files.dedup();

    let mut hash = Sha256::new();
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        hash.update(std::env::var(variable).unwrap_or_default());
        hash.update([0]);
    }
    hash.update(recipe);
    for file in files {
        let content = fs::read(&file).ok()?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(Sha256::digest(&content));
    }
    Some(hex(&hash.finalize()))
}

/// Returns every file of the library.
fn sources(directory: &Path, files: &mut Vec<PathBuf>) -> Option<()> {
    for entry in fs::read_dir(directory).ok()? {
        let path = entry.ok()?.path();
        if path.is_dir() {
            sources(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Some(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
