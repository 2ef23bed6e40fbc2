//! The steps that a request for a route and one for the gate's own paths share: steps 4 to 8 and 10 of
//! [`crate::gateway`], also when the request has waited, and the end of one that is not admitted. Steps 4 to 6
//! themselves are in `authenticate`.

use std::rc::Rc;

use crate::base::day::Day;
use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::credential::{CredentialCandidates, Verified};
use crate::gateway::admit::NotAdmitted;
use crate::gateway::response::RequestState;
use crate::keys::Key;
use crate::keys::registry::Entry;
use crate::limits::rate;
use crate::limits::usage::Account;
use crate::platform::{Platform, Unavailable};
use crate::problem::{Denial, Refusal, Rejection};
use crate::upstream::route::Route;
use crate::upstream::token_cache::TokenUnavailable;
use crate::upstream::url::UpstreamCredential;

use super::{Abort, Gate};

/// The destination of a request, which decides how a credential is read and checked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint<'x> {
    /// A route.
    Route(&'x Route),
    /// One of the gate's own paths, where a query never holds a credential.
    Admin,
}

impl<'x> Endpoint<'x> {
    pub(super) const fn unsigned_body(self) -> bool {
        match self {
            Self::Route(route) => route.unsigned_body,
            Self::Admin => false,
        }
    }

    pub(super) fn candidates(self, head: &Head<'x>) -> Result<CredentialCandidates<'x>, Refusal> {
        match self {
            Self::Route(route) => CredentialCandidates::read(head, route.waf_key.as_ref()),
            Self::Admin => CredentialCandidates::in_headers(head),
        }
    }
}

/// One request: what the steps read, the state that they keep of it, and the platform that they wait for.
#[derive(Debug)]
pub(crate) struct Steps<'x, 'g, P> {
    pub(crate) gate: &'g Gate,
    pub(crate) config: &'g Config,
    pub(crate) head: &'x Head<'x>,
    pub(crate) endpoint: Endpoint<'x>,
    /// The time at which the request is judged.
    pub(crate) now: Timestamp,
    pub(crate) state: &'x mut RequestState<'g>,
    pub(crate) platform: &'x P,
}

impl<P: Platform> Steps<'_, '_, P> {
    /// Authenticates and authorizes the request at `now`, by `allow`: steps 4 to 8.
    pub(super) async fn authorize<T: AsRef<Verified>>(
        &mut self,
        allow: impl Fn(Verified) -> Result<T, Denial>,
    ) -> Result<T, Rejection> {
        // (4) (5)
        let (unverified, derived_key) = self.identify().await?;
        // (6)
        let verified = self.verify(unverified, &derived_key)?;
        if !verified.scheme().is_bare() {
            self.charge(&verified);
        }
        // (7)
        let allowed = allow(verified)?;
        // A bare public key proves nothing, so its key is charged only for a request that it allows.
        self.charge(allowed.as_ref());
        // (8)
        check_bindings(derived_key.key(), self.config)?;
        Ok(allowed)
    }

    /// Charges a request for a route to the key of its credential, if usage is added up.
    fn charge(&mut self, verified: &Verified) {
        if self.config.ledger && matches!(self.endpoint, Endpoint::Route(_)) {
            let (usage, day) = (&self.gate.usage, Day::of(self.now));
            self.state.charge_to(|| Account::new(usage, verified.key(), day));
        }
    }

