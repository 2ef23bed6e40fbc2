//! One workerd process with one gate in it, and beside it a worker that calls the gate's scheduled handler.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::workerd::{self, Config, Worker, Workerd};

/// wrangler's own way to the scheduled handler needs wrangler's bundling; a service binding does not.
const CRON: &str =
    "export default { async fetch(request, env) { return Response.json(await env.GATE.scheduled({
    scheduledTime: new Date(), cron: '17 5 * * *' })) } }";

/// Which worker runs.
pub enum Script {
    /// The gate, as `writegate build` makes it.
    Gate,
    /// The gate, built otherwise into this folder.
    Built(PathBuf),
    /// The gate, as the module `./built.js` of this script, which may replace its Durable Objects.
    Around(&'static str),
    /// A worker in JavaScript, for tests of the harness itself.
    Source(&'static str),
}

/// Hands a request on to the object that its path names, so that a test can ask the gate's objects itself.
const ASK: &str = "export default { fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const object = env.REPLAY.get(env.REPLAY.idFromName(pathname.slice(1)));
    return object.fetch('https://replay/' + search, { method: 'POST' }) } }";

/// A KV namespace.
const KV: &str = include_str!("doubles/kv.js");

/// A secret of a Secrets Store.
const SECRETS: &str = include_str!("doubles/secrets.js");

/// A rate limiter as the platform's binding is one, but each key has three requests for ever, and it says what it counted.
/// A key that begins with `hangs` or `fails` meets a limiter that does so.
const LIMITER: &str = "import { WorkerEntrypoint } from 'cloudflare:workers';
const counted = new Map();
export default class extends WorkerEntrypoint {
  async limit({ key }) {
    console.log(JSON.stringify({ event: 'counted', key }));
    if (key.startsWith('fails')) throw new Error('broken');
    if (key.startsWith('hangs')) await new Promise(() => setTimeout(() => {}, 1e9));
    counted.set(key, (counted.get(key) ?? 0) + 1);
    return { success: counted.get(key) <= 3 };
  }
}";

/// The gate's Durable Objects, each of which says when it is called and what that costs in rows.
pub(crate) const COUNTED: &str = include_str!("doubles/counted.js");

/// A Cache API.
const CACHE: &str = include_str!("doubles/cache.js");

