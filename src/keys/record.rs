//! Key records (docs/wire-contract.md, "Keys").
//!
//! In scope: parsing a record strictly. Out of scope: storing records, the secrets derived for keys
//! (`derived_key`), and deciding about requests (`gateway::authorize`).

use serde_json::Value;

use super::quota::Quota;
use crate::base::json::{FieldError, Fields};
use crate::base::methods::{METHODS, METHODS_HINT, Methods};
use crate::base::time::Timestamp;
use crate::policy::network::Network;
use crate::policy::origin::OriginPattern;
use crate::policy::path::{PATTERN_HINT, Pattern};

use super::id::KeyId;

/// Longest `ttl` of a minted session, in seconds: it is a bearer token in a browser.
const MAX_MINT_TTL: u64 = 3_600;

const ORIGINS_HINT: &str = "expected origins such as \"https://www.example.com\" or \"https://*.example.com\", without a path or a final /, as browsers send them (xn--…, IPv4 as four numbers)";
const NETWORKS_HINT: &str =
    "expected addresses or networks such as \"203.0.113.0/24\", with zeros after the prefix";

/// A kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A JWT, sent as a bearer token.
    Session,
    /// An RFC 9421 signature.
    Signature,
    /// A signed URL.
    Url,
    /// A WAF-token URL.
    WafUrl,
    /// Only the key id.
    PublicKey,
}

impl Scheme {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Session, Self::Signature, Self::Url, Self::WafUrl, Self::PublicKey];

    /// Returns the name of the scheme in a record and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Signature => "signature",
            Self::Url => "url",
            Self::WafUrl => "waf-url",
            Self::PublicKey => "public-key",
        }
    }

    /// Returns true if the credential is a bare public key, which proves nothing.
    pub const fn is_bare(self) -> bool {
        match self {
            Self::PublicKey => true,
            Self::Session | Self::Signature | Self::Url | Self::WafUrl => false,
        }
    }
}

/// The combination of a key's two lists, origins and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Both must match.
    All,
    /// Either must match.
    Any,
}

/// The sessions that the gate mints for pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mint {
    /// Lifetime of a session, in seconds.
    pub ttl: i64,
    /// Each session is bound to a session secret of its own.
    pub bind: bool,
}

/// A key record.
#[derive(Clone, Debug)]
pub struct Key {
    /// Public id.
    pub id: KeyId,
    /// Version; a higher one replaces the key secret.
    pub version: u32,
    /// The key is revoked, until this is undone.
    pub revoked: bool,
    /// Expiry date.
    pub expires: Option<Timestamp>,
    /// Schemes that the key may be used with.
    pub schemes: Vec<Scheme>,
    /// Allowed methods; never empty.
    pub methods: Methods,
    /// Allowed paths; `None` allows all.
    pub paths: Option<Vec<Pattern>>,
    /// Allowed origins of pages; `None` allows all.
    pub allowed_origins: Option<Vec<OriginPattern>>,
    /// Allowed networks of callers; `None` allows all.
    pub allowed_ips: Option<Vec<Network>>,
    /// Combination of `allowed_origins` and `allowed_ips`.
    pub matching: Match,
    /// Name of the rate limiter that counts the key's requests, as the record states it.
    pub rate: Option<String>,
    /// Quota of a day or a month.
    pub quota: Option<Quota>,
    /// Only an RFC 9421 signature with a nonce is accepted.
    pub nonce_required: bool,
    /// Longest validity, in seconds, of a signed or WAF-token URL.
    pub url_ttl: i64,
    /// The sessions that the gate mints for the pages of `allowed_origins`.
    pub mint: Option<Mint>,
    /// The key opens the gate's own paths and nothing else.
    pub admin: bool,
}

