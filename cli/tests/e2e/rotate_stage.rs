//! A gate in use, its token at the double of Cloudflare, and the command that rotates it, in a checkout of its own.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use testkit::gate::{KEY, Setup};
use testkit::process::{root, scratch};
use testkit::token::{date, fingerprint, fresh, now};

use crate::Folder;
use crate::cloudflare::{BASE, Cloudflare};
use crate::cloudflare_tokens::Tokens;
use crate::cloudflare_worker::{STORE, STORED, Worker};
use crate::rotate_front::{Front, Rollout};
use crate::rotate_points::{Moment, Points};
use crate::rotate_run::{Done, Running};

pub(crate) const ADMIN: &str = "pk_admin";

/// Tokens of somebody else's, more than a page.
const OTHERS: usize = 55;

/// The kind of a stage.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// A route's path, its upstream's path, and its `probe`.
    pub(crate) route: (&'static str, &'static str, Option<&'static str>),
    /// The tokens are an account's.
    pub(crate) account: bool,
    /// wrangler itself, and no stub.
    pub(crate) wrangler: bool,
    /// The token's age in days; `None` if nobody knows it.
    pub(crate) age: Option<u64>,
    /// The token was made by an earlier rotation.
    pub(crate) ours: bool,
    /// The token is in a Secrets Store.
    pub(crate) stored: bool,
    /// The gate stores what the API answers.
    pub(crate) cached: bool,
    /// The gate has the token under another name, too.
    pub(crate) twin: bool,
    /// Adds more to the gate.
    pub(crate) more: fn(Setup) -> Setup,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            route: ("/cms/*", "/cms", Some("/me")),
            account: false,
            wrangler: false,
            age: Some(80),
            ours: false,
            stored: false,
            cached: false,
            twin: false,
            more: |setup| setup,
        }
    }
}

