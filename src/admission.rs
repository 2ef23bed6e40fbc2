//! What is checked last, because it costs I/O or leaves something behind: the rate, the body's digest,
//! then the nonce (contract section 4). [`Allowed`] → [`Admitted`].

use crate::credential::Verified;
use crate::credential::digest::{Algorithm, Digests, MAX_BODY_BYTES};
use crate::platform::{BodyError, Platform, Silent};
use crate::policy::{self, Allowed, Entitled};
use crate::problem::Refusal;
use crate::rates;
use crate::request::Head;

/// Why a request that is allowed is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The caller's fault.
    Refused(Refusal),
    /// Its key has had enough for now.
    OverRate,
    /// Whether its key has had enough cannot be told.
    RateSilent,
    /// The caller broke off.
    CallerGone,
    /// Whether it was sent before cannot be told.
    ReplaySilent,
}

impl From<Refusal> for NotAdmitted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BodyError> for NotAdmitted {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Refusal::BodyTooLarge.into(),
            BodyError::CallerGone => Self::CallerGone,
        }
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
    let verified = allowed.verified();
    count(verified, head, platform).await?;
    let body_held = compare(verified, head, max_body_bytes, platform).await?;
    Ok(Admitted { allowed, body_held })
}

/// The same for the gate's own paths, which nothing forwards.
///
/// # Errors
/// As [`admit`].
pub async fn admit_own(
    entitled: &Entitled<'_>,
    head: &Head<'_>,
    max_body_bytes: u64,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let verified = entitled.verified();
    count(verified, head, platform).await?;
    compare(verified, head, max_body_bytes, platform).await?;
    Ok(())
}

/// Counts the request at its key's limiter.
async fn count(
    verified: &Verified<'_>,
    head: &Head<'_>,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let key = verified.key();
    let Some(rate) = &key.rate else {
        return Ok(());
    };
    let address = policy::caller_address(head);
    let counted_as = rates::counted_as(&key.id, verified.scheme(), address);
    match platform
        .within_rate(&rates::binding(rate), &counted_as)
        .await
    {
        Ok(true) => Ok(()),
        Ok(false) => Err(NotAdmitted::OverRate),
        Err(Silent) => Err(NotAdmitted::RateSilent),
    }
}

/// Compares the body with its signed digest, then records the nonce; whether the platform holds the
/// body now.
async fn compare(
    verified: &Verified<'_>,
    head: &Head<'_>,
    max_body_bytes: u64,
    platform: &impl Platform,
) -> Result<bool, NotAdmitted> {
    let Some(proven) = verified.proven() else {
        return Ok(false);
    };
    let mut body_held = false;
    if let Some(digests) = &proven.digests {
        let most = max_body_bytes.min(MAX_BODY_BYTES);
        check_body(digests, head, most, platform).await?;
        body_held = head.has_body();
    }
    if let Some(nonce) = &proven.nonce {
        match platform.remember(&verified.key().id, nonce).await {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::Replayed.into()),
            Err(Silent) => return Err(NotAdmitted::ReplaySilent),
        }
    }
    Ok(body_held)
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
    let computed = platform.digest_body(most, &algorithms).await?;
    match digests.are(&computed) {
        true => Ok(()),
        false => Err(Refusal::DigestMismatch.into()),
    }
}
