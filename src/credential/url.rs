//! Signed URLs and WAF-token URLs: credentials in the query of a URL, for pages that cannot send a
//! header (docs/wire-contract.md, "Signed URL" and "WAF-token URL"). Signed URLs are writegate's own
//! format; WAF-token URLs have the format of Cloudflare's `is_timed_hmac_valid_v0`.
//!
//! <https://developers.cloudflare.com/ruleset-engine/rules-language/functions/#hmac-validation>
//!
//! In scope: parsing both, their MACs and times, making them for the command. Out of scope: methods
//! (`gateway::authorize`), and removing the parameters from the query (`upstream::target`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::keys::{self, DerivedKey, KeyId};
use crate::problem::Refusal;

use super::{Limits, VerifyError, base};
use crate::base::digits;
use crate::base::mac::{MacKey, TAG_LEN};
use crate::base::percent::{self, Byte};

/// Most digits of `exp`: they reach until the year 33658.
const MAX_EXP_DIGITS: usize = 12;
/// Digits of the time in a WAF token.
const WAF_TIME_DIGITS: usize = 10;

/// Parameters that newsletters, advertisers and social networks add to URLs. After `sig` or `verify`
/// they are not part of the signed URL. Each name is used by one vendor only and means nothing to an
/// API.
pub const TRACKERS: [&str; 24] = [
    // Google Analytics and Ads.
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id", "gclid",
    "gclsrc", "dclid", "gbraid", "wbraid", "srsltid",
    // Meta, Microsoft, X, TikTok, LinkedIn, Yandex.
    "fbclid", "igshid", "msclkid", "twclid", "ttclid", "li_fat_id", "yclid",
    // Mailchimp, HubSpot, Marketo.
    "mc_cid", "mc_eid", "_hsenc", "_hsmi", "mkt_tok",
];

/// The credential in a query.
#[derive(Debug)]
pub enum UrlCredential<'a> {
    /// No credential.
    Nothing,
    /// A key id, without or beside another credential.
    Key(&'a str),
    /// A signed URL.
    Signed(SignedUrl<'a>),
    /// A WAF-token URL.
    Waf(WafUrl<'a>),
}

/// The query parameters that were the credential and so do not reach the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialParams {
    /// None.
    Nothing,
    /// `key`, anywhere in the query.
    Key,
    /// The last three parameters before trackers: `key`, `exp` and `sig`.
    Signed,
    /// The last parameter before trackers, `verify`, and `key`, anywhere in the query.
    Waf,
}

impl<'a> UrlCredential<'a> {
    /// Finds the credential in a raw query; nothing is decoded to find it. `waf_key` is the route's key
    /// for WAF-token URLs that name none.
    ///
    /// # Errors
    /// `ambiguous-credential` for two `key`s, `bad-credential` for a malformed signed or WAF-token URL.
    pub fn read(head: &Head<'a>, waf_key: Option<&'a KeyId>) -> Result<Self, Refusal> {
        let (mut keys, mut signatures) = (Vec::new(), 0_usize);
        let (mut last, mut has_verify) = ("", false);
        for (name, value) in head.parameters() {
            match name {
                "key" => keys.push(value),
                "sig" => signatures = signatures.saturating_add(1),
                "verify" => {
                    signatures = signatures.saturating_add(1);
                    has_verify = true;
                }
                tracker if TRACKERS.contains(&tracker) => continue,
                _ => {}
            }
            last = name;
        }
        let key = match keys.as_slice() {
            [] => None,
            [Some(key)] if keys::is_id(key) => Some(*key),
            [_] => return Err(Refusal::BadCredential),
            _ => return Err(Refusal::AmbiguousCredential),
        };
        match (key, waf_key.filter(|_| has_verify), signatures, last) {
            (None, None, _, _) => Ok(Self::Nothing),
            (Some(key), _, 0, _) => Ok(Self::Key(key)),
            (Some(key), _, 1, "sig") => SignedUrl::read(head, key).map(Self::Signed),
            (Some(key), _, 1, "verify") => WafUrl::read(head, key).map(Self::Waf),
            (None, Some(key), 1, "verify") => WafUrl::read(head, key.as_str()).map(Self::Waf),
            _ => Err(Refusal::BadCredential),
        }
    }

    /// Returns the key id that the credential names.
    pub const fn key(&self) -> Option<&'a str> {
        match self {
            Self::Nothing => None,
            Self::Key(key) => Some(key),
            Self::Signed(url) => Some(url.key),
            Self::Waf(url) => Some(url.key),
        }
    }
}

/// A well-formed signed URL: `…&key=<id>&exp=<unix time>&sig=<base64url>`.
#[derive(Debug)]
pub struct SignedUrl<'a> {
    key: &'a str,
    expires: Timestamp,
    message: String,
    tag: [u8; TAG_LEN],
}

impl<'a> SignedUrl<'a> {
    fn read(head: &Head<'a>, key: &'a str) -> Result<Self, Refusal> {
        let read = || {
            let (signed, sig) = without_trackers(head.target()).rsplit_once("&sig=")?;
            let (rest, exp) = signed.rsplit_once("&exp=")?;
            // The three are adjacent and in this order, so the part before `exp` ends with the key.
            let before = rest.strip_suffix(key)?.strip_suffix("key=")?;
            let expires = timestamp(exp, 1..=MAX_EXP_DIGITS)?;
            (before.ends_with(['?', '&']) && !exp.starts_with('0')).then_some(())?;
            Some(Self {
                key,
                expires,
                message: signed_message(&base::authority(head), signed),
                tag: URL_SAFE_NO_PAD.decode(sig).ok()?.try_into().ok()?,
            })
        };
        read().ok_or(Refusal::BadCredential)
    }

