//! The files with secrets on this machine: git must not have them, and others on it must not read them.

use std::fs;
use std::path::Path;

use crate::project::{self, Project};

use super::leaks::git;
use super::local::Local;
use super::row::{Findings, Verdict, listed};

/// The files in which wrangler looks for secrets.
const FILES: [&str; 4] = [".dev.vars", ".dev.vars.*", ".env", ".env.*"];

pub(super) fn row(project: &Project, local: &Local) -> Verdict {
    match facts(&project.root) {
        Ok(facts) => Facts {
            padded: padded(project, local),
            // A file that cannot be read is a finding of the secrets.
            changed: project.changed_in_dev().unwrap_or_default(),
            ..facts
        }
        .verdict(),
        Err(why) => Verdict::warn(
            format!("git could not say whether it ignores .dev.vars: {why}"),
            "in a new folder, run `git init`; otherwise run this in the gate's repository, with git installed",
        ),
    }
}

#[derive(Default)]
struct Facts {
    /// Files that git tracks.
    tracked: Vec<String>,
    /// Files that git does not ignore; `.dev.vars` even if it does not exist yet.
    open: Vec<String>,
    /// Files that others on this machine may read.
    readable: Vec<String>,
    here: Vec<String>,
    /// Secrets that have white space at their end in these files.
    padded: Vec<String>,
    /// Variables of the configuration that have other values under `wrangler dev`.
    changed: Vec<String>,
}

fn padded(project: &Project, local: &Local) -> Vec<String> {
    let variables = project.dev_variables().unwrap_or_default();
    let is_padded = |name: &&str| {
        let (Some(_), Some(text)) = (local.get(name), variables.get(name)) else {
            return false;
        };
        project::secret(text).is_some_and(|secret| secret.len() < text.len())
    };
    variables.names().filter(is_padded).map(str::to_owned).collect()
}

fn facts(checkout: &Path) -> Result<Facts, String> {
    git::work_tree(checkout)?;
    let mut facts = Facts::default();
    let tracked = git::read(checkout, &[&["ls-files", "-z", "--"], &FILES[..]].concat())?;
    let tracked = String::from_utf8_lossy(&tracked).into_owned();
    facts.tracked = tracked.split('\0').filter(|path| is_secret(path)).map(str::to_owned).collect();
    let entries = fs::read_dir(checkout).map_err(|error| error.to_string())?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_secret(&name) {
            if others_may_read(&entry.path()) {
                facts.readable.push(name.clone());
            }
            facts.here.push(name);
        }
    }
    facts.here.sort();
    let mut asked = facts.here.clone();
    if !asked.iter().any(|name| name == ".dev.vars") {
        asked.push(".dev.vars".to_owned());
    }
    for name in asked {
        let ignored = git::ask(checkout, &["check-ignore", "--quiet", "--", &name])?;
        if !ignored.status.success() && !facts.tracked.contains(&name) {
            facts.open.push(name);
        }
    }
    Ok(facts)
}

/// Returns true for `.dev.vars`, `.env` and their kin of an environment, but not an example of them.
fn is_secret(name: &str) -> bool {
    let kin = |stem: &str| {
        let rest = name.strip_prefix(stem);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    (kin(".dev.vars") || kin(".env"))
        && !["example", "sample", "template"].iter().any(|word| name.ends_with(word))
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_path: &Path) -> bool {
    false
}

impl Facts {
    fn verdict(&self) -> Verdict {
        let mut findings = Findings::default();
        if !self.tracked.is_empty() {
            let names = listed(&self.tracked, 4);
            findings.fail(
                format!("git tracks {names}"),
                format!("replace every secret in it where it was issued; git rm --cached {names}"),
            );
        }
        if !self.open.is_empty() {
            findings.fail(
                format!(
                    "git does not ignore {}, so the next `git add .` adds it",
                    listed(&self.open, 4)
                ),
                "add .dev.vars, .dev.vars.*, .env and .env.* to .gitignore",
            );
        }
        if !self.readable.is_empty() {
            let names = self.readable.join(" ");
            findings.warn(
                format!("others on this machine may read {names}"),
                format!("chmod 600 {names}"),
            );
        }
        if !self.padded.is_empty() {
            findings.warn(
                format!(
                    "{}: white space at the end, which wrangler dev and wrangler secret bulk keep, \
                     and wrangler secret put and this command cut off",
                    listed(&self.padded, 4)
                ),
                "remove the white space before the closing quote",
            );
        }
        if !self.changed.is_empty() {
            findings.warn(
                format!(
                    "{}: also in .dev.vars or .env, so `wrangler dev` may use another value than \
                    the deployed gate",
                    listed(&self.changed, 4)
                ),
                "remove it there, unless you test another value on this machine",
            );
        }
        findings.verdict(match self.here.as_slice() {
            [] => "no .dev.vars here, and git would ignore it".to_owned(),
            here => format!("git ignores {}, and only you may read it", listed(here, 4)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Status::{Fail, Ok as Well, Warn};
    use super::*;

    #[test]
    fn names_of_files_with_secrets() {
        for (name, secret) in [
            (".dev.vars", true),
            (".dev.vars.staging", true),
            (".env", true),
            (".env.local", true),
            (".dev.vars.example", false),
            (".env.sample", false),
            (".environment", false),
            ("dev.vars", false),
        ] {
            assert_eq!(is_secret(name), secret, "{name}");
        }
    }

    #[test]
    fn what_git_has_or_would_take_fails() {
        let named = || vec![".dev.vars".to_owned()];
        let table = [
            (Facts { here: named(), ..Facts::default() }, Well),
            (Facts::default(), Well),
            (Facts { here: named(), readable: named(), ..Facts::default() }, Warn),
            (Facts { here: named(), tracked: named(), ..Facts::default() }, Fail),
            (Facts { open: named(), ..Facts::default() }, Fail),
            (Facts { changed: vec!["KEYS".to_owned()], ..Facts::default() }, Warn),
        ];
        for (facts, status) in table {
            let verdict = facts.verdict();
            assert_eq!(verdict.status, status, "{verdict:?}");
            assert!(verdict.evidence.contains(".dev.vars"), "{verdict:?}");
        }
    }
}
