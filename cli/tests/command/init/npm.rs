//! A gate from npm, without npm: what comes next, the runtime of wrangler, and the workflows, the shell lines of whose steps run
//! as a runner runs them, with npm and npx that say how they are called.

use std::process::Command;

use testkit::program::found;

use crate::checkout::{Checkout, Done, random_secret};

use super::clone;
use super::recipes::from_npm;

/// Returns the scripts of a job's steps.
fn scripts(workflow: &str, job: &str) -> Vec<String> {
    let (_, rest) = workflow.split_once(&format!("\n  {job}:\n")).expect(job);
    let body = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let mut scripts: Vec<String> = Vec::new();
    let mut is_block = false;
    for line in body {
        let line = line.strip_prefix("        ").unwrap_or_default();
        match line.strip_prefix("run: ") {
            Some(script) => {
                is_block = script == "|";
                scripts.push(if is_block { String::new() } else { script.to_owned() });
            }
            None if is_block && line.starts_with("  ") => {
                let script = scripts.last_mut().unwrap();
                script.push_str(line);
                script.push('\n');
            }
            None => is_block = false,
        }
    }
    scripts
}

impl Checkout {
    /// Returns a step's shell, which finds the programs of this folder.
    fn step(&self, script: &str) -> Command {
        let mut bash = Command::new("bash");
        let path = format!("{}/bin:{}", self.0.display(), std::env::var("PATH").unwrap());
        bash.args(["--noprofile", "--norc", "-euo", "pipefail", "-c", script]);
        bash.current_dir(&self.0).env("PATH", path).env("GITHUB_STEP_SUMMARY", "summary");
        // What a workflow sets is there, and may be empty.
        bash.envs(["GATE_URL", "TOKEN_ACCOUNT", "OLD", "NOW"].map(|name| (name, "")));
        bash
    }