impl Key {
    /// Parses a record, found at `path` of the configuration or the body.
    ///
    /// # Errors
    /// For every field that is unknown, null, of another type or form, or contradicts another.
    pub fn parse(path: &str, record: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::new(path, record)?;
        let id = fields.required("id")?;
        let id = KeyId::parse(&id)
            .ok_or_else(|| fields.error("id", "expected 1 to 128 of A-Z a-z 0-9 . _ -"))?;
        let _name = fields.string("name")?;
        let lists_methods = fields.has("methods");
        let version = fields.integer("version", 1..=u64::from(u32::MAX), 1)?;
        let key = Self {
            id,
            version: u32::try_from(version).unwrap_or(u32::MAX),
            revoked: fields.flag("revoked")?,
            expires: expires(&mut fields)?,
            schemes: schemes(&mut fields)?,
            methods: methods(&mut fields)?,
            paths: fields.list("paths", PATTERN_HINT, Pattern::parse)?,
            allowed_origins: fields.list("allowed_origins", ORIGINS_HINT, OriginPattern::parse)?,
            allowed_ips: fields.list("allowed_ips", NETWORKS_HINT, Network::parse)?,
            matching: matching(&mut fields)?,
            rate: rate(&mut fields)?,
            quota: fields
                .value("quota")?
                .map(|quota| Quota::parse(fields.at("quota"), quota))
                .transpose()?,
            nonce_required: nonce_required(&mut fields)?,
            url_ttl: i64::try_from(fields.integer("url_ttl", 1..=u64::from(u32::MAX), 604_800)?)
                .unwrap_or(i64::MAX),
            mint: mint(&mut fields)?,
            admin: fields.flag("admin")?,
        };
        key.check_combinations(&fields)?;
        key.check_mint(&fields, lists_methods)?;
        fields.finish()?;
        Ok(key)
    }

    fn check_combinations(&self, fields: &Fields) -> Result<(), FieldError> {
        let narrowed = self.allowed_origins.is_some() || self.allowed_ips.is_some();
        if self.schemes.contains(&Scheme::PublicKey) && (self.paths.is_none() || !narrowed) {
            return Err(fields.error("schemes", "public-key proves nothing about the caller, so it requires paths, and allowed_origins or allowed_ips",
            ));
        }
        let proving = [Scheme::Session, Scheme::Signature];
        if self.admin && !self.schemes.iter().all(|scheme| proving.contains(scheme)) {
            return Err(fields.error("schemes", "an admin key may have session and signature only"));
        }
        Ok(())
    }

    /// Checks what `mint` requires: anybody on a page of `allowed_origins` gets a session, so the record
    /// must say what such a session may do, and must accept it.
    fn check_mint(&self, fields: &Fields, lists_methods: bool) -> Result<(), FieldError> {
        let Some(mint) = self.mint else {
            return Ok(());
        };
        let narrowed = self.allowed_origins.is_some() && self.paths.is_some() && lists_methods;
        let requirements = [
            ("mint", !self.admin, "an admin key may not mint sessions"),
            (
                "mint",
                narrowed,
                "requires allowed_origins, methods and paths, because anybody on those pages gets a session",
            ),
            (
                "mint",
                self.schemes.contains(&Scheme::Session),
                "requires session among schemes, because it makes sessions",
            ),
            (
                "mint.bind",
                mint.bind || !self.nonce_required,
                "must be true where nonce is required, because only a bound session comes with a nonce",
            ),
        ];
        match requirements.into_iter().find(|(_, is_met, _)| !is_met) {
            Some((name, _, hint)) => Err(fields.error(name, hint)),
            None => Ok(()),
        }
    }
}

fn expires(fields: &mut Fields) -> Result<Option<Timestamp>, FieldError> {
    let hint = "expected an RFC 3339 date or time such as \"2027-06-30T00:00:00Z\"";
    fields.parse("expires", hint, Timestamp::parse_rfc3339)
}

fn schemes(fields: &mut Fields) -> Result<Vec<Scheme>, FieldError> {
    let parse = |text: &str| Scheme::ALL.into_iter().find(|scheme| scheme.name() == text);
    let hint = "expected some of session, signature, url, waf-url, public-key";
    Ok(fields.list("schemes", hint, parse)?.unwrap_or_else(|| vec![Scheme::Session]))
}

