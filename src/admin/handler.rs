//! The handler of a request for one of the gate's own paths, with what all tasks need.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::LocalResponse;
use crate::base::json::{self, FieldError};
use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::keys::registry::Registry;
use crate::keys::{Key, KeyId};
use crate::limits::usage::Usage;
use crate::platform::{AdminBackend, Platform};
use crate::problem::Rejection;
use crate::upstream::token_cache::TokenCache;

use super::AdminTask;

/// Longest body, in bytes, of a request for the gate's own paths: a hundred records of 10 KB.
pub(crate) const MAX_BODY_BYTES: u64 = 1_048_576;
/// Longest wait, in milliseconds, for that body.
pub(crate) const BODY_TIMEOUT_MS: u32 = 30_000;

/// An authorized request, with everything that its task needs.
pub(crate) struct AdminHandler<'x, P> {
    pub(crate) config: &'x Config,
    pub(crate) registry: &'x Registry,
    pub(crate) usage: &'x Usage,
    pub(crate) token_cache: &'x TokenCache,
    /// The caller's key.
    pub(crate) key: &'x Key,
    pub(crate) head: &'x Head<'x>,
    pub(crate) now: Timestamp,
    pub(crate) platform: &'x P,
}

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Carries out the task.
    pub(crate) async fn handle(&self, task: AdminTask) -> Result<LocalResponse, Rejection> {
        match task {
            AdminTask::ListKeys => self.list_keys().await,
            AdminTask::CreateKeys => self.create_keys().await,
            AdminTask::ShowKey(id) => self.show_key(&id).await,
            AdminTask::ChangeKey(id) => self.change_key(&id).await,
            AdminTask::DeleteKey(id) => self.delete_key(&id).await,
            AdminTask::Usage => self.usage().await,
            AdminTask::UsageOfKeys => self.usage_of_keys().await,
            AdminTask::Purge => self.purge().await,
            AdminTask::Status => Ok(self.status().await),
        }
    }

    /// Returns the body as JSON.
    pub(super) fn json(&self) -> Result<Value, Rejection> {
        json::parse(&self.platform.body()).ok_or_else(|| {
            let hint = "expected JSON in which no object repeats a member";
            bad_field(&FieldError::new("body", hint), None)
        })
    }

    /// Returns the raw value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.head.parameters();
        let (_, value) = parameters.find(|(candidate, _)| *candidate == name)?;
        Some(value.unwrap_or_default())
    }

    /// Returns the place that the request's cursor names; `None` for the first page.
    pub(super) fn cursor(&self) -> Result<Option<String>, Rejection> {
        let Some(text) = self.parameter("cursor").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let cursor = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        cursor.map(Some).ok_or_else(bad_cursor)
    }

    /// Returns the rejection for a binding that did not answer.
    pub(super) fn unavailable(&self, binding: &str) -> Rejection {
        self.missing(&format!("{binding} (did not answer)"))
    }

    /// Returns the rejection for a binding that does not exist.
    pub(super) fn missing(&self, binding: &str) -> Rejection {
        Rejection::unavailable(binding, self.head.path())
    }
}

/// Returns a cursor as base64url, which needs no encoding in a query.
pub(super) fn encode_cursor(place: String) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// Returns the rejection for a cursor that the gate did not give.
pub(super) fn bad_cursor() -> Rejection {
    bad_field(&FieldError::new("cursor", "expected the cursor of the previous page"), None)
}

/// Returns the rejection for a field of the body, or of the record of the key `id`.
pub(super) fn bad_field(error: &FieldError, id: Option<&KeyId>) -> Rejection {
    Rejection::bad_field(error, id.map(KeyId::as_str))
}
