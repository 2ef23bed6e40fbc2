//! Variables and secrets, from the platform's `env` object.

use wasm_bindgen::JsValue;

use crate::base::secret::Secret;
use crate::config::{Binding, Environment};

use super::glue;

/// `env`, as the core reads it.
pub(super) struct JsEnvironment<'e>(pub(super) &'e JsValue);

impl Environment for JsEnvironment<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        let found = glue::variable(self.0, name).as_string()?;
        let rest = found.get(1..)?;
        Some(match found.as_bytes().first()? {
            b't' => Binding::Text(Secret::new(rest)),
            b'j' => Binding::Json(rest.to_owned()),
            _ => Binding::Resource,
        })
    }
}
