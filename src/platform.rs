//! What the gate asks of the platform: all that has to be waited for while it decides. The edge
//! implements it with the bindings; tests and the command have their own.

use crate::base::day::Day;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::digest::Algorithm;
use crate::credential::signature::Nonce;
use crate::keys::KeyId;

/// Something of the platform is missing, failed, or did not answer in time: what it would have said
/// cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than what is read.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The isolate holds as many bodies as it may.
    Overloaded,
    /// The caller broke off, and nobody is left to answer.
    CallerGone,
}

/// A body to read, whole.
#[derive(Clone, Copy, Debug)]
pub struct ReadBody<'a> {
    /// Longest body, in bytes.
    pub max_bytes: u64,
    /// Longest wait for the whole of it, in milliseconds.
    pub timeout_ms: u32,
    /// The digests to compute of it.
    pub algorithms: &'a [Algorithm],
}

/// Where tokens are that are no Workers Secrets.
#[expect(async_fn_in_trait, reason = "a Worker has one thread, so no future need be Send")]
pub trait SecretsStore {
    /// What the binding `name` to a Secrets Store has now.
    ///
    /// # Errors
    /// When it has nothing, or does not answer.
    async fn secret(&self, name: &str) -> Result<Secret, Unavailable>;
}

/// What any request may need.
#[expect(async_fn_in_trait, reason = "a Worker has one thread, so no future need be Send")]
pub trait Platform: SecretsStore {
    /// The time now. It moves on while something is awaited.
    fn now(&self) -> Timestamp;

    /// The record of a key in the registry, as its text; perhaps of a minute ago.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn record(&self, id: &KeyId) -> Result<Option<String>, Unavailable>;

    /// Counts a request, as `rate_limit_key`, at the rate limiter of this binding: whether it is within.
    ///
    /// # Errors
    /// When there is no such binding, or it does not answer.
    async fn within_rate(&self, binding: &str, rate_limit_key: &str) -> Result<bool, Unavailable>;

    /// Reads the whole body (nothing where there is none), holds it to be forwarded, and returns its
    /// digests in the order asked.
    ///
    /// # Errors
    /// When it is too long or too slow, broke off, or there is no room for it.
    async fn read_body(&self, wanted: ReadBody<'_>) -> Result<Vec<Vec<u8>>, BodyError>;

    /// Sends a batch of usage to a key's ledger, and returns its answer (see [`crate::limits::usage`]).
    ///
    /// # Errors
    /// When it does not answer.
    async fn submit_usage(&self, key: &KeyId, batch: &str) -> Result<String, Unavailable>;

    /// Records a nonce of this key until it would be stale anyway; whether it is new.
    ///
    /// # Errors
    /// When it could not be recorded.
    async fn remember(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, Unavailable>;
}

/// What the gate's own paths need beside that.
#[expect(async_fn_in_trait, reason = "a Worker has one thread, so no future need be Send")]
pub trait AdminBackend {
    /// The usage of a key from a day to another, both included, as a JSON array of rows.
    ///
    /// # Errors
    /// When its ledger does not answer.
    async fn usage(&self, key: &KeyId, from: Day, to: Day) -> Result<String, Unavailable>;

    /// Marks answers as purged, for every isolate of this data centre by when this has ended.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn purge(&self, mark: &str) -> Result<(), Unavailable>;

    /// The body that was read; empty where none was.
    fn body(&self) -> Vec<u8>;

    /// 16 random bytes.
    fn random(&self) -> [u8; 16];

    /// A page of the registry, from the beginning or from where the last one ended.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn page(&self, cursor: Option<&str>) -> Result<Page, Unavailable>;

    /// The records of these keys as their texts, at most 100, in the order asked. They are as they were
    /// last written anywhere, which the registry alone may not say for a minute.
    ///
    /// # Errors
    /// When the registry's writer does not answer.
    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Unavailable>;

    /// Writes these records, all or none, if each still is what it was: returns false, and writes
    /// nothing, if one is not.
    ///
    /// # Errors
    /// When that cannot be told to have happened.
    async fn write(&self, changes: &[Change<'_>]) -> Result<bool, Unavailable>;
}

/// A record of the registry that changes.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Whose.
    pub id: &'a KeyId,
    /// The text it must have now; `None` for a new one.
    pub from: Option<&'a str>,
    /// The text it gets.
    pub to: &'a str,
}

/// A page of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Names in KV and texts, by name.
    pub records: Vec<(String, String)>,
    /// Where the next one begins; `None` after the last.
    pub cursor: Option<String>,
}
