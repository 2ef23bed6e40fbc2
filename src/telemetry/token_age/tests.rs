//! Where each state begins, and what probes change.

use super::*;
use crate::base::secret::Secret;
use crate::upstream::token::Token;
use crate::upstream::token::UpstreamToken;
use std::rc::Rc;

const POLICY: RotationPolicy = RotationPolicy { max_age_days: 90, warn_days: 14 };

fn state(age: Option<i64>, expires_in: Option<i64>, probed: ProbeResult) -> (State, Level) {
    let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
    let day = 86_400;
    let value = Secret::new("token");
    let token = UpstreamToken {
        secret: "WRITE_TOKEN".into(),
        fingerprint: Fingerprint::of(&value, &Secret::new("r".repeat(32))),
        token: Token {
            value,
            issued_at: age.map(|days| now.plus_seconds(-days * day)),
            expires_at: expires_in.map(|days| now.plus_seconds(days * day)),
        },
    };
    let report = report("WRITE_TOKEN", &Ok(Rc::new(token)), POLICY, probed, false, now);
    (report.state, report.level)
}

#[test]
fn every_state_begins_where_it_should() {
    let age = |days| state(Some(days), None, ProbeResult::default());
    assert_eq!(age(0), (State::Ok, Level::Info));
    assert_eq!(age(75), (State::Ok, Level::Info));
    assert_eq!(age(76), (State::Due, Level::Warn));
    assert_eq!(age(89), (State::Due, Level::Warn));
    assert_eq!(age(90), (State::Overdue, Level::Warn));
    assert_eq!(age(-2), (State::Unknown, Level::Warn));
    let expires = |days| state(Some(1), Some(days), ProbeResult::default()).0;
    assert_eq!(expires(15), State::Ok);
    assert_eq!(expires(14), State::Due);
    assert_eq!(expires(1), State::Due);
    assert_eq!(expires(0), State::Expired);
    assert_eq!(state(None, Some(100), ProbeResult::default()).0, State::Unknown);
    assert_eq!(state(None, Some(3), ProbeResult::default()).0, State::Due);
}

#[test]
fn the_line_and_the_status_say_the_same() {
    let now = Timestamp::from_seconds(0);
    let missing: TokenLookup = Err(crate::upstream::token_cache::TokenUnavailable::Missing);
    let mut report = report("é", &missing, POLICY, ProbeResult::default(), false, now);
    report.advice = "\"".to_owned();
    assert_eq!(
        report.line(),
        r#"{"event":"rotation","level":"error","secret":"\u00e9","state":"missing","age_days":null,"max_age_days":90,"expires_in_days":null,"fingerprint":null,"advice":"\""}"#
    );
    let mut line: Value = serde_json::from_str(&report.line()).unwrap();
    let members = line.as_object_mut().unwrap();
    members.remove("event");
    members.remove("level");
    assert_eq!(report.status(), line);
}

#[test]
fn a_probe_outweighs_what_was_written_down() {
    let rejected = ProbeResult { rejected: true, expires_at: None };
    assert_eq!(state(Some(1), None, rejected), (State::Rejected, Level::Error));
    let ended = ProbeResult {
        rejected: false,
        expires_at: Timestamp::parse_rfc3339("2026-11-22T11:59:59Z"),
    };
    assert_eq!(state(Some(1), Some(100), ended), (State::Expired, Level::Error));
}
