//! HTTP Message Signatures (RFC 9421) with `hmac-sha256`, and nothing else: the algorithm is never
//! taken from the request.
//!
//! In scope: which of the labels is ours, its form, what it must cover, its MAC, its times. Out of
//! scope: the values of components (`base`), the body (`digest`), whether a nonce was seen before, and
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

/// How old, in seconds, `created` may be.
pub const MAX_AGE: i64 = 300;
/// How long, in bytes, a nonce may be.
const NONCE_BYTES: core::ops::RangeInclusive<usize> = 8..=128;

/// The labels of a request's `Signature-Input` with what `Signature` has for them.
#[derive(Debug)]
pub struct Labels<'a> {
    inputs: Vec<Member<'a>>,
    signatures: Vec<Member<'a>>,
}

impl<'a> Labels<'a> {
    /// Reads both fields; none without `Signature-Input`.
    ///
    /// # Errors
    /// `bad-credential` when either is no dictionary or says something twice.
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

    /// The one label whose `keyid` is ours. Those of others are not looked at.
    ///
    /// # Errors
    /// `ambiguous-credential` for two, `bad-request` for one whose covered field `Connection` names, and
    /// those of [`Signature`]'s form.
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

    /// The `keyid` of every label.
    pub fn keyids(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().filter_map(keyid)
    }

    /// Whether some label looks as if it were meant for a key that is not there.
    #[must_use]
    pub fn name_a_key(&self) -> bool {
        self.keyids().any(keys::is_id)
    }
}

fn keyid<'m>(input: &'m Member<'_>) -> Option<&'m str> {
    let mut parameters = input.parameters.iter();
    match parameters.find(|(name, _)| name.as_str() == "keyid") {
        Some((_, Bare::String(keyid))) => Some(keyid.as_str()),
        // Not its form, and so refused; but whoever left the quotes out meant us.
        Some((_, Bare::Token(keyid))) => Some(keyid.as_str()),
        Some(_) | None => None,
    }
}

/// A signature of the right form. Nothing in it is known to be true.
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

/// What a good signature says of its request.
#[derive(Debug)]
pub struct SignedFacts {
    /// What the body must be.
    pub digests: Option<Digests>,
    /// What must not have been seen before.
    pub nonce: Option<Nonce>,
    /// The first moment at which it is stale.
    pub end: Timestamp,
}

/// A nonce that its key asks for.
#[derive(Debug)]
pub struct Nonce {
    /// The signature's `keyid`: the key's id, or the name of a session's key.
    pub keyid: String,
    /// 8–128 bytes of printable ASCII.
    pub value: String,
    /// From when on a signature with it would be stale anyway.
    pub until: Timestamp,
}

impl Nonce {
    /// The name of the Durable Object that remembers it: `<id>/<keyid>/` and the first two hex digits
    /// of its SHA-256, so that one key's nonces are spread and no other key's are among them.
    #[must_use]
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
        // What `Connection` names goes no further than the gate. Whoever added it, it must not take away
        // from the request what was signed.
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
                // `tag`, and what others may add: covered, and of no meaning here.
                _ => {}
            }
        }
        Ok(read)
    }

    /// The key it claims to be made with.
    #[must_use]
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// What it covers, in the signer's order.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// When it was made, if it says.
    #[must_use]
    pub const fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// When it ends, if it says.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Its nonce, if it has one.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The signature base of this request, for whoever explains a signature.
    ///
    /// # Errors
    /// Those of [`base::Message::value`].
    pub fn base(&self, head: &Head<'_>) -> Result<String, Refusal> {
        base::base(&self.components, &self.parameters, head)
    }

    /// The same without the values of credentials, as the gate answers it.
    ///
    /// # Errors
    /// Those of [`base::Message::value`].
    pub fn shown_base(&self, head: &Head<'_>) -> Result<String, Refusal> {
        base::shown(&self.components, &self.parameters, head)
    }

    /// The MAC it brings.
    #[must_use]
    pub const fn tag(&self) -> &[u8; TAG_LEN] {
        &self.tag
    }

    /// Checks what is covered, then the MAC by `verifies`, then the times. `bound`: it is the proof of
    /// a session and must cover that session.
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
        let demands = RequiredCoverage {
            body: head.has_body() && !limits.unsigned_body,
            session: bound,
            nonce: key.nonce_required,
        };
        let created = match (self.created, self.lacks(demands).next()) {
            (Some(created), None) => created,
            _ => return Err(Refusal::SignatureIncomplete.into()),
        };
        if !verifies(self.base(head)?.as_bytes(), &self.tag) {
            return Err(VerifyError::SignatureInvalid(self.shown_base(head)?));
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

    /// What it should cover or say, and does not. The verifier says what must be covered (RFC 9421
    /// section 3.2.1), or the signer would choose what may be changed.
    pub fn lacks(&self, demands: RequiredCoverage) -> impl Iterator<Item = MissingCoverage> {
        let covers = |component: &Component| self.components.contains(component);
        let field = |name: &str| covers(&Component::Field(name.to_owned()));
        let target = covers(&Component::TargetUri)
            || (covers(&Component::Authority)
                && (covers(&Component::RequestTarget)
                    || (covers(&Component::Path) && covers(&Component::Query))));
        [
            (!covers(&Component::Method), MissingCoverage::Method),
            (!target, MissingCoverage::Target),
            (demands.body && !field("content-digest"), MissingCoverage::Body),
            (demands.session && !field("authorization"), MissingCoverage::Session),
            (self.created.is_none(), MissingCoverage::Created),
            (demands.nonce && self.nonce.is_none(), MissingCoverage::Nonce),
        ]
        .into_iter()
        .filter_map(|(lacks, what)| lacks.then_some(what))
    }
}

/// What must be covered beside method and target.
#[derive(Clone, Copy, Debug)]
pub struct RequiredCoverage {
    /// The body, by its digest.
    pub body: bool,
    /// The session that it is the proof of.
    pub session: bool,
    /// It must have a nonce.
    pub nonce: bool,
}

/// What a signature lacks.
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
    /// `created`, without which a copy would be good for ever.
    Created,
    /// `nonce`.
    Nonce,
}

/// RFC 9421 section 2: "each component identifier MUST occur only once in the covered components".
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
