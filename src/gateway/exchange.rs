//! The exchange with the upstream: steps 12 and 13 of [`crate::gateway`]. The edge tells it what the
//! cache has and what the upstream did, and it says what to do next. Waiting, sending and reading are
//! the edge's part.

use crate::base::headers::{self, HeaderEdits};
use crate::base::time::Timestamp;
use crate::cache::{self, CacheEntry, CacheWrite, Conditions, Policy};
use crate::gateway::forward::Outbound;
use crate::gateway::reply;
use crate::gateway::response::{GateResponse, RequestState};
use crate::limits::usage::{Account, Amounts, Kind};
use crate::problem::{Alarm, Fault, Problem, Refusal, Rejection};
use crate::telemetry::outcome::Outcome;
use crate::upstream::retry::Attempts;

use super::{Gate, Permit};

/// Longest response, in bytes, that is charged by its `Content-Length`: measuring so few bytes while
/// they stream costs more than a wrong length could. `memory_cache.js` remembers no longer responses.
const MAX_UNMETERED_BYTES: u64 = 65_536;

/// A request on its way to the upstream.
#[derive(Debug)]
pub struct Exchange<'g> {
    state: RequestState<'g>,
    gate: &'g Gate,
    permit: Box<Permit<'g>>,
    /// The upstream's URL for the request.
    url: String,
    attempts: Attempts,
    /// The cache policy, if this is a read of a cached route.
    cache: Option<Policy>,
    conditions: Conditions,
    requested_at: Timestamp,
    /// The outcome for charging, once a response was passed on.
    ended: Option<Kind>,
}

/// The next step after an event of the upstream.
#[derive(Debug)]
pub enum Step<'h> {
    /// Wait this many milliseconds and send the request again.
    Again(u32),
    /// Pass the response on with these edits, write these lines, and store a copy with these edits.
    Pass(HeaderEdits<'h>, LogLines, Option<CacheWrite<'h>>),
    /// Read the beginning of the response body and call [`Exchange::rejected`] with it.
    Inspect,
    /// Send this response instead.
    Respond(GateResponse),
}

/// Lines for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct LogLines {
    /// The audit line.
    pub audit: String,
    /// A line for the operator.
    pub alarm: Option<String>,
    /// The response is charged while it streams: the edge calls [`Exchange::passed`].
    pub is_metered: bool,
}

/// The reason why an attempt ended without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection failed, or broke off.
    Unreachable,
    /// No response headers arrived in time, all attempts together.
    Timeout,
    /// The request body is longer than the route takes; the upstream's request was broken off.
    BodyTooLarge,
    /// The caller broke off before the body was complete.
    CallerGone,
}

impl<'g> Exchange<'g> {
    /// Creates an exchange before the first attempt.
    pub(crate) fn new(
        gate: &'g Gate,
        state: RequestState<'g>,
        permit: Box<Permit<'g>>,
        outbound: &Outbound<'_>,
        now: Timestamp,
    ) -> Self {
        let route = permit.route;
        let allows_browser_cache = state.account.as_ref().is_none_or(Account::allows_browser_cache);
        let cache = route.cache.filter(|_| outbound.cache.is_some());
        let cache = cache.map(|policy| match allows_browser_cache {
            true => policy,
            false => Policy { browser_ttl: 0, ..policy },
        });
        Self {
            state,
            gate,
            permit,
            url: outbound.url.clone(),
            attempts: Attempts::new(outbound.repeatable, route.retries, now, route.timeout_ms),
            cache,
            conditions: outbound
                .cache
                .as_ref()
                .map_or_else(Conditions::default, |lookup| lookup.conditions.clone()),
            requested_at: now,
            ended: None,
        }
    }

    /// Returns the longest wait for response headers, in milliseconds, all attempts together.
    pub const fn timeout_ms(&self) -> u32 {
        self.permit.route.timeout_ms
    }

