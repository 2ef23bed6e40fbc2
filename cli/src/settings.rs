//! The settings of this checkout: `SIGNING_SECRET` from the environment or `.dev.vars`, and
//! the `[vars]` of `wrangler.toml`.

use std::{env, fs, io};

use serde_json::Value;
use writegate::Secret;
use writegate::config::MIN_SECRET_BYTES;
use writegate::derive_sk;
use writegate::{Key, KeyId};

use crate::error::{Context as _, Error, Result};
use crate::project::Project;

const ROOT: &str = "SIGNING_SECRET";

/// The longest lifetime of a signed URL whose key's record does not say.
pub(crate) const DEFAULT_URL_TTL: i64 = 604_800;

/// A secret of this name, from the environment or `.dev.vars`.
pub(crate) fn secret(project: &Project, name: &str) -> Result<Option<Secret>> {
    match exported(name) {
        Some(secret) => Ok(Some(secret)),
        None => in_file(project, name),
    }
}

/// That of the environment.
pub(crate) fn exported(name: &str) -> Option<Secret> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    value.map(Secret::new)
}

/// That of `.dev.vars`.
pub(crate) fn in_file(project: &Project, name: &str) -> Result<Option<Secret>> {
    Ok(variable(&dev_vars(project)?, name).map(Secret::new))
}

/// The text of `.dev.vars`, or of the environment's own; wrangler reads one of the two, too.
pub(crate) fn dev_vars(project: &Project) -> Result<String> {
    let own = project.environment.as_ref();
    let own = own.map(|name| project.root.join(format!(".dev.vars.{name}")));
    let path = own.filter(|path| path.exists());
    let path = path.unwrap_or_else(|| project.root.join(".dev.vars"));
    match fs::read_to_string(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context(format!("reading {}", path.display()))
        }
        read => Ok(read.unwrap_or_default()),
    }
}

/// The signing secret of a key, of this version or of the one that `wrangler.toml` says.
pub(crate) fn sk(project: &Project, id: &KeyId, version: Option<u32>) -> Result<Secret> {
    let known = key(project, id)?;
    let version = version.or(known.map(|(_, key)| key.version)).unwrap_or(1);
    Ok(derive_sk(&signing_secret(project)?, id, version))
}

/// The root of every signing secret.
pub(crate) fn signing_secret(project: &Project) -> Result<Secret> {
    let Some(secret) = secret(project, ROOT)? else {
        return Err(Error::new(format!(
            "{ROOT} is neither in the environment nor in .dev.vars; \
             make one with `openssl rand -base64 48` and keep it: it cannot be read back from Cloudflare"
        )));
    };
    check_length(ROOT, &secret)?;
    Ok(secret)
}

/// The MAC key of WAF-token links.
pub(crate) fn waf_secret(project: &Project) -> Result<Secret> {
    let name = "WAF_SECRET";
    let Some(secret) = secret(project, name)? else {
        return Err(Error::new("WAF_SECRET is neither in the environment nor in .dev.vars"));
    };
    check_length(name, &secret)?;
    Ok(secret)
}

/// Makes sure that a secret is as long as the gate asks for.
fn check_length(name: &str, secret: &Secret) -> Result<()> {
    match secret.len() < MIN_SECRET_BYTES {
        true => Err(Error::new(format!(
            "{name} is {} bytes long and must be at least {MIN_SECRET_BYTES}, or the gate refuses to work",
            secret.len()
        ))),
        false => Ok(()),
    }
}

/// A value of `.dev.vars`, read as wrangler reads it: `NAME=value`, the value bare or quoted.
fn variable(file: &str, name: &str) -> Option<String> {
    let value = file.lines().rev().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then_some(value.trim())
    })?;
    let quoted = ['"', '\'', '`'].into_iter().find_map(|quote| {
        let (content, _comment) = value.strip_prefix(quote)?.rsplit_once(quote)?;
        Some(content.to_owned())
    });
    let bare = || value.split('#').next().unwrap_or_default().trim_end().to_owned();
    Some(quoted.unwrap_or_else(bare)).filter(|value| !value.is_empty())
}

/// The `[vars]` of `wrangler.toml`; null where there are none.
pub(crate) fn vars(project: &Project) -> Result<Value> {
    Ok(wrangler_toml(project)?["vars"].take())
}

/// Returns true if `wrangler.toml` binds a Durable Object class to this name.
pub(crate) fn has_durable_object(project: &Project, name: &str) -> Result<bool> {
    let whole = wrangler_toml(project)?;
    let bindings = whole["durable_objects"]["bindings"].as_array();
    Ok(bindings.is_some_and(|bindings| bindings.iter().any(|binding| binding["name"] == name)))
}

fn wrangler_toml(project: &Project) -> Result<Value> {
    let Ok(text) = fs::read_to_string(project.root.join("wrangler.toml")) else {
        return Ok(Value::Null);
    };
    let mut whole: Value = toml::from_str(&text)
        .map_err(|error| Error::new(format!("wrangler.toml: {}", error.message())))?;
    Ok(match &project.environment {
        Some(name) => whole["env"][name].take(),
        None => whole,
    })
}

/// The record of a key in `wrangler.toml`, as it stands there and as the gate reads it.
pub(crate) fn key(project: &Project, id: &KeyId) -> Result<Option<(Value, Key)>> {
    let mut vars = vars(project)?;
    let Value::Array(records) = vars["KEYS"].take() else {
        return Ok(None);
    };
    let mut records = records.into_iter().enumerate();
    let Some((index, record)) = records.find(|(_, record)| record["id"] == id.as_str()) else {
        return Ok(None);
    };
    let parsed = Key::parse(&format!("KEYS[{index}]"), record.clone())
        .map_err(|error| Error::new(format!("wrangler.toml: {error}")))?;
    Ok(Some((record, parsed)))
}

/// The one key of `wrangler.toml` that is an admin's.
pub(crate) fn admin(project: &Project) -> Result<KeyId> {
    let keys = vars(project)?["KEYS"].take();
    let keys = keys.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut admins = keys.iter().filter(|record| record["admin"] == true);
    match (admins.next(), admins.next()) {
        (None, _) => Err(Error::usage(
            "wrangler.toml has no key with admin = true: make one with `key new --admin`, or name one with --as",
        )),
        (Some(_), Some(_)) => Err(Error::usage(
            "wrangler.toml has several keys with admin = true: name one with --as",
        )),
        (Some(record), None) => record["id"].as_str().and_then(KeyId::parse).ok_or_else(|| {
            Error::new("wrangler.toml: the id of the key with admin = true is none")
        }),
    }
}

/// A key's id as an argument.
pub(crate) fn id(text: &str) -> std::result::Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| "a key's id is 1 to 128 of A-Z a-z 0-9 . _ -".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_vars_are_read_as_wrangler_reads_them() {
        let file = "# A=0\nA=1 # one\nB = \"two # 2\" # comment\nexport C='3'\nD=\nA=4\nE=a=b\n";
        assert_eq!(variable(file, "A").as_deref(), Some("4"));
        assert_eq!(variable(file, "B").as_deref(), Some("two # 2"));
        assert_eq!(variable(file, "C").as_deref(), Some("3"));
        assert_eq!(variable(file, "D"), None);
        assert_eq!(variable(file, "E").as_deref(), Some("a=b"));
        assert_eq!(variable(file, "F"), None);
    }
}
