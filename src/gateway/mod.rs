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

use crate::admin::LocalResponse;
use crate::admin::{self, AdminHandler, Service, Task};
use crate::base::day::Day;
use crate::base::json::FieldError;
use crate::base::methods::{METHODS, Methods};
use crate::base::request::Head;
use crate::base::request::Raw;
use crate::base::time::Timestamp;
use crate::config::{Config, Environment};
use crate::credential::Verified;
use crate::keys::Key;
use crate::keys::registry::{Entry, Registry};
use crate::limits::rate;
use crate::limits::usage::{Account, Usage};
use crate::platform::{AdminBackend, Platform, SecretsStore, Unavailable};
use crate::policy::path;
use crate::problem::{Denial, Fault, Refusal, Rejection};
use crate::telemetry::audit::Context;
use crate::upstream::route::{self, GATE_PREFIX, Route};
use crate::upstream::token_cache::{TokenCache, TokenLookup, TokenUnavailable};
use crate::upstream::url::UpstreamCredential;
use admit::{Counting, NotAdmitted, Reading};
use authenticate::{Authenticator, Endpoint};
use exchange::Exchange;
use forward::Outbound;
use response::{GateResponse, RequestState};

/// A gate with its configuration, or without a usable one.
#[derive(Debug)]
pub struct Gate {
    config: Result<Config, FieldError>,
    registry: Registry,
    usage: Usage,
    token_cache: TokenCache,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Decision<'g, 'h> {
    /// Answer it; nothing reaches the upstream.
    Respond(GateResponse),
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
            token_cache: TokenCache::default(),
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
    ) -> BTreeMap<&'c str, TokenLookup> {
        self.token_cache.all(&config.tokens, &config.roots.current, store, now).await
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
        platform: &(impl Platform + AdminBackend),
    ) -> Decision<'g, 'h> {
        let now = context.now;
        self.usage.name(&context.request_id);
        let mut state = RequestState::new(context, &raw);
        match self.handle_route(raw, now, &mut state, platform).await {
            Ok(Destination::Forward(outbound, route, credential)) => {
                let routes = self.config().map_or(&[][..], |config| &config.routes);
                let exchange =
                    Exchange::new(state, (routes, route), credential, &outbound, platform.now());
                Decision::Forward(outbound, Box::new(exchange))
            }
            Ok(Destination::Local(own)) => Decision::Respond(state.answer(own)),
            Err(Ended::CallerGone) => Decision::Respond(state.gone()),
            Err(Ended::Refused(stop)) => Decision::Respond(state.stop(stop)),
        }
    }

    async fn handle_route<'g, 'h>(
        &'g self,
        raw: Raw<'h>,
        now: Timestamp,
        state: &mut RequestState<'g>,
        platform: &(impl Platform + AdminBackend),
    ) -> Result<Destination<'g, 'h>, Ended> {
        // (0)
        let config = self.config.as_ref().map_err(|_logged| Fault::Misconfigured)?;
        if let Some(preflight) = admin::preflight(&raw) {
            return Ok(Destination::Local(preflight));
        }
        // (1)
        let head = Head::new(raw.method, raw.target, raw.headers, raw.has_body)?;
        state.record.request(&head);
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
            let allow = route.map_or(Methods::ALL, |route| route.methods).allow();
            return Err(Rejection::method_not_allowed(allow).into());
        }
        if let Some(path) = head.path().strip_prefix(GATE_PREFIX) {
            return match admin::find(path, head.method())? {
                Service::Health => Ok(Destination::Local(admin::health())),
                Service::Guarded(task) => {
                    // Boxed, so that no other request carries its state about.
                    Box::pin(self.handle_admin(task, config, &head, now, state, platform)).await
                }
            };
        }
        // (3)
        let route = route.ok_or(Refusal::NoRoute)?;
        state.record.route(&route.path);
        if !route.takes(head.method()) {
            return Err(Rejection::method_not_allowed(route.allow()).into());
        }
        if route.denies_query(&head) {
            return Err(Refusal::BadRequest.into());
        }
        let mut authenticator = Authenticator {
            config,
            registry: &self.registry,
            head: &head,
            endpoint: Endpoint::Route(route),
            now,
        };
        // (4) to (8)
        let allow = |verified| authorize::allow(verified, &head);
        let allowed = self.authorize(authenticator, allow, state, platform).await?;
        // (9)
        check_length(&head, route.max_body_bytes)?;
        // (10)
        self.credential(authenticator, route, platform).await?;
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
        let received = received.map_err(|reason| not_admitted(reason, key, authenticator))?;
        let again = self.look_again(allowed.as_ref(), &mut authenticator, allow, state, platform);
        let allowed = again.await?.unwrap_or(allowed);
        let known = Rc::clone(allowed.as_ref().known());
        let counting = Counting { usage, now: authenticator.now };
        let admitted = admit::admit(allowed, received, counting, platform).await;
        let (admitted, in_flight) =
            admitted.map_err(|reason| not_admitted(reason, known.key(), authenticator))?;
        state.hold(in_flight);
        let again =
            self.look_again(admitted.verified(), &mut authenticator, allow, state, platform);
        again.await?;
        let credential = self.credential(authenticator, route, platform).await?;
        state.record.token(credential.fingerprint().clone());
        let request_id = state.record.request_id();
        let outbound = forward::forward(&admitted, &head, route, &credential, request_id)
            .ok_or(Refusal::BadPath)?;
        Ok(Destination::Forward(outbound, route, credential))
    }

    /// Steps 4 to 8, at `authenticator.now`: who calls, whether the credential is good, and whether key and session
    /// allow the request, as `allow` decides.
    async fn authorize<'g, T: AsRef<Verified>>(
        &'g self,
        authenticator: Authenticator<'_>,
        allow: impl Fn(Verified) -> Result<T, Denial>,
        state: &mut RequestState<'g>,
        platform: &impl Platform,
    ) -> Result<T, Rejection> {
        // (4) (5)
        let (presented, known) = authenticator.identify(state, platform).await?;
        // (6)
        let verified = authenticator.prove(presented, &known, state)?;
        let is_bare = authorize::is_bare(verified.scheme());
        let charge = |state: &mut RequestState<'g>| {
            if authenticator.charges() && state.account.is_none() {
                state.account =
                    Some(Account::new(&self.usage, known.key(), Day::of(authenticator.now)));
            }
        };
        if !is_bare {
            charge(state);
        }
        // (7)
        let allowed = allow(verified)?;
        // A bare public key proves nothing, so its key is charged only for what it allows.
        charge(state);
        // (8)
        check_bindings(known.key(), authenticator.config)?;
        Ok(allowed)
    }

    /// Steps 4 to 8, and 10, for a request that has waited: its credential must still be good, its key's
    /// record must be what it was, and there must be a token. Looks until nothing had to be waited for, so all
    /// of it holds at `authenticator.now`. Returns what a changed record allows.
    async fn look_again<'g, T: AsRef<Verified>>(
        &'g self,
        verified: &Verified,
        authenticator: &mut Authenticator<'_>,
        allow: impl Fn(Verified) -> Result<T, Denial> + Copy,
        state: &mut RequestState<'g>,
        platform: &impl Platform,
    ) -> Result<Option<T>, Rejection> {
        let mut changed: Option<T> = None;
        while platform.now() != authenticator.now {
            authenticator.now = platform.now();
            let verified = changed.as_ref().map_or(verified, AsRef::as_ref);
            verified.check_end(authenticator.now)?;
            match authenticator.lookup(&verified.key().id, platform).await {
                Ok(Entry::Known(known)) if Rc::ptr_eq(&known, verified.known()) => {}
                Ok(_) => {
                    changed = Some(self.authorize(*authenticator, allow, state, platform).await?)
                }
                Err(Unavailable) => return Err(Rejection::registry_unavailable()),
            }
            if let Endpoint::Route(route) = authenticator.endpoint {
                self.credential(*authenticator, route, platform).await?;
            }
        }
        Ok(changed)
    }

    /// Step 10, at `authenticator.now`: the upstream token of the route, as a credential to send.
    async fn credential(
        &self,
        authenticator: Authenticator<'_>,
        route: &Route,
        platform: &impl Platform,
    ) -> Result<Rc<UpstreamCredential>, Rejection> {
        if let Some(credential) = &route.credential {
            return Ok(Rc::clone(credential));
        }
        let config = authenticator.config;
        let (source, root) = (config.tokens.get(route.auth.secret()), &config.roots.current);
        // Boxed, so that no other request carries its state about.
        let reading = self.token_cache.credential(route, source, root, platform, authenticator.now);
        Box::pin(reading).await.map_err(|none| no_token(&none, route))
    }

    /// The gate's own paths: the same steps, with the gate itself in the place of an upstream.
    async fn handle_admin<'g, 'h>(
        &'g self,
        task: Task,
        config: &Config,
        head: &Head<'h>,
        now: Timestamp,
        state: &mut RequestState<'g>,
        platform: &(impl Platform + AdminBackend),
    ) -> Result<Destination<'g, 'h>, Ended> {
        let mut authenticator = Authenticator {
            config,
            registry: &self.registry,
            head,
            endpoint: Endpoint::Admin,
            now,
        };
        // (4) to (8)
        let authorize_admin =
            |verified| authorize::authorize_admin(verified, head, task.is_self_service());
        let entitled = self.authorize(authenticator, authorize_admin, state, platform).await?;
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
        let received = received.map_err(|reason| not_admitted(reason, key, authenticator))?;
        let again = self.look_again(
            entitled.as_ref(),
            &mut authenticator,
            authorize_admin,
            state,
            platform,
        );
        let entitled = again.await?.unwrap_or(entitled);
        let verified = entitled.as_ref();
        let admitted = admit::admit_own(&entitled, received, platform).await;
        admitted.map_err(|reason| not_admitted(reason, verified.key(), authenticator))?;
        let again = self.look_again(verified, &mut authenticator, authorize_admin, state, platform);
        again.await?;
        let handler = AdminHandler {
            config,
            registry: &self.registry,
            usage: &self.usage,
            token_cache: &self.token_cache,
            key: verified.key(),
            head,
            now: authenticator.now,
            platform,
        };
        Ok(Destination::Local(handler.handle(task).await?))
    }
}

