//! Key ids.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest key id in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// A key id: 1–128 of `A–Z a–z 0–9 . _ -`. It is public.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// Parses an id. Returns `None` for any other form.
    pub fn parse(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }

    /// Creates an id from random bytes: `pk_` and 22 characters.
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(format!("pk_{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::borrow::Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hint for an id that [begins like a secret](begins_like_secret).
pub(crate) const SECRET_ID_HINT: &str = "begins like a secret (sk_, ss_, eyJ), but an id is public; choose another, and replace a real secret";

/// Returns true if `text` begins like a key secret, a session secret or a session. No new key has such an id.
pub fn begins_like_secret(text: &str) -> bool {
    ["sk_", "ss_", "eyJ"].iter().any(|secret| text.starts_with(secret))
}

/// Returns true if `text` has the form of a key id.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
