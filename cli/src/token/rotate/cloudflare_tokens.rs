//! The gate's tokens at Cloudflare: API tokens of a user or of an account.
//!
//! Their names say which of them are this gate's, so that a run can resume where another stopped, on any machine:
//! `writegate <gate's host> <SECRET>`, and behind it the token's fingerprint as soon as that is known.

use serde_json::{Map, Value};
use writegate::{Fingerprint, Secret, Timestamp};

use crate::cloudflare::{Api, ApiError};
use crate::error::{Error, Result};
use crate::project::exported;

use super::rights;

/// The place of the credential that may manage tokens.
const CREDENTIALS: [&str; 2] = ["ROTATION_API_TOKEN", "CLOUDFLARE_API_TOKEN"];
/// The beginning of the names of the tokens of all gates.
const FIRST: &str = "writegate ";
/// Longest name that Cloudflare accepts.
const MAX_NAME: usize = 120;
/// Most tokens of a page.
const PAGE: usize = 50;
/// Digits of a fingerprint.
const FINGERPRINT: usize = 12;

/// The tokens of a user or an account, and which are this gate's.
pub(super) struct Tokens {
    api: Api,
    /// `/user/tokens` or `/accounts/…/tokens`.
    path: String,
    /// The first part of the names of this gate's.
    stem: String,
    /// Of the credential that manages them.
    pub(super) manager: Fingerprint,
}

/// One of this gate's tokens, as Cloudflare lists it.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) id: String,
    /// Empty where a run ended before it was known.
    pub(super) fingerprint: String,
    pub(super) issued_on: Option<Timestamp>,
}

/// A token that was just made.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) value: Secret,
    pub(super) expires_at: Option<Timestamp>,
    /// As Cloudflare described it, without the value.
    whole: Value,
}

impl Tokens {
    pub(super) fn open(
        account: Option<&str>,
        gate: &str,
        secret: &str,
        root: &Secret,
    ) -> Result<Self> {
        let credential = CREDENTIALS
            .iter()
            .find_map(|name| exported(name))
            .ok_or_else(|| {
                Error::usage(
                    "set ROTATION_API_TOKEN (or CLOUDFLARE_API_TOKEN) to a token that may edit API tokens; \
                     for the API of somebody else, say how a token is made there with --hook",
                )
            })?;
        let stem = format!("{FIRST}{} {secret}", host(gate));
        if stem.len() + 1 + FINGERPRINT > MAX_NAME {
            return Err(Error::usage(format!(
                "{stem:?} and a fingerprint are longer than the {MAX_NAME} characters of a token's name: \
                 name the gate by a shorter address"
            )));
        }
        Ok(Self {
            manager: Fingerprint::of(&credential, root),
            api: Api::open(credential)?,
            path: match account {
                Some(account) => format!("/accounts/{account}/tokens"),
                None => "/user/tokens".to_owned(),
            },
            stem,
        })
    }

    /// Refuses the token that this command or wrangler works with.
    pub(super) fn refuse_own(&self, old: &str, login: Option<Secret>) -> Result<()> {
        let is_old = |api: &Api| {
            let verified = api.get(&format!("{}/verify", self.path));
            // One of another kind may not be asked there, and is another.
            verified.is_ok_and(|token| token["id"] == old)
        };
        if is_old(&self.api) {
            return Err(Error::usage(
                "--old is the token in ROTATION_API_TOKEN or CLOUDFLARE_API_TOKEN, which this \
                 command uses to make and revoke tokens; pass the id of the one in the gate",
            ));
        }
        match login.map(Api::open).transpose()?.is_some_and(|api| is_old(&api)) {
            true => Err(Error::usage(
                "--old is the token in CLOUDFLARE_API_TOKEN, which wrangler works with: it would \
                 be revoked under it; pass the id of the one in the gate as --old",
            )),
            false => Ok(()),
        }
    }

    /// Returns the path of the tokens in the API.
    pub(super) const fn path(&self) -> &String {
        &self.path
    }

    /// Lists this gate's tokens, the newest first.
    pub(super) fn list(&self) -> Result<Vec<Listed>> {
        let mut found: Vec<Value> = Vec::new();
        for page in 1.. {
            let path = format!("{}?page={page}&per_page={PAGE}", self.path);
            let listed = self.api.get(&path).map_err(failed("listing the tokens"))?;
            let listed = listed.as_array().cloned().unwrap_or_default();
            let new: Vec<Value> = listed
                .into_iter()
                .filter(|token| !found.iter().any(|known| known["id"] == token["id"]))
                .collect();
            // A page may hold fewer than were asked for; only one without a new token is the end.
            if new.is_empty() {
                break;
            }
            found.extend(new);
        }
        let mut ours: Vec<Listed> = found.iter().filter_map(|token| self.ours(token)).collect();
        ours.sort_by_key(|token| std::cmp::Reverse(token.issued_on));
        Ok(ours)
    }

    fn ours(&self, token: &Value) -> Option<Listed> {
        Some(Listed {
            fingerprint: fingerprint_of(token["name"].as_str()?, &self.stem)?.to_owned(),
            id: token["id"].as_str()?.to_owned(),
            issued_on: rights::time(&token["issued_on"]),
        })
    }

    /// Returns true if a token has a name that this command gives, for another gate or another secret.
    pub(super) fn is_of_another_gate(&self, token: &Value) -> bool {
        let name = token["name"].as_str().unwrap_or_default();
        name.starts_with(FIRST) && fingerprint_of(name, &self.stem).is_none()
    }

