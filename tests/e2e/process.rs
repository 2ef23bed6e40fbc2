//! One workerd process with one gate in it, and beside it a worker that calls the gate's scheduled handler.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::logs::{Logs, Stream};

const CRON: &str = "export default { async fetch(request, env) { return Response.json(await env.GATE.scheduled({\
    scheduledTime: new Date(), cron: '17 5 * * *'})) } }";

/// Which worker runs.
pub(crate) enum Script {
    /// The gate, as `writegate build` made it.
    Gate,
    /// The gate, built with something else into this folder.
    Built(PathBuf),
    /// A worker in JavaScript, for tests of the harness itself.
    JavaScript(&'static str),
}

/// A workerd that is killed when this is dropped.
pub(crate) struct Process {
    pub(crate) port: u16,
    pub(crate) cron: u16,
    child: Child,
    folder: PathBuf,
}

impl Process {
    pub(crate) fn start(script: &Script, env: &BTreeMap<String, Value>, logs: &Logs) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = scratch().join(format!("{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let modules = modules(script, &folder);
        std::fs::write(folder.join("config.capnp"), config(&modules, env)).unwrap();
        let (reports, control) = std::io::pipe().unwrap();
        // The standard input is the one descriptor that safe code can hand on, and workerd reads nothing from it.
        let mut child = Command::new(binary())
            .args(["serve", "--control-fd=0", "config.capnp"])
            .current_dir(&folder)
            .stdin(control)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        logs.follow(Stream::Log, child.stdout.take().unwrap());
        logs.follow(Stream::Error, child.stderr.take().unwrap());
        let mut reports = BufReader::new(reports).lines().map_while(Result::ok);
        let mut port = || {
            let line = reports
                .next()
                .unwrap_or_else(|| panic!("workerd did not start: {:#?}", logs.all()));
            let report: Value = serde_json::from_str(&line).unwrap();
            u16::try_from(report["port"].as_u64().unwrap()).unwrap()
        };
        Self {
            port: port(),
            cron: port(),
            child,
            folder,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

fn binary() -> PathBuf {
    std::env::var_os("E2E_WORKERD").expect("E2E_WORKERD").into()
}

/// A folder for what the tests make, inside Cargo's target folder.
pub(crate) fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e")
}

/// The folder with the built Worker; built once for each run of the tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let status = Command::new(env!("CARGO_BIN_EXE_writegate"))
            .arg("build")
            .current_dir(root)
            .status()
            .unwrap();
        assert!(status.success(), "`writegate build` failed");
        root.join("build")
    })
}

/// The modules' declarations, the main one first, their files beside the configuration.
fn modules(script: &Script, folder: &Path) -> String {
    let from = match script {
        Script::JavaScript(text) => {
            std::fs::write(folder.join("index.js"), text).unwrap();
            return "(name = \"index.js\", esModule = embed \"index.js\")".into();
        }
        Script::Gate => built(),
        Script::Built(folder) => folder,
    };
    let mut declared = String::new();
    for (name, kind) in [("index.js", "esModule"), ("index_bg.wasm", "wasm")] {
        std::fs::hard_link(from.join(name), folder.join(name)).unwrap();
        write!(declared, "(name = \"{name}\", {kind} = embed \"{name}\"), ").unwrap();
    }
    declared
}

fn config(modules: &str, env: &BTreeMap<String, Value>) -> String {
    let bindings: Vec<String> = env
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("(name = {}, text = {})", quoted(name), quoted(text)),
            other => format!(
                "(name = {}, json = {})",
                quoted(name),
                quoted(&other.to_string())
            ),
        })
        .collect();
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gate", worker = (compatibilityDate = "2026-04-01", globalOutbound = "net", modules = [{modules}], bindings = [{}])),
    (name = "cron", worker = (compatibilityDate = "2026-04-01", modules = [(name = "cron.js", esModule = {})],
      bindings = [(name = "GATE", service = "gate")])),
    (name = "net", network = (allow = ["public", "private"])),
  ],
  sockets = [
    (name = "gate", address = "127.0.0.1:0", http = (), service = "gate"),
    (name = "cron", address = "127.0.0.1:0", http = (), service = "cron"),
  ],
);
"#,
        bindings.join(", "),
        quoted(CRON),
    )
}

/// A text of Cap'n Proto: everything but printable ASCII as the bytes of its UTF-8.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        if byte == b'"' || byte == b'\\' || !(0x20..0x7F).contains(&byte) {
            write!(out, "\\x{byte:02x}").unwrap();
        } else {
            out.push(char::from(byte));
        }
    }
    out.push('"');
    out
}
