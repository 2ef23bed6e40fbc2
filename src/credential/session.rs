//! Sessions: JWTs (RFC 7519) in compact serialization (RFC 7515 section 7.1), HS256 and nothing
//! else. The algorithm is never taken from the token; what the token says is only compared.
//!
//! In scope: form, MAC, times, audience, and minting for the command. Out of scope: what the
//! claims `methods`, `paths` and `origin` allow (`policy`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::base::json;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::keys::DerivedKey;
use crate::keys::{self, KeyId};
use crate::policy::origin::Origin;
use crate::policy::path::Pattern;
use crate::problem::Refusal;

use super::Limits;
use crate::base::mac::{MacKey, TAG_LEN};
use crate::base::methods::Methods;

/// Longest token in bytes: a session has a dozen short claims, and everything in it is parsed
/// before its MAC is known to be good.
pub const MAX_TOKEN_BYTES: usize = 4_096;
/// Longest `sub` or `jti` in bytes: they go into logs and, if asked for, into a header.
const MAX_NAME_BYTES: usize = 128;
/// Claims that the gate reads.
const CLAIMS: [&str; 10] =
    ["exp", "nbf", "iat", "aud", "sub", "jti", "cnf", "methods", "paths", "origin"];
/// Names that would be a restriction if they were spelt right, or stood in a key's record.
const MISSPELT: [&str; 5] = ["method", "path", "origins", "allowed_origins", "allowed_ips"];
/// Members that the gate reads of a JOSE header, and `crit`, which it refuses.
const HEADER: [&str; 4] = ["alg", "typ", "kid", "crit"];
/// The audience every gate answers to.
const AUDIENCE: &str = "writegate";

/// A token of the right form. Nothing in it is known to be true.
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

/// What a session says of its bearer and of what it is for.
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

/// Valid while `not_before <= now + skew` and `now < expires`.
#[derive(Debug)]
struct Times {
    expires: Timestamp,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
}

impl<'a> Session<'a> {
    /// Takes a token apart, strictly.
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
        optional(&claims, "jti", visible)?;
        Ok(Self {
            key,
            signed,
            tag: decode(tag)?.try_into().map_err(|_length| Malformed)?,
            times: Times {
                // RFC 7519 leaves exp optional; a session without an end is not one.
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

    /// The id of the key it claims to be of.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name of the key that it is bound to (`cnf`): it is then good only with a signature by that
    /// key.
    #[must_use]
    pub fn bound_to(&self) -> Option<&str> {
        self.bound.as_deref()
    }

    /// Returns true if it says whom it is for (`aud`).
    #[must_use]
    pub const fn names_audience(&self) -> bool {
        self.audience.is_some()
    }

    /// The moment from which it is no longer good.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.times.expires
    }

    /// Checks the MAC, then the times and the audience.
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

/// A token, or a part of one, that does not have its form.
struct Malformed;

/// The `kid` of a JOSE header that is exactly ours (RFC 7515 section 4.1).
fn read_header(header: &Map<String, Value>) -> Result<String, Malformed> {
    // RFC 7515 section 4.1.11: a "crit" that is not understood MUST make the JWS invalid, and
    // none is understood here.
    if header.keys().any(|name| is_misspelt(name, &HEADER)) {
        return Err(Malformed);
    }
    let plain =
        header.get("alg").and_then(Value::as_str) == Some("HS256") && !header.contains_key("crit");
    let typed = header
        .get("typ")
        .is_none_or(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")));
    let kid = header.get("kid").and_then(Value::as_str).unwrap_or_default();
    match plain && typed && keys::is_id(kid) {
        true => Ok(kid.to_owned()),
        false => Err(Malformed),
    }
}

/// Returns true if a name is one of those that the gate reads, or nearly, but not exactly: whoever wrote
/// it relies on it, and it would be ignored.
fn is_misspelt(name: &str, read: &[&str]) -> bool {
    !read.contains(&name) && (read.iter().chain(&MISSPELT)).any(|meant| is_nearly(name, meant))
}

/// Returns true if two names are the same but for case, `_` and the like.
fn is_nearly(name: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase())
    }
    letters(name).eq(letters(other))
}

/// Canonical base64url without padding (RFC 7515 section 2).
fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_position| Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, Malformed> {
    match json::parse(&decode(part)?) {
        Some(Value::Object(members)) => Ok(members),
        Some(_) | None => Err(Malformed),
    }
}

/// A claim that may be absent, and is read with `read` when it is not. Malformed is not absent.
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

/// A NumericDate.
fn date(value: &Value) -> Option<Timestamp> {
    Timestamp::from_numeric_date(value.as_f64()?)
}

/// 1 to 128 visible ASCII characters.
fn visible(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// A list of strings, neither it nor they empty.
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

/// `aud`: one string or a list of them.
fn audience(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(name) => Some(vec![name.clone()]),
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// `{"kid":"s_…"}` (RFC 7800 section 3.4): the name of a session key, 16 random bytes.
fn confirmation_key(value: &Value) -> Option<String> {
    let kid = value.as_object()?.get("kid")?.as_str()?;
    let random = decode(kid.strip_prefix("s_")?).ok()?;
    (random.len() == 16).then(|| kid.to_owned())
}

/// Makes a session of `key` with these claims, signed with the key's `sk`.
#[must_use]
pub fn mint(key: &KeyId, sk: &Secret, claims: &Map<String, Value>) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": key.as_str()}).to_string();
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(Value::Object(claims.clone()).to_string(), &mut token);
    let tag = MacKey::new(sk).tag(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    token
}
