//! A gate in a folder of its own, without this repository: npm brings the Worker, the command and wrangler. `init` makes the
//! folder before it asks, so that wrangler is there, and writes the rest of its files beside `wrangler.toml` at the end.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};

use crate::checkout::Checkout;
use crate::error::{Context as _, Error, Result};
use crate::progress::Progress;
use crate::replacement::Replacement;
use crate::{interrupt, invocation, percent, setup};

use super::template::SHIPPED;

/// The package, in the version of this command.
const PACKAGE: &str = concat!("writegate@", env!("CARGO_PKG_VERSION"));
/// Any wrangler of this major version runs the Worker.
const WRANGLER: &str = "wrangler@4";
/// The files that git must ignore.
const IGNORED: [&str; 5] =
    ["node_modules", ".wrangler", ".dev.vars*", ".env*", "!.dev.vars.example"];
/// The scripts of `package.json`.
const SCRIPTS: [(&str, &str); 3] =
    [("dev", "wrangler dev"), ("deploy", "wrangler deploy"), ("check", "writegate check")];

const DEPLOY: &str = include_str!("package/deploy.yml");
const README: &str = include_str!("package/README.md");
/// This repository's own workflow, which differs in how the command gets there.
const ROTATE: &str = include_str!("../../../.github/workflows/rotate.yml");
/// The steps of the workflow that a package does not need, and their replacements.
const ROTATE_EDITS: [(&str, &str); 4] = [
    (
        "      - name: Install Rust
        run: |
          rustup toolchain install 1.95.0 --profile minimal
          rustup default 1.95.0
",
        "      - uses: actions/setup-node@249970729cb0ef3589644e2896645e5dc5ba9c38 # v6.5.0
        with:
          node-version: \"22\"
          package-manager-cache: false
",
    ),
    (
        "      - name: Build the command and install wrangler
        run: |
          cargo build --locked --bin writegate
          npm ci --ignore-scripts --no-audit --no-fund
",
        "      - name: Install wrangler and writegate, as package-lock.json says
        run: npm ci --ignore-scripts --no-audit --no-fund
",
    ),
    ("target/debug/writegate ", "npx --no-install writegate "),
    ("docs/publishing.md", "node_modules/writegate/docs/publishing.md"),
];

/// Returns true if npm has put the package into this folder, which is no checkout.
pub(super) fn is_installed(root: &Path) -> bool {
    !Checkout::is_root(root) && root.join("node_modules/writegate").is_dir()
}

/// Makes the folder, with `package.json`, `.gitignore` and the npm packages. Nothing that is there is replaced.
pub(super) fn prepare(root: &Path, progress: &Progress) -> Result<()> {
    if Checkout::is_root(root) {
        return Err(Error::usage(
            "this is a checkout of writegate, which is a gate already: `init` without a folder",
        ));
    }
    fs::create_dir_all(root).at("making", root)?;
    let manifest = root.join("package.json");
    if !manifest.is_file() {
        let is_known = |name: &str| [".git", ".gitignore", "README.md", "LICENSE"].contains(&name);
        let entries = fs::read_dir(root).at("reading", root)?;
        let mut others =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        if let Some(other) = others.find(|name| !is_known(name)) {
            return Err(Error::usage(format!(
                "{} holds {other} and is not an npm package: name a new folder, `init my-gate`",
                root.display()
            )));
        }
        place(&manifest, "{\n  \"private\": true\n}\n")?;
    }
    ignore(root)?;
    let modules = root.join("node_modules");
    let is_first = !modules.exists();
    let installed = add_scripts(root, progress)
        .and_then(|()| install(root, "writegate", &[PACKAGE, "--save-exact"], progress))
        .and_then(|()| install(root, "wrangler", &[WRANGLER], progress))
        .and_then(|()| renew_runtime(root, progress));
    installed.map_err(|error| {
        // On a full disk npm leaves packages with empty files, which it takes for installed when it runs again.
        let hint = if is_first {
            let _ = fs::remove_dir_all(&modules);
            ""
        } else {
            ", after `rm -r node_modules` and `npm install`, because a package may be incomplete"
        };
        Error { message: format!("{}{hint}", interrupt::with_so_far(&error.message)), ..error }
    })
}

