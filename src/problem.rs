//! Every way the gate says no: code, status, and the RFC 9457 document.
//!
//! [`Refusal`] is the caller's fault, [`Fault`] ours, the operator's or the upstream's. The same
//! code stands in the response, in the log and in the tests; it never changes meaning.

pub mod page;

/// What a caller, and the page `/_gate/problems`, is told about one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Stable name, in the response's `code` and in the log.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// RFC 9457 section 3.1.3: the same for every occurrence.
    pub title: &'static str,
    /// RFC 9457 section 3.1.4, and what to do about it. Constant, so nothing of a request leaks.
    pub detail: &'static str,
}

const fn describe(
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
) -> Description {
    Description {
        code,
        status,
        title,
        detail,
    }
}

/// The request is refused and does not reach the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The path could mean different things to the gate and to the upstream (RFC 3986 section 3.3).
    BadPath,
    /// The request line or a header is not usable (RFC 9112).
    BadRequest,
    /// A credential that does not have its form (RFC 6750 section 3.1 `invalid_request`).
    BadCredential,
    /// More than one credential, or two that do not belong together.
    AmbiguousCredential,
    /// No credential at all (RFC 6750 section 3.1).
    CredentialMissing,
    /// The credential names a key that does not exist.
    KeyUnknown,
    /// The key was revoked.
    KeyRevoked,
    /// The key's own `expires` has passed.
    KeyExpired,
    /// The key does not list this kind of credential in its `schemes`.
    SchemeNotAllowed,
    /// The MAC does not match (RFC 7515 section 5.2).
    SignatureInvalid,
    /// `exp` has passed (RFC 7519 section 4.1.4).
    SessionExpired,
    /// `nbf` or `iat` lies in the future (RFC 7519 sections 4.1.5 and 4.1.6).
    SessionNotYetValid,
    /// `exp` lies further ahead than the gate allows.
    SessionTooLong,
    /// `aud` names somebody else (RFC 7519 section 4.1.3).
    AudienceMismatch,
    /// The session is bound to a key (RFC 7800), and no proof of that key came with the request.
    ProofMissing,
    /// The page that sent the request is not among the allowed origins (RFC 6454).
    OriginDenied,
    /// The caller's address is not among the allowed networks.
    IpDenied,
    /// The key or the session does not allow the method.
    MethodDenied,
    /// The key or the session does not allow the path.
    PathDenied,
    /// No route has this path.
    NoRoute,
    /// The route does not take this method (RFC 9110 section 15.5.6).
    MethodNotAllowed,
    /// The body is longer than the route takes (RFC 9110 section 15.5.14).
    BodyTooLarge,
}

impl Refusal {
    /// Every refusal, in the order of the contract.
    pub const ALL: [Self; 22] = [
        Self::BadPath,
        Self::BadRequest,
        Self::BadCredential,
        Self::AmbiguousCredential,
        Self::CredentialMissing,
        Self::KeyUnknown,
        Self::KeyRevoked,
        Self::KeyExpired,
        Self::SchemeNotAllowed,
        Self::SignatureInvalid,
        Self::SessionExpired,
        Self::SessionNotYetValid,
        Self::SessionTooLong,
        Self::AudienceMismatch,
        Self::ProofMissing,
        Self::OriginDenied,
        Self::IpDenied,
        Self::MethodDenied,
        Self::PathDenied,
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
    ];

