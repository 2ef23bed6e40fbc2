//! `GET /_gate/usage`: the usage of a key, by day (docs/wire-contract.md, "The gate's own paths").

use serde_json::Value;

use super::LocalResponse;
use crate::base::day::Day;
use crate::base::json::{self, FieldError};
use crate::keys::KeyId;
use crate::keys::registry::Entry;
use crate::limits::usage::MalformedAnswer;
use crate::platform::{AdminBackend, Platform, Unavailable};
use crate::problem::{Limit, Refusal, Rejection};

use super::handler::{AdminHandler, bad_field};

/// Number of days before the last one that are shown by default.
const DEFAULT_DAYS: i64 = 30;
/// Most days of one response.
const MAX_DAYS: i64 = 366;

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Answers with the usage of a key: of any key to an admin, of itself to another key.
    pub(super) async fn usage(&self) -> Result<LocalResponse, Rejection> {
        let id = self.requested_key().await?;
        let to = self.day("to")?.unwrap_or(Day::of(self.now));
        let from = self.day("from")?.unwrap_or(to.plus(-DEFAULT_DAYS));
        if !(0..MAX_DAYS).contains(&to.since(from)) {
            let hint = "expected a day that is not after to, and at most 365 days before it";
            return Err(bad_field(&FieldError::new("from", hint), None));
        }
        if !self.config.ledger {
            return Err(self.missing("LEDGER"));
        }
        // Usage that this isolate has counted and not sent yet belongs to the response.
        let batch = self.usage.batch(&id, self.now);
        let answer = self.platform.submit_usage(&id, &batch).await;
        let answer = answer.map_err(self.unavailable("LEDGER"))?;
        let settled = self.usage.settle(&id, &answer, self.now);
        settled.map_err(|MalformedAnswer| self.unavailable("LEDGER")(Unavailable))?;
        let rows = self.platform.usage(&id, from, to).await;
        let rows = rows.map_err(self.unavailable("LEDGER"))?;
        let rows = json::parse(rows.as_bytes()).ok_or(Unavailable);
        let rows: Value = rows.map_err(self.unavailable("LEDGER"))?;
        Ok(LocalResponse::json(200, &serde_json::json!({"rows": rows})))
    }

    /// Returns the key whose usage is requested.
    async fn requested_key(&self) -> Result<KeyId, Rejection> {
        let requested = self.parameter("key");
        if !self.key.admin {
            return match requested.is_none_or(|requested| requested == self.key.id.as_str()) {
                true => Ok(self.key.id.clone()),
                false => Err(Limit::Key.denies(Refusal::PathDenied).into()),
            };
        }
        let id = requested.and_then(KeyId::parse).ok_or_else(|| {
            let hint = "expected the id of a key, such as ?key=pk_site";
            bad_field(&FieldError::new("key", hint), None)
        })?;
        match self.exists(&id).await? {
            true => Ok(id),
            false => Err(Refusal::NoRoute.into()),
        }
    }

    async fn exists(&self, id: &KeyId) -> Result<bool, Rejection> {
        if self.config.keys.contains_key(id) {
            return Ok(true);
        }
        if !self.config.registry {
            return Ok(false);
        }
        if let Some(entry) = self.registry.recent(id, self.now) {
            return Ok(!matches!(entry, Entry::Absent));
        }
        let found = self.platform.record(id).await;
        Ok(found.map_err(self.unavailable("KEY_REGISTRY"))?.is_some())
    }

    /// Parses a day in the query.
    fn day(&self, name: &'static str) -> Result<Option<Day>, Rejection> {
        let Some(text) = self.parameter(name) else {
            return Ok(None);
        };
        let hint = "expected a day such as 2026-11-22";
        let day = Day::parse(text);
        day.map(Some).ok_or_else(|| bad_field(&FieldError::new(name, hint), None))
    }
}
