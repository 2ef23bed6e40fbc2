//! Runs workers on the real runtime: `workerd serve` with a configuration made here.
//!
//! In scope: the configuration, starting, the ports, the log lines, stopping. Out of scope: building
//! the Worker, HTTP. The file needs nothing but `std` and `serde_json`, because the end-to-end tests
//! and the benchmark include it by `#[path]` and so run the gate exactly as `writegate demo` does.
//!
//! Three properties that callers rely on:
//!
//! - Nothing polls. A socket is bound to `127.0.0.1:0` and its port is what workerd reports through
//!   `--control-fd` once it listens.
//! - Every wait is bounded, and a workerd that dies while starting ends the wait at once.
//! - workerd never outlives the process that started it, not even when that process is killed or
//!   leaves it in a `static`: a pipe from the parent reaches its end, and the child with it.
//!
//! <https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>
#![allow(
    dead_code,
    reason = "each crate that includes this file uses another part of it"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// The newest date that both wrangler's `dev` and the pinned workerd know.
pub(crate) const COMPATIBILITY_DATE: &str = "2026-11-17";

/// How long workerd may take until it listens; seconds would do, but a busy CI machine is slow.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The pinned workerd's own program below `node_modules`. The npm package's `bin/workerd` may be a
/// launcher in JavaScript, whose process id would not be workerd's.
pub(crate) fn binary(root: &Path) -> PathBuf {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "64",
        "aarch64" => "arm64",
        other => other,
    };
    let modules = root.join("node_modules");
    let own = modules.join(format!(
        "@cloudflare/workerd-{system}-{processor}/bin/workerd"
    ));
    if own.exists() {
        own
    } else {
        modules.join("workerd/bin/workerd")
    }
}

/// One module of a worker; the first of a worker is its main module.
pub(crate) struct Module {
    name: String,
    kind: &'static str,
    content: Vec<u8>,
}

/// What a worker finds in its `env`.
enum Binding {
    Text(String),
    Json(Value),
    Service(String, Option<String>),
}

/// A service that runs code.
pub(crate) struct Worker {
    name: String,
    modules: Vec<Module>,
    bindings: Vec<(String, Binding)>,
    date: String,
    flags: Vec<String>,
}

impl Worker {
    /// A worker of one ES module.
    pub(crate) fn script(name: &str, source: &str) -> Self {
        Self {
            name: name.to_owned(),
            modules: Vec::new(),
            bindings: Vec::new(),
            date: COMPATIBILITY_DATE.to_owned(),
            flags: Vec::new(),
        }
        .module("index.js", "esModule", source.as_bytes())
    }

    /// The gate as `writegate build` left it in `build`: `index.js` and `index_bg.wasm`.
    pub(crate) fn built(name: &str, build: &Path) -> io::Result<Self> {
        let source = fs::read_to_string(build.join("index.js"))?;
        let wasm = fs::read(build.join("index_bg.wasm"))?;
        Ok(Self::script(name, &source).module("index_bg.wasm", "wasm", &wasm))
    }

    /// Adds a module; `kind` is workerd's name for it: `esModule`, `wasm`, `text`, `data`, `json`.
    pub(crate) fn module(mut self, name: &str, kind: &'static str, content: &[u8]) -> Self {
        self.modules.push(Module {
            name: name.to_owned(),
            kind,
            content: content.to_vec(),
        });
        self
    }

