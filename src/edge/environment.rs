//! The configuration's source: variables and secrets in the platform's `env` object.

use wasm_bindgen::JsValue;

use crate::base::secret::Secret;
use crate::config::{Binding, Environment};

use super::glue;

/// The `env` object, as the core reads it.
pub(super) struct JsEnvironment<'e>(pub(super) &'e JsValue);

impl Environment for JsEnvironment<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        let value = glue::variable(self.0, name).as_string()?;
        let rest = value.get(1..)?;
        Some(match value.as_bytes().first()? {
            b't' => Binding::Text(Secret::new(rest)),
            b'j' => Binding::Json(rest.to_owned()),
            _ => Binding::Resource,
        })
    }
}
