//! `writegate token age`: the ages of a running gate's tokens.

use clap::Args;
use serde_json::Value;

use crate::admin::GateOptions;
use crate::error::{Error, Result};
use crate::project::ProjectOptions;

use super::status;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    /// Print each as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let project = options.project.find()?;
    let tokens = status::tokens(&project, &options.which)?;
    for token in &tokens {
        match options.json {
            true => println!("{token}"),
            false => println!("{}", line(token)),
        }
    }
    if tokens.is_empty() {
        return Err(Error::new("the gate has no token"));
    }
    let wanting: Vec<String> = tokens
        .iter()
        .filter(|token| token["state"] != "ok")
        .map(|token| format!("{} is {}", text(token, "secret"), text(token, "state")))
        .collect();
    match wanting.as_slice() {
        [] => Ok(()),
        wanting => Err(Error::new(wanting.join(", "))),
    }
}

fn line(token: &Value) -> String {
    let age = match token["age_days"].as_i64() {
        Some(days) => format!("{days} of {} days", token["max_age_days"]),
        None => "age unknown".to_owned(),
    };
    let expiry = match token["expires_in_days"].as_i64() {
        Some(days) => format!("  expires in {days} days"),
        None => String::new(),
    };
    let fingerprint = match text(token, "fingerprint") {
        none if none.is_empty() => "-".to_owned(),
        fingerprint => fingerprint,
    };
    format!(
        "{}  {}  {age}{expiry}  {fingerprint}  {}",
        text(token, "secret"),
        text(token, "state"),
        text(token, "advice")
    )
}

/// Returns a text from elsewhere, as it may go to a terminal.
fn text(token: &Value, name: &str) -> String {
    let text = token[name].as_str().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).collect()
}
