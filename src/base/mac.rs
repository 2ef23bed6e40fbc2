//! HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869): the only place that derives keys, makes tags and
//! compares them. A comparison takes constant time.

use core::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// Length, in bytes, of an HMAC-SHA256 tag and of every derived key.
pub const TAG_LEN: usize = 32;

/// An HMAC-SHA256 key with its padded block already absorbed, so that a check costs no more than hashing
/// the message.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Creates a MAC key from a secret of any length (RFC 2104 section 2: a key longer than a block is
    /// hashed first).
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length, so the crate's error cannot occur"
    )]
    pub fn new(secret: &Secret) -> Self {
        Self(Hmac::new_from_slice(secret.expose()).expect("HMAC takes a key of any length"))
    }

    /// Returns the tag over `message`.
    pub fn tag(&self, message: &[u8]) -> [u8; TAG_LEN] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// Returns true if `tag` is the whole tag over `message`, compared in constant time. A shortened tag
    /// is never accepted.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.verify_slice(tag).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey([redacted])")
    }
}

/// Derives 32 bytes by HKDF-SHA256 (RFC 5869) with an empty salt.
#[expect(
    clippy::expect_used,
    reason = "HKDF-SHA256 yields up to 8,160 bytes, so the crate's error cannot occur"
)]
pub fn hkdf_sha256(ikm: &Secret, info: &[u8]) -> Secret {
    let mut okm = Zeroizing::new([0_u8; TAG_LEN]);
    Hkdf::<Sha256>::new(None, ikm.expose())
        .expand(info, okm.as_mut_slice())
        .expect("32 bytes are within HKDF's limit");
    Secret::new(okm.as_slice())
}