    /// Repeats steps 4 to 8 and 10 for a request that has waited: its credential must still be valid,
    /// its key record must be unchanged or allow the request too, and there must be a token. It repeats
    /// them until nothing had to be waited for, so all of this holds at `now`. If the record changed,
    /// returns what the new one allows.
    pub(super) async fn recheck<T: AsRef<Verified>>(
        &mut self,
        verified: &Verified,
        allow: impl Fn(Verified) -> Result<T, Denial> + Copy,
    ) -> Result<Option<T>, Rejection> {
        let mut changed: Option<T> = None;
        while self.platform.now() != self.now {
            self.now = self.platform.now();
            let verified = changed.as_ref().map_or(verified, AsRef::as_ref);
            verified.check_end(self.now)?;
            match self.lookup(&verified.key().id).await {
                Ok(Entry::Found(derived_key))
                    if Rc::ptr_eq(&derived_key, verified.derived_key()) => {}
                Ok(_) => changed = Some(self.authorize(allow).await?),
                Err(Unavailable) => return Err(Rejection::registry_unavailable()),
            }
            if let Endpoint::Route(route) = self.endpoint {
                let _ = self.credential(route).await?;
            }
        }
        Ok(changed)
    }

    /// Returns the credential for the route's upstream at `now`: step 10.
    pub(super) async fn credential(
        &self,
        route: &Route,
    ) -> Result<Rc<UpstreamCredential>, Rejection> {
        if let Some(credential) = &route.credential {
            return Ok(Rc::clone(credential));
        }
        let (source, root) =
            (self.config.tokens.get(route.auth.secret()), &self.config.roots.current);
        // Boxed, so that the futures of other requests do not contain its state.
        let reading =
            self.gate.token_cache.credential(route, source, root, self.platform, self.now);
        Box::pin(reading).await.map_err(|error| token_rejection(&error, route))
    }

    /// Returns the end of a request that was not admitted by its key.
    pub(super) fn not_admitted_by(&self, reason: NotAdmitted, key: &Key) -> Abort {
        let rate = key.rate.as_deref().unwrap_or_default();
        self.not_admitted(reason, rate, key.id.as_str())
    }

    /// Returns the end of a request that was not admitted: `rate` is the limiter that it was counted at, and
    /// `wanted_by` the key or the path that needs what is missing.
    pub(super) fn not_admitted(&self, reason: NotAdmitted, rate: &str, wanted_by: &str) -> Abort {
        let binding = match reason {
            NotAdmitted::Refused(refusal) => return refusal.into(),
            NotAdmitted::CallerGone => return Abort::CallerGone,
            NotAdmitted::Overloaded => return Rejection::overloaded().into(),
            NotAdmitted::OverRate => {
                let headers = rate::rate_limit_headers(rate, &self.config.rates);
                return Rejection::from(Refusal::RateLimited).with_headers(headers.fields()).into();
            }
            NotAdmitted::OverQuota(quota, used) => {
                let headers = quota.rate_limit_headers(used, self.now);
                return Rejection::from(Refusal::QuotaExceeded)
                    .with_headers(headers.fields())
                    .into();
            }
            NotAdmitted::LedgerUnavailable => "LEDGER".to_owned(),
            NotAdmitted::RateUnavailable => rate::binding(rate),
            NotAdmitted::ReplayUnavailable => "REPLAY".to_owned(),
        };
        let feature = format!("{binding} (missing, or did not answer)");
        Rejection::unavailable(feature, wanted_by).into()
    }
}

/// Checks that every binding that the key needs exists.
fn check_bindings(key: &Key, config: &Config) -> Result<(), Rejection> {
    let replay = key.nonce_required && !config.replay;
    let ledger = key.quota.is_some() && !config.ledger;
    let missing = replay.then_some("REPLAY").or(ledger.then_some("LEDGER"));
    match missing {
        None => Ok(()),
        Some(missing) => Err(Rejection::unavailable(missing, key.id.as_str())),
    }
}

/// Returns the rejection of a request without an upstream token.
fn token_rejection(error: &TokenUnavailable, route: &Route) -> Rejection {
    let secret = route.auth.secret();
    match error {
        TokenUnavailable::Missing => Rejection::token_missing(secret),
        TokenUnavailable::Unavailable => {
            let feature = format!("{secret} (its Secrets Store has no value, or did not answer)");
            Rejection::unavailable(feature, route.path.to_string())
        }
        TokenUnavailable::Broken(error) => Rejection::misconfigured(error),
    }
}
