//! A request on its way to the upstream: steps 12 and 13 of the story in [`crate::gateway`]. It is told
//! what the store of answers has and what the upstream did, and says what to do next; waiting, sending and reading are the edge's.

use std::rc::Rc;

use crate::base::headers::{self, HeaderEdits};
use crate::base::time::Timestamp;
use crate::cache::{self, CacheEntry, CacheWrite, Conditions, Policy};
use crate::gateway::forward::Outbound;
use crate::gateway::reply;
use crate::gateway::response::{GateResponse, RequestState};
use crate::limits::usage::{Account, Amounts, Kind};
use crate::problem::{Alarm, Fault, Problem, Refusal, Rejection};
use crate::telemetry::audit::Outcome;
use crate::upstream::retry::Attempts;
use crate::upstream::route::Route;
use crate::upstream::url::UpstreamCredential;

/// Longest answer, in bytes, that is charged as its `Content-Length` says: measuring so little as it
/// streams costs more than a wrong length could. `memory_cache.js` remembers no longer ones.
const MAX_BELIEVED_BYTES: u64 = 65_536;

/// A request on its way to the upstream: steps 12 and 13.
#[derive(Debug)]
pub struct Exchange<'g> {
    state: RequestState<'g>,
    routes: &'g [Route],
    route: &'g Route,
    credential: Rc<UpstreamCredential>,
    /// The URL of the upstream that it goes to.
    url: String,
    attempts: Attempts,
    /// How its answer is kept, if it is a read of a cached route.
    cache: Option<Policy>,
    conditions: Conditions,
    asked: Timestamp,
    /// How it ended, once an answer was passed on.
    ended: Option<Kind>,
}

/// What to do after the upstream did something.
#[derive(Debug)]
pub enum Step<'h> {
    /// Wait this many milliseconds and send it again.
    Again(u32),
    /// Pass the answer on with these changes, write these lines, and keep a copy of it with these.
    Pass(HeaderEdits<'h>, LogLines, Option<CacheWrite<'h>>),
    /// Read the beginning of the answer's body and call [`Exchange::rejected`] with it.
    Inspect,
    /// Answer this instead.
    Respond(GateResponse),
}

