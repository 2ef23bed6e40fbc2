//! A configuration as the gate finds it when it is deployed, with the secrets that its reader has or supposes.

use serde_json::Value;
use writegate::Secret;
use writegate::config::{Binding, Environment, MIN_SECRET_BYTES, RESOURCES, VARIABLES};

pub(crate) struct Deployed<'a> {
    pub(crate) vars: &'a Value,
    /// The bindings that are there and are no variables.
    pub(crate) resources: Vec<&'a str>,
    /// Returns the secret of a name, which wins over a variable.
    pub(crate) secret: &'a dyn Fn(&str) -> Option<Secret>,
}

impl Environment for Deployed<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        if self.resources.contains(&name) {
            return Some(Binding::Resource);
        }
        if let Some(secret) = (self.secret)(name) {
            return Some(Binding::Text(secret));
        }
        Some(match self.vars.get(name)? {
            Value::String(text) => Binding::Text(Secret::new(text.as_str())),
            other => Binding::Json(other.to_string()),
        })
    }
}

/// Returns true if what is not among the variables of this name can only be a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let is_optional = VARIABLES.contains(&name) || RESOURCES.contains(&name);
    !is_optional && !name.ends_with("_ISSUED_AT")
}

/// Returns a root where none is needed: what is read with it derives no secret.
pub(crate) fn placeholder_root() -> Secret {
    Secret::new("-".repeat(MIN_SECRET_BYTES))
}

/// Returns a token where none is needed: in the form of every scheme, and sent nowhere.
pub(crate) fn placeholder_token() -> Secret {
    Secret::new("nobody@example:sent-nowhere")
}
