//! What a caller presents (contract section 3): exactly one credential is picked here, and
//! nothing is believed of it before [`Presented::verify`].

pub mod mac;
pub mod session;

use crate::key::{self, Key, KeyId, Scheme};
use crate::known_key::KnownKey;
use crate::policy::origin::Origin;
use crate::problem::Refusal;
use crate::request::Head;
use crate::time::Timestamp;

use session::{Claims, Session};

/// A credential whose form is right and of which nothing is known to be true.
#[derive(Debug)]
pub struct Presented<'a> {
    key: KeyId,
    proof: Proof<'a>,
    in_query: bool,
}

#[derive(Debug)]
enum Proof<'a> {
    Session(Box<Session<'a>>),
    PublicKey,
}

/// The limits of time and audience that a session is held to.
#[derive(Debug)]
pub struct Limits<'a> {
    /// Now.
    pub now: Timestamp,
    /// Longest life left of a session, in seconds.
    pub session_max_ttl: i64,
    /// Excused difference of clocks, in seconds.
    pub clock_skew: i64,
    /// The gate's own origin, as the caller reached it.
    pub audience: Option<&'a Origin>,
}

impl<'a> Presented<'a> {
    /// Picks the request's one credential: `Authorization`, or `X-Public-Key` or `?key=` alone.
    /// The latter two may go with a session of the same key.
    ///
    /// # Errors
    /// `credential-missing`, `ambiguous-credential`, or `bad-credential` for one without its form.
    pub fn pick(head: &Head<'a>) -> Result<Self, Refusal> {
        let session = head.header("authorization").map(bearer).transpose()?;
        let in_header = head.header("x-public-key").map(public_key).transpose()?;
        let in_query = query_key(head)?;
        let keys = [session.as_ref().map(Session::key), in_header, in_query];
        let named = || keys.into_iter().flatten();
        let key = named().next().ok_or(Refusal::CredentialMissing)?;
        if named().any(|other| other != key) {
            return Err(Refusal::AmbiguousCredential);
        }
        let key = KeyId::parse(key).ok_or(Refusal::BadCredential)?;
        Ok(Self {
            key,
            in_query: in_query.is_some(),
            proof: session.map_or(Proof::PublicKey, |session| {
                Proof::Session(Box::new(session))
            }),
        })
    }

    /// The id of the key it claims to be of. The caller chose it: not for the log until a record
    /// of that id was found, for it may be a secret in the wrong place.
    #[must_use]
    pub const fn key(&self) -> &KeyId {
        &self.key
    }

    /// What kind of credential it is.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        match self.proof {
            Proof::Session(_) => Scheme::Session,
            Proof::PublicKey => Scheme::PublicKey,
        }
    }

    /// Checks the credential against its key's record: revocation, expiry, scheme, then the MAC,
    /// then times and audience.
    ///
    /// # Errors
    /// `key-revoked`, `key-expired`, `scheme-not-allowed`, and those of [`Session::verify`].
    pub fn verify<'k>(
        self,
        known: &'k KnownKey,
        limits: &Limits<'_>,
    ) -> Result<Verified<'k>, Refusal> {
        let key = known.key();
        if key.revoked {
            return Err(Refusal::KeyRevoked);
        }
        if key.expires.is_some_and(|expires| limits.now >= expires) {
            return Err(Refusal::KeyExpired);
        }
        if !key.schemes.contains(&self.scheme()) {
            return Err(Refusal::SchemeNotAllowed);
        }
        let claims = match self.proof {
            Proof::Session(session) => Some(session.verify(known, limits)?),
            Proof::PublicKey => None,
        };
        Ok(Verified {
            key,
            claims,
            in_query: self.in_query,
        })
    }
}

/// A credential that is what it claims to be. Only [`Presented::verify`] makes one.
#[derive(Debug)]
pub struct Verified<'k> {
    key: &'k Key,
    claims: Option<Claims>,
    in_query: bool,
}

impl<'k> Verified<'k> {
    /// The key it is of.
    #[must_use]
    pub const fn key(&self) -> &'k Key {
        self.key
    }

    /// What the session says; `None` for a public key alone.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// Whether `key` in the query counted as a credential, and so must not reach the upstream.
    #[must_use]
    pub const fn key_in_query(&self) -> bool {
        self.in_query
    }
}

/// The session of an `Authorization` header. Repeated headers come joined with a comma, which no
/// session holds.
fn bearer(value: &str) -> Result<Session<'_>, Refusal> {
    if value.contains(',') {
        return Err(Refusal::AmbiguousCredential);
    }
    // RFC 6750 section 2.1: credentials = "Bearer" 1*SP b64token; RFC 9110 section 11.1: the
    // scheme in any case.
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::BadCredential)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::BadCredential);
    }
    Session::parse(token.trim_start_matches(' '))
}

fn public_key(value: &str) -> Result<&str, Refusal> {
    if value.contains(',') {
        return Err(Refusal::AmbiguousCredential);
    }
    key::is_id(value)
        .then_some(value)
        .ok_or(Refusal::BadCredential)
}

/// The `key` parameter of the query, raw: nothing is decoded to find it.
fn query_key<'a>(head: &Head<'a>) -> Result<Option<&'a str>, Refusal> {
    let mut found = head.parameters().filter(|(name, _)| *name == "key");
    let Some((_, value)) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(Refusal::AmbiguousCredential);
    }
    value
        .filter(|value| key::is_id(value))
        .map(Some)
        .ok_or(Refusal::BadCredential)
}
