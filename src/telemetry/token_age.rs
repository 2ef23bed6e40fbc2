//! The age of tokens: one report per token and day (docs/wire-contract.md, "Audit and rotation lines").
//!
//! In scope: the state of a token and the advice. Out of scope: the schedule, and sending the probe.

use serde_json::Value;

use crate::base::json;
use crate::base::json_writer::{Member, ObjectWriter};
use crate::base::secret::Fingerprint;
use crate::base::sorted_map::SortedMap;
use crate::base::time::Timestamp;
use crate::config::{Config, RotationPolicy};
use crate::upstream::route::Route;
use crate::upstream::token_cache::{TokenLookup, TokenUnavailable};
use crate::upstream::url::{UpstreamAuth, UpstreamCredential};

/// The state of a token, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The secret is not set.
    Missing,
    /// The upstream refuses it.
    Rejected,
    /// Its `expires_at` has passed.
    Expired,
    /// Its age has reached `max_age_days`.
    Overdue,
    /// It is within `warn_days` of `max_age_days` or of its expiry.
    Due,
    /// Its issue date is not known.
    Unknown,
    /// It needs no attention.
    Ok,
}

/// The level of a line, and the function of `console` that writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `console.log`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`.
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Overdue => "overdue",
            Self::Due => "due",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Ok => Level::Info,
            Self::Due | Self::Overdue | Self::Unknown => Level::Warn,
            Self::Expired | Self::Missing | Self::Rejected => Level::Error,
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            // The reason why there is no token has its own advice.
            Self::Missing => "",
            Self::Rejected => {
                "the upstream refuses this token, so writes are failing: put a new one now"
            }
            Self::Expired => "the token has expired: put a new one now",
            Self::Overdue => "the token has reached max_age_days: run npx writegate token rotate",
            Self::Due => "rotate the token before it is overdue or expires",
            Self::Unknown => {
                "the age of the token is not known: put it as {\"token\":…,\"issued_at\":\"YYYY-MM-DD\"}, or set <NAME>_ISSUED_AT"
            }
            Self::Ok => "nothing to do",
        }
    }
}

/// The result of a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeResult {
    /// The upstream refused the token.
    pub rejected: bool,
    /// The expiry date that the upstream states.
    pub expires_at: Option<Timestamp>,
}

/// A probe's request: a GET of `url` with the route's credential.
#[derive(Debug)]
pub struct Probe<'c> {
    /// The secret's name.
    pub secret: &'c str,
    /// The URL.
    pub url: String,
    /// The route, whose `reject_status` says which statuses refuse the token.
    pub route: &'c Route,
    /// The credential to send.
    pub credential: UpstreamCredential,
}

/// Every token that a route names, by the name of its secret.
pub type Tokens<'c> = SortedMap<&'c str, TokenLookup>;

/// Returns the probes to send, one for each route that has a probe and whose token is set.
pub fn probes<'c>(config: &'c Config, tokens: &Tokens<'c>) -> impl Iterator<Item = Probe<'c>> {
    config.routes.iter().filter_map(|route| {
        let path = route.probe.as_deref()?;
        let token = tokens.get(route.auth.secret())?.as_ref().ok()?;
        Some(Probe {
            secret: route.auth.secret(),
            credential: route.auth.credential(token).ok()?,
            url: route.upstream.join(path.strip_prefix('/'), None)?,
            route,
        })
    })
}

impl Probe<'_> {
    /// Reads the response to the probe. Its body is only read from the Cloudflare API's `/tokens/verify`
    /// (of a user or an account): `result.status` and `result.expires_on`.
    pub fn read(&self, status: u16, body: &[u8]) -> ProbeResult {
        let result = match self.url.ends_with("/tokens/verify") {
            true => json::parse(body).and_then(|mut body| Some(body.get_mut("result")?.take())),
            false => None,
        };
        let text = |name| result.as_ref().and_then(|result| result.get(name)?.as_str());
        ProbeResult {
            rejected: self.route.reject_status.contains(&status)
                || text("status").is_some_and(|status| status != "active"),
            expires_at: text("expires_on").and_then(Timestamp::parse_rfc3339),
        }
    }
}

/// The report on one token.
#[derive(Debug, PartialEq, Eq)]
pub struct Report<'c> {
    /// The level of the line.
    pub level: Level,
    secret: &'c str,
    /// The state of the token.
    pub state: State,
    age_days: Option<i64>,
    max_age_days: i64,
    expires_in_days: Option<i64>,
    fingerprint: Option<Fingerprint>,
    advice: String,
}

