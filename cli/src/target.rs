//! A request's URL as an argument, held to what the gate would take.

use writegate::policy::path;
use writegate::{Head, Refusal};

use crate::error::{Error, Result};

/// A URL with a path, as a client would send it.
pub(crate) fn url(text: &str) -> std::result::Result<String, String> {
    let (scheme, rest) =
        text.split_once("://").ok_or("expected a URL such as https://gate.example.com/posts")?;
    if text.contains('#') {
        return Err("a fragment is not sent to anybody: leave out # and what follows".to_owned());
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok(format!("{}://{authority}{slash}{target}", scheme.to_ascii_lowercase()))
}

/// The head of a request for it.
pub(crate) fn head<'a>(
    method: &'a str,
    url: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    has_body: bool,
) -> Result<Head<'a>> {
    let head =
        Head::new(method, url, headers, has_body).map_err(|refusal| refused(refusal.into()))?;
    path::check(head.path()).map_err(refused)?;
    Ok(head)
}

/// Does not repeat the URL, which may hold a secret.
fn refused(refusal: Refusal) -> Error {
    let description = refusal.description();
    Error::usage(format!(
        "the URL: the gate would refuse it as {}: {}",
        description.code, description.detail
    ))
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
