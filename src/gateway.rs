//! The whole story of a request, in the order of the contract's section 4. Each step's refusals
//! and their statuses:
//!
//!  0. The configuration must parse — 503 `misconfigured`. A preflight is answered, 204.
//!  1. The request must come apart, and its path mean one thing — 400 `bad-request`, `bad-path`.
//!  2. The method must be one that anybody takes — 405 `method-not-allowed`. The gate's own paths
//!     are worked on by the gate itself, after the same steps 4 to 9 and 11; `health` at once.
//!  3. A route must take path and method — 404 `no-route`, 405 `method-not-allowed`.
//!  4. Exactly one credential, in its form — 401 `credential-missing`, 400 `bad-credential`,
//!     `ambiguous-credential`, `signature-unsupported`.
//!  5. Its key must exist, in the configuration or in the registry — 401 `key-unknown`; 503
//!     `misconfigured` for a record that is none, `feature-unavailable` when it cannot be read.
//!  6. It must be good: key, scheme, coverage, MAC, times, audience — 401 `key-revoked`,
//!     `key-expired`, `scheme-not-allowed`, `proof-missing`, `signature-incomplete`,
//!     `signature-invalid`, `signature-stale`, `session-expired`, `session-not-yet-valid`,
//!     `session-too-long`, `audience-mismatch`, `url-expired`; 400 `bad-credential` for a link that
//!     ends too far ahead, `signature-unsupported` for a value that nobody can sign; 503
//!     `feature-unavailable` for a WAF-token URL without `WAF_SECRET`.
//!  7. Key and session must allow address, origin, method and path — 403 `ip-denied`,
//!     `origin-denied`, `method-denied`, `path-denied`.
//!  8. Whatever else the key asks for must be there — 503 `feature-unavailable`.
//!  9. The body must not be too long — 413 `body-too-large`.
//! 10. There must be a token to send — 503 `token-missing`, `feature-unavailable` when a Secrets Store
//!     does not answer, `misconfigured` when it holds none.
//! 11. Its key must not have had enough — 429 `rate-limited`, `quota-exceeded`; the body must be the
//!     one that was signed — 413 `body-too-large`, 401 `digest-mismatch`; and the request must not have
//!     been sent before — 401 `replayed`; 503 `feature-unavailable` when any of that cannot be told.
//! 12. A read of a route with a cache is answered from there, if it can be. Else the request is
//!     forwarded, perhaps more than once — 502 `upstream-unreachable`, 504 `upstream-timeout`, 413
//!     `body-too-large`.
//! 13. The answer goes back, unless it refuses the gate's own token — 502
//!     `upstream-rejected-token`.
//!
//! Steps 0 to 11 are [`Gate::decide`]; 12 and 13 are [`Exchange`] in its own file, which is told what
//! the upstream did and says what to do next. Both are free of I/O: what has to be waited for is asked
//! of a [`Platform`], and only by a request that needs it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::admission::{self, Counting, NotAdmitted};
use crate::answer::{Answer, Own, Stop, Trail};
use crate::audit::{Alarm, Context};
use crate::authentication::{Authentication, Place};
use crate::config::{Config, Environment};
use crate::day::Day;
use crate::exchange::Exchange;
use crate::forward::{self, Outbound};
use crate::json::FieldError;
use crate::key::Key;
use crate::own::{self, Desk, Service, Task};
use crate::platform::{Office, Platform, SecretsStore};
use crate::policy::{self, path};
use crate::problem::{Fault, Refusal};
use crate::rates;
use crate::registry::Registry;
use crate::request::{Head, METHODS};
use crate::route::{self, OWN_PREFIX, Route};
use crate::time::Timestamp;
use crate::upstream::Credential;
use crate::usage::{Account, Usage};
use crate::vault::{Found, NoToken, Vault};

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
                let exchange = Exchange::new(trail, (routes, route), credential, &outbound, now);
                Decision::Forward(outbound, Box::new(exchange))
            }
            Ok(Verdict::Own(own)) => Decision::Answer(trail.answer(own)),
            Ok(Verdict::CallerGone) => Decision::Answer(trail.gone()),
            Err(stop) => Decision::Answer(trail.stop(stop)),
        }
    }

    async fn judge<'g, 'h>(
        &'g self,
        raw: Raw<'h>,
        now: Timestamp,
        trail: &mut Trail<'g>,
        platform: &(impl Platform + Office),
    ) -> Result<Verdict<'g, 'h>, Stop> {
        // (0)
        let config = self
            .config
            .as_ref()
            .map_err(|_logged| Fault::Misconfigured)?;
        if let Some(preflight) = own::preflight(&raw) {
            return Ok(Verdict::Own(preflight));
        }
        // (1)
        let head = Head::new(raw.method, raw.target, raw.headers, raw.has_body)?;
        trail.record.request(&head);
        let checked = path::check(head.path())?;
        let route = route::find(&config.routes, head.path());
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
            return Err(Stop::method_not_allowed(allow));
        }
        if let Some(path) = head.path().strip_prefix(OWN_PREFIX) {
            return match own::find(path, head.method())? {
                Service::Health => Ok(Verdict::Own(own::health())),
                Service::Guarded(task) => {
                    self.serve(task, config, &head, now, trail, platform).await
                }
            };
        }
        // (3)
        let route = route.ok_or(Refusal::NoRoute)?;
        trail.record.route(&route.path);
        if !route.takes(head.method()) {
            return Err(Stop::method_not_allowed(route.allow()));
        }
        let asking = Authentication {
            config,
            registry: &self.registry,
            head: &head,
            place: Place::Route(route),
            now,
        };
        // (4) (5)
        let (presented, known) = asking.identify(trail, platform).await?;
        // (6)
        let verified = asking.prove(presented, &known, trail)?;
        let key = verified.key();
        let account = config
            .ledger
            .then(|| Account::new(&self.usage, key, Day::of(now)));
        // Nothing counts against a key before its credential was good; a bare one is none.
        let (account, of_bare) = match policy::is_bare(verified.scheme()) {
            true => (None, account),
            false => (account, None),
        };
        trail.account = account;
        // (7)
        let allowed = policy::allow(verified, &head)?;
        trail.account = trail.account.take().or(of_bare);
        // (8)
        check_bindings(key, config, trail)?;
        // (9)
        check_length(&head, route.max_body_bytes)?;
        // (10)
        let credential = match &route.credential {
            Some(credential) => Rc::clone(credential),
            None => {
                // Boxed, so that no other request carries its state about.
                let reading = self.vault.credential(route, config, platform, now);
                let read = Box::pin(reading).await;
                read.map_err(|none| no_token(&none, route, trail))?
            }
        };
        // (11)
        let counting = Counting {
            usage: &self.usage,
            now,
        };
        let most = route.max_body_bytes;
        let admitted = match admission::admit(allowed, &head, most, counting, platform).await {
            Ok((admitted, held)) => {
                trail.hold(held);
                admitted
            }
            Err(NotAdmitted::CallerGone) => return Ok(Verdict::CallerGone),
            Err(reason) => return Err(not_admitted(reason, key, config, trail, now)),
        };
        trail.record.token(credential.fingerprint().clone());
        let request_id = trail.record.request_id();
        let outbound = forward::forward(&admitted, &head, route, &credential, request_id)
            .ok_or(Refusal::BadPath)?;
        Ok(Verdict::Forward(outbound, route, credential))
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
    ) -> Result<Verdict<'g, 'h>, Stop> {
        let asking = Authentication {
            config,
            registry: &self.registry,
            head,
            place: Place::Own,
            now,
        };
        // (4) (5)
        let (presented, known) = asking.identify(trail, platform).await?;
        // (6)
        let verified = asking.prove(presented, &known, trail)?;
        let key = verified.key();
        // (7)
        let entitled = policy::entitle(verified, head, task.is_of_itself())?;
        // (8)
        check_bindings(key, config, trail)?;
        // (9)
        check_length(head, own::MAX_BODY_BYTES)?;
        // (11)
        match admission::admit_own(&entitled, head, own::MAX_BODY_BYTES, platform).await {
            Ok(()) => {}
            Err(NotAdmitted::CallerGone) => return Ok(Verdict::CallerGone),
            Err(reason) => return Err(not_admitted(reason, key, config, trail, now)),
        }
        let desk = Desk {
            config,
            registry: &self.registry,
            usage: &self.usage,
            vault: &self.vault,
            key,
            head,
            record: &trail.record,
            now,
            platform,
        };
        let done = desk.perform(task).await?;
        Ok(done.map_or(Verdict::CallerGone, Verdict::Own))
    }
}

