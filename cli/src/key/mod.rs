//! `writegate key`: a new key's record, a key's derived secret, and the keys of a running gate's registry.

mod import;
mod new;
mod records;
mod registry;

use clap::{Args, Subcommand};
use serde_json::json;
use writegate::KeyId;

use crate::error::Result;
use crate::settings::{self, KeyOptions};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Print a record for wrangler.toml, under a new id
    New(new::New),
    /// Print a key's record and its secret
    Show(Show),
    /// Print every record of a gate's registry, one a line
    List(registry::List),
    /// Revoke a key of a gate's registry for good: its id is never used again
    Revoke(registry::Revoke),
    /// Put many records into a gate's registry; prints each key's id and secret
    Import(import::Import),
}

#[derive(Args)]
pub(crate) struct Show {
    /// The key's id
    #[arg(value_name = "ID", value_parser = settings::id)]
    id: KeyId,
    #[command(flatten)]
    which: KeyOptions,
}

pub(crate) fn run(action: &Action) -> Result<()> {
    match action {
        Action::New(new) => new.run(),
        Action::Show(show) => show.run(),
        Action::List(list) => list.run(),
        Action::Revoke(revoke) => revoke.run(),
        Action::Import(import) => import.run(),
    }
}

impl Show {
    fn run(&self) -> Result<()> {
        let key = self.which.open(&self.id)?;
        let known = key.record.as_ref().map(|(record, _)| record.clone());
        let mut record = known.unwrap_or_else(|| json!({"id": self.id.as_str()}));
        record["version"] = json!(key.version);
        record["sk"] = json!(key.sk()?.expose_str());
        println!("{record:#}");
        Ok(())
    }
}
