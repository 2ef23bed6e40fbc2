//! The implementation of `platform` with the Worker's bindings and the request's body.

use std::cell::RefCell;

use js_sys::Uint8Array;
use serde_json::Value;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::base::day::Day;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::base::{json, json_writer};
use crate::credential::digest;
use crate::credential::signature::Nonce;
use crate::gateway::forward::Body;
use crate::keys::{KeyId, registry};
use crate::platform::{
    AdminBackend, BodyError, Change, Platform, ReadBody, RecordPage, SecretsStore, Unavailable,
};

use super::glue::BufferedBody;
use super::task::PromiseSlot;
use super::{bindings, clock, glue, wire};

/// The platform of one request.
pub(super) struct JsPlatform<'r> {
    request: &'r JsValue,
    env: &'r JsValue,
    slot: PromiseSlot,
    /// The buffered body, once it was read.
    body: RefCell<Option<BufferedBody>>,
}

impl<'r> JsPlatform<'r> {
    pub(super) const fn new(request: &'r JsValue, env: &'r JsValue, slot: PromiseSlot) -> Self {
        Self { request, env, slot, body: RefCell::new(None) }
    }

    /// Takes the buffered body, if the request is forwarded with it. The receiver must release it.
    pub(super) fn take_body(&self, travels: Body) -> JsValue {
        let body = self.body.borrow_mut().take_if(|_| travels == Body::Buffered);
        body.map_or(JsValue::UNDEFINED, JsValue::from)
    }

    /// Awaits the promise of a binding.
    async fn value(&self, promise: JsValue) -> Result<JsValue, Unavailable> {
        self.slot.wait(promise).await.map_err(|()| Unavailable)
    }

    /// Awaits the promise of a boolean.
    async fn boolean(&self, promise: JsValue) -> Result<bool, Unavailable> {
        self.value(promise).await?.as_bool().ok_or(Unavailable)
    }

    /// Awaits the promise of JSON.
    async fn json(&self, promise: JsValue) -> Result<Value, Unavailable> {
        let text = self.value(promise).await?.as_string().ok_or(Unavailable)?;
        json::parse(text.as_bytes()).ok_or(Unavailable)
    }
}

impl Drop for JsPlatform<'_> {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            body.release();
        }
    }
}

impl SecretsStore for JsPlatform<'_> {
    async fn secret(&self, name: &str) -> Result<Secret, Unavailable> {
        let value = self.value(bindings::secret(self.env, name)).await?;
        value.as_string().map(Secret::new).ok_or(Unavailable)
    }
}

impl Platform for JsPlatform<'_> {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn record(&self, id: &KeyId) -> Result<Option<String>, Unavailable> {
        let promise = bindings::record(self.env, &registry::name(id));
        Ok(self.value(promise).await?.as_string())
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "JavaScript has no other numbers, and 10 MiB is exact"
    )]
    async fn read_body(&self, options: ReadBody<'_>) -> Result<Vec<Vec<u8>>, BodyError> {
        let names: Vec<&str> =
            options.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        let names = names.join(",");
        let promise =
            glue::read(self.request, options.max_bytes as f64, options.timeout_ms, &names);
        let read = self.slot.wait(promise).await;
        let read = read.map_err(|()| BodyError::CallerGone)?;
        if let Some(word) = read.as_string() {
            return Err(match word.as_str() {
                "too large" => BodyError::TooLarge,
                "too slow" => BodyError::TooSlow,
                _ => BodyError::Overloaded,
            });
        }
        let body: BufferedBody = read.unchecked_into();
        let computed = body.digests();
        let digests = match (computed.length(), options.algorithms) {
            (0, [_, ..]) => vec![digest::sha256(&body.bytes().to_vec()).to_vec()],
            _ => computed.iter().map(|bytes| Uint8Array::new(&bytes).to_vec()).collect(),
        };
        let _ = self.body.replace(Some(body));
        Ok(digests)
    }

    async fn within_rate(&self, binding: &str, rate_limit_key: &str) -> Result<bool, Unavailable> {
        self.boolean(bindings::within_rate(self.env, binding, rate_limit_key)).await
    }

    async fn submit_usage(&self, key: &KeyId, batch: &str) -> Result<String, Unavailable> {
        let promise = bindings::submit_usage(self.env, key.as_str(), batch);
        self.value(promise).await?.as_string().ok_or(Unavailable)
    }

    async fn remember_nonce(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, Unavailable> {
        let name = nonce.object(key);
        let until = nonce.until.seconds().to_string();
        self.boolean(bindings::remember(self.env, &name, &nonce.value, &until)).await
    }
}

impl AdminBackend for JsPlatform<'_> {
    fn body(&self) -> Vec<u8> {
        let body = self.body.borrow();
        body.as_ref().map_or_else(Vec::new, |body| body.bytes().to_vec())
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        glue::fill_random(&mut bytes);
        bytes
    }

    async fn usage(
        &self,
        batches: &[(String, String)],
        from: Day,
        to: Day,
    ) -> Result<Vec<(String, String)>, Unavailable> {
        let (from, to) = (from.to_string(), to.to_string());
        let promise = bindings::usage(self.env, &wire::batches(batches), &from, &to);
        let lines = self.value(promise).await?.as_string().ok_or(Unavailable)?;
        wire::ledgers(&lines, batches.len()).ok_or(Unavailable)
    }

    async fn purge(&self, marker: &str) -> Result<(), Unavailable> {
        let _ = self.boolean(glue::purge(marker)).await?;
        Ok(())
    }

    async fn siteverify(&self, url: &str, form: &str) -> Result<(u16, String), Unavailable> {
        let answer = self.value(glue::siteverify(url, form)).await?.as_string();
        let answer = answer.ok_or(Unavailable)?;
        let (status, body) = wire::probed(&answer).ok_or(Unavailable)?;
        Ok((status, body.to_owned()))
    }

    async fn record_page(&self, cursor: Option<&str>) -> Result<RecordPage, Unavailable> {
        let page = self.json(bindings::page(self.env, cursor)).await?;
        let record = |pair: &Value| Some((text(pair.get(0)?)?, text(pair.get(1)?)?));
        let records = page.get("records").and_then(Value::as_array);
        let records = records.and_then(|all| all.iter().map(record).collect());
        Ok(RecordPage {
            records: records.ok_or(Unavailable)?,
            cursor: page.get("cursor").and_then(text),
        })
    }

    async fn record_names(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<String>), Unavailable> {
        let page = self.json(bindings::names(self.env, cursor, limit)).await?;
        let names = page.get(0).and_then(Value::as_array);
        let names = names.and_then(|all| all.iter().map(text).collect());
        Ok((names.ok_or(Unavailable)?, page.get(1).and_then(text)))
    }

    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Unavailable> {
        let names: Vec<String> = ids.iter().map(|id| registry::name(id)).collect();
        let promise = bindings::records(self.env, &names.join("\n"));
        let answer = self.json(promise).await?;
        let texts = answer.as_array().filter(|texts| texts.len() == ids.len());
        let texts = texts.ok_or(Unavailable)?;
        Ok(texts.iter().map(text).collect())
    }

    async fn write(&self, changes: &[Change<'_>]) -> Result<bool, Unavailable> {
        let lines: Value = changes
            .iter()
            .map(|change| {
                let name = registry::name(change.id);
                Value::Array(vec![name.into(), change.from.into(), change.to.into()])
            })
            .collect();
        let lines = json_writer::text(&lines);
        let written = self.json(bindings::write_records(self.env, &lines)).await?;
        written.as_bool().ok_or(Unavailable)
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
