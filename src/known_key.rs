//! The secrets derived for a key, and the key together with what verifies its signatures (contract
//! section 2).

use core::cell::OnceCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::credential::mac::{self, MacKey};
use crate::key::{Key, KeyId};
use crate::secret::Secret;

/// The root secrets that signing secrets are derived from.
#[derive(Debug)]
pub struct Roots {
    /// `SIGNING_SECRET`.
    pub current: Secret,
    /// `SIGNING_SECRET_PREVIOUS`, still accepted for verifying.
    pub previous: Option<Secret>,
}

/// A key's record with what verifies its signatures, derived when it is first asked for and kept.
#[derive(Debug)]
pub struct KnownKey {
    key: Key,
    roots: Rc<Roots>,
    current: OnceCell<MacKey>,
    previous: OnceCell<Option<MacKey>>,
}

impl KnownKey {
    /// A key under these roots.
    #[must_use]
    pub const fn new(key: Key, roots: Rc<Roots>) -> Self {
        Self {
            key,
            roots,
            current: OnceCell::new(),
            previous: OnceCell::new(),
        }
    }

    /// The record.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Whether `tag` is the MAC over `message` under the key's `sk` of the current root, or of the
    /// previous one.
    #[must_use]
    pub fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        let derive = |root| MacKey::new(&derive_sk(root, &self.key.id, self.key.version));
        let current = self.current.get_or_init(|| derive(&self.roots.current));
        if current.verify(message, tag) {
            return true;
        }
        let previous = self
            .previous
            .get_or_init(|| self.roots.previous.as_ref().map(derive));
        previous
            .as_ref()
            .is_some_and(|previous| previous.verify(message, tag))
    }
}

/// `sk_` and base64url of HKDF-SHA256(root, `writegate/v1/key/<id>/<version>`): ASCII, used as a
/// MAC key just as it is printed, prefix and all.
#[must_use]
pub fn derive_sk(root: &Secret, id: &KeyId, version: u32) -> Secret {
    let key = mac::hkdf_sha256(root, format!("writegate/v1/key/{id}/{version}").as_bytes());
    let mut text = String::with_capacity(46);
    text.push_str("sk_");
    URL_SAFE_NO_PAD.encode_string(key.expose(), &mut text);
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_secret_is_the_contract_s_formula() {
        // From Python's hmac and hashlib, by RFC 5869's definition.
        let expected = "_Jm9qnaw_LEvDPc6vDngLkoSfNcM9dCYdd9O1jc2JIo";
        let root = Secret::new("0123456789abcdef0123456789abcdef");
        let id = KeyId::parse("pk_site").unwrap();
        let sk = derive_sk(&root, &id, 1);
        assert_eq!(sk.expose_str().unwrap().strip_prefix("sk_"), Some(expected));
        assert_ne!(sk.expose(), derive_sk(&root, &id, 2).expose());
    }
}