    /// Takes a cache entry. Returns how to pass it on, or `None` if it must not be served.
    pub fn cached<'h>(
        &mut self,
        status: u16,
        entry: CacheEntry<'_, 'h>,
        now: Timestamp,
    ) -> Option<Step<'h>> {
        let replaced = self.conditions.status(status, entry.headers);
        let mut edits = self.edits(replaced.unwrap_or(status), entry.headers);
        let life = cache::on_hit(entry, &mut edits, now)?;
        cache::on_conditions(replaced, entry.headers, &mut edits);
        if let Some(policy) = self.cache {
            cache::keep_in_browser(policy, life, entry.headers, &mut edits);
        }
        self.state.record.cached("hit");
        let length = match edits.status {
            Some(_without_body) => Some(0),
            None => self.length(status, entry.headers),
        };
        self.state.record.length(length);
        // The cache keeps no body that is shorter than announced. A compressed body is decompressed when
        // it is measured, so its length would no longer be right.
        let is_packed = headers::header(entry.headers, "content-encoding").is_some();
        let is_known = is_packed && length.is_some();
        self.state.is_metered = !is_known && self.is_metered(length, true);
        let status = edits.status.unwrap_or(status);
        Some(self.pass(status, Outcome::Cached, edits, None))
    }

    /// Takes a response of the upstream, to a request body of `sent` bytes if its length was not
    /// announced. `random` is from 0 to 1.
    ///
    /// After [`Step::Pass`], [`Step::Inspect`] and [`Step::Respond`] nothing may be sent again.
    pub fn answered<'h>(
        &mut self,
        status: u16,
        headers: &[(&'h str, &'h str)],
        sent: Option<u64>,
        now: Timestamp,
        random: f64,
    ) -> Step<'h> {
        self.record_attempt(sent, now);
        let length = self.length(status, headers);
        self.state.record.answered(status);
        self.state.record.length(length);
        // (12)
        if reply::is_transient(status) {
            let retry_after = headers::header(headers, "retry-after");
            if let Some(pause_ms) = self.next_pause_ms(retry_after, now, random) {
                return Step::Again(pause_ms);
            }
        }
        if reply::is_unreachable(status) || !reply::is_final_status(status) {
            return self.fail(Fault::UpstreamUnreachable);
        }
        // (13)
        if self.permit.route.reject_status.contains(&status) {
            return Step::Inspect;
        }
        let mut edits = self.edits(status, headers);
        let mut cache_write = None;
        if let Some(policy) = self.cache {
            // The response to a HEAD has no body to store.
            if self.state.record.method() == "GET" {
                cache_write =
                    cache::to_store(policy, status, headers, &edits, self.requested_at, now);
            }
            cache::on_miss(status, headers, &mut edits);
            if let Some(write) = &cache_write {
                cache::keep_in_browser(policy, write.life, headers, &mut edits);
            }
            self.state.record.cached("miss");
        } else {
            cache::keep_private(headers, &mut edits, now);
            if matches!(self.state.record.method(), "GET" | "HEAD") {
                cache::vary_by_caller(cache::Scope::Key, headers, &mut edits);
            }
        }
        self.state.is_metered = self.is_metered(length, false);
        self.pass(status, Outcome::Forwarded, edits, cache_write)
    }

    fn edits<'h>(&self, status: u16, headers: &[(&'h str, &'h str)]) -> HeaderEdits<'h> {
        let routes = self.gate.config().map_or(&[][..], |config| &config.routes);
        let request = reply::Request {
            target: reply::Target { routes, route: self.permit.route, url: &self.url },
            credential: &self.permit.credential,
            id: self.state.record.request_id(),
            cors_origin: self.state.cors_origin(),
        };
        reply::edit(status, headers, request)
    }

    /// Returns the length of a response body; `None` if it was not announced.
    fn length(&self, status: u16, headers: &[(&str, &str)]) -> Option<u64> {
        match headers::has_body(self.state.record.method(), status) {
            true => headers::content_length(headers),
            false => Some(0),
        }
    }

    /// Returns true if the response is charged while it streams, and not by its length: if it may be
    /// long, or, unless `is_stored_whole`, if the key's quota limits bytes. An empty response never is.
    fn is_metered(&self, length: Option<u64>, is_stored_whole: bool) -> bool {
        let may_be_long = length.is_none_or(|length| length > MAX_UNMETERED_BYTES);
        let is_exact = |account: &Account<'_>| {
            may_be_long || (account.limits_bytes() && !is_stored_whole && length != Some(0))
        };
        self.state.account.as_ref().is_some_and(is_exact)
    }

    fn pass<'h>(
        &mut self,
        status: u16,
        outcome: Outcome,
        edits: HeaderEdits<'h>,
        cache_write: Option<CacheWrite<'h>>,
    ) -> Step<'h> {
        let lines = LogLines {
            alarm: self.echo_alarm(&edits),
            is_metered: self.state.is_metered,
            audit: self.state.end(outcome, Some(status)),
        };
        self.ended = Some(outcome.kind());
        Step::Pass(edits, lines, cache_write)
    }

    /// Charges bytes of the request body and of the response body that have passed since the response's
    /// head, or since the last call.
    pub fn passed(&mut self, bytes_in: u64, bytes_out: u64) {
        let amounts = Amounts { bytes_in, bytes_out, ..Amounts::default() };
        if let (Some(account), Some(kind)) = (&mut self.state.account, self.ended) {
            account.charge(kind, None, &amounts);
        }
    }

    /// Takes the failure of an attempt, after `sent` bytes of a body whose length was not announced.
    pub fn failed(
        &mut self,
        failure: Failure,
        sent: Option<u64>,
        now: Timestamp,
        random: f64,
    ) -> Step<'static> {
        self.record_attempt(sent, now);
        match failure {
            Failure::Unreachable => match self.next_pause_ms(None, now, random) {
                Some(pause_ms) => Step::Again(pause_ms),
                None => self.fail(Fault::UpstreamUnreachable),
            },
            Failure::Timeout => self.fail(Fault::UpstreamTimeout),
            Failure::BodyTooLarge => self.fail(Refusal::BodyTooLarge),
            Failure::CallerGone => Step::Respond(self.caller_gone()),
        }
    }

    /// Ends the exchange because the caller broke off: nothing is sent again.
    pub fn caller_gone(&mut self) -> GateResponse {
        self.state.caller_gone()
    }

    /// Ends the exchange because the upstream refused its token. `body` is the beginning of the response
    /// body, of which only an error code is read.
    pub fn rejected(&mut self, upstream_status: u16, body: &[u8]) -> GateResponse {
        let upstream_code = reply::cloudflare_code(body);
        let alarm = Alarm::UpstreamRejectedToken {
            secret: self.permit.route.auth.secret().to_owned(),
            upstream_status,
            upstream_code,
            hint: reply::rejection_hint(upstream_status, upstream_code),
        };
        self.end(Rejection::from(Fault::UpstreamRejectedToken).with_alarm(alarm))
    }

    /// Returns the pause in milliseconds before the request is sent again; `None` if it must not be, also because
    /// what it was admitted by will not hold then, or the gate would have to ask if it does.
    fn next_pause_ms(
        &mut self,
        retry_after: Option<&str>,
        now: Timestamp,
        random: f64,
    ) -> Option<u32> {
        let pause_ms = self.attempts.next_pause_ms(retry_after, now, random)?;
        let at = Timestamp::from_millis(now.millis().saturating_add(pause_ms.into()));
        self.permit.holds(self.gate, at).then_some(pause_ms)
    }

    fn record_attempt(&mut self, sent: Option<u64>, now: Timestamp) {
        if let Some(sent) = sent {
            self.state.record.sent(sent);
        }
        self.attempts.count_one();
        let elapsed_ms = self.attempts.elapsed_ms(now);
        self.state.record.attempted(self.attempts.made(), elapsed_ms);
    }

    fn fail(&mut self, problem: impl Into<Problem>) -> Step<'static> {
        Step::Respond(self.end(problem.into().into()))
    }

    fn end(&mut self, rejection: Rejection) -> GateResponse {
        self.state.reject(rejection)
    }

    fn echo_alarm(&self, edits: &HeaderEdits<'_>) -> Option<String> {
        if edits.echoed.is_empty() {
            return None;
        }
        let headers = edits.echoed.iter().map(|name| (*name).to_owned()).collect();
        Some(Alarm::EchoGuard { headers }.line(Some(self.state.record.request_id())))
    }
}
