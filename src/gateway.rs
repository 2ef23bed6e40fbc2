//! The whole story of a request, in the order of the contract's section 4. Each step's refusals
//! and their statuses:
//!
//!  0. The configuration must parse — 503 `misconfigured`. A preflight is answered, 204.
//!  1. The request must come apart, and its path mean one thing — 400 `bad-request`, `bad-path`.
//!  2. The method must be one that anybody takes — 405 `method-not-allowed`; the gate's own
//!     paths are answered.
//!  3. A route must take path and method — 404 `no-route`, 405 `method-not-allowed`.
//!  4. Exactly one credential, in its form — 401 `credential-missing`, 400 `bad-credential`,
//!     `ambiguous-credential`.
//!  5. Its key must exist — 401 `key-unknown`.
//!  6. It must be good: key, scheme, MAC, times, audience — 401 `key-revoked`, `key-expired`,
//!     `scheme-not-allowed`, `signature-invalid`, `session-expired`, `session-not-yet-valid`,
//!     `session-too-long`, `audience-mismatch`, `proof-missing`.
//!  7. Key and session must allow address, origin, method and path — 403 `ip-denied`,
//!     `origin-denied`, `method-denied`, `path-denied`.
//!  8. Whatever else the key or the route asks for must be there — 503 `feature-unavailable`.
//!  9. The body must not be too long — 413 `body-too-large`.
//! 10. There must be a token to send — 503 `token-missing`.
//! 11. The request is forwarded, perhaps more than once — 502 `upstream-unreachable`, 504
//!     `upstream-timeout`, 413 `body-too-large`.
//! 12. The answer goes back, unless it refuses the gate's own token — 502
//!     `upstream-rejected-token`.
//!
//! Steps 0 to 10 are [`Gate::decide`]; 11 and 12 are [`Exchange`], which is told what the upstream
//! did and says what to do next. Both are free of I/O: the edge does what they say.

use crate::audit::{Alarm, Context, Outcome, Record};
use crate::config::{Config, Environment};
use crate::credential::{Limits, Presented};
use crate::forward::{self, Outbound};
use crate::json::FieldError;
use crate::policy::origin::Origin;
use crate::policy::{self, path};
use crate::problem::{Fault, Problem, Refusal};
use crate::reply::{self, Edits};
use crate::request::{Head, METHODS};
use crate::retry::Attempts;
use crate::route::{self, OWN_PREFIX, Route};
use crate::time::Timestamp;
use crate::upstream::Credential;

/// A gate with its configuration, or without a usable one.
#[derive(Debug)]
pub struct Gate {
    config: Result<Config, FieldError>,
}

/// A request as the edge hands it over, nothing looked at.
#[derive(Clone, Debug)]
pub struct Raw<'h> {
    /// The method.
    pub method: &'h str,
    /// The absolute URL, raw.
    pub target: &'h str,
    /// Header names in lower case and values, repeated fields joined.
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

/// An answer of the gate's own, and what it writes to the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty for none. Never a line break in it.
    pub body: String,
    /// The audit line.
    pub audit: String,
    /// A line for the operator.
    pub alarm: Option<String>,
}

impl Gate {
    /// A gate with the configuration of `environment`. One that does not parse closes the gate.
    #[must_use]
    pub fn new(environment: &impl Environment) -> Self {
        Self {
            config: Config::read(environment),
        }
    }

    /// The configuration.
    ///
    /// # Errors
    /// What of it does not parse.
    pub const fn config(&self) -> Result<&Config, &FieldError> {
        self.config.as_ref()
    }

    /// Steps 0 to 10.
    #[must_use]
    pub fn decide<'g, 'h>(&'g self, raw: Raw<'h>, context: Context) -> Decision<'g, 'h> {
        let now = context.now;
        let mut trail = Trail::new(context, &raw);
        match self.judge(raw, now, &mut trail) {
            Ok(Verdict::Forward(outbound, route, credential)) => {
                let attempts =
                    Attempts::new(outbound.repeatable, route.retries, now, route.timeout_ms);
                let exchange = Exchange {
                    trail,
                    route,
                    credential,
                    attempts,
                };
                Decision::Forward(outbound, Box::new(exchange))
            }
            Ok(Verdict::Own(own)) => Decision::Answer(trail.answer(own)),
            Err(stop) => Decision::Answer(trail.stop(stop)),
        }
    }

