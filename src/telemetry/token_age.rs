//! How old each token is and what that means: one report per token and day (contract section 9).
//!
//! In scope: the verdict. Out of scope: when it is asked for, and sending the probe.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::base::json;
use crate::base::secret::Fingerprint;
use crate::base::time::Timestamp;
use crate::config::{Config, RotationPolicy};
use crate::upstream::route::Route;
use crate::upstream::token_cache::TokenLookup;
use crate::upstream::url::{UpstreamAuth, UpstreamCredential};

/// What is the matter with a token, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The secret is not set.
    Missing,
    /// The upstream refuses it.
    Rejected,
    /// Its `expires_at` has passed.
    Expired,
    /// It is older than `max_age_days`.
    Overdue,
    /// Within `warn_days` of `max_age_days` or of its expiry.
    Due,
    /// Nobody wrote down when it was issued.
    Unknown,
    /// Nothing is to do.
    Ok,
}

/// How loud the line is, and through which function of `console` it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `console.log`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`.
    Error,
}

impl State {
    const fn level(self) -> Level {
        match self {
            Self::Ok => Level::Info,
            Self::Due | Self::Overdue | Self::Unknown => Level::Warn,
            Self::Expired | Self::Missing | Self::Rejected => Level::Error,
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            // That there is none says why, too.
            Self::Missing => "",
            Self::Rejected => {
                "the upstream refuses this token: put a new one now, writes are failing"
            }
            Self::Expired => "the token has expired: put a new one now",
            Self::Overdue => {
                "the token is older than max_age_days: rotate it, then revoke the old one"
            }
            Self::Due => "rotate the token before it is overdue or expires",
            Self::Unknown => {
                "nobody knows how old the token is: put it as {\"token\":…,\"issued_at\":\"YYYY-MM-DD\"}, or set <NAME>_ISSUED_AT"
            }
            Self::Ok => "nothing to do",
        }
    }
}

/// What a probe found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The upstream refused the token.
    pub rejected: bool,
    /// When the upstream says the token ends.
    pub expires_at: Option<Timestamp>,
}

/// A probe's request: a GET of `url` with the route's credential.
#[derive(Debug)]
pub struct Probe<'c> {
    /// The secret's name.
    pub secret: &'c str,
    /// Where to.
    pub url: String,
    /// What counts as a refusal.
    pub route: &'c Route,
    /// What is sent.
    pub credential: UpstreamCredential,
}

/// Every token that a route names, by the name of its secret.
pub type Tokens<'c> = BTreeMap<&'c str, TokenLookup>;

/// The probes to send, one for each route that has one and whose token is set.
pub fn probes<'c>(config: &'c Config, tokens: &Tokens<'c>) -> impl Iterator<Item = Probe<'c>> {
    config.routes.iter().filter_map(|route| {
        let path = route.probe.as_deref()?;
        let known = tokens.get(route.auth.secret())?.as_ref().ok()?;
        Some(Probe {
            secret: route.auth.secret(),
            credential: route.auth.credential(known).ok()?,
            url: route.upstream.join(path.strip_prefix('/'), None)?,
            route,
        })
    })
}

impl Probe<'_> {
    /// What an answer means. Of the body only the Cloudflare API's `/user/tokens/verify`, or that of an
    /// account's tokens, is read: `result.status`, `result.expires_on`.
    #[must_use]
    pub fn read(&self, status: u16, body: &[u8]) -> Probed {
        let result = match self.url.ends_with("/tokens/verify") {
            true => json::parse(body).and_then(|mut body| Some(body.get_mut("result")?.take())),
            false => None,
        };
        let text = |name| result.as_ref().and_then(|result| result.get(name)?.as_str());
        Probed {
            rejected: self.route.reject_status.contains(&status)
                || text("status").is_some_and(|status| status != "active"),
            expires_at: text("expires_on").and_then(Timestamp::parse_rfc3339),
        }
    }
}

/// One token's line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Report<'c> {
    event: &'static str,
    /// How loud it is.
    pub level: Level,
    secret: &'c str,
    /// The verdict.
    pub state: State,
    age_days: Option<i64>,
    max_age_days: i64,
    expires_in_days: Option<i64>,
    fingerprint: Option<Fingerprint>,
    advice: String,
}

impl Report<'_> {
    /// The line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        json::to_line(self)
    }

    /// The same for whoever asks: without what belongs to a line of the log.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = status.as_object_mut() {
            members.remove("event");
            members.remove("level");
        }
        status
    }
}

