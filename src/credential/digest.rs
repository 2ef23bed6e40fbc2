//! `Content-Digest` (RFC 9530): the digests that a request names, and comparing them with those of its
//! body.
//!
//! In scope: sha-256 and sha-512. Out of scope: `Repr-Digest`, and algorithms that RFC 9530 calls
//! insecure: next to sha-256 or sha-512 they are ignored, without it they are refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use crate::problem::Refusal;

use super::structured::{self, Bare, Value};

/// Longest body, in bytes, that is read to compute its digest. It is kept in the isolate's 128 MB, next
/// to those of other requests.
pub const MAX_BODY_BYTES: u64 = 10 * 1024 * 1024;

/// A hash function of RFC 9530's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `sha-256`.
    Sha256,
    /// `sha-512`.
    Sha512,
}

impl Algorithm {
    /// Returns the name in the Web Cryptography API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Computes the digest of `body`.
    pub fn digest(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => sha256(body).to_vec(),
            Self::Sha512 => Sha512::digest(body).to_vec(),
        }
    }
}

/// Computes SHA-256. It is a function of its own so that the Worker, which leaves digests of bodies to
/// the platform, links no SHA-512.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digests that a body must have; at least one.
#[derive(Debug, PartialEq, Eq)]
pub struct Digests(Vec<(Algorithm, Vec<u8>)>);

impl Digests {
    /// Parses a `Content-Digest` field.
    ///
    /// # Errors
    /// `bad-credential` when it is not a dictionary of byte sequences or names an algorithm twice,
    /// `signature-unsupported` when it names neither sha-256 nor sha-512.
    pub fn parse(field: &str) -> Result<Self, Refusal> {
        let mut digests = Vec::new();
        for member in structured::dictionary(field).ok_or(Refusal::BadCredential)? {
            let Value::Item(Bare::ByteSequence(digest)) = member.value else {
                return Err(Refusal::BadCredential);
            };
            match member.label {
                "sha-256" => digests.push((Algorithm::Sha256, digest)),
                "sha-512" => digests.push((Algorithm::Sha512, digest)),
                _ => {}
            }
        }
        match digests.is_empty() {
            true => Err(Refusal::SignatureUnsupported),
            false => Ok(Self(digests)),
        }
    }

    /// Returns the algorithms of the digests, in order.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.0.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Returns true if `computed` are the digests of the body, one for each of [`Digests::algorithms`].
    pub fn match_computed(&self, computed: &[Vec<u8>]) -> bool {
        self.0.len() == computed.len()
            && self.0.iter().zip(computed).all(|((_, sent), computed)| sent == computed)
    }
}

/// Formats the `Content-Digest` of a body, with `sha-256`.
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_limit_are_the_platforms_and_the_contracts() {
        assert_eq!(MAX_BODY_BYTES, 10_485_760);
        assert_eq!(
            [Algorithm::Sha256, Algorithm::Sha512].map(Algorithm::name),
            ["SHA-256", "SHA-512"]
        );
    }

    #[test]
    fn every_digest_that_is_known_counts() {
        let body = b"{\"hello\": \"world\"}";
        let sha256 = content_digest(body);
        let sha512 = format!("sha-512=:{}:", STANDARD.encode(Algorithm::Sha512.digest(body)));
        for (field, right) in [
            (sha256.clone(), true),
            (format!("{sha256}, {sha512}"), true),
            (format!("md5=:AA==:, {sha512}, unixsum=:AA==:"), true),
            (format!("  {sha256},{sha512};q=1  "), true),
            (format!("{sha256}, sha-512=:AA==:"), false),
            (format!("sha-256=:AA==:, {sha512}"), false),
            ("sha-256=::".to_owned(), false),
            (sha512.replace("sha-512", "sha-256"), false),
            (sha256.replace("sha-256", "sha-512"), false),
        ] {
            let digests = Digests::parse(&field).unwrap();
            let computed: Vec<_> = digests.algorithms().map(|a| a.digest(body)).collect();
            assert_eq!(digests.match_computed(&computed), right, "{field}");
            assert!(!digests.match_computed(&computed[1..]), "{field}: one is missing");
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for (field, refusal) in [
            ("sha-256", Refusal::BadCredential),
            ("sha-256=x", Refusal::BadCredential),
            ("sha-256=\"AA==\"", Refusal::BadCredential),
            ("sha-256=:AA==", Refusal::BadCredential),
            ("sha-256=:!:", Refusal::BadCredential),
            ("sha-256=?1", Refusal::BadCredential),
            ("sha-256=(:AA==:)", Refusal::BadCredential),
            ("sha-256=:AA==:, sha-256=:AA==:", Refusal::BadCredential),
            ("md5=:AA==:, sha-256=:AA==:, md5=:AA==:", Refusal::BadCredential),
            ("sha-256=:AA==:, sha-512=1", Refusal::BadCredential),
            ("sha-256=:AA==:,", Refusal::BadCredential),
            ("garbage garbage", Refusal::BadCredential),
            ("SHA-256=:AA==:", Refusal::BadCredential),
            ("md5=:AA==:", Refusal::SignatureUnsupported),
            ("sha=:AA==:, sha-384=:AA==:", Refusal::SignatureUnsupported),
            ("", Refusal::SignatureUnsupported),
        ] {
            assert_eq!(Digests::parse(field), Err(refusal), "{field}");
        }
    }
}
