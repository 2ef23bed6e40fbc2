//! HTTP Message Signatures (RFC 9421) with `hmac-sha256` only: the algorithm is never taken from the
//! request.
//!
//! In scope: finding the label that is for the gate, its form, the required coverage, its MAC, its
//! times. Out of scope: the values of components (`base`), the body (`digest`), remembering nonces, and
//! making signatures (`signing`).

use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::keys::{self, Key, KeyId};
use crate::problem::Refusal;

use super::base::{self, Component, MAX_COMPONENTS};
use super::digest::{self, Digests};
use super::structured::{self, Bare, Item, Member, Value};
use super::{Limits, VerifyError};
use crate::base::mac::TAG_LEN;

/// Longest age, in seconds, of `created`.
pub const MAX_AGE: i64 = 300;
/// Allowed lengths, in bytes, of a nonce.
const NONCE_BYTES: core::ops::RangeInclusive<usize> = 8..=128;

/// The labels of a request's `Signature-Input`, and the members of its `Signature`.
#[derive(Debug)]
pub struct Labels<'a> {
    inputs: Vec<Member<'a>>,
    signatures: Vec<Member<'a>>,
}

impl<'a> Labels<'a> {
    /// Parses both fields. Without `Signature-Input` there are no labels.
    ///
    /// # Errors
    /// `bad-credential` when either is not a dictionary or repeats a name.
    pub fn read(head: &Head<'a>) -> Result<Self, Refusal> {
        let dictionary = |name| match head.header(name) {
            None => Ok(Vec::new()),
            Some(field) => structured::dictionary(field).ok_or(Refusal::BadCredential),
        };
        let inputs = dictionary("signature-input")?;
        let signatures = match inputs.is_empty() {
            true => Vec::new(),
            false => dictionary("signature")?,
        };
        Ok(Self { inputs, signatures })
    }

    /// Returns the signature under the one label whose `keyid` is ours. Labels of other parties are
    /// ignored.
    ///
    /// # Errors
    /// `ambiguous-credential` for two, `bad-request` for a covered field that `Connection` names,
    /// `bad-credential` and `signature-unsupported` for a malformed one.
    pub fn find_signature(
        &self,
        head: &Head<'_>,
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<Option<Signature>, Refusal> {
        let mut ours = self.inputs.iter().filter(|input| keyid(input).is_some_and(&is_ours));
        match (ours.next(), ours.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Refusal::AmbiguousCredential),
            (Some(input), None) => {
                let mut signatures = self.signatures.iter();
                let signature = signatures
                    .find(|signature| signature.label == input.label)
                    .ok_or(Refusal::BadCredential)?;
                Signature::read(input, signature, head).map(Some)
            }
        }
    }

    /// Returns the `keyid` of every label.
    pub fn keyids(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().filter_map(keyid)
    }

    /// Returns true if some `keyid` has the form of a key id.
    pub fn names_key(&self) -> bool {
        self.keyids().any(keys::is_id)
    }
}

fn keyid<'m>(input: &'m Member<'_>) -> Option<&'m str> {
    let mut parameters = input.parameters.iter();
    match parameters.find(|(name, _)| name.as_str() == "keyid") {
        Some((_, Bare::String(keyid))) => Some(keyid.as_str()),
        // An unquoted keyid is malformed. We still claim it, so the caller gets `bad-credential`.
        Some((_, Bare::Token(keyid))) => Some(keyid.as_str()),
        Some(_) | None => None,
    }
}

/// A well-formed signature. Nothing in it is verified.
#[derive(Debug)]
pub struct Signature {
    keyid: String,
    components: Vec<Component>,
    /// The value of `@signature-params`: components and parameters in the signer's own order.
    parameters: String,
    created: Option<Timestamp>,
    expires: Option<Timestamp>,
    nonce: Option<String>,
    tag: [u8; TAG_LEN],
    digests: Option<Digests>,
}

/// The facts about a request that a verified signature establishes.
#[derive(Debug)]
pub struct SignedFacts {
    /// The digests that the body must have.
    pub digests: Option<Digests>,
    /// The nonce, which must not have been used before.
    pub nonce: Option<Nonce>,
    /// The first moment at which the signature is stale.
    pub end: Timestamp,
}

/// A nonce that its key requires.
#[derive(Debug)]
pub struct Nonce {
    /// The signature's `keyid`: the key id, or the `cnf` kid of a session.
    pub keyid: String,
    /// 8–128 bytes of printable ASCII.
    pub value: String,
    /// The time from which a signature with this nonce is stale anyway.
    pub until: Timestamp,
}

