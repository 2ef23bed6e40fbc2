//! Faults: their codes, statuses and texts.

use super::{Description, describe};

/// A fault of the gate, its operator or the upstream. The request was acceptable, or could not be
/// checked, and gets no response from the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The upstream could not be reached, or broke off before its response (RFC 9110 section 15.6.3).
    UpstreamUnreachable,
    /// The upstream refused the gate's own token.
    UpstreamRejectedToken,
    /// The upstream sent no response headers in time (RFC 9110 section 15.6.5).
    UpstreamTimeout,
    /// The gate's configuration does not parse.
    Misconfigured,
    /// The secret with the upstream's token is not set.
    TokenMissing,
    /// The key, the route or the path needs a feature that this gate does not have, or that does not answer.
    FeatureUnavailable,
    /// The gate has as many bodies in memory as it may (RFC 9110 section 15.6.4).
    Overloaded,
}

impl Fault {
    /// Every fault, in the order of docs/wire-contract.md, "Refusals".
    pub const ALL: [Self; 7] = [
        Self::UpstreamUnreachable,
        Self::UpstreamRejectedToken,
        Self::UpstreamTimeout,
        Self::Misconfigured,
        Self::TokenMissing,
        Self::FeatureUnavailable,
        Self::Overloaded,
    ];

    /// Returns its code, status and texts.
    pub const fn description(self) -> Description {
        match self {
            Self::UpstreamUnreachable => describe(
                502,
                "upstream-unreachable",
                "The upstream cannot be reached",
                "The request was accepted, but the API behind the gate could not be reached. A write may have happened: repeat it only with the same Idempotency-Key.",
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
                "The API behind the gate did not answer in time. A write may have happened: repeat it only with the same Idempotency-Key.",
            ),
            Self::Misconfigured => describe(
                503,
                "misconfigured",
                "The gate is misconfigured",
                "Its operator finds the wrong field in the log.",
            ),
            Self::TokenMissing => describe(
                503,
                "token-missing",
                "The gate has no token",
                "The gate's operator has to put the token of this route: npx writegate token put.",
            ),
            Self::FeatureUnavailable => describe(
                503,
                "feature-unavailable",
                "A feature is not available",
                "The request needs a feature that this gate does not have, or that does not answer. Its operator finds the name of the feature in the log.",
            ),
            Self::Overloaded => describe(
                503,
                "overloaded",
                "The gate is overloaded",
                "The gate holds too many request bodies. Nothing was forwarded. Wait as long as Retry-After says, then send the request again.",
            ),
        }
    }
}
