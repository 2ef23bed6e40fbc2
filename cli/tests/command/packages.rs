//! The assets of a release, and their readers: `cargo binstall`, and the launcher of the npm package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use testkit::process::{root, scratch};
use testkit::token::fresh;

/// Returns each target of publish.yml with the name of its system.
fn released() -> BTreeMap<String, String> {
    let workflow = fs::read_to_string(root().join(".github/workflows/publish.yml")).unwrap();
    let packed = "bash .ci/package-command \"$built\" \"writegate-${GITHUB_REF_NAME#v}-$SYSTEM\" dist \"$generator\"";
    for line in [packed, "tags: [\"v*\"]", "path: dist/*.tar.gz"] {
        assert!(workflow.contains(line), "{line}");
    }
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}: "))?;
        Some(rest.split([',', ' ']).next()?.to_owned())
    };
    let lines = workflow.lines().filter(|line| line.trim_start().starts_with("- { system: "));
    lines.map(|line| (field(line, "target").unwrap(), field(line, "system").unwrap())).collect()
}

#[test]
fn the_types_of_the_client_declare_what_it_exports() {
    let exported = |file: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(root().join("public/_gate").join(file)).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("export "));
        let named = lines.filter(|line| !line.starts_with("interface "));
        named.map(|line| line.split(['(', '{']).next().unwrap().trim().to_owned()).collect()
    };
    assert_eq!(exported("client.d.ts"), exported("client.js"));
    assert_eq!(exported("client.js").len(), 2);
}

/// Which Node gets which wrangler: the pages, what npm refuses, and what the pinned wrangler asks for.
#[test]
fn the_pages_name_the_oldest_node_that_the_pinned_wrangler_takes() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let json = |file: &str| serde_json::from_str::<serde_json::Value>(&read(file)).unwrap();
    let lock = json("package-lock.json");
    let asked = lock["packages"]["node_modules/wrangler"]["engines"]["node"].as_str().unwrap();
    let oldest = asked.strip_prefix(">=").unwrap().strip_suffix(".0").unwrap();
    assert_eq!(json("package.json")["engines"]["node"], format!(">={oldest}").as_str());
    let versions = |text: &str| -> BTreeSet<String> {
        let named = text.split("Node ").skip(1);
        let version = |rest: &str| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            rest[..end].trim_end_matches('.').to_owned()
        };
        named.map(version).filter(|version| version.contains('.')).collect()
    };
    for file in ["README.md", "docs/publishing.md", "npm/README.md", ".ci/package-worker"] {
        let text = read(file).replace("older Node (", "Node ");
        let named = versions(&text);
        // The other one is what the newest wrangler asked for in November 2026, which only npm knows.
        let known = BTreeSet::from([oldest.to_owned(), "22.12".to_owned()]);
        assert!(named.contains(oldest) && named.is_subset(&known), "{file}: {named:?}");
    }
}

