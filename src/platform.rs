//! What the gate asks of the platform: all that has to be waited for while it decides. The edge
//! implements it with the bindings; tests and the command have their own.

use crate::credential::digest::Algorithm;
use crate::credential::signature::Nonce;
use crate::day::Day;
use crate::key::KeyId;
use crate::secret::Secret;

/// Something of the platform is missing, failed, or did not answer in time: what it would have said
/// cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than what is read.
    TooLarge,
    /// The caller broke off, and nobody is left to answer.
    CallerGone,
}

/// Where tokens are that are no Workers Secrets.
#[expect(
    async_fn_in_trait,
    reason = "a Worker has one thread, so no future need be Send"
)]
pub trait SecretsStore {
    /// What the binding `name` to a Secrets Store has now.
    ///
    /// # Errors
    /// When it has nothing, or does not answer.
    async fn secret(&self, name: &str) -> Result<Secret, Silent>;
}

/// What any request may need.
#[expect(
    async_fn_in_trait,
    reason = "a Worker has one thread, so no future need be Send"
)]
pub trait Platform: SecretsStore {
    /// The record of a key in the registry, as its text; perhaps of a minute ago.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn record(&self, id: &KeyId) -> Result<Option<String>, Silent>;

    /// Counts a request, as `counted_as`, at the rate limiter of this binding: whether it is within.
    ///
    /// # Errors
    /// When there is no such binding, or it does not answer.
    async fn within_rate(&self, binding: &str, counted_as: &str) -> Result<bool, Silent>;

    /// Reads the whole body (nothing where there is none), keeps it to be forwarded, and returns its digests in the order asked.
    ///
    /// # Errors
    /// When it is longer than `most` bytes, or broke off.
    async fn digest_body(
        &self,
        most: u64,
        algorithms: &[Algorithm],
    ) -> Result<Vec<Vec<u8>>, BodyError>;

    /// Sends a batch of usage to a key's ledger, and returns its answer (see [`crate::usage`]).
    ///
    /// # Errors
    /// When it does not answer.
    async fn tally(&self, key: &KeyId, batch: &str) -> Result<String, Silent>;

    /// Records a nonce of this key until it would be stale anyway; whether it is new.
    ///
    /// # Errors
    /// When it could not be recorded.
    async fn remember(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, Silent>;
}

/// What the gate's own paths need beside that.
#[expect(
    async_fn_in_trait,
    reason = "a Worker has one thread, so no future need be Send"
)]
pub trait Office {
    /// The usage of a key from a day to another, both included, as a JSON array of rows.
    ///
    /// # Errors
    /// When its ledger does not answer.
    async fn usage(&self, key: &KeyId, from: Day, to: Day) -> Result<String, Silent>;

    /// Marks answers as purged, for every isolate of this data centre by when this has ended.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn purge(&self, mark: &str) -> Result<(), Silent>;

    /// The whole body, also one that was read to be compared.
    ///
    /// # Errors
    /// When it is longer than `most` bytes, or broke off.
    async fn body(&self, most: u64) -> Result<Vec<u8>, BodyError>;

    /// A page of the registry, from the beginning or from where the last one ended.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn page(&self, cursor: Option<&str>) -> Result<Page, Silent>;

    /// The records of these keys as their texts, at most 100, in the order asked.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Silent>;

    /// Writes new records: all of them, or none.
    ///
    /// # Errors
    /// When they could not be written.
    async fn create(&self, records: &[(&KeyId, String)]) -> Result<(), Silent>;

    /// Writes a record in place of the one that is there.
    ///
    /// # Errors
    /// When that cannot be told to have happened.
    async fn replace(&self, id: &KeyId, record: &str) -> Result<(), Silent>;
}

/// A page of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Names in KV and texts, by name.
    pub records: Vec<(String, String)>,
    /// Where the next one begins; `None` after the last.
    pub cursor: Option<String>,
}
