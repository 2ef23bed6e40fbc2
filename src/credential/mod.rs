//! What a caller presents (contract section 3): exactly one credential is picked here, and
//! nothing is believed of it before [`UnverifiedCredential::verify`].
//!
//! The messages that the four schemes authenticate can never be the same, for they begin
//! differently: a session's with the base64url of white space or `{`, a signature base with `"`, a
//! signed URL's with `w`, a WAF-token URL's with `/`.

pub mod accept_signature;
pub mod base;
pub mod digest;
pub mod session;
mod shown;
pub mod signature;
pub mod signing;
mod structured;
pub mod url;

use std::rc::Rc;

use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::keys::DerivedKey;
use crate::keys::{self, Key, KeyId, Scheme};
use crate::policy::origin::Origin;
use crate::problem::Refusal;

use crate::base::mac::MacKey;
use session::{Claims, Session};
use signature::{Labels, Signature, SignedFacts};
use url::{CredentialParams, SignedUrl, UrlCredential, WafUrl};

/// A credential whose form is right and of which nothing is known to be true.
#[derive(Debug)]
pub struct UnverifiedCredential<'a> {
    key: KeyId,
    proof: Proof<'a>,
    key_in_query: bool,
}

#[derive(Debug)]
enum Proof<'a> {
    /// Alone, or with a signature by its own key.
    Session(Box<Session<'a>>, Option<Box<Signature>>),
    Signature(Box<Signature>),
    SignedUrl(Box<SignedUrl<'a>>),
    WafUrl(Box<WafUrl<'a>>),
    PublicKey,
}

/// What a credential is held to beside its key's record.
#[derive(Debug)]
pub struct Limits<'a> {
    /// Now.
    pub now: Timestamp,
    /// Longest life left of a session, in seconds.
    pub session_max_ttl: i64,
    /// Excused difference of clocks, in seconds.
    pub clock_skew: i64,
    /// The gate's own origin, as the caller reached it. Only a credential that names an audience needs it.
    pub audience: Option<&'a Origin>,
    /// The route takes bodies that no signature covers.
    pub unsigned_body: bool,
    /// The MAC key of WAF-token URLs.
    pub waf_secret: Option<&'a MacKey>,
}

/// Why a credential does not hold.
#[derive(Debug)]
pub enum VerifyError {
    /// What the caller did wrong.
    Refused(Refusal),
    /// `signature-invalid` for an RFC 9421 signature: the base as the gate computed it, without the
    /// values of credentials.
    SignatureInvalid(String),
    /// A WAF-token URL, and the gate has no `WAF_SECRET`.
    NoWafSecret,
}

impl From<Refusal> for VerifyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Most labels of a request that may be looked up as ours: each may cost a read of the registry.
const MAX_SIGNERS: usize = 4;

/// What of a request may be a credential, its form read and none picked yet: that takes knowing which
/// of its signatures are by keys of this gate.
#[derive(Debug)]
pub struct CredentialCandidates<'a> {
    session: Option<Session<'a>>,
    in_header: Option<&'a str>,
    in_query: UrlCredential<'a>,
    labels: Labels<'a>,
}

impl<'a> CredentialCandidates<'a> {
    /// Reads the form of everything that may be a credential. `waf_key` is the route's key for WAF-token
    /// URLs that name none.
    ///
    /// # Errors
    /// `ambiguous-credential`, `bad-credential` for a wrong form.
    pub fn read(head: &Head<'a>, waf_key: Option<&'a KeyId>) -> Result<Self, Refusal> {
        let in_query = UrlCredential::read(head, waf_key);
        Ok(Self { in_query: in_query?, ..Self::in_headers(head)? })
    }

