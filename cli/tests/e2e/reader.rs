//! Somebody who reads a page and types what it says: in the folder of a gate, with its secrets, while the gate runs at
//! `https://gate.example.com` and the Cloudflare API is the double.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use testkit::gate::{KEY, Setup};
use testkit::token::{Session, fingerprint, fresh};

use crate::rotate_stage::{ADMIN, Kind, Stage};
use crate::tls_front::{Front, certificate};

/// The hosts of the pages.
const GATE: &str = "gate.example.com";
const IMAGES: &str = "img.example.com";
const CLOUDFLARE: &str = "api.cloudflare.com";

/// The keys of the pages.
const CALLERS: [&str; 2] = ["pk_example", "pk_first"];

/// The path of the pages whose answers are cached.
const CACHED: &str = "/cms/posts";

/// Programs of the pages that are not ours: what they do here, as the body of a shell script.
const PROGRAMS: [(&str, &str); 5] = [
    // Times that a person would wait for.
    (
        "npx",
        "name=$1; shift
         case \"$name $1 $2\" in
           'writegate token rotate') exec writegate \"$@\" --interval 2 --patience 30 --grace 0 ;;
           writegate\\ *) exec writegate \"$@\" ;;
           'wrangler deploy '|'wrangler tail '|'wrangler tail --format'|'wrangler deployments list') ;;
           *) echo \"npx $name $*: not here\" >&2; exit 127 ;;
         esac",
    ),
    ("pass", "printf '%s\\n' \"$NEW_TOKEN\""),
    ("cargo", "echo 'there is no Rust here' >&2; exit 127"),
    ("xdg-open", ""),
    ("open", ""),
];

/// The outcome of a page's commands.
pub(crate) struct Typed {
    /// The commands that failed, each behind its exit code.
    pub(crate) failed: Vec<String>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) struct Reader {
    pub(crate) stage: Stage,
    front: Front,
    certificate: PathBuf,
    programs: PathBuf,
}

/// Returns the gate's callers and what an operator may have set up.
fn with_callers(setup: Setup) -> Setup {
    let caller = |id| json!({"id": id, "schemes": ["session", "signature", "url"]});
    CALLERS
        .iter()
        .fold(setup, |setup, id| setup.key(caller(id)))
        .route(CACHED, json!({"cache": {"ttl": 3600, "scope": "key"}}))
        .in_registry("settings", "nothing of the gate's")
        .ledger()
        .cache()
}

impl Reader {
    pub(crate) fn new() -> Self {
        let route = ("/*", "/cms", Some("/me"));
        let stage = Stage::of(Kind { route, more: with_callers, ..Kind::default() });
        // Made by an earlier rotation, so that the next one knows it.
        let print = fingerprint(&stage.signing_secret, &stage.old.1);
        let name = format!("writegate {GATE} WRITE_TOKEN {print}");
        stage.tokens().rename(&stage.old.1, &name);

        let folder = &stage.folder;
        folder.file("wrangler.toml", &configuration(&stage.cloud.server.url()));
        folder.file(".gitignore", "*\n");
        let secrets =
            format!("SIGNING_SECRET={}\nWRITE_TOKEN={}\n", stage.signing_secret, stage.old.1);
        folder.file(".dev.vars", &secrets);
        folder.file("customers.jsonl", "{\"id\":\"customer.1\"}\n");
        folder.file("export.har", &har().to_string());

        let programs = folder.0.join("programs");
        fs::create_dir(&programs).unwrap();
        let own = programs.join("writegate");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_writegate"), own).unwrap();
        for (name, script) in PROGRAMS {
            folder.program(&format!("programs/{name}"), script);
        }
        let names = format!("DNS:{GATE},DNS:{IMAGES},DNS:{CLOUDFLARE}");
        let pair = certificate(&folder.0, &names);
        let api = stage.cloud.server.port;
        let hosts = [(GATE, stage.front.port), (IMAGES, stage.front.port), (CLOUDFLARE, api)];
        let front = Front::of(&hosts, &pair);
        Self { front, certificate: pair.1, programs, stage }
    }

