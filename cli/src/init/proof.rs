//! The gate's own reading of what is to be written: what it would refuse is never written.

use std::collections::BTreeMap;

use serde_json::Value;
use writegate::Secret;
use writegate::config::{Binding, Config, Environment};

use crate::error::{Error, Result};
use crate::project::{Document, USUAL as CONFIGURATION};

/// Longest text of a variable, in bytes.
const MAX_VARIABLE: usize = 5 * 1024;

/// Secrets by their names.
pub(super) type Secrets = BTreeMap<String, Secret>;

/// A configuration as the gate will find it.
struct Deployed<'s> {
    whole: Value,
    secrets: &'s Secrets,
}

/// Reads a `wrangler.toml` as any other, and returns the part that wrangler deploys.
pub(super) fn parse(text: &str, environment: Option<&str>) -> Result<Value> {
    Document::parse(CONFIGURATION, text, environment)
        .map(Document::into_effective)
        .map_err(|error| Error::usage(format!("{CONFIGURATION}: {error}")))
}

/// Reads this `wrangler.toml` and these secrets as the gate does.
pub(super) fn read(text: &str, environment: Option<&str>, secrets: &Secrets) -> Result<Config> {
    let deployed = Deployed { whole: parse(text, environment)?, secrets };
    for (name, value) in deployed.whole["vars"].as_object().into_iter().flatten() {
        if value.to_string().len() > MAX_VARIABLE {
            return Err(Error::usage(format!(
                "{name}: longer than the {MAX_VARIABLE} bytes of a variable; most keys belong in KEY_REGISTRY"
            )));
        }
    }
    Config::read(&deployed)
        .map_err(|error| Error::usage(format!("the gate would refuse to work with {error}")))
}

impl Environment for Deployed<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        if let Some(secret) = self.secrets.get(name) {
            return Some(Binding::Text(secret.clone()));
        }
        let bound = |list: &Value, member: &str| {
            let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().any(|binding| binding[member] == name)
        };
        if bound(&self.whole["durable_objects"]["bindings"], "name")
            || bound(&self.whole["kv_namespaces"], "binding")
            || bound(&self.whole["secrets_store_secrets"], "binding")
        {
            return Some(Binding::Resource);
        }
        match self.whole["vars"].get(name)? {
            Value::String(text) => Some(Binding::Text(Secret::new(text.as_str()))),
            other => Some(Binding::Json(other.to_string())),
        }
    }
}