/// Lines for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct LogLines {
    /// The audit line.
    pub audit: String,
    /// A line for the operator.
    pub alarm: Option<String>,
    /// The answer is charged as it streams: the edge calls [`Exchange::passed`].
    pub is_metered: bool,
}

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
    /// Before the first attempt.
    pub(crate) fn new(
        state: RequestState<'g>,
        (routes, route): (&'g [Route], &'g Route),
        credential: Rc<UpstreamCredential>,
        outbound: &Outbound<'_>,
        now: Timestamp,
    ) -> Self {
        Self {
            state,
            routes,
            route,
            credential,
            url: outbound.url.clone(),
            attempts: Attempts::new(outbound.repeatable, route.retries, now, route.timeout_ms),
            cache: route.cache.filter(|_| outbound.cache.is_some()),
            conditions: outbound
                .cache
                .as_ref()
                .map_or_else(Conditions::default, |lookup| lookup.conditions.clone()),
            asked: now,
            ended: None,
        }
    }

    /// Milliseconds to wait for response headers, all attempts together.
    #[must_use]
    pub const fn timeout_ms(&self) -> u32 {
        self.route.timeout_ms
    }

    /// The store has an answer: how it is passed on, or `None` if it may not be.
    pub fn found<'h>(
        &mut self,
        status: u16,
        found: CacheEntry<'_, 'h>,
        now: Timestamp,
    ) -> Option<Step<'h>> {
        let mut edits = self.edits(status, found.headers);
        if !cache::on_hit(found, &mut edits, now) {
            return None;
        }
        cache::on_conditions(&self.conditions, status, found.headers, &mut edits);
        self.state.record.cached("hit");
        let length = match edits.status {
            Some(_without_body) => Some(0),
            None => self.length(status, found.headers),
        };
        self.state.record.length(length);
        // The store keeps nothing that was shorter than it said. A compressed body is unpacked when it is
        // read to be measured, so its length would no longer be right.
        let is_packed = headers::header(found.headers, "content-encoding").is_some();
        let is_known = is_packed && length.is_some();
        self.state.is_metered = !is_known && self.is_metered(length, true);
        let status = edits.status.unwrap_or(status);
        Some(self.pass(status, Outcome::Cached, edits, None))
    }

    /// The upstream answered, to a body that turned out `sent` bytes long, where that was not known.
    /// `random` is from 0 to 1.
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
        self.note(sent, now);
        let length = self.length(status, headers);
        self.state.record.answered(status);
        self.state.record.length(length);
        if status == 429 {
            self.state.throttled = self.state.throttled.saturating_add(1);
        }
        // (12)
        if reply::is_transient(status) {
            let retry_after = headers::header(headers, "retry-after");
            if let Some(pause_ms) = self.attempts.again(retry_after, now, random) {
                return Step::Again(pause_ms);
            }
        }
        if reply::is_unreachable(status) || !reply::is_final_status(status) {
            return self.fail(Fault::UpstreamUnreachable);
        }
        // (13)
        if self.route.reject_status.contains(&status) {
            return Step::Inspect;
        }
        let mut edits = self.edits(status, headers);
        let mut kept = None;
        if let Some(policy) = self.cache {
            // What a HEAD is answered with is no body to keep.
            if self.state.record.method() == "GET" {
                kept = cache::to_store(policy, status, headers, &edits, self.asked, now);
            }
            cache::on_miss(headers, &mut edits);
            self.state.record.cached("miss");
        } else {
            cache::keep_private(headers, &mut edits, now);
        }
        self.state.is_metered = self.is_metered(length, false);
        self.pass(status, Outcome::Forwarded, edits, kept)
    }

    fn edits<'h>(&self, status: u16, headers: &[(&'h str, &'h str)]) -> HeaderEdits<'h> {
        let request = reply::Request {
            target: reply::Target { routes: self.routes, route: self.route, url: &self.url },
            credential: &self.credential,
            id: self.state.record.request_id(),
            cors_origin: self.state.cors_origin.as_deref(),
        };
        reply::edit(status, headers, request)
    }

    /// The length of an answer's body; `None` where nobody said.
    fn length(&self, status: u16, headers: &[(&str, &str)]) -> Option<u64> {
        match headers::has_body(self.state.record.method(), status) {
            true => headers::content_length(headers),
            false => Some(0),
        }
    }

    /// Returns true if the answer is charged as it streams, and not as its length says: if it may be
    /// long, or, unless `is_kept_whole`, if its key's quota limits bytes. An empty one never is.
    fn is_metered(&self, length: Option<u64>, is_kept_whole: bool) -> bool {
        let may_be_long = length.is_none_or(|length| length > MAX_BELIEVED_BYTES);
        let is_exact = |account: &Account<'_>| {
            may_be_long || (account.limits_bytes() && !is_kept_whole && length != Some(0))
        };
        self.state.account.as_ref().is_some_and(is_exact)
    }

    fn pass<'h>(
        &mut self,
        status: u16,
        outcome: Outcome,
        edits: HeaderEdits<'h>,
        kept: Option<CacheWrite<'h>>,
    ) -> Step<'h> {
        let lines = LogLines {
            alarm: self.echo_alarm(&edits),
            is_metered: self.state.is_metered,
            audit: self.state.end(outcome, Some(status)),
        };
        self.ended = outcome.kind();
        Step::Pass(edits, lines, kept)
    }

    /// Since the answer's head, or since this was last called, so many bytes more of the request's body
    /// and of the answer's have passed. They are charged.
    pub fn passed(&mut self, bytes_in: u64, bytes_out: u64) {
        let amounts = Amounts { bytes_in, bytes_out, ..Amounts::default() };
        if let (Some(account), Some(kind)) = (&mut self.state.account, self.ended) {
            account.charge(kind, &amounts);
        }
    }

    /// The attempt ended without an answer, after `sent` bytes of a body of unknown length.
    pub fn failed(
        &mut self,
        failure: Failure,
        sent: Option<u64>,
        now: Timestamp,
        random: f64,
    ) -> Step<'static> {
        self.note(sent, now);
        match failure {
            Failure::Unreachable => match self.attempts.again(None, now, random) {
                Some(pause_ms) => Step::Again(pause_ms),
                None => self.fail(Fault::UpstreamUnreachable),
            },
            Failure::Timeout => self.fail(Fault::UpstreamTimeout),
            Failure::BodyTooLarge => self.fail(Refusal::BodyTooLarge),
            Failure::CallerGone => Step::Respond(self.left()),
        }
    }

    /// The caller left, and nobody is there to be answered: nothing is sent again.
    #[must_use]
    pub fn left(&mut self) -> GateResponse {
        self.state.gone()
    }

    /// The upstream refused the gate's own token; `body` is the beginning of what it said, of
    /// which nothing but an error code is looked at.
    #[must_use]
    pub fn rejected(&mut self, upstream_status: u16, body: &[u8]) -> GateResponse {
        let upstream_code = reply::cloudflare_code(body);
        let alarm = Alarm::UpstreamRejectedToken {
            secret: self.route.auth.secret().to_owned(),
            upstream_status,
            upstream_code,
            hint: reply::rejection_hint(upstream_status, upstream_code),
        };
        self.end(Rejection::from(Fault::UpstreamRejectedToken).with_alarm(alarm))
    }

    fn note(&mut self, sent: Option<u64>, now: Timestamp) {
        if let Some(sent) = sent {
            self.state.record.sent(sent);
        }
        self.attempts.end_one();
        let elapsed_ms = self.attempts.elapsed_ms(now);
        self.state.record.asked(self.attempts.made(), elapsed_ms);
    }

    fn fail(&mut self, problem: impl Into<Problem>) -> Step<'static> {
        Step::Respond(self.end(problem.into().into()))
    }

    fn end(&mut self, stop: Rejection) -> GateResponse {
        self.state.stop(stop)
    }

    fn echo_alarm(&self, edits: &HeaderEdits<'_>) -> Option<String> {
        if edits.echoed.is_empty() {
            return None;
        }
        let headers = edits.echoed.iter().map(|name| (*name).to_owned()).collect();
        Some(Alarm::EchoGuard { headers }.line(Some(self.state.record.request_id())))
    }
}
