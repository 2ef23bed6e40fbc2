//! What is checked last, because it costs I/O or leaves something behind: the rate, the body's digest,
//! then the nonce (contract section 4). [`Allowed`] → [`Admitted`].

use crate::credential::digest::{Algorithm, Digests, MAX_BODY_BYTES};
use crate::credential::signature::Nonce;
use crate::key::KeyId;
use crate::policy::{self, Allowed};
use crate::problem::Refusal;
use crate::rates;
use crate::request::Head;

/// What the gate asks of the platform while it decides.
#[expect(
    async_fn_in_trait,
    reason = "a Worker has one thread, so no future need be Send"
)]
pub trait Platform {
    /// The record of a key in the registry, as its text.
    ///
    /// # Errors
    /// When the registry does not answer.
    async fn record(&self, id: &KeyId) -> Result<Option<String>, Unread>;

    /// Counts a request, as `counted_as`, at the rate limiter of this binding: whether it is within.
    ///
    /// # Errors
    /// When there is no such binding, or it does not answer.
    async fn within_rate(&self, binding: &str, counted_as: &str) -> Result<bool, NotCounted>;

    /// Reads the whole body (nothing where there is none), keeps it to be forwarded, and returns its digests in the order asked.
    ///
    /// # Errors
    /// When it is longer than `most` bytes, or broke off.
    async fn digest_body(
        &self,
        most: u64,
        algorithms: &[Algorithm],
    ) -> Result<Vec<Vec<u8>>, BodyError>;

    /// Records a nonce of this key until it would be stale anyway; whether it is new.
    ///
    /// # Errors
    /// When it could not be recorded.
    async fn remember(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, NotRecorded>;
}

/// Why a body could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than what is read.
    TooLarge,
    /// The caller broke off, and nobody is left to answer.
    CallerGone,
}

/// The registry could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

/// A request could not be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCounted;

/// A nonce could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

/// Why a request that is allowed is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The caller's fault.
    Refused(Refusal),
    /// Its key has had enough for now.
    OverRate,
    /// Whether its key has had enough cannot be told.
    NotCounted,
    /// The caller broke off.
    CallerGone,
    /// Whether it was sent before cannot be told.
    NotRecorded,
}

impl From<Refusal> for NotAdmitted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A request that is allowed, whose body is what was signed, and which was not sent before. Only
/// [`admit`] makes one.
#[derive(Debug)]
pub struct Admitted<'k> {
    allowed: Allowed<'k>,
    body_held: bool,
}

impl<'k> Admitted<'k> {
    /// What was allowed.
    #[must_use]
    pub const fn allowed(&self) -> &Allowed<'k> {
        &self.allowed
    }

    /// Whether the platform holds the body, because it was read to be compared.
    #[must_use]
    pub const fn body_held(&self) -> bool {
        self.body_held
    }
}

/// Counts the request at its key's limiter, compares the body, of at most `max_body_bytes`, with its
/// signed digest, then records the nonce.
///
/// # Errors
/// `rate-limited`, `body-too-large`, `digest-mismatch`, `replayed`.
pub async fn admit<'k>(
    allowed: Allowed<'k>,
    head: &Head<'_>,
    max_body_bytes: u64,
    platform: &impl Platform,
) -> Result<Admitted<'k>, NotAdmitted> {
    let key = allowed.verified().key();
    if let Some(rate) = &key.rate {
        let scheme = allowed.verified().scheme();
        let counted_as = rates::counted_as(&key.id, scheme, policy::caller_address(head));
        match platform
            .within_rate(&rates::binding(rate), &counted_as)
            .await
        {
            Ok(true) => {}
            Ok(false) => return Err(NotAdmitted::OverRate),
            Err(NotCounted) => return Err(NotAdmitted::NotCounted),
        }
    }
    let mut body_held = false;
    if let Some(proven) = allowed.verified().proven() {
        if let Some(digests) = &proven.digests {
            let most = max_body_bytes.min(MAX_BODY_BYTES);
            check_body(digests, head, most, platform).await?;
            body_held = head.has_body();
        }
        if let Some(nonce) = &proven.nonce {
            match platform.remember(&key.id, nonce).await {
                Ok(true) => {}
                Ok(false) => return Err(Refusal::Replayed.into()),
                Err(NotRecorded) => return Err(NotAdmitted::NotRecorded),
            }
        }
    }
    Ok(Admitted { allowed, body_held })
}

async fn check_body(
    digests: &Digests,
    head: &Head<'_>,
    most: u64,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let algorithms: Vec<Algorithm> = digests.algorithms().collect();
    if head.has_body() && head.content_length().is_some_and(|length| length > most) {
        return Err(Refusal::BodyTooLarge.into());
    }
    let computed = match platform.digest_body(most, &algorithms).await {
        Ok(computed) => computed,
        Err(BodyError::TooLarge) => return Err(Refusal::BodyTooLarge.into()),
        Err(BodyError::CallerGone) => return Err(NotAdmitted::CallerGone),
    };
    match digests.are(&computed) {
        true => Ok(()),
        false => Err(Refusal::DigestMismatch.into()),
    }
}
