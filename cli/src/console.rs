//! `writegate console`: a session for the console of a running gate, and the console's address.
//!
//! Only the session goes to standard output, so that it can be piped into the clipboard. It is not part of the address,
//! because a browser keeps addresses. The command does not call the gate first: `aud` makes the session worthless at another
//! address, and the browser shows if a gate is there.

use clap::Args;

use crate::admin::GateOptions;
use crate::error::Result;
use crate::project::ProjectOptions;
use crate::session::{self, Claims};
use crate::{browser, clock};

/// The default lifetime of a session: enough for one visit.
const TTL: u32 = 900;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    /// The session's lifetime, in seconds or as 15m [default: 900, or SESSION_MAX_TTL if that is shorter]
    #[arg(long, value_name = "SECONDS", value_parser = clock::duration::<u32>(1..=u32::MAX.into()))]
    ttl: Option<u32>,
    /// A session that can only read
    #[arg(long)]
    read_only: bool,
    /// Only print the console's address
    #[arg(long)]
    no_open: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let project = options.project.find()?;
    let gate = options.which.open(&project)?;
    let ttl = session::lifetime(&project, options.ttl, TTL)?;
    let origin = options.which.address().origin();
    // A gate on this machine may have another origin, because wrangler dev uses the hosts of its routes.
    let aud = origin.starts_with("https://").then(|| origin.to_owned());
    let session = gate.mint(&Claims { aud, ..claims(ttl, options.read_only) })?;
    let address = format!("{origin}/_gate/");
    eprintln!("writegate: paste the session at {address}; it ends in {ttl} s");
    println!("{session}");
    if !options.no_open
        && let Err(error) = browser::open(&address)
    {
        eprintln!("writegate: could not start a browser ({})", error.message);
    }
    Ok(())
}

/// Returns the claims of a session for the console.
pub(crate) fn claims(ttl: u32, read_only: bool) -> Claims {
    // GET implies HEAD.
    let methods = if read_only { vec!["GET".to_owned()] } else { Vec::new() };
    Claims { sub: Some("console".to_owned()), methods, ..Claims::below("/_gate/*", ttl) }
}
