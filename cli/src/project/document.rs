//! wrangler's configuration, as wrangler reads it for one of its environments.
//!
//! An environment inherits some fields of the top level and others not: variables and bindings it does
//! not, everything about the deployment it does.

use jsonc_parser::ParseOptions;
use serde_json::Value;

use crate::error::{Error, Result};

static NOTHING: Value = Value::Null;

/// wrangler's configuration, for one of its environments.
pub(crate) struct Document {
    whole: Value,
    environment: Option<String>,
    /// The file's name.
    name: String,
}

/// The places of bindings: the table, the list in it, and the member that is the binding's name.
pub(crate) const BINDINGS: [(&str, Option<&str>, &str); 11] = [
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

/// The gate's variables that are JSON: their text counts as the JSON that it is.
const JSON: [&str; 6] = ["KEYS", "ROUTES", "RATES", "ROTATION", "SESSION_MAX_TTL", "CLOCK_SKEW"];
/// The member as which the TOML parser hands out a date.
const DATE: &str = "$__toml_private_datetime";

/// Beyond JSON, wrangler allows comments, and commas at the ends of lists.
const JSONC: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

impl Document {
    /// Parses a file of this name. An error names the line and quotes nothing: a secret may be there by mistake.
    pub(crate) fn parse(
        name: &str,
        text: &str,
        environment: Option<&str>,
    ) -> std::result::Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let placed = |at: usize, what: &dyn std::fmt::Display| {
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            format!("line {line}: {what}")
        };
        let mut whole: Value = if name.ends_with(".toml") {
            toml::from_str(text).map_err(|error| {
                placed(error.span().map_or(0, |span| span.start), &error.message())
            })?
        } else {
            jsonc_parser::parse_to_serde_value(text, &JSONC)
                .map_err(|error| placed(error.range().start, &error.kind()))?
        };
        let environments = whole.get_mut("env").and_then(Value::as_object_mut);
        environments.into_iter().flat_map(|all| all.values_mut()).for_each(structured);
        structured(&mut whole);
        Ok(Self { whole, environment: environment.map(str::to_owned), name: name.to_owned() })
    }

    /// Returns the whole content of the file.
    pub(crate) fn into_whole(self) -> Value {
        self.whole
    }

    /// Returns the part that wrangler deploys: the top level, or an environment with everything that it inherits.
    pub(crate) fn into_effective(self) -> Value {
        let Some(name) = self.environment else {
            return self.whole;
        };
        let mut whole = self.whole;
        let mut section = whole["env"][&name].take();
        if let Value::Object(fields) = &mut whole {
            let is_inherited = |field: &str| {
                !["env", "vars"].contains(&field)
                    && BINDINGS.iter().all(|(table, ..)| *table != field)
            };
            fields.retain(|field, _| is_inherited(field));
            if let Some(worker) = fields.get_mut("name") {
                *worker = Value::String(format!("{}-{name}", worker.as_str().unwrap_or_default()));
            }
            fields.append(section.as_object_mut().unwrap_or(&mut serde_json::Map::new()));
        }
        whole
    }

    /// Returns the file's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Refuses an environment that does not exist. The message does not repeat its name, which may be a secret in the wrong place.
    pub(crate) fn check_environment(&self) -> Result<()> {
        let Some(name) = &self.environment else {
            return Ok(());
        };
        let (_top, environments) = self.all();
        let names: Vec<&str> = environments.map(|(name, _)| name).collect();
        match names.as_slice() {
            names if names.contains(&name.as_str()) => Ok(()),
            [] => Err(Error::usage(format!(
                "--env: {} has no [env.…], and so no [env.NAME]",
                self.name
            ))),
            names => Err(Error::usage(format!(
                "--env: {} has no environment of that name, [env.NAME]; it has {}",
                self.name,
                names.join(", ")
            ))),
        }
    }

    /// Returns a field that an environment inherits from the top level.
    pub(crate) fn inherited(&self, field: &str) -> &Value {
        match self.own(field) {
            Value::Null => self.whole.get(field).unwrap_or(&NOTHING),
            own => own,
        }
    }

    /// Returns a field that an environment must have itself.
    pub(crate) fn own(&self, field: &str) -> &Value {
        self.section().get(field).unwrap_or(&NOTHING)
    }

    /// Returns the environment, if it is not the top level.
    pub(crate) fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Returns everything that the environment itself has.
    pub(crate) fn section(&self) -> &Value {
        match &self.environment {
            Some(name) => &self.whole["env"][name.as_str()],
            None => &self.whole,
        }
    }

    /// Returns the top level, and every environment by its name.
    pub(crate) fn all(&self) -> (&Value, impl Iterator<Item = (&str, &Value)>) {
        let environments = self.whole["env"].as_object().into_iter().flatten();
        let environments = environments.map(|(name, table)| (name.as_str(), table));
        (&self.whole, environments)
    }

    /// Returns wrangler's option for this environment, after a blank.
    pub(crate) fn option(&self) -> String {
        match &self.environment {
            Some(name) => format!(" --env {name}"),
            None => String::new(),
        }
    }

    /// Returns true if this is the configuration of a gate, and not of another Worker around the caller's folder.
    pub(crate) fn is_gate(&self) -> bool {
        let vars = self.own("vars");
        ["UPSTREAM", "ROUTES", "KEYS"].iter().any(|name| !vars[*name].is_null())
    }

    /// Returns the place of a field of this environment.
    pub(crate) fn place(&self) -> String {
        match &self.environment {
            Some(name) => format!("[env.{name}] of {}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the names of the bindings in one of these tables.
    pub(crate) fn names(&self, table: &str) -> Vec<&str> {
        let known = BINDINGS.iter().find(|(name, ..)| *name == table);
        known.map_or_else(Vec::new, |place| names(self.section(), place))
    }
}

/// Puts the text of dates in their place, and whole numbers in that of `3.0`, as wrangler hands them on: JavaScript knows
/// no other numbers.
fn as_javascript(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole =
                number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
            if let Some(whole) = whole.and_then(|whole| format!("{whole:.0}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        Value::Object(table) => match table.get(DATE) {
            Some(date) => *value = date.clone(),
            None => table.values_mut().for_each(as_javascript),
        },
        Value::Array(list) => list.iter_mut().for_each(as_javascript),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts JSON in the place of its text, where the gate reads a variable as JSON.
fn structured(section: &mut Value) {
    section.get_mut("vars").into_iter().for_each(as_javascript);
    let vars = section.get_mut("vars").and_then(Value::as_object_mut);
    for (_, value) in vars.into_iter().flatten().filter(|(name, _)| JSON.contains(&name.as_str())) {
        if let Some(json) = value.as_str().and_then(|text| writegate::json::parse(text.as_bytes()))
        {
            *value = json;
        }
    }
}

/// Returns the names of the bindings there.
pub(crate) fn names<'v>(
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
        let read = |environment| Document::parse("wrangler.toml", TEXT, environment).unwrap();
        let (top, staging, bare) = (read(None), read(Some("staging")), read(Some("bare")));
        assert_eq!(top.inherited("compatibility_date"), "2026-11-17");
        assert_eq!(staging.inherited("compatibility_date"), "2026-01-01");
        assert_eq!(bare.inherited("compatibility_date"), "2026-11-17");
        assert_eq!(top.own("vars")["A"], 1);
        assert!(bare.own("vars").is_null());
        assert_eq!(top.names("kv_namespaces"), ["KEY_REGISTRY"]);
        assert!(staging.names("kv_namespaces").is_empty());
        assert_eq!((top.option(), bare.option()), (String::new(), " --env bare".to_owned()));
        assert!(bare.check_environment().is_ok());
        let missing = read(Some("production")).check_environment().unwrap_err();
        assert!(missing.code == 2 && missing.message.contains("staging"), "{missing:?}");
    }

    #[test]
    fn what_does_not_parse_is_placed_and_not_quoted() {
        let error =
            Document::parse("wrangler.toml", "a = 1\nTOKEN = hunter2\n", None).err().unwrap();
        assert!(error.starts_with("line 2: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
