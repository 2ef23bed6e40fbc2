//! A checkout for `check`: under git, with a wrangler that says what a test wants.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::checkout::{Checkout, Done, random_secret};

/// A configuration that nobody has anything against.
pub(crate) const WELL: &str = "
compatibility_date = \"2026-11-17\"
preview_urls = false
[triggers]
crons = [\"17 5 * * *\"]
[observability.logs]
enabled = true
invocation_logs = false
[vars]
UPSTREAM = \"https://cms.example.org\"
[[vars.KEYS]]
id = \"pk_site\"
methods = [\"POST\"]
paths = [\"/posts\"]
";

/// The answer of wrangler when both secrets are set.
pub(crate) const BOTH: &str = "console.log(JSON.stringify([
    { name: 'SIGNING_SECRET', type: 'secret_text' }, { name: 'WRITE_TOKEN', type: 'secret_text' }]))";

pub(crate) struct Gate {
    pub(crate) checkout: Checkout,
    pub(crate) root: String,
    pub(crate) token: String,
}

impl Gate {
    /// Makes one with which all is well, with its first commit.
    pub(crate) fn well() -> Self {
        Self::of(WELL)
    }

    pub(crate) fn of(wrangler: &str) -> Self {
        let gate = Self {
            checkout: Checkout::new(wrangler),
            root: random_secret(),
            token: random_secret(),
        };
        let secrets = format!("SIGNING_SECRET={}\nWRITE_TOKEN={}\n", gate.root, gate.token);
        let path = gate.checkout.file(".dev.vars", &secrets);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        gate.checkout.file(".gitignore", ".dev.vars\n/node_modules\n/cache\n");
        gate.wrangler(BOTH);
        gate.git(&["init", "--quiet"]);
        gate.commit("Begin");
        gate
    }

    /// Puts a script in wrangler's place.
    pub(crate) fn wrangler(&self, script: &str) {
        let folder = self.checkout.0.join("node_modules/wrangler/bin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("wrangler.js"), script).unwrap();
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org"])
            .args(["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false"])
            .args(arguments)
            .current_dir(&self.checkout.0)
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {done:?}");
    }

    /// Returns what git prints.
    pub(crate) fn git_output(&self, arguments: &[&str]) -> String {
        let git = Command::new("git").args(arguments).current_dir(&self.checkout.0).output();
        String::from_utf8(git.unwrap().stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.checkout.command(&[&["check"], arguments].concat());
        // The repository around it is not this one's.
        let around = self.checkout.0.parent().unwrap();
        command.env("GIT_CEILING_DIRECTORIES", around);
        for name in ["WRITE_TOKEN", "CLOUDFLARE_API_TOKEN", "CHECK_API_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    /// Returns what the check prints, and asserts that none of the secrets is in it.
    pub(crate) fn check(&self, arguments: &[&str]) -> Done {
        let done = Done::of(&mut self.command(arguments));
        for secret in [&self.root, &self.token] {
            let said = format!("{}{}", done.out, done.err);
            assert!(!said.contains(secret.as_str()), "a secret is shown: {said}");
        }
        done
    }

    /// Returns one row.
    #[track_caller]
    pub(crate) fn row(&self, check: &str) -> Value {
        let done = self.check(&["--json", "--only", check]);
        let row: Value = serde_json::from_str(&done.out)
            .unwrap_or_else(|_| panic!("one row: {}{}", done.out, done.err));
        assert_eq!(row["check"], check);
        let code = if row["status"] == "fail" { 1 } else { 0 };
        assert_eq!(done.code, Some(code), "{row}");
        row
    }

    /// Returns one row, with this status and these words in its evidence.
    #[track_caller]
    pub(crate) fn says(&self, check: &str, status: &str, words: &[&str]) -> Value {
        let row = self.row(check);
        assert_eq!(row["status"], status, "{row}");
        for word in words {
            assert!(row["evidence"].as_str().unwrap().contains(word), "{word} in {row}");
        }
        assert_eq!(row["hint"].is_null(), status == "ok", "{row}");
        row
    }
}