impl Report<'_> {
    /// Returns the report as a line of JSON for the log.
    pub fn line(&self) -> String {
        let mut line = ObjectWriter::line();
        line.set("event", "rotation");
        line.set("level", self.level.name());
        for (name, value) in self.members() {
            line.set(name, value);
        }
        line.end()
    }

    /// Returns the report for `GET /_gate/status`, without the members that only the log needs.
    pub fn status(&self) -> Value {
        let members = self.members().map(|(name, value)| (name.to_owned(), value.into()));
        Value::Object(members.into_iter().collect())
    }

    fn members(&self) -> [(&'static str, Member<'_>); 7] {
        [
            ("secret", self.secret.into()),
            ("state", self.state.name().into()),
            ("age_days", self.age_days.into()),
            ("max_age_days", self.max_age_days.into()),
            ("expires_in_days", self.expires_in_days.into()),
            ("fingerprint", self.fingerprint.as_ref().map(Fingerprint::as_str).into()),
            ("advice", self.advice.as_str().into()),
        ]
    }
}

/// Returns a report for every token that a route names. `probed` has the results of the probes of a
/// secret, in any order.
pub fn reports<'c>(
    config: &Config,
    tokens: &Tokens<'c>,
    probed: &[(&str, ProbeResult)],
    now: Timestamp,
) -> Vec<Report<'c>> {
    let report = |(secret, token): (&&'c str, &TokenLookup)| {
        let mut merged = ProbeResult::default();
        for (_, result) in probed.iter().filter(|(name, _)| name == secret) {
            merged.rejected |= result.rejected;
            merged.expires_at = result.expires_at.or(merged.expires_at);
        }
        let (mut broad, mut broken) = (false, None);
        for route in config.routes.iter().filter(|route| route.auth.secret() == *secret) {
            broad |= matches!(route.auth, UpstreamAuth::CloudflareGlobalKey { .. });
            // A route may be unable to send a token that is good in itself.
            if let Ok(token) = token
                && let Err(error) = route.auth.credential(token)
            {
                broken = Some(Err(TokenUnavailable::Broken(error)));
            }
        }
        let token = broken.as_ref().unwrap_or(token);
        report(secret, token, config.rotation, merged, broad, now)
    };
    tokens.iter().map(report).collect()
}

fn report<'c>(
    secret: &'c str,
    lookup: &TokenLookup,
    policy: RotationPolicy,
    probed: ProbeResult,
    broad: bool,
    now: Timestamp,
) -> Report<'c> {
    let upstream_token = lookup.as_ref().ok();
    let token = upstream_token.map(|upstream_token| &upstream_token.token);
    let age_days = token.and_then(|token| token.issued_at).map(|issued| now.days_since(issued));
    let expires_at = probed.expires_at.or(token.and_then(|token| token.expires_at));
    let expires_in_days = expires_at.map(|expires| expires.days_since(now));
    let due_days = policy.max_age_days.saturating_sub(policy.warn_days).max(0);
    let state = match age_days {
        _ if token.is_none() => State::Missing,
        _ if probed.rejected => State::Rejected,
        _ if expires_at.is_some_and(|expires| now >= expires) => State::Expired,
        Some(age) if age >= policy.max_age_days => State::Overdue,
        _ if expires_in_days.is_some_and(|days| days <= policy.warn_days) => State::Due,
        Some(age) if age >= due_days => State::Due,
        // An issue date in the future is wrong, so the age is not known.
        Some(age) if age >= 0 => State::Ok,
        Some(_) | None => State::Unknown,
    };
    let mut advice = match lookup {
        Ok(_) => state.advice().to_owned(),
        Err(error) => error.hint(secret),
    };
    let mut level = state.level();
    if broad {
        advice.push_str("; a Cloudflare global API key is broad: it can do everything its user can, so use an API token instead");
        level = if level == Level::Info { Level::Warn } else { level };
    }
    Report {
        level,
        secret,
        state,
        age_days,
        max_age_days: policy.max_age_days,
        expires_in_days,
        fingerprint: upstream_token.map(|token| token.fingerprint.clone()),
        advice,
    }
}

#[cfg(test)]
mod tests;
