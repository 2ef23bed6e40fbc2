//! Secrets as types: no `Display`, no `Serialize`, `Debug` redacted in every build, wiped on drop.
//!
//! A log shows a secret only by its [`Fingerprint`].

use core::fmt;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::base::mac;

/// A secret's text or bytes.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of the bytes; they are wiped when the secret is dropped.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Returns the bytes. Use them only for a MAC key, or for a request to the upstream or to siteverify.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the secret as text; `None` when it is not UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if the secret has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the secret has no bytes but white space, which most ways of piping one add.
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(u8::is_ascii_whitespace)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// An identifier for a token in logs, from which the token cannot be learned: the first 12 hex digits of
/// HMAC-SHA256 over the token, keyed by HKDF of the root secret. Without the root secret nobody can test
/// a guess against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Rc<str>);

impl Fingerprint {
    /// Computes the fingerprint of `token` under the root secret.
    pub fn of(token: &Secret, root: &Secret) -> Self {
        let key = mac::hkdf_sha256(root, b"writegate/v1/fingerprint");
        let tag = mac::MacKey::new(&key).tag(token.expose());
        let mut hex = String::with_capacity(12);
        for byte in tag.iter().take(6) {
            hex.push_str(&format!("{byte:02x}"));
        }
        Self(hex.into())
    }

    /// Returns the 12 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing_of_the_secret() {
        let text = format!("{:?}", Secret::new("hunter2"));
        assert_eq!(text, "Secret([redacted])");
    }

    #[test]
    fn a_fingerprint_depends_on_token_and_root() {
        let (a, b) = (Secret::new("a"), Secret::new("b"));
        let root = Secret::new("r".repeat(32));
        let other = Secret::new("s".repeat(32));
        assert_eq!(Fingerprint::of(&a, &root).as_str().len(), 12);
        assert_ne!(Fingerprint::of(&a, &root), Fingerprint::of(&b, &root));
        assert_ne!(Fingerprint::of(&a, &root), Fingerprint::of(&a, &other));
    }
}
