//! `writegate key`: a new key's record, and a key's derived secret.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use writegate::key::{Key, KeyId};
use writegate::known_key::derive_sk;

use crate::failure::{Failure, Result};
use crate::project::Project;
use crate::{random, settings};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Print a record for wrangler.toml, under a new id
    New(New),
    /// Print a key's record and its secret
    Show(Show),
}

#[derive(Args)]
pub(crate) struct New {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A method that it may use; may be repeated [default: all]
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// A path that it may use, or with a final /* all below; may be repeated [default: all]
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// An origin whose pages may use it; may be repeated [default: any]
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// An address or network that may use it; may be repeated [default: any]
    #[arg(long = "ip", value_name = "NETWORK")]
    ips: Vec<String>,
    /// When it ends, as an RFC 3339 date or time
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
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
    }
}

impl New {
    fn run(&self) -> Result<()> {
        let mut record = vec![("id", json!(random::key_id()?))];
        let texts = [("name", &self.name), ("expires", &self.expires)];
        record.extend(
            texts
                .into_iter()
                .filter_map(|(field, text)| Some((field, json!(text.as_ref()?)))),
        );
        let lists = [
            ("methods", &self.methods),
            ("paths", &self.paths),
            ("allowed_origins", &self.origins),
            ("allowed_ips", &self.ips),
        ];
        record.extend(
            lists
                .into_iter()
                .filter(|(_, list)| !list.is_empty())
                .map(|(field, list)| (field, json!(list))),
        );
        let whole = record
            .iter()
            .map(|(field, value)| ((*field).to_owned(), value.clone()));
        Key::parse("the key", Value::Object(whole.collect()))
            .map_err(|error| Failure::usage(error.to_string()))?;

        println!("[[vars.KEYS]]");
        for (field, value) in record {
            // Strings and lists of strings are written alike in JSON and in TOML.
            println!("{field} = {value}");
        }
        eprintln!(
            "writegate: put this into wrangler.toml; `writegate key show` then prints the key's secret"
        );
        Ok(())
    }
}

impl Show {
    fn run(&self) -> Result<()> {
        let project = Project::find()?;
        let known = settings::key(&project.root, &self.id)?;
        if known.is_none() {
            eprintln!("writegate: wrangler.toml has no key {}", self.id);
        }
        let (mut record, version) = match known {
            Some((record, key)) => (record, key.version),
            None => (json!({"id": self.id.as_str()}), 1),
        };
        let version = self.version.unwrap_or(version);
        let root = settings::signing_secret(&project.root)?;
        record["version"] = json!(version);
        record["sk"] = json!(derive_sk(&root, &self.id, version).expose_str());
        println!("{record:#}");
        Ok(())
    }
}
