//! Names the part of a session, a JWT, that the gate cannot read. It never shows a value that may be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use writegate::credential::session::{MAX_TOKEN_BYTES, Session};
use writegate::policy::{origin::Origin, path::Pattern};
use writegate::{KeyId, Timestamp};

use super::secrets::{Checked, ensure, shown};

/// Finds the first malformed part.
///
/// # Errors
/// A sentence about it.
pub(super) fn check(token: &str) -> Checked {
    if Session::parse(token).is_ok() {
        return Ok(());
    }
    ensure(!token.is_empty(), "Authorization is Bearer without a session after it")?;
    ensure(!token.contains(' '), "there is white space in the session")?;
    ensure(!token.contains('%'), "the session is percent-encoded: send it decoded")?;
    let length = token.len();
    let long = format!("the session is {length} bytes long, and may be {MAX_TOKEN_BYTES}");
    ensure(length <= MAX_TOKEN_BYTES, long)?;
    let is_paseto = ["v1.", "v2.", "v3.", "v4."].iter().any(|version| token.starts_with(version));
    ensure(!is_paseto, "this is a PASETO; a session is a JWT (HS256)")?;
    // Wrong quoting left this character at the end. A session has no such character, so showing it reveals nothing.
    let odd = |c: char| !c.is_ascii_alphanumeric() && !"-_.=+/".contains(c);
    if let Some(at) = token.find(odd).filter(|at| token.len() - at <= 3) {
        let end = token.get(at..).unwrap_or_default();
        return Err(format!("after the session there is {end:?}: leave it out"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, tag] = parts.as_slice() else {
        let hint = match parts.len() {
            5 => ", as an encrypted one",
            1 | 2 if token.starts_with("eyJ") => ": it was cut off",
            _ => "",
        };
        return Err(format!(
            "a session is a JWT of three parts with dots between them; this has {}{hint}",
            parts.len(),
        ));
    };
    let header = part("header", header)?;
    check_header(&header)?;
    let claims = part("claims", claims)?;
    check_claims(&claims)?;
    // What was cut off in the middle of a byte does not decode.
    let is_cut =
        tag.len() < 43 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let length = URL_SAFE_NO_PAD.decode(tag).ok().map(|tag| tag.len());
    Err(match length.or(is_cut.then_some(tag.len() * 3 / 4)) {
        Some(0) => "the session is not signed: its third part is empty".to_owned(),
        Some(32) => {
            let names = header.keys().chain(claims.keys());
            let odd = names.filter_map(|name| shown(name)).find(|name| is_almost_known(name));
            let odd = odd.map(|name| format!(": {name}")).unwrap_or_default();
            format!(
                "the session has a header or a claim whose name is almost one that the gate reads{odd}"
            )
        }
        Some(length) => {
            let hint = if length < 32 { ": it was cut off" } else { "" };
            format!(
                "the session's MAC, its third part, is {length} bytes long; that of HS256 is 32{hint}"
            )
        }
        None => "the session's third part is not base64url without padding".to_owned(),
    })
}

/// Returns true for a name that differs from one of a session in case and punctuation only.
fn is_almost_known(name: &str) -> bool {
    let known = [
        "alg", "typ", "kid", "crit", "b64", "exp", "nbf", "iat", "aud", "sub", "jti", "methods",
        "paths", "origin", "cnf", "method", "path", "origins", "allowed_origins", "allowed_ips",
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
        Some(_) | None => Err(format!(
            "the session's {name} is not a JSON object, or has a member twice, half a surrogate \
            pair or a number beyond a double"
        )),
    }
}

fn check_header(header: &Map<String, Value>) -> Checked {
    match header.get("alg") {
        Some(Value::String(alg)) if alg == "HS256" => {}
        Some(Value::String(alg)) if alg.len() <= 16 => {
            return Err(format!("the session's alg is {alg:?}; the gate takes \"HS256\" only"));
        }
        Some(_) => return Err("the session's alg is not \"HS256\"".to_owned()),
        None => return Err("the session's header has no alg; the gate takes \"HS256\"".to_owned()),
    }
    let kid = header.get("kid");
    ensure(kid.is_some(), "the session's header has no kid, the id of the key that signed it")?;
    let kid = kid.and_then(Value::as_str);
    ensure(kid != Some(""), "the session's kid is empty")?;
    ensure(kid.and_then(KeyId::parse).is_some(), "the session's kid is not a key's id")?;
    let crit = "the session's header has crit, of which the gate understands nothing";
    ensure(!header.contains_key("crit"), crit)?;
    let b64 = "the session's header has b64, which a JWT may not have (RFC 7797)";
    ensure(!header.contains_key("b64"), b64)?;
    let is_jwt = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt"));
    ensure(header.get("typ").is_none_or(is_jwt), "the session's typ is not \"JWT\"")
}

/// Returns a list of texts that are not empty, and not empty itself.
fn list(value: &Value) -> Option<Vec<&str>> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    list.iter().map(|one| one.as_str().filter(|text| !text.is_empty())).collect()
}

fn check_claims(claims: &Map<String, Value>) -> Checked {
    let exp = "the session has no exp, the time in seconds at which it ends";
    ensure(claims.contains_key("exp"), exp)?;
    for (name, value) in
        ["exp", "nbf", "iat"].iter().filter_map(|name| Some((name, claims.get(*name)?)))
    {
        let text = format!("the session's {name} is a text; it must be a number of seconds");
        ensure(!value.is_string(), text)?;
        let is_time = value.as_f64().and_then(Timestamp::from_numeric_date).is_some();
        ensure(is_time, format!("the session's {name} is not a number of seconds"))?;
    }
    let text = |value: &Value| {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        value.as_str().is_some_and(|text| (1..=128).contains(&text.len()) && visible(text))
    };
    let paths = |value: &Value| {
        list(value).is_some_and(|list| list.iter().all(|path| Pattern::parse(path).is_some()))
    };
    let origin = |value: &Value| value.as_str().and_then(Origin::parse).is_some();
    let audience = |value: &Value| {
        value.is_string() || value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
    };
    let random = |kid: &str| URL_SAFE_NO_PAD.decode(kid.strip_prefix("s_")?).ok();
    let cnf = |value: &Value| {
        value["kid"].as_str().and_then(random).is_some_and(|random| random.len() == 16)
    };
    type Rule<'r> = (&'r str, &'r dyn Fn(&Value) -> bool, &'r str);
    let rules: [Rule<'_>; 7] = [
        ("aud", &audience, "a text or a list of texts"),
        ("sub", &text, "1 to 128 visible ASCII characters"),
        ("jti", &text, "1 to 128 visible ASCII characters"),
        ("methods", &|value| list(value).is_some(), "a list such as [\"POST\"]"),
        ("paths", &paths, "a list such as [\"/posts/*\"]"),
        ("origin", &origin, "an origin such as https://www.example.com"),
        ("cnf", &cnf, "{\"kid\":\"s_…\"} with 22 base64url characters"),
    ];
    for (name, fits, expected) in rules {
        let fault = format!("the session's {name} is not {expected}");
        ensure(claims.get(name).is_none_or(fits), fault)?;
    }
    for (name, meant) in [
        ("method", "methods"),
        ("path", "paths"),
        ("origins", "origin"),
        ("allowed_origins", "origin"),
        ("allowed_ips", "nothing: addresses are the key's"),
    ] {
        let fault = format!(
            "the session has a claim {name}, which the gate would ignore; it reads {meant}"
        );
        ensure(!claims.contains_key(name), fault)?;
    }
    Ok(())
}
