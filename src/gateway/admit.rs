//! The checks that need I/O or have effects, so they come last: rate limit, quota, the body's digest,
//! then the nonce (docs/wire-contract.md, "Order"). [`Allowed`] → [`Admitted`].
//!
//! A body may take long to arrive, so there are two steps: [`receive`] reads the body, and [`admit`]
//! makes the reservation and records the nonce. Between them the gate checks again everything that may
//! have changed.

use crate::base::request::{Head, caller_address};
use crate::base::time::Timestamp;
use crate::credential::Verified;
use crate::credential::digest::{Algorithm, MAX_BODY_BYTES};
use crate::credential::session::Claims;
use crate::gateway::authorize::{AdminAllowed, Allowed};
use crate::keys::{Key, Quota};
use crate::limits::quota::Totals;
use crate::limits::rate;
use crate::limits::usage::{InFlightGuard, MalformedAnswer, Usage};
use crate::platform::{BodyError, Platform, ReadBody, Unavailable};
use crate::problem::Refusal;

/// The reason why an allowed request is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The caller's fault.
    Refused(Refusal),
    /// The key has reached its rate limit.
    OverRate,
    /// The rate limiter does not answer.
    RateUnavailable,
    /// The key has used this much of its quota, which is all.
    OverQuota(Quota, Totals),
    /// The key's ledger does not answer.
    LedgerUnavailable,
    /// The caller broke off.
    CallerGone,
    /// The gate has as many bodies in memory as it may.
    Overloaded,
    /// The store of nonces does not answer.
    ReplayUnavailable,
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

/// The values that a quota is checked with.
#[derive(Clone, Copy, Debug)]
pub struct QuotaContext<'g> {
    /// The usage that this isolate knows.
    pub usage: &'g Usage,
    /// The current time.
    pub now: Timestamp,
}

/// The limits within which the gate reads a body before it acts on the request.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Longest body, in bytes.
    pub max_bytes: u64,
    /// Longest wait for the whole of it, in milliseconds.
    pub timeout_ms: u32,
    /// The gate needs the body even if no signature covers it.
    pub is_required: bool,
}

/// A request whose body has arrived, if the gate must read it, and matches the signed digest. Only
/// [`receive`] makes one.
#[derive(Debug)]
pub struct Received {
    is_buffered: bool,
}

/// An allowed request that may be forwarded: its body matches the signed digest, and its nonce is new.
/// Only [`admit`] makes one.
#[derive(Debug)]
pub struct Admitted {
    allowed: Allowed,
    is_buffered: bool,
}

impl Admitted {
    /// Returns the verified credential.
    pub fn verified(&self) -> &Verified {
        self.allowed.as_ref()
    }

    /// Returns true if the platform has buffered the body.
    pub const fn is_buffered(&self) -> bool {
        self.is_buffered
    }
}

/// Counts the request at its key's rate limiter, then reads the body if the gate must, and compares it
/// with the signed digest. With `quota`, a used-up quota is refused before the body is read.
///
/// # Errors
/// `rate-limited`, `quota-exceeded`, `body-too-large`, `body-timeout`, `digest-mismatch`, `overloaded`.
pub async fn receive(
    verified: &Verified,
    head: &Head<'_>,
    limits: BodyLimits,
    quota: Option<QuotaContext<'_>>,
    platform: &impl Platform,
) -> Result<Received, NotAdmitted> {
    count_at_limiter(verified, head, platform).await?;
    let digests = verified.signed_facts().and_then(|facts| facts.digests.as_ref());
    if digests.is_none() && !limits.is_required {
        return Ok(Received { is_buffered: false });
    }
    if let Some(quota_context) = quota {
        check_quota(verified.key(), quota_context, platform).await?;
    }
    let algorithms: Vec<Algorithm> =
        digests.map_or_else(Vec::new, |digests| digests.algorithms().collect());
    let max_bytes = limits.max_bytes.min(MAX_BODY_BYTES);
    if head.has_body() && head.content_length().is_some_and(|length| length > max_bytes) {
        return Err(Refusal::BodyTooLarge.into());
    }
    let body = ReadBody { max_bytes, timeout_ms: limits.timeout_ms, algorithms: &algorithms };
    let computed = platform.read_body(body).await?;
    match digests.is_none_or(|digests| digests.match_computed(&computed)) {
        true => Ok(Received { is_buffered: head.has_body() }),
        false => Err(Refusal::DigestMismatch.into()),
    }
}

