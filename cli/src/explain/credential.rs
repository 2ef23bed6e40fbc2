//! Names the part of a malformed credential that is at fault. No value is shown that may be a secret.

use writegate::credential::session::Session;
use writegate::credential::url::UrlCredential;
use writegate::{Head, KeyId};

use super::gate::Local;
use super::request_input::RequestInput;
use super::secrets::{secret_in, shown};
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
            "authorization" => authorization(value),
            "x-public-key" if KeyId::parse(value).is_none() => {
                Some("X-Public-Key is no key's id: 1 to 128 of A-Z a-z 0-9 . _ -".to_owned())
            }
            _ => None,
        }));
    }
    let is_alone =
        ["authorization", "signature-input"].iter().all(|name| request.header(name).is_none());
    faults.extend(link::fault(head, local, is_alone));
    let bound = request.header("authorization").and_then(bound_to);
    let is_ours = |id: &str| local.key(id).is_some() || bound.as_deref() == Some(id);
    faults.extend(signed::fault(head, is_ours));
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

/// Says so where a session, or a key's id, is in a place where the gate does not look for one.
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

fn authorization(value: &str) -> Option<String> {
    if value.contains(['\r', '\n']) {
        return Some(
            "there is a line break in Authorization: the session was copied with one, and is one line"
                .to_owned(),
        );
    }
    if let Some(odd) = value.chars().find(|character| !matches!(character, ' '..='~')) {
        return Some(match odd {
            '\t' => "there is a tab in Authorization: write one blank after Bearer".to_owned(),
            odd => format!(
                "Authorization has the character U+{:04X}, as word processors and web pages write it: type it as plain ASCII",
                u32::from(odd)
            ),
        });
    }
    let (scheme, token) = match value.split_once(' ') {
        Some((scheme, token)) => (scheme, token.trim_start_matches(' ')),
        None => (value, ""),
    };
    if value.ends_with(',') {
        return Some("Authorization ends with a comma: leave it out".to_owned());
    }
    let is_name = scheme.len() <= 16
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && scheme.bytes().any(|b| b.is_ascii_alphabetic());
    if value.contains(',') {
        return Some(
            match token.contains(['=', ' ']) && is_name && !scheme.eq_ignore_ascii_case("bearer") {
                true => {
                    format!("Authorization has the scheme {scheme}; a session comes with Bearer")
                }
                false => "there are two Authorization headers, or a comma in it: send one session"
                    .to_owned(),
            },
        );
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        let is_sticking = scheme.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
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
    if token.to_ascii_lowercase().starts_with("bearer ") {
        return Some("Authorization has Bearer twice".to_owned());
    }
    let is_wrapped = !token.starts_with("eyJ") && token.contains("eyJ") && !token.contains(' ');
    if token.starts_with(['"', '\'', '`']) {
        return Some("the session is in quotes: send it without".to_owned());
    }
    if is_wrapped && token.starts_with(['{', '<', '[', '(']) {
        return Some(
            "around the session is something else, such as brackets or JSON: send the session only"
                .to_owned(),
        );
    }
    if token.starts_with(['$', '{', '<', '%']) {
        return Some(
            "in the place of the session is a variable or a placeholder that nobody filled in"
                .to_owned(),
        );
    }
    jwt::fault(token)
}
