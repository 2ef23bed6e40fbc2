//! Names the part of a malformed credential that is at fault. No value is shown that may be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use writegate::credential::session::{MAX_TOKEN_BYTES, Session};
use writegate::credential::url::TRACKERS;
use writegate::policy::{origin::Origin, path::Pattern};
use writegate::{Head, KeyId, Timestamp};

use crate::token_patterns;

use super::gate::Local;
use super::request_input::RequestInput;

/// The text of a variable that was not set, in some language or template.
const UNSET: [&str; 9] = [
    "undefined", "null", "nil", "none", "nan", "false", "true", "[object object]",
    "[object promise]",
];

/// Sentences about the parts of the request's credentials that a gate cannot read.
pub(super) fn faults(request: &RequestInput, head: &Head<'_>, local: &Local) -> Vec<String> {
    let mut faults = Vec::new();
    let own = ["signature", "signature-input", "content-digest"];
    for (name, value) in request.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        let fault = secret_in(value, local).map(|fault| format!("{name}: {fault}"));
        faults.extend(fault.or_else(|| match name.as_str() {
            "authorization" => authorization(value),
            "x-public-key" if KeyId::parse(value).is_none() => {
                Some("X-Public-Key is no key's id: 1 to 128 of A-Z a-z 0-9 . _ -".to_owned())
            }
            _ => None,
        }));
    }
    faults.extend(query(head, local));
    match (request.header("signature-input"), request.header("signature")) {
        (Some(_), None) => faults.push("there is Signature-Input and no Signature".to_owned()),
        (None, Some(_)) => faults.push("there is Signature and no Signature-Input".to_owned()),
        _ => {}
    }
    faults
}

fn authorization(value: &str) -> Option<String> {
    if let Some(odd) = value.chars().find(|character| !matches!(character, ' '..='~')) {
        return Some(format!(
            "Authorization has the character U+{:04X}, as word processors and web pages write it: type it as plain ASCII",
            u32::from(odd)
        ));
    }
    if value.contains(',') {
        return Some(
            "there are two Authorization headers, or a comma in it: send one session".to_owned(),
        );
    }
    let (scheme, token) = match value.split_once(' ') {
        Some((scheme, token)) => (scheme, token.trim_start_matches(' ')),
        None => (value, ""),
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        let is_sticking = scheme.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
        let is_name = scheme.len() <= 12 && scheme.bytes().all(|b| b.is_ascii_alphabetic());
        return Some(if is_sticking {
            "after Bearer there must be a blank and nothing else before the session".to_owned()
        } else if token.is_empty() && value.split('.').count() == 3 {
            "Authorization has no Bearer: write \"Authorization: Bearer\" before the session"
                .to_owned()
        } else if token.is_empty() {
            "Authorization has no Bearer and no session".to_owned()
        } else if is_name {
            format!("Authorization has the scheme {scheme}; a session comes with Bearer")
        } else {
            "Authorization has no scheme that is known; a session comes with Bearer".to_owned()
        });
    }
    if token.starts_with("pk_") {
        return Some(
            "this is a key's id, which proves nothing: mint a session with the key's secret"
                .to_owned(),
        );
    }
    if UNSET.contains(&token.to_ascii_lowercase().as_str()) {
        return Some(format!(
            "the session is the word {token}: the variable that should hold it was not set when the request was made"
        ));
    }
    if token.starts_with(['"', '\'', '`']) {
        return Some("the session is in quotes: send it without".to_owned());
    }
    if token.starts_with(['$', '{', '<', '%']) {
        return Some(
            "in the place of the session is a variable or a placeholder that nobody filled in"
                .to_owned(),
        );
    }
    if token.to_ascii_lowercase().starts_with("bearer ") {
        return Some("Authorization has Bearer twice".to_owned());
    }
    session(token)
}

