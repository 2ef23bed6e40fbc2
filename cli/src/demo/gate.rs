//! The demo's gate: `wrangler dev` in a temporary folder, because workerd by itself has no rate limits, KV or static files.

use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;
use std::{fs, io};

use serde_json::{Value, json};
use testkit::workerd::{Logs, make_private};

use crate::checkout::Checkout;
use crate::error::{Context as _, Error, Result};
use crate::project::{Document, USUAL};
use crate::{random, wrangler};

/// The configuration that a fresh clone has: its bindings, its migrations and its static files.
const SHIPPED: &str = include_str!("../init/template.toml");
/// wrangler's own start, on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Ends wrangler when the pipe from the demo ends, however the demo ended, and removes its folder after it. An interrupt
/// from the terminal reaches wrangler, too, which then ends by itself.
const SUPERVISOR: &str = "trap '' INT HUP; exec 3<&0 </dev/null
\"$@\" 3<&- & program=$!
(read -r _ <&3; kill $program) >/dev/null 2>&1 & watcher=$!
exec 3<&-; wait $program; kill $watcher 2>/dev/null; rm -rf \"$PWD\"";

/// The variables and secrets of the demo.
pub(super) struct Settings<'s> {
    pub(super) vars: Value,
    pub(super) secrets: &'s [(&'s str, &'s str)],
}

/// A running gate. It ends with the process.
pub(super) struct Gate {
    child: Child,
    lifeline: Option<ChildStdin>,
    logs: Logs,
    port: u16,
}

impl Gate {
    pub(super) fn start(
        checkout: &Checkout,
        built: &Path,
        settings: &Settings<'_>,
    ) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("writegate-demo-{}", random::text(9)?));
        let starting = || "starting the demo's gate";
        if let Err(error) = fill(&folder, checkout, built, settings) {
            let _half_made = fs::remove_dir_all(&folder);
            return Err(error).at("setting up (TMPDIR names its place)", &folder);
        }
        let mut sh = wrangler::program("sh");
        sh.args(["-c", SUPERVISOR, "sh", "node"])
            .arg(checkout.root.join("node_modules/wrangler/bin/wrangler.js"))
            .args(["dev", "--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0"])
            .args([
                "--config",
                "wrangler.json",
                "--env=",
                "--persist-to",
                "state",
                "--show-interactive-dev-session=false",
            ])
            .current_dir(&folder)
            // Otherwise it asks the internet what a request's `cf` would hold.
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_LOG_PATH", folder.join("logs"))
            .env_remove("CLOUDFLARE_ENV")
            .env("NO_COLOR", "1")
            .env("FORCE_COLOR", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = sh.spawn().context(starting())?;
        let logs = Logs::default();
        let lifeline = child.stdin.take();
        logs.follow_all(&mut child);
        let mut gate = Self { child, lifeline, logs, port: 0 };
        let ready = gate.logs.wait(0, START_LIMIT, |line| port(line).is_some());
        gate.port = ready.as_deref().and_then(port).ok_or_else(|| {
            Error::new(format!("{}: wrangler dev did not start", starting()))
                .with_output(format!("{}\n", gate.logs.lines().join("\n")))
        })?;
        Ok(gate)
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) const fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Waits until the gate has ended by itself.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.child.wait().map(drop)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

/// Makes the folder of a project of its own, which only its owner can read: it holds secrets.
fn fill(
    folder: &Path,
    checkout: &Checkout,
    built: &Path,
    settings: &Settings<'_>,
) -> io::Result<()> {
    make_private(folder)?;
    let configuration = configuration(&checkout.root, built, &settings.vars)?;
    fs::write(folder.join("wrangler.json"), configuration.to_string())?;
    let secrets: String =
        settings.secrets.iter().map(|(name, secret)| format!("{name}='{secret}'\n")).collect();
    fs::write(folder.join(".dev.vars"), secrets)
}

/// Returns the shipped configuration, with the demo's variables and everything that it has in comments.
fn configuration(root: &Path, built: &Path, vars: &Value) -> io::Result<Value> {
    let shipped = Document::parse(USUAL, SHIPPED, None).map_err(io::Error::other)?;
    let mut whole = shipped.into_whole();
    whole["name"] = json!("writegate-demo");
    whole["main"] = json!(built.join("index.js"));
    whole["assets"]["directory"] = json!(root.join("public"));
    whole["vars"] = vars.clone();
    whole["kv_namespaces"] = json!([{"binding": "KEY_REGISTRY"}]);
    whole["ratelimits"] = json!([{
        "name": "RATE_MINT",
        "namespace_id": "1001",
        "simple": vars["RATES"]["mint"],
    }]);
    if let Some(whole) = whole.as_object_mut() {
        // It is built already.
        whole.remove("build");
    }
    Ok(whole)
}

/// Returns the port in wrangler's line `Ready on http://127.0.0.1:40123`.
fn port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("Ready on http://127.0.0.1:")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}
