//! The secrets derived for a key, and the key together with what verifies its signatures (contract
//! section 2).

use core::cell::OnceCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::mac::{self, MacKey};
use crate::base::secret::Secret;
use crate::keys::{Key, KeyId};

/// The root secrets that signing secrets are derived from.
#[derive(Debug)]
pub struct RootSecrets {
    /// `SIGNING_SECRET`.
    pub current: Secret,
    /// `SIGNING_SECRET_PREVIOUS`, still accepted for verifying.
    pub previous: Option<Secret>,
}

/// A key's record with what verifies its signatures, derived when it is first asked for and kept.
#[derive(Debug)]
pub struct DerivedKey {
    key: Key,
    roots: Rc<RootSecrets>,
    current: OnceCell<Derived>,
    previous: OnceCell<Option<Derived>>,
}

/// What is derived of one root: `sk`, and the MAC key that it is.
#[derive(Debug)]
struct Derived {
    sk: Secret,
    mac: MacKey,
}

impl DerivedKey {
    /// A key under these roots.
    #[must_use]
    pub const fn new(key: Key, roots: Rc<RootSecrets>) -> Self {
        Self { key, roots, current: OnceCell::new(), previous: OnceCell::new() }
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
        self.under_a_root(|derived| derived.mac.verify(message, tag))
    }

    /// Whether `tag` is the MAC over `message` under the `ss` of the session whose `cnf` has this
    /// `kid`, of the current root or of the previous one.
    #[must_use]
    pub fn session_verifies(&self, kid: &str, message: &[u8], tag: &[u8]) -> bool {
        self.under_a_root(|derived| MacKey::new(&derive_ss(&derived.sk, kid)).verify(message, tag))
    }

    fn under_a_root(&self, verifies: impl Fn(&Derived) -> bool) -> bool {
        let derive = |root| {
            let sk = derive_sk(root, &self.key.id, self.key.version);
            Derived { mac: MacKey::new(&sk), sk }
        };
        if verifies(self.current.get_or_init(|| derive(&self.roots.current))) {
            return true;
        }
        let previous = self.previous.get_or_init(|| self.roots.previous.as_ref().map(derive));
        previous.as_ref().is_some_and(verifies)
    }
}

/// `sk_` and base64url of HKDF-SHA256(root, `writegate/v1/key/<id>/<version>`): ASCII, used as a
/// MAC key just as it is printed, prefix and all.
#[must_use]
pub fn derive_sk(root: &Secret, id: &KeyId, version: u32) -> Secret {
    derive("sk_", root, &format!("writegate/v1/key/{id}/{version}"))
}

/// `ss_` and base64url of HKDF-SHA256(`sk` as printed, `writegate/v1/session/<kid>`): the key of one
/// session, for as long as that session lasts.
#[must_use]
pub fn derive_ss(sk: &Secret, kid: &str) -> Secret {
    derive("ss_", sk, &format!("writegate/v1/session/{kid}"))
}

fn derive(prefix: &str, ikm: &Secret, info: &str) -> Secret {
    let key = mac::hkdf_sha256(ikm, info.as_bytes());
    // Room for all of it: growing would leave copies behind that nobody wipes.
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
