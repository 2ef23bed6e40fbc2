//! Refusals and faults together with their headers, document members and alarm.
//!
//! The request id is added when a rejection becomes a response, in `gateway::response`.

use crate::base::json::FieldError;

use super::{Alarm, Fault, Problem, Refusal};

/// A problem together with its headers, document members and alarm.
#[derive(Debug)]
pub struct Rejection {
    /// The refusal or the fault.
    pub problem: Problem,
    /// A line for the operator.
    pub alarm: Option<Alarm>,
    /// Extension members of the document (RFC 9457 section 3.2).
    pub members: Vec<(&'static str, String)>,
    /// Headers of the response.
    pub headers: Vec<(&'static str, String)>,
}

impl<P: Into<Problem>> From<P> for Rejection {
    fn from(problem: P) -> Self {
        Self { problem: problem.into(), alarm: None, members: Vec::new(), headers: Vec::new() }
    }
}

impl From<Denial> for Rejection {
    /// Adds whose limit it was, and nothing about the limit.
    fn from(denial: Denial) -> Self {
        let member = denial.limit.map(|limit| ("limit", limit.name().to_owned()));
        Self { members: member.into_iter().collect(), ..denial.refusal.into() }
    }
}

impl Rejection {
    /// Refuses a method; `allow` lists those of the path.
    pub fn method_not_allowed(allow: String) -> Self {
        Self::from(Refusal::MethodNotAllowed).with_headers([("allow", allow)])
    }

    /// Refuses a body because the gate has as many in memory as it may. Each stays for a second or so,
    /// unless its caller is slow.
    pub fn overloaded() -> Self {
        Self::from(Fault::Overloaded).with_headers([("retry-after", "1".to_owned())])
    }

    /// Refuses a signature, and shows the base that it should have signed.
    pub fn signature_invalid(base: String) -> Self {
        Self { members: vec![("signature_base", base)], ..Refusal::SignatureInvalid.into() }
    }

    /// Refuses a field of the body, or of the record of the key `id`.
    pub fn bad_field(error: &FieldError, id: Option<&str>) -> Self {
        let mut members = vec![("field", error.field.clone()), ("hint", error.hint.clone())];
        members.extend(id.map(|id| ("id", id.to_owned())));
        Self { members, ..Refusal::BadRequest.into() }
    }

    /// Refuses the id at `field`, because a key with this id exists.
    pub fn conflict(refusal: Refusal, field: &str, id: Option<&str>) -> Self {
        let mut members = vec![("field", field.to_owned())];
        members.extend(id.map(|id| ("id", id.to_owned())));
        Self { members, ..refusal.into() }
    }

    /// Refuses a Turnstile token. The caller learns the `reason`, and nothing else.
    pub fn challenge_failed(reason: &'static str) -> Self {
        Self { members: vec![("reason", reason.to_owned())], ..Refusal::ChallengeFailed.into() }
    }

    /// Rejects a request because a key or a route needs something that is missing.
    pub fn unavailable(feature: impl Into<String>, wanted_by: impl Into<String>) -> Self {
        let (feature, wanted_by) = (feature.into(), wanted_by.into());
        Self::from(Fault::FeatureUnavailable)
            .with_alarm(Alarm::FeatureUnavailable { feature, wanted_by })
    }

    /// Rejects a request because the registry did not answer, so its key may or may not exist.
    pub fn registry_unavailable() -> Self {
        Self::unavailable("KEY_REGISTRY (did not answer)", "the credential's key")
    }

    /// Rejects a request because the configuration, or a record, does not parse.
    pub fn misconfigured(error: &FieldError) -> Self {
        Self::from(Fault::Misconfigured).with_alarm(error.into())
    }

    /// Rejects a request because its route's secret is not set.
    pub fn token_missing(secret: &str) -> Self {
        let secret = secret.to_owned();
        Self::from(Fault::TokenMissing).with_alarm(Alarm::TokenMissing { secret })
    }

    /// Adds headers.
    pub fn with_headers(
        mut self,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sets the alarm.
    pub fn with_alarm(mut self, alarm: Alarm) -> Self {
        self.alarm = Some(alarm);
        self
    }
}

/// A refusal of step 7 of [`crate::gateway`], with whose limit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `ip-denied`, `origin-denied`, `method-denied`, `path-denied` or `bad-path`.
    pub refusal: Refusal,
    /// Whose limit it was; `None` for a path that can be read in two ways.
    pub limit: Option<Limit>,
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, limit: None }
    }
}

/// The owner of the limit that a request exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The API key's record.
    Key,
    /// The session's claims.
    Session,
    /// The scheme's: signed URLs and bare public keys are only for reads.
    Scheme,
}

impl Limit {
    /// Returns the name in a problem document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Session => "session",
            Self::Scheme => "scheme",
        }
    }

    /// Refuses the request for this limit.
    pub const fn denies(self, refusal: Refusal) -> Denial {
        Denial { refusal, limit: Some(self) }
    }
}