    /// Checks the MAC, then the time. Returns the moment from which the URL is no longer valid.
    ///
    /// # Errors
    /// `signature-invalid`, `bad-credential` for an end too far ahead, `url-expired`.
    pub fn verify(
        self,
        derived_key: &DerivedKey,
        limits: &Limits<'_>,
    ) -> Result<Timestamp, VerifyError> {
        if !derived_key.verifies(self.message.as_bytes(), &self.tag) {
            return Err(Refusal::SignatureInvalid.into());
        }
        if self.expires > limits.now.plus_seconds(derived_key.key().url_ttl) {
            return Err(Refusal::BadCredential.into());
        }
        match limits.now < self.expires {
            true => Ok(self.expires),
            false => Err(Refusal::UrlExpired.into()),
        }
    }
}

/// Returns the target, or the query, of a signed or WAF-token URL without the trackers that somebody
/// added at its end.
pub fn without_trackers(url: &str) -> &str {
    let mut url = url;
    while let Some((before, last)) = url.rsplit_once('&') {
        let name = last.split('=').next().unwrap_or_default();
        if !TRACKERS.contains(&name) {
            break;
        }
        url = before;
    }
    url
}

fn signed_message(authority: &str, signed: &str) -> String {
    format!("writegate-url-v1\n{authority}\n{signed}")
}

/// Signs the path and query of `head`, which must not have `key`, `exp` or `sig` yet. Returns them with
/// the three parameters.
pub fn sign(head: &Head<'_>, key: &KeyId, expires: Timestamp, sk: &MacKey) -> String {
    let (target, joint) = (head.target(), joint(head));
    let signed = format!("{target}{joint}key={key}&exp={}", expires.seconds());
    let message = signed_message(&base::authority(head), &signed);
    let sig = URL_SAFE_NO_PAD.encode(sk.tag(message.as_bytes()));
    format!("{signed}&sig={sig}")
}

/// Returns the character that joins another parameter to the target.
fn joint(head: &Head<'_>) -> &'static str {
    match head.query() {
        None => "?",
        Some(_) => "&",
    }
}

/// A well-formed WAF-token URL: `…verify=<10 digits issued>-<mac>`.
#[derive(Debug)]
pub struct WafUrl<'a> {
    key: &'a str,
    issued: Timestamp,
    message: String,
    tag: [u8; TAG_LEN],
}

impl<'a> WafUrl<'a> {
    fn read(head: &Head<'a>, key: &'a str) -> Result<Self, Refusal> {
        let read = || {
            let (before, token) = without_trackers(head.target()).rsplit_once("verify=")?;
            let signed = before.strip_suffix(['?', '&'])?;
            let (digits, mac) = token.split_once('-')?;
            Some(Self {
                key,
                issued: timestamp(digits, WAF_TIME_DIGITS..=WAF_TIME_DIGITS)?,
                message: format!("{signed}{digits}"),
                tag: waf_tag(mac)?,
            })
        };
        read().ok_or(Refusal::BadCredential)
    }

    /// Checks the MAC under `WAF_SECRET`, then the time. Returns the moment from which the URL is no
    /// longer valid.
    ///
    /// # Errors
    /// `signature-invalid`, `url-expired`; [`VerifyError::NoWafSecret`].
    pub fn verify(
        self,
        derived_key: &DerivedKey,
        limits: &Limits<'_>,
    ) -> Result<Timestamp, VerifyError> {
        let secret = limits.waf_secret.ok_or(VerifyError::NoWafSecret)?;
        if !secret.verify(self.message.as_bytes(), &self.tag) {
            return Err(Refusal::SignatureInvalid.into());
        }
        let end = self.issued.plus_seconds(derived_key.key().url_ttl);
        let over = limits.now >= end;
        let early = self.issued > limits.now.plus_seconds(limits.clock_skew);
        match over || early {
            true => Err(Refusal::UrlExpired.into()),
            false => Ok(end),
        }
    }
}

/// Signs the path and query of `head` in the WAF-token format, issued at this time. `key` is named in
/// the signed part, unless it is the route's `waf_key`.
pub fn sign_waf(
    head: &Head<'_>,
    key: Option<&KeyId>,
    issued: Timestamp,
    waf_secret: &MacKey,
) -> String {
    let mut signed = head.target().to_owned();
    let mut joint = joint(head);
    if let Some(key) = key {
        signed.push_str(&format!("{joint}key={key}"));
        joint = "&";
    }
    let digits = format!("{:010}", issued.seconds());
    let tag = waf_secret.tag(format!("{signed}{digits}").as_bytes());
    let mac = URL_SAFE_NO_PAD.encode(tag);
    format!("{signed}{joint}verify={digits}-{mac}")
}

/// Parses a time of only digits.
fn timestamp(digits: &str, length: core::ops::RangeInclusive<usize>) -> Option<Timestamp> {
    let digits = Some(digits).filter(|digits| length.contains(&digits.len()))?;
    Some(Timestamp::from_seconds(digits::parse(digits)?))
}

/// Parses the MAC: base64url without padding, or standard base64 in which any character may be
/// percent-encoded.
fn waf_tag(text: &str) -> Option<[u8; TAG_LEN]> {
    // 44 characters, each as three.
    if text.len() > 132 {
        return None;
    }
    let bytes = match text.len() {
        43 => URL_SAFE_NO_PAD.decode(text).ok()?,
        _ => STANDARD.decode(percent_decoded(text)?).ok()?,
    };
    bytes.try_into().ok()
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let plain = |byte: Byte| (byte != Byte::Broken).then(|| byte.value());
    percent::decode(text).map(plain).collect()
}
