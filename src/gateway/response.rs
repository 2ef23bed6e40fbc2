//! Answers of the gate's own, and what a request leaves behind on its way to one: every refusal has
//! the same headers, the same document and the same audit line wherever it comes from.

use serde_json::Value;

use crate::base::json::FieldError;
use crate::gateway::Raw;
use crate::gateway::authorize::Denial;
use crate::gateway::reply;
use crate::keys::KeyId;
use crate::keys::registry;
use crate::limits::quota::RateLimitHeaders;
use crate::limits::usage::{Account, InFlightGuard};
use crate::problem::{Fault, Problem, Refusal};
use crate::telemetry::audit::{Alarm, AuditRecord, Context, Outcome};

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
/// An answer that is not a problem.
pub(crate) struct LocalResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl LocalResponse {
    /// An answer in JSON, for whoever asked and nobody after them.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("cache-control", "no-store".to_owned()),
            ],
            body: body.to_string(),
        }
    }
}

/// A problem with what goes along with it.
pub(crate) struct Rejection {
    problem: Problem,
    alarm: Option<String>,
    /// Extension members of the document (RFC 9457 section 3.2).
    members: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl<P: Into<Problem>> From<P> for Rejection {
    fn from(problem: P) -> Self {
        Self { problem: problem.into(), alarm: None, members: Vec::new(), headers: Vec::new() }
    }
}

impl From<Denial> for Rejection {
    /// Says whose limit it was, and nothing of what it is.
    fn from(denial: Denial) -> Self {
        Self {
            members: denial
                .limit
                .map(|limit| ("limit", limit.name().to_owned()))
                .into_iter()
                .collect(),
            ..denial.refusal.into()
        }
    }
}

impl Rejection {
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self { headers: vec![("allow", allow)], ..Refusal::MethodNotAllowed.into() }
    }

    pub(crate) fn rate_limited((retry_after, policy): (u64, String)) -> Self {
        Self {
            headers: vec![("retry-after", retry_after.to_string()), ("ratelimit-policy", policy)],
            ..Refusal::RateLimited.into()
        }
    }

    pub(crate) fn over_quota(headers: RateLimitHeaders) -> Self {
        Self {
            headers: vec![
                ("retry-after", headers.retry_after.to_string()),
                ("ratelimit-policy", headers.policy),
                ("ratelimit", headers.limit),
            ],
            ..Refusal::QuotaExceeded.into()
        }
    }

    /// Bodies are held for a second or so each, unless callers are slow.
    pub(crate) fn overloaded() -> Self {
        Self { headers: vec![("retry-after", "1".to_owned())], ..Fault::Overloaded.into() }
    }

    pub(crate) fn signature_invalid(base: String) -> Self {
        Self { members: vec![("signature_base", base)], ..Refusal::SignatureInvalid.into() }
    }

    /// A field of the body is wrong; of the record of this key, where it is one.
    pub(crate) fn bad_field(error: &FieldError, id: Option<&KeyId>) -> Self {
        let mut members = vec![("field", error.field.clone()), ("hint", error.hint.clone())];
        members.extend(id.map(|id| ("id", id.to_string())));
        Self { members, ..Refusal::BadRequest.into() }
    }

    /// The id at `field` is taken.
    pub(crate) fn conflict(refusal: Refusal, field: &str, id: Option<&KeyId>) -> Self {
        let mut members = vec![("field", field.to_owned())];
        members.extend(id.map(|id| ("id", id.to_string())));
        Self { members, ..refusal.into() }
    }

    /// A key or a route asks for something that is not there.
    pub(crate) fn unavailable(record: &AuditRecord, feature: &str, wanted_by: &str) -> Self {
        let alarm =
            Alarm::FeatureUnavailable { request_id: record.request_id(), feature, wanted_by };
        Self::with_alarm(Fault::FeatureUnavailable, &alarm)
    }

    /// The registry did not answer, so whether there is such a key cannot be headers.
    pub(crate) fn registry_silent(record: &AuditRecord) -> Self {
        let feature = "KEY_REGISTRY (did not answer)";
        Self::unavailable(record, feature, "the credential's key")
    }

    /// The registry's record of this key is none: that key is closed.
    pub(crate) fn broken_record(id: &KeyId) -> Self {
        let alarm = Alarm::Misconfigured {
            field: &registry::name(id),
            hint: "this record in KEY_REGISTRY does not parse, is of another id or an admin's; put a good one",
        };
        Self::with_alarm(Fault::Misconfigured, &alarm)
    }

    pub(crate) fn token_missing(record: &AuditRecord, secret: &str) -> Self {
        let alarm = Alarm::TokenMissing {
            request_id: record.request_id(),
            secret,
            hint: "set it with: npx wrangler secret put, and this name",
        };
        Self::with_alarm(Fault::TokenMissing, &alarm)
    }

    pub(crate) fn with_alarm(fault: Fault, alarm: &Alarm<'_>) -> Self {
        Self { alarm: Some(alarm.line()), ..fault.into() }
    }
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

/// The signature that would be accepted.
#[derive(Clone, Debug)]
pub(crate) struct AcceptSignature {
    /// The name of the session's own key, where it must be by that one and cover the session.
    pub(crate) bound: Option<String>,
    pub(crate) body: bool,
    pub(crate) nonce: bool,
}

impl AcceptSignature {
    /// `Accept-Signature` (RFC 9421 section 5.1). The nonce it proposes is the request's id: fresh, and
    /// whoever signs again after this answer has nothing to invent.
    fn header(&self, key: &str, request_id: &str) -> String {
        let keyid = self.bound.as_deref().unwrap_or(key);
        let mut text = r#"sig1=("@method" "@authority" "@path" "@query""#.to_owned();
        for (is_wanted, component) in
            [(self.body, r#" "content-digest""#), (self.bound.is_some(), r#" "authorization""#)]
        {
            if is_wanted {
                text.push_str(component);
            }
        }
        text.push_str(&format!(r#");created;keyid="{keyid}";alg="hmac-sha256""#));
        if self.nonce {
            text.push_str(&format!(r#";nonce="{request_id}""#));
        }
        text
    }
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
        let sent = match reply::has_body(self.record.method(), own.status) {
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
        let status = stop.problem.status();
        let sent = match reply::has_body(self.record.method(), status) {
            true => body.len(),
            false => 0,
        };
        self.record.problem(stop.problem, sent);
        GateResponse {
            status,
            headers,
            audit: self.end(stop.problem.into(), Some(status)),
            body,
            alarm: stop.alarm,
        }
    }
}
