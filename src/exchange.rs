//! A request on its way to the upstream: steps 12 and 13 of the story in [`crate::gateway`]. It is told
//! what the upstream did and says what to do next; waiting, sending and reading are the edge's.

use crate::answer::{Answer, Stop, Trail};
use crate::audit::{Alarm, Outcome};
use crate::problem::{Fault, Problem, Refusal};
use crate::reply::{self, Edits};
use crate::retry::Attempts;
use crate::route::Route;
use crate::time::Timestamp;
use crate::upstream::Credential;
use crate::usage::{Amounts, Kind};

/// A request on its way to the upstream: steps 12 and 13.
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
    /// The answer's length is not known: [`Exchange::streamed`] wants to be told.
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
    pub(crate) const fn new(
        trail: Trail<'g>,
        route: &'g Route,
        credential: &'g Credential,
        repeatable: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            trail,
            route,
            credential,
            attempts: Attempts::new(repeatable, route.retries, now, route.timeout_ms),
        }
    }

    /// Milliseconds to wait for response headers, all attempts together.
    #[must_use]
    pub const fn timeout_ms(&self) -> u32 {
        self.route.timeout_ms
    }

    /// The upstream answered, to a body that turned out `sent` bytes long, where that was not known.
    /// `random` is from 0 to 1.
    ///
    /// After [`Step::Pass`], [`Step::Inspect`] and [`Step::Answer`] nothing may be sent again.
    pub fn answered<'h>(
        &mut self,
        status: u16,
        headers: &[(&'h str, &'h str)],
        sent: Option<u64>,
        now: Timestamp,
        random: f64,
    ) -> Step<'h> {
        self.note(sent, now);
        let length = match reply::has_body(self.trail.record.method(), status) {
            true => reply::content_length(headers),
            false => Some(0),
        };
        self.trail.record.answered(status, length);
        if status == 429 {
            self.trail.throttled = self.trail.throttled.saturating_add(1);
        }
        // (12)
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
        // (13)
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
            alarm: self.echo_alarm(&edits),
            is_metered: length.is_none() && self.trail.account.is_some(),
            audit: self.trail.clone().end(Outcome::Forwarded, Some(status)),
        };
        self.trail.release();
        Step::Pass(edits, lines)
    }

    /// An answer of unknown length has ended, or its caller went away, after so many bytes.
    pub fn streamed(&mut self, bytes_out: u64) {
        let amounts = Amounts {
            bytes_out,
            ..Amounts::default()
        };
        if let Some(account) = &mut self.trail.account {
            account.charge(Kind::Forwarded, &amounts);
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
            Failure::CallerGone => Step::Answer(self.trail.clone().gone()),
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

    fn note(&mut self, sent: Option<u64>, now: Timestamp) {
        if let Some(sent) = sent {
            self.trail.record.sent(sent);
        }
        self.attempts.end_one();
        let elapsed_ms = self.attempts.elapsed_ms(now);
        self.trail.record.asked(self.attempts.made(), elapsed_ms);
    }

    fn fail(&mut self, problem: impl Into<Problem>) -> Step<'static> {
        Step::Answer(self.end(problem.into().into()))
    }

    fn end(&mut self, stop: Stop) -> Answer {
        self.trail.clone().stop(stop)
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
