//! What is checked last, because it costs I/O or leaves something behind: the rate, the quota, the
//! body's digest, then the nonce (contract section 4). [`Allowed`] → [`Admitted`].

use crate::credential::Verified;
use crate::credential::digest::{Algorithm, Digests, MAX_BODY_BYTES};
use crate::key::Key;
use crate::platform::{BodyError, Platform, Silent};
use crate::policy::{self, Allowed, Entitled};
use crate::problem::Refusal;
use crate::quota::{Quota, Totals};
use crate::rates;
use crate::request::Head;
use crate::time::Timestamp;
use crate::usage::{Held, NoAnswer, Usage};

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

/// What quotas are counted with: the usage that this isolate knows of, and now.
#[derive(Clone, Copy, Debug)]
pub struct Counting<'g> {
    /// The usage.
    pub usage: &'g Usage,
    /// Now.
    pub now: Timestamp,
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

/// Counts the request at its key's limiter, makes sure that its quota is not used up, compares the body,
/// of at most `max_body_bytes`, with its signed digest, then records the nonce. What is returned beside
/// the request counts it as under way.
///
/// # Errors
/// `rate-limited`, `quota-exceeded`, `body-too-large`, `digest-mismatch`, `replayed`.
pub async fn admit<'k, 'g>(
    allowed: Allowed<'k>,
    head: &Head<'_>,
    max_body_bytes: u64,
    counting: Counting<'g>,
    platform: &impl Platform,
) -> Result<(Admitted<'k>, Option<Held<'g>>), NotAdmitted> {
    let verified = allowed.verified();
    count(verified, head, platform).await?;
    let held = hold(verified.key(), counting, platform).await?;
    let body_held = compare(verified, head, max_body_bytes, platform).await?;
    Ok((Admitted { allowed, body_held }, held))
}

/// The same for the gate's own paths, which nothing forwards and no quota is for.
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

/// Makes sure that the key's quota is not used up: as its ledger said lately, or says now.
async fn hold<'g>(
    key: &Key,
    Counting { usage, now }: Counting<'g>,
    platform: &impl Platform,
) -> Result<Option<Held<'g>>, NotAdmitted> {
    let Some(quota) = key.quota else {
        return Ok(None);
    };
    let (from, _) = quota.per.around(now);
    let had = match usage.total(&key.id, from, now) {
        Some(had) => Some(had),
        None => {
            let batch = usage.ask(&key.id, quota.per, now);
            let answer = platform.tally(&key.id, &batch).await;
            let answer = answer.map_err(|Silent| NotAdmitted::LedgerSilent)?;
            let settled = usage.settle(&key.id, &answer, now);
            settled.map_err(|NoAnswer| NotAdmitted::LedgerSilent)?;
            usage.total(&key.id, from, now)
        }
    };
    match had {
        None => Err(NotAdmitted::LedgerSilent),
        Some(had) if quota.is_used_up(had) => Err(NotAdmitted::OverQuota(quota, had)),
        Some(_) => Ok(Some(Held::new(usage, &key.id))),
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
