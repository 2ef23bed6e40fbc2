//! Secrets in wrong places, and names that are certainly not secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::token_patterns;

use super::gate::Local;

/// The result of a search for the first fault: a sentence about it.
pub(super) type Checked = Result<(), String>;

/// Ends the search with this sentence, unless all is well.
pub(super) fn ensure(is_well: bool, fault: impl Into<String>) -> Checked {
    if is_well { Ok(()) } else { Err(fault.into()) }
}

/// Reports a secret in a value: as it is, or as the user or password of Basic.
pub(super) fn secret_in(value: &str, local: &Local) -> Option<String> {
    for (name, root) in local.roots() {
        if root.expose_str().is_some_and(|root| value.contains(root)) {
            return Some(format!(
                "this is {name}, from which every key's secret is made: replace it, because others \
                may have seen it"
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

/// Reports a word that is a secret of writegate or of an API.
fn secret(word: &str) -> Option<String> {
    let pattern = token_patterns::at(word.as_bytes()).map(|(pattern, _)| pattern);
    match (word.get(..3), pattern) {
        (_, Some(pattern)) if !["sk_", "ss_"].contains(&pattern.prefix) => Some(format!(
            "this looks like {} and not a session: only the gate holds the API's token, never a \
            caller; replace it if others may have seen it",
            pattern.kind
        )),
        (Some("sk_"), _) => Some(
            "this is a key secret: mint a session with it, and replace it if others may have seen it".to_owned(),
        ),
        (Some("ss_"), _) => Some(
            "this is a session's secret: sign the request with it, and send the session; replace \
            the session if others may have seen it".to_owned(),
        ),
        _ => None,
    }
}

/// Returns the name of a parameter, if it is certainly a name.
pub(super) fn shown(name: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    Some(name).filter(|name| (1..=32).contains(&name.len()) && name.bytes().all(is_plain))
}