/// Writes the files that a person or GitHub needs, if they are not there.
pub(super) fn finish(root: &Path, name: &str) -> Result<()> {
    let readme = README.replace("{name}", name);
    let rotate =
        ROTATE_EDITS.iter().fold(ROTATE.to_owned(), |text, (from, to)| text.replace(from, to));
    let workflows = root.join(".github/workflows");
    fs::create_dir_all(&workflows).at("making", &workflows)?;
    place(&root.join("README.md"), &readme)?;
    place(&workflows.join("deploy.yml"), DEPLOY)?;
    place(&workflows.join("rotate.yml"), &rotate)
}

/// Returns the lines that set up the workflows: a token of exactly the permissions, the commands to paste, and those that ask for
/// a secret, which would take the next pasted line for it.
pub(super) fn publishing(whole: &Value) -> String {
    let mut permissions = vec![("workers_scripts", "edit")];
    if !whole["routes"].is_null() {
        permissions.extend([("workers_routes", "edit"), ("zone", "read")]);
    }
    if !whole["kv_namespaces"].is_null() {
        permissions.push(("workers_kv_storage", "edit"));
    }
    let permissions: Vec<Value> =
        permissions.iter().map(|(key, kind)| json!({"key": key, "type": kind})).collect();
    let permissions = percent::encoded(json!(permissions).to_string());
    let account = whole["account_id"].as_str().unwrap_or("ACCOUNT_ID");
    let url = url(whole);
    let page = invocation::page("publishing.md");
    let subdomain = match has_subdomain(whole) {
        true => " (SUBDOMAIN is in the address that `npx wrangler deploy` prints)",
        false => "",
    };
    format!(
        "To deploy by GitHub Actions on every push to main, make a token with exactly the permissions for it:\n  \
         https://dash.cloudflare.com/profile/api-tokens?permissionGroupKeys={permissions}&accountId={account}&zoneId=all&name=writegate%20deploy\n\
         When the folder has a repository at GitHub, run these in it{subdomain}. With GitHub Free, a private one\n\
         has no environments ({page}, \"A gate from npm\"):\n  \
         gh api --silent --method PUT 'repos/{{owner}}/{{repo}}/environments/production'\n  \
         gh api --silent --method PUT 'repos/{{owner}}/{{repo}}/environments/rotation'\n  \
         gh secret set CLOUDFLARE_ACCOUNT_ID --env production --body {account}\n  \
         gh secret set CLOUDFLARE_ACCOUNT_ID --env rotation --body {account}\n  \
         gh variable set GATE_URL --body {url}\n\
         Then these, one after another, because each asks for the secret. The token twice; SIGNING_SECRET is in .dev.vars:\n  \
         gh secret set CLOUDFLARE_API_TOKEN --env production\n  \
         gh secret set CLOUDFLARE_API_TOKEN --env rotation\n  \
         gh secret set SIGNING_SECRET --env rotation\n"
    )
}

/// Returns true if only Cloudflare knows the whole address.
pub(super) fn has_subdomain(whole: &Value) -> bool {
    whole["routes"][0]["pattern"].is_null()
}

/// Returns the gate's address, if the configuration names one.
pub(super) fn url(whole: &Value) -> String {
    match whole["routes"][0]["pattern"].as_str() {
        Some(host) => format!("https://{host}"),
        None => {
            format!("https://{}.SUBDOMAIN.workers.dev", whole["name"].as_str().unwrap_or("GATE"))
        }
    }
}

fn ignore(root: &Path) -> Result<()> {
    let path = root.join(".gitignore");
    let old = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).at("reading", &path),
    };
    let missing: Vec<_> =
        IGNORED.into_iter().filter(|line| !old.lines().any(|one| one == *line)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let end = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    let new = format!("{old}{end}{}\n", missing.join("\n"));
    Replacement::new(&path, new.as_bytes(), None)?.place()
}

