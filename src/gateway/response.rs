//! Answers of the gate's own, and what a request leaves behind on its way to one: every refusal has
//! the same headers, the same document and the same audit line wherever it comes from.

use crate::admin::LocalResponse;
use crate::base::headers;
use crate::base::request::Raw;
use crate::credential::accept_signature::AcceptSignature;
use crate::gateway::reply;
use crate::limits::usage::{Account, InFlightGuard};
use crate::problem::Rejection;
use crate::telemetry::audit::{AuditRecord, Context, Outcome};

/// What stands where an answer must and nobody is there to read it: nginx's number for that.
const STATUS_NOBODY_READS: u16 = 499;

/// An answer of the gate's own, and what it writes to the log.
#[derive(Debug, PartialEq, Eq)]
pub struct GateResponse {
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
/// What a request leaves behind on its way: the record, who may read the answer, and what a 401 asks
/// for.
#[derive(Clone, Debug)]
pub(crate) struct RequestState<'g> {
    pub(crate) record: AuditRecord,
    /// The key that is charged for it, once its credential was good.
    pub(crate) account: Option<Account<'g>>,
    /// How often the upstream answered 429.
    pub(crate) throttled: u64,
    /// The answer's body is charged as it streams, and not by its length.
    pub(crate) is_metered: bool,
    pub(crate) cors_origin: Option<String>,
    pub(crate) wanted: Option<AcceptSignature>,
}

impl<'g> RequestState<'g> {
    pub(crate) fn new(context: Context, raw: &Raw<'_>) -> Self {
        let origin = raw.headers.iter().find(|(name, _)| *name == "origin");
        Self {
            record: AuditRecord::new(context, raw),
            account: None,
            throttled: 0,
            is_metered: false,
            cors_origin: origin.map(|(_, value)| (*value).to_owned()),
            wanted: None,
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

    pub(crate) fn answer(&mut self, own: LocalResponse) -> GateResponse {
        let sent = match headers::has_body(self.record.method(), own.status) {
            true => own.body.len(),
            false => 0,
        };
        self.record.length(sent.try_into().ok());
        let mut headers = self.headers();
        headers.extend(own.headers);
        GateResponse {
            status: own.status,
            headers,
            audit: self.end(Outcome::Answered, Some(own.status)),
            body: own.body,
            alarm: None,
        }
    }

    /// The caller broke off: an audit line, and an answer that nobody reads.
    pub(crate) fn gone(&mut self) -> GateResponse {
        GateResponse {
            status: STATUS_NOBODY_READS,
            headers: Vec::new(),
            body: String::new(),
            audit: self.end(Outcome::Failed, None),
            alarm: None,
        }
    }

    /// The request counts as under way.
    pub(crate) fn hold(&mut self, in_flight: Option<InFlightGuard<'g>>) {
        if let (Some(account), Some(in_flight)) = (&mut self.account, in_flight) {
            account.keep(in_flight);
        }
    }

    /// The request has ended: it is charged to its key, and this is its line.
    pub(crate) fn end(&mut self, outcome: Outcome, status: Option<u16>) -> String {
        if let (Some(account), Some(kind)) = (&mut self.account, outcome.kind()) {
            let mut amounts = self.record.amounts();
            amounts.upstream_429 = self.throttled;
            if self.is_metered {
                amounts.bytes_out = 0;
            }
            account.charge(kind, &amounts);
        }
        self.record.end(outcome, status)
    }

    pub(crate) fn stop(&mut self, stop: Rejection) -> GateResponse {
        let request_id = self.record.request_id();
        let body = stop.problem.document(request_id, &stop.members);
        let mut headers = self.headers();
        headers.push(("content-type", "application/problem+json".to_owned()));
        headers.push(("cache-control", "no-store".to_owned()));
        let challenge = stop.problem.challenge();
        if let Some(challenge) = challenge {
            headers.push(("www-authenticate", challenge.to_owned()));
            if let (Some(wanted), Some(key)) = (&self.wanted, self.record.key_id()) {
                headers.push(("accept-signature", wanted.header(key, request_id)));
            }
        }
        headers.extend(stop.headers);
        let alarm = stop.alarm.map(|alarm| alarm.line(Some(request_id)));
        let status = stop.problem.status();
        let sent = match headers::has_body(self.record.method(), status) {
            true => body.len(),
            false => 0,
        };
        self.record.problem(stop.problem, sent);
        GateResponse {
            status,
            headers,
            audit: self.end(stop.problem.into(), Some(status)),
            body,
            alarm,
        }
    }
}
