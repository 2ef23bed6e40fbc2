//! One worker in workerd's configuration language: its modules, its `env`, its date and flags.

use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value};

use super::{COMPATIBILITY_DATE, OBJECTS};

/// One module of a worker; the first of a worker is its main module.
struct Module {
    name: String,
    kind: &'static str,
    content: Vec<u8>,
}

/// A binding in a worker's `env`.
enum Binding {
    Text(String),
    Json(Value),
    Service(String, Option<String>),
    /// A class of Durable Objects: of this worker, or of the service named.
    Objects(String, Option<String>),
    /// A KV namespace, which another service keeps.
    Kv(String),
}

/// A service that runs code.
pub struct Worker {
    pub(super) name: String,
    modules: Vec<Module>,
    bindings: Vec<(String, Binding)>,
    /// The classes of Durable Objects that this worker defines.
    classes: Vec<String>,
    /// The service that answers for the Cache API; without one the API throws.
    cache: Option<String>,
    date: String,
    flags: Vec<String>,
}

impl Worker {
    /// Makes a worker of one ES module.
    pub fn script(name: &str, source: &str) -> Self {
        Self {
            name: name.to_owned(),
            modules: Vec::new(),
            bindings: Vec::new(),
            classes: Vec::new(),
            cache: None,
            date: COMPATIBILITY_DATE.to_owned(),
            flags: Vec::new(),
        }
        .module("index.js", "esModule", source.as_bytes())
    }

    /// Returns the gate as `writegate build` left it in `build`: `index.js` and `index_bg.wasm`.
    pub fn built(name: &str, build: &Path) -> io::Result<Self> {
        let source = fs::read_to_string(build.join("index.js"))?;
        let wasm = fs::read(build.join("index_bg.wasm"))?;
        Ok(Self::script(name, &source).module("index_bg.wasm", "wasm", &wasm))
    }

