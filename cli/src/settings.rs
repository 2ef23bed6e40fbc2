//! The keys of a project's configuration, and the secrets that sign for them.

use clap::Args;
use serde_json::Value;
use writegate::config::MIN_SECRET_BYTES;
use writegate::{Key, KeyId, Scheme, Secret, begins_like_secret, derive_sk};

use crate::error::{Error, Result};
use crate::project::{Document, Project, ProjectOptions};
use crate::{clock, invocation};

const ROOT: &str = "SIGNING_SECRET";
/// The variable with one key's secret, for a caller without the root secret.
pub(crate) const KEY_SECRET: &str = "WRITEGATE_SK";
/// The letters of a key secret after sk_: 32 bytes in base64url.
const SK_LETTERS: usize = 43;

/// The longest lifetime of a signed URL, unless its key's record says otherwise.
pub(crate) const DEFAULT_URL_TTL: i64 = 604_800;

/// The options that choose the key to sign with.
#[derive(Args)]
pub(crate) struct KeyOptions {
    /// The key's version [default: what the configuration says, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    /// The key is not in the configuration, but in the gate's registry
    #[arg(long)]
    unknown_key: bool,
    #[command(flatten)]
    project: ProjectOptions,
}

/// A key to sign with.
pub(crate) struct NamedKey {
    pub(crate) project: Project,
    /// True if the project is a gate, so its settings count.
    pub(crate) is_in_gate: bool,
    /// Its record in the configuration, as text and as the gate reads it.
    pub(crate) record: Option<(Value, Key)>,
    pub(crate) version: u32,
    id: KeyId,
    own: Option<Secret>,
}

impl KeyOptions {
    /// Finds the key. Refuses a key that the configuration lacks, unless `--unknown-key` says that it is in a registry.
    pub(crate) fn open(&self, id: &KeyId) -> Result<NamedKey> {
        self.find(id, &|why| Err(Error::usage(why)))
    }

    /// Finds the key. Warns if the configuration does not have it.
    pub(crate) fn open_any(&self, id: &KeyId) -> Result<NamedKey> {
        self.find(id, &|why| {
            eprintln!("writegate: {why}; the command signs it anyway");
            Ok(())
        })
    }

    fn find(&self, id: &KeyId, on_unknown: &dyn Fn(String) -> Result<()>) -> Result<NamedKey> {
        let project = self.project.look()?;
        let own = key_secret(&project)?;
        if own.is_some() && self.version.is_some() {
            return Err(Error::usage(format!(
                "--version: {KEY_SECRET} is the secret of one version; leave one of the two out"
            )));
        }
        if !self.unknown_key && own.is_none() {
            project.file().map_err(|error| {
                Error::usage(format!(
                    "{}, or put the key's secret into {KEY_SECRET}",
                    error.message
                ))
            })?;
        }
        let document = match (&own, project.has_configuration()) {
            (_, false) => None,
            // The caller's folder may have the configuration of another Worker.
            (Some(_), true) => project.document().ok().filter(Document::is_gate),
            (None, true) => Some(project.document()?),
        };
        let record = match &document {
            Some(document) => record(document, id)?,
            None => None,
        };
        match (&document, &record) {
            (Some(document), None) if !self.unknown_key && own.is_none() => {
                on_unknown(format!(
                    "{}; --unknown-key if it is one of the gate's registry",
                    unknown(document, id)
                ))?;
            }
            (Some(document), Some((_, key))) => warn_of_other_versions(document, key),
            _ => {}
        }
        let known = record.as_ref().map(|(_, key)| key.version);
        let version = self.version.or(known).unwrap_or(1);
        let is_in_gate = document.is_some();
        Ok(NamedKey { project, is_in_gate, record, version, id: id.clone(), own })
    }
}

impl NamedKey {
    /// Returns the key's secret.
    pub(crate) fn sk(&self) -> Result<Secret> {
        match &self.own {
            Some(own) => Ok(own.clone()),
            None => Ok(derive_sk(&signing_secret(&self.project)?, &self.id, self.version)),
        }
    }

