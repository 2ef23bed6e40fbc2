//! A caller's credential (docs/wire-contract.md, "Credentials"): parsing, selecting and verifying it
//! belongs here. Nothing in a credential is believed before [`UnverifiedCredential::verify`]. What a
//! verified caller may do does not belong here (see `gateway::authorize`).
//!
//! The messages that the four schemes authenticate are never equal because they begin differently: a
//! session's with the base64url of white space or `{`, a signature base with `"`, a signed URL's with
//! `w`, a WAF-token URL's with `/`.

pub mod accept_signature;
pub mod base;
mod candidates;
pub mod digest;
mod redact;
pub mod session;
pub mod signature;
pub mod signing;
pub mod structured;
pub mod turnstile;
pub mod url;

use std::rc::Rc;

use crate::base::mac::MacKey;
use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::keys::{DerivedKey, Key, KeyId, Scheme};
use crate::policy::origin::Origin;
use crate::problem::Refusal;

use session::{Claims, Session};
use signature::{Signature, SignedFacts};
use url::{CredentialParams, SignedUrl, WafUrl};

pub use candidates::CredentialCandidates;

/// A well-formed credential. Nothing in it is verified.
#[derive(Debug)]
pub struct UnverifiedCredential<'a> {
    key: KeyId,
    kind: CredentialKind<'a>,
    key_in_query: bool,
}

#[derive(Debug)]
enum CredentialKind<'a> {
    /// A session, with the signature by its session secret if it is bound.
    Session(Box<Session<'a>>, Option<Box<Signature>>),
    Signature(Box<Signature>),
    SignedUrl(Box<SignedUrl<'a>>),
    WafUrl(Box<WafUrl<'a>>),
    PublicKey,
}

/// The values, other than the key record, that a credential is checked against.
#[derive(Debug)]
pub struct Limits<'a> {
    /// The current time.
    pub now: Timestamp,
    /// Longest time, in seconds, until a session ends.
    pub session_max_ttl: i64,
    /// Tolerated difference of clocks, in seconds.
    pub clock_skew: i64,
    /// The gate's own origin, as the caller reached it. Only needed for a credential that names an
    /// audience.
    pub audience: Option<&'a Origin>,
    /// The route accepts a body that the signature does not cover.
    pub unsigned_body: bool,
    /// The MAC key of WAF-token URLs.
    pub waf_secret: Option<&'a MacKey>,
}

/// The reason why a credential is not accepted.
#[derive(Debug)]
pub enum VerifyError {
    /// The caller's fault.
    Refused(Refusal),
    /// `signature-invalid` for an RFC 9421 signature, with the base as the gate computed it, without
    /// secret values.
    SignatureInvalid(String),
    /// The credential is a WAF-token URL, and the gate has no `WAF_SECRET`.
    NoWafSecret,
}

impl From<Refusal> for VerifyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl UnverifiedCredential<'_> {
    /// Returns the id of the key that the credential names. The caller chose it, so it must not be
    /// logged before a record of that id is found: it may be a secret in the wrong place.
    pub const fn key(&self) -> &KeyId {
        &self.key
    }

    /// Returns the scheme.
    pub const fn scheme(&self) -> Scheme {
        match self.kind {
            CredentialKind::Session(..) => Scheme::Session,
            CredentialKind::Signature(_) => Scheme::Signature,
            CredentialKind::SignedUrl(_) => Scheme::Url,
            CredentialKind::WafUrl(_) => Scheme::WafUrl,
            CredentialKind::PublicKey => Scheme::PublicKey,
        }
    }

    /// Returns the `cnf` kid of a bound session; `None` for any other credential.
    pub fn bound_to(&self) -> Option<&str> {
        match &self.kind {
            CredentialKind::Session(session, _) => session.bound_to(),
            CredentialKind::Signature(_)
            | CredentialKind::SignedUrl(_)
            | CredentialKind::WafUrl(_)
            | CredentialKind::PublicKey => None,
        }
    }

    /// Returns true if the credential names an audience (`aud`).
    pub fn names_audience(&self) -> bool {
        matches!(&self.kind, CredentialKind::Session(session, _) if session.names_audience())
    }

    /// Verifies the credential against its key record: revocation, expiry, scheme and whether it can
    /// carry the nonce that the key requires; then the MAC; then times and audience.
    ///
    /// # Errors
    /// `key-revoked`, `key-expired`, `scheme-not-allowed`, `proof-missing`, and those of
    /// [`Session::verify`], [`Signature::verify`], [`SignedUrl::verify`] and [`WafUrl::verify`].
    pub fn verify(
        self,
        derived_key: &Rc<DerivedKey>,
        head: &Head<'_>,
        limits: &Limits<'_>,
    ) -> Result<Verified, VerifyError> {
        let key = derived_key.key();
        let scheme = self.scheme();
        check_key(key, limits.now)?;
        if !key.schemes.contains(&scheme) {
            return Err(Refusal::SchemeNotAllowed.into());
        }
        let signed =
            matches!(self.kind, CredentialKind::Signature(_) | CredentialKind::Session(_, Some(_)));
        if key.nonce_required && !signed {
            return Err(Refusal::ProofMissing.into());
        }
        let mut verified = Verified {
            derived_key: Rc::clone(derived_key),
            scheme,
            end: End::default(),
            claims: None,
            signed_facts: None,
            params: match self.key_in_query {
                true => CredentialParams::Key,
                false => CredentialParams::Nothing,
            },
        };
        match self.kind {
            CredentialKind::Session(session, signature) => {
                let kid = session.bound_to().map(str::to_owned);
                verified.end.add(session.expires(), Refusal::SessionExpired);
                verified.claims = Some(session.verify(derived_key, limits)?);
                verified.signed_facts = match (kid, signature) {
                    (None, _) => None,
                    (Some(_), None) => return Err(Refusal::ProofMissing.into()),
                    (Some(kid), Some(signature)) => {
                        let verifies =
                            |base: &[u8], tag: &[u8]| derived_key.session_verifies(&kid, base, tag);
                        Some(signature.verify(key, head, limits, true, verifies)?)
                    }
                };
            }
            CredentialKind::Signature(signature) => {
                let verifies = |base: &[u8], tag: &[u8]| derived_key.verifies(base, tag);
                verified.signed_facts = Some(signature.verify(key, head, limits, false, verifies)?);
            }
            CredentialKind::SignedUrl(url) => {
                verified.end.add(url.verify(derived_key, limits)?, Refusal::UrlExpired);
                verified.params = CredentialParams::Signed;
            }
            CredentialKind::WafUrl(url) => {
                verified.end.add(url.verify(derived_key, limits)?, Refusal::UrlExpired);
                verified.params = CredentialParams::Waf;
            }
            CredentialKind::PublicKey => {}
        }
        if let Some(signed_facts) = &verified.signed_facts {
            verified.end.add(signed_facts.end, Refusal::SignatureStale);
        }
        if let Some(expires) = key.expires {
            verified.end.add(expires, Refusal::KeyExpired);
        }
        Ok(verified)
    }
}