/// Where [`Gate::judge`] ends when it does not refuse.
enum Verdict<'g, 'h> {
    Forward(Outbound<'h>, &'g Route, Rc<Credential>),
    Own(Own),
    CallerGone,
}

/// Everything that the key asks for must be there.
fn check_bindings(key: &Key, config: &Config, trail: &Trail<'_>) -> Result<(), Stop> {
    let replay = key.nonce_required && !config.replay;
    let ledger = key.quota.is_some() && !config.ledger;
    let missing = key
        .unavailable
        .or(replay.then_some("REPLAY"))
        .or(ledger.then_some("LEDGER"));
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
    config: &Config,
    trail: &Trail<'_>,
    now: Timestamp,
) -> Stop {
    let rate = key.rate.as_deref().unwrap_or_default();
    let silent = match reason {
        NotAdmitted::Refused(refusal) => return refusal.into(),
        NotAdmitted::OverRate => {
            return Stop::rate_limited(rates::told(rate, config.rates.get(rate)));
        }
        NotAdmitted::OverQuota(quota, had) => {
            return Stop::over_quota(quota.told(had, now));
        }
        NotAdmitted::LedgerSilent => "LEDGER".to_owned(),
        NotAdmitted::RateSilent => rates::binding(rate),
        NotAdmitted::ReplaySilent => "REPLAY".to_owned(),
        // Nobody is left to be told anything.
        NotAdmitted::CallerGone => String::new(),
    };
    let feature = format!("{silent} (missing, or did not answer)");
    Stop::unavailable(&trail.record, &feature, key.id.as_str())
}
