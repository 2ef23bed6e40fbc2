//! The workers under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use serde_json::{Value, json};
use testkit::upstream::Upstream;
use testkit::workerd::{Config, Worker, Workerd, binary};

use super::Result;
use super::rounds::Plan;
use super::secrets::{KEY, Secrets};
use super::upstream::BASE;

/// A module that has a memory of three pages and a function that does nothing with a number:
///
/// ```wat
/// (module (memory (export "memory") 3) (func (export "take") (param i32)))
/// ```
const EMPTY_WASM: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\x01\x7f\0\
    \x03\x02\x01\0\
    \x05\x03\x01\0\x03\
    \x07\x11\x02\x06memory\x02\0\x04take\0\0\
    \x0a\x04\x01\x02\0\x0b";

/// The parts that every benchmark needs.
pub(crate) struct Bench<'a> {
    pub(crate) root: &'a Path,
    /// Folders with a built Worker: the gate, and the one that it is compared with, if any.
    pub(crate) gate: PathBuf,
    pub(crate) baseline: Option<PathBuf>,
    pub(crate) secrets: Secrets,
    pub(crate) upstream: Upstream,
    pub(crate) plan: Plan,
}

impl Bench<'_> {
    /// Returns the gate's name and folder, and those of the baseline.
    pub(crate) fn builds(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let baseline = self.baseline.as_deref().map(|folder| ("old ", folder));
        [("", self.gate.as_path())].into_iter().chain(baseline)
    }

    /// Runs the workers in one process.
    pub(crate) fn start(&self, config: &Config) -> Result<Workerd> {
        Ok(config.start(&binary(self.root))?)
    }

    /// Returns the worker that checks nothing.
    pub(crate) fn pass_through(&self) -> Worker {
        self.peer("pass-through", include_str!("../workers/pass-through.js"))
    }

    /// Returns the platform calls of a forwarding, and nothing else.
    pub(crate) fn floor_forward(&self) -> Worker {
        let source = include_str!("../workers/floor-forward-wasm.js");
        self.peer("floor", source).module("empty.wasm", "wasm", EMPTY_WASM)
    }

    /// Returns the floor of a forwarding, with the gate's script and module loaded and never called.
    pub(crate) fn floor_start(&self) -> Result<Worker> {
        let source = include_str!("../workers/floor-forward-wasm.js");
        let [script, module] =
            ["index.js", "index_bg.wasm"].map(|name| fs::read(self.gate.join(name)));
        Ok(self
            .peer("start floor", &format!("import \"./gate.js\";\n{source}"))
            .module("empty.wasm", "wasm", EMPTY_WASM)
            .module("gate.js", "esModule", &script?)
            .module("index_bg.wasm", "wasm", &module?))
    }

    /// Returns the platform calls of a refusal, and nothing else.
    pub(crate) fn floor_refusal(&self) -> Worker {
        self.peer("refusal floor", include_str!("../workers/floor-refusal.js"))
    }

    /// Returns the platform calls of an answer from the memory cache, and nothing else.
    pub(crate) fn floor_cached(&self) -> Worker {
        let source = include_str!("../workers/floor-cached.js");
        self.peer("cached floor", source).module("empty.wasm", "wasm", EMPTY_WASM)
    }

    /// Returns the peer, bundled with the project's esbuild as it would be deployed.
    pub(crate) fn hono(&self) -> Result<Worker> {
        let bundled = Command::new(self.root.join("node_modules/.bin/esbuild"))
            .current_dir(self.root)
            .args(["bench/workers/hono.js", "--bundle", "--format=esm", "--minify"])
            .stderr(Stdio::inherit())
            .output()?;
        if !bundled.status.success() {
            return Err("esbuild could not bundle the Hono worker".into());
        }
        let source = String::from_utf8_lossy(&bundled.stdout);
        Ok(self.peer("Hono", &source).var("SESSION_SECRET", self.secrets.session_secret()))
    }

    /// Returns the gate with one key, and routes that have these members beside their upstream.
    pub(crate) fn gate(
        &self,
        name: &str,
        build: &Path,
        routes: impl IntoIterator<Item = Value>,
    ) -> io::Result<Worker> {
        let routes = routes.into_iter().map(|mut route| {
            route["upstream"] = self.upstream_url().into();
            if route["path"].is_null() {
                route["path"] = "/*".into();
            }
            route
        });
        let key = json!({"id": KEY, "schemes": ["session", "signature"]});
        Ok(Worker::built(name, build)?
            .var("ROUTES", routes.collect::<Value>())
            .var("WRITE_TOKEN", self.secrets.token.as_str())
            .var("SIGNING_SECRET", self.secrets.root())
            .var("KEYS", json!([key])))
    }

    fn peer(&self, name: &str, source: &str) -> Worker {
        Worker::script(name, source)
            .var("UPSTREAM", self.upstream_url())
            .var("UPSTREAM_PATH", BASE)
            .var("WRITE_TOKEN", self.secrets.token.as_str())
            .var("TOKEN_FINGERPRINT", self.secrets.fingerprint())
    }

    fn upstream_url(&self) -> String {
        format!("{}{BASE}", self.upstream.url())
    }
}
