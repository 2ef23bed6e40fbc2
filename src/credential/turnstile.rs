//! Turnstile: the challenge that a page solves to get a session, and what Cloudflare's siteverify says of
//! its token (<https://developers.cloudflare.com/turnstile/get-started/server-side-validation/>).
//!
//! In scope: the request of a page, the form for siteverify, and the meaning of its answer. Out of scope:
//! sending the form (`platform`), and who may have a session (`gateway::mint`).

use core::net::IpAddr;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::base::json::{self, FieldError, Fields};
use crate::base::request::printable;
use crate::base::secret::Secret;
use crate::keys::KeyId;
use crate::policy::origin::Origin;
use crate::problem::{Alarm, Rejection};

/// The URL of siteverify, unless `TURNSTILE_VERIFY_URL` is set.
pub const VERIFY_URL: &str = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
/// Longest body, in bytes, of a request for a session: a key id and a token.
pub const MAX_BODY_BYTES: u64 = 4_096;
/// Longest token, in bytes, as Cloudflare documents it.
const MAX_TOKEN_BYTES: usize = 2_048;
/// The action of the widget, which a token for another widget of the page's host does not have.
const ACTION: &str = "writegate";

/// A page's request for a session, not yet checked.
#[derive(Debug)]
pub struct MintRequest {
    /// The id of the key. The caller chose it, so it must not be logged before its record is found.
    pub key: KeyId,
    /// The token of the solved challenge. It counts once.
    pub token: Secret,
}

impl MintRequest {
    /// Parses the body, strictly.
    ///
    /// # Errors
    /// For everything but one object with exactly `key` and `turnstile`.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        let hint = "expected one JSON object {\"key\":\"pk_…\",\"turnstile\":\"…\"} without repeated members";
        let body = json::parse(body).filter(Value::is_object);
        let mut fields = Fields::new("", body.ok_or_else(|| FieldError::new("body", hint))?)?;
        let key =
            member(&mut fields, "key", "expected the id of a key, such as \"pk_site\"", |text| {
                KeyId::parse(text)
            })?;
        let hint = "expected the token of a Turnstile widget, 1 to 2048 visible ASCII characters";
        let token = member(&mut fields, "turnstile", hint, |text| {
            let fits = (1..=MAX_TOKEN_BYTES).contains(&text.len());
            let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
            (fits && is_visible).then(|| Secret::new(text))
        })?;
        fields.finish()?;
        Ok(Self { key, token })
    }
}

/// Takes a member that must be a string that `read` accepts.
fn member<T>(
    fields: &mut Fields,
    name: &'static str,
    hint: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, FieldError> {
    let value = fields.value(name).ok().flatten();
    let value = value.as_ref().and_then(Value::as_str).and_then(read);
    value.ok_or_else(|| fields.error(name, hint))
}

/// The operator's settings.
#[derive(Debug)]
pub struct Turnstile {
    /// `TURNSTILE_SECRET`.
    pub secret: Option<Secret>,
    /// The URL of siteverify.
    pub verify_url: String,
}

impl Turnstile {
    /// Returns the secret to ask siteverify with, for a page that requests a session of `key`.
    ///
    /// # Errors
    /// `feature-unavailable` without a secret; `challenge-failed` if the secret is one of Cloudflare's
    /// dummies, which let every visitor pass, and the page is not on loopback.
    pub fn secret_for(&self, page: &Origin, key: &KeyId) -> Result<&Secret, Rejection> {
        let missing = || Rejection::unavailable("TURNSTILE_SECRET", key.as_str());
        let secret = self.secret.as_ref().ok_or_else(missing)?;
        match is_testing_secret(secret) {
            true => check_loopback(page).map(|()| secret),
            false => Ok(secret),
        }
    }

    /// Checks siteverify's answer to the token of a page that requests a session of `key`.
    ///
    /// # Errors
    /// `challenge-failed`; `feature-unavailable` if the answer is neither a yes nor a no to the token.
    pub fn check_answer(
        &self,
        (status, body): (u16, &str),
        page: &Origin,
        key: &KeyId,
    ) -> Result<(), Rejection> {
        let answer = json::parse(body.as_bytes()).unwrap_or_default();
        let success = answer.get("success").and_then(Value::as_bool);
        match (status, success) {
            (200..=299, Some(true)) => self.check_success(&answer, page, key),
            // The statuses of failures are not documented, so a no may be a 4xx.
            (200..=299 | 400..=499, Some(false)) => Err(refusal(&answer, key)),
            _ => Err(unusable(&format!("status {status}, and no answer to the token"), key)),
        }
    }

    fn check_success(&self, answer: &Value, page: &Origin, key: &KeyId) -> Result<(), Rejection> {
        let is_testing_key =
            answer.get("metadata").and_then(|all| all.get("result_with_testing_key"));
        let is_testing_key = match is_testing_key {
            None | Some(Value::Null) => false,
            Some(Value::Bool(is_testing)) => *is_testing,
            Some(_) => return Err(unusable("result_with_testing_key is not a boolean", key)),
        };
        if is_testing_key || self.secret.as_ref().is_some_and(is_testing_secret) {
            return check_loopback(page);
        }
        let found = |name: &str| answer.get(name).and_then(Value::as_str);
        let (hostname, action) = (found("hostname"), found("action"));
        if !hostname.is_some_and(|hostname| hostname.eq_ignore_ascii_case(page.host())) {
            return Err(mismatch("hostname", page.host(), hostname));
        }
        match action == Some(ACTION) {
            true => Ok(()),
            false => Err(mismatch("action", ACTION, action)),
        }
    }
}

/// Returns the body of the request to siteverify, as a form. It contains the secret and the token, so its
/// buffer never grows, and it is wiped.
pub fn form(secret: &Secret, token: &Secret, address: Option<IpAddr>) -> Zeroizing<String> {
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    let fields = [
        ("secret=", secret.expose()),
        ("&response=", token.expose()),
        ("&remoteip=", address.as_bytes()),
    ];
    // An encoded byte takes three.
    let room =
        |(name, value): &(&str, &[u8])| name.len().saturating_add(value.len().saturating_mul(3));
    let room = fields.iter().map(room).fold(0, usize::saturating_add);
    let mut text = Zeroizing::new(String::with_capacity(room));
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(name);
        for byte in value.iter() {
            push_encoded(&mut text, *byte);
        }
    }
    text
}

