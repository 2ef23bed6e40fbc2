//! `writegate key`: records of keys, in the configuration and in a running gate's registry, and a key's derived secret.

mod fields;
mod import;
mod new;
mod records;
mod registry;
mod update;

use clap::{Args, Subcommand};
use serde_json::json;
use writegate::KeyId;

use crate::error::Result;
use crate::settings::{self, KeyOptions};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Create a key: print its record, write it into wrangler.toml, or put it into a gate's registry
    New(Box<new::New>),
    /// Change fields of a key, in wrangler.toml or in a gate's registry
    Update(Box<update::Update>),
    /// Revoke a key until it is enabled again
    Disable(update::Target),
    /// Let a disabled key work again
    Enable(update::Target),
    /// Print a key's record and its secret
    Show(Show),
    /// Print every record, one a line: of the configuration, or of a gate's registry
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
        Action::Update(update) => update.run(),
        Action::Disable(target) => target.disable(),
        Action::Enable(target) => target.enable(),
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
