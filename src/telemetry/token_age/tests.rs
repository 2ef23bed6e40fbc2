//! Where each state begins, and what probes change.

use super::*;
use crate::base::secret::Secret;
use crate::config::{Binding, Environment};
use crate::upstream::token::{Token, TokenSource, UpstreamToken};
use crate::upstream::token_cache::TokenUnavailable;
use serde_json::json;
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

/// Variables and secrets.
struct Vars(Value);

impl Environment for Vars {
    fn get(&self, name: &str) -> Option<Binding> {
        let value = self.0.get(name)?;
        let text = value.as_str().map(|text| Binding::Text(Secret::new(text)));
        Some(text.unwrap_or_else(|| Binding::Json(value.to_string())))
    }
}

/// Returns a configuration of two routes: `PLAIN` at an API with a probe, and `BROAD` at Cloudflare's.
fn config(rotation: Value) -> Config {
    let mut vars = json!({
        "SIGNING_SECRET": "r".repeat(32),
        "PLAIN": "token",
        "BROAD": "me@example.com:key",
        "PLAIN_ISSUED_AT": "2026-11-01",
        "BROAD_ISSUED_AT": "2026-11-01",
        "ROUTES": [
            {"path": "/a/*", "upstream": "https://api.example/v1", "probe": "/me", "reject_status": [401, 498],
             "upstream_auth": {"scheme": "bearer", "secret": "PLAIN"}},
            {"path": "/b/*", "upstream": "https://api.cloudflare.com/client/v4", "probe": "/user/tokens/verify",
             "upstream_auth": {"scheme": "cloudflare-global-key", "secret": "BROAD"}},
        ],
    });
    if !rotation.is_null() {
        vars["ROTATION"] = rotation;
    }
    Config::read(&Vars(vars)).unwrap()
}

/// Returns the tokens that are set, but not this one.
fn tokens<'c>(config: &'c Config, missing: &str) -> Tokens<'c> {
    let lookup = |(name, source): (&'c String, &TokenSource)| match source {
        TokenSource::Set(token) if name != missing => (name.as_str(), Ok(Rc::clone(token))),
        TokenSource::Set(_) | TokenSource::Missing | TokenSource::Stored { .. } => {
            (name.as_str(), Err(TokenUnavailable::Missing))
        }
    };
    config.tokens.iter().map(lookup).collect()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn due_and_overdue_begin_where_rotation_says_and_not_before_the_issue_date() {
    for (rotation, due, overdue) in [
        (Value::Null, "2027-01-16", "2027-01-30"),
        (json!({}), "2027-01-16", "2027-01-30"),
        (json!({"max_age_days": 30}), "2026-11-17", "2026-12-01"),
        (json!({"warn_days": 0}), "2027-01-30", "2027-01-30"),
        (json!({"max_age_days": 1, "warn_days": 3_650}), "2026-11-01", "2026-11-02"),
    ] {
        let config = config(rotation.clone());
        let state = |now| {
            let reports = reports(&config, &tokens(&config, ""), &[], now);
            reports.iter().find(|report| report.secret == "PLAIN").unwrap().state
        };
        let (due, overdue) = (at(due), at(overdue));
        let before = |now: Timestamp| state(now.plus_seconds(-1));
        assert_eq!(state(overdue), State::Overdue, "{rotation}");
        assert_ne!(before(overdue), State::Overdue, "{rotation}");
        assert_ne!(before(due), State::Due, "{rotation}");
        assert!(due == overdue || state(due) == State::Due, "{rotation}");
    }
}