    /// Its code, status and words.
    #[must_use]
    pub const fn description(self) -> Description {
        match self {
            Self::BadPath => describe(
                400,
                "bad-path",
                "The path is ambiguous",
                "The path has a dot segment, an empty segment, a backslash, a control character or an encoded slash. Send the path in its normal form.",
            ),
            Self::BadRequest => describe(
                400,
                "bad-request",
                "The request is malformed",
                "The host, the method together with a body, or an Upgrade is not acceptable here, or the request is too large to check.",
            ),
            Self::BadCredential => describe(
                400,
                "bad-credential",
                "The credential is malformed",
                "The credential does not have the form of its kind: see the client contract for what a session must hold.",
            ),
            Self::AmbiguousCredential => describe(
                400,
                "ambiguous-credential",
                "More than one credential",
                "Send exactly one credential; X-Public-Key or ?key= may go with it only when it names the same key.",
            ),
            Self::CredentialMissing => describe(
                401,
                "credential-missing",
                "A credential is required",
                "Send a session as Authorization: Bearer.",
            ),
            Self::KeyUnknown => describe(
                401,
                "key-unknown",
                "The key is unknown",
                "The gate knows no key of this id: check the id, and which gate it was made for.",
            ),
            Self::KeyRevoked => describe(
                401,
                "key-revoked",
                "The key was revoked",
                "Ask the gate's operator for a new key.",
            ),
            Self::KeyExpired => describe(
                401,
                "key-expired",
                "The key has expired",
                "Ask the gate's operator for a new key, or to extend this one.",
            ),
            Self::SchemeNotAllowed => describe(
                401,
                "scheme-not-allowed",
                "This kind of credential is not allowed",
                "The key does not allow this kind of credential: use one that its record lists in schemes.",
            ),
            Self::SignatureInvalid => describe(
                401,
                "signature-invalid",
                "The signature does not match",
                "The MAC was not made with this key's current signing secret over exactly these bytes. The secret is used as text, with its sk_ prefix.",
            ),
            Self::SessionExpired => describe(
                401,
                "session-expired",
                "The session has expired",
                "Get a new session. If it is new, the clock of the machine that made it is slow.",
            ),
            Self::SessionNotYetValid => describe(
                401,
                "session-not-yet-valid",
                "The session is not valid yet",
                "nbf or iat lies in the future: the clock of the machine that made the session is fast.",
            ),
            Self::SessionTooLong => describe(
                401,
                "session-too-long",
                "The session ends too late",
                "exp lies further ahead than the gate's SESSION_MAX_TTL allows: make shorter sessions.",
            ),
            Self::AudienceMismatch => describe(
                401,
                "audience-mismatch",
                "The session is for another audience",
                "aud must hold this gate's origin or \"writegate\".",
            ),
            Self::ProofMissing => describe(
                401,
                "proof-missing",
                "A proof of possession is required",
                "The session is bound to a key of its own (cnf), so the request must be signed with that key.",
            ),
            Self::OriginDenied => describe(
                403,
                "origin-denied",
                "The origin is not allowed",
                "The page's origin is not among those the key or the session allows; a request without Origin or Referer has none.",
            ),
            Self::IpDenied => describe(
                403,
                "ip-denied",
                "The address is not allowed",
                "The caller's address is not among the networks the key allows.",
            ),
            Self::MethodDenied => describe(
                403,
                "method-denied",
                "The method is not allowed",
                "The key or the session does not allow this method.",
            ),
            Self::PathDenied => describe(
                403,
                "path-denied",
                "The path is not allowed",
                "The key or the session does not allow this path.",
            ),
            Self::NoRoute => describe(
                404,
                "no-route",
                "There is nothing here",
                "The gate has no route for this path.",
            ),
            Self::MethodNotAllowed => describe(
                405,
                "method-not-allowed",
                "The method is not taken here",
                "The Allow header lists the methods of this path.",
            ),
            Self::BodyTooLarge => describe(
                413,
                "body-too-large",
                "The body is too large",
                "The body is longer than this route takes.",
            ),
        }
    }
}

/// The request was in order, or could not be judged, and still gets no answer from the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The upstream could not be reached, or broke off before its answer (RFC 9110 section 15.6.3).
    UpstreamUnreachable,
    /// The upstream refused the gate's own token.
    UpstreamRejectedToken,
    /// The upstream sent no response headers in time (RFC 9110 section 15.6.5).
    UpstreamTimeout,
    /// The gate's configuration does not parse.
    Misconfigured,
    /// The secret with the upstream's token is not set.
    TokenMissing,
    /// The key or the route asks for something this gate does not have.
    FeatureUnavailable,
}

