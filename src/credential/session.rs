//! Sessions: JWTs (RFC 7519) in compact serialization (RFC 7515 section 7.1), HS256 only. The algorithm
//! is never chosen by the token; the `alg` in it is only compared.
//!
//! In scope: form, MAC, times, audience, and minting. Out of scope: applying the claims `methods`, `paths`
//! and `origin` (`gateway::authorize`), and deciding who gets a session (`gateway::mint`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::base::json;
use crate::base::json_writer::{self, ObjectWriter};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::keys::{self, DerivedKey, KeyId};
use crate::policy::origin::Origin;
use crate::policy::path::Pattern;
use crate::problem::Refusal;

use super::Limits;
use crate::base::mac::{MacKey, TAG_LEN};
use crate::base::methods::Methods;

/// Longest token in bytes. A session has a dozen short claims, and all of it is parsed before its MAC is
/// verified.
pub const MAX_TOKEN_BYTES: usize = 4_096;
/// Longest `sub` or `jti` in bytes: they go into logs and, with `identify_caller`, into a header.
const MAX_NAME_BYTES: usize = 128;
/// Claims that the gate reads.
const CLAIMS: [&str; 10] =
    ["exp", "nbf", "iat", "aud", "sub", "jti", "cnf", "methods", "paths", "origin"];
/// Names that look like a restriction: misspelt claims, and members of a key record.
const MISSPELT: [&str; 5] = ["method", "path", "origins", "allowed_origins", "allowed_ips"];
/// Members of a JOSE header that the gate reads; `crit` and `b64` it refuses.
const HEADER: [&str; 5] = ["alg", "typ", "kid", "crit", "b64"];
/// The audience that every gate accepts.
const AUDIENCE: &str = "writegate";

/// A well-formed session. Nothing in it is verified.
#[derive(Debug)]
pub struct Session<'a> {
    key: String,
    signed: &'a str,
    tag: [u8; TAG_LEN],
    claims: Claims,
    times: Times,
    audience: Option<Vec<String>>,
    bound: Option<String>,
}

/// The claims of a session about its bearer and its use.
#[derive(Debug, Default)]
pub struct Claims {
    /// `sub`.
    pub subject: Option<String>,
    /// `methods`: narrows the key's.
    pub methods: Option<Methods>,
    /// `paths`: narrows the key's.
    pub paths: Option<Vec<Pattern>>,
    /// `origin`: narrows the key's.
    pub origin: Option<Origin>,
}

/// The times of a session. It is valid while `not_before <= now + skew` and `now < expires`.
#[derive(Debug)]
struct Times {
    expires: Timestamp,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
}

impl Claims {
    /// Returns true if the session is for one page, so it was given to a browser.
    pub const fn is_for_page(&self) -> bool {
        self.origin.is_some()
    }
}

impl<'a> Session<'a> {
    /// Parses a token strictly.
    ///
    /// # Errors
    /// `bad-credential` for everything that is not exactly a session.
    pub fn parse(token: &'a str) -> Result<Self, Refusal> {
        Self::read(token).map_err(|Malformed| Refusal::BadCredential)
    }

