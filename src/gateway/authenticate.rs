//! Authentication: steps 4 to 6 of [`crate::gateway`], for a route as for the gate's own paths.

use std::rc::Rc;

use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::credential::accept_signature::AcceptSignature;
use crate::credential::{
    CredentialCandidates, Limits, UnverifiedCredential, Verified, VerifyError,
};
use crate::gateway::authorize;
use crate::gateway::response::RequestState;
use crate::keys::registry::{self, Entry, Registry};
use crate::keys::{DerivedKey, Key, KeyId, Scheme};
use crate::platform::{Platform, Unavailable};
use crate::policy::origin::Origin;
use crate::problem::{Refusal, Rejection};
use crate::upstream::route::Route;

/// The destination of a request, which decides how a credential is read and checked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint<'x> {
    /// A route.
    Route(&'x Route),
    /// One of the gate's own paths, where a query never holds a credential.
    Admin,
}

impl<'x> Endpoint<'x> {
    const fn unsigned_body(self) -> bool {
        match self {
            Self::Route(route) => route.unsigned_body,
            Self::Admin => false,
        }
    }

    fn candidates(self, head: &Head<'x>) -> Result<CredentialCandidates<'x>, Refusal> {
        match self {
            Self::Route(route) => CredentialCandidates::read(head, route.waf_key.as_ref()),
            Self::Admin => CredentialCandidates::in_headers(head),
        }
    }
}

/// A request to authenticate, for the first time or again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticator<'x> {
    pub(crate) config: &'x Config,
    pub(crate) registry: &'x Registry,
    pub(crate) head: &'x Head<'x>,
    pub(crate) endpoint: Endpoint<'x>,
    pub(crate) now: Timestamp,
}

impl<'x> Authenticator<'x> {
    /// Returns true if the request is charged to its key.
    pub(crate) const fn charges(&self) -> bool {
        self.config.ledger && matches!(self.endpoint, Endpoint::Route(_))
    }

    /// Selects the request's one credential and looks up its key: steps 4 and 5.
    pub(crate) async fn identify(
        &self,
        state: &mut RequestState<'_>,
        platform: &impl Platform,
    ) -> Result<(UnverifiedCredential<'x>, Rc<DerivedKey>), Rejection> {
        // (4)
        let candidates = self.endpoint.candidates(self.head)?;
        let mut signers = Vec::new();
        for id in candidates.signers()? {
            match self.lookup(&id, platform).await {
                Ok(Entry::Found(_) | Entry::Broken) => signers.push(id),
                Ok(Entry::Absent) => {}
                Err(Unavailable) => return Err(Rejection::registry_unavailable()),
            }
        }
        let is_key = |keyid: &str| signers.iter().any(|id| id.as_str() == keyid);
        let unverified = candidates.select(self.head, is_key)?;
        state.record.scheme(unverified.scheme());
        // Anybody may send a bare public key, so only pages that its record lists may read the response.
        let bare = authorize::is_bare(unverified.scheme());
        let readable = state.cors_origin.take_if(|_| bare);
        // (5)
        let derived_key = self.find(unverified.key(), platform).await?;
        let key = derived_key.key();
        state.record.key(key);
        state.accept_signature = self.accept_signature(&unverified, key);
        if authorize::origin_matched(key, self.head) {
            state.cors_origin = state.cors_origin.take().or(readable);
        }
        Ok((unverified, derived_key))
    }

    /// Verifies the credential: step 6.
    pub(crate) fn verify(
        &self,
        unverified: UnverifiedCredential<'x>,
        derived_key: &Rc<DerivedKey>,
        state: &mut RequestState<'_>,
    ) -> Result<Verified, Rejection> {
        // (6)
        let (config, head) = (self.config, self.head);
        let origin = || Origin::parse(&format!("{}://{}", head.scheme(), head.authority()));
        let audience = unverified.names_audience().then(origin).flatten();
        let limits = Limits {
            now: self.now,
            session_max_ttl: config.session_max_ttl,
            clock_skew: config.clock_skew,
            audience: audience.as_ref(),
            unsigned_body: self.endpoint.unsigned_body(),
            waf_secret: config.waf_secret.as_ref(),
        };
        let verified = match unverified.verify(derived_key, head, &limits) {
            Ok(verified) => verified,
            Err(VerifyError::Refused(refusal)) => return Err(refusal.into()),
            Err(VerifyError::SignatureInvalid(base)) => {
                return Err(Rejection::signature_invalid(base));
            }
            Err(VerifyError::NoWafSecret) => {
                let wanted_by = derived_key.key().id.as_str();
                return Err(Rejection::unavailable("WAF_SECRET", wanted_by));
            }
        };
        if !authorize::is_bare(verified.scheme()) {
            let claims = verified.claims();
            state.record.verified(claims.and_then(|claims| claims.subject.as_deref()));
        }
        Ok(verified)
    }

    /// Returns the key of this id: step 5.
    pub(crate) async fn find(
        &self,
        id: &KeyId,
        platform: &impl Platform,
    ) -> Result<Rc<DerivedKey>, Rejection> {
        match self.lookup(id, platform).await {
            Ok(Entry::Found(derived_key)) => Ok(derived_key),
            Ok(Entry::Absent) => Err(Refusal::KeyUnknown.into()),
            Ok(Entry::Broken) => Err(Rejection::misconfigured(&registry::broken(id))),
            Err(Unavailable) => Err(Rejection::registry_unavailable()),
        }
    }

    /// Looks a key up in the configuration, and else in the registry, as it was read lately or is now.
    pub(crate) async fn lookup(
        &self,
        id: &KeyId,
        platform: &impl Platform,
    ) -> Result<Entry, Unavailable> {
        if let Some(derived_key) = self.config.keys.get(id) {
            return Ok(Entry::Found(Rc::clone(derived_key)));
        }
        if !self.config.registry {
            return Ok(Entry::Absent);
        }
        if let Some(entry) = self.registry.recent(id, self.now) {
            return Ok(entry);
        }
        let read = self.registry.begin_read();
        let record = platform.record(id).await?;
        Ok(self.registry.learn_read(read, id, record, &self.config.roots, self.now))
    }

    /// Returns the signature that a 401 asks for: by the session secret if the session is bound, else by
    /// the key secret if the key allows signatures.
    fn accept_signature(
        &self,
        unverified: &UnverifiedCredential<'_>,
        key: &Key,
    ) -> Option<AcceptSignature> {
        let bound = unverified.bound_to().map(str::to_owned);
        let takes = bound.is_some() || key.schemes.contains(&Scheme::Signature);
        takes.then(|| AcceptSignature {
            bound,
            body: self.head.has_body() && !self.endpoint.unsigned_body(),
            nonce: key.nonce_required,
        })
    }
}
