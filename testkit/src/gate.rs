//! A gate on real workerd: its configuration as a test wants it, secrets made afresh, the port that workerd reports, and
//! its log.

use serde_json::{Map, Value, json};

use crate::check::Answers;
use crate::client::{Request, Response};
use crate::logs::{Line, Logs};
use crate::process::{self, Around, COUNTED, Objects, Script};
use crate::signing::Signature;
use crate::token::{self, Session};
use crate::upstream::Upstream;
use crate::workerd::Workerd;

/// The key that tests use where they say nothing else.
pub const KEY: &str = "pk_site";

/// A gate to be. Values are texts (as `wrangler` passes strings and secrets) or JSON (everything else).
pub struct Setup {
    env: Map<String, Value>,
    upstream: String,
    routes: Vec<Value>,
    keys: Option<Vec<Value>>,
    absent: Vec<String>,
    script: Script,
    around: Around,
}

impl Setup {
    /// Sets up the smallest gate: every path goes to this upstream, one key that may do all.
    pub fn to(upstream: &Upstream) -> Self {
        Self::to_url(&upstream.url())
    }

    /// Sets up a gate with this `wrangler.toml`, whose API is on another host: here.
    pub fn of(wrangler: &Value, upstream: &Upstream) -> Self {
        let mut vars = wrangler["vars"].clone();
        for route in vars["ROUTES"].as_array_mut().unwrap() {
            let url = route["upstream"].as_str().unwrap();
            let path = url.splitn(4, '/').nth(3).expect("a path");
            route["upstream"] = format!("{}/{path}", upstream.url()).into();
        }
        let list = |value: &Value, member: &str| -> Vec<String> {
            let list = value.as_array().into_iter().flatten();
            list.map(|binding| binding[member].as_str().unwrap().to_owned()).collect()
        };
        let mut setup = Self::to(upstream).cache();
        for (name, value) in vars.as_object().unwrap() {
            setup = setup.env(name, value.clone());
        }
        for name in list(&wrangler["durable_objects"]["bindings"], "name") {
            setup = match name.as_str() {
                "REPLAY" => setup.replay(),
                "LEDGER" => setup.ledger(),
                // Comes with the registry.
                "KEY_WRITER" => setup,
                other => panic!("{other}: what is that?"),
            };
        }
        for name in list(&wrangler["kv_namespaces"], "binding") {
            assert_eq!(name, "KEY_REGISTRY");
            setup = setup.in_registry("settings", "nothing of the gate's");
        }
        for name in list(&wrangler["ratelimits"], "name") {
            assert_eq!(name, "RATE_STANDARD");
            setup = setup.limiter("RATE_STANDARD");
        }
        setup
    }

    /// Sets up a gate in front of an upstream at this URL, with fresh secrets.
    pub fn to_url(url: &str) -> Self {
        let mut env = Map::new();
        env.insert("SIGNING_SECRET".into(), token::fresh().into());
        env.insert("WRITE_TOKEN".into(), token::fresh().into());
        Self {
            env,
            upstream: url.into(),
            routes: Vec::new(),
            keys: None,
            absent: Vec::new(),
            script: Script::Gate,
            around: Around::default(),
        }
    }

    /// Adds a route to the same upstream, with these members besides `path` and `upstream` (which they may replace).
    pub fn route(mut self, path: &str, more: Value) -> Self {
        let mut route = Map::new();
        route.insert("path".into(), path.into());
        route.insert("upstream".into(), self.upstream.clone().into());
        route.extend(more.as_object().expect("an object").clone());
        self.routes.push(route.into());
        self
    }

    /// Adds a key record; the first call replaces the key that is there by default.
    pub fn key(mut self, record: Value) -> Self {
        self.keys.get_or_insert_default().push(record);
        self
    }

    /// Gives the default key these members.
    pub fn site(self, more: Value) -> Self {
        let mut record = Map::new();
        record.insert("id".into(), KEY.into());
        record.extend(more.as_object().expect("an object").clone());
        self.key(record.into())
    }

    /// Sets a variable or a secret, whatever it was before.
    pub fn env(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Removes this binding.
    pub fn without(mut self, name: &str) -> Self {
        self.absent.push(name.into());
        self
    }

    /// Runs this worker in place of the gate.
    pub fn script(mut self, script: Script) -> Self {
        self.script = script;
        self
    }

    /// Adds a rate limiter of this binding, which lets three requests of a key pass.
    pub fn limiter(mut self, binding: &'static str) -> Self {
        self.around.limiter = Some(binding);
        self
    }

    /// Adds the binding `KEY_REGISTRY`, and this record in it.
    pub fn registered(self, record: Value) -> Self {
        let name = format!("key/{}", record["id"].as_str().expect("an id"));
        self.in_registry(&name, &record.to_string())
    }

    /// Adds the bindings `KEY_REGISTRY` and `KEY_WRITER`, and this text in the registry.
    pub fn in_registry(mut self, name: &str, text: &str) -> Self {
        self.around.key_writer = Objects::Own;
        self.around.registry.get_or_insert_default().insert(name.into(), text.into());
        self
    }

    /// Removes the binding `KEY_WRITER`.
    pub fn no_key_writer(mut self) -> Self {
        self.around.key_writer = Objects::Nothing;
        self
    }

    /// Puts `WRITE_TOKEN` into a Secrets Store, with this value.
    pub fn stored(mut self, value: &str) -> Self {
        self.around.stored = Some(value.to_owned());
        self.without("WRITE_TOKEN")
    }

    /// Adds the binding `REPLAY` and the gate's own class behind it.
    pub fn replay(mut self) -> Self {
        self.around.replay = Objects::Own;
        self
    }

    /// Adds the binding `REPLAY` and the class `Broken` of this worker behind it.
    pub fn replay_by(mut self, source: &'static str) -> Self {
        self.around.replay = Objects::By(source);
        self
    }

    /// Adds the binding `LEDGER` and the gate's own class behind it.
    pub fn ledger(mut self) -> Self {
        self.around.ledger = Objects::Own;
        self
    }

    /// Adds the binding `LEDGER` and the class `Broken` of this worker behind it, which finds the gate's own as `OWN`.
    pub fn ledger_by(mut self, source: &'static str) -> Self {
        self.around.ledger = Objects::By(source);
        self
    }

    /// Adds a Cache API.
    pub fn cache(self) -> Self {
        self.cache_that("")
    }

    /// Adds a Cache API that `throws`, `fails`, `hangs` or is `full`.
    pub fn cache_that(mut self, reply: &'static str) -> Self {
        self.around.cache = Some(reply);
        self
    }

    /// Starts two isolates, which share every binding.
    pub fn twice(mut self) -> Self {
        self.around.second.get_or_insert_default();
        self
    }

    /// Runs the gate in two isolates, with another value of a variable in the second.
    pub fn twice_with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let own = self.around.second.get_or_insert_default();
        own.insert(name.into(), value.into());
        self
    }