fn add_scripts(root: &Path, progress: &Progress) -> Result<()> {
    let path = root.join("package.json");
    let text = fs::read_to_string(&path).at("reading", &path)?;
    let manifest: Value = serde_json::from_str(&text)
        .map_err(|error| Error::usage(format!("package.json: {error}")))?;
    let missing: Vec<String> = SCRIPTS
        .iter()
        .filter(|(name, _)| manifest["scripts"][name].is_null())
        .map(|(name, script)| format!("scripts.{name}={script}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    // npm keeps the order and the indentation of somebody's file.
    progress.step("adding scripts to package.json", |step| {
        let mut npm = setup::npm();
        npm.args(["pkg", "set"]).args(&missing).current_dir(root);
        step.run(npm)
    })
}

/// Installs a package, unless it is there.
fn install(root: &Path, name: &str, arguments: &[&str], progress: &Progress) -> Result<()> {
    if root.join("node_modules").join(name).join("package.json").is_file() {
        return Ok(());
    }
    progress.step(&format!("installing {name} from npm"), |step| {
        let mut npm = setup::npm();
        npm.args(["install", "--save-dev", "--ignore-scripts", "--no-audit", "--no-fund"]);
        npm.args(arguments).current_dir(root);
        step.run(npm)
    })
}

/// Gives wrangler a runtime that knows the compatibility date of a new gate: for an older Node, npm takes an older wrangler.
fn renew_runtime(root: &Path, progress: &Progress) -> Result<()> {
    let manifest = fs::read(root.join("node_modules/workerd/package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let Some(newer) = manifest["version"].as_str().and_then(newer_runtime) else {
        return Ok(());
    };
    progress.step("installing a newer workerd than that of wrangler for this Node", |step| {
        let mut npm = setup::npm();
        npm.args(["pkg", "set", &format!("overrides.workerd={newer}")]).current_dir(root);
        step.run(npm)?;
        let mut npm = setup::npm();
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(root);
        step.run(npm)
    })
}

/// Returns the versions of workerd that a new gate needs, if this one is older. The second number is its day.
fn newer_runtime(version: &str) -> Option<String> {
    let (_, date) = SHIPPED.split_once("compatibility_date = \"")?;
    let needed: String = date.chars().take(10).filter(char::is_ascii_digit).collect();
    (version.split('.').nth(1)? < needed.as_str()).then(|| format!(">=1.{needed}.0"))
}

/// Writes a file that is not there yet, whole or not at all.
fn place(path: &Path, text: &str) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Ok(()),
        Err(_) => Replacement::new(path, text.as_bytes(), None)?.place(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_of_the_workflow_finds_its_place() {
        let mut text = ROTATE.to_owned();
        for (from, to) in ROTATE_EDITS {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        for word in ["cargo", "rustup", "target/"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn an_older_runtime_is_replaced() {
        for (version, newer) in [
            ("1.20260426.1", Some(">=1.20261117.0")),
            ("1.20261117.1", None),
            ("1.20270101.0", None),
        ] {
            assert_eq!(newer_runtime(version).as_deref(), newer, "{version}");
        }
    }

    /// A person who pastes all lines at once must not paste a command into a question.
    #[test]
    fn no_line_follows_one_that_asks_for_a_secret() {
        let lines = publishing(&json!({"name": "my-gate"}));
        let commands: Vec<_> = lines.lines().filter(|line| line.starts_with("  gh ")).collect();
        let asks = |line: &&&str| line.contains("secret set") && !line.contains("--body");
        let first = commands.iter().position(|line| asks(&line)).unwrap();
        assert_eq!(commands[first..].iter().filter(asks).count(), commands.len() - first);
        assert!(lines.contains("--body https://my-gate.SUBDOMAIN.workers.dev\n"), "{lines}");
        assert!(lines.contains("run these in it (SUBDOMAIN is in the address"), "{lines}");
        let page = include_str!("../../../docs/publishing.md");
        for command in commands.iter().filter(|line| !line.contains("GATE_URL")) {
            assert!(page.contains(*command), "{command}");
        }
        // What the two workflows read.
        for (environment, workflow) in [("production", DEPLOY), ("rotation", ROTATE)] {
            let secrets = workflow.split("${{ secrets.").skip(1);
            for name in secrets.filter_map(|rest| rest.split(' ').next()) {
                let set = format!("gh secret set {name} --env {environment}");
                assert!(name == "ROTATION_API_TOKEN" || lines.contains(&set), "{set}");
            }
        }
    }

    #[test]
    fn the_token_has_the_permissions_that_the_configuration_needs() {
        let plain = publishing(&json!({}));
        assert!(
            plain.contains(
                "=%5B%7B%22key%22%3A%22workers_scripts%22%2C%22type%22%3A%22edit%22%7D%5D&"
            )
        );
        let whole = json!({"account_id": "0123", "routes": [{"pattern": "gate.example.com"}], "kv_namespaces": [{}]});
        let all = publishing(&whole);
        for word in [
            "workers_routes",
            "zone%22",
            "workers_kv_storage",
            "accountId=0123&",
            "--body https://gate.example.com",
        ] {
            assert!(all.contains(word), "{word}: {all}");
        }
        assert!(!all.contains("SUBDOMAIN"), "{all}");
    }
}
