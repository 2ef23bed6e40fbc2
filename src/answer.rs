//! Answers of the gate's own, and what a request leaves behind on its way to one: every refusal has
//! the same headers, the same document and the same audit line wherever it comes from.

use crate::audit::{Alarm, Context, Outcome, Record};
use crate::gateway::Raw;
use crate::problem::{Fault, Problem, Refusal};
use crate::reply;

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
/// An answer that is not a problem.
pub(crate) struct Own {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A problem with what goes along with it.
pub(crate) struct Stop {
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
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self {
            allow: Some(allow),
            ..Refusal::MethodNotAllowed.into()
        }
    }

    pub(crate) fn with_alarm(fault: Fault, alarm: &Alarm<'_>) -> Self {
        Self {
            alarm: Some(alarm.line()),
            ..fault.into()
        }
    }
}

/// What a request leaves behind on its way: the record, and who may read the answer.
#[derive(Clone, Debug)]
pub(crate) struct Trail<'g> {
    pub(crate) record: Record<'g>,
    pub(crate) cors_origin: Option<String>,
}

impl Trail<'_> {
    pub(crate) fn new(context: Context, raw: &Raw<'_>) -> Self {
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

    pub(crate) fn answer(self, own: Own) -> Answer {
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

    pub(crate) fn stop(self, stop: Stop) -> Answer {
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
}
