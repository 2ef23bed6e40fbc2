//! The real wrangler, as it is pinned: `wrangler dev`, and what a deployment would upload.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{built, forget_package, root};
use crate::program::{Program, port_in};
use crate::token::fresh;

/// wrangler begins with the build, which on a fresh machine may have to compile.
const BUILD_PATIENCE: Duration = Duration::from_secs(600);

/// Returns the pinned wrangler, which logs into this folder and has no login.
pub fn wrangler(folder: &Path) -> Command {
    let mut command = Command::new("node");
    command
        .arg(root().join("node_modules/wrangler/bin/wrangler.js"))
        .current_dir(root())
        .env("CI", "true")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_LOG_PATH", folder)
        // Otherwise it asks the internet what a request's `cf` would hold.
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env_remove("CLOUDFLARE_API_TOKEN");
    // wrangler runs the build of the configuration, which is a Cargo.
    forget_package(&mut command);
    command
}

/// Starts `wrangler dev` with another configuration.
pub fn dev_with(folder: &Path, config: &Path, secrets: &str, vars: &[String]) -> (Program, u16) {
    let file = folder.join("secrets.env");
    fs::write(&file, secrets).unwrap();
    let mut server = Program::start(
        wrangler(folder)
            .args([
                "dev", "--test-scheduled", "--ip", "127.0.0.1", "--port", "0", "--inspector-port",
                "0",
            ])
            .arg("--env-file")
            .arg(&file)
            .arg("--persist-to")
            .arg(folder.join("state"))
            .args(vars.iter().flat_map(|var| ["--var", var]))
            .arg("--config")
            .arg(config),
    );
    let port = port_in(&server.until("Ready on http://127.0.0.1:", BUILD_PATIENCE));
    fs::remove_file(file).unwrap();
    (server, port)
}

/// `wrangler.toml` as it is shipped: in the repository of who has deployed a gate it is another.
pub const SHIPPED: &str = include_str!("../../cli/src/init/template.toml");

/// Returns the shipped configuration, in a file of its own, with these lines that it has as comments.
pub fn with_lines(lines: &[&str]) -> PathBuf {
    let mut text = SHIPPED.to_owned();
    for line in lines {
        assert_eq!(text.matches(&format!("\n# {line}")).count(), 1, "{line}");
        text = text.replace(&format!("\n# {line}"), &format!("\n{line}"));
    }
    beside(&text)
}

/// Returns a `wrangler.toml` beside this repository's own, for its build and its files.
pub fn beside(text: &str) -> PathBuf {
    let mut text = text.replace("node_modules/writegate/worker/", "build/");
    text = text.replace("node_modules/writegate/public", "public");
    if !text.contains("[build]") {
        // wrangler builds nothing then.
        built();
    }
    for path in ["build/", "public"] {
        text = text.replace(&format!("= \"{path}"), &format!("= \"../{path}"));
    }
    let config = root().join("target").join(format!("wrangler-{}.toml", fresh()));
    fs::write(&config, text).unwrap();
    config
}

/// Returns what wrangler says it would deploy of this configuration, and asserts that it warns of nothing.
pub fn dry_run(config: &Path, folder: &Path) -> String {
    let mut command = wrangler(folder);
    command.args(["deploy", "--dry-run", "--config"]).arg(config);
    command.arg("--outdir").arg(folder.join("out"));
    let done = command.output().unwrap();
    let [said, warned] = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(done.status.success(), "{said}{warned}");
    assert!(said.contains("--dry-run: exiting now"), "{said}");
    assert!(!format!("{said}{warned}").contains("WARNING"), "{said}{warned}");
    said
}
