//! What the gate asks of the platform while it decides: the bindings, and the body.

use std::cell::RefCell;

use js_sys::Uint8Array;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::credential::digest::{self, Algorithm};
use crate::credential::signature::Nonce;
use crate::day::Day;
use crate::key::KeyId;
use crate::platform::{BodyError, Office, Page, Platform, SecretsStore, Silent};
use crate::registry;
use crate::secret::Secret;

use super::work::Slot;
use super::{bindings, glue};

/// Longest body, in bytes, that is hashed here: a round trip to the platform's own, faster hashes
/// costs more than that.
const MAX_HASHED_HERE: u32 = 8 * 1024;

/// One request's platform.
pub(super) struct JsPlatform<'r> {
    request: &'r JsValue,
    env: &'r JsValue,
    slot: Slot,
    body: RefCell<JsValue>,
}

impl<'r> JsPlatform<'r> {
    pub(super) const fn new(request: &'r JsValue, env: &'r JsValue, slot: Slot) -> Self {
        Self {
            request,
            env,
            slot,
            body: RefCell::new(JsValue::UNDEFINED),
        }
    }

    /// The body, if it was read.
    pub(super) fn body(self) -> JsValue {
        self.body.into_inner()
    }

    /// What a binding's promise becomes.
    async fn told(&self, asked: JsValue) -> Result<JsValue, Silent> {
        self.slot.wait(asked).await.map_err(|()| Silent)
    }

    /// The same, where it is a yes or a no.
    async fn yes(&self, asked: JsValue) -> Result<bool, Silent> {
        self.told(asked).await?.as_bool().ok_or(Silent)
    }

    /// The same, where it is JSON.
    async fn json<T: DeserializeOwned>(&self, asked: JsValue) -> Result<T, Silent> {
        let text = self.told(asked).await?.as_string().ok_or(Silent)?;
        serde_json::from_str(&text).map_err(|_misshapen| Silent)
    }

    /// Reads the whole body and keeps it.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "JavaScript has no other numbers, and 10 MiB is exact"
    )]
    async fn read(&self, most: u64) -> Result<Uint8Array, BodyError> {
        let read = self.slot.wait(glue::read(self.request, most as f64)).await;
        let body = read.map_err(|()| BodyError::CallerGone)?;
        let body: Uint8Array = body.dyn_into().map_err(|_null| BodyError::TooLarge)?;
        self.body.replace(body.clone().into());
        Ok(body)
    }

    /// A digest by the platform; empty, and so equal to none, if it has no such hash.
    async fn hashed(&self, name: &str, body: &Uint8Array) -> Vec<u8> {
        match self.slot.wait(glue::hash(name, body)).await {
            Ok(digest) => Uint8Array::new(&digest).to_vec(),
            Err(()) => Vec::new(),
        }
    }
}

impl SecretsStore for JsPlatform<'_> {
    async fn secret(&self, name: &str) -> Result<Secret, Silent> {
        let value = self.told(bindings::secret(self.env, name)).await?;
        value.as_string().map(Secret::new).ok_or(Silent)
    }
}

impl Platform for JsPlatform<'_> {
    async fn record(&self, id: &KeyId) -> Result<Option<String>, Silent> {
        let asked = bindings::record(self.env, &registry::name(id));
        Ok(self.told(asked).await?.as_string())
    }

    async fn digest_body(
        &self,
        most: u64,
        algorithms: &[Algorithm],
    ) -> Result<Vec<Vec<u8>>, BodyError> {
        let body = self.read(most).await?;
        let mut digests = Vec::with_capacity(algorithms.len());
        for algorithm in algorithms {
            digests.push(match algorithm {
                Algorithm::Sha256 if body.length() <= MAX_HASHED_HERE => {
                    digest::sha256(&body.to_vec()).to_vec()
                }
                Algorithm::Sha256 => self.hashed("SHA-256", &body).await,
                Algorithm::Sha512 => self.hashed("SHA-512", &body).await,
            });
        }
        Ok(digests)
    }

    async fn within_rate(&self, binding: &str, counted_as: &str) -> Result<bool, Silent> {
        self.yes(bindings::within_rate(self.env, binding, counted_as))
            .await
    }

    async fn tally(&self, key: &KeyId, batch: &str) -> Result<String, Silent> {
        let asked = bindings::tally(self.env, key.as_str(), batch);
        self.told(asked).await?.as_string().ok_or(Silent)
    }

    async fn remember(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, Silent> {
        let name = nonce.object(key);
        let until = nonce.until.seconds().to_string();
        self.yes(bindings::remember(self.env, &name, &nonce.value, &until))
            .await
    }
}

/// A page as `bindings.js` has it.
#[derive(Deserialize)]
struct JsPage {
    records: Vec<(String, String)>,
    cursor: Option<String>,
}

impl Office for JsPlatform<'_> {
    async fn body(&self, most: u64) -> Result<Vec<u8>, BodyError> {
        let held = self.body.borrow().dyn_ref::<Uint8Array>().cloned();
        match held {
            Some(body) => Ok(body.to_vec()),
            None => Ok(self.read(most).await?.to_vec()),
        }
    }

    async fn usage(&self, key: &KeyId, from: Day, to: Day) -> Result<String, Silent> {
        let (from, to) = (from.to_string(), to.to_string());
        let asked = bindings::usage(self.env, key.as_str(), &from, &to);
        self.told(asked).await?.as_string().ok_or(Silent)
    }

    async fn purge(&self, mark: &str) -> Result<(), Silent> {
        self.yes(glue::purge(mark)).await?;
        Ok(())
    }

    async fn page(&self, cursor: Option<&str>) -> Result<Page, Silent> {
        let page: JsPage = self.json(bindings::page(self.env, cursor)).await?;
        Ok(Page {
            records: page.records,
            cursor: page.cursor,
        })
    }

    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Silent> {
        let names: Vec<String> = ids.iter().map(|id| registry::name(id)).collect();
        self.json(bindings::records(self.env, &names.join("\n")))
            .await
    }

    async fn create(&self, records: &[(&KeyId, String)]) -> Result<(), Silent> {
        let lines = records
            .iter()
            .map(|(id, text)| format!("{}\n{text}", registry::name(id)));
        let lines = lines.collect::<Vec<String>>().join("\n");
        self.yes(bindings::create(self.env, &lines)).await?;
        Ok(())
    }

    async fn replace(&self, id: &KeyId, record: &str) -> Result<(), Silent> {
        let name = registry::name(id);
        self.yes(bindings::replace(self.env, &name, record)).await?;
        Ok(())
    }
}
