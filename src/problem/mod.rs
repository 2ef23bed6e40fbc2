//! Refusals and faults belong here: their codes and statuses, the RFC 9457 document, and the alarm for
//! the operator. The reasons to refuse a request do not: those are in the rooms that check it.
//!
//! [`Refusal`] is the caller's fault; [`Fault`] is the fault of the gate, its operator or the upstream.
//! The code of each is the same in the response, the log and the tests, and never changes its meaning.

use crate::base::json_writer::ObjectWriter;
use crate::base::request::HeadError;

mod advice;
mod alarm;
mod fault;
pub mod page;
mod refusal;
mod rejection;

pub use alarm::Alarm;
pub use fault::Fault;
pub use refusal::Refusal;
pub use rejection::{Denial, Limit, Rejection};

/// The texts about one code, for callers and for the page `/_gate/problems`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Stable name, as `code` in the response and the log.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Title (RFC 9457 section 3.1.3), the same for every occurrence.
    pub title: &'static str,
    /// Explanation (RFC 9457 section 3.1.4), and what to do about it. It is constant, so nothing of a
    /// request leaks.
    pub detail: &'static str,
}

const fn describe(
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
) -> Description {
    Description { code, status, title, detail }
}

/// A refusal or a fault.
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

impl From<HeadError> for Refusal {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Request => Self::BadRequest,
            HeadError::Path => Self::BadPath,
        }
    }
}

impl From<HeadError> for Problem {
    fn from(error: HeadError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl Problem {
    /// Returns every problem, refusals first.
    pub fn all() -> impl Iterator<Item = Self> {
        let refusals = Refusal::ALL.into_iter().map(Self::from);
        refusals.chain(Fault::ALL.into_iter().map(Self::from))
    }

    /// Returns the problem with this code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::all().find(|problem| problem.code() == code)
    }

    /// Returns its code, status and texts.
    pub const fn description(self) -> Description {
        match self {
            Self::Refused(refusal) => refusal.description(),
            Self::Failed(fault) => fault.description(),
        }
    }

    /// Returns its stable code.
    pub const fn code(self) -> &'static str {
        self.description().code
    }

    /// Returns its HTTP status.
    pub const fn status(self) -> u16 {
        self.description().status
    }

    /// Returns the `WWW-Authenticate` challenge of a 401 (RFC 9110 section 11.6.1), with the error code
    /// of RFC 6750 section 3.1 unless the request had no credential.
    pub fn challenge(self) -> Option<&'static str> {
        match self {
            Self::Refused(Refusal::CredentialMissing) => Some(r#"Bearer realm="writegate""#),
            _ if self.status() == 401 => Some(r#"Bearer realm="writegate", error="invalid_token""#),
            Self::Refused(_) | Self::Failed(_) => None,
        }
    }

    /// Returns the RFC 9457 document, with these members in addition to the standard ones. `error`
    /// repeats it in the form that SDKs of OpenAI, Strapi and many other APIs look for.
    pub fn document(self, request_id: &str, more: &[(&'static str, String)]) -> String {
        let Description { code, status, title, detail } = self.description();
        let kind = ["/_gate/problems#", code].concat();
        let mut error = ObjectWriter::new();
        error.set("code", code);
        error.set("message", detail);
        error.set("type", kind.as_str());
        let mut document = ObjectWriter::new();
        document.set("code", code);
        document.set("detail", detail);
        document.set_object("error", error);
        // In the order of their names, like the others.
        let extend = |document: &mut ObjectWriter, is_late: bool| {
            for (name, value) in more.iter().filter(|(name, _)| (*name > "request_id") == is_late) {
                document.set(name, value.as_str());
            }
        };
        extend(&mut document, false);
        document.set("request_id", request_id);
        extend(&mut document, true);
        document.set("status", status);
        document.set("title", title);
        document.set("type", kind.as_str());
        document.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_as_serde_json_writes_it() {
        let odd = || "\u{0}\n\"\\é\u{1f600}".to_owned();
        let members = [("field", odd()), ("hint", odd()), ("id", odd()), ("signature_base", odd())];
        for problem in Problem::all() {
            for more in [&[][..], &members[..3], &members[3..], &members] {
                let Description { code, status, title, detail } = problem.description();
                let kind = format!("/_gate/problems#{code}");
                let mut expected = serde_json::json!({
                    "error": {"message": detail, "type": kind, "code": code},
                    "type": kind,
                    "title": title,
                    "status": status,
                    "code": code,
                    "detail": detail,
                    "request_id": "id",
                });
                for (name, value) in more {
                    expected[*name] = value.as_str().into();
                }
                assert_eq!(problem.document("id", more), expected.to_string());
            }
        }
    }

    #[test]
    fn codes_are_unique_and_the_document_is_rfc_9457() {
        let all: Vec<Problem> = Problem::all().collect();
        let codes: std::collections::BTreeSet<_> = all.iter().map(|p| p.code()).collect();
        assert_eq!(codes.len(), all.len());
        for problem in all {
            let document: serde_json::Value =
                serde_json::from_str(&problem.document("id", &[])).unwrap();
            assert_eq!(document["status"], problem.status());
            assert_eq!(document["type"], format!("/_gate/problems#{}", problem.code()));
            let error = &document["error"];
            assert_eq!(error["code"], problem.code());
            assert_eq!(error["type"], document["type"]);
            assert_eq!(error["message"], document["detail"]);
            assert_eq!(Problem::of_code(problem.code()), Some(problem));
            assert_eq!(problem.challenge().is_some(), problem.status() == 401);
        }
    }
}