    /// Adds Durable Objects that say when they are called and what that costs in rows.
    pub fn counted(self) -> Self {
        self.script(Script::Around(COUNTED))
    }

    /// Returns what the gate finds in its environment.
    pub fn environment(mut self) -> Environment {
        self.complete();
        let (bindings, limiter) = (self.around.bindings(), self.around.limiter);
        let records = self.around.registry.unwrap_or_default();
        Environment { variables: self.env, bindings, limiter, records }
    }

    /// Fills in what the test left out.
    fn complete(&mut self) {
        if !self.routes.is_empty() {
            self.env.entry("ROUTES").or_insert(std::mem::take(&mut self.routes).into());
        } else if !self.env.contains_key("ROUTES") {
            self.env.entry("UPSTREAM").or_insert(self.upstream.clone().into());
        }
        let keys = self.keys.take().unwrap_or_else(|| vec![json!({"id": KEY})]);
        self.env.entry("KEYS").or_insert(keys.into());
        for name in &self.absent {
            self.env.remove(name);
        }
    }

    /// Starts workerd; the gate answers when this returns.
    pub fn start(mut self) -> Gate {
        self.complete();
        let workerd = process::start(&self.script, &self.env, &self.around);
        let text = |name: &str| {
            let value = self.env.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Gate {
            port: workerd.port("gate"),
            second: workerd.port("second"),
            cron: workerd.port("cron"),
            replay: workerd.port("replay"),
            kv: workerd.port("kv"),
            secrets: workerd.port("secrets"),
            signing_secret: text("SIGNING_SECRET"),
            token: text("WRITE_TOKEN"),
            logs: Logs(workerd.logs().clone()),
            workerd,
        }
    }
}

/// The variables and secrets of a gate.
pub struct Environment {
    /// Variables and secrets.
    pub variables: Map<String, Value>,
    /// The names of the bindings that are something to call.
    pub bindings: Vec<&'static str>,
    /// The binding of its rate limiter.
    pub limiter: Option<&'static str>,
    /// The records of its registry.
    pub records: Map<String, Value>,
}

/// A gate that runs until it is dropped.
pub struct Gate {
    /// The port of the gate.
    pub port: u16,
    /// The port of its second isolate, or 0.
    pub second: u16,
    /// The port of a worker whose only work is to call the gate's scheduled handler.
    pub cron: u16,
    /// The port of a worker that asks the gate's own objects; 0 where there are none.
    pub replay: u16,
    /// The port of the service that keeps the registry's records, or 0.
    pub kv: u16,
    /// The port of its Secrets Store, or 0.
    pub secrets: u16,
    /// The root secret, as it was set.
    pub signing_secret: String,
    /// The upstream token, as it was set.
    pub token: String,
    /// The log of its workers.
    pub logs: Logs,
    workerd: Workerd,
}

impl Answers for Gate {
    fn answer(&self, request: &Request) -> Response {
        request.send_to(self.port)
    }

    fn signing_secret(&self) -> &str {
        &self.signing_secret
    }

    fn stored(&self, id: &str) -> Option<Value> {
        let answer = Request::get(&format!("/key%2F{id}")).send_to(self.kv);
        (answer.status == 200).then(|| answer.json())
    }
}

impl Gate {
    /// Starts a gate in front of `upstream` with everything at its default.
    pub fn before(upstream: &Upstream) -> Self {
        Setup::to(upstream).start()
    }

    /// Returns a session of the default key.
    pub fn session(&self) -> Session {
        self.session_of(KEY)
    }

    /// Returns a session of this key.
    pub fn session_of(&self, id: &str) -> Session {
        Session::new(&self.signing_secret, id)
    }

    /// Returns the compact form of a good session of the default key.
    pub fn bearer(&self) -> String {
        self.session().mint()
    }

    /// Returns a signature by the default key.
    pub fn signature(&self) -> Signature {
        self.signature_of(KEY)
    }

    /// Returns a signature by this key.
    pub fn signature_of(&self, id: &str) -> Signature {
        Signature::new(&self.signing_secret, id)
    }

    /// Ends the process and returns every line it ever wrote.
    pub fn stop(self) -> Vec<Line> {
        let Self { logs, workerd, .. } = self;
        drop(workerd);
        logs.all()
    }
}
