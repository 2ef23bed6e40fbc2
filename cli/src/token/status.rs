//! The status of a gate's tokens (`GET /_gate/status`), once or until it is the same often enough.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::admin::GateOptions;
use crate::clock;
use crate::error::{Error, Result};
use crate::gate_error::GateError;
use crate::project::Project;

/// The number of times in a row that a gate must show a token before it counts as in place everywhere.
const TIMES: u32 = 10;

/// A token, as the gate sees it.
pub(super) struct Seen {
    /// Empty where the secret is not set.
    pub(super) fingerprint: String,
    pub(super) state: String,
    pub(super) age_days: Option<i64>,
}

/// The patience with which the gate is watched.
#[derive(Args)]
pub(super) struct Watch {
    /// Pause between two looks at the gate's status
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    interval: u64,
    /// Seconds in which the ten looks that show one token must begin
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clock::duration::<u64>(1..=3_600))]
    patience: u64,
}

/// Returns all of the gate's tokens.
pub(super) fn tokens(
    project: &Project,
    which: &GateOptions,
) -> std::result::Result<Vec<Value>, GateError> {
    // Opened each time: a kept connection stays with one data centre, and shows nothing of the others.
    let mut status = which.open(project)?.ask("GET", "_gate/status", None)?;
    match status["tokens"].take() {
        Value::Array(tokens) => Ok(tokens),
        _ => {
            Err(Error::new("the gate's status has no tokens in it: is it of this version?").into())
        }
    }
}

/// Returns another secret of the gate that holds the token of this fingerprint, too.
pub(super) fn twin(
    project: &Project,
    which: &GateOptions,
    secret: &str,
    fingerprint: &str,
) -> Result<Option<String>> {
    let tokens = tokens(project, which)?;
    let mut others = tokens.iter().filter(|token| token["secret"] != secret);
    let twin = others.find(|token| !fingerprint.is_empty() && token["fingerprint"] == fingerprint);
    Ok(twin.and_then(|token| token["secret"].as_str().map(str::to_owned)))
}

/// Returns this token, as the gate sees it now.
fn look(
    project: &Project,
    which: &GateOptions,
    secret: &str,
) -> std::result::Result<Seen, GateError> {
    let tokens = tokens(project, which)?;
    let token = tokens.iter().find(|token| token["secret"] == secret);
    let token = token.ok_or_else(|| {
        Error::new(format!(
            "the gate has no route with the token {secret}: is --gate the gate of this wrangler.toml?"
        ))
    })?;
    let text = |name: &str| token[name].as_str().unwrap_or_default().to_owned();
    Ok(Seen {
        fingerprint: text("fingerprint"),
        state: text("state"),
        age_days: token["age_days"].as_i64(),
    })
}

impl Watch {
    pub(super) const fn interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }

    pub(super) const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// Waits until the gate has shown the same token ten times running, and where one is wanted, that one. Ten looks that
    /// began within the patience may end after it, because a slow gate may need all of it for them.
    pub(super) fn until(
        &self,
        project: &Project,
        which: &GateOptions,
        secret: &str,
        wanted: Option<&str>,
    ) -> Result<Seen> {
        let end = Instant::now() + self.patience();
        // When it began, and its looks.
        let mut streak: Option<(Instant, u32)> = None;
        let mut last = String::new();
        loop {
            let asked = Instant::now();
            let said = match look(project, which, secret) {
                Ok(seen) => {
                    streak = match streak {
                        _ if wanted.is_some_and(|wanted| seen.fingerprint != wanted) => None,
                        Some((began, looks)) if seen.fingerprint == last => {
                            Some((began, looks + 1))
                        }
                        _ => Some((asked, 1)),
                    };
                    if streak.is_some_and(|(_, looks)| looks >= TIMES) {
                        return Ok(seen);
                    }
                    last.clone_from(&seen.fingerprint);
                    format!("the last that it showed was {}", named(&seen.fingerprint))
                }
                Err(error) if is_final(&error) => return Err(error.into()),
                Err(error) => {
                    streak = None;
                    error.to_string()
                }
            };
            if Instant::now() >= end && streak.is_none_or(|(began, _)| began >= end) {
                let what = wanted.map_or_else(|| "one token".to_owned(), named);
                let said = match wanted {
                    // It would take a session of its former root, too.
                    Some(_) => format!(
                        "{said} (by another SIGNING_SECRET than the one here, fingerprints are others)"
                    ),
                    None => said,
                };
                return Err(Error::new(format!(
                    "the gate did not show {what} {TIMES} times running within {} s: {said}",
                    self.patience
                )));
            }
            thread::sleep(self.interval());
        }
    }
}

/// Returns a token's name for a person: its fingerprint.
pub(super) fn named(fingerprint: &str) -> String {
    match fingerprint {
        "" => "no token".to_owned(),
        fingerprint => format!("token {fingerprint}"),
    }
}

/// Returns true if the gate's refusal is final, because it knows the admin.
fn is_final(error: &GateError) -> bool {
    let passing = ["", "misconfigured", "feature-unavailable", "rate-limited"];
    match error {
        GateError::Refused(problem) => !passing.contains(&problem.code.as_str()),
        GateError::NoAnswer(_) | GateError::Lost(_) => false,
        GateError::NotSent(_) => true,
    }
}
