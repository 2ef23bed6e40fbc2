//! Says why a query is not a credential, or that somebody changed a signed URL. It never shows a value that may be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use writegate::credential::url::TRACKERS;
use writegate::{Head, KeyId};

use super::gate::Local;
use super::limits;
use super::secrets::{Checked, ensure, secret_in, shown};

/// Finds the fault in a query. `is_alone`: the request has no other credential.
///
/// # Errors
/// A sentence about it.
pub(super) fn check(head: &Head<'_>, local: &Local, is_alone: bool) -> Checked {
    let parameters: Vec<_> = head.parameters().collect();
    let value = |wanted: &str| {
        parameters.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| *value)
    };
    for (name, value) in &parameters {
        let value = percent_decode_str(value.unwrap_or_default()).decode_utf8_lossy();
        if let Some(fault) = secret_in(&value, local) {
            return Err(format!("{} in the URL: {fault}", shown(name).unwrap_or("a parameter")));
        }
    }
    let is_html = parameters.iter().any(|(name, _)| name.starts_with("amp;"));
    ensure(!is_html, "the URL is escaped as in HTML: write & in the place of each &amp;")?;
    let query = head.query().unwrap_or_default().to_ascii_lowercase();
    let encoded = ["%26sig%3d", "%26verify%3d", "%26sig=", "%26verify="];
    let fault =
        "the query is percent-encoded as a whole: = and & between its parameters stay as they are";
    ensure(!encoded.iter().any(|part| query.contains(part)), fault)?;
    let ids = || parameters.iter().filter(|(name, _)| *name == "key");
    ensure(ids().count() < 2, "the URL has the parameter key twice")?;
    let is_id = ids().all(|(_, id)| KeyId::parse(id.unwrap_or_default()).is_some());
    ensure(is_id, "the parameter key is not a key's id: 1 to 128 of A-Z a-z 0-9 . _ -")?;
    let is_mac = |(name, _): &&(&str, Option<&str>)| ["sig", "verify"].contains(name);
    let Some(at) = parameters.iter().position(|one| is_mac(&one)) else {
        return Ok(());
    };
    let name = parameters[at].0;
    ensure(parameters.iter().filter(is_mac).count() < 2, "the URL has sig or verify twice")?;
    ensure(value("key").is_some() || name != "sig", "the URL has sig and no key")?;
    let mut after = parameters[at + 1..].iter().map(|(name, _)| name);
    if let Some(added) = after.find(|name| !TRACKERS.contains(name)) {
        let added = match shown(added) {
            Some(added) => format!("the parameter {added} comes"),
            None => "another parameter comes".to_owned(),
        };
        return Err(format!(
            "{added} after {name}, which must be the last one: somebody added it to the signed URL. Only known trackers, \
             such as utm_source and fbclid, may follow"
        ));
    }
    if name == "sig" {
        let order: Vec<&str> =
            parameters[..=at].iter().map(|(name, _)| *name).rev().take(3).collect();
        let fault = "a signed URL ends with key, exp and sig, in this order; this one does not";
        ensure(order == ["sig", "exp", "key"], fault)?;
        let digits = value("exp").unwrap_or_default();
        let is_number = digits.bytes().all(|b| b.is_ascii_digit());
        let hint = if is_number && digits.len() == 13 { ", but in milliseconds" } else { "" };
        let is_time = is_number && (1..=12).contains(&digits.len()) && !digits.starts_with('0');
        ensure(is_time, format!("exp in the URL is not a time in seconds{hint}"))?;
        let tag = value("sig").and_then(|sig| URL_SAFE_NO_PAD.decode(sig).ok());
        let fault = "sig in the URL is not 32 bytes as base64url: the URL was cut off, was encoded once more, or has something at its end";
        ensure(tag.is_some_and(|tag| tag.len() == 32), fault)?;
        return match value("key").and_then(|id| local.key(id)) {
            Some(key) if is_alone => Err(format!(
                "exp is further ahead than the key's url_ttl allows, which is {} s",
                key.url_ttl
            )),
            _ => Ok(()),
        };
    }
    let has_key = value("key").is_some()
        || limits::route(head, local).is_some_and(|route| route.waf_key.is_some());
    let fault = "the URL has verify, and names no key: neither by the parameter key nor by the route's waf_key";
    ensure(has_key, fault)?;
    let form = value("verify").unwrap_or_default().split_once('-');
    let is_well_formed = form.is_some_and(|(digits, mac)| {
        digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()) && mac.len() >= 43
    });
    ensure(is_well_formed, "verify in the URL is not ten digits, a dash and a MAC")
}

/// Returns a sentence about a URL that may be what is left of a signed one.
pub(super) fn rest(head: &Head<'_>) -> Option<String> {
    let has = |wanted: &str| head.parameters().any(|(name, _)| name == wanted);
    (has("key") && !has("sig") && !has("verify")).then(|| {
        "the URL has key and no sig: if it was a signed URL, it was cut off, as a shell does at an & outside quotes"
            .to_owned()
    })
}
