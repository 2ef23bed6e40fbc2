//! The fields of a key's record as arguments of a command.

use clap::Args;
use serde_json::{Map, Value, json};

/// The names are those of docs/configuration.md, and the gate's own code reads what is made of them.
#[derive(Args)]
pub(super) struct Fields {
    /// Its purpose
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A kind of credential: session, signature, url, waf-url or public-key; may be repeated [default: session]
    #[arg(long = "scheme", value_name = "SCHEME", value_delimiter = ',')]
    schemes: Vec<String>,
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
    /// Both lists must match, origins and addresses, or any of the two: all or any [default: all]
    #[arg(long = "match", value_name = "WHICH")]
    matching: Option<String>,
    /// The rate limiter that counts its requests, such as standard for RATE_STANDARD
    #[arg(long, value_name = "NAME")]
    rate: Option<String>,
    /// Such as requests=100000,per=month or bytes=1000000,per=day
    #[arg(long, value_name = "FIELDS", value_parser = object)]
    quota: Option<Value>,
    /// required: only signatures with a nonce are taken
    #[arg(long, value_name = "required")]
    nonce: Option<String>,
    /// The longest validity of its signed URLs
    #[arg(long, value_name = "SECONDS")]
    url_ttl: Option<u32>,
    /// The sessions that the gate gives to visitors of its origins, such as ttl=300 or ttl=300,bind=true
    #[arg(long, value_name = "FIELDS", value_parser = object)]
    mint: Option<Value>,
    /// When it ends, as an RFC 3339 date or time
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A higher one replaces its secret
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

impl Fields {
    /// The fields that were given, in the order of the documentation.
    pub(super) fn given(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let list = |list: &[String]| (!list.is_empty()).then(|| json!(list));
        let number = |number: Option<u32>| number.map(|number| json!(number));
        let all = [
            ("name", text(&self.name)),
            ("version", number(self.version)),
            ("expires", text(&self.expires)),
            ("schemes", list(&self.schemes)),
            ("methods", list(&self.methods)),
            ("paths", list(&self.paths)),
            ("allowed_origins", list(&self.origins)),
            ("allowed_ips", list(&self.ips)),
            ("match", text(&self.matching)),
            ("rate", text(&self.rate)),
            ("quota", self.quota.clone()),
            ("nonce", text(&self.nonce)),
            ("url_ttl", number(self.url_ttl)),
            ("mint", self.mint.clone()),
        ];
        all.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
    }
}

/// `a=1,b=c` as an object.
fn object(text: &str) -> Result<Value, String> {
    let member = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = match value {
            "true" => json!(true),
            "false" => json!(false),
            value => value.parse::<u64>().map_or_else(|_text| json!(value), |number| json!(number)),
        };
        Some((name.trim().to_owned(), value))
    };
    let members: Option<Map<String, Value>> = text.split(',').map(member).collect();
    members
        .map(Value::Object)
        .ok_or_else(|| "expected NAME=VALUE, with commas between them".to_owned())
}

/// A record with these fields, as JSON.
pub(super) fn record(fields: &[(&str, Value)]) -> Value {
    fields
        .iter()
        .map(|(field, value)| ((*field).to_owned(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}
