//! `writegate key list` and `key revoke`: the registry of a running gate, record by record.

use std::io::{self, Write as _};

use clap::Args;
use writegate::KeyId;

use crate::admin::{self, GateOptions};
use crate::error::{Context as _, Result};
use crate::project::ProjectOptions;
use crate::settings;

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
}

impl List {
    pub(super) fn run(&self) -> Result<()> {
        let gate = self.which.open(&self.project.find()?)?;
        let mut out = io::stdout().lock();
        let mut pages = gate.pages();
        while let Some(page) = pages.next().transpose()? {
            for record in page {
                match writeln!(out, "{record}") {
                    // `key list | head` has what it wanted.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    written => written.context("printing a record")?,
                }
            }
        }
        Ok(())
    }
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
