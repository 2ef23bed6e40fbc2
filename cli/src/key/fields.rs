//! The fields of a key's record as arguments of a command.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};
use writegate::{Key, rate};

use crate::error::{Error, Result};
use crate::init::validate;
use crate::project::Document;
use crate::{clock, host, invocation, list};

/// Named as in docs/configuration.md. The gate's own code reads the record that is made of them.
#[derive(Args, Serialize)]
pub(super) struct Fields {
    /// Its purpose
    #[arg(long, value_name = "TEXT", value_parser = validate::text)]
    name: Option<String>,
    /// A kind of credential: session, signature, url, waf-url or public-key; may be repeated, or several with
    /// commas [default: session]
    #[arg(long = "scheme", alias = "schemes", value_name = "SCHEME", value_delimiter = ',', value_parser = list::item)]
    schemes: Vec<String>,
    /// A method that it may use; may be repeated, or several with commas [default: all]
    #[arg(long = "method", alias = "methods", value_name = "METHOD", value_delimiter = ',', value_parser = list::item)]
    methods: Vec<String>,
    /// A path that it may use; with a final /*, everything below it; may be repeated [default: all]
    #[arg(long = "path", alias = "paths", value_name = "PATH", value_parser = list::one_path)]
    paths: Vec<String>,
    /// An origin whose pages may use it; may be repeated, or several with commas [default: any]
    #[arg(long = "origin", aliases = ["origins", "allowed-origins"], value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    #[serde(rename = "allowed_origins")]
    origins: Vec<String>,
    /// An address or network that may use it; may be repeated, or several with commas [default: any]
    #[arg(long = "ip", aliases = ["ips", "allowed-ips"], value_name = "NETWORK", value_delimiter = ',', value_parser = list::item)]
    #[serde(rename = "allowed_ips")]
    ips: Vec<String>,
    /// all: origin and address must both match; any: one of them is enough [default: all]
    #[arg(long = "match", value_name = "WHICH")]
    #[serde(rename = "match")]
    matching: Option<String>,
    /// The rate limiter that counts its requests, such as standard for RATE_STANDARD
    #[arg(long, value_name = "NAME")]
    rate: Option<String>,
    /// Such as requests=100000,per=month or bytes=1000000,per=day
    #[arg(long, value_name = "FIELDS", value_parser = object)]
    quota: Option<Value>,
    /// required: the gate accepts only signatures with a nonce
    #[arg(long, value_name = "required")]
    nonce: Option<String>,
    /// The longest lifetime of its signed URLs
    #[arg(long, value_name = "SECONDS", value_parser = clock::duration::<u32>(1..=u64::from(u32::MAX)))]
    url_ttl: Option<u32>,
    /// The sessions that the gate gives to visitors of its origins, such as ttl=300 or ttl=300,bind=true
    #[arg(long, value_name = "FIELDS", value_parser = object)]
    mint: Option<Value>,
    /// When the key expires, as an RFC 3339 date or time
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A higher one replaces its secret
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

/// The fields of a record that may be changed, each with its option.
const OPTIONS: [(&str, &str); 14] = [
    ("name", "name"),
    ("version", "version"),
    ("expires", "expires"),
    ("schemes", "scheme"),
    ("methods", "method"),
    ("paths", "path"),
    ("allowed_origins", "origin"),
    ("allowed_ips", "ip"),
    ("match", "match"),
    ("rate", "rate"),
    ("quota", "quota"),
    ("nonce", "nonce"),
    ("url_ttl", "url-ttl"),
    ("mint", "mint"),
];

/// Reads a record as the gate reads it. An error names the field, and the option that it came from.
pub(super) fn parse(record: Value) -> Result<Key> {
    Key::parse("", record).map_err(|error| {
        let path = error.field.trim_start_matches('.');
        let field = path.split(['.', '[']).next().unwrap_or_default();
        let option = OPTIONS.iter().find(|(name, _)| *name == field);
        Error::usage(match option {
            Some((_, option)) if *option == path => format!("--{option}: {}", error.hint),
            Some((_, option)) => format!("--{option} ({path}): {}", error.hint),
            None => format!("the key's {path}: {}", error.hint),
        })
    })
}

/// Refuses a field that works only with a binding which this configuration does not have: the gate would answer the key
/// 503.
pub(super) fn refuse_unbound(
    record: &Value,
    document: &Document,
) -> std::result::Result<(), String> {
    let rates = document.names("ratelimits");
    let objects = document.names("durable_objects");
    let rate = record["rate"].as_str().map(|name| ("rate", rate::binding(name)));
    let mint = record["mint"].is_object().then(|| ("mint", rate::binding("mint")));
    let of_object =
        |field, name: &str| (!record[field].is_null()).then(|| (field, name.to_owned()));
    let wanted = [rate, mint, of_object("nonce", "REPLAY"), of_object("quota", "LEDGER")];
    for (field, binding) in wanted.into_iter().flatten() {
        if !rates.contains(&binding.as_str()) && !objects.contains(&binding.as_str()) {
            let table = if binding.starts_with("RATE_") {
                "ratelimits"
            } else {
                "durable_objects.bindings"
            };
            return Err(format!(
                "{field}: there is no binding {binding} in {}, so the gate would answer 503 to the key; add [[{table}]] \
                 with that name",
                document.place()
            ));
        }
    }
    Ok(())
}

/// Returns a field's name, as `--clear` takes it.
pub(super) fn field(name: &str) -> std::result::Result<&'static str, String> {
    let known = OPTIONS.iter().find(|(field, _)| *field == name).map(|(field, _)| *field);
    known.ok_or_else(|| match name {
        "id" => "a key keeps its id".to_owned(),
        "revoked" => "`key enable` does that".to_owned(),
        _ => {
            let names: Vec<&str> = OPTIONS.iter().map(|(field, _)| *field).collect();
            format!("expected one of {}", names.join(", "))
        }
    })
}

impl Fields {
    /// Returns the fields that were given, in the order of the documentation.
    pub(super) fn given(&self) -> Vec<(&'static str, Value)> {
        let all = json!(self);
        let given = OPTIONS.iter().map(|(field, _)| (*field, all[field].clone()));
        given.filter(|(_, value)| !value.is_null() && *value != json!([])).collect()
    }
}

/// Checks the origin of a list.
fn origin(text: &str) -> std::result::Result<String, String> {
    host::pattern(text.trim())
}

/// Parses `a=1,b=c` as an object.
fn object(text: &str) -> std::result::Result<Value, String> {
    let member = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = match value {
            "true" => json!(true),
            "false" => json!(false),
            value if name.trim() == "ttl" => {
                let seconds = clock::duration::<u64>(0..=u64::MAX)(value);
                seconds.map_or_else(|_text| json!(value), |seconds| json!(seconds))
            }
            value => value.parse::<u64>().map_or_else(|_text| json!(value), |number| json!(number)),
        };
        Some((name.trim().to_owned(), value))
    };
    let members: Option<Vec<(String, Value)>> = text.split(',').map(member).collect();
    let members = members.ok_or_else(|| {
        let page = invocation::page("configuration.md");
        format!("expected FIELD=VALUE, several with commas; {page} names the fields")
    })?;
    let count = members.len();
    let members: Map<String, Value> = members.into_iter().collect();
    match members.len() == count {
        true => Ok(Value::Object(members)),
        false => Err("a name is given twice".to_owned()),
    }
}
