//! The way of a request through the gate belongs here: the order of all checks, the request to the
//! upstream, and the response. The rules of each check do not: they are in the rooms that these steps call.
//!
//! The whole story, in the order of docs/wire-contract.md, "Order". Each step names its refusals with
//! their statuses:
//!
//!  0. The configuration must parse — 503 `misconfigured`. A preflight is answered, 204.
//!  1. The request must be well-formed, and all servers must read its path alike — 400 `bad-request`,
//!     `bad-path`.
//!  2. The method must be known — 405 `method-not-allowed`. The gate handles its own paths itself, after
//!     the same steps 4 to 9 and 11; `health` at once; `session` after steps of its own ([`mint`]).
//!  3. A route must take path, method and query — 404 `no-route`, 405 `method-not-allowed`, 400
//!     `bad-request`.
//!  4. The request must have exactly one credential, well-formed — 401 `credential-missing`, 400
//!     `bad-credential`, `ambiguous-credential`, `signature-unsupported`, `bad-request` if `Connection`
//!     names a signed field.
//!  5. Its key must exist, in the configuration or in the registry — 401 `key-unknown`; 503
//!     `misconfigured` for a record that does not parse, `feature-unavailable` if the registry does not
//!     answer.
//!  6. The credential must be valid: key, scheme, coverage, MAC, times, audience — 401 `key-revoked`,
//!     `key-expired`, `scheme-not-allowed`, `proof-missing`, `signature-incomplete`,
//!     `signature-invalid`, `signature-stale`, `session-expired`, `session-not-yet-valid`,
//!     `session-too-long`, `audience-mismatch`, `url-expired`; 400 `bad-credential` for a signed URL that
//!     ends too far ahead, `signature-unsupported` for a value that cannot be signed; 503
//!     `feature-unavailable` for a WAF-token URL without `WAF_SECRET`.
//!  7. Key and session must allow address, origin, method and path — 403 `ip-denied`, `origin-denied`,
//!     `method-denied`, `path-denied`; 400 `bad-path` for a path that they allow only as some server
//!     reads it.
//!  8. Every binding that the key needs must exist — 503 `feature-unavailable`.
//!  9. The body must not be announced as too long — 413 `body-too-large`.
//! 10. The gate must have an upstream token — 503 `token-missing`, `feature-unavailable` if a Secrets
//!     Store does not answer, `misconfigured` if its value is not a token.
//! 11. The key must have rate and quota left — 429 `rate-limited`, `quota-exceeded`. A body that the gate
//!     must read has to arrive — 413 `body-too-large`, 408 `body-timeout`, 503 `overloaded` — and to match
//!     the signed digest — 401 `digest-mismatch`. The nonce must be new — 401 `replayed`. If any of these
//!     is not known, 503 `feature-unavailable`. Whenever the gate has waited for something, it checks
//!     steps 4 to 8 and 10 again, because it must act on what is true now, not on what was true when the
//!     request arrived.
//! 12. A read of a route with a cache is answered from the cache, if possible. Otherwise the request is
//!     forwarded, perhaps more than once, as long as its [`Permit`] holds — 502 `upstream-unreachable`,
//!     504 `upstream-timeout`, 413 `body-too-large`.
//! 13. The response is passed on, unless it refuses the upstream token — 502 `upstream-rejected-token`.
//!
//! Steps 0 to 11 are [`Gate::decide`]. Steps 12 and 13 are [`Exchange`]: the edge tells it what the
//! upstream did, and it says what to do next. Both are free of I/O: they await only a [`Platform`], and
//! only if the request needs it.

pub mod admit;
mod authenticate;
pub mod authorize;
pub mod exchange;
pub mod forward;
mod mint;
pub mod reply;
pub mod response;
mod steps;

use std::pin::Pin;
use std::rc::Rc;

use crate::admin::{self, AdminEndpoint, AdminHandler, AdminTask, LocalResponse};
use crate::base::json::FieldError;
use crate::base::methods::{METHODS, Methods};
use crate::base::request::{Head, Raw};
use crate::base::sorted_map::SortedMap;
use crate::base::time::Timestamp;
use crate::config::{Config, Environment};
use crate::keys::registry::{Entry, Registry};
use crate::limits::usage::Usage;
use crate::platform::{AdminBackend, Platform, SecretsStore};
use crate::policy::path;
use crate::problem::{Fault, Refusal, Rejection};
use crate::telemetry::audit::Context;
use crate::upstream::route::{self, GATE_PREFIX, Route};
use crate::upstream::token_cache::{TokenCache, TokenLookup};
use crate::upstream::url::UpstreamCredential;
use admit::{Admitted, BodyLimits, QuotaContext};
use exchange::Exchange;
use forward::Outbound;
use response::{GateResponse, RequestState};
use steps::{Endpoint, Steps};