    /// The same where a query is never a credential.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn in_headers(head: &Head<'a>) -> Result<Self, Refusal> {
        Ok(Self {
            session: head.header("authorization").map(bearer).transpose()?,
            in_header: head.header("x-public-key").map(public_key).transpose()?,
            in_query: UrlCredential::Nothing,
            labels: Labels::read(head)?,
        })
    }

    /// The ids of keys that its signatures claim to be by: each must be looked up.
    ///
    /// # Errors
    /// `bad-credential` for more than 4.
    pub fn signers(&self) -> Result<Vec<KeyId>, Refusal> {
        let bound = self.session.as_ref().and_then(Session::bound_to);
        let mut signers = Vec::new();
        for keyid in self.labels.keyids().filter(|keyid| bound != Some(keyid)) {
            let Some(id) = KeyId::parse(keyid).filter(|id| !signers.contains(id)) else {
                continue;
            };
            if signers.len() == MAX_SIGNERS {
                return Err(Refusal::BadCredential);
            }
            signers.push(id);
        }
        Ok(signers)
    }

    /// Picks the request's one credential: `Authorization`, a signature, a link, or a public key
    /// alone. A session may come with a signature by its own key; `X-Public-Key` and `?key=` may go
    /// with any credential of the same key. `is_key` tells which of [`CredentialCandidates::signers`] exist.
    ///
    /// # Errors
    /// `credential-missing`, `ambiguous-credential`, `key-unknown` for a signature that only looks as
    /// if it were by a key, `bad-credential` and `signature-unsupported` for a wrong form.
    pub fn pick(
        self,
        head: &Head<'a>,
        is_key: impl Fn(&str) -> bool,
    ) -> Result<UnverifiedCredential<'a>, Refusal> {
        let Self { session, in_header, in_query, labels } = self;
        let bound = session.as_ref().and_then(Session::bound_to);
        let signature =
            labels.find_signature(head, |keyid| bound == Some(keyid) || is_key(keyid))?;
        let by_session =
            signature.as_ref().is_some_and(|signature| bound == Some(signature.keyid()));
        let signer = signature.as_ref().filter(|_| !by_session);
        let key = only([
            session.as_ref().map(Session::key),
            signer.map(Signature::keyid),
            in_header,
            in_query.key(),
        ])?;
        let key = key.ok_or_else(|| match labels.name_a_key() {
            true => Refusal::KeyUnknown,
            false => Refusal::CredentialMissing,
        })?;
        let key_in_query = matches!(in_query, UrlCredential::Key(_));
        let signature = signature.map(Box::new);
        let proof = match (session, signature, in_query) {
            (Some(session), None, UrlCredential::Nothing | UrlCredential::Key(_)) => {
                Proof::Session(Box::new(session), None)
            }
            (Some(session), signature, UrlCredential::Nothing | UrlCredential::Key(_))
                if by_session =>
            {
                Proof::Session(Box::new(session), signature)
            }
            (None, Some(signature), UrlCredential::Nothing | UrlCredential::Key(_)) => {
                Proof::Signature(signature)
            }
            (None, None, UrlCredential::Signed(url)) => Proof::SignedUrl(Box::new(url)),
            (None, None, UrlCredential::Waf(url)) => Proof::WafUrl(Box::new(url)),
            (None, None, UrlCredential::Nothing | UrlCredential::Key(_)) => Proof::PublicKey,
            _ => return Err(Refusal::AmbiguousCredential),
        };
        Ok(UnverifiedCredential { key, proof, key_in_query })
    }
}

