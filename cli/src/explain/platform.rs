//! The platform beneath a gate that explains a request, and the environment that such a gate is read from.

use serde_json::{Value, json};
use writegate::credential::digest::Algorithm;
use writegate::credential::signature::Nonce;
use writegate::platform::{
    AdminBackend, BodyError, Change, Platform, ReadBody, RecordPage, SecretsStore, Unavailable,
};
use writegate::{Day, KeyId, Secret, Timestamp};

use super::gate::Record;
use super::request_input::RequestInput;

/// The platform for one request at one moment. It has the body, and remembers no nonces.
pub(super) struct Frozen<'g> {
    pub(super) request: &'g RequestInput,
    pub(super) now: Timestamp,
    pub(super) record: Option<&'g Record>,
    pub(super) rates: Option<&'g [String]>,
}

/// No token is needed, because nothing is sent.
impl SecretsStore for Frozen<'_> {
    async fn secret(&self, _name: &str) -> std::result::Result<Secret, Unavailable> {
        Err(Unavailable)
    }
}

impl Platform for Frozen<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    async fn record(&self, id: &KeyId) -> std::result::Result<Option<String>, Unavailable> {
        let record = self.record.filter(|record| record.key.id == *id);
        Ok(record.map(|record| record.text.clone()))
    }

    async fn within_rate(
        &self,
        binding: &str,
        _counted_as: &str,
    ) -> std::result::Result<bool, Unavailable> {
        let is_there = self.rates.is_none_or(|rates| rates.iter().any(|rate| rate == binding));
        is_there.then_some(true).ok_or(Unavailable)
    }

    async fn read_body(
        &self,
        wanted: ReadBody<'_>,
    ) -> std::result::Result<Vec<Vec<u8>>, BodyError> {
        let digest = |one: &Algorithm| one.digest(&self.request.body);
        match u64::try_from(self.request.body.len()).is_ok_and(|length| length <= wanted.max_bytes)
        {
            true => Ok(wanted.algorithms.iter().map(digest).collect()),
            false => Err(BodyError::TooLarge),
        }
    }

    async fn submit_usage(
        &self,
        _key: &KeyId,
        batch: &str,
    ) -> std::result::Result<String, Unavailable> {
        // The usage of the key is not known here, so its quota counts as unused.
        let batch: Value = serde_json::from_str(batch).map_err(|_misshapen| Unavailable)?;
        let since = &batch["since"];
        Ok(json!({"sequence": 0, "since": since, "requests": 0, "bytes": 0}).to_string())
    }

    async fn remember_nonce(
        &self,
        _key: &KeyId,
        _nonce: &Nonce,
    ) -> std::result::Result<bool, Unavailable> {
        Ok(true)
    }
}

/// No registry, because `explain` needs only the one record that it has.
impl AdminBackend for Frozen<'_> {
    async fn purge(&self, _mark: &str) -> std::result::Result<(), Unavailable> {
        Err(Unavailable)
    }

    async fn usage(
        &self,
        _batches: &[(String, String)],
        _from: Day,
        _to: Day,
    ) -> std::result::Result<Vec<(String, String)>, Unavailable> {
        Err(Unavailable)
    }

    fn body(&self) -> Vec<u8> {
        self.request.body.clone()
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }

    async fn siteverify(
        &self,
        _url: &str,
        _form: &str,
    ) -> std::result::Result<(u16, String), Unavailable> {
        Err(Unavailable)
    }

    async fn record_page(
        &self,
        _cursor: Option<&str>,
    ) -> std::result::Result<RecordPage, Unavailable> {
        Err(Unavailable)
    }

    async fn record_names(
        &self,
        _cursor: Option<&str>,
        _limit: usize,
    ) -> std::result::Result<(Vec<String>, Option<String>), Unavailable> {
        Err(Unavailable)
    }

    async fn records(
        &self,
        _ids: &[&KeyId],
    ) -> std::result::Result<Vec<Option<String>>, Unavailable> {
        Err(Unavailable)
    }

    async fn write(&self, _changes: &[Change<'_>]) -> std::result::Result<bool, Unavailable> {
        Err(Unavailable)
    }
}
