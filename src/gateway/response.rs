//! Responses of the gate itself, and the state of a request that they need: every refusal has the same
//! headers, the same document and the same audit line, no matter where it comes from.

use crate::admin::LocalResponse;
use crate::base::day::Day;
use crate::base::headers;
use crate::base::request::Raw;
use crate::base::time::Timestamp;
use crate::credential::accept_signature::AcceptSignature;
use crate::gateway::reply;
use crate::limits::usage::{Account, InFlightGuard};
use crate::problem::Rejection;
use crate::telemetry::audit::{AuditRecord, Context, Outcome};

/// The status of a response that nobody reads, because the caller broke off. nginx uses this number for
/// that.
const STATUS_NOBODY_READS: u16 = 499;

/// A response of the gate itself, with its log lines.
#[derive(Debug, PartialEq, Eq)]
pub struct GateResponse {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty for none. It contains no line break.
    pub body: String,
    /// The audit line.
    pub audit: String,
    /// A line for the operator.
    pub alarm: Option<String>,
}
/// The state of a request: its audit record, the page that may read the response, and the signature that
/// a 401 asks for.
#[derive(Clone, Debug)]
pub(crate) struct RequestState<'g> {
    pub(crate) record: AuditRecord,
    /// The account of the key that is charged, once its credential is verified.
    pub(crate) account: Option<Account<'g>>,
    /// Number of 429 responses of the upstream.
    pub(crate) upstream_429: u64,
    /// The response body is charged while it streams, and not by its length.
    pub(crate) is_metered: bool,
    pub(crate) cors_origin: Option<String>,
    pub(crate) accept_signature: Option<AcceptSignature>,
}

impl<'g> RequestState<'g> {
    pub(crate) fn new(context: Context, raw: &Raw<'_>) -> Self {
        let origin = raw.headers.iter().find(|(name, _)| *name == "origin");
        Self {
            record: AuditRecord::new(context, raw),
            account: None,
            upstream_429: 0,
            is_metered: false,
            cors_origin: origin.map(|(_, value)| (*value).to_owned()),
            accept_signature: None,
        }
    }

    /// Returns the headers of every response of the gate itself.
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

    pub(crate) fn respond(&mut self, local: LocalResponse) -> GateResponse {
        let sent = match headers::has_body(self.record.method(), local.status) {
            true => local.body.len(),
            false => 0,
        };
        self.record.length(sent.try_into().ok());
        let mut headers = self.headers();
        headers.extend(local.headers);
        GateResponse {
            status: local.status,
            headers,
            audit: self.end(Outcome::Answered, Some(local.status)),
            body: local.body,
            alarm: None,
        }
    }

    /// Ends a request whose caller broke off, with an audit line and a response that nobody reads.
    pub(crate) fn caller_gone(&mut self) -> GateResponse {
        GateResponse {
            status: STATUS_NOBODY_READS,
            headers: Vec::new(),
            body: String::new(),
            audit: self.end(Outcome::Failed, None),
            alarm: None,
        }
    }

    /// Keeps the reservation of a request that was admitted at `now`.
    pub(crate) fn admitted(&mut self, in_flight: Option<InFlightGuard<'g>>, now: Timestamp) {
        if let Some(account) = &mut self.account {
            account.admitted(in_flight, Day::of(now));
        }
    }

    /// Ends the request: charges it to its key, and returns its audit line.
    pub(crate) fn end(&mut self, outcome: Outcome, status: Option<u16>) -> String {
        if let Some(account) = &mut self.account {
            let mut amounts = self.record.amounts();
            amounts.upstream_429 = self.upstream_429;
            if self.is_metered {
                amounts.bytes_out = 0;
            }
            account.charge(outcome.kind(), self.record.code(), &amounts);
        }
        self.record.end(outcome, status)
    }

    pub(crate) fn reject(&mut self, rejection: Rejection) -> GateResponse {
        let request_id = self.record.request_id();
        let body = rejection.problem.document(request_id, &rejection.members);
        let mut headers = self.headers();
        headers.push(("content-type", "application/problem+json".to_owned()));
        headers.push(("cache-control", "no-store".to_owned()));
        let challenge = rejection.problem.challenge();
        if let Some(challenge) = challenge {
            headers.push(("www-authenticate", challenge.to_owned()));
            if let (Some(accept_signature), Some(key)) =
                (&self.accept_signature, self.record.key_id())
            {
                headers.push(("accept-signature", accept_signature.header(key, request_id)));
            }
        }
        headers.extend(rejection.headers);
        let alarm = rejection.alarm.map(|alarm| alarm.line(Some(request_id)));
        let status = rejection.problem.status();
        let sent = match headers::has_body(self.record.method(), status) {
            true => body.len(),
            false => 0,
        };
        self.record.problem(rejection.problem, sent);
        GateResponse {
            status,
            headers,
            audit: self.end(rejection.problem.into(), Some(status)),
            body,
            alarm,
        }
    }
}
