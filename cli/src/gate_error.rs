//! The failure of a call of a running gate, in one line.

use std::fmt;

use serde_json::Value;

use crate::error::Error;

/// The reason why a call of a gate failed.
#[derive(Debug)]
pub(crate) enum GateError {
    /// The gate refused the call.
    Refused(Box<Problem>),
    /// There was no connection, or no answer to a read.
    NoAnswer(String),
    /// A change was sent and its answer was lost, so the gate may have made it.
    Lost(String),
    /// The command itself failed before the call.
    NotSent(Error),
}

/// The gate's problem document (RFC 9457), or another answer with an error status.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    /// Empty if the answer is not from a gate.
    pub(crate) code: String,
    detail: String,
    /// The wrong field of the record, `[3].paths` in a batch.
    pub(crate) field: Option<String>,
    hint: Option<String>,
    id: Option<String>,
}

impl Problem {
    pub(crate) fn of(status: u16, document: &Value) -> Self {
        let text = |name: &str| {
            let text = document[name].as_str()?;
            // Without control characters, because the text is not ours and goes to a terminal.
            Some(text.chars().filter(|c| !c.is_control()).collect::<String>())
        };
        Self {
            status,
            code: text("code").unwrap_or_default(),
            detail: text("detail").unwrap_or_default(),
            field: text("field"),
            hint: text("hint"),
            id: text("id"),
        }
    }

    /// Returns true if the id is taken, in the registry or in the configuration.
    pub(crate) fn exists(&self) -> bool {
        ["key-exists", "key-in-configuration"].contains(&self.code.as_str())
    }

    /// Returns the place in a batch with which `field` begins, and the rest of `field`.
    pub(crate) fn place(&self) -> Option<(usize, &str)> {
        let (index, rest) = self.field.as_ref()?.strip_prefix('[')?.split_once(']')?;
        Some((index.parse().ok()?, rest))
    }

    /// Names the record by its number in the file.
    pub(crate) fn about(mut self, record: usize, rest: &str) -> Self {
        self.field = Some(format!("record {record}{rest}"));
        self
    }

    /// Returns the check that an operator should make.
    fn hint(&self) -> Option<&'static str> {
        match self.code.as_str() {
            "path-denied" => Some("check that it is an admin key at that gate"),
            "key-unknown" => Some("check that the gate's KEYS has this admin key"),
            "signature-invalid" => Some(
                "check that the gate has the same SIGNING_SECRET, and the same version of the \
                    key",
            ),
            "feature-unavailable" => {
                Some("check that the gate has the binding KEY_REGISTRY, and that KV answers")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            let before = match self.status {
                300..400 => {
                    " (a login page in front of the gate, such as Cloudflare Access, \
                    answers like this)"
                }
                429 => {
                    " (Cloudflare, or a proxy in front of the gate, answers too many requests like this: wait a minute)"
                }
                _ => "",
            };
            return write!(
                f,
                "the answer {} is not from a gate: check --gate{before}",
                self.status
            );
        }
        write!(f, "the gate said {} {}", self.status, self.code)?;
        let id = self.id.as_ref().map(|id| format!(" ({id})"));
        match (&self.field, &self.hint) {
            (None, _) => write!(f, ": {}", self.detail)?,
            (Some(field), hint) => {
                let what = hint.as_ref().unwrap_or(&self.detail);
                write!(f, ": {field}{}: {what}", id.unwrap_or_default())?;
            }
        }
        self.hint().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl GateError {
    /// Returns true if the same request may be answered a little later.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Refused(problem) => matches!(problem.status, 429 | 500..),
            Self::NoAnswer(_) | Self::Lost(_) => true,
            Self::NotSent(_) => false,
        }
    }
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => problem.fmt(f),
            Self::NoAnswer(error) => f.write_str(error),
            Self::Lost(error) => {
                write!(
                    f,
                    "{error}; it may have been done all the same: look before you run this again"
                )
            }
            Self::NotSent(error) => f.write_str(&error.message),
        }
    }
}

impl From<Error> for GateError {
    fn from(error: Error) -> Self {
        Self::NotSent(error)
    }
}

impl From<GateError> for Error {
    fn from(error: GateError) -> Self {
        match error {
            GateError::NotSent(error) => error,
            other => Self::new(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_one_line() {
        let document = json!({"code": "bad-request", "detail": "Something.", "field": "[3].paths",
                              "hint": "expected\u{1b}[31m paths", "id": "pk_a"});
        let problem = Problem::of(400, &document);
        assert_eq!(problem.place(), Some((3, ".paths")));
        assert_eq!(
            problem.about(104, ".paths").to_string(),
            "the gate said 400 bad-request: record 104.paths (pk_a): expected[31m paths"
        );
        let denied = Problem::of(403, &json!({"code": "path-denied", "detail": "No."}));
        assert_eq!(
            denied.to_string(),
            "the gate said 403 path-denied: No. (check that it is an admin key at that gate)"
        );
        let page = Problem::of(502, &Value::Null);
        assert!(page.to_string().contains("502 is not from a gate: check --gate"));
    }
}