    /// Adds a variable or a secret, as wrangler would hand it over: a string as text, anything else
    /// as JSON.
    pub(crate) fn var(mut self, name: &str, value: impl Into<Value>) -> Self {
        let binding = match value.into() {
            Value::String(text) => Binding::Text(text),
            other => Binding::Json(other),
        };
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// Adds every member as [`Worker::var`] does.
    pub(crate) fn vars(self, vars: &Map<String, Value>) -> Self {
        vars.iter().fold(self, |worker, (name, value)| {
            worker.var(name, value.clone())
        })
    }

    /// Lets the worker call another service of the same process.
    pub(crate) fn service(mut self, name: &str, service: &str) -> Self {
        let binding = Binding::Service(service.to_owned(), None);
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// As [`Worker::service`], for an entrypoint that the other service exports by name.
    pub(crate) fn entrypoint(mut self, name: &str, service: &str, entrypoint: &str) -> Self {
        let binding = Binding::Service(service.to_owned(), Some(entrypoint.to_owned()));
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// Adds a compatibility flag.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Another compatibility date than [`COMPATIBILITY_DATE`].
    pub(crate) fn date(mut self, date: &str) -> Self {
        self.date = date.to_owned();
        self
    }

    /// The service in workerd's configuration language; module contents go into files beside it.
    fn text(&self, index: usize, directory: &Path) -> io::Result<String> {
        let mut modules = Vec::new();
        for (number, module) in self.modules.iter().enumerate() {
            let file = format!("{index}-{number}");
            fs::write(directory.join(&file), &module.content)?;
            let (name, kind) = (quoted(&module.name), module.kind);
            modules.push(format!("(name = {name}, {kind} = embed \"{file}\")"));
        }
        let bindings: Vec<_> = self
            .bindings
            .iter()
            .map(|(name, binding)| {
                let value = match binding {
                    Binding::Text(text) => format!("text = {}", quoted(text)),
                    Binding::Json(value) => format!("json = {}", quoted(&value.to_string())),
                    Binding::Service(service, None) => format!("service = {}", quoted(service)),
                    Binding::Service(service, Some(entrypoint)) => format!(
                        "service = (name = {}, entrypoint = {})",
                        quoted(service),
                        quoted(entrypoint)
                    ),
                };
                format!("(name = {}, {value})", quoted(name))
            })
            .collect();
        let flags: Vec<_> = self.flags.iter().map(|flag| quoted(flag)).collect();
        Ok(format!(
            "(name = {}, worker = (modules = [{}], bindings = [{}], compatibilityDate = {}, \
             compatibilityFlags = [{}], globalOutbound = \"network\"))",
            quoted(&self.name),
            modules.join(", "),
            bindings.join(", "),
            quoted(&self.date),
            flags.join(", "),
        ))
    }
}

/// What one workerd process runs.
#[derive(Default)]
pub(crate) struct Config {
    workers: Vec<Worker>,
    sockets: Vec<(String, String)>,
    experimental: bool,
}

impl Config {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a worker that other workers may call, but nobody from outside.
    pub(crate) fn worker(mut self, worker: Worker) -> Self {
        self.workers.push(worker);
        self
    }

    /// Adds a worker with a socket of its own; the socket bears the worker's name.
    pub(crate) fn listening(mut self, worker: Worker) -> Self {
        self.sockets
            .push((worker.name.clone(), worker.name.clone()));
        self.worker(worker)
    }

    /// Allows compatibility flags that workerd calls experimental.
    pub(crate) fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }

    fn text(&self, directory: &Path) -> io::Result<String> {
        let mut services = Vec::new();
        for (index, worker) in self.workers.iter().enumerate() {
            services.push(worker.text(index, directory)?);
        }
        // Without "local" and "private" the upstreams on loopback could not be reached.
        services.push(
            "(name = \"network\", network = (allow = [\"public\", \"private\", \"local\"], \
             tlsOptions = (trustBrowserCas = true)))"
                .to_owned(),
        );
        let sockets: Vec<_> = self
            .sockets
            .iter()
            .map(|(name, service)| {
                format!(
                    "(name = {}, address = \"127.0.0.1:0\", http = (), service = {})",
                    quoted(name),
                    quoted(service)
                )
            })
            .collect();
        Ok(format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\nconst config :Workerd.Config = (\n  \
             services = [\n    {}\n  ],\n  sockets = [\n    {}\n  ]\n);\n",
            services.join(",\n    "),
            sockets.join(",\n    "),
        ))
    }

    /// Starts workerd and returns once every socket listens.
    pub(crate) fn start(&self, workerd: &Path) -> io::Result<Workerd> {
        // Read once at the start, so it need not outlive this function. It holds secrets.
        let directory = Scratch::new()?;
        let file = directory.0.join("config.capnp");
        fs::write(&file, self.text(&directory.0)?)?;

        // The first command waits for the end of the parent's pipe in the background and then ends
        // workerd, which takes the shell's place and so its process id.
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(
                "exec 3<&0 </dev/null; \
                 (read -r _ <&3; kill -9 $$) >/dev/null 2>&1 & \
                 exec 3<&-; exec \"$@\"",
            )
            .arg("workerd")
            .arg(workerd)
            .args(["serve", "--control-fd=1"]);
        if self.experimental {
            command.arg("--experimental");
        }
        let mut child = command
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;

        let logs = Logs::default();
        let lifeline = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            logs.follow(stdout, true);
        }
        if let Some(stderr) = child.stderr.take() {
            logs.follow(stderr, false);
        }
        let mut running = Workerd {
            child,
            lifeline,
            logs,
            ports: BTreeMap::new(),
        };
        running.ports = running.logs.ports(&self.sockets)?;
        Ok(running)
    }
}