#[test]
fn binstall_finds_what_a_release_uploads() {
    let manifest = fs::read_to_string(root().join("cli/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let metadata = &manifest["package"]["metadata"]["binstall"];
    assert_eq!(metadata["pkg-fmt"].as_str(), Some("tgz"));
    let overrides = metadata["overrides"].as_table().unwrap();
    let released = released();
    assert_eq!(released.len(), 5);
    assert_eq!(overrides.keys().collect::<Vec<_>>(), released.keys().collect::<Vec<_>>());
    for (target, system) in &released {
        let filled = |field: &str, binary: &str| {
            let mut text = overrides[target][field].as_str().unwrap().to_owned();
            for (from, to) in [
                ("{ repo }", "https://github.com/o/r"),
                ("{ version }", "1.2.3"),
                ("{ bin }", "writegate"),
                ("{ binary-ext }", binary),
            ] {
                text = text.replace(from, to);
            }
            text
        };
        let name = format!("writegate-1.2.3-{system}");
        let asset = format!("https://github.com/o/r/releases/download/v1.2.3/{name}.tar.gz");
        assert_eq!(filled("pkg-url", ""), asset);
        let program = if target.contains("windows") { ".exe" } else { "" };
        assert_eq!(filled("bin-dir", program), format!("{name}/writegate{program}"));
    }
}

/// Returns the calls of npm or gh in this step of publish.yml, for a tag and two packages.
fn published(step: &str, tag: &str) -> String {
    let workflow = fs::read_to_string(root().join(".github/workflows/publish.yml")).unwrap();
    let (_, rest) = workflow.split_once(&format!("      - name: {step}\n")).unwrap();
    let (_, script) = rest.split_once("        run: |\n").unwrap();
    let lines = script.lines().take_while(|line| line.starts_with("          "));
    let script = lines.collect::<Vec<_>>().join("\n");
    let doubles = "tar() { :; }; jq() { echo a@1; }; sha256sum() { :; }
        npm() { [ \"$1\" = publish ] && echo npm \"$@\"; }
        gh() { [ \"$2\" = create ] && echo gh \"$@\"; }\n";
    let folder = scratch(&format!("published-{}", fresh()));
    for name in ["writegate-cli-linux-x64-1.0.0.tgz", "writegate-1.0.0.tgz"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let mut bash = Command::new("bash");
    bash.args(["-eo", "pipefail", "-c", &format!("{doubles}{script}")]);
    let printed = testkit::program::run(bash.current_dir(&folder).env("GITHUB_REF_NAME", tag), "");
    fs::remove_dir_all(folder).unwrap();
    printed
}

#[test]
fn a_prerelease_is_nobody_s_latest() {
    for (tag, npm, gh) in
        [("v1.0.0", " public", "=false "), ("v1.0.0-rc.1", " public --tag next", "=true ")]
    {
        let printed = published("Publish", tag);
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 2, "{printed}");
        assert!(lines[0].starts_with("npm publish ./writegate-cli-linux-x64-"), "{printed}");
        assert!(lines.iter().all(|line| line.ends_with(npm)), "{tag}: {printed}");
        let printed = published("Release", tag);
        assert!(printed.contains(&format!(" --prerelease{gh}")), "{tag}: {printed}");
    }
}

#[test]
fn an_archive_of_a_release_has_the_program_its_man_pages_and_completions() {
    let folder = scratch(&format!("archive-{}", fresh()));
    let program = env!("CARGO_BIN_EXE_writegate");
    let mut pack = Command::new(root().join(".ci/package-command"));
    let done = pack.args([program, "writegate-1.2.3-linux"]).arg(&folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let archive = folder.join("writegate-1.2.3-linux.tar.gz");
    let list = Command::new("tar").arg("-tzf").arg(&archive).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    for name in [
        "writegate", "LICENSE", "README.md", "man/writegate.1", "man/writegate-key-new.1",
        "completions/bash", "completions/zsh", "completions/fish", "completions/powershell",
    ] {
        let path = format!("writegate-1.2.3-linux/{name}");
        assert!(list.lines().any(|line| line == path), "{name}: {list}");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// As a stranger does who has no Rust: unpacked, set up by the released command, without a word of --force or cargo.
#[test]
fn the_zip_of_a_release_is_set_up_by_init() {
    let built = Command::new(env!("CARGO_BIN_EXE_writegate")).arg("build").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let folder = scratch(&format!("zip-{}", fresh()));
    let run = |command: &mut Command| {
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    run(Command::new(root().join(".ci/package-worker")).arg("1.2.3").arg(&folder));
    let unpack = ["-m", "zipfile", "-e", "writegate-worker-1.2.3.zip", "."];
    run(Command::new("python3").args(unpack).current_dir(&folder));
    let gate = folder.join("writegate-worker-1.2.3");
    let text = |name: &str| fs::read_to_string(gate.join(name)).unwrap();
    let names_no_cargo = || {
        for name in ["wrangler.toml", ".dev.vars.example", "README.md"] {
            assert!(!text(name).contains("cargo"), "{name}: {}", text(name));
        }
    };
    names_no_cargo();
    let mut init = Command::new(env!("CARGO_BIN_EXE_writegate"));
    init.args(["init", "--local", "--preset", "cloudflare-api", "--path", "/client/v4/zones"]);
    testkit::program::run(init.current_dir(&gate).env_remove("CARGO"), &fresh());
    let made: toml::Table = text("wrangler.toml").parse().unwrap();
    assert!(!made.contains_key("build"), "{made:?}");
    names_no_cargo();
    assert!(text("wrangler.toml").contains(" docs/configuration.md"));
    assert!(gate.join("docs/configuration.md").is_file());
    assert!(text(".dev.vars").contains("SIGNING_SECRET="));
    fs::remove_dir_all(folder).unwrap();
}

/// Returns the launcher of the npm package in a folder of its own, with this script as the program of the platform.
/// `patch` runs before it.
fn launched(program: Option<&str>, arguments: &[&str], patch: &str) -> Output {
    let folder = scratch(&format!("launcher-{}", fresh()));
    let package = folder.join("node_modules/writegate");
    fs::create_dir_all(package.join("bin")).unwrap();
    fs::write(package.join("package.json"), "{\"type\":\"module\"}").unwrap();
    fs::write(package.join("patch.js"), patch).unwrap();
    let launcher = package.join("bin/writegate.js");
    fs::copy(root().join("npm/writegate.js"), &launcher).unwrap();
    if let Some(program) = program {
        let platform = Command::new("node")
            .args(["-p", "`${process.platform}-${process.arch}`"])
            .output()
            .unwrap();
        let platform = String::from_utf8(platform.stdout).unwrap();
        let package = folder.join(format!("node_modules/@writegate/cli-{}", platform.trim()));
        fs::create_dir_all(&package).unwrap();
        let path = package.join("writegate");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("node");
    command.arg("--import").arg(package.join("patch.js")).arg(launcher).args(arguments);
    command.output().unwrap()
}

#[test]
fn the_launcher_ends_as_the_program_did() {
    let program = "#!/bin/sh\necho \"$WRITEGATE_COMMAND $#\"\necho \"$2\" >&2\nexit 7\n";
    let done = launched(Some(program), &["key", "a  b'\"$c"], "");
    assert_eq!(done.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "npx writegate 2\n");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "a  b'\"$c\n");
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("KILL", 9)] {
        let program = format!("#!/bin/sh\nkill -{name} $$\n");
        let done = launched(Some(&program), &[], "");
        assert_eq!(done.status.signal(), Some(number), "{name}");
    }
    // A signal that is sent only to the launcher reaches the program, which decides how it ends.
    for name in ["TERM", "HUP"] {
        let wait = "i=0\nwhile [ $i -lt 9999999 ]; do i=$((i+1)); done\n";
        let program = format!("#!/bin/sh\ntrap 'exit 5' {name}\nkill -{name} $PPID\n{wait}");
        assert_eq!(launched(Some(&program), &[], "").status.code(), Some(5), "{name}");
    }
    let done = launched(Some("#!/no/such/shell\n"), &[], "");
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).starts_with("writegate: spawn "));
}

#[test]
fn a_program_that_npm_left_out_or_does_not_have_is_named() {
    let refused = |patch: &str, words: &[&str]| {
        let done = launched(None, &[], patch);
        let shown = String::from_utf8(done.stderr).unwrap();
        assert_eq!((done.status.code(), shown.lines().count()), (Some(2), 1), "{shown}");
        for word in words {
            assert!(shown.contains(word), "{word}: {shown}");
        }
    };
    let set = |name: &str, value: &str| {
        format!("Object.defineProperty(process, '{name}', {{ value: {value} }});\n")
    };
    let glibc = |version: &str| {
        set("report", &format!("{{ getReport: () => ({{ header: {{ {version} }} }}) }}"))
    };
    let platforms = [
        ("linux", "x64"),
        ("linux", "arm64"),
        ("darwin", "arm64"),
        ("darwin", "x64"),
        ("win32", "x64"),
    ];
    let patch = |(system, cpu): (&str, &str)| {
        set("platform", &format!("'{system}'"))
            + &set("arch", &format!("'{cpu}'"))
            + &glibc("glibcVersionRuntime: '2.36'")
    };
    for (system, cpu) in platforms {
        let name = format!("@writegate/cli-{system}-{cpu} is not installed");
        refused(&patch((system, cpu)), &[&name, "--no-optional", "npm install --include=optional"]);
    }
    for (system, cpu) in [("win32", "arm64"), ("freebsd", "x64"), ("linux", "ppc64")] {
        let name = format!("no program for {system}-{cpu} (");
        refused(&patch((system, cpu)), &[&name, "cargo install --git"]);
    }
    refused(&(patch(("linux", "x64")) + &glibc("")), &["linux-x64 with musl", "cargo install"]);

    // A release has a package for each of them, and for no other.
    let workflow = fs::read_to_string(root().join(".github/workflows/publish.yml")).unwrap();
    let lines = workflow.lines().filter_map(|line| line.trim().strip_prefix('"'));
    let packed = lines.filter_map(|line| Some(line.split_once("=dist/")?.0.to_owned()));
    let known = platforms.map(|(system, cpu)| format!("{system}-{cpu}"));
    assert_eq!(packed.collect::<BTreeSet<_>>(), BTreeSet::from(known));
}