    /// Types this into bash.
    pub(crate) fn types(&self, code: &str) -> Typed {
        let failures = self.stage.folder.0.join("failures");
        fs::write(&failures, "").unwrap();
        // An ERR trap sees what `set -e` would end at, and the rest runs all the same.
        let script = format!(
            "set -uE -o pipefail\ntrap 'echo \"$? $BASH_COMMAND\" >>\"$FAILURES\"' ERR\n{code}"
        );
        // Nothing on a page waits for somebody.
        let mut bash = self.command("timeout");
        bash.args(["30", "bash", "-c", &script]).env("FAILURES", &failures);
        if code.contains("--problem") {
            bash.env("SESSION", self.session().claim("exp", 0).mint());
        }
        let token = self.new_token();
        bash.env("NEW_TOKEN", &token);
        let input = self.stage.folder.0.join("input");
        fs::write(&input, &token).unwrap();
        let done = bash.stdin(fs::File::open(&input).unwrap()).output().unwrap();
        fs::remove_file(input).unwrap();
        let [out, err] = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap());
        let failed = fs::read_to_string(failures).unwrap();
        let mut failed: Vec<String> = failed.lines().map(str::to_owned).collect();
        let code = done.status.code();
        if [Some(2), Some(124)].contains(&code) && failed.is_empty() {
            // It was not even read, or did not end.
            failed.push(format!("{code:?}"));
        }
        Typed { failed, out, err }
    }

    /// Returns a program in the folder, with what a reader has in the environment.
    pub(crate) fn command(&self, name: &str) -> Command {
        let (stage, world) = (&self.stage, &self.stage.cloud.world);
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(name);
        command
            .current_dir(&stage.folder)
            .env("PATH", format!("{}:{path}", self.programs.display()))
            .env("WRITEGATE_COMMAND", "npx writegate")
            .env("https_proxy", self.front.proxy())
            .env("SSL_CERT_FILE", &self.certificate)
            .env("CURL_CA_BUNDLE", &self.certificate)
            .envs(stage.environment())
            .env("NO_PROXY", "127.0.0.1")
            .env("GATE", format!("https://{GATE}"))
            .env("SESSION", self.session().mint())
            .env("WRITE_TOKEN", &stage.old.1)
            .env("LOGS_TOKEN", &world.deployer)
            .env("ACCOUNT", &world.account);
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "SIGNING_SECRET", "http_proxy"] {
            command.env_remove(name);
        }
        command
    }

    /// Returns a session of the pages' caller.
    fn session(&self) -> Session {
        Session::new(&self.stage.signing_secret, CALLERS[0])
    }

    /// Returns the secret of the pages' caller.
    pub(crate) fn secret(&self) -> String {
        testkit::token::sk(&self.stage.signing_secret, CALLERS[0], 1)
    }

    fn new_token(&self) -> String {
        self.stage.tokens().by_hand(false, &format!("by hand {}", fresh()), 0).1
    }

    /// Has the gate's own code read a configuration with this part in it.
    pub(crate) fn reads(&self, part: &str) -> Result<(), String> {
        let folder = self.stage.folder.0.join("part");
        fs::create_dir_all(&folder).unwrap();
        let mut text = part.to_owned();
        if !text.contains("\nmain =") {
            let head =
                "name = \"gate\"\nmain = \"index.js\"\ncompatibility_date = \"2026-11-17\"\n";
            text = format!("{head}{text}");
        }
        for (list, one) in [
            ("[[vars.KEYS]]", "id = \"pk_example\""),
            ("[[vars.ROUTES]]", "path = \"/*\"\nupstream = \"https://api.example.com\""),
        ] {
            // A part may also have a list as JSON.
            let name = list.trim_matches(['[', ']']).trim_start_matches("vars.");
            if !text.contains(list) && !text.contains(&format!("\n{name} = ")) {
                text.push_str(&format!("\n{list}\n{one}\n"));
            }
        }
        fs::write(folder.join("wrangler.toml"), text).unwrap();
        let mut check = self.command("writegate");
        check.args(["check", "--json", "--only", "configuration"]).current_dir(folder);
        let done = check.output().unwrap();
        let row: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        match row["status"].as_str() {
            Some("ok" | "warn") => Ok(()),
            _ => Err(format!("{row} {}", String::from_utf8_lossy(&done.stderr))),
        }
    }
}

/// Returns the `wrangler.toml` that the gate was deployed with.
fn configuration(api: &str) -> String {
    let keys = CALLERS.map(|id| {
        format!("[[vars.KEYS]]\nid = \"{id}\"\nschemes = [\"session\", \"signature\", \"url\"]\n")
    });
    format!(
        "name = \"gate\"\nmain = \"index.js\"\ncompatibility_date = \"2026-11-17\"\n\
         [[vars.ROUTES]]\npath = \"/*\"\nupstream = \"{api}/cms\"\nprobe = \"/me\"\n\
         [[vars.ROUTES]]\npath = \"{CACHED}\"\nupstream = \"{api}/cms\"\n\
         cache = {{ ttl = 3600, scope = \"key\" }}\n\
         [[vars.KEYS]]\nid = \"{KEY}\"\n{}[[vars.KEYS]]\nid = \"{ADMIN}\"\nadmin = true\n\
         [[kv_namespaces]]\nbinding = \"KEY_REGISTRY\"\nid = \"0123456789abcdef0123456789abcdef\"\n",
        keys.concat()
    )
}

/// Returns a browser's export: three requests, of which the last was refused.
fn har() -> Value {
    let entry = |status: u16| {
        json!({
            "request": {"method": "GET", "url": format!("https://{GATE}/posts"), "headers": []},
            "response": {"status": status, "headers": [], "content": {"text": ""}},
        })
    };
    json!({"log": {"entries": [entry(200), entry(200), entry(401)]}})
}
