//! The whole story of a request, in the order of section 4 of docs/wire-contract.md. Each step's
//! refusals and their statuses:
//!
//!  0. The configuration must parse — 503 `misconfigured`. A preflight is answered, 204.
//!  1. The request must come apart, and its path mean one thing — 400 `bad-request`, `bad-path`.
//!  2. The method must be one that anybody takes — 405 `method-not-allowed`. The gate's own paths
//!     are worked on by the gate itself, after the same steps 4 to 9 and 11; `health` at once.
//!  3. A route must take path, method and query — 404 `no-route`, 405 `method-not-allowed`, 400
//!     `bad-request`.
//!  4. Exactly one credential, in its form — 401 `credential-missing`, 400 `bad-credential`,
//!     `ambiguous-credential`, `signature-unsupported`, `bad-request` when `Connection` names a field
//!     that is signed.
//!  5. Its key must exist, in the configuration or in the registry — 401 `key-unknown`; 503
//!     `misconfigured` for a record that is none, `feature-unavailable` when it cannot be read.
//!  6. It must be good: key, scheme, coverage, MAC, times, audience — 401 `key-revoked`,
//!     `key-expired`, `scheme-not-allowed`, `proof-missing`, `signature-incomplete`,
//!     `signature-invalid`, `signature-stale`, `session-expired`, `session-not-yet-valid`,
//!     `session-too-long`, `audience-mismatch`, `url-expired`; 400 `bad-credential` for a link that
//!     ends too far ahead, `signature-unsupported` for a value that nobody can sign; 503
//!     `feature-unavailable` for a WAF-token URL without `WAF_SECRET`.
//!  7. Key and session must allow address, origin, method and path — 403 `ip-denied`,
//!     `origin-denied`, `method-denied`, `path-denied`; 400 `bad-path` for a path that they allow only as
//!     some server reads it.
//!  8. Whatever else the key asks for must be there — 503 `feature-unavailable`.
//!  9. The body must not be too long — 413 `body-too-large`.
//! 10. There must be a token to send — 503 `token-missing`, `feature-unavailable` when a Secrets Store
//!     does not answer, `misconfigured` when it holds none.
//! 11. Its key must not have had enough — 429 `rate-limited`, `quota-exceeded`; a body that the gate must
//!     read has to arrive — 413 `body-too-large`, 408 `body-timeout`, 503 `overloaded` — and to be the one
//!     that was signed — 401 `digest-mismatch`; the request must not have been sent before — 401
//!     `replayed`; 503 `feature-unavailable` when any of that cannot be told. Each time something was
//!     waited for, steps 4 to 8 and 10 must hold again: the gate acts on what is true now, not on what
//!     was true when the request arrived.
//! 12. A read of a route with a cache is answered from there, if it can be. Else the request is
//!     forwarded, perhaps more than once — 502 `upstream-unreachable`, 504 `upstream-timeout`, 413
//!     `body-too-large`.
//! 13. The answer goes back, unless it refuses the gate's own token — 502
//!     `upstream-rejected-token`.
//!
//! Steps 0 to 11 are [`Gate::decide`]; 12 and 13 are [`Exchange`] in its own file, which is told what
//! the upstream did and says what to do next. Both are free of I/O: what has to be waited for is asked
//! of a [`Platform`], and only by a request that needs it.

pub mod admit;
mod authenticate;
pub mod authorize;
pub mod exchange;
pub mod forward;
pub mod reply;
pub mod response;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::admin::{self, Desk, Service, Task};
use crate::base::day::Day;
use crate::base::json::FieldError;
use crate::base::request::{Head, METHODS};
use crate::base::time::Timestamp;
use crate::config::{Config, Environment};
use crate::credential::Verified;
use crate::keys::Key;
use crate::keys::registry::{Entry, Registry};
use crate::limits::rate;
use crate::limits::usage::{Account, Usage};
use crate::platform::{Office, Platform, SecretsStore, Silent};
use crate::policy::path;
use crate::problem::{Fault, Refusal};
use crate::telemetry::audit::{Alarm, Context};
use crate::upstream::route::{self, OWN_PREFIX, Route};
use crate::upstream::token_cache::{Found, NoToken, Vault};
use crate::upstream::url::Credential;
use admit::{Counting, NotAdmitted, Reading};
use authenticate::{Authentication, Place};
use authorize::Denial;
use exchange::Exchange;
use forward::Outbound;
use response::{Answer, Own, Stop, Trail};

/// A gate with its configuration, or without a usable one.
#[derive(Debug)]
pub struct Gate {
    config: Result<Config, FieldError>,
    registry: Registry,
    usage: Usage,
    vault: Vault,
}

