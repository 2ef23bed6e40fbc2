//! `writegate key update`, `disable` and `enable`: changes of one key, in `wrangler.toml` or in a gate's registry.

use clap::Args;
use serde_json::{Value, json};
use writegate::KeyId;

use super::fields::{self, Fields};
use crate::admin::{self, GateOptions};
use crate::error::{Error, Result};
use crate::project::{Document, Project, ProjectOptions};
use crate::{edit, settings};

/// The key, and its place: the configuration or a registry.
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
    /// A field to remove, such as allowed_ips; may be repeated, or several with commas
    #[arg(long = "clear", value_name = "FIELD", value_delimiter = ',', value_parser = fields::field)]
    cleared: Vec<&'static str>,
}

impl Update {
    pub(super) fn run(&self) -> Result<()> {
        let given = self.fields.given();
        let mut changes: Vec<(&str, Value)> = given;
        if let Some(both) =
            self.cleared.iter().find(|field| changes.iter().any(|(name, _)| name == *field))
        {
            return Err(Error::usage(format!(
                "--clear: {both} is given, too: leave one of the two out"
            )));
        }
        changes.extend(self.cleared.iter().map(|field| (*field, Value::Null)));
        if changes.is_empty() {
            return Err(Error::usage(
                "nothing to change: name a field, such as --path, or --clear",
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
            let body = edit::whole(changes);
            fields::refuse_unbound(&body, &project.document()?)
                .map_err(|fault| Error::usage(format!("{fault}; nothing was sent")))?;
            println!("{}", gate.ask("PATCH", &admin::record(&self.id), Some(&body))?);
            return Ok(());
        }
        let former = project.document()?;
        let mut is_changed = true;
        project.rewrite(|text| {
            let environment = project.environment.as_deref();
            let new = edit::change_key(text, environment, &self.id, changes)?;
            let new = new.ok_or_else(|| {
                Error::usage(format!(
                    "{}; --gate URL changes one of a registry",
                    settings::unknown(&former, &self.id)
                ))
            })?;
            self.validate(&project, &new, &former, changes)?;
            is_changed = new != text;
            Ok(new)
        })?;
        match is_changed {
            true => eprintln!(
                "writegate: changed {}; deploy it, so that the change takes effect",
                project.name()
            ),
            false => eprintln!(
                "writegate: the key has these values already, so {} is unchanged",
                project.name()
            ),
        }
        Ok(())
    }

    fn record<'d>(&self, document: &'d Document) -> Option<&'d Value> {
        let mut keys = document.own("vars")["KEYS"].as_array()?.iter();
        keys.find(|key| key["id"] == self.id.as_str())
    }

    /// Refuses a record that the gate would refuse, and one that makes an old secret valid again.
    fn validate(
        &self,
        project: &Project,
        text: &str,
        former: &Document,
        changes: &[(&str, Value)],
    ) -> Result<()> {
        let document = Document::parse(&project.name(), text, project.environment.as_deref())
            .map_err(Error::new)?;
        let key = self.record(&document).cloned().unwrap_or_default();
        let parsed = fields::parse(key)?;
        let version =
            |key: Option<&Value>| key.and_then(|key| key["version"].as_u64()).unwrap_or(1);
        let old = version(self.record(former));
        if u64::from(parsed.version) < old {
            return Err(Error::usage(format!(
                "--version: the key has version {old}, and a lower one would make an old secret \
                valid again"
            )));
        }
        fields::refuse_unbound(&edit::whole(changes), &document)
            .map_err(|fault| Error::usage(format!("{fault}; nothing is written")))
    }
}
