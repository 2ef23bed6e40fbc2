//! The demo's second port: the static page, and a stand-in for Turnstile, which needs the internet.
//!
//! The stand-in has the properties of Turnstile on which the gate relies: a token is random, it is valid once, and only a holder
//! of the secret can verify it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testkit::upstream::{Reply, Seen, Upstream};

use crate::error::{Context as _, Result};
use crate::random;

const PAGE: &str = include_str!("index.html");
/// The path where the page gets a token.
pub(super) const CHALLENGE: &str = "/challenge";
/// The path where the gate verifies a token.
const VERIFY: &str = "/siteverify";
/// The action that the gate expects a challenge to be for.
const ACTION: &str = "writegate";
/// Unused tokens that are remembered. A page that is left open needs one every five minutes.
const MAX_TOKENS: usize = 1_000;

/// A running server of the page. It ends with the process.
pub(super) struct Page(Upstream);

/// The values of the page's template. They come after the gate has started, because the gate needs the page's origin.
pub(super) type Facts = std::sync::Arc<std::sync::OnceLock<(String, String)>>;

impl Page {
    /// Serves the page; `secret` is what the gate proves itself with at the stand-in.
    pub(super) fn start(secret: &str, facts: &Facts) -> Result<Self> {
        let (secret, facts, tokens) = (secret.to_owned(), facts.clone(), Mutex::default());
        Upstream::keeping_newest(move |seen, _| answer(seen, &secret, &facts, &tokens))
            .context("starting the demo's page")
            .map(Self)
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port
    }

    pub(super) fn origin(&self) -> String {
        self.0.url()
    }

    /// Returns the value of `TURNSTILE_VERIFY_URL`.
    pub(super) fn verifier(&self) -> String {
        format!("{}{VERIFY}", self.0.url())
    }
}

fn answer(seen: &Seen, secret: &str, facts: &Facts, tokens: &Mutex<HashSet<String>>) -> Reply {
    let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", "/") => match facts.get() {
            Some((gate, key)) => page(gate, key),
            None => text(503, "the gate is starting"),
        },
        ("POST", CHALLENGE) => match random::text(24) {
            Ok(token) => {
                if tokens.len() == MAX_TOKENS {
                    tokens.clear();
                }
                tokens.insert(token.clone());
                text(200, &token)
            }
            Err(error) => text(500, &error.message),
        },
        ("POST", VERIFY) => {
            let verdict = verdict(&seen.body, secret, &mut tokens);
            Reply::ok(&verdict.to_string()).header("Content-Type", "application/json")
        }
        _ => text(404, "there is a page at / and nothing else"),
    }
}

fn text(status: u16, text: &str) -> Reply {
    Reply::new(status)
        .header("Content-Type", "text/plain; charset=utf-8")
        .header("Cache-Control", "no-store")
        .body(text)
}

/// Returns the page, under a policy that lets it load and reach the gate, and nothing else.
fn page(gate: &str, key: &str) -> Reply {
    let page = PAGE.replace("{{gate}}", gate).replace("{{key}}", key);
    let policy = format!(
        "default-src 'none'; script-src {gate}/_gate/client.js {}; style-src {}; connect-src 'self' {gate}; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(&page, "<script type=\"module\">", "</script>"),
        hash(&page, "<style>", "</style>"),
    );
    Reply::ok(&page)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", &policy)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cache-Control", "no-store")
}

/// Returns a policy's name for the text between these two.
fn hash(page: &str, opening: &str, closing: &str) -> String {
    let inside = page.split_once(opening).and_then(|(_, rest)| rest.split_once(closing));
    let (inside, _) = inside.unwrap_or_default();
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inside)))
}

/// Returns Turnstile's verdict about a token, which is then used up.
fn verdict(body: &[u8], secret: &str, tokens: &mut HashSet<String>) -> Value {
    let field = |name: &str| field(body, name).unwrap_or_default();
    let wrong = |code: &str| json!({"success": false, "error-codes": [code]});
    if field("secret") != secret {
        return wrong("invalid-input-secret");
    }
    match tokens.remove(&field("response")) {
        true => {
            json!({"success": true, "hostname": "127.0.0.1", "action": ACTION, "error-codes": []})
        }
        false => wrong("timeout-or-duplicate"),
    }
}

/// Returns a field of a form or of JSON: siteverify takes both. None of these values needs percent-encoding.
fn field(body: &[u8], name: &str) -> Option<String> {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        return json[name].as_str().map(str::to_owned);
    }
    let pairs = std::str::from_utf8(body).ok()?.split('&');
    let found = pairs.filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name);
    found.map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_no_secret_and_fits_its_policy() {
        assert!(PAGE.lines().count() < 100);
        for once in ["<script", "<style>"] {
            assert_eq!(PAGE.matches(once).count(), 1, "{once}");
        }
        for banned in [" style=", " onclick=", " onsubmit=", "innerHTML", "localStorage"] {
            assert!(!PAGE.contains(banned), "{banned}");
        }
        let reply = page("http://127.0.0.1:1", "pk_demo");
        let (_, headers, body) = reply.whole();
        let body = std::str::from_utf8(body).unwrap();
        assert!(body.contains("key: \"pk_demo\"") && !body.contains("{{"), "{body}");
        let policy = headers.iter().find(|(name, _)| name == "Content-Security-Policy").unwrap();
        assert!(!policy.1.contains("unsafe"), "{}", policy.1);
        assert_eq!(policy.1.matches("'sha256-").count(), 2, "{}", policy.1);
    }

    #[test]
    fn a_token_is_good_once_and_for_who_has_the_secret() {
        let mut tokens = HashSet::from(["t".to_owned()]);
        let code = |verdict: &Value| verdict["error-codes"][0].as_str().map(str::to_owned);
        let strangers = verdict(b"secret=other&response=t", "s", &mut tokens);
        assert_eq!(code(&strangers).as_deref(), Some("invalid-input-secret"));
        let unknown = verdict(b"secret=s&response=u", "s", &mut tokens);
        assert_eq!(code(&unknown).as_deref(), Some("timeout-or-duplicate"));
        let first = verdict(br#"{"secret":"s","response":"t"}"#, "s", &mut tokens);
        assert_eq!((&first["success"], &first["action"]), (&json!(true), &json!("writegate")));
        let second = verdict(b"secret=s&response=t", "s", &mut tokens);
        assert_eq!(code(&second).as_deref(), Some("timeout-or-duplicate"));
    }
}