    /// Returns the key, as the gate reads it.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.record.as_ref().map(|(_, key)| key)
    }

    /// Returns the reasons why the gate with this configuration refuses credentials of the key.
    pub(crate) fn warn_of_refusal(&self, scheme: Scheme) -> Result<()> {
        let (name, now) = (self.project.name(), clock::now()?);
        let Some(key) = self.key() else {
            return Ok(());
        };
        if key.revoked {
            eprintln!("writegate: the key is revoked in {name}, so the gate there refuses this");
        }
        if key.expires.is_some_and(|end| end <= now) {
            eprintln!(
                "writegate: the key's expires in {name} has passed, so the gate there refuses this"
            );
        }
        if !key.schemes.contains(&scheme) {
            eprintln!(
                "writegate: the key's schemes in {name} lack {:?}, so the gate there refuses this",
                scheme.name()
            );
        }
        Ok(())
    }
}

/// Returns the secret of a key in this version, or in that of the configuration.
pub(crate) fn sk(project: &Project, id: &KeyId) -> Result<Secret> {
    match key_secret(project)? {
        Some(own) => Ok(own),
        None => {
            let version = key(project, id)?.map_or(1, |(_, key)| key.version);
            Ok(derive_sk(&signing_secret(project)?, id, version))
        }
    }
}

/// Returns the key's secret from the environment.
pub(crate) fn key_secret(project: &Project) -> Result<Option<Secret>> {
    let own = project.secret(KEY_SECRET)?;
    let Some(secret) = &own else {
        return Ok(None);
    };
    let text = secret.expose_str().unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let fault = match text.strip_prefix("sk_") {
        Some(rest) if rest.len() == SK_LETTERS && rest.bytes().all(is_part) => return Ok(own),
        Some(rest) if rest.bytes().all(is_part) => format!(
            "has {} characters after sk_, and a key secret has {SK_LETTERS}: it was not copied \
            completely, or together with something else",
            rest.len()
        ),
        Some(_) => "has a character that no key secret has: set only the key secret, on one line"
            .to_owned(),
        None if text.contains("sk_") => {
            "has something before sk_, such as a quote or a space: set the key secret only"
                .to_owned()
        }
        None => format!(
            "is not a key secret: those begin with sk_, as {} prints them",
            invocation::hint("key show ID")
        ),
    };
    Err(Error::usage(format!("{KEY_SECRET} {fault}")))
}

/// Returns the root of every signing secret.
pub(crate) fn signing_secret(project: &Project) -> Result<Secret> {
    let missing = || {
        Error::new(format!(
            "{ROOT} is neither in the environment nor in .dev.vars. The gate's operator has it. \
             A caller puts the key's secret into {KEY_SECRET} instead. Only for a new gate, make one with \
             `openssl rand -base64 48` and keep it: it cannot be read back from Cloudflare"
        ))
    };
    long_enough(ROOT, project.secret(ROOT)?.ok_or_else(missing)?)
}

/// Returns the MAC key of WAF-token links.
pub(crate) fn waf_secret(project: &Project) -> Result<Secret> {
    let name = "WAF_SECRET";
    let missing = || Error::new("WAF_SECRET is neither in the environment nor in .dev.vars");
    long_enough(name, project.secret(name)?.ok_or_else(missing)?)
}

/// Checks that a secret has the length that the gate requires.
fn long_enough(name: &str, secret: Secret) -> Result<Secret> {
    match secret.len() < MIN_SECRET_BYTES {
        true => Err(Error::new(format!(
            "{name} is {} bytes long and must be at least {MIN_SECRET_BYTES}, or the gate refuses to work",
            secret.len()
        ))),
        false => Ok(secret),
    }
}

/// Returns the record of a key in the configuration, as it is written and as the gate reads it.
pub(crate) fn key(project: &Project, id: &KeyId) -> Result<Option<(Value, Key)>> {
    record(&project.document()?, id)
}