/// A request as the edge hands it over, nothing looked at.
#[derive(Clone, Debug)]
pub struct Raw<'h> {
    /// The method.
    pub method: &'h str,
    /// The absolute URL, raw.
    pub target: &'h str,
    /// Header names in lower case and values, trimmed, repeated fields joined.
    pub headers: Vec<(&'h str, &'h str)>,
    /// Whether a body comes with it.
    pub has_body: bool,
}
/// What to do with a request.
#[derive(Debug)]
pub enum Decision<'g, 'h> {
    /// Answer it; nothing reaches the upstream.
    Answer(Answer),
    /// Send this to the upstream, and tell the exchange what comes of it.
    Forward(Outbound<'h>, Box<Exchange<'g>>),
}
impl Gate {
    /// A gate with the configuration of `environment`. One that does not parse closes the gate.
    #[must_use]
    pub fn new(environment: &impl Environment) -> Self {
        Self {
            config: Config::read(environment),
            registry: Registry::default(),
            usage: Usage::default(),
            vault: Vault::default(),
        }
    }

    /// The usage that is not in the ledgers yet.
    #[must_use]
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Every token that a route names, as it is now.
    pub async fn tokens<'c>(
        &self,
        config: &'c Config,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> BTreeMap<&'c str, Found> {
        self.vault.all(config, store, now).await
    }

    /// The configuration.
    ///
    /// # Errors
    /// What of it does not parse.
    pub const fn config(&self) -> Result<&Config, &FieldError> {
        self.config.as_ref()
    }

    /// Steps 0 to 11. Nothing is awaited but what the platform is asked for.
    pub async fn decide<'g, 'h>(
        &'g self,
        raw: Raw<'h>,
        context: Context,
        platform: &(impl Platform + Office),
    ) -> Decision<'g, 'h> {
        let now = context.now;
        self.usage.name(&context.request_id);
        let mut trail = Trail::new(context, &raw);
        match self.judge(raw, now, &mut trail, platform).await {
            Ok(Verdict::Forward(outbound, route, credential)) => {
                let routes = self.config().map_or(&[][..], |config| &config.routes);
                let exchange =
                    Exchange::new(trail, (routes, route), credential, &outbound, platform.now());
                Decision::Forward(outbound, Box::new(exchange))
            }
            Ok(Verdict::Own(own)) => Decision::Answer(trail.answer(own)),
            Err(Ended::CallerGone) => Decision::Answer(trail.gone()),
            Err(Ended::Refused(stop)) => Decision::Answer(trail.stop(stop)),
        }
    }

    async fn judge<'g, 'h>(
        &'g self,
        raw: Raw<'h>,
        now: Timestamp,
        trail: &mut Trail<'g>,
        platform: &(impl Platform + Office),
    ) -> Result<Verdict<'g, 'h>, Ended> {
        // (0)
        let config = self.config.as_ref().map_err(|_logged| Fault::Misconfigured)?;
        if let Some(preflight) = admin::preflight(&raw) {
            return Ok(Verdict::Own(preflight));
        }
        // (1)
        let head = Head::new(raw.method, raw.target, raw.headers, raw.has_body)?;
        trail.record.request(&head);
        let checked = path::check(head.path())?;
        let route = route::find(&config.routes, &checked)?;
        if checked.encoded_slash && !route.is_some_and(|route| route.encoded_slash) {
            return Err(Refusal::BadPath.into());
        }
        let reads = matches!(head.method(), "GET" | "HEAD");
        if head.header("upgrade").is_some() || (reads && head.has_body()) {
            return Err(Refusal::BadRequest.into());
        }
        // (2)
        if !METHODS.contains(&head.method()) {
            let allow = route.map_or_else(|| METHODS.join(", "), Route::allow);
            return Err(Stop::method_not_allowed(allow).into());
        }
        if let Some(path) = head.path().strip_prefix(OWN_PREFIX) {
            return match admin::find(path, head.method())? {
                Service::Health => Ok(Verdict::Own(admin::health())),
                Service::Guarded(task) => {
                    // Boxed, so that no other request carries its state about.
                    Box::pin(self.serve(task, config, &head, now, trail, platform)).await
                }
            };
        }
        // (3)
        let route = route.ok_or(Refusal::NoRoute)?;
        trail.record.route(&route.path);
        if !route.takes(head.method()) {
            return Err(Stop::method_not_allowed(route.allow()).into());
        }
        if route.denies_query(&head) {
            return Err(Refusal::BadRequest.into());
        }
        let mut asking = Authentication {
            config,
            registry: &self.registry,
            head: &head,
            place: Place::Route(route),
            now,
        };
        // (4) to (8)
        let allow = |verified| authorize::allow(verified, &head);
        let allowed = self.authorize(asking, allow, trail, platform).await?;
        // (9)
        check_length(&head, route.max_body_bytes)?;
        // (10)
        self.credential(asking, route, trail, platform).await?;
        // (11)
        let reading = Reading {
            max_bytes: route.max_body_bytes,
            timeout_ms: route.timeout_ms,
            is_needed: forward::must_hold(&head, route),
        };
        let usage = &self.usage;
        let quota = Some(Counting { usage, now });
        let received = admit::receive(allowed.as_ref(), &head, reading, quota, platform).await;
        let key = allowed.as_ref().key();
        let received = received.map_err(|reason| not_admitted(reason, key, asking, trail))?;
        let again = self.look_again(allowed.as_ref(), &mut asking, allow, trail, platform);
        let allowed = again.await?.unwrap_or(allowed);
        let known = Rc::clone(allowed.as_ref().known());
        let counting = Counting { usage, now: asking.now };
        let admitted = admit::admit(allowed, received, counting, platform).await;
        let (admitted, held) =
            admitted.map_err(|reason| not_admitted(reason, known.key(), asking, trail))?;
        trail.hold(held);
        let again = self.look_again(admitted.verified(), &mut asking, allow, trail, platform);
        again.await?;
        let credential = self.credential(asking, route, trail, platform).await?;
        trail.record.token(credential.fingerprint().clone());
        let request_id = trail.record.request_id();
        let outbound = forward::forward(&admitted, &head, route, &credential, request_id)
            .ok_or(Refusal::BadPath)?;
        Ok(Verdict::Forward(outbound, route, credential))
    }

