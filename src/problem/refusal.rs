//! Refusals: their codes, statuses and texts.

use super::{Description, describe};

/// A refusal: the caller's fault. The request does not reach the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The path could mean different things to the gate and to the upstream (RFC 3986 section 3.3).
    BadPath,
    /// The request line or a header is not usable (RFC 9112).
    BadRequest,
    /// The credential is malformed (RFC 6750 section 3.1 `invalid_request`).
    BadCredential,
    /// The request has more than one credential, or two that do not belong together.
    AmbiguousCredential,
    /// The signature is of an unsupported kind: another algorithm, flags, too many components (RFC 9421
    /// section 3.2).
    SignatureUnsupported,
    /// The request has no credential (RFC 6750 section 3.1).
    CredentialMissing,
    /// The credential names a key that does not exist.
    KeyUnknown,
    /// The key was revoked.
    KeyRevoked,
    /// The key's own `expires` has passed.
    KeyExpired,
    /// The key's `schemes` do not list this kind of credential.
    SchemeNotAllowed,
    /// The MAC does not match (RFC 7515 section 5.2).
    SignatureInvalid,
    /// `exp` has passed (RFC 7519 section 4.1.4).
    SessionExpired,
    /// `nbf` or `iat` is in the future (RFC 7519 sections 4.1.5 and 4.1.6).
    SessionNotYetValid,
    /// `exp` is further ahead than the gate allows.
    SessionTooLong,
    /// `aud` names another audience (RFC 7519 section 4.1.3).
    AudienceMismatch,
    /// The signature does not cover what it must, or covers what the request does not have (RFC 9421
    /// section 3.2.1).
    SignatureIncomplete,
    /// `created` is too old or in the future, or `expires` has passed (RFC 9421 section 3.2.1).
    SignatureStale,
    /// The body is not the one that was signed (RFC 9530 section 2).
    DigestMismatch,
    /// The session is bound (RFC 7800) or the key requires a nonce, and the request has no signature
    /// that proves possession.
    ProofMissing,
    /// The signature's nonce was used before (RFC 9421 section 7.2.2).
    Replayed,
    /// A signed or WAF-token URL has expired, or is not valid yet.
    UrlExpired,
    /// The origin of the page that sent the request is not allowed (RFC 6454).
    OriginDenied,
    /// The caller's address is not allowed.
    IpDenied,
    /// The key or the session does not allow the method.
    MethodDenied,
    /// The key or the session does not allow the path.
    PathDenied,
    /// Turnstile did not accept the token of a page that asks for a session.
    ChallengeFailed,
    /// No route takes this path.
    NoRoute,
    /// The route does not take this method (RFC 9110 section 15.5.6).
    MethodNotAllowed,
    /// The key has reached its rate limit (RFC 6585 section 4).
    RateLimited,
    /// The key has used up its quota of this day or month (RFC 6585 section 4).
    QuotaExceeded,
    /// The body is longer than the route takes (RFC 9110 section 15.5.14).
    BodyTooLarge,
    /// The gate must read the body before it forwards the request, and the body did not arrive in
    /// time (RFC 9110 section 15.5.9).
    BodyTimeout,
    /// The id of a new key is in use, perhaps by a deleted key.
    KeyExists,
    /// The key is in the configuration, and is changed there.
    KeyInConfiguration,
}

impl Refusal {
    /// Every refusal, in the order of docs/wire-contract.md, "Refusals".
    pub const ALL: [Self; 34] = [
        Self::BadPath,
        Self::BadRequest,
        Self::BadCredential,
        Self::AmbiguousCredential,
        Self::SignatureUnsupported,
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
        Self::SignatureIncomplete,
        Self::SignatureStale,
        Self::DigestMismatch,
        Self::ProofMissing,
        Self::Replayed,
        Self::UrlExpired,
        Self::OriginDenied,
        Self::IpDenied,
        Self::MethodDenied,
        Self::PathDenied,
        Self::ChallengeFailed,
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::KeyExists,
        Self::KeyInConfiguration,
        Self::RateLimited,
        Self::QuotaExceeded,
    ];