/// Says so where a secret is in a value: as it is, or as the user or the password of Basic.
fn secret_in(value: &str, local: &Local) -> Option<String> {
    for (name, root) in local.roots() {
        if root.expose_str().is_some_and(|root| value.contains(root)) {
            return Some(format!(
                "this is {name}, which every key's secret is made from: replace it, for it travelled"
            ));
        }
    }
    let basic = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let basic = basic.and_then(|(_, text)| STANDARD.decode(text.trim()).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut words = [value, &basic].into_iter().flat_map(|text| text.split(|c| !is_part(c)));
    words.find_map(secret)
}

/// Says so where a word is a secret of writegate, or one of an API.
fn secret(word: &str) -> Option<String> {
    let pattern = token_patterns::at(word.as_bytes()).map(|(pattern, _)| pattern);
    match (word.get(..3), pattern) {
        (_, Some(pattern)) if !["sk_", "ss_"].contains(&pattern.prefix) => Some(format!(
            "this looks like {} and is no session: an API's token is the gate's to hold, not its callers'; replace it if it travelled",
            pattern.kind
        )),
        (Some("sk_"), _) => Some(
            "this is a key secret: mint a session with it, and replace it if it travelled".to_owned(),
        ),
        (Some("ss_"), _) => Some(
            "this is a session's secret: sign the request with it, and send the session; replace the session if it travelled".to_owned(),
        ),
        _ => None,
    }
}

fn session(token: &str) -> Option<String> {
    if Session::parse(token).is_ok() {
        return None;
    }
    if token.is_empty() {
        return Some("Authorization is Bearer without a session after it".to_owned());
    }
    if token.contains(' ') {
        return Some("there is white space in the session".to_owned());
    }
    if token.contains('%') {
        return Some("the session is percent-encoded: send it decoded".to_owned());
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Some(format!(
            "the session is {} bytes long, and may be {MAX_TOKEN_BYTES}",
            token.len()
        ));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, tag] = parts.as_slice() else {
        return Some(format!(
            "a session is a JWT of three parts with dots between them; this has {}{}",
            parts.len(),
            if parts.len() == 5 { ", as an encrypted one" } else { "" }
        ));
    };
    let header = match part("header", header) {
        Ok(header) => header,
        Err(fault) => return Some(fault),
    };
    let fault = header_fault(&header);
    if fault.is_some() {
        return fault;
    }
    let claims = match part("claims", claims) {
        Ok(claims) => claims,
        Err(fault) => return Some(fault),
    };
    let fault = claims_fault(&claims);
    if fault.is_some() {
        return fault;
    }
    let length = URL_SAFE_NO_PAD.decode(tag).ok().map(|tag| tag.len());
    Some(match length {
        Some(32) => {
            "the session has a header or a claim whose name is almost one that the gate reads"
                .to_owned()
        }
        Some(0) => "the session is not signed: its third part is empty".to_owned(),
        Some(length) => format!(
            "the session's MAC, its third part, is {length} bytes long; that of HS256 is 32"
        ),
        None => "the session's third part is not base64url without padding".to_owned(),
    })
}

/// A part of a JWT, which is JSON in base64url.
fn part(name: &str, text: &str) -> Result<Map<String, Value>, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_position| {
        let hint = match text.contains(['+', '/', '=']) {
            true => ": it is plain base64",
            false => "",
        };
        format!("the session's {name} is not base64url without padding{hint}")
    })?;
    match writegate::json::parse(&bytes) {
        Some(Value::Object(members)) => Ok(members),
        Some(_) | None => {
            Err(format!("the session's {name} is no JSON object, or has a member twice"))
        }
    }
}

fn header_fault(header: &Map<String, Value>) -> Option<String> {
    match header.get("alg") {
        Some(Value::String(alg)) if alg == "HS256" => {}
        Some(Value::String(alg)) if alg.len() <= 16 => {
            return Some(format!("the session's alg is {alg:?}; the gate takes \"HS256\" only"));
        }
        Some(_) => return Some("the session's alg is not \"HS256\"".to_owned()),
        None => {
            return Some("the session's header has no alg; the gate takes \"HS256\"".to_owned());
        }
    }
    match header.get("kid") {
        None => {
            return Some(
                "the session's header has no kid, the id of the key that signed it".to_owned(),
            );
        }
        Some(Value::String(kid)) if KeyId::parse(kid).is_some() => {}
        Some(Value::String(kid)) if kid.is_empty() => {
            return Some("the session's kid is empty".to_owned());
        }
        Some(_) => return Some("the session's kid is no key's id".to_owned()),
    }
    if header.contains_key("crit") {
        return Some(
            "the session's header has crit, of which the gate understands nothing".to_owned(),
        );
    }
    let typ = header
        .get("typ")
        .map(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt")));
    (typ == Some(false)).then(|| "the session's typ is not \"JWT\"".to_owned())
}

/// A list of texts that are not empty, and not empty itself.
fn list(value: &Value) -> Option<Vec<&str>> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    list.iter().map(|one| one.as_str().filter(|text| !text.is_empty())).collect()
}