    fn judge<'g, 'h>(
        &'g self,
        raw: Raw<'h>,
        now: Timestamp,
        trail: &mut Trail<'g>,
    ) -> Result<Verdict<'g, 'h>, Stop> {
        // (0)
        let config = self
            .config
            .as_ref()
            .map_err(|_logged| Fault::Misconfigured)?;
        if let Some(preflight) = preflight(&raw) {
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
        if let Some(own) = head.path().strip_prefix(OWN_PREFIX) {
            return own_path(own, head.method()).map(Verdict::Own);
        }
        // (3)
        let route = route.ok_or(Refusal::NoRoute)?;
        trail.record.route(&route.path);
        if !route.takes(head.method()) {
            return Err(Stop::method_not_allowed(route.allow()));
        }
        // (4)
        let presented = Presented::pick(&head)?;
        trail.record.scheme(presented.scheme());
        let bare = policy::is_bare(presented.scheme());
        let readable = trail.cors_origin.take_if(|_| bare);
        // (5)
        let key = config
            .keys
            .get(presented.key())
            .ok_or(Refusal::KeyUnknown)?;
        trail.record.key(key);
        if policy::origin_matched(key, &head) {
            trail.cors_origin = trail.cors_origin.take().or(readable);
        }
        // (6)
        let audience = Origin::parse(&format!("{}://{}", head.scheme(), head.authority()));
        let limits = Limits {
            now,
            session_max_ttl: config.session_max_ttl,
            clock_skew: config.clock_skew,
            audience: audience.as_ref(),
        };
        let verified = presented.verify(key, &config.roots, &limits)?;
        if let Some(claims) = verified.claims() {
            trail.record.verified(claims.subject.as_deref());
        }
        // (7)
        let allowed = policy::allow(verified, &head)?;
        // (8)
        if let Some(feature) = key.unavailable {
            return Err(trail.unavailable(feature, key.id.as_str()));
        }
        if let Some(feature) = route.unavailable {
            return Err(trail.unavailable(feature, &route.path.to_string()));
        }
        // (9)
        if head.has_body()
            && head
                .content_length()
                .is_some_and(|n| n > route.max_body_bytes)
        {
            return Err(Refusal::BodyTooLarge.into());
        }
        // (10)
        let Some(credential) = &route.credential else {
            return Err(trail.token_missing(route.auth.secret()));
        };
        trail.record.token(credential.fingerprint().as_str());
        let request_id = trail.record.request_id();
        let outbound = forward::forward(&allowed, &head, route, credential, request_id)
            .ok_or(Refusal::BadPath)?;
        Ok(Verdict::Forward(outbound, route, credential))
    }
}

/// Where [`Gate::judge`] ends when it does not refuse.
enum Verdict<'g, 'h> {
    Forward(Outbound<'h>, &'g Route, &'g Credential),
    Own(Own),
}

/// An answer that is not a problem.
struct Own {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// Where [`Gate::judge`] ends when it does.
struct Stop {
    problem: Problem,
    allow: Option<String>,
    alarm: Option<String>,
}

impl<P: Into<Problem>> From<P> for Stop {
    fn from(problem: P) -> Self {
        Self {
            problem: problem.into(),
            allow: None,
            alarm: None,
        }
    }
}

impl Stop {
    fn method_not_allowed(allow: String) -> Self {
        Self {
            allow: Some(allow),
            ..Refusal::MethodNotAllowed.into()
        }
    }

