//! `writegate request sign`: the headers that sign a request (RFC 9421), as arguments for curl.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use writegate::credential::base::Component;
use writegate::credential::digest;
use writegate::credential::session::Session;
use writegate::credential::signing::{self, Parameters};
use writegate::{KeyId, METHODS, MacKey, Scheme, derive_ss};

use crate::error::{Error, Result};
use crate::settings::{self, KeyOptions};
use crate::{clock, input, random, target};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Print the headers of a signed request as arguments for curl
    #[command(after_help = EXAMPLE)]
    Sign(Box<Sign>),
}

const EXAMPLE: &str = "Example, in a shell:\n  \
    url=https://gate.example.com/posts body='{\"title\":\"x\"}'\n  \
    signed=$(writegate request sign --key pk_site POST \"$url\" --body \"$body\")\n  \
    eval \"curl $signed\" --data-binary '\"$body\"' '\"$url\"'";

#[derive(Args)]
pub(crate) struct Sign {
    /// The key's id
    #[arg(long, value_name = "ID", value_parser = settings::id, required_unless_present = "session")]
    key: Option<KeyId>,
    /// Sign with the session secret of this bound session (`session mint --bind`), and send the session too
    #[arg(long, value_name = "TOKEN")]
    session: Option<String>,
    /// The body, or @FILE, or @- for standard input
    #[arg(long, value_name = "BODY")]
    body: Option<String>,
    /// A header to cover, as it will be sent; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Expire after this time; in any case a signature is valid for at most 300 s
    #[arg(long, value_name = "SECONDS", value_parser = clock::duration::<u32>(1..=300))]
    expires: Option<u32>,
    /// Add a nonce, so that the request is accepted once [default: if the key in wrangler.toml requires it]
    #[arg(long)]
    nonce: bool,
    /// The method
    #[arg(value_name = "METHOD", value_parser = method)]
    method: String,
    /// The address at the gate
    #[arg(value_name = "URL", value_parser = target::strict_url)]
    url: String,
    /// Print the headers as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: KeyOptions,
}

pub(crate) fn run(action: &Action) -> Result<()> {
    let Action::Sign(sign) = action;
    println!("{}", sign.arguments()?);
    Ok(())
}

/// The signer: a key or a bound session.
struct Signer {
    keyid: String,
    key: MacKey,
    nonce: bool,
}

impl Sign {
    fn arguments(&self) -> Result<String> {
        let signer = self.signer()?;
        let body = self.body.as_deref().map(body).transpose()?;
        if matches!(self.method.as_str(), "GET" | "HEAD") && body.is_some() {
            return Err(Error::usage(format!(
                "--body: the gate refuses a {} with a body",
                self.method
            )));
        }
        let mut added = Vec::new();
        if let Some(session) = &self.session {
            added.push(("authorization", format!("Bearer {session}")));
        }
        if let Some(body) = &body {
            added.push(("content-digest", digest::content_digest(body)));
        }
        let mut covered =
            vec![Component::Method, Component::Authority, Component::Path, Component::Query];
        let own = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let headers: Vec<_> =
            added.iter().map(|(name, value)| (*name, value.as_str())).chain(own).collect();
        for (name, _) in &headers {
            let component = Component::named(name).map_err(|_refusal| not_a_field())?;
            if covered.contains(&component) {
                return Err(Error::usage("-H: a header is given twice"));
            }
            covered.push(component);
        }
        let head = target::head(&self.method, &self.url, headers, body.is_some())?;
        let now = clock::now()?;
        let nonce = (self.nonce || signer.nonce).then(|| random::text(16)).transpose()?;
        let parameters = Parameters {
            created: now,
            expires: self.expires.map(|seconds| now.plus_seconds(seconds.into())),
            keyid: &signer.keyid,
            nonce: nonce.as_deref(),
        };
        let signed = signing::sign(&head, &covered, &parameters, &signer.key)
            .map_err(|_refusal| Error::usage("only headers of ASCII can be signed"))?;
        let printed = added.iter().map(|(name, value)| (*name, value.as_str())).chain([
            ("signature-input", signed.input.as_str()),
            ("signature", signed.signature.as_str()),
        ]);
        if self.json {
            let headers: Map<String, Value> =
                printed.map(|(name, value)| (titled(name), json!(value))).collect();
            return Ok(Value::Object(headers).to_string());
        }
        let arguments: Vec<_> = printed
            .map(|(name, value)| format!("-H {}", quoted(&format!("{}: {value}", titled(name)))))
            .collect();
        Ok(arguments.join(" "))
    }

    fn signer(&self) -> Result<Signer> {
        let Some(token) = &self.session else {
            let id = self.key.as_ref().ok_or_else(|| Error::usage("--key is missing"))?;
            let key = self.which.open_any(id)?;
            key.warn_of_refusal(Scheme::Signature)?;
            return Ok(Signer {
                keyid: id.to_string(),
                key: MacKey::new(&key.sk()?),
                nonce: key.key().is_some_and(|key| key.nonce_required),
            });
        };
        let session = Session::parse(token)
            .map_err(|_refusal| Error::usage("--session: this is not a session of a gate"))?;
        let key = KeyId::parse(session.key())
            .filter(|key| self.key.as_ref().is_none_or(|named| named == key));
        let key = key.ok_or_else(|| Error::usage("--session: the session is of another key"))?;
        let kid = session.bound_to().ok_or_else(|| {
            Error::usage("--session: the session is not bound to a key of its own; make one with: session mint --bind")
        })?;
        let key = self.which.open_any(&key)?;
        key.warn_of_refusal(Scheme::Session)?;
        Ok(Signer {
            keyid: kid.to_owned(),
            key: MacKey::new(&derive_ss(&key.sk()?, kid)),
            nonce: key.key().is_some_and(|key| key.nonce_required),
        })
    }
}

fn not_a_field() -> Error {
    Error::usage("-H: this is not a valid name of a header")
}

/// Returns the body itself, or what is in a file.
fn body(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        None => Ok(text.as_bytes().to_vec()),
        Some(file) => input::bytes("--body", file),
    }
}

/// Returns `Content-Digest` for `content-digest`.
fn titled(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect::<Vec<_>>().join("-")
}

/// Returns one word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn method(text: &str) -> std::result::Result<String, String> {
    METHODS
        .contains(&text)
        .then(|| text.to_owned())
        .ok_or_else(|| writegate::METHODS_HINT.to_owned())
}

fn header(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected \"Name: value\"")?;
    if value.contains(['\r', '\n', '\0']) {
        return Err("a header's value is one line".to_owned());
    }
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}