impl Nonce {
    /// Returns the name of the Durable Object that remembers the nonce: `<id>/<keyid>/` and the first
    /// two hex digits of the nonce's SHA-256. So one key's nonces are spread over many objects, which no
    /// other key uses.
    pub fn object(&self, key: &KeyId) -> String {
        let [shard, ..] = digest::sha256(self.value.as_bytes());
        format!("{key}/{}/{shard:02x}", self.keyid)
    }
}

impl Signature {
    fn read(input: &Member<'_>, signature: &Member<'_>, head: &Head<'_>) -> Result<Self, Refusal> {
        let Value::InnerList(items) = &input.value else {
            return Err(Refusal::BadCredential);
        };
        if items.len() > MAX_COMPONENTS {
            return Err(Refusal::SignatureUnsupported);
        }
        let components = components(items)?;
        // A field that `Connection` names does not go beyond the gate. Somebody between caller and gate
        // could add the name, and so remove a field that the caller signed.
        let is_hop_by_hop = head.hop_by_hop();
        let is_lost = |component: &Component| matches!(component, Component::Field(name) if is_hop_by_hop(name));
        if components.iter().any(is_lost) {
            return Err(Refusal::BadRequest);
        }
        let Value::Item(Bare::ByteSequence(tag)) = &signature.value else {
            return Err(Refusal::BadCredential);
        };
        let covered_digest = components
            .iter()
            .any(|component| *component == Component::Field("content-digest".to_owned()));
        let content_digest = head.header("content-digest").filter(|_| covered_digest);
        let mut read = Self {
            keyid: String::new(),
            components,
            parameters: structured::inner_list(items, &input.parameters),
            created: None,
            expires: None,
            nonce: None,
            tag: tag.as_slice().try_into().map_err(|_length| Refusal::BadCredential)?,
            digests: content_digest.map(Digests::parse).transpose()?,
        };
        for (name, value) in &input.parameters {
            match (name.as_str(), value) {
                ("created", Bare::Integer(at)) => read.created = Some(seconds(*at)),
                ("expires", Bare::Integer(at)) => read.expires = Some(seconds(*at)),
                ("keyid", Bare::String(keyid)) => keyid.as_str().clone_into(&mut read.keyid),
                ("nonce", Bare::String(nonce)) if NONCE_BYTES.contains(&nonce.as_str().len()) => {
                    read.nonce = Some(nonce.as_str().to_owned());
                }
                // RFC 9421 section 3.2: the algorithms given must all be the same; ours is one.
                ("alg", Bare::String(alg)) if alg.as_str() == "hmac-sha256" => {}
                ("alg", Bare::String(_)) => return Err(Refusal::SignatureUnsupported),
                ("created" | "expires" | "keyid" | "nonce" | "alg", _) => {
                    return Err(Refusal::BadCredential);
                }
                // `tag` and unknown parameters are covered by the MAC and have no meaning here.
                _ => {}
            }
        }
        Ok(read)
    }

    /// Returns the `keyid`.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// Returns the covered components, in the signer's order.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Returns the time of signing, if the signature has one.
    pub const fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// Returns the end, if the signature has one.
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Returns the nonce, if the signature has one.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Computes the signature base of this request, for `writegate explain`.
    ///
    /// # Errors
    /// As [`base::Message::value`].
    pub fn base(&self, head: &Head<'_>) -> Result<String, Refusal> {
        base::base(&self.components, &self.parameters, head)
    }

    /// Computes the signature base without secret values, as the gate's problem document shows it.
    ///
    /// # Errors
    /// As [`base::Message::value`].
    pub fn redacted_base(&self, head: &Head<'_>) -> Result<String, Refusal> {
        base::redacted(&self.components, &self.parameters, head)
    }

    /// Returns the MAC.
    pub const fn tag(&self) -> &[u8; TAG_LEN] {
        &self.tag
    }

