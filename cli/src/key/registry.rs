//! `writegate key list` and `key revoke`: records as they are, and the end of one.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::Value;
use writegate::KeyId;

use crate::admin::{self, GateOptions};
use crate::error::{Context as _, Result};
use crate::project::ProjectOptions;
use crate::settings;

#[derive(Args)]
#[command(mut_arg("gate", |gate| gate.required(false)))]
#[command(mut_arg("admin", |admin| admin.requires("gate")))]
pub(crate) struct List {
    #[command(flatten)]
    which: Option<GateOptions>,
    #[command(flatten)]
    project: ProjectOptions,
}

impl List {
    pub(super) fn run(&self) -> Result<()> {
        let project = self.project.find()?;
        let Some(which) = &self.which else {
            let document = project.document()?;
            return print(settings::records(&document)?).map(drop);
        };
        let gate = which.open(&project)?;
        let mut pages = gate.pages();
        while let Some(page) = pages.next().transpose()? {
            if !print(&page)? {
                break;
            }
        }
        Ok(())
    }
}

/// Prints these records; false if nobody reads on, because `key list | head` has what it wanted.
fn print<'r>(records: impl IntoIterator<Item = &'r Value>) -> Result<bool> {
    let mut out = io::stdout().lock();
    for record in records {
        match writeln!(out, "{record}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            written => written.context("printing a record")?,
        }
    }
    Ok(true)
}

#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    /// The key's id
    #[arg(value_name = "ID", value_parser = settings::id)]
    id: KeyId,
}

impl Revoke {
    pub(super) fn run(&self) -> Result<()> {
        let gate = self.which.open(&self.project.find()?)?;
        let tombstone = gate.ask("DELETE", &admin::record(&self.id), None)?;
        println!("{tombstone}");
        Ok(())
    }
}
