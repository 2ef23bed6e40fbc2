//! `writegate token`: the tokens that the gate writes with. Puts one, says how old they are, and replaces one while
//! callers write.

mod age;
mod envelope;
mod local;
mod place;
mod probe;
mod put;
mod rotate;
mod status;

use clap::Subcommand;

pub(crate) use probe::{Tried, once as try_once};

use crate::error::Result;

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Put a token into the gate's secret, from standard input
    ///
    /// Reads a token, raw or as {"token":…,"issued_at":…,"expires_at":…}, from standard input or a hidden prompt, and
    /// puts it with its dates into the Worker's secret.
    Put(put::Options),
    /// Print the age of a gate's tokens; exit code 1 if any token needs attention
    ///
    /// One line for each token: its secret, its state, its age, its fingerprint, and what to do. Exit code 0: every token
    /// is ok. 1: one is due, overdue, expired, missing, rejected or of unknown age, or the gate did not answer.
    Age(age::Options),
    /// Replace a token with a new one and revoke the old one, while the gate is in use
    ///
    /// Makes a new token, tries it, puts it, waits until the gate shows it ten times running, tries it through the gate,
    /// and revokes the old one. If a run is interrupted, run it again; it resumes.
    ///
    /// For tokens of the Cloudflare API, ROTATION_API_TOKEN (else CLOUDFLARE_API_TOKEN) in the environment is a token
    /// that may edit API tokens; the first time, --old names the token in the gate. For other APIs, --hook makes a
    /// token.
    Rotate(Box<rotate::Options>),
}

pub(crate) fn run(action: &Action) -> Result<()> {
    match action {
        Action::Put(options) => put::run(options),
        Action::Age(options) => age::run(options),
        Action::Rotate(options) => rotate::run(options),
    }
}
