//! Links as the contract says them, made by code that shares nothing with the gate: signed URLs, and WAF-token URLs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::token::{b64, hmac};

/// Returns this text and the `sig` that belongs to it.
pub fn signed(secret: &str, authority: &str, text: &str) -> String {
    let mac = hmac(secret.as_bytes(), format!("writegate-url-v1\n{authority}\n{text}").as_bytes());
    format!("{text}&sig={}", b64(mac))
}

/// Returns a target with the `key` and `exp` of a link.
pub fn before_sig(target: &str, key: &str, exp: u64) -> String {
    let joint = if target.contains('?') { '&' } else { '?' };
    format!("{target}{joint}key={key}&exp={exp}")
}

/// Returns the MAC of a link, over its text before `verify` and the digits.
pub fn waf_mac(secret: &str, text: &str, issued: &str) -> Vec<u8> {
    hmac(secret.as_bytes(), format!("{text}{issued}").as_bytes())
}

/// Returns this text and, as its last parameter, `verify` with this value.
pub fn with_verify(text: &str, value: &str) -> String {
    let joint = if text.contains('?') { '&' } else { '?' };
    format!("{text}{joint}verify={value}")
}

/// Returns a WAF-token link with its MAC in base64url.
pub fn waf_link(secret: &str, text: &str, issued: u64) -> String {
    let mac = b64(waf_mac(secret, text, &issued.to_string()));
    with_verify(text, &format!("{issued}-{mac}"))
}

/// Returns a WAF-token link with its MAC in standard base64, percent-encoded as JavaScript's `encodeURIComponent`
/// does it.
pub fn encoded_waf_link(secret: &str, text: &str, issued: u64) -> String {
    let mac = STANDARD.encode(waf_mac(secret, text, &issued.to_string()));
    let mac = mac.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    with_verify(text, &format!("{issued}-{mac}"))
}
