//! A gate of a release, on a machine without Rust: its npm packages in an empty folder, or its archives unpacked; `init`,
//! and `wrangler dev`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::client::Request;
use testkit::docs::{Example, examples, fences};
use testkit::process::{build, root, scratch};
use testkit::program::{Program, port_in, run};
use testkit::token::fresh;
use testkit::upstream::Upstream;

use crate::init::{ACCOUNT, cloudflare, secrets};

/// For wrangler to start, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A machine with Node, and with nothing else that a PATH names but git and a shell.
struct Machine {
    folder: PathBuf,
    programs: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let folder = scratch(&format!("npm-{}", fresh()));
        let programs = folder.join("programs");
        fs::create_dir(&programs).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        for name in ["node", "npm", "npx", "git", "sh"] {
            let mut places = std::env::split_paths(&path).map(|place| place.join(name));
            if let Some(place) = places.find(|place| place.is_file()) {
                std::os::unix::fs::symlink(place, programs.join(name)).unwrap();
            }
        }
        Self { folder, programs }
    }

    /// Returns a program of this machine, in a folder of it.
    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(folder).env("PATH", &self.programs);
        for (name, value) in [
            // Nothing is asked of a registry.
            ("npm_config_offline", "true"),
            ("npm_config_audit", "false"),
            ("npm_config_fund", "false"),
            ("npm_config_update_notifier", "false"),
            ("WRANGLER_SEND_METRICS", "false"),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
            ("no_proxy", "127.0.0.1"),
            ("NO_PROXY", "127.0.0.1"),
            ("CI", "true"),
        ] {
            command.env(name, value);
        }
        command.env("WRANGLER_LOG_PATH", self.folder.join("logs"));
        for name in ["CARGO_MANIFEST_DIR", "SIGNING_SECRET", "CLOUDFLARE_API_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the gate of a folder with `wrangler dev`, and writes through it.
    fn writes(&self, folder: &Path, session: &str, upstream: &Upstream, token: &str) {
        // Not by npx, which would not pass on the signal that ends it.
        let mut dev = self.command("node", folder);
        let ports = "dev --ip 127.0.0.1 --port 0 --inspector-port 0";
        dev.arg("node_modules/wrangler/bin/wrangler.js").args(ports.split(' '));
        let mut server = Program::start(&mut dev);
        let port = port_in(&server.until("Ready on http://127.0.0.1:", PATIENCE));
        Request::post("/posts").bearer(session).send_to(port).passed();
        let sent = upstream.only().header("authorization");
        assert_eq!(sent, Some(format!("Bearer {token}")));
        Request::post("/users").bearer(session).send_to(port).refused(403, "path-denied");
    }

    /// Installs the packages of a release for this platform, and the wrangler of this repository in the place of a
    /// newer one.
    fn install(&self, folder: &Path) {
        fs::create_dir(folder).unwrap();
        // Else npm would take the next folder above that has one.
        fs::write(folder.join("package.json"), "{}").unwrap();
        let mut npm = self.command("npm", folder);
        npm.args(["install", "--save-dev", "--save-exact", "--ignore-scripts"]);
        npm.args(packed().lines()).arg(root().join("node_modules/wrangler"));
        run(&mut npm, "");
    }
}

/// Returns the packages of a release for this platform, packed once: their paths, one a line.
fn packed() -> &'static str {
    static PACKED: OnceLock<String> = OnceLock::new();
    PACKED.get_or_init(|| {
        let packages = scratch("npm-packages");
        build(&[]).unwrap();
        let platform =
            run(Command::new("node").args(["-p", "`${process.platform}-${process.arch}`"]), "");
        let program = format!("{platform}={}", env!("CARGO_BIN_EXE_writegate"));
        let script = root().join(".ci/package-npm.mjs");
        let version = env!("CARGO_PKG_VERSION");
        run(Command::new("node").arg(script).arg(version).arg(packages).arg(program), "")
    })
}