impl UnverifiedCredential<'_> {
    /// The id of the key it claims to be of. The caller chose it: not for the log until a record
    /// of that id was found, for it may be a secret in the wrong place.
    #[must_use]
    pub const fn key(&self) -> &KeyId {
        &self.key
    }

    /// What kind of credential it is.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        match self.proof {
            Proof::Session(..) => Scheme::Session,
            Proof::Signature(_) => Scheme::Signature,
            Proof::SignedUrl(_) => Scheme::Url,
            Proof::WafUrl(_) => Scheme::WafUrl,
            Proof::PublicKey => Scheme::PublicKey,
        }
    }

    /// The name of the key that the session is bound to (`cnf`), if it is one and is.
    #[must_use]
    pub fn bound_to(&self) -> Option<&str> {
        match &self.proof {
            Proof::Session(session, _) => session.bound_to(),
            Proof::Signature(_) | Proof::SignedUrl(_) | Proof::WafUrl(_) | Proof::PublicKey => None,
        }
    }

    /// Returns true if it says whom it is for (`aud`).
    #[must_use]
    pub fn names_audience(&self) -> bool {
        matches!(&self.proof, Proof::Session(session, _) if session.names_audience())
    }

    /// Checks the credential against its key's record: revocation, expiry, scheme, whether it can
    /// carry the nonce that the key asks for, then the MAC, then times and audience.
    ///
    /// # Errors
    /// `key-revoked`, `key-expired`, `scheme-not-allowed`, `proof-missing`, and those of
    /// [`Session::verify`], [`Signature::verify`], [`SignedUrl::verify`] and [`WafUrl::verify`].
    pub fn verify(
        self,
        known: &Rc<DerivedKey>,
        head: &Head<'_>,
        limits: &Limits<'_>,
    ) -> Result<Verified, VerifyError> {
        let key = known.key();
        let scheme = self.scheme();
        if key.revoked {
            return Err(Refusal::KeyRevoked.into());
        }
        if key.expires.is_some_and(|expires| limits.now >= expires) {
            return Err(Refusal::KeyExpired.into());
        }
        if !key.schemes.contains(&scheme) {
            return Err(Refusal::SchemeNotAllowed.into());
        }
        let signed = matches!(self.proof, Proof::Signature(_) | Proof::Session(_, Some(_)));
        if key.nonce_required && !signed {
            return Err(Refusal::ProofMissing.into());
        }
        let mut verified = Verified {
            known: Rc::clone(known),
            scheme,
            end: End::default(),
            claims: None,
            proven: None,
            spent: match self.key_in_query {
                true => CredentialParams::Key,
                false => CredentialParams::Nothing,
            },
        };
        match self.proof {
            Proof::Session(session, signature) => {
                let kid = session.bound_to().map(str::to_owned);
                verified.end.add(session.expires(), Refusal::SessionExpired);
                verified.claims = Some(session.verify(known, limits)?);
                verified.proven = match (kid, signature) {
                    (None, _) => None,
                    (Some(_), None) => return Err(Refusal::ProofMissing.into()),
                    (Some(kid), Some(signature)) => {
                        let verifies =
                            |base: &[u8], tag: &[u8]| known.session_verifies(&kid, base, tag);
                        Some(signature.verify(key, head, limits, true, verifies)?)
                    }
                };
            }
            Proof::Signature(signature) => {
                let verifies = |base: &[u8], tag: &[u8]| known.verifies(base, tag);
                verified.proven = Some(signature.verify(key, head, limits, false, verifies)?);
            }
            Proof::SignedUrl(url) => {
                verified.end.add(url.verify(known, limits)?, Refusal::UrlExpired);
                verified.spent = CredentialParams::Signed;
            }
            Proof::WafUrl(url) => {
                verified.end.add(url.verify(known, limits)?, Refusal::UrlExpired);
                verified.spent = CredentialParams::Waf;
            }
            Proof::PublicKey => {}
        }
        if let Some(proven) = &verified.proven {
            verified.end.add(proven.end, Refusal::SignatureStale);
        }
        if let Some(expires) = key.expires {
            verified.end.add(expires, Refusal::KeyExpired);
        }
        Ok(verified)
    }
}

/// A credential that is what it claims to be. Only [`UnverifiedCredential::verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    known: Rc<DerivedKey>,
    scheme: Scheme,
    end: End,
    claims: Option<Claims>,
    proven: Option<SignedFacts>,
    spent: CredentialParams,
}

/// The first moment at which a credential is no longer good, and the refusal from then on; `None` for
/// a credential without an end.
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
    /// The key it is of.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.known.key()
    }

    /// The record that it was checked against.
    #[must_use]
    pub const fn known(&self) -> &Rc<DerivedKey> {
        &self.known
    }

    /// Checks that the credential is still good at `now`, as far as time decides.
    ///
    /// # Errors
    /// `session-expired`, `signature-stale`, `url-expired`, `key-expired`.
    pub fn check_end(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.end.0 {
            Some((end, refusal)) if now >= end => Err(refusal),
            Some(_) | None => Ok(()),
        }
    }

    /// What kind of credential it was.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What the session says; `None` for anything else.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// What the signature says of the rest of the request; `None` without one.
    #[must_use]
    pub const fn proven(&self) -> Option<&SignedFacts> {
        self.proven.as_ref()
    }

    /// What of the query was the credential, and so must not reach the upstream.
    #[must_use]
    pub const fn spent(&self) -> CredentialParams {
        self.spent
    }
}

/// The one key that all of these name.
fn only(named: [Option<&str>; 4]) -> Result<Option<KeyId>, Refusal> {
    let mut named = named.into_iter().flatten();
    let Some(key) = named.next() else {
        return Ok(None);
    };
    match named.all(|other| other == key) {
        true => KeyId::parse(key).map(Some).ok_or(Refusal::BadCredential),
        false => Err(Refusal::AmbiguousCredential),
    }
}

/// The session of an `Authorization` header. Repeated headers come joined with a comma, which no
/// session holds.
fn bearer(value: &str) -> Result<Session<'_>, Refusal> {
    if value.contains(',') {
        return Err(Refusal::AmbiguousCredential);
    }
    // RFC 6750 section 2.1: credentials = "Bearer" 1*SP b64token; RFC 9110 section 11.1: the
    // scheme in any case.
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::BadCredential)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::BadCredential);
    }
    Session::parse(token.trim_start_matches(' '))
}

fn public_key(value: &str) -> Result<&str, Refusal> {
    if value.contains(',') {
        return Err(Refusal::AmbiguousCredential);
    }
    keys::is_id(value).then_some(value).ok_or(Refusal::BadCredential)
}