    /// Steps 4 to 8, at `asking.now`: who calls, whether the credential is good, and whether key and session
    /// allow the request, as `allow` decides.
    async fn authorize<'g, T: AsRef<Verified>>(
        &'g self,
        asking: Authentication<'_>,
        allow: impl Fn(Verified) -> Result<T, Denial>,
        trail: &mut Trail<'g>,
        platform: &impl Platform,
    ) -> Result<T, Stop> {
        // (4) (5)
        let (presented, known) = asking.identify(trail, platform).await?;
        // (6)
        let verified = asking.prove(presented, &known, trail)?;
        let is_bare = authorize::is_bare(verified.scheme());
        let charge = |trail: &mut Trail<'g>| {
            if asking.charges() && trail.account.is_none() {
                trail.account = Some(Account::new(&self.usage, known.key(), Day::of(asking.now)));
            }
        };
        if !is_bare {
            charge(trail);
        }
        // (7)
        let allowed = allow(verified)?;
        // A bare public key proves nothing, so its key is charged only for what it allows.
        charge(trail);
        // (8)
        check_bindings(known.key(), asking.config, trail)?;
        Ok(allowed)
    }

    /// Steps 4 to 8, and 10, for a request that has waited: its credential must still be good, its key's
    /// record must be what it was, and there must be a token. Looks until nothing had to be waited for, so all
    /// of it holds at `asking.now`. Returns what a changed record allows.
    async fn look_again<'g, T: AsRef<Verified>>(
        &'g self,
        verified: &Verified,
        asking: &mut Authentication<'_>,
        allow: impl Fn(Verified) -> Result<T, Denial> + Copy,
        trail: &mut Trail<'g>,
        platform: &impl Platform,
    ) -> Result<Option<T>, Stop> {
        let mut changed: Option<T> = None;
        while platform.now() != asking.now {
            asking.now = platform.now();
            let verified = changed.as_ref().map_or(verified, AsRef::as_ref);
            verified.check_end(asking.now)?;
            match asking.lookup(&verified.key().id, platform).await {
                Ok(Entry::Known(known)) if Rc::ptr_eq(&known, verified.known()) => {}
                Ok(_) => changed = Some(self.authorize(*asking, allow, trail, platform).await?),
                Err(Silent) => return Err(Stop::registry_silent(&trail.record)),
            }
            if let Place::Route(route) = asking.place {
                self.credential(*asking, route, trail, platform).await?;
            }
        }
        Ok(changed)
    }

    /// Step 10, at `asking.now`: the upstream token of the route, as a credential to send.
    async fn credential(
        &self,
        asking: Authentication<'_>,
        route: &Route,
        trail: &Trail<'_>,
        platform: &impl Platform,
    ) -> Result<Rc<Credential>, Stop> {
        if let Some(credential) = &route.credential {
            return Ok(Rc::clone(credential));
        }
        // Boxed, so that no other request carries its state about.
        let reading = self.vault.credential(route, asking.config, platform, asking.now);
        Box::pin(reading).await.map_err(|none| no_token(&none, route, trail))
    }

    /// The gate's own paths: the same steps, with the gate itself in the place of an upstream.
    async fn serve<'g, 'h>(
        &'g self,
        task: Task,
        config: &Config,
        head: &Head<'h>,
        now: Timestamp,
        trail: &mut Trail<'g>,
        platform: &(impl Platform + Office),
    ) -> Result<Verdict<'g, 'h>, Ended> {
        let mut asking =
            Authentication { config, registry: &self.registry, head, place: Place::Own, now };
        // (4) to (8)
        let entitle = |verified| authorize::entitle(verified, head, task.is_of_itself());
        let entitled = self.authorize(asking, entitle, trail, platform).await?;
        // (9)
        check_length(head, admin::MAX_BODY_BYTES)?;
        // (11)
        let reading = Reading {
            max_bytes: admin::MAX_BODY_BYTES,
            timeout_ms: admin::BODY_TIMEOUT_MS,
            is_needed: task.takes_body(),
        };
        let received = admit::receive(entitled.as_ref(), head, reading, None, platform).await;
        let key = entitled.as_ref().key();
        let received = received.map_err(|reason| not_admitted(reason, key, asking, trail))?;
        let again = self.look_again(entitled.as_ref(), &mut asking, entitle, trail, platform);
        let entitled = again.await?.unwrap_or(entitled);
        let verified = entitled.as_ref();
        let admitted = admit::admit_own(&entitled, received, platform).await;
        admitted.map_err(|reason| not_admitted(reason, verified.key(), asking, trail))?;
        let again = self.look_again(verified, &mut asking, entitle, trail, platform);
        again.await?;
        let desk = Desk {
            config,
            registry: &self.registry,
            usage: &self.usage,
            vault: &self.vault,
            key: verified.key(),
            head,
            record: &trail.record,
            now: asking.now,
            platform,
        };
        Ok(Verdict::Own(desk.perform(task).await?))
    }
}