#[test]
fn each_token_has_its_probes_and_a_broad_one_is_flagged() {
    let config = config(Value::Null);
    let found = tokens(&config, "");
    let now = at("2026-11-22");
    let result =
        |rejected, expires: Option<&str>| ProbeResult { rejected, expires_at: expires.map(at) };
    let shown = |probed: &[(&str, ProbeResult)], missing: &str| {
        let lines = reports(&config, &tokens(&config, missing), probed, now).into_iter();
        let lines =
            lines.map(|report| (report.secret, report.state, report.level, report.expires_in_days));
        lines.collect::<Vec<_>>()
    };
    let (ok, broad) =
        (("PLAIN", State::Ok, Level::Info, None), ("BROAD", State::Ok, Level::Warn, None));
    assert_eq!(shown(&[], ""), [broad, ok]);
    let rejected = ("PLAIN", State::Rejected, Level::Error, None);
    let (yes, no) = (("PLAIN", result(false, None)), ("PLAIN", result(true, None)));
    assert_eq!(shown(&[yes, no], ""), [broad, rejected]);
    assert_eq!(shown(&[no, yes], ""), [broad, rejected], "whichever answered last");
    let ends = ("PLAIN", result(false, Some("2027-11-22")));
    let ending = ("PLAIN", State::Ok, Level::Info, Some(365));
    assert_eq!(shown(&[ends, yes], ""), [broad, ending]);
    assert_eq!(shown(&[yes, ends], ""), [broad, ending]);
    let missing = ("BROAD", State::Missing, Level::Error, None);
    assert_eq!(shown(&[], "BROAD"), [missing, ok]);
    let advice = |missing: &str| {
        let all = reports(&config, &tokens(&config, missing), &[], now).into_iter();
        all.map(|report| report.advice).collect::<Vec<_>>()
    };
    assert_eq!(advice("")[1], "nothing to do");
    assert!(advice("")[0].starts_with("nothing to do; "), "{:?}", advice(""));
    assert!(advice("")[0].contains("is broad"), "{:?}", advice(""));
    let put = "the secret is not set, or empty: npx writegate token put --secret BROAD; ";
    assert!(advice("BROAD")[0].starts_with(put), "{:?}", advice("BROAD"));
    let urls: Vec<_> = probes(&config, &found).map(|probe| (probe.secret, probe.url)).collect();
    let cloudflare = "https://api.cloudflare.com/client/v4/user/tokens/verify";
    assert_eq!(
        urls,
        [("PLAIN", "https://api.example/v1/me".to_owned()), ("BROAD", cloudflare.to_owned())]
    );
    assert_eq!(probes(&config, &tokens(&config, "PLAIN")).count(), 1, "only what is set is sent");
}

#[test]
fn a_probe_is_read_by_its_status_and_at_cloudflare_by_its_body() {
    let config = config(Value::Null);
    let tokens = tokens(&config, "");
    let probes: Vec<_> = probes(&config, &tokens).collect();
    let verify = |status: &str, expires: &str| {
        json!({"result": {"status": status, "expires_on": expires}}).to_string()
    };
    let (good, ended) = (verify("active", "2027-01-01T00:00:00Z"), verify("expired", "soon"));
    for (probe, status, body, rejected, expires) in [
        (&probes[0], 200, "{}", false, None),
        (&probes[0], 401, "{}", true, None),
        (&probes[0], 498, "", true, None),
        (&probes[0], 403, "", false, None),
        (&probes[0], 500, "", false, None),
        (&probes[0], 200, &*ended, false, None),
        (&probes[0], 200, &*good, false, None),
        (&probes[1], 200, &*good, false, Some(at("2027-01-01"))),
        (&probes[1], 200, &*ended, true, None),
        (&probes[1], 401, &*good, true, Some(at("2027-01-01"))),
        (&probes[1], 200, "no JSON", false, None),
        (&probes[1], 200, r#"{"result":null}"#, false, None),
        (&probes[1], 200, r#"{"result":{"status":1,"expires_on":1}}"#, false, None),
    ] {
        let read = probe.read(status, body.as_bytes());
        assert_eq!(
            (read.rejected, read.expires_at),
            (rejected, expires),
            "{} {status} {body}",
            probe.url
        );
    }
}