    fn with_alarm(fault: Fault, alarm: &Alarm<'_>) -> Self {
        Self {
            alarm: Some(alarm.line()),
            ..fault.into()
        }
    }
}

/// A CORS preflight (Fetch, section 4.8) is answered with what it asked for: it carries no
/// credential and grants nothing, for the request that follows is checked like any other.
fn preflight(raw: &Raw<'_>) -> Option<Own> {
    let header = |wanted: &str| {
        let mut headers = raw.headers.iter();
        headers
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| (*value).to_owned())
    };
    let method = header("access-control-request-method").filter(|_| raw.method == "OPTIONS")?;
    header("origin")?;
    let mut headers = vec![
        ("access-control-allow-methods", method),
        ("access-control-max-age", "600".to_owned()),
    ];
    headers.extend(
        header("access-control-request-headers")
            .map(|asked| ("access-control-allow-headers", asked)),
    );
    Some(Own {
        status: 204,
        headers,
        body: String::new(),
    })
}

/// The gate's own paths, below `/_gate/`.
fn own_path(path: &str, method: &str) -> Result<Own, Stop> {
    if path != "health" {
        return Err(Refusal::NoRoute.into());
    }
    if !matches!(method, "GET" | "HEAD") {
        return Err(Stop::method_not_allowed("GET, HEAD".to_owned()));
    }
    let version = env!("CARGO_PKG_VERSION");
    Ok(Own {
        status: 200,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ],
        body: format!(r#"{{"status":"ok","version":"{version}"}}"#),
    })
}

/// What a request leaves behind on its way: the record, and who may read the answer.
#[derive(Debug)]
struct Trail<'g> {
    record: Record<'g>,
    cors_origin: Option<String>,
}

impl Trail<'_> {
    fn new(context: Context, raw: &Raw<'_>) -> Self {
        let origin = raw.headers.iter().find(|(name, _)| *name == "origin");
        Self {
            record: Record::new(context),
            cors_origin: origin.map(|(_, value)| (*value).to_owned()),
        }
    }

    /// The headers of every answer of the gate's own.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-request-id", self.record.request_id().to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        if let Some(origin) = &self.cors_origin {
            headers.extend(reply::cors(origin));
            headers.push(("vary", "Origin".to_owned()));
        }
        headers
    }

    fn answer(self, own: Own) -> Answer {
        let mut headers = self.headers();
        headers.extend(own.headers);
        Answer {
            status: own.status,
            headers,
            audit: self.record.end(Outcome::Answered, Some(own.status)),
            body: own.body,
            alarm: None,
        }
    }

    fn stop(self, stop: Stop) -> Answer {
        let body = stop.problem.document(self.record.request_id());
        let mut headers = self.headers();
        headers.push(("content-type", "application/problem+json".to_owned()));
        headers.push(("cache-control", "no-store".to_owned()));
        let challenge = stop.problem.challenge();
        headers.extend(challenge.map(|challenge| ("www-authenticate", challenge.to_owned())));
        headers.extend(stop.allow.map(|allow| ("allow", allow)));
        Answer {
            status: stop.problem.status(),
            headers,
            audit: self.record.problem(stop.problem, body.len()),
            body,
            alarm: stop.alarm,
        }
    }

    fn unavailable(&self, feature: &str, wanted_by: &str) -> Stop {
        let alarm = Alarm::FeatureUnavailable {
            request_id: self.record.request_id(),
            feature,
            wanted_by,
        };
        Stop::with_alarm(Fault::FeatureUnavailable, &alarm)
    }

    fn token_missing(&self, secret: &str) -> Stop {
        let alarm = Alarm::TokenMissing {
            request_id: self.record.request_id(),
            secret,
            mend: "set it with: npx wrangler secret put, and this name",
        };
        Stop::with_alarm(Fault::TokenMissing, &alarm)
    }
}

/// A request on its way to the upstream: steps 11 and 12.
#[derive(Debug)]
pub struct Exchange<'g> {
    trail: Trail<'g>,
    route: &'g Route,
    credential: &'g Credential,
    attempts: Attempts,
}

/// What to do after the upstream did something.
#[derive(Debug)]
pub enum Step<'h> {
    /// Wait this many milliseconds and send it again.
    Again(u32),
    /// Pass the upstream's answer on with these changes, and write these lines.
    Pass(Edits<'h>, Lines),
    /// Read the beginning of the answer's body and call [`Exchange::rejected`] with it.
    Inspect,
    /// Answer this instead.
    Answer(Answer),
}

/// Lines for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines {
    /// The audit line.
    pub audit: String,
    /// A line for the operator.
    pub alarm: Option<String>,
}

/// What stands where an answer must and nobody is there to read it: nginx's number for that.
const STATUS_NOBODY_READS: u16 = 499;

/// How an attempt ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or it broke off.
    Unreachable,
    /// No response headers in time, all attempts together.
    Timeout,
    /// The body turned out longer than the route takes; the upstream's request was broken off.
    BodyTooLarge,
    /// The caller broke off before the body was complete, and nobody is left to answer.
    CallerGone,
}

