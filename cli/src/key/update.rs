//! `writegate key update`, `disable` and `enable`: changes of one key, in `wrangler.toml` or in a gate's registry.

use clap::Args;
use serde_json::{Value, json};
use writegate::{Key, KeyId};

use super::fields::{Fields, record};
use crate::admin::{self, GateOptions};
use crate::error::{Error, Result};
use crate::project::{Document, Project, ProjectOptions};
use crate::{edit, settings};

/// The key, and where it is.
#[derive(Args)]
#[command(mut_arg("gate", |gate| gate.required(false)))]
#[command(mut_arg("admin", |admin| admin.requires("gate")))]
pub(crate) struct Target {
    /// The key's id
    #[arg(value_name = "ID", value_parser = settings::id)]
    id: KeyId,
    #[command(flatten)]
    which: Option<GateOptions>,
    #[command(flatten)]
    project: ProjectOptions,
}

#[derive(Args)]
pub(crate) struct Update {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    fields: Fields,
    /// A field to be removed, such as allowed_ips; may be repeated
    #[arg(long = "clear", value_name = "FIELD")]
    cleared: Vec<String>,
}

impl Update {
    pub(super) fn run(&self) -> Result<()> {
        let given = self.fields.given();
        let mut changes: Vec<(&str, Value)> = given;
        changes.extend(self.cleared.iter().map(|field| (field.as_str(), Value::Null)));
        if changes.is_empty() {
            return Err(Error::usage(
                "nothing is to be changed: name a field, such as --path, or --clear",
            ));
        }
        self.target.change(&changes)
    }
}

impl Target {
    /// Revokes the key until it is enabled again.
    pub(super) fn disable(&self) -> Result<()> {
        self.change(&[("revoked", json!(true))])
    }

    pub(super) fn enable(&self) -> Result<()> {
        self.change(&[("revoked", Value::Null)])
    }

    fn change(&self, changes: &[(&str, Value)]) -> Result<()> {
        let project = self.project.find()?;
        if let Some(which) = &self.which {
            let gate = which.open(&project)?;
            let body = record(changes);
            println!("{}", gate.ask("PATCH", &admin::record(&self.id), Some(&body))?);
            return Ok(());
        }
        project.rewrite(|text| {
            let environment = project.environment.as_deref();
            let new = edit::change_key(text, environment, &self.id, changes)?;
            let new = new.ok_or_else(|| {
                Error::usage(format!(
                    "{} has no such key; --gate URL changes one of a registry",
                    project.name()
                ))
            })?;
            self.validate(&project, &new)?;
            Ok(new)
        })?;
        eprintln!("writegate: {} is changed, which counts when it is deployed", project.name());
        Ok(())
    }

    /// Refuses a record that the gate would refuse.
    fn validate(&self, project: &Project, text: &str) -> Result<()> {
        let document = Document::parse(&project.name(), text, project.environment.as_deref())
            .map_err(Error::new)?;
        let mut keys = document.own("vars")["KEYS"].as_array().into_iter().flatten();
        let key = keys.find(|key| key["id"] == self.id.as_str());
        let key = key.ok_or_else(|| Error::usage("--clear: a key keeps its id"))?;
        Key::parse("the key", key.clone()).map_err(|error| Error::usage(error.to_string()))?;
        Ok(())
    }
}
