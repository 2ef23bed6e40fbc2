//! One row of the list: its status, the evidence, and what to type.

use std::fmt::Write as _;

use serde_json::{Value, json};
use writegate::Secret;

use crate::invocation;

/// The status of a row, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Ok,
    Warn,
    Fail,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    /// The evidence: what the check found.
    pub(super) evidence: String,
    /// The fix; `None` if nothing needs one.
    pub(super) hint: Option<String>,
}

impl Verdict {
    pub(super) fn ok(evidence: impl Into<String>) -> Self {
        Self { status: Status::Ok, evidence: evidence.into(), hint: None }
    }

    pub(super) fn warn(evidence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Warn, hint: Some(hint.into()), ..Self::ok(evidence) }
    }

    pub(super) fn fail(evidence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::warn(evidence, hint) }
    }

    /// Returns the verdict ready for output: one line each for evidence and fix, without these secrets, even in names of files.
    pub(super) fn shown(self, secrets: &[&Secret]) -> Self {
        let clean = |text: String| {
            let mut text: String =
                text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            // The checks write their hints for a checkout.
            text = text.replace("cargo run --", invocation::prefix());
            for secret in secrets.iter().filter_map(|secret| secret.expose_str()) {
                if secret.len() >= 8 {
                    text = text.replace(secret, "[redacted]");
                }
            }
            text
        };
        Self { status: self.status, evidence: clean(self.evidence), hint: self.hint.map(clean) }
    }

    pub(super) fn json(&self, check: &str) -> Value {
        json!({
            "check": check,
            "status": self.status.name(),
            "evidence": self.evidence,
            "hint": self.hint,
        })
    }

    /// Returns the row for people; `width` is the width of the longest name of a check.
    pub(super) fn text(&self, check: &str, width: usize) -> String {
        let status = self.status.name();
        let mut text = format!("{status:<4}  {check:<width$}  {}", self.evidence);
        if let Some(hint) = &self.hint {
            let _infallible = write!(text, "\n      {:<width$}  → {hint}", "");
        }
        text
    }
}

/// The findings of one check. The worst one decides the verdict.
#[derive(Default)]
pub(super) struct Findings(Vec<Verdict>);

impl Findings {
    pub(super) fn warn(&mut self, evidence: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Verdict::warn(evidence, hint));
    }

    pub(super) fn fail(&mut self, evidence: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Verdict::fail(evidence, hint));
    }

    /// Adds a warning about these names, if there are any.
    pub(super) fn warn_of<T: AsRef<str>>(&mut self, evidence: &str, of: &[T], hint: &str) {
        if !of.is_empty() {
            self.warn(format!("{evidence} {}", listed(of, 8)), hint);
        }
    }

    /// Returns the verdict of all findings, the worst first; without findings it is ok, with the evidence `otherwise`.
    pub(super) fn verdict(mut self, otherwise: impl Into<String>) -> Verdict {
        self.0.sort_by_key(|finding| std::cmp::Reverse(finding.status));
        let Some(worst) = self.0.first() else {
            return Verdict::ok(otherwise);
        };
        let status = worst.status;
        let evidence: Vec<_> = self.0.iter().map(|found| found.evidence.as_str()).collect();
        let mut mends: Vec<&str> = Vec::new();
        for hint in self.0.iter().filter_map(|found| found.hint.as_deref()) {
            if !mends.contains(&hint) {
                mends.push(hint);
            }
        }
        Verdict { status, evidence: evidence.join("; "), hint: Some(mends.join("; ")) }
    }
}

/// Returns the first names of a list, and the number of the others.
pub(super) fn listed<T: AsRef<str>>(texts: &[T], most: usize) -> String {
    let first: Vec<&str> = texts.iter().take(most).map(AsRef::as_ref).collect();
    let more = texts.len().saturating_sub(most);
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_what_was_found_is_the_verdict() {
        assert_eq!(Findings::default().verdict("all well"), Verdict::ok("all well"));
        let mut findings = Findings::default();
        findings.warn("a", "do x");
        findings.fail("b", "do y");
        findings.warn("c", "do x");
        let verdict = findings.verdict("all well");
        assert_eq!(verdict, Verdict::fail("b; a; c", "do y; do x"));
    }

    #[test]
    fn what_is_shown_is_one_line_without_secrets() {
        let (long, short) = (Secret::new("hunter2hunter2"), Secret::new("a"));
        let verdict = Verdict::warn("a\u{1b}[31m\nb hunter2hunter2", "hint");
        let shown = verdict.shown(&[&long, &short]);
        assert_eq!(shown.evidence, "a [31m b [redacted]");
        assert_eq!(shown.hint.as_deref(), Some("hint"));
        assert_eq!(shown.text("x", 3), "warn  x    a [31m b [redacted]\n           → hint");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(&["a", "b"], 2), "a, b");
        assert_eq!(listed(&["a", "b", "c"], 2), "a, b and 1 more");
    }
}
