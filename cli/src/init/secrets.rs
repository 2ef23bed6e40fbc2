//! The content of `.dev.vars`, and the token's envelope.

use serde_json::json;
use writegate::config::MIN_SECRET_BYTES;
use writegate::{Day, Secret, Timestamp, Token};

use crate::error::{Error, Result};
use crate::project::Project;
use crate::{clock, input};

use super::prompt::Question;
use super::{secret_source, validate};

pub(super) const ROOT: &str = "SIGNING_SECRET";
pub(super) const TOKEN: &str = "WRITE_TOKEN";
pub(super) const TURNSTILE: &str = "TURNSTILE_SECRET";

pub(super) const HEAD: &str = "# Secrets for this machine, which git ignores. Keep SIGNING_SECRET where you keep passwords:\n\
    # it cannot be read back from Cloudflare, and every key's secret is made from it.\n\n";

/// When the token was issued, and when it ends: texts that are dates.
pub(super) struct Dates {
    pub(super) issued: Option<String>,
    pub(super) expires: Option<String>,
}

impl Dates {
    /// Refuses dates that cannot be.
    pub(super) fn check(&self) -> Result<()> {
        let now = clock::now()?;
        let time = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse_rfc3339);
        let (issued, expires) = (time(&self.issued), time(&self.expires));
        // A date depends on the time zone, so it may be a day ahead of UTC.
        if issued.is_some_and(|issued| issued > now.plus_seconds(86_400)) {
            return Err(Error::usage("--issued-at: is in the future"));
        }
        if expires.is_some_and(|expires| expires <= issued.unwrap_or(now).max(now)) {
            return Err(Error::usage("--expires-at: has passed"));
        }
        Ok(())
    }

    /// Fills in the dates: the token's own, else a person's answer, else today.
    fn completed(&self, token: &Token) -> Result<Self> {
        let known = token.issued_at.is_some() || token.expires_at.is_some();
        let written = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
        let today = Day::of(clock::now()?).to_string();
        let given = self.issued.clone().or(written(token.issued_at));
        let issued = Question::new("--issued-at", "When it was issued", Some(&today))
            .unless(known)
            .one(given.as_ref(), validate::date)?;
        let given = self.expires.clone().or(written(token.expires_at));
        let expires = Question::new("--expires-at", "When it ends (empty: never)", Some(""))
            .unless(known)
            .maybe(given.as_ref(), validate::date)?;
        let dates = Self { issued: Some(issued), expires };
        dates.check()?;
        Ok(dates)
    }
}

/// Returns the secrets that only the operator knows, by their names.
pub(super) fn ask(
    project: &Project,
    dates: &Dates,
    site_key: Option<&str>,
) -> Result<Vec<(&'static str, Secret)>> {
    let Some(site_key) = site_key else {
        return Ok(vec![(TOKEN, token(&typed("the write token")?, dates)?)]);
    };
    let there = secret_source::find(project, TURNSTILE)?;
    let given = typed("the write token")?;
    let (written, turnstile) = match (there, input::is_terminal()) {
        (Some((secret, _source)), _) => (given, secret),
        (None, true) => (given, typed("Turnstile's secret key")?),
        (None, false) => two_lines(&given)?,
    };
    let turnstile = checked_turnstile(turnstile, site_key)?;
    Ok(vec![(TOKEN, token(&written, dates)?), (TURNSTILE, turnstile)])
}

/// Asks again until the person types something.
fn typed(prompt: &str) -> Result<Secret> {
    loop {
        let secret = input::secret(prompt)?;
        if !secret.is_blank() || !input::is_terminal() {
            return Ok(secret);
        }
        eprintln!("  expected something");
    }
}

/// Splits standard input, where it holds the write token and then Turnstile's secret key.
fn two_lines(input: &Secret) -> Result<(Secret, Secret)> {
    let lines = input.expose_str().and_then(|text| text.split_once('\n'));
    let (token, turnstile) = lines.ok_or_else(|| {
        Error::usage(format!(
            "{TURNSTILE} is missing: put it into the environment, or on a second line of standard input"
        ))
    })?;
    Ok((Secret::new(token.trim_end_matches('\r')), Secret::new(turnstile.trim_end())))
}

/// Refuses a text that cannot be the secret key of a widget.
fn checked_turnstile(secret: Secret, site_key: &str) -> Result<Secret> {
    let wrong = |hint: &str| Err(Error::usage(format!("{TURNSTILE}: {hint}")));
    match secret.expose_str() {
        Some(text) if text == site_key => wrong("is the site key; the secret key is below it"),
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(secret)
        }
        _ => wrong("expected the widget's secret key, one word"),
    }
}

/// Returns the write token in the gate's form, with its dates.
fn token(given: &Secret, dates: &Dates) -> Result<Secret> {
    let wrong = |hint: &str| Error::usage(format!("the write token, from standard input: {hint}"));
    let token = Token::parse(given).map_err(|error| wrong(&error.to_string()))?;
    let value = match token.value.expose_str() {
        None => return Err(wrong("is not text")),
        Some("") => return Err(wrong("is empty")),
        Some(value) if value.chars().any(char::is_control) => {
            return Err(wrong("has several lines or control characters"));
        }
        Some(value) if value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("bearer ")) => {
            return Err(wrong("begins with Bearer, which the gate adds: pass what comes after it"));
        }
        Some(value) if is_quoted(value) => {
            return Err(wrong("is in quotes: pass it without"));
        }
        Some(value) => value,
    };
    let dates = dates.completed(&token)?;
    let issued = dates.issued.unwrap_or_default();
    let expires = dates.expires.map(|time| format!(",\"expires_at\":{}", json!(time)));
    let text = format!(
        "{{\"token\":{},\"issued_at\":{}{}}}",
        json!(value),
        json!(issued),
        expires.unwrap_or_default()
    );
    Ok(Secret::new(plain(&text)))
}

fn is_quoted(value: &str) -> bool {
    let pairs = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];
    pairs.iter().any(|(open, close)| value.starts_with(*open) && value.ends_with(*close))
}

/// Escapes the characters of JSON that mean something in `.dev.vars`: they can only be in its strings.
fn plain(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\'' | '#' | '$' | '`' => plain.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => plain.push(other),
        }
    }
    plain
}

/// Refuses a root that the gate would refuse, before anything else is asked.
pub(super) fn check_root(root: &Secret) -> Result<()> {
    match root.len() < MIN_SECRET_BYTES {
        false => Ok(()),
        true => Err(Error::usage(format!(
            "{ROOT} of the environment or .dev.vars is shorter than {MIN_SECRET_BYTES} bytes: \
            remove it, and init makes one"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_s_characters_survive_the_file() {
        let odd = json!({"token": "a'b#c$d`e\"f\\g"}).to_string();
        let plain = plain(&odd);
        assert!(!plain.contains(['\'', '#', '$', '`']), "{plain}");
        let token = Token::parse(&Secret::new(plain)).unwrap();
        assert_eq!(token.value.expose_str(), Some("a'b#c$d`e\"f\\g"));
    }
}