/// The class behind a binding of Durable Objects.
#[derive(Default)]
pub(crate) enum Objects {
    #[default]
    Nothing,
    /// The gate's own class.
    Own,
    /// The class `Broken` of a worker in JavaScript, which finds the gate's own class as `OWN`.
    By(&'static str),
}

/// The bindings of Durable Objects: each one's name, the gate's class, and the service of a broken one.
const REPLAY: [&str; 3] = ["REPLAY", "ReplayGuard", "broken-replay"];
const LEDGER: [&str; 3] = ["LEDGER", "Ledger", "broken-ledger"];
const KEY_WRITER: [&str; 3] = ["KEY_WRITER", "KeyWriter", "broken-key-writer"];

/// The bindings of the gate, and the services behind them.
#[derive(Default)]
pub(crate) struct Around {
    pub(crate) replay: Objects,
    pub(crate) ledger: Objects,
    pub(crate) key_writer: Objects,
    /// The records of `KEY_REGISTRY`, where there is one.
    pub(crate) registry: Option<Map<String, Value>>,
    /// The binding `WRITE_TOKEN` of a Secrets Store, and what it has at first.
    pub(crate) stored: Option<String>,
    /// The binding of a rate limiter.
    pub(crate) limiter: Option<&'static str>,
    /// A Cache API: as it should be with an empty text, else broken in the way that the text names.
    pub(crate) cache: Option<&'static str>,
    /// A second isolate of the gate, which shares all of this but has these variables of its own.
    pub(crate) second: Option<Map<String, Value>>,
}

impl Around {
    fn objects(&self) -> [([&'static str; 3], &Objects); 3] {
        [(REPLAY, &self.replay), (LEDGER, &self.ledger), (KEY_WRITER, &self.key_writer)]
    }

    /// Returns the names of the bindings that are something to call.
    pub(crate) fn bindings(&self) -> Vec<&'static str> {
        let objects = self.objects().into_iter();
        let there = objects.filter(|(_, objects)| !matches!(objects, Objects::Nothing));
        let mut names: Vec<_> = there.map(|([binding, ..], _)| binding).collect();
        names.extend(self.registry.as_ref().map(|_| "KEY_REGISTRY"));
        names.extend(self.stored.as_ref().map(|_| "WRITE_TOKEN"));
        names
    }

    /// Gives a gate its bindings. Its first isolate keeps the objects for both.
    fn bind(&self, mut worker: Worker, first: bool) -> Worker {
        if let Some(binding) = self.limiter {
            worker = worker.service(binding, "limiter");
        }
        if self.registry.is_some() {
            worker = worker.kv("KEY_REGISTRY", "kv");
        }
        if self.stored.is_some() {
            worker = worker.entrypoint("WRITE_TOKEN", "secrets", "Secret");
        }
        if self.cache.is_some() {
            worker = worker.cache("cache");
        }
        for ([binding, class, broken], objects) in self.objects() {
            worker = match objects {
                Objects::Nothing => continue,
                Objects::Own => worker.durable_object_of(binding, "gate", class),
                Objects::By(_) => worker.durable_object_of(binding, broken, "Broken"),
            };
            if first {
                worker = worker.class(class);
            }
        }
        worker
    }

    /// Returns the services that the bindings name.
    fn services(&self, mut config: Config) -> Config {
        if self.limiter.is_some() {
            config = config.worker(Worker::script("limiter", LIMITER));
        }
        if let Some(records) = &self.registry {
            config = config.listening(Worker::script("kv", KV).var("RECORDS", records.clone()));
        }
        if let Some(value) = &self.stored {
            let store = Worker::script("secrets", SECRETS).var("VALUE", value.as_str());
            config = config.listening(store);
        }
        if let Some(reply) = self.cache {
            config = config.worker(Worker::script("cache", CACHE).var("REPLY", reply));
        }
        for ([_, class, broken], objects) in self.objects() {
            if let Objects::By(source) = objects {
                let worker = Worker::script(broken, source).durable_object("SELF", "Broken");
                config = config.worker(worker.durable_object_of("OWN", "gate", class));
            }
        }
        if matches!(self.replay, Objects::Own) {
            let ask = Worker::script("replay", ASK);
            config = config.listening(ask.durable_object_of("REPLAY", "gate", "ReplayGuard"));
        }
        config
    }
}

impl Script {
    fn worker(&self, name: &str) -> Worker {
        match self {
            Self::Gate => Worker::built(name, built()).unwrap(),
            Self::Built(folder) => Worker::built(name, folder).unwrap(),
            Self::Around(source) => {
                let part = |file: &str| std::fs::read(built().join(file)).unwrap();
                Worker::script(name, source)
                    .module("built.js", "esModule", &part("index.js"))
                    .module("index_bg.wasm", "wasm", &part("index_bg.wasm"))
            }
            Self::Source(source) => Worker::script(name, source),
        }
    }
}

/// Returns a workerd with this worker in it, listening as `gate` (and `second`) and, for its scheduled handler, as
/// `cron`; where the gate has its own memory for nonces, `replay` asks it.
pub(crate) fn start(script: &Script, env: &Map<String, Value>, around: &Around) -> Workerd {
    let cron = Worker::script("cron", CRON).service("GATE", "gate");
    let gate = around.bind(script.worker("gate").vars(env), true);
    let mut config = around.services(Config::new().listening(cron).listening(gate));
    if let Some(own) = &around.second {
        let mut env = env.clone();
        env.extend(own.clone());
        let second = around.bind(script.worker("second").vars(&env), false);
        config = config.listening(second);
    }
    config.start(&workerd::binary(root())).unwrap()
}

/// Returns the root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns a folder for what the tests make, inside Cargo's target folder.
pub fn scratch(name: &str) -> PathBuf {
    // A test is `target/PROFILE/deps/NAME`.
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(3).unwrap().join("tmp/e2e").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns `cargo run` of `writegate` with these arguments. That program is another package's, and Cargo says where one is only
/// to tests of its own package.
pub fn command(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "--package", "writegate-cli", "--"]);
    cargo.args(arguments).current_dir(root());
    forget_package(&mut cargo);
    cargo
}

/// Removes from a program's environment what Cargo tells a test about its package. A Cargo below that program would run
/// the build scripts that look there again, and compile a third of the command for nothing, while other tests wait for it.
pub fn forget_package(program: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            program.env_remove(&name);
        }
    }
}

/// Builds the Worker with the command `writegate build` and these options, as wrangler does.
pub fn build(options: &[&str]) -> io::Result<()> {
    let status = command(&[&["build"], options].concat()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other("the Worker could not be built")),
    }
}

/// Returns the folder with the built Worker; built once for each run of a program.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&[]).unwrap();
        root().join("build")
    })
}