    fn read(token: &'a str) -> Result<Self, Malformed> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Malformed);
        }
        let (signed, tag) = token.rsplit_once('.').ok_or(Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed)?;
        let key = read_header(&object(header)?)?;
        let claims = object(payload)?;
        if claims.keys().any(|name| is_misspelt(name, &CLAIMS)) {
            return Err(Malformed);
        }
        let _ = optional(&claims, "jti", visible)?;
        Ok(Self {
            key,
            signed,
            tag: decode(tag)?.try_into().map_err(|_length| Malformed)?,
            times: Times {
                // RFC 7519 leaves exp optional; a session must have an end.
                expires: optional(&claims, "exp", date)?.ok_or(Malformed)?,
                not_before: optional(&claims, "nbf", date)?,
                issued_at: optional(&claims, "iat", date)?,
            },
            audience: optional(&claims, "aud", audience)?,
            bound: optional(&claims, "cnf", confirmation_key)?,
            claims: Claims {
                subject: optional(&claims, "sub", visible)?,
                methods: optional(&claims, "methods", strings)?
                    .map(|listed| Methods::of(listed.iter().map(String::as_str))),
                paths: optional(&claims, "paths", patterns)?,
                origin: optional(&claims, "origin", origin)?,
            },
        })
    }

    /// Returns the id of the key that the session names.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the `cnf` kid of a bound session, which is only valid with a signature by its session
    /// secret.
    pub fn bound_to(&self) -> Option<&str> {
        self.bound.as_deref()
    }

    /// Returns true if the session names an audience (`aud`).
    pub const fn names_audience(&self) -> bool {
        self.audience.is_some()
    }

    /// Returns the moment from which the session is no longer valid.
    pub const fn expires(&self) -> Timestamp {
        self.times.expires
    }

    /// Verifies the MAC, then the times and the audience.
    ///
    /// # Errors
    /// `signature-invalid`, `session-expired`, `session-not-yet-valid`, `session-too-long`,
    /// `audience-mismatch`.
    pub fn verify(self, key: &DerivedKey, limits: &Limits<'_>) -> Result<Claims, Refusal> {
        if !key.verifies(self.signed.as_bytes(), &self.tag) {
            return Err(Refusal::SignatureInvalid);
        }
        self.times.check(limits)?;
        if let Some(audience) = &self.audience {
            let ours = |name: &String| {
                name == AUDIENCE
                    || (limits.audience.is_some()
                        && Origin::parse(name).as_ref() == limits.audience)
            };
            // RFC 7519 section 4.1.3: "If the principal processing the claim does not identify
            // itself with a value in the "aud" claim when this claim is present, then the JWT
            // MUST be rejected."
            if !audience.iter().any(ours) {
                return Err(Refusal::AudienceMismatch);
            }
        }
        Ok(self.claims)
    }
}

impl Times {
    fn check(&self, limits: &Limits<'_>) -> Result<(), Refusal> {
        let ahead = limits.now.plus_seconds(limits.clock_skew);
        // RFC 7519 section 4.1.4: "the expiration time on or after which the JWT MUST NOT be
        // accepted for processing". The skew does not extend it.
        if limits.now >= self.expires {
            return Err(Refusal::SessionExpired);
        }
        // RFC 7519 section 4.1.5: "the time before which the JWT MUST NOT be accepted".
        let starts = [self.not_before, self.issued_at];
        if starts.into_iter().flatten().any(|start| start > ahead) {
            return Err(Refusal::SessionNotYetValid);
        }
        if self.expires > ahead.plus_seconds(limits.session_max_ttl) {
            return Err(Refusal::SessionTooLong);
        }
        Ok(())
    }
}

/// The error for a malformed token.
struct Malformed;

/// Parses a JOSE header (RFC 7515 section 4.1) and returns its `kid`.
fn read_header(header: &Map<String, Value>) -> Result<String, Malformed> {
    // RFC 7515 section 4.1.11: a "crit" that is not understood MUST make the JWS invalid, and
    // none is understood here. RFC 7797 section 7: JWTs "MUST NOT use "b64" with a "false" value".
    if header.keys().any(|name| is_misspelt(name, &HEADER)) {
        return Err(Malformed);
    }
    let plain = header.get("alg").and_then(Value::as_str) == Some("HS256")
        && !["crit", "b64"].iter().any(|name| header.contains_key(*name));
    let typed = header
        .get("typ")
        .is_none_or(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")));
    let kid = header.get("kid").and_then(Value::as_str).unwrap_or_default();
    match plain && typed && keys::is_id(kid) {
        true => Ok(kid.to_owned()),
        false => Err(Malformed),
    }
}

/// Returns true if a name is almost, but not exactly, one that the gate reads: its author relies
/// on it, and it would be ignored.
fn is_misspelt(name: &str, read: &[&str]) -> bool {
    !read.contains(&name) && (read.iter().chain(&MISSPELT)).any(|meant| is_nearly(name, meant))
}

/// Returns true if two names differ only in case and punctuation.
fn is_nearly(name: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase())
    }
    letters(name).eq(letters(other))
}

