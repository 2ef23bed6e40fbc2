//! A request's URL as an argument, checked with the gate's own rules.

use writegate::policy::path;
use writegate::{Head, Refusal};

use crate::error::{Error, Result};
use crate::host;

/// Returns a URL of the gate whose host and port need no rewriting by a client.
pub(crate) fn strict_url(text: &str) -> std::result::Result<String, String> {
    let url = url(text)?;
    host::check(&url)?;
    Ok(url)
}

/// Returns a URL of a request that was sent: clients rewrite its host before they do.
pub(crate) fn sent_url(text: &str) -> std::result::Result<String, String> {
    host::normalized(&url(text)?)
}

/// Returns a URL with a path, as a client would send it.
pub(crate) fn url(text: &str) -> std::result::Result<String, String> {
    let (scheme, rest) =
        text.split_once("://").ok_or("expected a URL such as https://gate.example.com/posts")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err("expected a URL that begins with https:// or http://".to_owned());
    }
    if text.contains('#') {
        return Err("a fragment is not part of a request: leave out # and the rest".to_owned());
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok(format!("{}://{authority}{slash}{target}", scheme.to_ascii_lowercase()))
}

/// Names the ambiguous part of a URL's path, because the gate accepts a path only if all servers read it alike.
pub(crate) fn path_fault(url: &str) -> &'static str {
    let target = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = target.find(['/', '?', '\\']).and_then(|at| target.get(at..)).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        "it has a space or a control character, which must be percent-encoded"
    } else if path.contains('\\') {
        "it has a backslash"
    } else if path.contains("//") {
        "it has an empty segment (//)"
    } else if path.contains("%00") {
        "it has %00"
    } else if path::check(path).is_err() {
        "it has a dot segment (. or .., also as %2e)"
    } else {
        "some servers would read it as a path of another route, or of the gate itself"
    }
}

/// Returns the head of a request for it.
pub(crate) fn head<'a>(
    method: &'a str,
    url: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    has_body: bool,
) -> Result<Head<'a>> {
    let refused = |refusal: Refusal| {
        // The URL is not repeated, for it may hold a secret.
        let description = refusal.description();
        let why = match refusal {
            Refusal::BadPath => path_fault(url),
            _ => description.detail,
        };
        Error::usage(format!("the URL: the gate would refuse it as {}: {why}", description.code))
    };
    let head =
        Head::new(method, url, headers, has_body).map_err(|refusal| refused(refusal.into()))?;
    path::check(head.path()).map_err(refused)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_what_a_client_sends() {
        assert_eq!(url("HTTPS://a.example?x=1").unwrap(), "https://a.example/?x=1");
        assert_eq!(url("http://a.example").unwrap(), "http://a.example/");
        assert_eq!(url("https://A.example/%7e//x").unwrap(), "https://A.example/%7e//x");
        for wrong in ["/posts", "a.example/x", "https://a.example/#top"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_gate_refuses_is_not_signed() {
        for wrong in ["https://a.example/a//b", "https://a_b/", "https://a.example/a b"] {
            assert_eq!(head("GET", wrong, Vec::new(), false).unwrap_err().code, 2, "{wrong}");
        }
        assert!(head("GET", "https://a.example/a", Vec::new(), false).is_ok());
    }
}