/// Parses the methods of a key: all when there is no list.
fn methods(fields: &mut Fields) -> Result<Methods, FieldError> {
    let parse = |text: &str| METHODS.into_iter().find(|method| *method == text);
    let listed = fields.list("methods", METHODS_HINT, parse)?;
    Ok(listed.map_or(Methods::ALL, Methods::of))
}

fn matching(fields: &mut Fields) -> Result<Match, FieldError> {
    let read = |text: &str| match text {
        "all" => Some(Match::All),
        "any" => Some(Match::Any),
        _ => None,
    };
    let matching = fields.parse("match", "expected \"all\" or \"any\"", read)?;
    Ok(matching.unwrap_or(Match::All))
}

fn rate(fields: &mut Fields) -> Result<Option<String>, FieldError> {
    let hint = "expected the name of a rate limiter: \"standard\" for the binding RATE_STANDARD";
    let read = |name: &str| is_limiter_name(name).then(|| name.to_owned());
    fields.parse("rate", hint, read)
}

fn nonce_required(fields: &mut Fields) -> Result<bool, FieldError> {
    let read = |text: &str| (text == "required").then_some(());
    let nonce = fields.parse("nonce", "expected \"required\"", read)?;
    Ok(nonce.is_some())
}

fn mint(fields: &mut Fields) -> Result<Option<Mint>, FieldError> {
    let Some(mint) = fields.value("mint")? else {
        return Ok(None);
    };
    let mut mint = Fields::new(fields.at("mint"), mint)?;
    let ttl = mint.integer("ttl", 1..=MAX_MINT_TTL, 300)?;
    let parsed = Mint { ttl: i64::try_from(ttl).unwrap_or(i64::MAX), bind: mint.flag("bind")? };
    mint.finish()?;
    Ok(Some(parsed))
}

/// Returns true if `name` has the form of a limiter's name.
pub fn is_limiter_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_id_is_required() {
        let key = Key::parse("KEYS[0]", json!({"id": "pk_site"})).unwrap();
        assert_eq!(key.version, 1);
        assert_eq!(key.schemes, [Scheme::Session]);
        assert_eq!(key.methods, Methods::ALL);
        assert!(key.paths.is_none() && !key.revoked && !key.admin);
    }

    #[test]
    fn what_mints_is_narrow_and_takes_what_it_mints() {
        let with = |more: Value| {
            let mut record = json!({"id": "a", "mint": {}, "allowed_origins": ["https://a.example"],
                "methods": ["GET"], "paths": ["/a"]});
            for (name, value) in more.as_object().unwrap() {
                record[name] = value.clone();
            }
            record.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            Key::parse("KEYS[0]", record)
        };
        for (more, ttl, bind) in [
            (json!({}), 300, false),
            (json!({"mint": {"ttl": 1}, "schemes": ["url", "session"]}), 1, false),
            (json!({"mint": {"ttl": 3_600, "bind": true}, "nonce": "required"}), 3_600, true),
        ] {
            assert_eq!(with(more.clone()).unwrap().mint, Some(Mint { ttl, bind }), "{more}");
        }
        for (more, field) in [
            (json!({"allowed_origins": null}), "KEYS[0].mint"),
            (json!({"methods": null}), "KEYS[0].mint"),
            (json!({"paths": null}), "KEYS[0].mint"),
            (json!({"admin": true}), "KEYS[0].mint"),
            (json!({"schemes": ["signature"]}), "KEYS[0].mint"),
            (json!({"nonce": "required"}), "KEYS[0].mint.bind"),
            (json!({"mint": {"ttl": 0}}), "KEYS[0].mint.ttl"),
            (json!({"mint": {"ttl": 3_601}}), "KEYS[0].mint.ttl"),
            (json!({"mint": {"bound": true}}), "KEYS[0].mint.bound"),
        ] {
            assert_eq!(with(more.clone()).unwrap_err().field, field, "{more}");
        }
    }
}
