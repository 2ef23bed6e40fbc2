//! `writegate key list` and `key revoke`.

use clap::Args;
use serde_json::Value;
use writegate::KeyId;

use crate::admin::{self, GateOptions};
use crate::error::Result;
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
            print(settings::records(&document)?);
            return Ok(());
        };
        for page in which.open(&project)?.pages() {
            print(&page?);
        }
        Ok(())
    }
}

fn print(records: &[Value]) {
    for record in records {
        println!("{record}");
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
