//! The platform, as the core sees it: every operation that the gate awaits while it decides. The edge
//! implements these traits with the bindings; tests and the command have implementations of their own.

use crate::base::day::Day;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::digest::Algorithm;
use crate::credential::signature::Nonce;
use crate::keys::KeyId;

/// The error of an operation whose binding is missing, failed, or did not answer in time, so its result
/// is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// The reason why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is too long.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The isolate has as many bodies in memory as it may.
    Overloaded,
    /// The caller broke off.
    CallerGone,
}

/// The instructions for reading a whole body.
#[derive(Clone, Copy, Debug)]
pub struct ReadBody<'a> {
    /// Longest body, in bytes.
    pub max_bytes: u64,
    /// Longest wait for the whole of it, in milliseconds.
    pub timeout_ms: u32,
    /// Digests of the body to compute.
    pub algorithms: &'a [Algorithm],
}

/// A Secrets Store: upstream tokens that are read at run time.
#[expect(async_fn_in_trait, reason = "a Worker has one thread, so no future need be Send")]
pub trait SecretsStore {
    /// Returns the current value of the secret with the binding `name`.
    ///
    /// # Errors
    /// When there is no value, or the store does not answer.
    async fn secret(&self, name: &str) -> Result<Secret, Unavailable>;
}

/// The operations that any request may need.
#[expect(async_fn_in_trait, reason = "a Worker has one thread, so no future need be Send")]
pub trait Platform: SecretsStore {
    /// Returns the current time, which advances while something is awaited.
    fn now(&self) -> Timestamp;

    /// Returns the record of a key in the registry as text. It may be up to a minute old.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn record(&self, id: &KeyId) -> Result<Option<String>, Unavailable>;

    /// Counts a request under `rate_limit_key` at the rate limiter with this binding. Returns true if it
    /// is within the limit.
    ///
    /// # Errors
    /// When the binding does not exist, or does not answer.
    async fn within_rate(&self, binding: &str, rate_limit_key: &str) -> Result<bool, Unavailable>;

    /// Reads the whole body, which may be empty, and buffers it for forwarding. Returns its digests in
    /// the order of `algorithms`.
    ///
    /// # Errors
    /// When the body is too long or too slow, the caller broke off, or there is no memory for it.
    async fn read_body(&self, options: ReadBody<'_>) -> Result<Vec<Vec<u8>>, BodyError>;

    /// Sends a batch of usage to a key's ledger, and returns its answer (see `limits::usage`).
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn submit_usage(&self, key: &KeyId, batch: &str) -> Result<String, Unavailable>;

    /// Records a nonce of this key until its signature would be stale anyway. Returns true if the nonce
    /// is new.
    ///
    /// # Errors
    /// When it could not be recorded.
    async fn remember_nonce(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, Unavailable>;
}

/// The operations that only the gate's own paths need.
#[expect(async_fn_in_trait, reason = "a Worker has one thread, so no future need be Send")]
pub trait AdminBackend {
    /// Sends each key's batch to its ledger, unless it is empty, then reads the key's usage from one day to
    /// another, both included. Returns the ledgers' answers to the batches and the JSON arrays of rows, in the
    /// same order.
    ///
    /// # Errors
    /// When one of the ledgers does not answer.
    async fn usage(
        &self,
        batches: &[(String, String)],
        from: Day,
        to: Day,
    ) -> Result<Vec<(String, String)>, Unavailable>;

    /// Stores a purge marker. When this returns, it counts for every isolate of this data centre.
    ///
    /// # Errors
    /// When the cache does not answer.
    async fn purge(&self, marker: &str) -> Result<(), Unavailable>;

    /// Returns the body that was read; empty if none was.
    fn body(&self) -> Vec<u8>;

    /// Returns 16 random bytes.
    fn random(&self) -> [u8; 16];

    /// Posts a form to Turnstile's siteverify at `url`, once. Returns the status and the body of its answer,
    /// whatever they are.
    ///
    /// # Errors
    /// When there is no whole answer of bearable length in time.
    async fn siteverify(&self, url: &str, form: &str) -> Result<(u16, String), Unavailable>;

    /// Returns a page of the registry: the first one, or the one at `cursor`.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn record_page(&self, cursor: Option<&str>) -> Result<RecordPage, Unavailable>;

    /// Returns the names of a page of at most `limit` records of the registry: the first page, or the one at
    /// `cursor`; and the cursor of the next page, `None` after the last.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn record_names(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<String>), Unavailable>;

    /// Returns the records of these keys, at most 100, as texts in the same order. They are as they were
    /// last written anywhere; a read of KV could be a minute old.
    ///
    /// # Errors
    /// When the registry's writer does not answer.
    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Unavailable>;

    /// Writes these records, all or none. Returns false, and writes nothing, if the text of one is not
    /// the expected one.
    ///
    /// # Errors
    /// When it is not known whether they were written.
    async fn write(&self, changes: &[Change<'_>]) -> Result<bool, Unavailable>;
}

/// A change of a record in the registry.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The key id of the record.
    pub id: &'a KeyId,
    /// The text that it must have before; `None` for a new record.
    pub from: Option<&'a str>,
    /// The text that it has afterwards.
    pub to: &'a str,
}

/// A page of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPage {
    /// Names in KV and texts, sorted by name.
    pub records: Vec<(String, String)>,
    /// The cursor of the next page; `None` after the last.
    pub cursor: Option<String>,
}
