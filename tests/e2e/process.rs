//! One workerd process with one gate in it, and beside it a worker that calls the gate's scheduled handler.

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
pub(crate) enum Script {
    /// The gate, as `writegate build` makes it.
    Gate,
    /// The gate, built otherwise into this folder.
    Built(PathBuf),
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

/// What stands behind the gate's binding `REPLAY`.
pub(crate) enum Replay {
    Nothing,
    /// The gate's own class.
    Guard,
    /// The class `Broken` of a worker in JavaScript.
    Broken(&'static str),
}

/// A workerd with this worker in it, listening as `gate` and, for its scheduled handler, as `cron`; where the gate has its
/// own objects, `replay` asks them.
pub(crate) fn start(
    script: &Script,
    env: &Map<String, Value>,
    replay: &Replay,
    registry: Option<&Map<String, Value>>,
    limiter: Option<&str>,
) -> Workerd {
    let worker = match script {
        Script::Gate => Worker::built("gate", built()).unwrap(),
        Script::Built(folder) => Worker::built("gate", folder).unwrap(),
        Script::Source(source) => Worker::script("gate", source),
    };
    let mut worker = worker.vars(env);
    let cron = Worker::script("cron", CRON).service("GATE", "gate");
    let mut config = Config::new().listening(cron);
    if let Some(binding) = limiter {
        worker = worker.service(binding, "limiter");
        config = config.worker(Worker::script("limiter", LIMITER));
    }
    if let Some(records) = registry {
        worker = worker.kv("KEY_REGISTRY", "kv");
        config = config.listening(Worker::script("kv", KV).var("RECORDS", records.clone()));
    }
    let config = match *replay {
        Replay::Nothing => config.listening(worker),
        Replay::Guard => {
            let ask = Worker::script("replay", ASK);
            config
                .listening(worker.durable_object("REPLAY", "ReplayGuard"))
                .listening(ask.durable_object_of("REPLAY", "gate", "ReplayGuard"))
        }
        Replay::Broken(source) => config
            .listening(worker.durable_object_of("REPLAY", "broken", "Broken"))
            .worker(Worker::script("broken", source).durable_object("SELF", "Broken")),
    };
    config.start(&workerd::binary(root())).unwrap()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder for what the tests make, inside Cargo's target folder.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("e2e")
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder with the built Worker; built once for each run of the tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_writegate"))
            .arg("build")
            .current_dir(root())
            .status()
            .unwrap();
        assert!(status.success(), "`writegate build` failed");
        root().join("build")
    })
}
