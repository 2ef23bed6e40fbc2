//! The secrets that are derived for a key, and a key record together with them (docs/wire-contract.md,
//! "Keys").

use core::cell::OnceCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::mac::{self, MacKey};
use crate::base::secret::Secret;
use crate::keys::{Key, KeyId};

/// The root secrets that key secrets are derived from.
#[derive(Debug)]
pub struct RootSecrets {
    /// `SIGNING_SECRET`.
    pub current: Secret,
    /// `SIGNING_SECRET_PREVIOUS`, still accepted for verifying.
    pub previous: Option<Secret>,
}

/// A key record with the secrets that verify its signatures. They are derived on first use and kept.
#[derive(Debug)]
pub struct DerivedKey {
    key: Key,
    roots: Rc<RootSecrets>,
    current: OnceCell<KeySecret>,
    previous: OnceCell<Option<KeySecret>>,
}

/// The secret derived from one root secret: `sk`, and the MAC key made of it.
#[derive(Debug)]
struct KeySecret {
    sk: Secret,
    mac: MacKey,
}

impl DerivedKey {
    /// Creates a key whose secrets are derived from these root secrets.
    pub const fn new(key: Key, roots: Rc<RootSecrets>) -> Self {
        Self { key, roots, current: OnceCell::new(), previous: OnceCell::new() }
    }

    /// Returns the record.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Returns true if `tag` is the MAC over `message` under the key's `sk`, derived from the current
    /// root secret or the previous one.
    pub fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        self.verifies_under_any_root(|derived| derived.mac.verify(message, tag))
    }

    /// Returns true if `tag` is the MAC over `message` under the `ss` of the session whose `cnf` has
    /// this `kid`, derived from the current root secret or the previous one.
    pub fn session_verifies(&self, kid: &str, message: &[u8], tag: &[u8]) -> bool {
        self.verifies_under_any_root(|derived| {
            MacKey::new(&derive_ss(&derived.sk, kid)).verify(message, tag)
        })
    }

    fn verifies_under_any_root(&self, verifies: impl Fn(&KeySecret) -> bool) -> bool {
        let derive = |root| {
            let sk = derive_sk(root, &self.key.id, self.key.version);
            KeySecret { mac: MacKey::new(&sk), sk }
        };
        if verifies(self.current.get_or_init(|| derive(&self.roots.current))) {
            return true;
        }
        let previous = self.previous.get_or_init(|| self.roots.previous.as_ref().map(derive));
        previous.as_ref().is_some_and(verifies)
    }
}

/// Derives a key secret: `sk_` and base64url of HKDF-SHA256(root, `writegate/v1/key/<id>/<version>`).
/// The ASCII text, prefix included, is the MAC key.
pub fn derive_sk(root: &Secret, id: &KeyId, version: u32) -> Secret {
    derive("sk_", root, &format!("writegate/v1/key/{id}/{version}"))
}

/// Derives a session secret, the key of one session: `ss_` and base64url of HKDF-SHA256(`sk` as printed,
/// `writegate/v1/session/<kid>`).
pub fn derive_ss(sk: &Secret, kid: &str) -> Secret {
    derive("ss_", sk, &format!("writegate/v1/session/{kid}"))
}

fn derive(prefix: &str, ikm: &Secret, info: &str) -> Secret {
    let key = mac::hkdf_sha256(ikm, info.as_bytes());
    // The buffer has room for the whole text: growing would leave copies behind that nobody wipes.
    let mut text = String::with_capacity(46);
    text.push_str(prefix);
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