    /// Returns the token of this id, whole, if there is one.
    pub(super) fn get(&self, id: &str) -> Result<Option<Value>> {
        match self.api.get(&format!("{}/{id}", self.path)) {
            Err(error) if error.is_missing() => Ok(None),
            got => got.map(Some).map_err(failed("reading a token")),
        }
    }

    /// Makes a token that may do what `like` may, for as long.
    pub(super) fn create(&self, like: &Value, now: Timestamp) -> Result<Made> {
        let mut body = Map::new();
        body.insert("name".to_owned(), self.stem.clone().into());
        body.insert("policies".to_owned(), rights::policies(&like["policies"])?);
        if like["condition"].as_object().is_some_and(|c| !c.is_empty()) {
            body.insert("condition".to_owned(), like["condition"].clone());
        }
        let expires_at = rights::successor_s_end(like, now)?;
        if let Some(end) = expires_at {
            body.insert("expires_on".to_owned(), rights::seconds(end).into());
        }
        let mut whole =
            self.api.send("POST", &self.path, Some(&Value::Object(body))).map_err(|error| {
                let may_be_there = match error.is_uncertain() {
                    true => format!(
                        "; it may have been made, as {}: the next run revokes it",
                        self.stem
                    ),
                    false => String::new(),
                };
                Error::new(format!("making the new token: {error}{may_be_there}"))
            })?;
        let value = match whole["value"].take() {
            Value::String(value) => Secret::new(value),
            _ => Secret::new(""),
        };
        let id = whole["id"].as_str().unwrap_or_default().to_owned();
        if value.is_empty() || !is_id(&id) {
            return Err(Error::new(
                "Cloudflare made a token and returned no id or no value: run this again, which revokes it",
            ));
        }
        Ok(Made { id, value, expires_at, whole })
    }

    /// Writes the fingerprint into the token's name. What is not sent along would be taken away.
    pub(super) fn name(&self, made: &Made, fingerprint: &Fingerprint) -> Result<()> {
        let mut body = Map::new();
        for member in ["status", "policies", "condition", "expires_on", "not_before"] {
            if !made.whole[member].is_null() {
                body.insert(member.to_owned(), made.whole[member].clone());
            }
        }
        let name = format!("{} {}", self.stem, fingerprint.as_str());
        body.insert("name".to_owned(), name.into());
        let path = format!("{}/{}", self.path, made.id);
        self.api
            .send("PUT", &path, Some(&Value::Object(body)))
            .map(drop)
            .map_err(failed("naming the new token"))
    }

    /// Checks that Cloudflare accepts the token.
    pub(super) fn verify(&self, made: &Made) -> std::result::Result<(), String> {
        let api = Api::open(made.value.clone()).map_err(|error| error.message)?;
        let verified = api.get(&format!("{}/verify", self.path));
        match verified {
            Ok(result) if result["status"] == "active" => Ok(()),
            Ok(_) => Err("the Cloudflare API says that the token is not active".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Revokes a token. One that no longer exists counts as revoked.
    pub(super) fn revoke(&self, id: &str) -> std::result::Result<(), ApiError> {
        match self.api.send("DELETE", &format!("{}/{id}", self.path), None) {
            Err(error) if error.is_missing() => Ok(()),
            done => done.map(drop),
        }
    }
}

/// Returns the host of a gate's address, and its port unless it is the scheme's default.
fn host(gate: &str) -> &str {
    match gate.split_once("://") {
        Some(("https", host)) => host.strip_suffix(":443").unwrap_or(host),
        Some((_, host)) => host.strip_suffix(":80").unwrap_or(host),
        None => gate,
    }
}

/// Returns true if the text has the form of a token's id, or of an account's.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the fingerprint in a name of this gate's, empty where it has none yet; `None` for the name of anything else.
fn fingerprint_of<'n>(name: &'n str, stem: &str) -> Option<&'n str> {
    let rest = name.strip_prefix(stem)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let fingerprint = rest.strip_prefix(' ')?;
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (fingerprint.len() == FINGERPRINT && fingerprint.bytes().all(hex)).then_some(fingerprint)
}

fn failed(doing: &'static str) -> impl Fn(ApiError) -> Error {
    move |error| Error::new(format!("{doing}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_has_one_host_however_it_is_written() {
        for (gate, expected) in [
            ("https://gate.example.com", "gate.example.com"),
            ("https://gate.example.com:443", "gate.example.com"),
            ("https://gate.example.com:8443", "gate.example.com:8443"),
            ("http://127.0.0.1:80", "127.0.0.1"),
        ] {
            assert_eq!(host(gate), expected);
        }
    }

    #[test]
    fn the_names_of_others_are_not_ours() {
        let stem = "writegate gate.example.com WRITE_TOKEN";
        let of = |name: &str| fingerprint_of(name, stem).map(str::to_owned);
        assert_eq!(of(stem).as_deref(), Some(""));
        assert_eq!(of(&format!("{stem} 0123456789ab")).as_deref(), Some("0123456789ab"));
        for other in [
            "writegate gate.example.com WRITE_TOKEN_2",
            "writegate gate.example.com WRITE_TOKEN 0123456789a",
            "writegate gate.example.com WRITE_TOKEN 0123456789AB",
            "writegate gate.example.com WRITE_TOKEN 0123456789abc",
            "writegate gate.example.com WRITE_TOKEN (old)",
            "writegate gate.example.com",
            "my writegate gate.example.com WRITE_TOKEN",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
