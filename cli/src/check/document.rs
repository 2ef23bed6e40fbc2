//! `wrangler.toml`, as wrangler reads it for one of its environments.
//!
//! An environment inherits some fields of the top level and others not: variables and bindings it does
//! not, everything about the deployment it does.

use serde_json::Value;

static NOTHING: Value = Value::Null;

pub(super) struct Document {
    whole: Value,
    environment: Option<String>,
}

/// Where bindings stand: the table, the list in it, and the member that is the binding's name.
pub(super) const BINDINGS: [(&str, Option<&str>, &str); 11] = [
    ("kv_namespaces", None, "binding"),
    ("durable_objects", Some("bindings"), "name"),
    ("ratelimits", None, "name"),
    ("secrets_store_secrets", None, "binding"),
    ("r2_buckets", None, "binding"),
    ("d1_databases", None, "binding"),
    ("services", None, "binding"),
    ("analytics_engine_datasets", None, "binding"),
    ("hyperdrive", None, "binding"),
    ("vectorize", None, "binding"),
    ("tail_consumers", None, "service"),
];

impl Document {
    pub(super) fn parse(text: &str, environment: Option<&str>) -> Result<Self, String> {
        // The parser's whole message would quote the line, and a secret may stand there by mistake.
        let whole = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| {
                text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1
            });
            format!("line {line}: {}", error.message())
        })?;
        Ok(Self { whole, environment: environment.map(str::to_owned) })
    }

    /// Returns true if there is such an environment.
    pub(super) fn has_environment(&self, name: &str) -> bool {
        self.whole["env"][name].is_object()
    }

    /// A field that an environment takes from the top level where it does not say.
    pub(super) fn inherited(&self, field: &str) -> &Value {
        match self.table().get(field) {
            Some(own) => own,
            None => self.whole.get(field).unwrap_or(&NOTHING),
        }
    }

    /// A field that an environment must have itself.
    pub(super) fn own(&self, field: &str) -> &Value {
        self.table().get(field).unwrap_or(&NOTHING)
    }

    fn table(&self) -> &Value {
        match &self.environment {
            Some(name) => &self.whole["env"][name.as_str()],
            None => &self.whole,
        }
    }

    /// The top level, and every environment by its name.
    pub(super) fn all(&self) -> (&Value, impl Iterator<Item = (&str, &Value)>) {
        let environments = self.whole["env"].as_object().into_iter().flatten();
        let environments = environments.map(|(name, table)| (name.as_str(), table));
        (&self.whole, environments)
    }

    /// Returns wrangler's option for this environment, after a blank.
    pub(super) fn option(&self) -> String {
        match &self.environment {
            Some(name) => format!(" --env {name}"),
            None => String::new(),
        }
    }

    /// Where a field of this environment stands.
    pub(super) fn place(&self) -> String {
        match &self.environment {
            Some(name) => format!("[env.{name}] of wrangler.toml"),
            None => "wrangler.toml".to_owned(),
        }
    }

    /// The names of the bindings in one of these tables.
    pub(super) fn names(&self, table: &str) -> Vec<&str> {
        let known = BINDINGS.iter().find(|(name, ..)| *name == table);
        known.map_or_else(Vec::new, |place| names(self.table(), place))
    }
}

/// The names of the bindings that stand there.
pub(super) fn names<'v>(
    table: &'v Value,
    (field, list, name): &(&str, Option<&str>, &str),
) -> Vec<&'v str> {
    let entries = match list {
        Some(list) => &table[*field][*list],
        None => &table[*field],
    };
    let entries = entries.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry[*name].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        compatibility_date = \"2026-11-17\"
        vars = { A = 1 }
        [[kv_namespaces]]
        binding = \"KEY_REGISTRY\"
        [env.staging]
        compatibility_date = \"2026-01-01\"
        [env.bare]
    ";

    #[test]
    fn an_environment_inherits_what_wrangler_lets_it_inherit() {
        let read = |environment| Document::parse(TEXT, environment).unwrap();
        let (top, staging, bare) = (read(None), read(Some("staging")), read(Some("bare")));
        assert_eq!(top.inherited("compatibility_date"), "2026-11-17");
        assert_eq!(staging.inherited("compatibility_date"), "2026-01-01");
        assert_eq!(bare.inherited("compatibility_date"), "2026-11-17");
        assert_eq!(top.own("vars")["A"], 1);
        assert!(bare.own("vars").is_null());
        assert_eq!(top.names("kv_namespaces"), ["KEY_REGISTRY"]);
        assert!(staging.names("kv_namespaces").is_empty());
        assert_eq!((top.option(), bare.option()), (String::new(), " --env bare".to_owned()));
        assert!(top.has_environment("bare") && !top.has_environment("production"));
    }

    #[test]
    fn what_does_not_parse_is_placed_and_not_quoted() {
        let error = Document::parse("a = 1\nTOKEN = hunter2\n", None).err().unwrap();
        assert!(error.starts_with("line 2: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
