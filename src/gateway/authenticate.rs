//! Authentication: steps 4 to 6 of [`crate::gateway`], for a route as for the gate's own paths.

use std::rc::Rc;

use crate::credential::accept_signature::AcceptSignature;
use crate::credential::{Limits, UnverifiedCredential, Verified, VerifyError};
use crate::gateway::authorize;
use crate::gateway::steps::Steps;
use crate::keys::registry::{self, Entry};
use crate::keys::{DerivedKey, Key, KeyId, Scheme};
use crate::platform::{Platform, Unavailable};
use crate::policy::origin::Origin;
use crate::problem::{Refusal, Rejection};

impl<'x, P: Platform> Steps<'x, '_, P> {
    /// Selects the request's one credential and looks up its key: steps 4 and 5.
    pub(crate) async fn identify(
        &mut self,
    ) -> Result<(UnverifiedCredential<'x>, Rc<DerivedKey>), Rejection> {
        // (4)
        let candidates = self.endpoint.candidates(self.head)?;
        let mut signers = Vec::new();
        for id in candidates.signers()? {
            match self.lookup(&id).await {
                Ok(Entry::Found(_) | Entry::Broken) => signers.push(id),
                Ok(Entry::Absent) => {}
                Err(Unavailable) => return Err(Rejection::registry_unavailable()),
            }
        }
        let is_key = |keyid: &str| signers.iter().any(|id| id.as_str() == keyid);
        let unverified = candidates.select(self.head, is_key)?;
        self.state.selected(&unverified);
        // (5)
        let derived_key = self.find(unverified.key()).await?;
        let key = derived_key.key();
        let accept_signature = self.accept_signature(&unverified, key);
        let is_page_listed = authorize::origin_matched(key, self.head);
        self.state.identified(key, accept_signature, is_page_listed);
        Ok((unverified, derived_key))
    }

    /// Verifies the credential: step 6.
    pub(crate) fn verify(
        &mut self,
        unverified: UnverifiedCredential<'x>,
        derived_key: &Rc<DerivedKey>,
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
        self.state.record.verified(&verified);
        Ok(verified)
    }

    /// Returns the key of this id: step 5.
    pub(crate) async fn find(&self, id: &KeyId) -> Result<Rc<DerivedKey>, Rejection> {
        match self.lookup(id).await {
            Ok(Entry::Found(derived_key)) => Ok(derived_key),
            Ok(Entry::Absent) => Err(Refusal::KeyUnknown.into()),
            Ok(Entry::Broken) => Err(Rejection::misconfigured(&registry::broken(id))),
            Err(Unavailable) => Err(Rejection::registry_unavailable()),
        }
    }

    /// Looks a key up in the configuration, and else in the registry, as it was read lately or is now.
    pub(crate) async fn lookup(&self, id: &KeyId) -> Result<Entry, Unavailable> {
        if let Some(derived_key) = self.config.keys.get(id) {
            return Ok(Entry::Found(Rc::clone(derived_key)));
        }
        if !self.config.registry {
            return Ok(Entry::Absent);
        }
        let registry = &self.gate.registry;
        if let Some(entry) = registry.recent(id, self.now) {
            return Ok(entry);
        }
        let read = registry.begin_read();
        let record = self.platform.record(id).await?;
        Ok(registry.learn_read(read, id, record, &self.config.roots, self.now))
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
