//! Names the malformed part of a credential. It never shows a value that may be a secret.

use writegate::credential::session::Session;
use writegate::credential::url::UrlCredential;
use writegate::{Head, KeyId};

use super::gate::Local;
use super::request_input::RequestInput;
use super::secrets::{Checked, ensure, secret_in, shown};
use super::{jwt, link, signed};

/// The text of a variable that was not set, in some language or template.
const UNSET: [&str; 9] = [
    "undefined", "null", "nil", "none", "nan", "false", "true", "[object object]",
    "[object promise]",
];

/// Headers that are read as, or belong to, a credential.
const OWN: [&str; 5] =
    ["authorization", "signature", "signature-input", "content-digest", "x-public-key"];

/// Sentences about the parts of the request's credentials that a gate cannot read.
pub(super) fn faults(request: &RequestInput, head: &Head<'_>, local: &Local) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, value) in &request.headers {
        let is_signature =
            name != "authorization" && name != "x-public-key" && OWN.contains(&name.as_str());
        let fault = Some(value).filter(|_| !is_signature).and_then(|value| secret_in(value, local));
        let fault = fault.map(|fault| format!("{name}: {fault}"));
        faults.extend(fault.or_else(|| match name.as_str() {
            "authorization" => authorization(value).err(),
            "x-public-key" if KeyId::parse(value).is_none() => {
                Some("X-Public-Key is not a key's id: 1 to 128 of A-Z a-z 0-9 . _ -".to_owned())
            }
            _ => None,
        }));
    }
    let is_alone =
        ["authorization", "signature-input"].iter().all(|name| request.header(name).is_none());
    faults.extend(link::check(head, local, is_alone).err());
    let bound = request.header("authorization").and_then(bound_to);
    let is_ours = |id: &str| local.key(id).is_some() || bound.as_deref() == Some(id);
    faults.extend(signed::check(head, is_ours).err());
    let body = str::from_utf8(&request.body).unwrap_or_default();
    for (place, text) in [("the path", head.path()), ("the body", body)] {
        faults.extend(secret_in(text, local).map(|fault| format!("{place}: {fault}")));
    }
    if faults.is_empty() {
        faults.extend(elsewhere(request, head));
    }
    if faults.is_empty() {
        faults.extend(several(request, head));
    }
    faults
}

/// Returns the `kid` of the secret that a session is bound to.
fn bound_to(authorization: &str) -> Option<String> {
    let (_, token) = authorization.split_once(' ')?;
    Session::parse(token.trim_start_matches(' ')).ok()?.bound_to().map(str::to_owned)
}

/// Reports a session or a key's id in a place where the gate does not look for one.
fn elsewhere(request: &RequestInput, head: &Head<'_>) -> Option<String> {
    let headers = request.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (format!("the header {name}"), value.as_str()));
    let parameters = head.parameters().filter(|(name, _)| !["key", "sig", "verify"].contains(name));
    let parameters = parameters.map(|(name, value)| {
        (format!("{} in the URL", shown(name).unwrap_or("a parameter")), value.unwrap_or_default())
    });
    let body = str::from_utf8(&request.body).unwrap_or_default();
    let places = headers.chain(parameters).chain([("the body".to_owned(), body)]);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    places.into_iter().find_map(|(place, value)| {
        value.split(|c| !is_part(c)).find_map(|word| match word {
            session if Session::parse(session).is_ok() => Some(format!(
                "a session is in {place}, where the gate does not look: send it as Authorization: Bearer"
            )),
            id if id.starts_with("pk_") && place != "the body" => Some(format!(
                "a key's id is in {place}, where the gate does not look: it goes into X-Public-Key or the parameter \
                 key, and proves nothing"
            )),
            _ => None,
        })
    })
}

