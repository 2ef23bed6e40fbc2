//! Checks with the gate's own code what `init` is about to write, so that it never writes what the gate refuses.

use std::collections::BTreeMap;

use serde_json::Value;
use writegate::Secret;
use writegate::config::Config;

use crate::error::{Error, Result};
use crate::project::{BINDINGS, Deployed, Document, USUAL as CONFIGURATION, names};

/// Longest text of a variable, in bytes.
const MAX_VARIABLE: usize = 5 * 1024;

/// Secrets by their names.
pub(super) type Secrets = BTreeMap<String, Secret>;

/// Reads a `wrangler.toml` as any other, and returns the part that wrangler deploys.
pub(super) fn parse(text: &str, environment: Option<&str>) -> Result<Value> {
    Document::parse(CONFIGURATION, text, environment)
        .map(Document::into_effective)
        .map_err(|error| Error::usage(format!("{CONFIGURATION}: {error}")))
}

/// Reads this `wrangler.toml` and these secrets as the gate does.
pub(super) fn read(text: &str, environment: Option<&str>, secrets: &Secrets) -> Result<Config> {
    let whole = parse(text, environment)?;
    for (name, value) in whole["vars"].as_object().into_iter().flatten() {
        if value.to_string().len() > MAX_VARIABLE {
            return Err(Error::usage(format!(
                "{name}: longer than the {MAX_VARIABLE} bytes of a variable; most keys belong in KEY_REGISTRY"
            )));
        }
    }
    let resources = ["durable_objects", "kv_namespaces", "secrets_store_secrets"];
    let resources = BINDINGS.iter().filter(|(table, ..)| resources.contains(table));
    let deployed = Deployed {
        vars: &whole["vars"],
        resources: resources.flat_map(|place| names(&whole, place)).collect(),
        secret: &|name| secrets.get(name).cloned(),
    };
    Config::read(&deployed)
        .map_err(|error| Error::usage(format!("the gate would refuse to work with {error}")))
}
