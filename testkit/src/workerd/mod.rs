//! Runs workers on the real runtime: `workerd serve` with a configuration made here.
//!
//! In scope: the configuration, starting, the ports, the log lines, stopping. Out of scope: building
//! the Worker, HTTP. The tests, the benchmark and `writegate demo` all run the gate with it.
//!
//! Three properties that callers rely on:
//!
//! - Nothing polls. A socket is bound to `127.0.0.1:0` and its port is what workerd reports through
//!   `--control-fd` once it listens.
//! - Every wait is bounded, and a workerd that dies while starting ends the wait at once.
//! - workerd and its files never outlive the process that started it, not even when that process is killed
//!   or leaves it in a `static`: a pipe from the parent reaches its end, and the child with it.
//!
//! <https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>

mod logs;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, io};

pub use logs::Logs;
pub use worker::Worker;
use worker::quoted;

/// The newest date that both wrangler's `dev` and the pinned workerd know.
pub const COMPATIBILITY_DATE: &str = "2026-11-17";

/// The service that keeps Durable Objects. In memory they would have no SQL.
const OBJECTS: &str = "objects";

/// The longest time until workerd listens; seconds would do, but a busy CI machine is slow.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Returns the pinned workerd's own program below `node_modules`. The npm package's `bin/workerd` may be a
/// launcher in JavaScript, whose process id would not be workerd's.
pub fn binary(root: &Path) -> PathBuf {
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
    let program = format!("workerd{}", std::env::consts::EXE_SUFFIX);
    let own = modules.join(format!("@cloudflare/workerd-{system}-{processor}/bin/{program}"));
    if own.exists() { own } else { modules.join("workerd/bin/workerd") }
}

/// The configuration of one workerd process.
#[derive(Default)]
pub struct Config {
    workers: Vec<Worker>,
    sockets: Vec<(String, String)>,
    /// Services that other processes run on loopback, and their ports.
    externals: Vec<(String, u16)>,
    experimental: bool,
}

impl Config {
    /// Makes a process without workers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a worker that other workers may call, but nobody from outside.
    pub fn worker(mut self, worker: Worker) -> Self {
        self.workers.push(worker);
        self
    }

    /// Adds a worker with a socket of its own; the socket bears the worker's name.
    pub fn listening(mut self, worker: Worker) -> Self {
        self.sockets.push((worker.name.clone(), worker.name.clone()));
        self.worker(worker)
    }

    /// Adds a service that another process runs, on this port of loopback.
    pub fn external(mut self, name: &str, port: u16) -> Self {
        self.externals.push((name.to_owned(), port));
        self
    }

    /// Allows compatibility flags that workerd calls experimental.
    pub fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }

    fn text(&self, directory: &Path, objects: Option<&Scratch>) -> io::Result<String> {
        let mut services = Vec::new();
        if let Some(Scratch(path)) = objects {
            let path = quoted(&path.display().to_string());
            let name = quoted(OBJECTS);
            services.push(format!("(name = {name}, disk = (path = {path}, writable = true))"));
        }
        for (index, worker) in self.workers.iter().enumerate() {
            services.push(worker.text(index, directory)?);
        }
        for (name, port) in &self.externals {
            let name = quoted(name);
            services.push(format!(
                "(name = {name}, external = (address = \"127.0.0.1:{port}\", http = ()))"
            ));
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
                    "(name = {}, address = \"127.0.0.1:0\", http = (forwardedProtoHeader = \"X-Front-Scheme\"), service = {})",
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
    pub fn start(&self, workerd: &Path) -> io::Result<Workerd> {
        // Read once at the start, so it need not outlive this function. It holds secrets.
        let directory = Scratch::new()?;
        let file = directory.0.join("config.capnp");
        let objects =
            if self.workers.iter().any(Worker::stores) { Some(Scratch::new()?) } else { None };
        fs::write(&file, self.text(&directory.0, objects.as_ref())?)?;

        // The first command waits for the end of the parent's pipe in the background. It then ends
        // workerd, which takes the shell's place and so its process id, and removes its files.
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(
                "exec 3<&0 </dev/null; \
                 (read -r _ <&3; kill -9 $$; rm -rf \"$0\") >/dev/null 2>&1 & \
                 exec 3<&-; exec \"$@\"",
            )
            .arg(&objects.as_ref().unwrap_or(&directory).0)
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
        logs.follow_all(&mut child);
        let mut running =
            Workerd { child, lifeline, logs, ports: BTreeMap::new(), _objects: objects };
        running.ports = running.logs.ports(&self.sockets)?;
        Ok(running)
    }
}

/// A running workerd; dropping it stops it.
pub struct Workerd {
    child: Child,
    lifeline: Option<ChildStdin>,
    logs: Logs,
    ports: BTreeMap<String, u16>,
    /// Where Durable Objects are kept while it runs.
    _objects: Option<Scratch>,
}

impl Workerd {
    /// Returns the port of a worker's socket; 0 for a name that has none.
    pub fn port(&self, name: &str) -> u16 {
        self.ports.get(name).copied().unwrap_or_default()
    }

    /// Returns workerd's own process id, whose CPU time the benchmark reads.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the log of the workers.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Waits until workerd has ended by itself, for instance after an interrupt from the terminal.
    pub fn wait(&mut self) -> io::Result<()> {
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

/// Makes a directory that only its owner can read. On Windows it has the permissions of the one that it is in.
pub fn make_private(path: &Path) -> io::Result<()> {
    let builder = fs::DirBuilder::new();
    #[cfg(unix)]
    let builder = {
        let mut builder = builder;
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
    };
    builder.create(path)
}

/// A directory of our own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("writegate-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A leftover of a process that was killed and had the same id.
        let _ = fs::remove_dir_all(&path);
        make_private(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
