//! The checks that cost I/O or leave something behind, so they come last: the rate, the quota, the
//! body's digest, then the nonce (docs/wire-contract.md, section 4). [`Allowed`] → [`Admitted`].
//!
//! A body may take long to arrive. So there are two steps, and between them the gate looks again at
//! everything that may have changed: [`receive`] reads the body, [`admit`] reserves and records.

use crate::base::request::{Head, caller_address};
use crate::base::time::Timestamp;
use crate::credential::Verified;
use crate::credential::digest::{Algorithm, MAX_BODY_BYTES};
use crate::gateway::authorize::{AdminAllowed, Allowed};
use crate::keys::Key;
use crate::keys::Quota;
use crate::limits::quota::Totals;
use crate::limits::rate;
use crate::limits::usage::{InFlightGuard, NoAnswer, Usage};
use crate::platform::{BodyError, Platform, ReadBody, Unavailable};
use crate::problem::Refusal;

/// Why a request that is allowed is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The caller's fault.
    Refused(Refusal),
    /// Its key has had enough for now.
    OverRate,
    /// Whether its key has had enough cannot be told.
    RateSilent,
    /// Its key has had this much of its quota, which is all.
    OverQuota(Quota, Totals),
    /// What its key has had cannot be told.
    LedgerSilent,
    /// The caller broke off.
    CallerGone,
    /// The gate holds as many bodies in memory as it may.
    Overloaded,
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
            BodyError::TooSlow => Refusal::BodyTimeout.into(),
            BodyError::Overloaded => Self::Overloaded,
            BodyError::CallerGone => Self::CallerGone,
        }
    }
}

/// What quotas are counted with: the usage that this isolate knows of, and now.
#[derive(Clone, Copy, Debug)]
pub struct Counting<'g> {
    /// The usage.
    pub usage: &'g Usage,
    /// Now.
    pub now: Timestamp,
}

/// The limits within which the gate reads a body before it acts on the request.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Longest body, in bytes.
    pub max_bytes: u64,
    /// Longest wait for the whole of it, in milliseconds.
    pub timeout_ms: u32,
    /// The body is needed whole, whether or not a signature covers it.
    pub is_needed: bool,
}

/// A request whose body, if the gate must read it, is there and is the one that was signed. Only
/// [`receive`] makes one.
#[derive(Debug)]
pub struct Received {
    body_held: bool,
}

/// A request that is allowed, whose body is what was signed, and which was not sent before. Only
/// [`admit`] makes one.
#[derive(Debug)]
pub struct Admitted {
    allowed: Allowed,
    body_held: bool,
}

impl Admitted {
    /// Returns the verified credential.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        self.allowed.as_ref()
    }

    /// Returns true if the platform holds the body.
    #[must_use]
    pub const fn body_held(&self) -> bool {
        self.body_held
    }
}

/// Counts the request at its key's limiter, then reads the body where the gate must, and compares it with
/// its signed digest. A quota that is used up refuses before the body is read, where `quota` counts one.
///
/// # Errors
/// `rate-limited`, `quota-exceeded`, `body-too-large`, `body-timeout`, `digest-mismatch`, `overloaded`.
pub async fn receive(
    verified: &Verified,
    head: &Head<'_>,
    reading: Reading,
    quota: Option<Counting<'_>>,
    platform: &impl Platform,
) -> Result<Received, NotAdmitted> {
    count(verified, head, platform).await?;
    let digests = verified.proven().and_then(|proven| proven.digests.as_ref());
    if digests.is_none() && !reading.is_needed {
        return Ok(Received { body_held: false });
    }
    if let Some(counting) = quota {
        check_quota(verified.key(), counting, platform).await?;
    }
    let algorithms: Vec<Algorithm> =
        digests.map_or_else(Vec::new, |digests| digests.algorithms().collect());
    let max_bytes = reading.max_bytes.min(MAX_BODY_BYTES);
    if head.has_body() && head.content_length().is_some_and(|length| length > max_bytes) {
        return Err(Refusal::BodyTooLarge.into());
    }
    let wanted = ReadBody { max_bytes, timeout_ms: reading.timeout_ms, algorithms: &algorithms };
    let computed = platform.read_body(wanted).await?;
    match digests.is_none_or(|digests| digests.are(&computed)) {
        true => Ok(Received { body_held: head.has_body() }),
        false => Err(Refusal::DigestMismatch.into()),
    }
}

/// Reserves one request of the key's quota, then records the nonce. The reservation, which is returned
/// beside the request, counts it as under way.
///
/// # Errors
/// `quota-exceeded`, `replayed`.
pub async fn admit<'g>(
    allowed: Allowed,
    received: Received,
    counting: Counting<'g>,
    platform: &impl Platform,
) -> Result<(Admitted, Option<InFlightGuard<'g>>), NotAdmitted> {
    let verified = allowed.as_ref();
    let key = verified.key();
    check_quota(key, counting, platform).await?;
    // Nothing is awaited between the check and the reservation.
    let held = key.quota.map(|_| InFlightGuard::new(counting.usage, &key.id));
    record_nonce(verified, platform).await?;
    let admitted = Admitted { allowed, body_held: received.body_held };
    Ok((admitted, held))
}

/// Records the nonce of a request for the gate's own paths, which nothing forwards and no quota is for.
///
/// # Errors
/// `replayed`.
pub async fn admit_own(
    entitled: &AdminAllowed,
    _received: Received,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    record_nonce(entitled.as_ref(), platform).await
}

/// Counts the request at its key's limiter.
async fn count(
    verified: &Verified,
    head: &Head<'_>,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let key = verified.key();
    let Some(rate) = &key.rate else {
        return Ok(());
    };
    let address = caller_address(head);
    let rate_limit_key = rate::rate_limit_key(&key.id, verified.scheme(), address);
    match platform.within_rate(&rate::binding(rate), &rate_limit_key).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(NotAdmitted::OverRate),
        Err(Unavailable) => Err(NotAdmitted::RateSilent),
    }
}

/// Makes sure that the key's quota is not used up: as its ledger said lately, or says now.
async fn check_quota(
    key: &Key,
    Counting { usage, now }: Counting<'_>,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let Some(quota) = key.quota else {
        return Ok(());
    };
    let (from, _) = quota.per.bounds(now);
    let used = match usage.total(&key.id, from, now) {
        Some(used) => Some(used),
        None => {
            let batch = usage.ask(&key.id, quota.per, now);
            let answer = platform.submit_usage(&key.id, &batch).await;
            let answer = answer.map_err(|Unavailable| NotAdmitted::LedgerSilent)?;
            let settled = usage.settle(&key.id, &answer, now);
            settled.map_err(|NoAnswer| NotAdmitted::LedgerSilent)?;
            usage.total(&key.id, from, now)
        }
    };
    match used {
        None => Err(NotAdmitted::LedgerSilent),
        Some(used) if quota.is_used_up(used) => Err(NotAdmitted::OverQuota(quota, used)),
        Some(_) => Ok(()),
    }
}

/// Records the nonce that the key asks for.
async fn record_nonce(verified: &Verified, platform: &impl Platform) -> Result<(), NotAdmitted> {
    let proven = verified.proven();
    let Some(nonce) = proven.and_then(|proven| proven.nonce.as_ref()) else {
        return Ok(());
    };
    match platform.remember(&verified.key().id, nonce).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Replayed.into()),
        Err(Unavailable) => Err(NotAdmitted::ReplaySilent),
    }
}