/// A gate with its configuration, or with the error in it.
#[derive(Debug)]
pub struct Gate {
    config: Result<Config, FieldError>,
    registry: Registry,
    usage: Usage,
    token_cache: TokenCache,
}

/// The decision about a request.
#[derive(Debug)]
pub enum Decision<'g, 'h> {
    /// Send this response; nothing reaches the upstream.
    Respond(GateResponse),
    /// Send this request to the upstream, and tell the exchange what happens.
    Forward(Outbound<'h>, Box<Exchange<'g>>),
}

impl Gate {
    /// Creates a gate with the configuration of `environment`. If that does not parse, the gate refuses
    /// every request.
    pub fn new(environment: &impl Environment) -> Self {
        Self {
            config: Config::read(environment),
            registry: Registry::default(),
            usage: Usage::default(),
            token_cache: TokenCache::default(),
        }
    }

    /// Returns the usage that the ledgers do not know yet.
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Returns the current value of every token that a route names.
    pub async fn tokens<'c>(
        &self,
        config: &'c Config,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> SortedMap<&'c str, TokenLookup> {
        self.token_cache.all(&config.tokens, &config.roots.current, store, now).await
    }

    /// Returns the configuration.
    ///
    /// # Errors
    /// The error of the first field that does not parse.
    pub const fn config(&self) -> Result<&Config, &FieldError> {
        self.config.as_ref()
    }

    /// Decides about a request: steps 0 to 11. Only the platform is awaited.
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
            Ok(Destination::Forward(outbound, permit)) => {
                let exchange = Exchange::new(self, state, permit, &outbound, platform.now());
                Decision::Forward(outbound, Box::new(exchange))
            }
            Ok(Destination::Local(response)) => Decision::Respond(state.respond(response)),
            Err(Abort::CallerGone) => Decision::Respond(state.caller_gone()),
            Err(Abort::Rejected(rejection)) => Decision::Respond(state.reject(rejection)),
        }
    }

    async fn handle_route<'g, 'h>(
        &'g self,
        raw: Raw<'h>,
        now: Timestamp,
        state: &mut RequestState<'g>,
        platform: &(impl Platform + AdminBackend),
    ) -> Result<Destination<'g, 'h>, Abort> {
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
            let endpoint = Endpoint::Admin;
            let steps = Steps { gate: self, config, head: &head, endpoint, now, state, platform };
            let answering: Apart<'_, _> = match admin::find(path, head.method())? {
                AdminEndpoint::Health => return Ok(Destination::Local(admin::health())),
                AdminEndpoint::Session => Box::pin(steps.mint_session()),
                AdminEndpoint::Authenticated(task) => Box::pin(steps.handle_admin(task)),
            };
            return answering.await.map(Destination::Local);
        }
        // (3)
        let route = route.ok_or(Refusal::NoRoute)?;
        state.record.route(route);
        if !route.takes(head.method()) {
            return Err(Rejection::method_not_allowed(route.allow()).into());
        }
        if route.denies_query(head.target()) {
            return Err(Refusal::BadRequest.into());
        }
        let endpoint = Endpoint::Route(route);
        let mut steps = Steps { gate: self, config, head: &head, endpoint, now, state, platform };
        // (4) to (8)
        let allow = |verified| authorize::allow(verified, &head);
        let allowed = steps.authorize(allow).await?;
        // (9)
        check_length(&head, route.max_body_bytes)?;
        // (10)
        let _ = steps.credential(route).await?;
        // (11)
        let body_limits = BodyLimits {
            max_bytes: route.max_body_bytes,
            timeout_ms: route.timeout_ms,
            is_required: forward::must_buffer(&head, route),
        };
        let usage = &self.usage;
        let quota = Some(QuotaContext { usage, now });
        let received = admit::receive(allowed.as_ref(), &head, body_limits, quota, platform).await;
        let key = allowed.as_ref().key();
        let received = received.map_err(|reason| steps.not_admitted_by(reason, key))?;
        let allowed = steps.recheck(allowed.as_ref(), allow).await?.unwrap_or(allowed);
        let derived_key = Rc::clone(allowed.as_ref().derived_key());
        let quota = QuotaContext { usage, now: steps.now };
        let admitted = admit::admit(allowed, received, quota, platform).await;
        let (admitted, in_flight) =
            admitted.map_err(|reason| steps.not_admitted_by(reason, derived_key.key()))?;
        steps.state.admitted(in_flight, steps.now);
        let _ = steps.recheck(admitted.verified(), allow).await?;
        let credential = steps.credential(route).await?;
        let record = &mut steps.state.record;
        record.token(credential.fingerprint().clone());
        let request_id = record.request_id();
        let outbound = forward::forward(&admitted, &head, route, &credential, request_id)
            .ok_or(Refusal::BadPath)?;
        let permit = Permit { admitted, route, credential };
        Ok(Destination::Forward(outbound, Box::new(permit)))
    }
}