/// Lists the credentials of a request that has more than one.
fn several(request: &RequestInput, head: &Head<'_>) -> Option<String> {
    let in_query = UrlCredential::read(head, None);
    let url = match &in_query {
        Ok(UrlCredential::Signed(_)) => Some("a signed URL"),
        Ok(UrlCredential::Waf(_)) => Some("a WAF-token URL"),
        _ => None,
    };
    let id = |name: &str, id: Option<&str>| id.map(|_| format!("a key's id in {name}"));
    let query_id = in_query.ok().filter(|_| url.is_none()).and_then(|query| query.key());
    let found: Vec<String> = [
        request.header("authorization").map(|_| "a session in Authorization".to_owned()),
        request.header("signature-input").map(|_| "a signature".to_owned()),
        url.map(str::to_owned),
        id("X-Public-Key", request.header("x-public-key")),
        id("the parameter key", query_id),
    ]
    .into_iter()
    .flatten()
    .collect();
    (found.len() > 1).then(|| {
        format!(
            "there are {}: send one of them (a key's id may accompany another credential of the same key, and a \
             signature the session that it is bound to)",
            found.join(", ")
        )
    })
}

/// Finds the fault in the value of Authorization.
fn authorization(value: &str) -> Checked {
    let broken =
        "there is a line break in Authorization: the session was copied with one, and is one line";
    ensure(!value.contains(['\r', '\n']), broken)?;
    ensure(!value.contains('\t'), "there is a tab in Authorization: write one space after Bearer")?;
    if let Some(odd) = value.chars().find(|character| !matches!(character, ' '..='~')) {
        return Err(format!(
            "Authorization has the character U+{:04X}, as word processors and web pages write it: type it as plain ASCII",
            u32::from(odd)
        ));
    }
    let (scheme, token) = match value.split_once(' ') {
        Some((scheme, token)) => (scheme, token.trim_start_matches(' ')),
        None => (value, ""),
    };
    ensure(!value.ends_with(','), "Authorization ends with a comma: remove it")?;
    let is_name = scheme.len() <= 16
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && scheme.bytes().any(|b| b.is_ascii_alphabetic());
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    let other = format!("Authorization has the scheme {scheme}; send a session with Bearer");
    let has_comma = value.contains(',');
    let is_other = has_comma && token.contains(['=', ' ']) && is_name && !is_bearer;
    ensure(!is_other, other.clone())?;
    ensure(!has_comma, "there are two Authorization headers, or a comma in it: send one session")?;
    if !is_bearer {
        let is_sticking = scheme.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
        ensure(
            !is_sticking,
            "there must be one space and nothing else between Bearer and the session",
        )?;
        let is_session = token.is_empty() && value.split('.').count() == 3;
        let bare =
            "Authorization has no Bearer: write \"Authorization: Bearer\" before the session";
        ensure(!is_session, bare)?;
        ensure(!token.is_empty(), "Authorization has no Bearer and no session")?;
        ensure(!is_name, other)?;
        return ensure(false, "Authorization has no known scheme; send a session with Bearer");
    }
    let id = "this is a key's id, which proves nothing: mint a session with the key's secret";
    ensure(!token.starts_with("pk_"), id)?;
    let unset = format!(
        "the session is the word {token}: the variable that should hold it was not set when the request was made"
    );
    let lower = token.to_ascii_lowercase();
    ensure(!UNSET.contains(&lower.as_str()), unset)?;
    ensure(!lower.starts_with("bearer "), "Authorization has Bearer twice")?;
    let is_wrapped = !token.starts_with("eyJ") && token.contains("eyJ") && !token.contains(' ');
    ensure(!token.starts_with(['"', '\'', '`']), "the session is in quotes: send it without")?;
    let around =
        "around the session is something else, such as brackets or JSON: send the session only";
    ensure(!(is_wrapped && token.starts_with(['{', '<', '[', '('])), around)?;
    let unfilled =
        "in the place of the session is a variable or a placeholder that nobody filled in";
    ensure(!token.starts_with(['$', '{', '<', '%']), unfilled)?;
    jwt::check(token)
}
