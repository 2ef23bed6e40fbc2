//! `writegate key`: a new key's record, a key's derived secret, and the keys of a running gate's registry.

mod import;
mod new;
mod records;
mod registry;

use clap::{Args, Subcommand};
use serde_json::json;
use writegate::KeyId;
use writegate::derive_sk;

use crate::error::Result;
use crate::project::Project;
use crate::settings;

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
    /// The key's version [default: what wrangler.toml says, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
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
        let project = Project::find()?;
        let known = settings::key(&project, &self.id)?;
        if known.is_none() {
            eprintln!("writegate: wrangler.toml has no key {}", self.id);
        }
        let (mut record, version) = match known {
            Some((record, key)) => (record, key.version),
            None => (json!({"id": self.id.as_str()}), 1),
        };
        let version = self.version.unwrap_or(version);
        let root = settings::signing_secret(&project)?;
        record["version"] = json!(version);
        record["sk"] = json!(derive_sk(&root, &self.id, version).expose_str());
        println!("{record:#}");
        Ok(())
    }
}