    /// Gives the worker a KV namespace, which another service of the same process keeps.
    pub fn kv(mut self, name: &str, service: &str) -> Self {
        let binding = Binding::Kv(service.to_owned());
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// Adds a module; `kind` is workerd's name for it: `esModule`, `wasm`, `text`, `data`, `json`.
    pub fn module(mut self, name: &str, kind: &'static str, content: &[u8]) -> Self {
        self.modules.push(Module { name: name.to_owned(), kind, content: content.to_vec() });
        self
    }

    /// Adds a variable or a secret, as wrangler would hand it over: a string as text, anything else
    /// as JSON.
    pub fn var(mut self, name: &str, value: impl Into<Value>) -> Self {
        let binding = match value.into() {
            Value::String(text) => Binding::Text(text),
            other => Binding::Json(other),
        };
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// Adds every member as [`Worker::var`] does.
    pub fn vars(self, vars: &Map<String, Value>) -> Self {
        vars.iter().fold(self, |worker, (name, value)| worker.var(name, value.clone()))
    }

    /// Lets the worker call another service of the same process.
    pub fn service(mut self, name: &str, service: &str) -> Self {
        let binding = Binding::Service(service.to_owned(), None);
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// Binds, as [`Worker::service`] does, for an entrypoint that the other service exports by name.
    pub fn entrypoint(mut self, name: &str, service: &str, entrypoint: &str) -> Self {
        let binding = Binding::Service(service.to_owned(), Some(entrypoint.to_owned()));
        self.bindings.push((name.to_owned(), binding));
        self
    }

    /// Binds a class of Durable Objects that this worker exports, with storage that has SQL.
    pub fn durable_object(mut self, name: &str, class: &str) -> Self {
        let binding = Binding::Objects(class.to_owned(), None);
        self.bindings.push((name.to_owned(), binding));
        self.class(class)
    }

    /// Adds a class of Durable Objects that this worker exports, for other services to bind.
    pub fn class(mut self, class: &str) -> Self {
        self.classes.push(class.to_owned());
        self
    }

    /// Lets another service of the same process answer for the Cache API.
    pub fn cache(mut self, service: &str) -> Self {
        self.cache = Some(service.to_owned());
        self
    }

    /// Binds a class of Durable Objects that a service of the same process exports.
    pub fn durable_object_of(mut self, name: &str, service: &str, class: &str) -> Self {
        let binding = Binding::Objects(class.to_owned(), Some(service.to_owned()));
        self.bindings.push((name.to_owned(), binding));
        self
    }

    pub(super) fn stores(&self) -> bool {
        !self.classes.is_empty()
    }

    /// Adds a compatibility flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Takes another compatibility date than [`COMPATIBILITY_DATE`].
    pub fn date(mut self, date: &str) -> Self {
        self.date = date.to_owned();
        self
    }

    /// Returns the service in workerd's configuration language; module contents go into files beside it.
    pub(super) fn text(&self, index: usize, directory: &Path) -> io::Result<String> {
        let mut modules = Vec::new();
        for (number, module) in self.modules.iter().enumerate() {
            let file = format!("{index}-{number}");
            fs::write(directory.join(&file), &module.content)?;
            let (name, kind) = (quoted(&module.name), module.kind);
            modules.push(format!("(name = {name}, {kind} = embed \"{file}\")"));
        }
        let bindings: Vec<_> = self
            .bindings
            .iter()
            .map(|(name, binding)| {
                let value = match binding {
                    Binding::Text(text) => format!("text = {}", quoted(text)),
                    Binding::Json(value) => format!("json = {}", quoted(&value.to_string())),
                    Binding::Service(service, None) => format!("service = {}", quoted(service)),
                    Binding::Service(service, Some(entrypoint)) => format!(
                        "service = (name = {}, entrypoint = {})",
                        quoted(service),
                        quoted(entrypoint)
                    ),
                    Binding::Kv(service) => format!("kvNamespace = {}", quoted(service)),
                    Binding::Objects(class, None) => {
                        format!("durableObjectNamespace = {}", quoted(class))
                    }
                    Binding::Objects(class, Some(service)) => format!(
                        "durableObjectNamespace = (className = {}, serviceName = {})",
                        quoted(class),
                        quoted(service)
                    ),
                };
                format!("(name = {}, {value})", quoted(name))
            })
            .collect();
        let cache = self.cache.as_ref();
        let cache = cache.map(|service| format!(", cacheApiOutbound = {}", quoted(service)));
        let cache = cache.unwrap_or_default();
        let flags: Vec<_> = self.flags.iter().map(|flag| quoted(flag)).collect();
        Ok(format!(
            "(name = {}, worker = (modules = [{}], bindings = [{}], compatibilityDate = {}, \
             compatibilityFlags = [{}], globalOutbound = \"network\"{cache}{}))",
            quoted(&self.name),
            modules.join(", "),
            bindings.join(", "),
            quoted(&self.date),
            flags.join(", "),
            self.storage(),
        ))
    }

    /// Returns the namespaces of this worker's classes, and where their objects are kept.
    fn storage(&self) -> String {
        if self.classes.is_empty() {
            return String::new();
        }
        let namespaces: Vec<_> = self
            .classes
            .iter()
            .map(|class| {
                let key = quoted(&format!("{}-{class}", self.name));
                let class = quoted(class);
                format!("(className = {class}, uniqueKey = {key}, enableSql = true)")
            })
            .collect();
        format!(
            ", durableObjectNamespaces = [{}], durableObjectStorage = (localDisk = {})",
            namespaces.join(", "),
            quoted(OBJECTS)
        )
    }
}

/// Returns a string literal of Cap'n Proto's schema language.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                literal.push('\\');
                literal.push(character);
            }
            '\n' => literal.push_str("\\n"),
            control if control.is_ascii_control() => {
                literal.push_str(&format!("\\x{:02x}", u32::from(control)));
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}
