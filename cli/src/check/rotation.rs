//! The age of the tokens in the gate, as the gate itself says.

use serde_json::Value;

use crate::admin::GateOptions;
use crate::gate_error::GateError;
use crate::project::Project;

use super::row::{Findings, Verdict};

/// Asks the gate, if `--gate` names one.
pub(super) fn row(which: Option<(&Project, &GateOptions)>) -> Verdict {
    let Some((project, which)) = which else {
        return Verdict::warn(
            "the age of the tokens is not known without --gate",
            "pass --gate https://gate.example.com, with SIGNING_SECRET and an admin key",
        );
    };
    let gate = match which.open(project) {
        Ok(gate) => gate,
        Err(error) => {
            return Verdict::warn(
                format!("the gate could not be asked: {}", error.message),
                "--gate needs SIGNING_SECRET and an admin key (--as)",
            );
        }
    };
    match gate.ask("GET", "_gate/status", None) {
        Ok(status) => judge(&status),
        Err(GateError::Refused(problem)) if problem.code == "misconfigured" => Verdict::fail(
            format!("{problem}"),
            "its log has the field: npx wrangler tail, or the check `configuration`",
        ),
        Err(error) => Verdict::warn(
            format!("the gate did not answer: {error}"),
            "check --gate and --as: that gate needs this SIGNING_SECRET and this admin key",
        ),
    }
}

/// Returns the verdict on the gate's status.
fn judge(status: &Value) -> Verdict {
    let tokens = status["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tokens.is_empty() {
        return Verdict::warn(
            "the gate's answer names no token",
            "is --gate a gate of this release?",
        );
    }
    let mut findings = Findings::default();
    let mut well = Vec::new();
    for token in tokens {
        let text = |name: &str| token[name].as_str().unwrap_or("?");
        let (secret, state) = (text("secret"), text("state"));
        let said = format!("{secret} is {state}{}", ages(token));
        let advice = token["advice"].as_str().unwrap_or("rotate it");
        match state {
            "ok" => well.push(said),
            // Not overdue, but nobody should be surprised by it: --strict makes it a failure.
            "due" | "unknown" => findings.warn(said, advice),
            _ => findings.fail(said, advice),
        }
    }
    findings.verdict(well.join("; "))
}

fn ages(token: &Value) -> String {
    let mut parts = Vec::new();
    if let (Some(age), Some(most)) = (token["age_days"].as_i64(), token["max_age_days"].as_i64()) {
        parts.push(format!("{age} of {most} days old"));
    }
    if let Some(days) = token["expires_in_days"].as_i64() {
        parts.push(format!("expires in {days} days"));
    }
    if let Some(fingerprint) = token["fingerprint"].as_str() {
        parts.push(format!("fingerprint {fingerprint}"));
    }
    match parts.as_slice() {
        [] => String::new(),
        parts => format!(" ({})", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::row::Status::{self, Fail, Ok as Well, Warn};
    use super::*;

    fn token(state: &str) -> Value {
        json!({"secret": "WRITE_TOKEN", "state": state, "age_days": 83, "max_age_days": 90,
               "expires_in_days": null, "fingerprint": "0123456789ab", "advice": "do this"})
    }

    #[test]
    fn every_state_has_its_status() {
        let table: [(&str, Status); 8] = [
            ("ok", Well),
            ("due", Warn),
            ("unknown", Warn),
            ("overdue", Fail),
            ("expired", Fail),
            ("rejected", Fail),
            ("missing", Fail),
            ("okay", Fail),
        ];
        for (state, status) in table {
            let verdict = judge(&json!({"tokens": [token(state)]}));
            assert_eq!(verdict.status, status, "{state}");
            assert_eq!(
                verdict.evidence,
                format!("WRITE_TOKEN is {state} (83 of 90 days old, fingerprint 0123456789ab)")
            );
            assert_eq!(verdict.hint.as_deref(), (status != Well).then_some("do this"));
        }
        let both = judge(&json!({"tokens": [token("ok"), token("overdue"), token("due")]}));
        assert_eq!(both.status, Fail);
        assert!(both.evidence.starts_with("WRITE_TOKEN is overdue"), "{both:?}");
        assert_eq!(judge(&json!({"tokens": []})).status, Warn);
        assert_eq!(judge(&json!({})).status, Warn);
        assert_eq!(row(None).status, Warn);
    }
}