#[test]
fn a_gate_from_npm_is_set_up_and_writes_without_rust() {
    let begun = Instant::now();
    // Seen with --nocapture; a machine under load may take any time.
    let phase = |done: &str| eprintln!("npm: {done} after {:.1} s", begun.elapsed().as_secs_f64());
    let machine = Machine::new();
    let folder = machine.folder.join("my-gate");
    machine.install(&folder);
    phase("packed and installed");
    let packages = folder.join("node_modules/writegate");
    let packed = [
        "man/writegate.1", "man/writegate-key-new.1", "completions/bash", "completions/zsh",
        // What the folder's files and messages name.
        "docs/configuration.md", "docs/publishing.md", "docs/admin.md", "docs/recipes/form.md",
    ];
    for name in packed {
        assert!(packages.join(name).is_file(), "{name}");
    }
    let (upstream, token) = (Upstream::start(), fresh());
    let mut init = machine.command("npx", &folder);
    init.args(words("README.md", "npx writegate init my-gate", "my-gate"));
    init.args(["--local", "--skip-probe", "--upstream"]).arg(upstream.url());
    init.args(["--method", "POST", "--path", "/posts", "--name", "my-gate"]);
    let first: Value = serde_json::from_str(&run(&mut init, &token)).unwrap();
    phase("set up");
    let id = first["id"].as_str().unwrap();

    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("package.json")).unwrap();
    assert_eq!(manifest["scripts"]["dev"], "wrangler dev");
    for page in ["README.md", "npm/README.md", "cli/src/init/package/README.md"] {
        for example in examples(page) {
            let scripts = example.code.split("npm run ").skip(1);
            for script in scripts.map(|rest| rest.split_whitespace().next().unwrap()) {
                assert!(manifest["scripts"][script].is_string(), "{page}: {script}");
            }
        }
    }
    let configuration = read("wrangler.toml");
    assert!(configuration.contains("main = \"node_modules/writegate/worker/index.js\""));
    let workflows = [".github/workflows/deploy.yml", ".github/workflows/rotate.yml"];
    for name in workflows.iter().chain(&["wrangler.toml", "README.md"]) {
        let text = read(name);
        assert!(!text.contains("cargo") && !text.contains("[build]"), "{name}: {text}");
        assert!(!text.contains(&token), "{name}");
    }
    let git = |line: &str| run(machine.command("git", &folder).args(line.split(' ')), "");
    assert_eq!(git("init --quiet"), "");
    assert_eq!(git("check-ignore .dev.vars node_modules"), ".dev.vars\nnode_modules");

    let mut mint = machine.command("npx", &folder);
    let session = run(mint.args(["writegate", "session", "mint", "--key", id]), "");
    machine.writes(&folder, &session, &upstream, &token);
    phase("written through wrangler dev");

    let [module] = examples("npm/README.md")
        .into_iter()
        .filter_map(|one| (one.language.as_deref() == Some("js")).then_some(one.code))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let mut node = machine.command("node", &folder);
    node.args(["--input-type=module", "-e", &format!("{module}console.log(typeof writegate);")]);
    assert_eq!(run(&mut node, ""), "function");

    // The same at Cloudflare, where the login is looked for before there is a configuration.
    for name in ["wrangler.toml", ".dev.vars"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    let (api, login) = (cloudflare(), fresh());
    let mut init = machine.command("npx", &folder);
    init.args(words("README.md", "pass show", "")).args(["--name", "my-gate"]);
    init.env("CLOUDFLARE_API_BASE_URL", format!("{}/client/v4", api.url()))
        .env("CLOUDFLARE_API_TOKEN", &login)
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
    let _first = run(&mut init, &token);
    phase("set up at Cloudflare");
    let set = secrets(&api.seen());
    let names: Vec<_> = set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["SIGNING_SECRET", "SIGNING_SECRET", "WRITE_TOKEN"]);
}

