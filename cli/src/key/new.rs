//! `writegate key new`: a record, to be printed, written into `wrangler.toml`, or made in a gate's registry.

use clap::Args;
use serde_json::json;
use writegate::KeyId;

use super::fields::{self, Fields};
use crate::admin::{GateOptions, KEYS};
use crate::error::{Error, Result};
use crate::project::ProjectOptions;
use crate::{clock, edit, invocation, random, settings};

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
        let whole = edit::whole(&fields);
        let key = fields::parse(whole.clone())?;
        if key.expires.is_some_and(|end| end <= clock::now().unwrap_or(end)) {
            return Err(Error::usage(
                "--expires: this time has passed, so the gate would refuse the key",
            ));
        }
        if let Some(which) = &self.which {
            let project = self.project.find()?;
            fields::refuse_unbound(&whole, &project.document()?)
                .map_err(|fault| Error::usage(format!("{fault}; nothing was sent")))?;
            let gate = which.open(&project)?;
            println!("{}", gate.ask("POST", KEYS, Some(&whole))?);
            return Ok(());
        }
        let project = self.project.look()?;
        let document = project.has_configuration().then(|| project.document()).transpose()?;
        if let Some(id) = &self.id
            && document.is_some()
            && settings::key(&project, id)?.is_some()
        {
            return Err(Error::usage("--id: there is such a key already; `key update` changes it"));
        }
        if let Some(fault) =
            document.as_ref().and_then(|document| fields::refuse_unbound(&whole, document).err())
        {
            if self.write {
                return Err(Error::usage(format!("{fault}; nothing is written")));
            }
            eprintln!("writegate: {fault}");
        }
        if self.json {
            println!("{whole}");
            return Ok(());
        }
        if !self.write {
            print!("{}", edit::block("KEYS", &fields));
            eprintln!(
                "writegate: put this into wrangler.toml, or let --write do it; {} then prints the key's secret",
                invocation::hint(&format!("key show {id}"))
            );
            return Ok(());
        }
        let environment = project.environment.as_deref();
        project.rewrite(|text| edit::push(text, environment, "KEYS", &fields))?;
        println!("{id}");
        eprintln!(
            "writegate: the key is in {} and takes effect when you deploy; {} prints its secret",
            project.name(),
            invocation::hint(&format!("key show {id}{}", project.env_option()))
        );
        Ok(())
    }
}
