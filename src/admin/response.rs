//! Responses of the gate's own paths.

use serde_json::Value;

use crate::base::json_writer;

/// A response of the gate itself that is not a problem document.
pub(crate) struct LocalResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl LocalResponse {
    /// Creates a JSON response that must not be stored.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, json_writer::text(body))
    }

    /// Creates a response that must not be stored, with this JSON as its body.
    pub(crate) fn text(status: u16, body: String) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("cache-control", "no-store".to_owned()),
            ],
            body,
        }
    }
}
