//! `writegate key new`: a record for `wrangler.toml`.

use clap::Args;
use serde_json::{Value, json};
use writegate::Key;

use crate::error::{Error, Result};
use crate::random;

#[derive(Args)]
pub(crate) struct New {
    /// Its purpose
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
    /// An admin key: it opens the gate's own paths, such as those for the registry, and nothing else
    #[arg(long)]
    admin: bool,
    /// Print the record as JSON, for wrangler.json or the registry
    #[arg(long)]
    json: bool,
}

impl New {
    pub(super) fn run(&self) -> Result<()> {
        let mut record = vec![("id", json!(random::key_id()?))];
        let texts = [("name", &self.name), ("expires", &self.expires)];
        record.extend(
            texts.into_iter().filter_map(|(field, text)| Some((field, json!(text.as_ref()?)))),
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
        if self.admin {
            record.push(("admin", json!(true)));
        }
        let whole = record.iter().map(|(field, value)| ((*field).to_owned(), value.clone()));
        let whole = Value::Object(whole.collect());
        Key::parse("the key", whole.clone()).map_err(|error| Error::usage(error.to_string()))?;
        if self.json {
            println!("{whole}");
            return Ok(());
        }

        println!("[[vars.KEYS]]");
        for (field, value) in record {
            // Strings, lists of strings and booleans are written alike in JSON and in TOML.
            println!("{field} = {value}");
        }
        eprintln!(
            "writegate: put this into wrangler.toml; `writegate key show` then prints the key's secret"
        );
        Ok(())
    }
}
