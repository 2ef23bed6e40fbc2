//! The pipelines of `docs/publishing.md`, as GitLab's own schema and a runner take them: which job runs when, and what it
//! calls.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use testkit::docs::fences;
use testkit::process::scratch;
use testkit::program::{found, npm, run};
use testkit::token::fresh;

/// Programs that a job calls. Each says how it was called.
const PROGRAMS: [&str; 2] = ["npm", "npx"];

/// The pipeline of the page, in a repository of its own.
struct Pipeline(PathBuf);

impl Pipeline {
    fn new() -> Self {
        let folder = scratch(&format!("gitlab-{}", fresh()));
        let programs = folder.join("programs");
        fs::create_dir(&programs).unwrap();
        // The runner copies the tracked files with rsync, for jobs in containers.
        for (name, script) in
            PROGRAMS.map(|name| (name, "echo \"called $0 $*\"")).into_iter().chain([("rsync", "")])
        {
            let file = programs.join(name);
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let pipelines = fences("publishing.md", "yaml");
        assert_eq!(pipelines.len(), 1, "one pipeline");
        fs::write(folder.join(".gitlab-ci.yml"), &pipelines[0]).unwrap();
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=reader", "-c", "user.email=reader@example.com"];
            run(Command::new("git").args(identity).args(arguments).current_dir(&folder), "");
        };
        git(&["init", "--quiet", "--initial-branch", "main"]);
        git(&["add", ".gitlab-ci.yml"]);
        git(&["commit", "--quiet", "--message", "A gate"]);
        git(&["remote", "add", "origin", "https://gitlab.example.com/group/gate.git"]);
        Self(folder)
    }

    fn runner(&self) -> Command {
        let path = std::env::var("PATH").unwrap();
        let programs = self.0.join("programs");
        let mut runner = Command::new("node");
        runner
            .arg(npm().join("node_modules/gitlab-ci-local/src/index.js"))
            .current_dir(&self.0)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("HOME", &self.0);
        runner
    }

    /// Returns the calls of a pipeline with these variables.
    fn calls(&self, variables: &[&str]) -> Vec<String> {
        let mut runner = self.runner();
        runner
            // The schema was asked once.
            .args([
                "--force-shell-executor", "--shell-isolation=false", "--no-json-schema-validation",
            ])
            .args(["--variable", "GATE_URL=https://gate.example.com"])
            .args(["--variable", "CI_COMMIT_REF_PROTECTED=true"])
            .args(variables.iter().flat_map(|variable| ["--variable", variable]));
        let programs = self.0.join("programs");
        let said = run(&mut runner, "");
        let calls = said.lines().filter_map(|line| {
            let (_, call) = line.split_once("> called ")?;
            Some(call.replace(&format!("{}/", programs.display()), ""))
        });
        calls.collect()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_push_deploys_and_a_schedule_checks_or_rotates() {
    if !found(&["git", "bash"], "the pipelines of docs/publishing.md") {
        return;
    }
    let pipeline = Pipeline::new();
    // It ends with an error where the schema is not met.
    let jobs = run(pipeline.runner().arg("--list"), "");
    assert!(jobs.contains("deploy "), "{jobs}");
    let install = "npm ci --ignore-scripts --no-audit --no-fund";
    let gate = "--gate https://gate.example.com";
    for (variables, expected) in [
        (
            &["CI_PIPELINE_SOURCE=push"][..],
            &["npx --no-install writegate check", "npx --no-install wrangler deploy"]
                .map(str::to_owned)[..],
        ),
        (
            &["CI_PIPELINE_SOURCE=schedule"],
            &[
                format!("npx --no-install writegate check {gate} --only rotation --strict"),
                format!("npx --no-install writegate check {gate}"),
            ],
        ),
        (
            &["CI_PIPELINE_SOURCE=schedule", "ROTATE=due"],
            &[format!("npx --no-install writegate token rotate {gate} --deployed-only")],
        ),
        (
            &["CI_PIPELINE_SOURCE=web", "ROTATE=now", "OLD=0123", "TOKEN_ACCOUNT=4567"],
            &[format!(
                "npx --no-install writegate token rotate {gate} --deployed-only --now --old 0123 --account 4567"
            )],
        ),
    ] {
        let calls = pipeline.calls(variables);
        assert_eq!(calls[0], install, "{variables:?}");
        assert_eq!(calls[1..], *expected, "{variables:?}");
    }
}
