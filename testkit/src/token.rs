//! Sessions as the contract says them, made by code that shares nothing with the gate, and able to make every wrong
//! one too.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// Returns the time in Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Returns the UTC date of these Unix seconds, as `2026-11-22`.
pub fn date(seconds: u64) -> String {
    let (mut year, mut day) = (1970, seconds / 86_400);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", day + 1)
}

/// Returns fresh random text of letters and digits: every secret of these tests is made so.
pub fn fresh() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns base64url without padding.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the HMAC-SHA-256.
pub fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Derives a key by RFC 5869 with an empty salt, and the one block that 32 bytes need.
pub fn hkdf(ikm: &[u8], info: &str) -> Vec<u8> {
    let extracted = hmac(&[0; 32], ikm);
    hmac(&extracted, &[info.as_bytes(), &[1]].concat())
}

/// Returns a key's signing secret.
pub fn sk(signing_secret: &str, id: &str, version: u64) -> String {
    format!(
        "sk_{}",
        b64(hkdf(signing_secret.as_bytes(), &format!("writegate/v1/key/{id}/{version}")))
    )
}

/// Returns a token's fingerprint in the logs.
pub fn fingerprint(signing_secret: &str, token: &str) -> String {
    let mac = hmac(&hkdf(signing_secret.as_bytes(), "writegate/v1/fingerprint"), token.as_bytes());
    mac.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A session to be: right until a test makes it wrong.
#[derive(Clone)]
pub struct Session {
    key: String,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Session {
    /// Makes a session of key `id`, version 1, that ends in five minutes.
    pub fn new(signing_secret: &str, id: &str) -> Self {
        let Value::Object(header) = json!({"alg": "HS256", "typ": "JWT", "kid": id}) else {
            unreachable!()
        };
        let Value::Object(claims) = json!({"exp": now() + 300}) else { unreachable!() };
        Self { key: sk(signing_secret, id, 1), header, claims }
    }

    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    /// Sets a member of the header.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs with another secret.
    pub fn key(mut self, key: &str) -> Self {
        self.key = key.into();
        self
    }

    /// Returns the header as JSON text.
    pub fn header_text(&self) -> String {
        Value::Object(self.header.clone()).to_string()
    }

    /// Returns the claims as JSON text.
    pub fn claims_text(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// Returns the compact form.
    pub fn mint(&self) -> String {
        self.mint_of(&self.header_text(), &self.claims_text())
    }

    /// Signs as it should be, over JSON texts that the test wrote itself.
    pub fn mint_of(&self, header: &str, claims: &str) -> String {
        self.sign(&format!("{}.{}", b64(header), b64(claims)))
    }

    /// Returns a good MAC over whatever precedes the second point.
    pub fn sign(&self, signed: &str) -> String {
        format!("{signed}.{}", b64(hmac(self.key.as_bytes(), signed.as_bytes())))
    }
}