impl Fault {
    /// Every fault, in the order of the contract.
    pub const ALL: [Self; 6] = [
        Self::UpstreamUnreachable,
        Self::UpstreamRejectedToken,
        Self::UpstreamTimeout,
        Self::Misconfigured,
        Self::TokenMissing,
        Self::FeatureUnavailable,
    ];

    /// Its code, status and words.
    #[must_use]
    pub const fn description(self) -> Description {
        match self {
            Self::UpstreamUnreachable => describe(
                502,
                "upstream-unreachable",
                "The upstream cannot be reached",
                "The request was accepted, but the API behind the gate could not be reached. A write may or may not have happened.",
            ),
            Self::UpstreamRejectedToken => describe(
                502,
                "upstream-rejected-token",
                "The upstream refused the gate's token",
                "The fault is not yours: the gate's own token was refused. Its operator finds the reason in the log.",
            ),
            Self::UpstreamTimeout => describe(
                504,
                "upstream-timeout",
                "The upstream did not answer in time",
                "The API behind the gate did not answer in time. A write may or may not have happened.",
            ),
            Self::Misconfigured => describe(
                503,
                "misconfigured",
                "The gate is misconfigured",
                "Its operator finds the field that is wrong in the log.",
            ),
            Self::TokenMissing => describe(
                503,
                "token-missing",
                "The gate has no token",
                "The gate's operator has to set the secret: wrangler secret put WRITE_TOKEN, or the name the route gives.",
            ),
            Self::FeatureUnavailable => describe(
                503,
                "feature-unavailable",
                "A feature is not available",
                "The key or the route asks for a feature that this gate does not have. Its operator finds which in the log.",
            ),
        }
    }
}

/// Either kind of no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The caller's fault.
    Refused(Refusal),
    /// Not the caller's fault.
    Failed(Fault),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl Problem {
    /// Its code, status and words.
    #[must_use]
    pub const fn description(self) -> Description {
        match self {
            Self::Refused(refusal) => refusal.description(),
            Self::Failed(fault) => fault.description(),
        }
    }

    /// Its stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.description().code
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.description().status
    }

    /// The `WWW-Authenticate` challenge of a 401 (RFC 9110 section 11.6.1), with the error code of
    /// RFC 6750 section 3.1 unless there was no credential to be wrong.
    #[must_use]
    pub fn challenge(self) -> Option<&'static str> {
        match self {
            Self::Refused(Refusal::CredentialMissing) => Some(r#"Bearer realm="writegate""#),
            _ if self.status() == 401 => Some(r#"Bearer realm="writegate", error="invalid_token""#),
            Self::Refused(_) | Self::Failed(_) => None,
        }
    }

    /// The RFC 9457 document. `request_id` must be the gate's own, so that nothing needs escaping.
    #[must_use]
    pub fn document(self, request_id: &str) -> String {
        let Description {
            code,
            status,
            title,
            detail,
        } = self.description();
        serde_json::json!({
            "type": format!("/_gate/problems#{code}"),
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
            "request_id": request_id,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_the_document_is_rfc_9457() {
        let all: Vec<Problem> = Refusal::ALL
            .into_iter()
            .map(Problem::from)
            .chain(Fault::ALL.into_iter().map(Problem::from))
            .collect();
        let codes: std::collections::BTreeSet<_> = all.iter().map(|p| p.code()).collect();
        assert_eq!(codes.len(), all.len());
        for problem in all {
            let document: serde_json::Value =
                serde_json::from_str(&problem.document("id")).unwrap();
            assert_eq!(document["status"], problem.status());
            assert_eq!(
                document["type"],
                format!("/_gate/problems#{}", problem.code())
            );
            assert_eq!(problem.challenge().is_some(), problem.status() == 401);
        }
    }
}
