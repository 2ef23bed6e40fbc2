//! What the gate asks of the platform while it decides: a record of the registry, a rate, the body's
//! digest, the memory for nonces.

use std::cell::RefCell;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::admission::{BodyError, NotCounted, NotRecorded, Platform, Unread};
use crate::credential::digest::{self, Algorithm};
use crate::credential::signature::Nonce;
use crate::key::KeyId;
use crate::registry;

use super::glue;
use super::work::Slot;

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

    /// A digest by the platform; empty, and so equal to none, if it has no such hash.
    async fn hashed(&self, name: &str, body: &Uint8Array) -> Vec<u8> {
        match self.slot.wait(glue::hash(name, body)).await {
            Ok(digest) => Uint8Array::new(&digest).to_vec(),
            Err(()) => Vec::new(),
        }
    }
}

impl Platform for JsPlatform<'_> {
    async fn record(&self, id: &KeyId) -> Result<Option<String>, Unread> {
        let reading = glue::record(self.env, &registry::name(id));
        let read = self.slot.wait(reading).await.map_err(|()| Unread)?;
        Ok(read.as_string())
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "JavaScript has no other numbers, and 10 MiB is exact"
    )]
    async fn digest_body(
        &self,
        most: u64,
        algorithms: &[Algorithm],
    ) -> Result<Vec<Vec<u8>>, BodyError> {
        let read = self.slot.wait(glue::read(self.request, most as f64)).await;
        let body = read.map_err(|()| BodyError::CallerGone)?;
        let body: Uint8Array = body.dyn_into().map_err(|_null| BodyError::TooLarge)?;
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
        self.body.replace(body.into());
        Ok(digests)
    }

    async fn within_rate(&self, binding: &str, counted_as: &str) -> Result<bool, NotCounted> {
        let counting = glue::within_rate(self.env, binding, counted_as);
        let within = self.slot.wait(counting).await.map_err(|()| NotCounted)?;
        within.as_bool().ok_or(NotCounted)
    }

    async fn remember(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, NotRecorded> {
        let name = nonce.object(key);
        let until = nonce.until.seconds().to_string();
        let recording = glue::remember(self.env, &name, &nonce.value, &until);
        let recorded = self.slot.wait(recording).await.map_err(|()| NotRecorded)?;
        recorded.as_bool().ok_or(NotRecorded)
    }
}