/// As publish.yml packs them and a stranger unpacks them, with the program in the one folder and the Worker in the other.
#[test]
fn the_archives_of_a_release_make_a_gate_that_writes_without_rust() {
    build(&[]).unwrap();
    let machine = Machine::new();
    let archives = &machine.folder;
    run(Command::new(root().join(".ci/package-worker")).arg("1.2.3").arg(archives), "");
    let mut pack = Command::new(root().join(".ci/package-command"));
    run(pack.args([env!("CARGO_BIN_EXE_writegate"), "command"]).arg(archives), "");
    let unzip = ["-m", "zipfile", "-e", "writegate-worker-1.2.3.zip", "."];
    run(Command::new("python3").args(unzip).current_dir(archives), "");
    run(Command::new("tar").args(["-xzf", "command.tar.gz"]).current_dir(archives), "");

    let folder = archives.join("writegate-worker-1.2.3");
    // In the place of npm ci, which asks the registry.
    std::os::unix::fs::symlink(root().join("node_modules"), folder.join("node_modules")).unwrap();
    std::os::unix::fs::symlink(
        archives.join("command/writegate"),
        machine.programs.join("writegate"),
    )
    .unwrap();
    let writegate = |line: &str, input: &str| {
        let mut command = machine.command("writegate", &folder);
        run(command.args(line.split(' ')), input)
    };
    let (upstream, token) = (Upstream::start(), fresh());
    let init = format!(
        "init --local --skip-probe --method POST --path /posts --upstream {}",
        upstream.url()
    );
    let first: Value = serde_json::from_str(&writegate(&init, &token)).unwrap();
    let session = writegate(&format!("session mint --key {}", first["id"].as_str().unwrap()), "");
    machine.writes(&folder, &session, &upstream, &token);
}

/// Returns the words behind `npx` of the page's example that begins so, without the folder, which is this one.
fn words(page: &str, start: &str, folder: &str) -> Vec<String> {
    let all = examples(page);
    let example = all.iter().find(|example| example.code.starts_with(start)).expect(start);
    let script = format!("pass() {{ :; }}\nnpx() {{ printf '%s\\n' \"$@\"; }}\n{}", example.code);
    let printed = run(Command::new("sh").args(["-euc", &script]), "");
    printed.lines().map(str::to_owned).filter(|word| word != folder).collect()
}

/// Runs the commands of a page in a folder, where `init` asks nothing and a deployment is tried only.
fn type_in(machine: &Machine, folder: &Path, code: &str, input: &str) -> String {
    let script = format!(
        "npx() {{
           case \"$1 $2\" in
             'writegate init') shift; command npx --no-install writegate \"$@\" --local --skip-probe ;;
             'wrangler deploy') command npx --no-install wrangler deploy --dry-run ;;
             *) command npx --no-install \"$@\" ;;
           esac
         }}
         {code}"
    );
    let mut sh = machine.command("sh", folder);
    run(sh.args(["-euc", &script]), input)
}

/// The commands of every recipe, from the packages: what `init` and the commands after it make can be deployed.
#[test]
fn the_commands_of_every_recipe_make_a_gate_from_npm() {
    let machine = Machine::new();
    let installed = machine.folder.join("installed");
    machine.install(&installed);
    let presets = ["form", "cms", "workers-ai", "cloudflare-api", "images"];
    let others = ["flotiq", "two-zones"];
    for name in presets.iter().chain(&others) {
        let folder = machine.folder.join(name);
        fs::create_dir(&folder).unwrap();
        let modules = installed.join("node_modules");
        std::os::unix::fs::symlink(&modules, folder.join("node_modules")).unwrap();
        fs::copy(installed.join("package.json"), folder.join("package.json")).unwrap();
        let page = format!("docs/recipes/{name}.md");
        let made = fences(&format!("recipes/{name}.md"), "sh");
        assert_eq!(made.len(), 1, "{page}");
        if presets.contains(name) {
            assert!(made[0].contains(&format!("--preset {name} ")), "{page}: {}", made[0]);
        }
        // The API's token, and for a form Turnstile's secret.
        let secrets = match *name {
            "form" => format!("{}\n{}\n", fresh(), fresh()),
            _ => fresh(),
        };
        let first: Value =
            serde_json::from_str(&type_in(&machine, &folder, &made[0], &secrets)).unwrap();
        for more in fences(&format!("recipes/{name}.md"), "bash") {
            type_in(&machine, &folder, &more, "");
        }
        // The key of the page is another one here.
        let id = first["id"].as_str().unwrap();
        let signs = |example: &Example| example.code.starts_with("npx writegate url sign");
        for example in examples(&page).iter().filter(|example| signs(example)) {
            let link = type_in(&machine, &folder, &example.code.replace("pk_first", id), "");
            assert!(link.contains(&format!("?key={id}&exp=")), "{link}");
        }
        type_in(&machine, &folder, "npx wrangler deploy", "");
    }
}