fn claims_fault(claims: &Map<String, Value>) -> Option<String> {
    if !claims.contains_key("exp") {
        return Some("the session has no exp, the time in seconds at which it ends".to_owned());
    }
    for name in ["exp", "nbf", "iat"] {
        let fault = match claims.get(name) {
            None => continue,
            Some(Value::String(_)) => {
                format!("the session's {name} is a text; it must be a number of seconds")
            }
            Some(value) => match value.as_f64().map(Timestamp::from_numeric_date) {
                Some(Some(_)) => continue,
                _ => format!("the session's {name} is no number of seconds"),
            },
        };
        return Some(fault);
    }
    let text = |value: &Value| {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        value.as_str().is_some_and(|text| (1..=128).contains(&text.len()) && visible(text))
    };
    let paths = |value: &Value| {
        list(value).is_some_and(|list| list.iter().all(|path| Pattern::parse(path).is_some()))
    };
    type Rule<'r> = (&'r str, &'r dyn Fn(&Value) -> bool, &'r str);
    let rules: [Rule<'_>; 7] = [
        ("aud", &|value| value.is_string() || value.is_array(), "a text or a list of texts"),
        ("sub", &text, "1 to 128 visible ASCII characters"),
        ("jti", &text, "1 to 128 visible ASCII characters"),
        ("methods", &|value| list(value).is_some(), "a list such as [\"POST\"]"),
        ("paths", &paths, "a list such as [\"/posts/*\"]"),
        (
            "origin",
            &|value| value.as_str().is_some_and(|text| Origin::parse(text).is_some()),
            "an origin such as https://www.example.com",
        ),
        (
            "cnf",
            &|value| value["kid"].as_str().is_some_and(|kid| kid.starts_with("s_")),
            "{\"kid\":\"s_…\"}",
        ),
    ];
    for (name, fits, expected) in rules {
        if claims.get(name).is_some_and(|value| !fits(value)) {
            return Some(format!("the session's {name} is not {expected}"));
        }
    }
    let misspelt = [
        ("method", "methods"),
        ("path", "paths"),
        ("origins", "origin"),
        ("allowed_origins", "origin"),
        ("allowed_ips", "nothing: addresses are the key's"),
    ];
    misspelt.into_iter().find(|(name, _)| claims.contains_key(*name)).map(|(name, meant)| {
        format!("the session has a claim {name}, which the gate would ignore; it reads {meant}")
    })
}

/// The name of a parameter, if it can be nothing else.
fn shown(name: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    Some(name).filter(|name| (1..=32).contains(&name.len()) && name.bytes().all(is_plain))
}

/// Says why a query is no credential, or was one before somebody changed the URL.
fn query(head: &Head<'_>, local: &Local) -> Option<String> {
    let parameters: Vec<_> = head.parameters().collect();
    let value = |wanted: &str| {
        parameters.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| *value)
    };
    for (name, value) in &parameters {
        if let Some(fault) = secret_in(value.unwrap_or_default(), local) {
            return Some(format!("{} in the URL: {fault}", shown(name).unwrap_or("a parameter")));
        }
    }
    if parameters.iter().any(|(name, _)| name.starts_with("amp;")) {
        return Some(
            "the URL is escaped as in HTML: write & in the place of each &amp;".to_owned(),
        );
    }
    if ["%26sig%3D", "%26verify%3D"]
        .iter()
        .any(|part| head.query().is_some_and(|query| query.contains(part)))
    {
        return Some("the query is percent-encoded as a whole: = and & between its parameters stay as they are".to_owned());
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
            return Some("exp in the URL is no time in seconds".to_owned());
        }
        let tag = value("sig").and_then(|sig| URL_SAFE_NO_PAD.decode(sig).ok());
        if tag.is_none_or(|tag| tag.len() != 32) {
            return Some("sig in the URL is not 32 bytes as base64url: the URL was cut off, was encoded once more, or has something at its end".to_owned());
        }
        return Some("exp is further ahead than the key's url_ttl allows".to_owned());
    }
    Some("verify in the URL is not ten digits, a dash and a MAC".to_owned())
}