/// A running workerd; dropping it stops it.
pub(crate) struct Workerd {
    child: Child,
    lifeline: Option<ChildStdin>,
    logs: Logs,
    ports: BTreeMap<String, u16>,
}

impl Workerd {
    /// The port of a worker's socket; 0 for a name that has none.
    pub(crate) fn port(&self, name: &str) -> u16 {
        self.ports.get(name).copied().unwrap_or_default()
    }

    /// workerd's own process id, whose CPU time the benchmark reads.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the workers log.
    pub(crate) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Waits until workerd has ended by itself, for instance after an interrupt from the terminal.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        // `Child::wait` would close the pipe, but it was taken out of the child.
        self.child.wait().map(drop)
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // The end of the pipe ends workerd; killing it here as well would change nothing but which of
        // the two comes first.
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

/// The lines that workerd and its workers print: `console.log` goes to standard output, `console.warn`
/// and `console.error` to standard error, each call one or more lines.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// From the control channel, by socket.
    ports: BTreeMap<String, u16>,
    /// How many of the two streams have ended.
    ended: u32,
}

impl Logs {
    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// How many lines there are: where to begin a [`Logs::wait`] for what is logged from now on.
    pub(crate) fn mark(&self) -> usize {
        self.state().lines.len()
    }

    /// The first line from `mark` on that fits, waiting for it if need be, but no longer than `limit`.
    pub(crate) fn wait(
        &self,
        mark: usize,
        limit: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let found = |state: &State| {
            let mut lines = state.lines.iter().skip(mark);
            lines.find(|line| fits(line)).cloned()
        };
        self.until(limit, |state| {
            found(state).map_or(state.ended == 2, |_| true)
        });
        found(&self.state())
    }

    fn ports(&self, sockets: &[(String, String)]) -> io::Result<BTreeMap<String, u16>> {
        let complete = |state: &State| state.ports.len() >= sockets.len();
        self.until(START_LIMIT, |state| complete(state) || state.ended == 2);
        let state = self.state();
        if complete(&state) {
            return Ok(state.ports.clone());
        }
        let said = state.lines.join("\n");
        Err(io::Error::other(format!("workerd did not start: {said}")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self, limit: Duration, done: impl Fn(&State) -> bool) {
        let end = Instant::now() + limit;
        let mut state = self.state();
        while !done(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn follow(&self, stream: impl Read + Send + 'static, control: bool) {
        let logs = self.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line), Ok(length) if length > 0) {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\r', '\n']);
                let mut state = logs.state();
                match control.then(|| listening(text)).flatten() {
                    Some((socket, port)) => drop(state.ports.insert(socket, port)),
                    None => state.lines.push(text.to_owned()),
                }
                drop(state);
                logs.0.1.notify_all();
                line.clear();
            }
            logs.state().ended += 1;
            logs.0.1.notify_all();
        });
    }
}

/// `{"event":"listen","socket":"gate","port":40123}`, the control channel's only kind of line.
fn listening(line: &str) -> Option<(String, u16)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let port = value.get("port")?.as_u64()?.try_into().ok()?;
    let socket = value.get("socket")?.as_str()?.to_owned();
    (value.get("event")?.as_str()? == "listen").then_some((socket, port))
}

/// A string literal of Cap'n Proto's schema language.
fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                literal.push('\\');
                literal.push(character);
            }
            '\n' => literal.push_str("\\n"),
            control if control.is_ascii_control() => {
                literal.push_str(&format!("\\x{:02x}", u32::from(control)));
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// A directory of our own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("writegate-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // A leftover of a process that was killed and had the same id.
        let _ = fs::remove_dir_all(&path);
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
