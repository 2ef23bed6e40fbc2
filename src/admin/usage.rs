//! `GET /_gate/usage` and `/_gate/usage/keys`: the usage of a key, and of all keys page by page, by day
//! (docs/wire-contract.md, "The gate's own paths").

use serde_json::Value;

use super::LocalResponse;
use crate::base::day::Day;
use crate::base::json::FieldError;
use crate::keys::KeyId;
use crate::keys::registry::{self, Entry};
use crate::limits::usage::MalformedAnswer;
use crate::platform::{AdminBackend, Platform, Unavailable};
use crate::problem::{Limit, Refusal, Rejection};

use super::handler::{AdminHandler, bad_cursor, bad_field, encode_cursor};

/// Number of days before the last one that are shown by default.
const DEFAULT_DAYS: i64 = 30;
/// Most days of one response.
const MAX_DAYS: i64 = 366;
/// Most keys of a page. A key takes two subrequests, one to send what this isolate has counted and one to read,
/// and the page one for the registry's list: 49, which Cloudflare's Free plan allows of any kind
/// (docs/free-plan.md).
const PAGE: usize = 24;
/// First letter of a cursor within the keys of the configuration; the id of the last one follows.
const CONFIGURATION: &str = "c";
/// First letter of a cursor within the registry; the registry's own cursor follows.
const REGISTRY: &str = "r";

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Answers with the usage of a key: of any key to an admin, of itself to another key.
    pub(super) async fn usage(&self) -> Result<LocalResponse, Rejection> {
        let id = self.requested_key().await?;
        let period = self.period()?;
        self.require_ledger()?;
        // Usage that this isolate has counted and not sent yet belongs to the response.
        let batch = self.usage.batch(&id, self.now);
        let rows = self.rows(&[(id.to_string(), batch)], period).await?.concat();
        Ok(LocalResponse::text(200, format!("{{\"rows\":{rows}}}")))
    }

    /// Answers with the usage of a page of keys: those of the configuration without its admins, who have none,
    /// then those of the registry, tombstones included.
    pub(super) async fn usage_of_keys(&self) -> Result<LocalResponse, Rejection> {
        let cursor = self.cursor()?;
        let period = self.period()?;
        self.require_ledger()?;
        let (ids, next) = match cursor.as_deref().map(|cursor| cursor.split_at_checked(1)) {
            None => self.configured_page(None),
            Some(Some((CONFIGURATION, last))) => {
                self.configured_page(Some(KeyId::parse(last).ok_or_else(bad_cursor)?))
            }
            Some(Some((REGISTRY, place))) => self.registry_page(place).await?,
            Some(_) => return Err(bad_cursor()),
        };
        let unsent = |id: &KeyId| (id.to_string(), self.usage.unsent_batch(id, self.now));
        let batches: Vec<(String, String)> = ids.iter().map(unsent).collect();
        let rows = self.rows(&batches, period).await?;
        let of_key = |(id, rows): (&KeyId, String)| format!("{{\"id\":\"{id}\",\"rows\":{rows}}}");
        let keys: Vec<String> = ids.iter().zip(rows).map(of_key).collect();
        let cursor = next.map_or(Value::Null, |next| encode_cursor(next).into());
        let body = format!("{{\"keys\":[{}],\"cursor\":{cursor}}}", keys.join(","));
        Ok(LocalResponse::text(200, body))
    }

    /// Returns the keys of the configuration after `last`, and the place of the next page.
    fn configured_page(&self, last: Option<KeyId>) -> (Vec<KeyId>, Option<String>) {
        let callers = self.config.keys.iter().filter(|(_, key)| !key.key().admin);
        let mut ids: Vec<KeyId> = callers
            .map(|(id, _)| id.clone())
            .filter(|id| last.as_ref().is_none_or(|last| id > last))
            .take(PAGE.saturating_add(1))
            .collect();
        let has_more = ids.len() > PAGE;
        ids.truncate(PAGE);
        let next = match ids.last().filter(|_| has_more) {
            Some(last) => Some(format!("{CONFIGURATION}{last}")),
            None => self.config.registry.then(|| REGISTRY.to_owned()),
        };
        (ids, next)
    }

    /// Returns the keys of the registry's page at `place`, and the place of the next page.
    async fn registry_page(&self, place: &str) -> Result<(Vec<KeyId>, Option<String>), Rejection> {
        self.require_registry()?;
        let place = Some(place).filter(|place| !place.is_empty());
        let page = self.platform.record_names(place, PAGE).await;
        let (names, next) = page.map_err(|Unavailable| self.unavailable("KEY_REGISTRY"))?;
        let ids =
            names.iter().filter_map(|name| KeyId::parse(name.strip_prefix(registry::PREFIX)?));
        // The configuration's page had these.
        let ids = ids.filter(|id| !self.config.keys.contains_key(id)).collect();
        Ok((ids, next.map(|next| format!("{REGISTRY}{next}"))))
    }

    /// Sends these keys' batches, and returns the rows of each key as JSON.
    async fn rows(
        &self,
        batches: &[(String, String)],
        (from, to): (Day, Day),
    ) -> Result<Vec<String>, Rejection> {
        let unavailable = || self.unavailable("LEDGER");
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let answers =
            self.platform.usage(batches, from, to).await.map_err(|Unavailable| unavailable())?;
        let mut all = Vec::new();
        for ((id, batch), (answer, rows)) in batches.iter().zip(answers) {
            if let Some(id) = KeyId::parse(id).filter(|_| !batch.is_empty()) {
                let settled = self.usage.settle(&id, &answer, self.now);
                settled.map_err(|MalformedAnswer| unavailable())?;
            }
            // They become a part of the answer as they are.
            if !rows.starts_with('[') {
                return Err(unavailable());
            }
            all.push(rows);
        }
        Ok(all)
    }

    /// Returns the first and the last day that the request is about.
    fn period(&self) -> Result<(Day, Day), Rejection> {
        let to = self.day("to")?.unwrap_or(Day::of(self.now));
        let from = self.day("from")?.unwrap_or(to.plus(-DEFAULT_DAYS));
        if !(0..MAX_DAYS).contains(&to.since(from)) {
            let hint = "expected a day that is not after to, and at most 365 days before it";
            return Err(bad_field(&FieldError::new("from", hint), None));
        }
        Ok((from, to))
    }

    fn require_ledger(&self) -> Result<(), Rejection> {
        match self.config.ledger {
            true => Ok(()),
            false => Err(self.missing("LEDGER")),
        }
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
        Ok(found.map_err(|Unavailable| self.unavailable("KEY_REGISTRY"))?.is_some())
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