/// Reserves one request of the key's quota, then records the nonce. The returned reservation counts the
/// request as under way.
///
/// # Errors
/// `quota-exceeded`, `replayed`.
pub async fn admit<'g>(
    allowed: Allowed,
    received: Received,
    quota_context: QuotaContext<'g>,
    platform: &impl Platform,
) -> Result<(Admitted, Option<InFlightGuard<'g>>), NotAdmitted> {
    let verified = allowed.as_ref();
    let key = verified.key();
    check_quota(key, quota_context, platform).await?;
    // Nothing is awaited between the check and the reservation, so no other request comes between.
    let reservation = key.quota.map(|_| InFlightGuard::new(quota_context.usage, &key.id));
    record_nonce(verified, platform).await?;
    let admitted = Admitted { allowed, is_buffered: received.is_buffered };
    Ok((admitted, reservation))
}

/// Admits a request for the gate's own paths: records its nonce. It is not forwarded, and no quota
/// applies.
///
/// # Errors
/// `replayed`.
pub async fn admit_admin(
    allowed: &AdminAllowed,
    _received: Received,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    record_nonce(allowed.as_ref(), platform).await
}

/// Counts the request at its key's rate limiter.
async fn count_at_limiter(
    verified: &Verified,
    head: &Head<'_>,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let key = verified.key();
    let Some(rate) = &key.rate else {
        return Ok(());
    };
    let address = caller_address(head);
    let for_page = verified.claims().is_some_and(Claims::is_for_page);
    let rate_limit_key = rate::rate_limit_key(&key.id, verified.scheme(), for_page, address);
    match platform.within_rate(&rate::binding(rate), &rate_limit_key).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(NotAdmitted::OverRate),
        Err(Unavailable) => Err(NotAdmitted::RateUnavailable),
    }
}

/// Checks that the key's quota is not used up, by a recent total of its ledger, or else by a new one.
async fn check_quota(
    key: &Key,
    QuotaContext { usage, now }: QuotaContext<'_>,
    platform: &impl Platform,
) -> Result<(), NotAdmitted> {
    let Some(quota) = key.quota else {
        return Ok(());
    };
    let (from, _) = quota.per.bounds(now);
    let used = match usage.total(&key.id, from, now) {
        Some(used) => Some(used),
        None => {
            let batch = usage.batch_for_quota(&key.id, quota.per, now);
            let answer = platform.submit_usage(&key.id, &batch).await;
            let answer = answer.map_err(|Unavailable| NotAdmitted::LedgerUnavailable)?;
            let settled = usage.settle(&key.id, &answer, now);
            settled.map_err(|MalformedAnswer| NotAdmitted::LedgerUnavailable)?;
            usage.total(&key.id, from, now)
        }
    };
    match used {
        None => Err(NotAdmitted::LedgerUnavailable),
        Some(used) if quota.is_used_up(used) => Err(NotAdmitted::OverQuota(quota, used)),
        Some(_) => Ok(()),
    }
}

/// Records the nonce that the key requires.
async fn record_nonce(verified: &Verified, platform: &impl Platform) -> Result<(), NotAdmitted> {
    let facts = verified.signed_facts();
    let Some(nonce) = facts.and_then(|facts| facts.nonce.as_ref()) else {
        return Ok(());
    };
    match platform.remember_nonce(&verified.key().id, nonce).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Replayed.into()),
        Err(Unavailable) => Err(NotAdmitted::ReplayUnavailable),
    }
}