/// Where [`Gate::judge`] ends when it does not refuse.
enum Verdict<'g, 'h> {
    Forward(Outbound<'h>, &'g Route, Rc<Credential>),
    Own(Own),
}

/// The end of a request that goes no further.
enum Ended {
    Refused(Stop),
    /// The caller broke off, and nobody is left to answer.
    CallerGone,
}

impl<S: Into<Stop>> From<S> for Ended {
    fn from(stop: S) -> Self {
        Self::Refused(stop.into())
    }
}

/// Everything that the key asks for must be there.
fn check_bindings(key: &Key, config: &Config, trail: &Trail<'_>) -> Result<(), Stop> {
    let replay = key.nonce_required && !config.replay;
    let ledger = key.quota.is_some() && !config.ledger;
    let missing = key.unavailable.or(replay.then_some("REPLAY")).or(ledger.then_some("LEDGER"));
    match missing {
        None => Ok(()),
        Some(missing) => Err(Stop::unavailable(&trail.record, missing, key.id.as_str())),
    }
}

fn check_length(head: &Head<'_>, most: u64) -> Result<(), Refusal> {
    match head.has_body() && head.content_length().is_some_and(|length| length > most) {
        true => Err(Refusal::BodyTooLarge),
        false => Ok(()),
    }
}

/// What a request is told that nothing can be sent for.
fn no_token(none: &NoToken, route: &Route, trail: &Trail<'_>) -> Stop {
    let secret = route.auth.secret();
    match none {
        NoToken::Missing => Stop::token_missing(&trail.record, secret),
        NoToken::Silent => {
            let feature = format!("{secret} (its Secrets Store has none, or did not answer)");
            Stop::unavailable(&trail.record, &feature, &route.path.to_string())
        }
        NoToken::Broken(error) => Stop::with_alarm(Fault::Misconfigured, &Alarm::from(error)),
    }
}

/// What a request that was not admitted is told.
fn not_admitted(
    reason: NotAdmitted,
    key: &Key,
    asking: Authentication<'_>,
    trail: &Trail<'_>,
) -> Ended {
    let rate = key.rate.as_deref().unwrap_or_default();
    let silent = match reason {
        NotAdmitted::Refused(refusal) => return refusal.into(),
        NotAdmitted::CallerGone => return Ended::CallerGone,
        NotAdmitted::Overloaded => return Stop::overloaded().into(),
        NotAdmitted::OverRate => {
            return Stop::rate_limited(rate::told(rate, asking.config.rates.get(rate))).into();
        }
        NotAdmitted::OverQuota(quota, had) => {
            return Stop::over_quota(quota.told(had, asking.now)).into();
        }
        NotAdmitted::LedgerSilent => "LEDGER".to_owned(),
        NotAdmitted::RateSilent => rate::binding(rate),
        NotAdmitted::ReplaySilent => "REPLAY".to_owned(),
    };
    let feature = format!("{silent} (missing, or did not answer)");
    Stop::unavailable(&trail.record, &feature, key.id.as_str()).into()
}