/// The reports of every token that a route names; `probed` holds what the probes of a secret
/// found, in any order.
#[must_use]
pub fn reports<'c>(
    config: &Config,
    tokens: &Tokens<'c>,
    probed: &[(&str, Probed)],
    now: Timestamp,
) -> Vec<Report<'c>> {
    let report = |(secret, token): (&&'c str, &TokenLookup)| {
        let mut found = Probed::default();
        for (_, one) in probed.iter().filter(|(name, _)| name == secret) {
            found.rejected |= one.rejected;
            found.expires_at = one.expires_at.or(found.expires_at);
        }
        let broad = config.routes.iter().any(|route| {
            matches!(&route.auth, UpstreamAuth::CloudflareGlobalKey { secret: name } if name == secret)
        });
        report(secret, token, config.rotation, found, broad, now)
    };
    tokens.iter().map(report).collect()
}

fn report<'c>(
    secret: &'c str,
    found: &TokenLookup,
    policy: RotationPolicy,
    probed: Probed,
    broad: bool,
    now: Timestamp,
) -> Report<'c> {
    let known = found.as_ref().ok();
    let token = known.map(|known| &known.token);
    let age_days = token.and_then(|token| token.issued_at).map(|issued| now.days_since(issued));
    let expires_at = probed.expires_at.or(token.and_then(|token| token.expires_at));
    let expires_in_days = expires_at.map(|expires| expires.days_since(now));
    let due_days = policy.max_age_days.saturating_sub(policy.warn_days);
    let state = match age_days {
        _ if known.is_none() => State::Missing,
        _ if probed.rejected => State::Rejected,
        _ if expires_at.is_some_and(|expires| now >= expires) => State::Expired,
        Some(age) if age >= policy.max_age_days => State::Overdue,
        _ if expires_in_days.is_some_and(|days| days <= policy.warn_days) => State::Due,
        Some(age) if age >= due_days => State::Due,
        // A token from the future was dated wrongly, so its age is not known.
        Some(age) if age >= 0 => State::Ok,
        Some(_) | None => State::Unknown,
    };
    let mut advice = match found {
        Ok(_) => state.advice().to_owned(),
        Err(none) => none.hint(),
    };
    let mut level = state.level();
    if broad {
        advice.push_str("; this is a Cloudflare global API key, which is broad: it can do everything its user can, so replace it with an API token that can do only this");
        level = if level == Level::Info { Level::Warn } else { level };
    }
    Report {
        event: "rotation",
        level,
        secret,
        state,
        age_days,
        max_age_days: policy.max_age_days,
        expires_in_days,
        fingerprint: known.map(|known| known.fingerprint.clone()),
        advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::upstream::token::Token;
    use crate::upstream::token::UpstreamToken;
    use std::rc::Rc;

    const POLICY: RotationPolicy = RotationPolicy { max_age_days: 90, warn_days: 14 };

    fn state(age: Option<i64>, expires_in: Option<i64>, probed: Probed) -> (State, Level) {
        let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let day = 86_400;
        let value = Secret::new("token");
        let known = UpstreamToken {
            secret: "WRITE_TOKEN".into(),
            fingerprint: Fingerprint::of(&value, &Secret::new("r".repeat(32))),
            token: Token {
                value,
                issued_at: age.map(|days| now.plus_seconds(-days * day)),
                expires_at: expires_in.map(|days| now.plus_seconds(days * day)),
            },
        };
        let report = report("WRITE_TOKEN", &Ok(Rc::new(known)), POLICY, probed, false, now);
        (report.state, report.level)
    }

    #[test]
    fn every_state_begins_where_it_should() {
        let age = |days| state(Some(days), None, Probed::default());
        assert_eq!(age(0), (State::Ok, Level::Info));
        assert_eq!(age(75), (State::Ok, Level::Info));
        assert_eq!(age(76), (State::Due, Level::Warn));
        assert_eq!(age(89), (State::Due, Level::Warn));
        assert_eq!(age(90), (State::Overdue, Level::Warn));
        assert_eq!(age(-2), (State::Unknown, Level::Warn));
        let expires = |days| state(Some(1), Some(days), Probed::default()).0;
        assert_eq!(expires(15), State::Ok);
        assert_eq!(expires(14), State::Due);
        assert_eq!(expires(1), State::Due);
        assert_eq!(expires(0), State::Expired);
        assert_eq!(state(None, Some(100), Probed::default()).0, State::Unknown);
        assert_eq!(state(None, Some(3), Probed::default()).0, State::Due);
    }

    #[test]
    fn a_probe_outweighs_what_was_written_down() {
        let rejected = Probed { rejected: true, expires_at: None };
        assert_eq!(state(Some(1), None, rejected), (State::Rejected, Level::Error));
        let ended = Probed {
            rejected: false,
            expires_at: Timestamp::parse_rfc3339("2026-11-22T11:59:59Z"),
        };
        assert_eq!(state(Some(1), Some(100), ended), (State::Expired, Level::Error));
    }
}
