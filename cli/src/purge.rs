//! `writegate purge`: cached answers of a running gate, which are then no longer served.

use clap::Args;
use serde_json::json;

use crate::admin::GateOptions;
use crate::error::Result;
use crate::host;
use crate::project::ProjectOptions;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    #[command(flatten)]
    what: What,
}

/// Exactly one of the two.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Everything of this route, named as in wrangler.toml, such as /cms/*
    #[arg(long, value_name = "PATH", value_parser = route)]
    route: Option<String>,
    /// Every answer to this URL, absolute or from the path on
    #[arg(long, value_name = "URL", value_parser = url)]
    url: Option<String>,
}

fn route(text: &str) -> std::result::Result<String, String> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err("expected the path of a route, such as /cms/*".to_owned()),
    }
}

fn url(text: &str) -> std::result::Result<String, String> {
    host::check(text)?;
    Ok(text.to_owned())
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let gate = options.which.open(&options.project.find()?)?;
    let body = match (&options.what.route, &options.what.url) {
        (Some(route), _) => json!({"route": route}),
        (None, url) => json!({"url": url}),
    };
    println!("{}", gate.ask("POST", "_gate/purge", Some(&body))?);
    eprintln!(
        "writegate: purged in the data centre that answered; every other data centre has its own \
        cache"
    );
    Ok(())
}
