//! A configuration as a deployed gate reads it, with secrets that this machine has or placeholders.

use serde_json::Value;
use writegate::Secret;
use writegate::config::{Binding, Environment, MIN_SECRET_BYTES, RESOURCES, VARIABLES};

pub(crate) struct Deployed<'a> {
    pub(crate) vars: &'a Value,
    /// The bindings that are not variables.
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

/// Returns true if a value of this name can only be a secret, unless it is a variable.
pub(crate) fn is_secret(name: &str) -> bool {
    let is_optional = VARIABLES.contains(&name) || RESOURCES.contains(&name);
    !is_optional && !name.ends_with("_ISSUED_AT")
}

/// Returns a placeholder of the root secret, for readers that derive no secret.
pub(crate) fn placeholder_root() -> Secret {
    Secret::new("-".repeat(MIN_SECRET_BYTES))
}

/// Returns a placeholder of a token, in the form of every scheme. It is never sent.
pub(crate) fn placeholder_token() -> Secret {
    Secret::new("nobody@example:sent-nowhere")
}
