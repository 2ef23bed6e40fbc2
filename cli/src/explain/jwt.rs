//! Names the part of a session, a JWT, that the gate cannot read. No value is shown that may be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use writegate::credential::session::{MAX_TOKEN_BYTES, Session};
use writegate::policy::{origin::Origin, path::Pattern};
use writegate::{KeyId, Timestamp};

use super::secrets::shown;

/// Returns a sentence about the first part at fault; `None` for a session that can be read.
pub(super) fn fault(token: &str) -> Option<String> {
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
    if ["v1.", "v2.", "v3.", "v4."].iter().any(|version| token.starts_with(version)) {
        return Some("this is a PASETO; a session is a JWT (HS256)".to_owned());
    }
    // Somebody's quoting left this at the end. A session has no such character, so nothing of it is shown.
    let odd = |c: char| !c.is_ascii_alphanumeric() && !"-_.=+/".contains(c);
    if let Some(at) = token.find(odd).filter(|at| token.len() - at <= 3) {
        let end = token.get(at..).unwrap_or_default();
        return Some(format!("after the session there is {end:?}: leave it out"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, tag] = parts.as_slice() else {
        let hint = match parts.len() {
            5 => ", as an encrypted one",
            1 | 2 if token.starts_with("eyJ") => ": it was cut off",
            _ => "",
        };
        return Some(format!(
            "a session is a JWT of three parts with dots between them; this has {}{hint}",
            parts.len(),
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
    // What was cut off in the middle of a byte does not decode.
    let is_cut =
        tag.len() < 43 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let length = URL_SAFE_NO_PAD.decode(tag).ok().map(|tag| tag.len());
    let length = length.or(is_cut.then_some(tag.len() * 3 / 4));
    Some(match length {
        Some(0) => "the session is not signed: its third part is empty".to_owned(),
        Some(32) => {
            let names = header.keys().chain(claims.keys());
            let odd = names.filter_map(|name| shown(name)).find(|name| is_almost_known(name));
            format!(
                "the session has a header or a claim whose name is almost one that the gate reads{}",
                odd.map(|name| format!(": {name}")).unwrap_or_default()
            )
        }
        Some(length) if length < 32 => format!(
            "the session's MAC, its third part, is {length} bytes long; that of HS256 is 32: it was cut off"
        ),
        Some(length) => format!(
            "the session's MAC, its third part, is {length} bytes long; that of HS256 is 32"
        ),
        None => "the session's third part is not base64url without padding".to_owned(),
    })
}

/// Returns true for a name that differs from one of a session in case and punctuation only.
fn is_almost_known(name: &str) -> bool {
    let known = [
        "alg", "typ", "kid", "crit", "exp", "nbf", "iat", "aud", "sub", "jti", "methods", "paths",
        "origin", "cnf", "method", "path", "origins", "allowed_origins", "allowed_ips",
    ];
    let letters =
        |name: &str| name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
    !known.contains(&name) && known.iter().any(|other| letters(other) == letters(name))
}

/// Returns a part of a JWT, which is JSON in base64url.
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

/// Returns a list of texts that are not empty, and not empty itself.
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
