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

use crate::failure::Result;

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Put a token into the gate's secret, from standard input
    Put(put::Options),
    /// Say how old a gate's tokens are; exit code 1 where one wants somebody
    Age(age::Options),
    /// Replace a token by a new one and revoke the old one, while the gate is in use
    Rotate(Box<rotate::Options>),
}

pub(crate) fn run(action: &Action) -> Result<()> {
    match action {
        Action::Put(options) => put::run(options),
        Action::Age(options) => age::run(options),
        Action::Rotate(options) => rotate::run(options),
    }
}
