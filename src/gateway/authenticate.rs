//! Who calls, and with what: steps 4 to 6 of the story in [`crate::gateway`]. They are the same for a
//! route and for the gate's own paths.

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
use crate::keys::DerivedKey;
use crate::keys::registry::{self, Entry, Registry};
use crate::keys::{Key, KeyId, Scheme};
use crate::platform::{Platform, Unavailable};
use crate::policy::origin::Origin;
use crate::problem::{Refusal, Rejection};
use crate::upstream::route::Route;

/// Where a request goes: what a credential is held to depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint<'x> {
    /// A route.
    Route(&'x Route),
    /// One of the gate's own paths, where a query is never a credential.
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

/// A request whose caller is not known yet, or is looked at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticator<'x> {
    pub(crate) config: &'x Config,
    pub(crate) registry: &'x Registry,
    pub(crate) head: &'x Head<'x>,
    pub(crate) endpoint: Endpoint<'x>,
    pub(crate) now: Timestamp,
}

impl<'x> Authenticator<'x> {
    /// Returns true if requests like this count against their key.
    pub(crate) const fn charges(&self) -> bool {
        self.config.ledger && matches!(self.endpoint, Endpoint::Route(_))
    }

    /// Steps 4 and 5: exactly one credential, and the record of its key.
    pub(crate) async fn identify(
        &self,
        state: &mut RequestState<'_>,
        platform: &impl Platform,
    ) -> Result<(UnverifiedCredential<'x>, Rc<DerivedKey>), Rejection> {
        // (4)
        let offer = self.endpoint.candidates(self.head)?;
        let mut signers = Vec::new();
        for id in offer.signers()? {
            match self.lookup(&id, platform).await {
                Ok(Entry::Known(_) | Entry::Broken) => signers.push(id),
                Ok(Entry::Absent) => {}
                Err(Unavailable) => return Err(Rejection::registry_unavailable()),
            }
        }
        let is_key = |keyid: &str| signers.iter().any(|id| id.as_str() == keyid);
        let presented = offer.pick(self.head, is_key)?;
        state.record.scheme(presented.scheme());
        // Anybody may send a bare public key, so only a page that its record names may read the answer.
        let bare = authorize::is_bare(presented.scheme());
        let readable = state.cors_origin.take_if(|_| bare);
        // (5)
        let known = match self.lookup(presented.key(), platform).await {
            Ok(Entry::Known(known)) => known,
            Ok(Entry::Absent) => return Err(Refusal::KeyUnknown.into()),
            Ok(Entry::Broken) => {
                return Err(Rejection::misconfigured(&registry::broken(presented.key())));
            }
            Err(Unavailable) => return Err(Rejection::registry_unavailable()),
        };
        let key = known.key();
        state.record.key(key);
        state.wanted = self.wanted(&presented, key);
        if authorize::origin_matched(key, self.head) {
            state.cors_origin = state.cors_origin.take().or(readable);
        }
        Ok((presented, known))
    }

    /// Step 6: the credential must be good.
    pub(crate) fn prove(
        &self,
        presented: UnverifiedCredential<'x>,
        known: &Rc<DerivedKey>,
        state: &mut RequestState<'_>,
    ) -> Result<Verified, Rejection> {
        // (6)
        let (config, head) = (self.config, self.head);
        let origin = || Origin::parse(&format!("{}://{}", head.scheme(), head.authority()));
        let audience = presented.names_audience().then(origin).flatten();
        let limits = Limits {
            now: self.now,
            session_max_ttl: config.session_max_ttl,
            clock_skew: config.clock_skew,
            audience: audience.as_ref(),
            unsigned_body: self.endpoint.unsigned_body(),
            waf_secret: config.waf_secret.as_ref(),
        };
        let verified = match presented.verify(known, head, &limits) {
            Ok(verified) => verified,
            Err(VerifyError::Refused(refusal)) => return Err(refusal.into()),
            Err(VerifyError::SignatureInvalid(base)) => {
                return Err(Rejection::signature_invalid(base));
            }
            Err(VerifyError::NoWafSecret) => {
                let wanted_by = known.key().id.as_str();
                return Err(Rejection::unavailable("WAF_SECRET", wanted_by));
            }
        };
        if !authorize::is_bare(verified.scheme()) {
            let claims = verified.claims();
            state.record.verified(claims.and_then(|claims| claims.subject.as_deref()));
        }
        Ok(verified)
    }

    /// A key of the configuration, or else of the registry: what was read of it lately, or is there now.
    pub(crate) async fn lookup(
        &self,
        id: &KeyId,
        platform: &impl Platform,
    ) -> Result<Entry, Unavailable> {
        if let Some(known) = self.config.keys.get(id) {
            return Ok(Entry::Known(Rc::clone(known)));
        }
        if !self.config.registry {
            return Ok(Entry::Absent);
        }
        if let Some(entry) = self.registry.recent(id, self.now) {
            return Ok(entry);
        }
        let reading = self.registry.begin_reading();
        let record = platform.record(id).await?;
        Ok(self.registry.learn_read(reading, id, record, &self.config.roots, self.now))
    }

    /// What a 401 asks for: the signature of a session's own key where the session is bound to one,
    /// else the key's, where it takes signatures.
    fn wanted(&self, presented: &UnverifiedCredential<'_>, key: &Key) -> Option<AcceptSignature> {
        let bound = presented.bound_to().map(str::to_owned);
        let takes = bound.is_some() || key.schemes.contains(&Scheme::Signature);
        takes.then(|| AcceptSignature {
            bound,
            body: self.head.has_body() && !self.endpoint.unsigned_body(),
            nonce: key.nonce_required,
        })
    }
}
