//! Says why a query is no credential, or was one before somebody changed the URL. No value is shown that may be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use writegate::credential::url::TRACKERS;
use writegate::{Head, KeyId};

use super::gate::Local;
use super::limits;
use super::secrets::{secret_in, shown};

/// Returns a sentence about the query; `None` for one without a fault. `is_alone`: there is no other credential.
pub(super) fn fault(head: &Head<'_>, local: &Local, is_alone: bool) -> Option<String> {
    let parameters: Vec<_> = head.parameters().collect();
    let value = |wanted: &str| {
        parameters.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| *value)
    };
    for (name, value) in &parameters {
        let value = percent_decode_str(value.unwrap_or_default()).decode_utf8_lossy();
        if let Some(fault) = secret_in(&value, local) {
            return Some(format!("{} in the URL: {fault}", shown(name).unwrap_or("a parameter")));
        }
    }
    if parameters.iter().any(|(name, _)| name.starts_with("amp;")) {
        return Some(
            "the URL is escaped as in HTML: write & in the place of each &amp;".to_owned(),
        );
    }
    let query = head.query().unwrap_or_default().to_ascii_lowercase();
    if ["%26sig%3d", "%26verify%3d", "%26sig=", "%26verify="]
        .iter()
        .any(|part| query.contains(part))
    {
        return Some("the query is percent-encoded as a whole: = and & between its parameters stay as they are".to_owned());
    }
    let mut ids = parameters.iter().filter(|(name, _)| *name == "key");
    match (ids.next(), ids.next()) {
        (Some(_), Some(_)) => return Some("the URL has the parameter key twice".to_owned()),
        (Some((_, id)), None) if KeyId::parse(id.unwrap_or_default()).is_none() => {
            return Some(
                "the parameter key is no key's id: 1 to 128 of A-Z a-z 0-9 . _ -".to_owned(),
            );
        }
        _ => {}
    }
    let at = parameters.iter().position(|(name, _)| ["sig", "verify"].contains(name))?;
    let name = parameters[at].0;
    let twice = parameters.iter().filter(|(name, _)| ["sig", "verify"].contains(name)).count() > 1;
    if twice {
        return Some("the URL has sig or verify twice".to_owned());
    }
    if value("key").is_none() && name == "sig" {
        return Some("the URL has sig and no key".to_owned());
    }
    let after: Vec<&str> = parameters[at + 1..].iter().map(|(name, _)| *name).collect();
    if let Some(added) = after.iter().find(|name| !TRACKERS.contains(name)) {
        let added = match shown(added) {
            Some(added) => format!("the parameter {added} comes"),
            None => "another parameter comes".to_owned(),
        };
        return Some(format!(
            "{added} after {name}, which must be the last one: somebody added it to the signed URL. Only known trackers, \
             such as utm_source and fbclid, may follow"
        ));
    }
    if name == "sig" {
        let order: Vec<&str> =
            parameters[..=at].iter().map(|(name, _)| *name).rev().take(3).collect();
        if order != ["sig", "exp", "key"] {
            return Some(
                "a signed URL ends with key, exp and sig, in this order; this one does not"
                    .to_owned(),
            );
        }
        let digits = value("exp").unwrap_or_default();
        if !digits.bytes().all(|b| b.is_ascii_digit())
            || digits.is_empty()
            || digits.starts_with('0')
            || digits.len() > 12
        {
            let is_milliseconds = digits.len() == 13 && digits.bytes().all(|b| b.is_ascii_digit());
            let hint = if is_milliseconds { ", but in milliseconds" } else { "" };
            return Some(format!("exp in the URL is no time in seconds{hint}"));
        }
        let tag = value("sig").and_then(|sig| URL_SAFE_NO_PAD.decode(sig).ok());
        if tag.is_none_or(|tag| tag.len() != 32) {
            return Some("sig in the URL is not 32 bytes as base64url: the URL was cut off, was encoded once more, or has something at its end".to_owned());
        }
        let key = value("key").and_then(|id| local.key(id));
        return key.filter(|_| is_alone).map(|key| {
            format!(
                "exp is further ahead than the key's url_ttl allows, which is {} s",
                key.url_ttl
            )
        });
    }
    let has_key = value("key").is_some()
        || limits::route(head, local).is_some_and(|route| route.waf_key.is_some());
    if !has_key {
        return Some(
            "the URL has verify, and names no key: neither by the parameter key nor by the route's waf_key"
                .to_owned(),
        );
    }
    let form = value("verify").unwrap_or_default().split_once('-');
    let is_well_formed = form.is_some_and(|(digits, mac)| {
        digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()) && mac.len() >= 43
    });
    (!is_well_formed).then(|| "verify in the URL is not ten digits, a dash and a MAC".to_owned())
}

/// Returns a sentence about a URL that may be what is left of a signed one.
pub(super) fn rest(head: &Head<'_>) -> Option<String> {
    let has = |wanted: &str| head.parameters().any(|(name, _)| name == wanted);
    (has("key") && !has("sig") && !has("verify")).then(|| {
        "the URL has key and no sig: if it was a signed URL, it was cut off, as a shell does at an & outside quotes"
            .to_owned()
    })
}
