//! Variables and secrets, from the platform's `env` object.

use wasm_bindgen::JsValue;

use crate::config::{Binding, Environment};
use crate::secret::Secret;

use super::glue;

/// `env`, as the core reads it.
pub(super) struct JsEnvironment<'e>(pub(super) &'e JsValue);

impl Environment for JsEnvironment<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        // A text comes as `t` and the text, anything else as `j` and its JSON.
        let found = glue::variable(self.0, name).as_string()?;
        match found.strip_prefix('t') {
            Some(text) => Some(Binding::Text(Secret::new(text))),
            None => Some(Binding::Json(found.get(1..)?.to_owned())),
        }
    }
}
