//! Responses of the gate itself, and the state of a request that they need: every refusal has the same
//! headers, the same document and the same audit line, no matter where it comes from.

use crate::admin::LocalResponse;
use crate::base::day::Day;
use crate::base::headers;
use crate::base::request::Raw;
use crate::base::time::Timestamp;
use crate::credential::UnverifiedCredential;
use crate::credential::accept_signature::AcceptSignature;
use crate::gateway::reply;
use crate::keys::Key;
use crate::limits::usage::{Account, InFlightGuard};
use crate::problem::Rejection;
use crate::telemetry::audit::{AuditRecord, Context};
use crate::telemetry::outcome::Outcome;

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

/// The state of a request: everything that its end needs, whichever step ends it. A step adds what it found out by the value
/// that proves it, such as a `Route`, a `Key` or a `Verified`, so no step can add it too early.
#[derive(Debug)]
pub(crate) struct RequestState<'g> {
    pub(super) record: AuditRecord,
    /// The account of the key that is charged, once its credential is verified.
    pub(super) account: Option<Account<'g>>,
    /// The response body is charged while it streams, and not by its length.
    pub(super) is_metered: bool,
    /// The `Origin` of the page that sent the request.
    page: Option<String>,
    /// That page may read the response.
    is_readable: bool,
    /// The signature that a 401 asks for.
    accept_signature: Option<AcceptSignature>,
}

impl<'g> RequestState<'g> {
    pub(crate) fn new(context: Context, raw: &Raw<'_>) -> Self {
        let origin = raw.headers.iter().find(|(name, _)| *name == "origin");
        Self {
            record: AuditRecord::new(context, raw),
            account: None,
            is_metered: false,
            page: origin.map(|(_, value)| (*value).to_owned()),
            is_readable: true,
            accept_signature: None,
        }
    }

    /// Takes the credential that was selected. Anybody may send a bare public key, so only pages that its record lists may
    /// read the response.
    pub(super) fn selected(&mut self, unverified: &UnverifiedCredential<'_>) {
        self.record.scheme(unverified.scheme());
        self.is_readable = !unverified.scheme().is_bare();
    }

    /// Takes the key that was found for the credential, the signature that a 401 asks for, and whether the key lists the
    /// page's origin.
    pub(super) fn identified(
        &mut self,
        key: &Key,
        accept_signature: Option<AcceptSignature>,
        is_page_listed: bool,
    ) {
        self.record.key(key);
        self.accept_signature = accept_signature;
        self.is_readable |= is_page_listed;
    }

    /// Charges the request to this account, unless it has one.
    pub(super) fn charge_to(&mut self, account: impl FnOnce() -> Account<'g>) {
        let _ = self.account.get_or_insert_with(account);
    }

    /// Returns the origin of the page that may read the response.
    pub(super) fn cors_origin(&self) -> Option<&str> {
        self.page.as_deref().filter(|_| self.is_readable)
    }

    /// Returns the headers of every response of the gate itself.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-request-id", self.record.request_id().to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        if let Some(origin) = self.cors_origin() {
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
