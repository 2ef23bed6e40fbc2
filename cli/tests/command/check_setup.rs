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
const BOTH: &str = "console.log(JSON.stringify([
    { name: 'SIGNING_SECRET', type: 'secret_text' }, { name: 'WRITE_TOKEN', type: 'secret_text' }]))";

pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

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

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.checkout.command(&format!("check {line}"));
        // The repository around it is not this one's, and it must not be asked for what is on this machine.
        let around = self.checkout.0.parent().unwrap();
        command.env("GIT_CEILING_DIRECTORIES", around).env("http_proxy", "http://127.0.0.1:1");
        for name in
            ["WRITE_TOKEN", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CHECK_API_TOKEN"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Returns what the check prints, and asserts that none of the secrets is in it.
    pub(crate) fn check(&self, line: &str) -> Done {
        self.checked(&mut self.command(line))
    }

    fn checked(&self, command: &mut Command) -> Done {
        let done = Done::of(command);
        for secret in [&self.root, &self.token] {
            let said = format!("{}{}", done.out, done.err);
            assert!(!said.contains(secret.as_str()), "a secret is shown: {said}");
        }
        done
    }

    /// Returns one row, with this status and these words in its evidence, which `…` parts.
    #[track_caller]
    pub(crate) fn says(&self, check: &str, status: &str, words: &str) -> Value {
        self.says_with(check, &[], status, words)
    }

    /// Returns one row likewise, with these variables in the environment.
    #[track_caller]
    pub(crate) fn says_with(
        &self,
        check: &str,
        variables: &[(&str, &str)],
        status: &str,
        words: &str,
    ) -> Value {
        let mut command = self.command(&format!("--json --only {check}"));
        let done = self.checked(command.envs(variables.iter().copied()));
        let row: Value = serde_json::from_str(&done.out)
            .unwrap_or_else(|_| panic!("one row: {}{}", done.out, done.err));
        assert_eq!((&row["check"], &row["status"]), (&check.into(), &status.into()), "{row}");
        assert_eq!(done.code, Some(i32::from(status == "fail")), "{row}");
        for word in words.split(" … ") {
            assert!(row["evidence"].as_str().unwrap().contains(word), "{word} in {row}");
        }
        assert_eq!(row["hint"].is_null(), status == "ok", "{row}");
        row
    }
}