    /// Runs the steps of a job with these variables, and returns how npm and npx were called.
    fn calls(&self, file: &str, job: &str, variables: &str) -> Vec<String> {
        let _none_yet = self.file("calls", "");
        for script in scripts(&self.text(&format!(".github/workflows/{file}")), job) {
            assert!(!script.contains("${{"), "an expression in a script: {script}");
            let mut bash = self.step(&script);
            bash.envs(variables.split_whitespace().filter_map(|pair| pair.split_once('=')));
            assert!(bash.status().unwrap().success(), "{script}");
        }
        self.text("calls").lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_steps_of_the_workflows_call_what_they_should() {
    if !found(&["bash"], "the steps of the workflows") {
        return;
    }
    let gate = from_npm();
    let line = "init --local --upstream https://api.example.com --method POST --path /posts";
    gate.fed(line, &random_secret()).succeeded();
    for name in ["npm", "npx"] {
        gate.program(name, &format!("printf '%s\\n' \"{name} $*\" >>calls"));
    }
    let install = "npm ci --ignore-scripts --no-audit --no-fund";
    let check = "npx --no-install writegate check";
    let rotate = "npx --no-install writegate token rotate --gate https://g --deployed-only";
    let due = "check --gate https://g --only rotation --strict";
    let due = format!("npx --no-install writegate {due}");
    for (file, job, variables, calls) in [
        ("deploy.yml", "deploy", "", vec![install, check, "npx --no-install wrangler deploy"]),
        (
            "rotate.yml",
            "check",
            "GATE_URL=https://g",
            vec![install, &due, &format!("{check} --gate https://g")],
        ),
        ("rotate.yml", "rotate", "GATE_URL=https://g", vec![install, rotate, &due]),
        (
            "rotate.yml",
            "rotate",
            "GATE_URL=https://g NOW=false OLD=0123",
            vec![install, &format!("{rotate} --old 0123"), &due],
        ),
        (
            "rotate.yml",
            "rotate",
            "GATE_URL=https://g NOW=true OLD=0123 TOKEN_ACCOUNT=4567",
            vec![install, &format!("{rotate} --now --old 0123 --account 4567"), &due],
        ),
    ] {
        assert_eq!(gate.calls(file, job, variables), calls, "{file} {job} {variables}");
    }
    // A rotation that fails is not hidden by what writes its summary.
    gate.program("npx", "exit 1");
    for script in scripts(&gate.text(".github/workflows/rotate.yml"), "check").iter().skip(1) {
        assert_eq!(gate.step(script).status().unwrap().code(), Some(1), "{script}");
    }
    assert!(gate.text(".github/workflows/rotate.yml").contains("\n    shell: bash\n"));
}

#[test]
fn what_comes_next_begins_in_the_gate_s_folder_and_ends_with_the_key() {
    let gate = from_npm();
    std::fs::create_dir(gate.0.join("node_modules/wrangler/bin")).unwrap();
    gate.file("node_modules/wrangler/bin/wrangler.js", "");
    let (parent, name) = (gate.0.parent().unwrap(), gate.0.file_name().unwrap().to_str().unwrap());
    let line = "--local --preset form --upstream https://api.example.com --path /posts --site-key 0x4AAAAAAADnPIDROrmt1Wwj \
        --origin https://www.example.com";
    let mut init = gate.command(&format!("init {name} {line}"));
    init.current_dir(parent).env("WRITEGATE_COMMAND", "npx writegate");
    let done = Done::fed(&mut init, &format!("{}\n{}\n", random_secret(), random_secret()));
    let order = [
        &format!("\nNext:\n  cd {name}\n  npx wrangler dev"),
        "node_modules/writegate/docs/recipes/form.md",
        "\n  gh secret set",
        "\nThe first key and its secret",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|words| done.err.find(words).unwrap_or_else(|| panic!("{words}: {}", done.err)))
        .collect();
    assert!(places.is_sorted(), "{}", done.err);
    // In a clone, npx would take the newest wrangler, which may be for another Node.
    let line = "init --local --upstream https://api.example.com --method POST --path /posts";
    let done = clone().fed(line, &random_secret());
    assert!(done.err.contains("\nNext:\n  npm ci   install wrangler\n  npx "), "{}", done.err);
}

/// For Node 20, npm takes a wrangler whose runtime refuses the date of a new gate.
#[test]
fn an_old_runtime_is_replaced_and_a_new_one_stays() {
    let gate = from_npm();
    gate.program("npm", "printf '%s\\n' \"$*\" >>calls");
    std::fs::create_dir(gate.0.join("node_modules/workerd")).unwrap();
    let line =
        "init --local --force --upstream https://api.example.com --method POST --path /posts";
    for (version, calls) in [
        ("1.20991231.0", ""),
        (
            "1.20260426.1",
            "pkg set overrides.workerd=>=1.20261117.0\ninstall --ignore-scripts --no-audit --no-fund\n",
        ),
    ] {
        let manifest = format!("{{\"version\":\"{version}\"}}");
        gate.file("node_modules/workerd/package.json", &manifest);
        let _none_yet = gate.file("calls", "");
        let mut init = gate.command(line);
        init.env("PATH", format!("{}/bin:{}", gate.0.display(), std::env::var("PATH").unwrap()));
        Done::fed(&mut init, &random_secret()).succeeded();
        assert_eq!(gate.text("calls"), calls, "{version}");
    }
}

/// On a full disk npm ends with an error, and with packages whose files are empty.
#[test]
fn what_npm_could_not_finish_is_installed_again() {
    let outer = clone();
    let npm = |end: &str| {
        let folder = "node_modules/wrangler";
        let install = format!("mkdir -p {folder}; >{folder}/package.json; {end}");
        let npm = "echo \"$*\" >>../calls; case $* in *' wrangler@4')";
        outer.program("npm", &format!("{npm} {install};; esac"));
        let mut init =
            outer.command("init my-gate --local --skip-probe --method POST --path /posts");
        let path = format!("{}/bin:{}", outer.0.display(), std::env::var("PATH").unwrap());
        init.args(["--upstream", "https://api.example.com"]).env("PATH", path);
        Done::fed(&mut init, &random_secret())
    };
    let failed = npm("exit 228");
    assert!(failed.err.ends_with("my-gate is not finished: run this again\n"), "{}", failed.err);
    assert!(!outer.0.join("my-gate/node_modules").exists());
    let _none_yet = outer.file("calls", "");
    npm("true").succeeded();
    let calls = outer.text("calls");
    assert!(calls.contains(" wrangler@4\n"), "{calls}");
    // npm packages that were there before may be somebody's: a hint names them, and they stay.
    for name in ["node_modules/wrangler/package.json", "wrangler.toml", ".dev.vars"] {
        std::fs::remove_file(outer.0.join("my-gate").join(name)).unwrap();
    }
    npm("exit 228").ended(1, &["run this again, after `rm -r node_modules` and `npm install`"]);
    assert!(outer.0.join("my-gate/node_modules").exists());
}