impl<'g> Exchange<'g> {
    /// Milliseconds to wait for response headers, all attempts together.
    #[must_use]
    pub const fn timeout_ms(&self) -> u32 {
        self.route.timeout_ms
    }

    /// The upstream answered. `random` is from 0 to 1.
    ///
    /// After [`Step::Pass`], [`Step::Inspect`] and [`Step::Answer`] nothing may be sent again.
    pub fn answered<'h>(
        &mut self,
        status: u16,
        headers: &[(&'h str, &'h str)],
        now: Timestamp,
        random: f64,
    ) -> Step<'h> {
        self.note(now);
        self.trail
            .record
            .answered(status, reply::content_length(headers));
        // (11)
        if reply::is_transient(status) {
            let retry_after = headers.iter().find(|(name, _)| *name == "retry-after");
            let retry_after = retry_after.map(|(_, value)| *value);
            if let Some(pause_ms) = self.attempts.again(retry_after, now, random) {
                return Step::Again(pause_ms);
            }
        }
        if reply::is_unreachable(status) || !reply::is_final_status(status) {
            return self.fail(Fault::UpstreamUnreachable);
        }
        // (12)
        if self.route.reject_status.contains(&status) {
            return Step::Inspect;
        }
        let edits = reply::edit(
            headers,
            self.route,
            self.credential,
            self.trail.record.request_id(),
            self.trail.cors_origin.as_deref(),
        );
        let lines = Lines {
            audit: self
                .trail
                .record
                .clone()
                .end(Outcome::Forwarded, Some(status)),
            alarm: self.echo_alarm(&edits),
        };
        Step::Pass(edits, lines)
    }

    /// The attempt ended without an answer.
    pub fn failed(&mut self, failure: Failure, now: Timestamp, random: f64) -> Step<'static> {
        self.note(now);
        match failure {
            Failure::Unreachable => match self.attempts.again(None, now, random) {
                Some(pause_ms) => Step::Again(pause_ms),
                None => self.fail(Fault::UpstreamUnreachable),
            },
            Failure::Timeout => self.fail(Fault::UpstreamTimeout),
            Failure::BodyTooLarge => self.fail(Refusal::BodyTooLarge),
            Failure::CallerGone => Step::Answer(Answer {
                status: STATUS_NOBODY_READS,
                headers: Vec::new(),
                body: String::new(),
                audit: self.trail.record.clone().end(Outcome::Failed, None),
                alarm: None,
            }),
        }
    }

    /// The upstream refused the gate's own token; `body` is the beginning of what it said, of
    /// which nothing but an error code is looked at.
    #[must_use]
    pub fn rejected(&mut self, upstream_status: u16, body: &[u8]) -> Answer {
        let upstream_code = reply::cloudflare_code(body);
        let alarm = Alarm::UpstreamRejectedToken {
            request_id: self.trail.record.request_id(),
            secret: self.route.auth.secret(),
            upstream_status,
            upstream_code,
            hint: reply::rejection_hint(upstream_status, upstream_code),
        };
        self.end(Stop::with_alarm(Fault::UpstreamRejectedToken, &alarm))
    }

    fn note(&mut self, now: Timestamp) {
        self.attempts.end_one();
        let elapsed_ms = self.attempts.elapsed_ms(now);
        self.trail.record.asked(self.attempts.made(), elapsed_ms);
    }

    fn fail(&mut self, problem: impl Into<Problem>) -> Step<'static> {
        Step::Answer(self.end(problem.into().into()))
    }

    fn end(&mut self, stop: Stop) -> Answer {
        let trail = Trail {
            record: self.trail.record.clone(),
            cors_origin: self.trail.cors_origin.clone(),
        };
        trail.stop(stop)
    }

    fn echo_alarm(&self, edits: &Edits<'_>) -> Option<String> {
        let alarm = Alarm::EchoGuard {
            request_id: self.trail.record.request_id(),
            headers: &edits.echoed,
            mend: "the upstream sends the token back in these headers; it was redacted, but rotate the token and tell the upstream's operator",
        };
        (!edits.echoed.is_empty()).then(|| alarm.line())
    }
}
