//! The candidates among which a request's one credential is selected.

use crate::base::request::Head;
use crate::keys::{self, KeyId};
use crate::problem::Refusal;

use super::session::Session;
use super::signature::{Labels, Signature};
use super::url::UrlCredential;
use super::{CredentialKind, UnverifiedCredential};

/// Most key ids among a request's signatures: looking each up may cost a read of the registry.
const MAX_SIGNERS: usize = 4;

/// All credential candidates of a request, parsed but not yet selected: selecting depends on which of
/// its signatures are by keys of this gate.
#[derive(Debug)]
pub struct CredentialCandidates<'a> {
    session: Option<Session<'a>>,
    in_header: Option<&'a str>,
    in_query: UrlCredential<'a>,
    labels: Labels<'a>,
}

impl<'a> CredentialCandidates<'a> {
    /// Parses everything that may be a credential. `waf_key` is the route's key for WAF-token URLs that
    /// name none.
    ///
    /// # Errors
    /// `ambiguous-credential`; `bad-credential` for a malformed one.
    pub fn read(head: &Head<'a>, waf_key: Option<&'a KeyId>) -> Result<Self, Refusal> {
        let in_query = UrlCredential::read(head, waf_key);
        Ok(Self { in_query: in_query?, ..Self::in_headers(head)? })
    }

    /// Parses the candidates where a query is never a credential.
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

    /// Returns the key ids that the signatures name. The caller of this function looks each up.
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

    /// Selects the request's one credential: `Authorization`, a signature, a signed or WAF-token URL, or
    /// only a public key. A session may come with a signature by its session secret; `X-Public-Key` and
    /// `?key=` may accompany any credential of the same key. `is_key` returns true for those of
    /// [`CredentialCandidates::signers`] that exist.
    ///
    /// # Errors
    /// `credential-missing`; `ambiguous-credential`; `key-unknown` for a signature whose keyid only has
    /// the form of a key id; `bad-credential` and `signature-unsupported` for a malformed one.
    pub fn select(
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
        let key = single_key([
            session.as_ref().map(Session::key),
            signer.map(Signature::keyid),
            in_header,
            in_query.key(),
        ])?;
        let key = key.ok_or_else(|| match labels.names_key() {
            true => Refusal::KeyUnknown,
            false => Refusal::CredentialMissing,
        })?;
        let key_in_query = matches!(in_query, UrlCredential::Key(_));
        let signature = signature.map(Box::new);
        let kind = match (session, signature, in_query) {
            (Some(session), None, UrlCredential::Nothing | UrlCredential::Key(_)) => {
                CredentialKind::Session(Box::new(session), None)
            }
            (Some(session), signature, UrlCredential::Nothing | UrlCredential::Key(_))
                if by_session =>
            {
                CredentialKind::Session(Box::new(session), signature)
            }
            (None, Some(signature), UrlCredential::Nothing | UrlCredential::Key(_)) => {
                CredentialKind::Signature(signature)
            }
            (None, None, UrlCredential::Signed(url)) => CredentialKind::SignedUrl(Box::new(url)),
            (None, None, UrlCredential::Waf(url)) => CredentialKind::WafUrl(Box::new(url)),
            (None, None, UrlCredential::Nothing | UrlCredential::Key(_)) => {
                CredentialKind::PublicKey
            }
            _ => return Err(Refusal::AmbiguousCredential),
        };
        Ok(UnverifiedCredential { key, kind, key_in_query })
    }
}

/// Returns the key that all of these name.
fn single_key(named: [Option<&str>; 4]) -> Result<Option<KeyId>, Refusal> {
    let mut named = named.into_iter().flatten();
    let Some(key) = named.next() else {
        return Ok(None);
    };
    match named.all(|other| other == key) {
        true => KeyId::parse(key).map(Some).ok_or(Refusal::BadCredential),
        false => Err(Refusal::AmbiguousCredential),
    }
}

/// Parses the session in an `Authorization` header. Repeated headers are joined with a comma, which no
/// session contains.
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
