//! The pipelines of `docs/publishing.md`, as GitLab's own schema and a runner take them: which job runs when, and what it
//! calls.

use std::fs;
use std::process::Command;

use testkit::docs::fences;
use testkit::program::{found, npm, run};

use crate::Folder;

/// The pipeline of the page, in a repository of its own.
struct Pipeline(Folder);

impl Pipeline {
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir(folder.0.join("programs")).unwrap();
        for name in ["npm", "npx"] {
            folder.program(&format!("programs/{name}"), "echo \"called $0 $*\"");
        }
        // The runner copies the tracked files with it, for jobs in containers.
        folder.program("programs/rsync", "");
        let pipelines = fences("publishing.md", "yaml");
        assert_eq!(pipelines.len(), 1, "one pipeline");
        folder.file(".gitlab-ci.yml", &pipelines[0]);
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
        let programs = self.0.0.join("programs");
        let mut runner = Command::new("node");
        runner
            .arg(npm().join("node_modules/gitlab-ci-local/src/index.js"))
            .current_dir(&self.0)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("HOME", &self.0.0);
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
        let programs = self.0.0.join("programs");
        let said = run(&mut runner, "");
        let calls = said.lines().filter_map(|line| {
            let (_, call) = line.split_once("> called ")?;
            Some(call.replace(&format!("{}/", programs.display()), ""))
        });
        calls.collect()
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
    let write = "npx --no-install writegate";
    let gate = "--gate https://gate.example.com";
    for (variables, expected) in [
        ("CI_PIPELINE_SOURCE=push", format!("{write} check; npx --no-install wrangler deploy")),
        (
            "CI_PIPELINE_SOURCE=schedule",
            format!("{write} check {gate} --only rotation --strict; {write} check {gate}"),
        ),
        (
            "CI_PIPELINE_SOURCE=schedule ROTATE=due",
            format!("{write} token rotate {gate} --deployed-only"),
        ),
        (
            "CI_PIPELINE_SOURCE=web ROTATE=now OLD=0123 TOKEN_ACCOUNT=4567",
            format!("{write} token rotate {gate} --deployed-only --now --old 0123 --account 4567"),
        ),
    ] {
        let calls = pipeline.calls(&variables.split(' ').collect::<Vec<_>>());
        let install = "npm ci --ignore-scripts --no-audit --no-fund";
        assert_eq!(calls.join("; "), format!("{install}; {expected}"), "{variables}");
    }
}