/// A verified credential. Only [`UnverifiedCredential::verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    derived_key: Rc<DerivedKey>,
    scheme: Scheme,
    end: End,
    claims: Option<Claims>,
    signed_facts: Option<SignedFacts>,
    params: CredentialParams,
}

/// The first moment at which a credential is no longer valid, and the refusal from then on; `None` for a
/// credential that does not end.
#[derive(Clone, Copy, Debug, Default)]
struct End(Option<(Timestamp, Refusal)>);

impl End {
    fn add(&mut self, at: Timestamp, refusal: Refusal) {
        if self.0.is_none_or(|(earliest, _)| at < earliest) {
            self.0 = Some((at, refusal));
        }
    }
}

impl Verified {
    /// Returns the record of the credential's key.
    pub fn key(&self) -> &Key {
        self.derived_key.key()
    }

    /// Returns the key that the credential was verified against.
    pub const fn derived_key(&self) -> &Rc<DerivedKey> {
        &self.derived_key
    }

    /// Checks that the credential has not ended at `now`.
    ///
    /// # Errors
    /// `session-expired`, `signature-stale`, `url-expired`, `key-expired`.
    pub fn check_end(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.end.0 {
            Some((end, refusal)) if now >= end => Err(refusal),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the claims of a session; `None` for any other credential.
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// Returns what the signature establishes about the request; `None` without a signature.
    pub const fn signed_facts(&self) -> Option<&SignedFacts> {
        self.signed_facts.as_ref()
    }

    /// Returns the query parameters that were the credential and so must not reach the upstream.
    pub const fn params(&self) -> CredentialParams {
        self.params
    }
}

/// Checks that a key may be used at `now`.
///
/// # Errors
/// `key-revoked`, `key-expired`.
pub fn check_key(key: &Key, now: Timestamp) -> Result<(), Refusal> {
    match key.expires {
        _ if key.revoked => Err(Refusal::KeyRevoked),
        Some(expires) if now >= expires => Err(Refusal::KeyExpired),
        Some(_) | None => Ok(()),
    }
}