pub(crate) struct Stage {
    pub(crate) cloud: Cloudflare,
    pub(crate) front: Arc<Front>,
    pub(crate) folder: Folder,
    pub(crate) signing_secret: String,
    /// The token in place at first: its id and its value.
    pub(crate) old: (String, String),
    kind: Kind,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(Kind::default())
    }

    pub(crate) fn of(kind: Kind) -> Self {
        let points = Arc::new(Points::default());
        let front = Front::start(Arc::clone(&points));
        let cloud = Cloudflare::start(Worker::new("gate", &front), &front, &points);
        let signing_secret = fresh();
        let (path, below, probe) = kind.route;
        let mut route = json!({});
        if let Some(probe) = probe {
            route["probe"] = probe.into();
        }
        if kind.cached {
            route["cache"] = json!({"ttl": 3600, "scope": "shared"});
        }
        let upstream = format!("{}{below}", cloud.server.url());
        let root_secret = signing_secret.clone();
        let start = {
            let upstream = upstream.clone();
            move |secret: &str| {
                let setup = Setup::to_url(&upstream)
                    .route(path, route.clone())
                    .site(json!({}))
                    .key(json!({"id": ADMIN, "admin": true}))
                    .env("SIGNING_SECRET", root_secret.as_str());
                let setup = (kind.more)(setup);
                let setup = if kind.cached { setup.cache() } else { setup };
                let other = json!({"upstream_auth": {"scheme": "bearer", "secret": "TWIN_TOKEN"}});
                let setup = match kind.twin {
                    true => setup.route("/twin/*", other).env("TWIN_TOKEN", secret),
                    false => setup,
                };
                let setup = match kind.stored {
                    true => setup.stored(secret),
                    false => setup.env("WRITE_TOKEN", secret),
                };
                setup.start()
            }
        };
        let old = {
            let mut tokens = cloud.world.tokens.lock().unwrap();
            for number in 0..OTHERS {
                tokens.by_hand(kind.account, &format!("other {number}"), 1);
            }
            let old = tokens.by_hand(kind.account, "made by hand", kind.age.unwrap_or(1));
            if kind.ours {
                let print = fingerprint(&signing_secret, &old.1);
                let name = format!("writegate 127.0.0.1:{} WRITE_TOKEN {print}", front.port);
                tokens.rename(&old.1, &name);
            }
            old
        };
        {
            let mut worker = cloud.world.worker.lock().unwrap();
            worker.start = Some(Box::new(start));
            let secret = match kind.age {
                None => old.1.clone(),
                Some(days) => {
                    let issued = date(now() - days * 86_400);
                    json!({"token": old.1, "issued_at": issued}).to_string()
                }
            };
            let version = worker.upload(&secret, "first");
            worker.deploy(version["id"].as_str().unwrap(), "first");
        }
        let stage = Self { folder: Folder::new(), cloud, front, signing_secret, old, kind };
        stage.write_checkout(&upstream);
        stage
    }

    fn write_checkout(&self, upstream: &str) {
        let (path, _, probe) = self.kind.route;
        let probe = probe.map_or(String::new(), |probe| format!("probe = \"{probe}\"\n"));
        let wrangler = format!(
            "name = \"gate\"\nmain = \"index.js\"\ncompatibility_date = \"2026-11-17\"\n\
             [[vars.ROUTES]]\npath = \"{path}\"\nupstream = \"{upstream}\"\n{probe}\
             [[vars.KEYS]]\nid = \"{KEY}\"\n[[vars.KEYS]]\nid = \"{ADMIN}\"\nadmin = true\n"
        );
        let store = format!(
            "[[secrets_store_secrets]]\nbinding = \"WRITE_TOKEN\"\nstore_id = \"{STORE}\"\nsecret_name = \"{STORED}\"\n"
        );
        let store = if self.kind.stored { store } else { String::new() };
        self.folder.file("wrangler.toml", &(wrangler + &store));
        self.folder.file("index.js", "export default {}");
        if self.kind.wrangler {
            let modules = root().join("node_modules");
            std::os::unix::fs::symlink(modules, self.folder.0.join("node_modules")).unwrap();
        } else {
            let bin = self.folder.0.join("node_modules/wrangler/bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("wrangler.js"), include_str!("doubles/wrangler.js")).unwrap();
        }
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.cloud.world.tokens.lock().unwrap()
    }

    pub(crate) fn worker(&self) -> MutexGuard<'_, Worker> {
        self.cloud.world.worker.lock().unwrap()
    }

    /// Uploads a version called "not yet", with the secret that is deployed.
    pub(crate) fn leaves_waiting(&self) {
        let mut worker = self.worker();
        let (_, secret) = worker.deployed();
        worker.upload(&secret, "not yet");
    }

    pub(crate) fn gate(&self) -> String {
        format!("http://127.0.0.1:{}", self.front.port)
    }

    /// Returns `token rotate` with these arguments besides those that every run of a test has.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(&["token", "rotate"]);
        for (option, value) in [("--interval", "2"), ("--patience", "30"), ("--grace", "0")] {
            if !arguments.contains(&option) {
                command.args([option, value]);
            }
        }
        if self.kind.account {
            command.args(["--account", &self.cloud.world.account]);
        }
        let tells = self.kind.route.2.is_some_and(|probe| probe.ends_with("/verify"));
        if arguments.contains(&"--old") && !tells && !arguments.contains(&"--hook") {
            command.arg("--old-unchecked");
        }
        command.args(arguments);
        command
    }

    /// Returns a subcommand that asks this gate.
    pub(crate) fn bare(&self, words: &[&str]) -> Command {
        let mut command = self.folder.command(&self.signing_secret);
        command.args(words).args(["--gate", &self.gate()]).env_remove("SSL_CERT_FILE");
        command.envs(self.environment());
        command
    }

    /// Returns the variables of an operator who may manage this gate's tokens, and deploy it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 8] {
        let world = &self.cloud.world;
        [
            ("no_proxy", "127.0.0.1".to_owned()),
            // As somebody may have pasted it into the secrets of a repository.
            ("ROTATION_API_TOKEN", format!("{}\r\n", world.manager)),
            ("CLOUDFLARE_API_TOKEN", world.deployer.clone()),
            ("CLOUDFLARE_ACCOUNT_ID", world.account.clone()),
            ("CLOUDFLARE_API_BASE_URL", self.cloud.base()),
            ("WRANGLER_SEND_METRICS", "false".to_owned()),
            ("WRANGLER_LOG_PATH", self.folder.0.join("logs").display().to_string()),
            ("CI", "true".to_owned()),
        ]
    }

    pub(crate) fn rotate(&self, arguments: &[&str]) -> Done {
        self.run(self.command(arguments), None)
    }

    /// Returns the first time: with the id of the token that somebody made by hand.
    pub(crate) fn first(&self) -> Done {
        self.rotate(&["--old", &self.old.0])
    }

    /// Runs it to its end, or until it is killed at this call.
    pub(crate) fn run(&self, command: Command, kill: Option<(usize, Moment)>) -> Done {
        self.start(command, kill).end(self)
    }

    pub(crate) fn start(&self, mut command: Command, kill: Option<(usize, Moment)>) -> Running {
        // Beside the checkout, not in it.
        let output = scratch("rotate-output").join(fresh());
        let file = |name: &str| output.with_extension(name);
        command
            .stdin(Stdio::null())
            .stdout(fs::File::create(file("out")).unwrap())
            .stderr(fs::File::create(file("err")).unwrap());
        let child = command.spawn().unwrap();
        let child = Arc::new(Mutex::new(child));
        let points = &self.cloud.world.points;
        points.begin(Arc::clone(&child), kill);
        Running::of(child, output)
    }

    /// Asserts the end of a complete rotation: one token of ours, in the gate and alive; all others of ours and
    /// the old one revoked; nobody else's touched.
    #[track_caller]
    pub(crate) fn assert_rotated(&self) {
        self.assert_unharmed();
        let tokens = self.tokens();
        let ours = tokens.named("writegate ");
        let [(name, value)] = ours.as_slice() else {
            panic!("one token of ours: {}", ours.len());
        };
        let print = fingerprint(&self.signing_secret, value);
        assert_eq!(*name, format!("writegate 127.0.0.1:{} WRITE_TOKEN {print}", self.front.port));
        assert_eq!(self.front.reachable(), std::slice::from_ref(value), "the gate has it");
        assert!(!tokens.is_live(&self.old.1), "the old one is revoked");
    }

    /// Asserts what holds at any time: callers reach no gate with a token that is not valid, and no token was shown.
    #[track_caller]
    pub(crate) fn assert_unharmed(&self) {
        let world = &self.cloud.world;
        let wrong = world.wrong.lock().unwrap().clone();
        assert_eq!(wrong, Vec::<String>::new());
        let tokens = world.tokens.lock().unwrap();
        for token in self.front.reachable() {
            assert!(tokens.is_live(&token), "the gate has a token that is not valid");
        }
        assert_eq!(tokens.named("other ").len(), OTHERS, "others' tokens");
        let stubs = world.stubs.lock().unwrap().join("\n");
        self.holds_no_secret("wrangler's arguments and environment", &stubs, &tokens.values);
        for file in self.folder.files() {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            self.holds_no_secret(&file.display().to_string(), &text, &tokens.values);
        }
    }

    #[track_caller]
    pub(crate) fn holds_no_secret(&self, what: &str, text: &str, tokens: &[String]) {
        let manager = [self.signing_secret.clone(), self.cloud.world.manager.clone()];
        for secret in tokens.iter().chain(&manager) {
            assert!(!text.contains(secret.as_str()), "a secret in {what}");
        }
    }

    /// Asserts that nothing was put, and that nothing is left of the run.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        self.assert_unharmed();
        let tokens = self.tokens();
        assert_eq!(tokens.named("writegate "), [], "no token of ours is left");
        assert!(tokens.is_live(&self.old.1), "the old one lives");
        assert_eq!(self.front.reachable(), std::slice::from_ref(&self.old.1));
    }

    pub(crate) fn hard(&self) -> &Self {
        self.front.set(Rollout::hard());
        self
    }
}

/// A route on which the API itself says which token the gate has.
pub(crate) const VERIFY: (&str, &str, Option<&str>) = ("/api/*", BASE, Some("/user/tokens/verify"));

/// Returns the secret of the gate that serves now.
pub(crate) fn deployed(stage: &Stage) -> Value {
    let (_, secret) = stage.worker().deployed();
    serde_json::from_str(&secret).unwrap()
}
