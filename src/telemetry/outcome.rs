//! The outcome of a request: a member of its audit line, and the kind of usage that it is charged as.

use crate::limits::usage::Kind;
use crate::problem::Problem;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream's response was passed on.
    Forwarded,
    /// The response came from the cache.
    Cached,
    /// The gate answered itself: a preflight, or one of its own paths.
    Answered,
    /// The gate refused the request: the caller's fault.
    Refused,
    /// The request failed: the gate's or the upstream's fault, or the caller broke off.
    Failed,
}

impl Outcome {
    /// Returns its name in the audit line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Cached => "cached",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Returns the outcome for charging the request, if it has an account. Of the gate's own answers only a
    /// minted session has one.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Forwarded => Kind::Forwarded,
            Self::Cached => Kind::Cached,
            Self::Refused => Kind::Refused,
            Self::Failed => Kind::Failed,
            Self::Answered => Kind::Minted,
        }
    }
}

impl From<Problem> for Outcome {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Refused(_) => Self::Refused,
            Problem::Failed(_) => Self::Failed,
        }
    }
}
