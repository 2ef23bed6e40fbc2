//! `/_gate/keys`: reading and changing the registry's records (docs/wire-contract.md, "The gate's own
//! paths").

use serde_json::Value;

use super::LocalResponse;
use crate::base::json::{self, FieldError};
use crate::keys::{Key, KeyId, begins_like_secret, derive_sk, registry};
use crate::platform::{AdminBackend, Change, Platform, Unavailable};
use crate::problem::{Refusal, Rejection};

use super::handler::{AdminHandler, bad_field, encode_cursor};
use super::record::{self, Prepared};

/// Most records of one request.
const MAX_BATCH: usize = 100;
/// Most attempts at a change: one fails only if somebody else's change came in between. Each is two of the 50 subrequests
/// that a request has on Cloudflare's Free plan.
const MAX_ATTEMPTS: usize = 20;

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Answers with a page of 100 records, tombstones included.
    pub(super) async fn list_keys(&self) -> Result<LocalResponse, Rejection> {
        self.require_registry()?;
        let cursor = self.cursor()?;
        let page = self.platform.record_page(cursor.as_deref()).await;
        let page = page.map_err(|Unavailable| self.unavailable("KEY_REGISTRY"))?;
        let entry = |(name, text): &(String, String)| {
            let id = KeyId::parse(name.strip_prefix(registry::PREFIX)?)?;
            Some(record_json(&id, text))
        };
        let keys: Vec<Value> = page.records.iter().filter_map(entry).collect();
        let cursor = page.cursor.map(encode_cursor);
        Ok(LocalResponse::json(
            200,
            &json::object([("keys", keys.into()), ("cursor", cursor.into())]),
        ))
    }

    /// Answers with one record.
    pub(super) async fn show_key(&self, id: &KeyId) -> Result<LocalResponse, Rejection> {
        self.require_registry()?;
        let text = self.platform.record(id).await;
        let text = text.map_err(|Unavailable| self.unavailable("KEY_REGISTRY"))?;
        let text = text.ok_or(Refusal::NoRoute)?;
        Ok(LocalResponse::json(200, &record_json(id, &text)))
    }

    /// Creates records, all or none. A record without an id is given one. The response has each record's
    /// secret.
    pub(super) async fn create_keys(&self) -> Result<LocalResponse, Rejection> {
        self.require_writer()?;
        let (records, is_batch) = match self.json()? {
            Value::Array(records) => (records, true),
            record @ Value::Object(_) => (vec![record], false),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(bad_body("expected a key record, or an array of them"));
            }
        };
        if !(1..=MAX_BATCH).contains(&records.len()) {
            return Err(bad_body("expected 1 to 100 records"));
        }
        let place = |index: usize| match is_batch {
            true => format!("[{index}]"),
            false => String::new(),
        };
        let mut new: Vec<Prepared> = Vec::new();
        for (index, mut value) in records.into_iter().enumerate() {
            if let Some(members) = value.as_object_mut().filter(|all| !all.contains_key("id")) {
                let id = KeyId::from_random(self.platform.random());
                let _ = members.insert("id".to_owned(), id.as_str().into());
            }
            let claimed = value.get("id").and_then(Value::as_str);
            let claimed = claimed.filter(|id| !begins_like_secret(id)).and_then(KeyId::parse);
            let prepared = record::prepare(&place(index), value);
            let prepared = prepared.map_err(|error| bad_field(&error, claimed.as_ref()))?;
            let id = &prepared.key.id;
            if new.iter().any(|other| other.key.id == *id) {
                let field = field(&place(index), "id");
                let error = FieldError::new(field, "is twice in this batch");
                return Err(bad_field(&error, Some(id)));
            }
            new.push(prepared);
        }
        let ids: Vec<&KeyId> = new.iter().map(|one| &one.key.id).collect();
        for (index, id) in ids.iter().enumerate() {
            self.refuse_configured(id, &place(index))?;
        }
        let changes = new.iter().map(|one| Change { id: &one.key.id, from: None, to: &one.text });
        let changes: Vec<Change<'_>> = changes.collect();
        if !self.write(&changes).await? {
            let existing = self.records(&ids).await?;
            let index = existing.iter().position(Option::is_some).unwrap_or_default();
            let field = field(&place(index), "id");
            return Err(Rejection::conflict(
                Refusal::KeyExists,
                &field,
                ids.get(index).map(|id| id.as_str()),
            ));
        }
        let created = |one: &Prepared| self.with_secret(one.record.clone(), &one.key);
        match (is_batch, new.as_slice()) {
            (false, [one]) => {
                let mut response = LocalResponse::json(201, &created(one));
                let location = format!("/_gate/keys/{}", one.key.id);
                response.headers.push(("location", location));
                Ok(response)
            }
            (_, all) => {
                let keys: Vec<Value> = all.iter().map(created).collect();
                Ok(LocalResponse::json(201, &json::object([("keys", keys.into())])))
            }
        }
    }

    /// Applies a merge patch (RFC 7396) to a record. The response has the new secret if the version
    /// rose.
    pub(super) async fn change_key(&self, id: &KeyId) -> Result<LocalResponse, Rejection> {
        let wrong = |field: &str, hint: &str| bad_field(&FieldError::new(field, hint), Some(id));
        let patched = |old: Value| {
            if record::is_tombstone(&old) {
                return Err(Rejection::conflict(Refusal::KeyExists, "id", Some(id.as_str())));
            }
            let patch = self.json()?;
            if !patch.is_object() {
                return Err(bad_body("expected an object with the members that change"));
            }
            let before = version(&old);
            let Prepared { key, record, text } = record::prepare("", record::merge(old, patch))
                .map_err(|error| bad_field(&error, Some(id)))?;
            if key.id != *id {
                return Err(wrong("id", "cannot change; create a new key and delete this one"));
            }
            if key.version < before {
                return Err(wrong("version", "can only rise"));
            }
            let body = match key.version > before {
                true => self.with_secret(record, &key),
                false => record,
            };
            Ok((text, body))
        };
        self.replace(id, &patched).await
    }

    /// Replaces a record by a tombstone.
    pub(super) async fn delete_key(&self, id: &KeyId) -> Result<LocalResponse, Rejection> {
        let to_tombstone = |old: Value| {
            let tombstone = record::tombstone(id, version(&old));
            Ok((tombstone.to_string(), tombstone))
        };
        self.replace(id, &to_tombstone).await
    }

    /// Changes a record by `change`, which returns the new text and the answer. If somebody else
    /// changed the record meanwhile, `change` is applied again, to the new record.
    async fn replace(
        &self,
        id: &KeyId,
        change: &dyn Fn(Value) -> Result<(String, Value), Rejection>,
    ) -> Result<LocalResponse, Rejection> {
        self.require_writer()?;
        self.refuse_configured(id, "")?;
        for _ in 0..MAX_ATTEMPTS {
            let old = self.records(&[id]).await?.into_iter().next().flatten();
            let old = old.ok_or(Refusal::NoRoute)?;
            let value = json::parse(old.as_bytes()).unwrap_or(Value::Null);
            let (text, answer) = change(value)?;
            let change = Change { id, from: Some(&old), to: &text };
            if self.write(&[change]).await? {
                return Ok(LocalResponse::json(200, &answer));
            }
        }
        Err(self.unavailable("KEY_WRITER"))
    }

    /// Returns the records as they were last written.
    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Rejection> {
        let records = self.platform.records(ids).await;
        records.map_err(|Unavailable| self.unavailable("KEY_WRITER"))
    }

    /// Writes records, unless one is not as expected. This isolate uses them at once.
    async fn write(&self, changes: &[Change<'_>]) -> Result<bool, Rejection> {
        let written = self.platform.write(changes).await;
        let written = written.map_err(|Unavailable| self.unavailable("KEY_WRITER"))?;
        for change in changes.iter().filter(|_| written) {
            let (text, now) = (change.to.to_owned(), self.platform.now());
            self.registry.learn_written(change.id, text, &self.config.roots, now);
        }
        Ok(written)
    }

    pub(super) fn require_registry(&self) -> Result<(), Rejection> {
        match self.config.registry {
            true => Ok(()),
            false => Err(self.missing("KEY_REGISTRY")),
        }
    }

    /// Checks that the registry can be written. KV has neither transactions nor an order of writes, so
    /// without the writer a deleted key could come back, or an id be used twice.
    fn require_writer(&self) -> Result<(), Rejection> {
        self.require_registry()?;
        match self.config.key_writer {
            true => Ok(()),
            false => Err(self.missing("KEY_WRITER")),
        }
    }

    /// Refuses to change a key of the configuration.
    fn refuse_configured(&self, id: &KeyId, place: &str) -> Result<(), Rejection> {
        match self.config.keys.contains_key(id) {
            true => {
                let field = field(place, "id");
                Err(Rejection::conflict(Refusal::KeyInConfiguration, &field, Some(id.as_str())))
            }
            false => Ok(()),
        }
    }

    fn with_secret(&self, mut record: Value, key: &Key) -> Value {
        let sk = derive_sk(&self.config.roots.current, &key.id, key.version);
        if let Some(members) = record.as_object_mut() {
            let _ = members.insert("sk".to_owned(), sk.expose_str().into());
        }
        record
    }
}

/// Returns the JSON for a record: itself, or the error if it does not parse.
fn record_json(id: &KeyId, text: &str) -> Value {
    match registry::read(id, text) {
        Ok(_) => json::parse(text.as_bytes()).unwrap_or(Value::Null),
        Err(FieldError { field, hint }) => {
            let error = json::object([("field", field.into()), ("hint", hint.into())]);
            json::object([("id", id.as_str().into()), ("error", error)])
        }
    }
}

/// Returns the version of a record that may not parse.
fn version(record: &Value) -> u32 {
    let version = record.get("version").and_then(Value::as_u64);
    version.and_then(|version| version.try_into().ok()).unwrap_or(1)
}

/// Returns the path of a field of the record at `place` of the body.
fn field(place: &str, name: &str) -> String {
    match place {
        "" => name.to_owned(),
        _ => format!("{place}.{name}"),
    }
}

fn bad_body(hint: &str) -> Rejection {
    bad_field(&FieldError::new("body", hint), None)
}