/// Appends a byte of a form's value, percent-encoded unless it is unreserved (RFC 3986 section 2.3).
fn push_encoded(text: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        text.push(char::from(byte));
        return;
    }
    text.push('%');
    let digits = [byte / 16, byte % 16].map(|digit| char::from_digit(digit.into(), 16));
    text.extend(digits.into_iter().flatten().map(|digit| digit.to_ascii_uppercase()));
}

/// Returns true if a secret has the form of Cloudflare's published dummies, such as
/// `1x0000000000000000000000000000000AA`: with it, siteverify does not check any token.
pub fn is_testing_secret(secret: &Secret) -> bool {
    match secret.expose() {
        [b'1'..=b'9', b'x', zeros @ .., b'A'..=b'Z', b'A'..=b'Z'] => {
            !zeros.is_empty() && zeros.iter().all(|byte| *byte == b'0')
        }
        _ => false,
    }
}

/// Refuses a challenge that proves nothing, unless the page is on the visitor's own machine.
fn check_loopback(page: &Origin) -> Result<(), Rejection> {
    match page.is_loopback() {
        true => Ok(()),
        false => Err(mismatch("testing-key", "localhost, 127.0.0.0/8 or [::1]", Some(page.host()))),
    }
}

/// Refuses a token that siteverify accepts and that is not of this page.
fn mismatch(reason: &'static str, expected: &str, got: Option<&str>) -> Rejection {
    let (expected, got) = (expected.into(), got.map(Into::into));
    Rejection::challenge_failed(reason).with_alarm(Alarm::Turnstile { reason, expected, got })
}

/// The meaning of an error code of siteverify. Of several codes the gravest counts, because only if all are
/// about the token it is certain that a new token helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Failure {
    /// The token was used already, or is too old.
    Spent,
    /// The token is not valid.
    Invalid,
    /// Siteverify failed, or says something that is not known here.
    Unknown,
    /// The gate's secret is not valid.
    Secret,
}

fn refusal(answer: &Value, key: &KeyId) -> Rejection {
    let codes = answer.get("error-codes").and_then(Value::as_array);
    let failure = |code: &Value| match code.as_str() {
        Some("timeout-or-duplicate") => Failure::Spent,
        Some("invalid-input-response" | "missing-input-response" | "bad-request") => {
            Failure::Invalid
        }
        Some("missing-input-secret" | "invalid-input-secret") => Failure::Secret,
        Some(_) | None => Failure::Unknown,
    };
    let failures = codes.map(|codes| codes.iter().map(failure));
    match failures.and_then(Iterator::max) {
        Some(Failure::Spent) => Rejection::challenge_failed("spent"),
        Some(Failure::Invalid) => Rejection::challenge_failed("invalid"),
        Some(Failure::Secret) => {
            Rejection::unavailable("TURNSTILE_SECRET (siteverify does not accept it)", key.as_str())
        }
        Some(Failure::Unknown) | None => {
            let codes = codes.into_iter().flatten().filter_map(Value::as_str);
            let codes: Vec<&str> = codes.collect();
            unusable(&format!("error codes: {}", printable(&codes.join(","))), key)
        }
    }
}

/// Returns the rejection for an answer of siteverify that does not settle anything.
pub fn unusable(why: &str, key: &KeyId) -> Rejection {
    Rejection::unavailable(format!("Turnstile's siteverify ({why})"), key.as_str())
}
