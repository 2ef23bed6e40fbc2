//! `writegate token put`: standard input → envelope → secret.

use clap::Args;
use serde_json::json;
use writegate::Timestamp;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::project::{ProjectOptions, placeholder_root};
use crate::wrangler::Wrangler;
use crate::{clock, input, invocation};

use super::envelope::{Dates, Envelope};
use super::local::Local;
use super::place::Place;

#[derive(Args)]
pub(crate) struct Options {
    /// The secret's name [default: the only one that a route of wrangler.toml names]
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// When the token was issued [default: today]
    #[arg(long, value_name = "DATE", value_parser = date)]
    issued_at: Option<Timestamp>,
    /// When the token expires
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires_at: Option<Timestamp>,
    /// Refuse if the newest version is not deployed, because its code would go out with the token
    #[arg(long)]
    deployed_only: bool,
    /// Print what was put where as one JSON object, without the token
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    project: ProjectOptions,
}

fn date(text: &str) -> std::result::Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "expected an RFC 3339 date such as 2026-11-22".to_owned())
}

pub(super) fn run(options: &Options) -> Result<()> {
    let project = options.project.find()?;
    let progress = Progress::new();
    let local = Local::of(project.document()?);
    let secret = local.secret(options.secret.as_deref())?;
    let given = input::secret(&format!("the token for {secret}"))?;
    let dates = Dates { issued_at: options.issued_at, expires_at: options.expires_at };
    let envelope = Envelope::read(&given, dates, clock::now()?).map_err(Error::usage)?;
    // With a token that its route cannot send, the gate would refuse every request.
    local.config(&placeholder_root(), Some((&secret, &envelope.text)))?;
    let wrangler = Wrangler::find(&project, &progress)?;
    let place = Place::find_or_new(&wrangler, local.stored(&secret).as_ref())?;
    if options.deployed_only {
        place.refuse_undeployed()?;
    }
    place.put(&wrangler, &progress, &secret, &envelope.text, &|| Ok(None))?;
    if options.json {
        let report = json!({
            "configuration": project.name(),
            "environment": project.environment,
            "put": [secret],
            "warnings": Vec::from_iter(place.warning()),
        });
        println!("{report}");
    }
    progress.note(&format!(
        "{secret} is put; {} shows when the gate has it",
        invocation::hint("token age --gate URL")
    ));
    Ok(())
}