/// Where [`Gate::handle_route`] ends when it does not refuse.
enum Destination<'g, 'h> {
    Forward(Outbound<'h>, &'g Route, Rc<UpstreamCredential>),
    Local(LocalResponse),
}

/// The end of a request that goes no further.
enum Ended {
    Refused(Rejection),
    /// The caller broke off, and nobody is left to answer.
    CallerGone,
}

impl<S: Into<Rejection>> From<S> for Ended {
    fn from(stop: S) -> Self {
        Self::Refused(stop.into())
    }
}

/// Everything that the key asks for must be there.
fn check_bindings(key: &Key, config: &Config) -> Result<(), Rejection> {
    let replay = key.nonce_required && !config.replay;
    let ledger = key.quota.is_some() && !config.ledger;
    let missing = key.unavailable.or(replay.then_some("REPLAY")).or(ledger.then_some("LEDGER"));
    match missing {
        None => Ok(()),
        Some(missing) => Err(Rejection::unavailable(missing, key.id.as_str())),
    }
}

fn check_length(head: &Head<'_>, most: u64) -> Result<(), Refusal> {
    match head.has_body() && head.content_length().is_some_and(|length| length > most) {
        true => Err(Refusal::BodyTooLarge),
        false => Ok(()),
    }
}

/// What a request is told that nothing can be sent for.
fn no_token(none: &TokenUnavailable, route: &Route) -> Rejection {
    let secret = route.auth.secret();
    match none {
        TokenUnavailable::Missing => Rejection::token_missing(secret),
        TokenUnavailable::Unavailable => {
            let feature = format!("{secret} (its Secrets Store has none, or did not answer)");
            Rejection::unavailable(feature, route.path.to_string())
        }
        TokenUnavailable::Broken(error) => Rejection::misconfigured(error),
    }
}

/// What a request that was not admitted is told.
fn not_admitted(reason: NotAdmitted, key: &Key, authenticator: Authenticator<'_>) -> Ended {
    let rate = key.rate.as_deref().unwrap_or_default();
    let silent = match reason {
        NotAdmitted::Refused(refusal) => return refusal.into(),
        NotAdmitted::CallerGone => return Ended::CallerGone,
        NotAdmitted::Overloaded => return Rejection::overloaded().into(),
        NotAdmitted::OverRate => {
            let headers = rate::rate_limit_headers(rate, authenticator.config.rates.get(rate));
            return Rejection::from(Refusal::RateLimited).with_headers(headers.fields()).into();
        }
        NotAdmitted::OverQuota(quota, used) => {
            let headers = quota.rate_limit_headers(used, authenticator.now);
            return Rejection::from(Refusal::QuotaExceeded).with_headers(headers.fields()).into();
        }
        NotAdmitted::LedgerSilent => "LEDGER".to_owned(),
        NotAdmitted::RateSilent => rate::binding(rate),
        NotAdmitted::ReplaySilent => "REPLAY".to_owned(),
    };
    let feature = format!("{silent} (missing, or did not answer)");
    Rejection::unavailable(feature, key.id.as_str()).into()
}