    /// Checks the coverage, then the MAC by `verifies`, then the times. `bound` is true for the
    /// signature of a bound session, which must cover that session.
    ///
    /// # Errors
    /// `signature-incomplete`, `signature-unsupported` for a value that cannot be covered,
    /// `signature-invalid` with the base as it was computed, `signature-stale`.
    pub fn verify(
        self,
        key: &Key,
        head: &Head<'_>,
        limits: &Limits<'_>,
        bound: bool,
        verifies: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<SignedFacts, VerifyError> {
        let required = RequiredCoverage {
            body: head.has_body() && !limits.unsigned_body,
            session: bound,
            nonce: key.nonce_required,
        };
        let created = match (self.created, self.missing_coverage(required).next()) {
            (Some(created), None) => created,
            _ => return Err(Refusal::SignatureIncomplete.into()),
        };
        if !verifies(self.base(head)?.as_bytes(), &self.tag) {
            return Err(VerifyError::SignatureInvalid(self.redacted_base(head)?));
        }
        let too_old = created.plus_seconds(MAX_AGE).next();
        let end = self.expires.map_or(too_old, |expires| expires.min(too_old));
        let early = created > limits.now.plus_seconds(limits.clock_skew);
        if early || limits.now >= end {
            return Err(Refusal::SignatureStale.into());
        }
        let until = created.plus_seconds(MAX_AGE).plus_seconds(limits.clock_skew);
        let nonce = self.nonce.filter(|_| key.nonce_required);
        Ok(SignedFacts {
            end,
            digests: self.digests,
            nonce: nonce.map(|value| Nonce { keyid: self.keyid, value, until }),
        })
    }

    /// Returns what the signature must cover or have, and does not. The verifier decides that (RFC 9421
    /// section 3.2.1); otherwise the signer would choose what may be changed.
    pub fn missing_coverage(
        &self,
        required: RequiredCoverage,
    ) -> impl Iterator<Item = MissingCoverage> {
        let covers = |component: &Component| self.components.contains(component);
        let field = |name: &str| covers(&Component::Field(name.to_owned()));
        let target = covers(&Component::TargetUri)
            || (covers(&Component::Authority)
                && (covers(&Component::RequestTarget)
                    || (covers(&Component::Path) && covers(&Component::Query))));
        [
            (!covers(&Component::Method), MissingCoverage::Method),
            (!target, MissingCoverage::Target),
            (required.body && !field("content-digest"), MissingCoverage::Body),
            (required.session && !field("authorization"), MissingCoverage::Session),
            (self.created.is_none(), MissingCoverage::Created),
            (required.nonce && self.nonce.is_none(), MissingCoverage::Nonce),
        ]
        .into_iter()
        .filter_map(|(is_missing, coverage)| is_missing.then_some(coverage))
    }
}

/// The parts that a signature must cover in addition to method and target.
#[derive(Clone, Copy, Debug)]
pub struct RequiredCoverage {
    /// The body, by its digest.
    pub body: bool,
    /// The session that is bound to its key.
    pub session: bool,
    /// A nonce.
    pub nonce: bool,
}

/// A part that a signature should cover or have, and does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingCoverage {
    /// `@method`.
    Method,
    /// `@target-uri`, or `@authority` with `@path` and `@query` or with `@request-target`.
    Target,
    /// `content-digest`.
    Body,
    /// `authorization`.
    Session,
    /// `created`: without it, a copied request could be sent at any later time.
    Created,
    /// `nonce`.
    Nonce,
}

/// Parses the components of an inner list. RFC 9421 section 2: "each component identifier MUST occur
/// only once in the covered components".
fn components(items: &[Item<'_>]) -> Result<Vec<Component>, Refusal> {
    let components: Vec<Component> = items.iter().map(Component::read).collect::<Result<_, _>>()?;
    for (index, component) in components.iter().enumerate() {
        if components.iter().take(index).any(|other| other == component) {
            return Err(Refusal::BadCredential);
        }
    }
    Ok(components)
}

fn seconds(at: sfv::Integer) -> Timestamp {
    Timestamp::from_seconds(at.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str, headers: &[(&str, &str)]) -> Result<Signature, Refusal> {
        let (input, signature) = (format!("a={input}"), format!("a=:{}=:", "A".repeat(43)));
        let (input, signature) =
            (structured::dictionary(&input).unwrap(), structured::dictionary(&signature).unwrap());
        let head = Head::new("GET", "https://gate.example/x", headers.to_vec(), false).unwrap();
        Signature::read(&input[0], &signature[0], &head)
    }

    #[test]
    fn its_parts_are_those_of_its_text() {
        let text = "(\"@method\" \"x-a\");created=1;expires=2;keyid=\"k\";nonce=\"12345678\"";
        let signature = read(text, &[]).unwrap();
        let components = [Component::Method, Component::Field("x-a".to_owned())];
        assert_eq!(signature.components(), components);
        assert_eq!(signature.created(), Some(Timestamp::from_seconds(1)));
        assert_eq!(signature.expires(), Some(Timestamp::from_seconds(2)));
        assert_eq!((signature.keyid(), signature.nonce()), ("k", Some("12345678")));
    }

    #[test]
    fn only_a_covered_digest_counts() {
        let field = [("content-digest", "no digest")];
        assert!(read("(\"@method\");keyid=\"k\"", &field).is_ok());
        assert!(read("(\"content-digest\");keyid=\"k\"", &field).is_err());
    }

    #[test]
    fn the_object_of_a_nonce_is_its_keys_own() {
        let (keyid, value) = ("s_1".to_owned(), "12345678".to_owned());
        let nonce = Nonce { keyid, value, until: Timestamp::from_seconds(1) };
        let [first, ..] = digest::sha256(b"12345678");
        let id = KeyId::parse("pk_a").unwrap();
        assert_eq!(nonce.object(&id), format!("pk_a/s_1/{first:02x}"));
    }
}