    /// Returns its code, status and texts.
    pub const fn description(self) -> Description {
        match self {
            Self::BadPath => describe(
                400,
                "bad-path",
                "The path is ambiguous",
                "The path has a dot segment, an empty segment, a backslash, a space, a control character, an encoded slash, or the encoded spelling of another path. Send the path in its normal form.",
            ),
            Self::BadRequest => describe(
                400,
                "bad-request",
                "The request is malformed",
                "The host, a body of a GET or HEAD, an Upgrade, a query parameter, a signed field that Connection names, or the size of URL or headers is not acceptable here. Under /_gate/, field and hint say what is wrong.",
            ),
            Self::BadCredential => describe(
                400,
                "bad-credential",
                "The credential is malformed",
                "The session, signature or signed URL is malformed. docs/clients.md of writegate says how to make one.",
            ),
            Self::AmbiguousCredential => describe(
                400,
                "ambiguous-credential",
                "More than one credential",
                "Send exactly one credential: one session, one signature or one signed URL. A session may come with a signature by its session secret. X-Public-Key or ?key= may accompany any of them if it names the same key.",
            ),
            Self::SignatureUnsupported => describe(
                400,
                "signature-unsupported",
                "This kind of signature is not supported",
                "Sign at most 64 components of the request with hmac-sha256, without the flags sf, key, bs, tr and req. Covered fields must be ASCII; Content-Digest must be sha-256 or sha-512.",
            ),
            Self::CredentialMissing => describe(
                401,
                "credential-missing",
                "A credential is required",
                "Send a session as Authorization: Bearer, sign the request (RFC 9421), or use a signed URL.",
            ),
            Self::KeyUnknown => describe(
                401,
                "key-unknown",
                "The key is unknown",
                "The gate has no key with this id. Check the id, and that the key is for this gate.",
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
                "The key does not allow this kind of credential. Use one that its record lists in schemes.",
            ),
            Self::SignatureInvalid => describe(
                401,
                "signature-invalid",
                "The signature does not match",
                "The MAC was not made with this key's current signing secret over exactly these bytes. The secret is used as text, with its prefix. For a signed request, compare signature_base with what you signed, or run: writegate explain.",
            ),
            Self::SessionExpired => describe(
                401,
                "session-expired",
                "The session has expired",
                "Get a new session. If this one is new, the clock of the machine that made it is slow.",
            ),
            Self::SessionNotYetValid => describe(
                401,
                "session-not-yet-valid",
                "The session is not valid yet",
                "nbf or iat is in the future: the clock of the machine that made the session is fast. Set it.",
            ),
            Self::SessionTooLong => describe(
                401,
                "session-too-long",
                "The session ends too late",
                "exp is further ahead than the gate's SESSION_MAX_TTL allows: make shorter sessions.",
            ),
            Self::AudienceMismatch => describe(
                401,
                "audience-mismatch",
                "The session is for another audience",
                "aud must hold this gate's origin or \"writegate\".",
            ),
            Self::SignatureIncomplete => describe(
                401,
                "signature-incomplete",
                "The signature does not cover enough",
                "Cover what Accept-Signature lists, and only what the request has exactly once. Add created, and a nonce if the key requires one.",
            ),
            Self::SignatureStale => describe(
                401,
                "signature-stale",
                "The signature is too old",
                "created must be at most 300 s old and not in the future, and expires must not have passed: sign each request when it is sent, and set the clock.",
            ),
            Self::DigestMismatch => describe(
                401,
                "digest-mismatch",
                "The body is not the one that was signed",
                "Content-Digest must be the digest of exactly the bytes of the body.",
            ),
            Self::ProofMissing => describe(
                401,
                "proof-missing",
                "A proof of possession is required",
                "The session is bound to a session secret (cnf), or the key requires a nonce: sign the request (RFC 9421) as Accept-Signature says.",
            ),
            Self::Replayed => describe(
                401,
                "replayed",
                "The request was sent before",
                "The signature's nonce was used before: sign each request again, with a fresh nonce.",
            ),
            Self::UrlExpired => describe(
                401,
                "url-expired",
                "The signed URL has expired",
                "Get a new URL. If this one is new, the clock of the machine that made it is wrong.",
            ),
            Self::OriginDenied => describe(
                403,
                "origin-denied",
                "The origin is not allowed",
                "The key or the session does not allow the page's origin. A request without Origin or Referer has no origin.",
            ),
            Self::IpDenied => describe(
                403,
                "ip-denied",
                "The address is not allowed",
                "The key does not allow the caller's address.",
            ),
            Self::MethodDenied => describe(
                403,
                "method-denied",
                "The method is not allowed",
                "The key, the session or the kind of credential does not allow this method: see limit.",
            ),
            Self::PathDenied => describe(
                403,
                "path-denied",
                "The path is not allowed",
                "The key or the session does not allow this path: see limit.",
            ),
            Self::ChallengeFailed => describe(
                403,
                "challenge-failed",
                "The challenge was not passed",
                "Turnstile did not accept the token for this page; reason says why. A token is valid once, for 300 s, on the page where it was solved: solve a new challenge for each session.",
            ),
            Self::NoRoute => describe(
                404,
                "no-route",
                "No route",
                "The gate has no route for this path, or no such key.",
            ),
            Self::MethodNotAllowed => describe(
                405,
                "method-not-allowed",
                "The method is not supported here",
                "The Allow header lists the methods of this path.",
            ),
            Self::BodyTooLarge => describe(
                413,
                "body-too-large",
                "The body is too large",
                "The body is longer than this path accepts, or than 10 MiB with a signed digest.",
            ),
            Self::BodyTimeout => describe(
                408,
                "body-timeout",
                "The body took too long",
                "The gate reads this body before it forwards the request, and the body did not arrive in time. Nothing was forwarded. Send it faster.",
            ),
            Self::KeyExists => describe(
                409,
                "key-exists",
                "The id is in use",
                "An id is never used again, not even that of a deleted key: choose another. id is the one in use.",
            ),
            Self::KeyInConfiguration => describe(
                409,
                "key-in-configuration",
                "The key is in the configuration",
                "Change the key in wrangler.toml and deploy. id names the key.",
            ),
            Self::RateLimited => describe(
                429,
                "rate-limited",
                "Too many requests for now",
                "Wait as long as Retry-After says. RateLimit-Policy names the limit.",
            ),
            Self::QuotaExceeded => describe(
                429,
                "quota-exceeded",
                "The quota is used up",
                "The key has used all its requests or bytes of this day or month (UTC). Retry-After says when the next period begins.",
            ),
        }
    }
}