/// Decodes canonical base64url without padding (RFC 7515 section 2).
fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_position| Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, Malformed> {
    match json::parse(&decode(part)?) {
        Some(Value::Object(members)) => Ok(members),
        Some(_) | None => Err(Malformed),
    }
}

/// Reads a claim that may be absent, with `read`. A malformed claim is an error, not an absent one.
fn optional<T>(
    claims: &Map<String, Value>,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, Malformed> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => read(value).map(Some).ok_or(Malformed),
    }
}

/// Reads a NumericDate.
fn date(value: &Value) -> Option<Timestamp> {
    Timestamp::from_numeric_date(value.as_f64()?)
}

/// Reads 1 to 128 visible ASCII characters.
fn visible(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// Reads a non-empty list of non-empty strings.
fn strings(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    list.iter()
        .map(|entry| entry.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
        .collect()
}

fn patterns(value: &Value) -> Option<Vec<Pattern>> {
    strings(value)?.iter().map(|path| Pattern::parse(path)).collect()
}

fn origin(value: &Value) -> Option<Origin> {
    Origin::parse(value.as_str()?)
}

/// Reads `aud`: one string or a list of strings.
fn audience(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(name) => Some(vec![name.clone()]),
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Reads `{"kid":"s_…"}` (RFC 7800 section 3.4): the name of a session secret, of 22 base64url characters.
fn confirmation_key(value: &Value) -> Option<String> {
    let kid = value.as_object()?.get("kid")?.as_str()?;
    let name = kid.strip_prefix("s_")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (name.len() == 22 && name.bytes().all(plain)).then(|| kid.to_owned())
}

/// Returns the `cnf` kid of a new bound session, made of random bytes.
pub fn kid_from_random(random: [u8; 16]) -> String {
    format!("s_{}", URL_SAFE_NO_PAD.encode(random))
}

/// The facts of a session that the gate mints for a page.
#[derive(Clone, Copy, Debug)]
pub struct PageSession<'a> {
    /// The current time.
    pub now: Timestamp,
    /// Lifetime, in seconds.
    pub ttl: i64,
    /// The gate's origin, as the page reached it.
    pub audience: &'a str,
    /// The page's origin.
    pub origin: &'a str,
    /// Random bytes for the session's own name.
    pub random: [u8; 16],
    /// The `cnf` kid, if the session is bound.
    pub kid: Option<&'a str>,
}

impl PageSession<'_> {
    /// Makes the session. Methods and paths are the key's, which are checked at each use.
    pub fn mint(&self, key: &KeyId, sk: &Secret) -> String {
        let now = self.now.seconds();
        let mut claims = ObjectWriter::new();
        claims.set("iat", now);
        claims.set("exp", now.saturating_add(self.ttl));
        claims.set("aud", self.audience);
        claims.set("origin", self.origin);
        claims.set("jti", URL_SAFE_NO_PAD.encode(self.random).as_str());
        if let Some(kid) = self.kid {
            let mut confirmation = ObjectWriter::new();
            confirmation.set("kid", kid);
            claims.set_object("cnf", confirmation);
        }
        sign(key, sk, &claims.end())
    }
}

/// Makes a session of `key` with these claims, signed with the key's `sk`.
pub fn mint(key: &KeyId, sk: &Secret, claims: &Map<String, Value>) -> String {
    sign(key, sk, &json_writer::text(&Value::Object(claims.clone())))
}

/// Signs a session of `key` with these claims, a JSON object.
fn sign(key: &KeyId, sk: &Secret, claims: &str) -> String {
    let mut header = ObjectWriter::new();
    header.set("alg", "HS256");
    header.set("kid", key.as_str());
    header.set("typ", "JWT");
    let mut token = URL_SAFE_NO_PAD.encode(header.end());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let tag = MacKey::new(sk).tag(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    token
}
