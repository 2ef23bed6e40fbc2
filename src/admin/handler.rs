//! Where a request for one of the gate's own paths is worked on: what it asked, and what it is told.

use serde_json::Value;

use super::LocalResponse;
use crate::base::json::{self, FieldError};
use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::keys::registry::Registry;
use crate::keys::{Key, KeyId};
use crate::limits::usage::Usage;
use crate::platform::{AdminBackend, Platform, Unavailable};
use crate::problem::Rejection;
use crate::upstream::token_cache::TokenCache;

use super::Task;

/// Longest body, in bytes, of a request to the gate itself: a hundred records of 10 KB.
pub(crate) const MAX_BODY_BYTES: u64 = 1_048_576;
/// Longest wait, in milliseconds, for that body.
pub(crate) const BODY_TIMEOUT_MS: u32 = 30_000;

/// A request that may be worked on, with what that takes.
pub(crate) struct AdminHandler<'x, P> {
    pub(crate) config: &'x Config,
    pub(crate) registry: &'x Registry,
    pub(crate) usage: &'x Usage,
    pub(crate) token_cache: &'x TokenCache,
    /// The key that asks.
    pub(crate) key: &'x Key,
    pub(crate) head: &'x Head<'x>,
    pub(crate) now: Timestamp,
    pub(crate) platform: &'x P,
}

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Does the task.
    pub(crate) async fn handle(&self, task: Task) -> Result<LocalResponse, Rejection> {
        match task {
            Task::ListKeys => self.list_keys().await,
            Task::CreateKeys => self.create_keys().await,
            Task::ShowKey(id) => self.show_key(&id).await,
            Task::ChangeKey(id) => self.change_key(&id).await,
            Task::DeleteKey(id) => self.delete_key(&id).await,
            Task::Usage => self.usage().await,
            Task::Purge => self.purge().await,
            Task::Status => Ok(self.status().await),
        }
    }

    /// Returns the body as JSON.
    pub(super) fn json(&self) -> Result<Value, Rejection> {
        json::parse(&self.platform.body()).ok_or_else(|| {
            let hint = "expected JSON in which no member stands twice";
            bad_field(&FieldError::new("body", hint), None)
        })
    }

    /// The value of a parameter of the query, raw.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.head.parameters();
        let (_, value) = parameters.find(|(candidate, _)| *candidate == name)?;
        Some(value.unwrap_or_default())
    }

    /// The binding did not do what it was asked.
    pub(super) fn unavailable(&self, binding: &str) -> impl Fn(Unavailable) -> Rejection {
        let feature = format!("{binding} (did not answer)");
        move |Unavailable| Rejection::unavailable(feature.as_str(), self.head.path())
    }

    /// There is no such binding.
    pub(super) fn missing(&self, binding: &str) -> Rejection {
        Rejection::unavailable(binding, self.head.path())
    }
}

/// What is wrong with a field of the body, or of the record of this key.
pub(super) fn bad_field(error: &FieldError, id: Option<&KeyId>) -> Rejection {
    Rejection::bad_field(error, id.map(KeyId::as_str))
}