impl<P: Platform + AdminBackend> Steps<'_, '_, P> {
    /// Handles a request for one of the gate's own paths: the same steps, with the gate in the place of
    /// the upstream.
    async fn handle_admin(mut self, task: AdminTask) -> Result<LocalResponse, Abort> {
        let Self { gate, config, head, platform, .. } = self;
        // (4) to (8)
        let authorize_admin =
            |verified| authorize::authorize_admin(verified, head, task.is_self_service());
        let allowed = self.authorize(authorize_admin).await?;
        // (9)
        check_length(head, admin::MAX_BODY_BYTES)?;
        // (11)
        let body_limits = BodyLimits {
            max_bytes: admin::MAX_BODY_BYTES,
            timeout_ms: admin::BODY_TIMEOUT_MS,
            is_required: task.takes_body(),
        };
        let received = admit::receive(allowed.as_ref(), head, body_limits, None, platform).await;
        let key = allowed.as_ref().key();
        let received = received.map_err(|reason| self.not_admitted_by(reason, key))?;
        let allowed = self.recheck(allowed.as_ref(), authorize_admin).await?.unwrap_or(allowed);
        let verified = allowed.as_ref();
        let admitted = admit::admit_admin(&allowed, received, platform).await;
        admitted.map_err(|reason| self.not_admitted_by(reason, verified.key()))?;
        let _ = self.recheck(verified, authorize_admin).await?;
        let handler = AdminHandler {
            config,
            registry: &gate.registry,
            usage: &gate.usage,
            token_cache: &gate.token_cache,
            key: verified.key(),
            head,
            now: self.now,
            platform,
        };
        Ok(handler.handle(task).await?)
    }
}

/// The future of a step that few requests need. Boxed, so that the futures of other requests do not contain its state;
/// `dyn`, so that its code is not a part of theirs: the runtime compiles a function as a whole, when it is first called.
type Apart<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The destination of a request that [`Gate::handle_route`] does not refuse.
enum Destination<'g, 'h> {
    Forward(Outbound<'h>, Box<Permit<'g>>),
    Local(LocalResponse),
}

/// The reasons why a request may be sent to the upstream.
#[derive(Debug)]
pub(crate) struct Permit<'g> {
    admitted: Admitted,
    route: &'g Route,
    credential: Rc<UpstreamCredential>,
}

impl Permit<'_> {
    /// Returns true if these reasons hold at `at`, as far as `gate` knows without asking anybody: the credential has not
    /// ended, and the key's record and the token are unchanged.
    fn holds(&self, gate: &Gate, at: Timestamp) -> bool {
        let Self { admitted, route, credential } = self;
        let verified = admitted.verified();
        let id = &verified.key().id;
        let is_configured = || gate.config().is_ok_and(|config| config.keys.contains_key(id));
        let is_unchanged = || match gate.registry.recent(id, at) {
            Some(Entry::Found(derived_key)) => Rc::ptr_eq(&derived_key, verified.derived_key()),
            Some(Entry::Absent | Entry::Broken) | None => false,
        };
        let has_token = || gate.token_cache.has(route.auth.secret(), credential.fingerprint(), at);
        verified.check_end(at).is_ok()
            && (is_configured() || is_unchanged())
            && (route.credential.is_some() || has_token())
    }
}

/// The reason why a request goes no further.
enum Abort {
    Rejected(Rejection),
    /// The caller broke off.
    CallerGone,
}

impl<S: Into<Rejection>> From<S> for Abort {
    fn from(rejection: S) -> Self {
        Self::Rejected(rejection.into())
    }
}

fn check_length(head: &Head<'_>, max_bytes: u64) -> Result<(), Refusal> {
    match head.has_body() && head.content_length().is_some_and(|length| length > max_bytes) {
        true => Err(Refusal::BodyTooLarge),
        false => Ok(()),
    }
}