/// Returns the records of the configuration's keys, as the file states them.
pub(crate) fn records(document: &Document) -> Result<&[Value]> {
    let keys = &document.own("vars")["KEYS"];
    match keys {
        Value::Null => Ok(&[]),
        Value::Array(records) if records.iter().all(Value::is_object) => Ok(records),
        _ => Err(Error::new(format!("{}: KEYS is not a list of keys", document.name()))),
    }
}

fn record(document: &Document, id: &KeyId) -> Result<Option<(Value, Key)>> {
    let mut records = records(document)?.iter().enumerate();
    let Some((index, record)) = records.find(|(_, record)| record["id"] == id.as_str()) else {
        return Ok(None);
    };
    let parsed = Key::parse(&format!("KEYS[{index}]"), record.clone())
        .map_err(|error| Error::new(format!("{}: {error}", document.name())))?;
    Ok(Some((record.clone(), parsed)))
}

/// Returns a message about an id that the configuration lacks, with the nearest id. It does not repeat the id, which may be a secret.
pub(crate) fn unknown(document: &Document, id: &KeyId) -> String {
    let place = document.place();
    let (_top, environments) = document.all();
    let elsewhere: Vec<String> = environments
        .filter(|(_, section)| ids(section).any(|other| other == id.as_str()))
        .map(|(name, _)| format!("--env {name}"))
        .collect();
    if !elsewhere.is_empty() {
        return format!("{place} has no such key; it is there with {}", elsewhere.join(" or "));
    }
    let likeness = |other: &&str| strsim::damerau_levenshtein(other, id.as_str());
    match ids(document.section()).min_by_key(likeness) {
        Some(nearest) => format!("{place} has no such key; the nearest id is {nearest}"),
        None => format!("{place} has no key"),
    }
}

/// Returns the ids of the keys of a section.
fn ids(section: &Value) -> impl Iterator<Item = &str> {
    let keys = section["vars"]["KEYS"].as_array().into_iter().flatten();
    keys.filter_map(|record| record["id"].as_str())
}

/// Warns a caller who names no environment that one of them has another key with this id.
fn warn_of_other_versions(document: &Document, key: &Key) {
    if document.environment().is_some() {
        return;
    }
    for (name, section) in document.all().1 {
        let keys = section["vars"]["KEYS"].as_array().into_iter().flatten();
        let mut versions = keys
            .filter(|record| record["id"] == key.id.as_str())
            .map(|record| record["version"].as_u64().unwrap_or(1));
        if let Some(version) = versions.find(|version| *version != u64::from(key.version)) {
            eprintln!(
                "writegate: {} has this key in version {}, [env.{name}] in version {version} (--env {name})",
                document.name(),
                key.version
            );
        }
    }
}

/// Returns the only admin key of the configuration.
pub(crate) fn admin(project: &Project) -> Result<KeyId> {
    let document = project.document()?;
    let (place, keys) = (document.place(), &document.own("vars")["KEYS"]);
    let mut admins = keys.as_array().into_iter().flatten().filter(|record| record["admin"] == true);
    match (admins.next(), admins.next()) {
        (None, _) => Err(Error::usage(format!(
            "{place} has no key with admin = true: make one with `key new --admin`, or name one with --as"
        ))),
        (Some(_), Some(_)) => Err(Error::usage(format!(
            "{place} has several keys with admin = true: name one with --as"
        ))),
        (Some(record), None) => record["id"].as_str().and_then(KeyId::parse).ok_or_else(|| {
            Error::new(format!("{place}: the key with admin = true has no valid id"))
        }),
    }
}

/// Returns a key's id as an argument.
pub(crate) fn id(text: &str) -> std::result::Result<KeyId, String> {
    if begins_like_secret(text) {
        return Err(
            "this is a secret, not a key's id; replace it if others have seen it".to_owned()
        );
    }
    KeyId::parse(text).ok_or_else(|| "a key's id is 1 to 128 of A-Z a-z 0-9 . _ -".to_owned())
}
