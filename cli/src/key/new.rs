//! `writegate key new`: a record, to be printed, written into `wrangler.toml`, or made in a gate's registry.

use clap::Args;
use serde_json::json;
use writegate::{Key, KeyId};

use super::fields::{Fields, record};
use crate::admin::{GateOptions, KEYS};
use crate::error::{Error, Result};
use crate::project::ProjectOptions;
use crate::{edit, random, settings};

#[derive(Args)]
#[command(mut_arg("gate", |gate| gate.required(false)))]
#[command(mut_arg("admin", |admin| admin.requires("gate")))]
pub(crate) struct New {
    /// Its id [default: pk_ and 22 random characters]
    #[arg(long, value_name = "ID", value_parser = settings::id)]
    id: Option<KeyId>,
    #[command(flatten)]
    fields: Fields,
    /// An admin key: it opens the gate's own paths, such as those for the registry, and nothing else
    #[arg(id = "is_admin", long = "admin", conflicts_with = "gate")]
    is_admin: bool,
    /// Print the record as JSON, for wrangler.json
    #[arg(long, conflicts_with_all = ["gate", "write"])]
    json: bool,
    /// Put it into wrangler.toml instead of printing it
    #[arg(long, conflicts_with = "gate")]
    write: bool,
    #[command(flatten)]
    which: Option<GateOptions>,
    #[command(flatten)]
    project: ProjectOptions,
}

impl New {
    pub(super) fn run(&self) -> Result<()> {
        let id = match &self.id {
            Some(id) => id.to_string(),
            None => random::key_id()?,
        };
        let mut fields = vec![("id", json!(id))];
        fields.extend(self.fields.given());
        if self.is_admin {
            fields.push(("admin", json!(true)));
        }
        let whole = record(&fields);
        Key::parse("the key", whole.clone()).map_err(|error| Error::usage(error.to_string()))?;

        if let Some(which) = &self.which {
            let gate = which.open(&self.project.find()?)?;
            println!("{}", gate.ask("POST", KEYS, Some(&whole))?);
            return Ok(());
        }
        if self.json {
            println!("{whole}");
            return Ok(());
        }
        if !self.write {
            print!("{}", edit::block("KEYS", &fields));
            eprintln!(
                "writegate: put this into wrangler.toml, or let --write do it; `writegate key show` then prints the key's secret"
            );
            return Ok(());
        }
        let project = self.project.find()?;
        if let Some(id) = &self.id
            && settings::key(&project, id)?.is_some()
        {
            return Err(Error::usage("--id: there is such a key already; `key update` changes it"));
        }
        let environment = project.environment.as_deref();
        project.rewrite(|text| edit::push(text, environment, "KEYS", &fields))?;
        println!("{id}");
        eprintln!(
            "writegate: it is in {}, and counts when that is deployed; `writegate key show {id}` prints its secret",
            project.name()
        );
        Ok(())
    }
}
