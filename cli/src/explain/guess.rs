//! Guesses how a MAC that does not match was made, by trying the usual mistakes one after the other. It prints the
//! finding, never a secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use writegate::credential::base::{Component, Message};
use writegate::credential::session::Session;
use writegate::credential::url::{TRACKERS, without_trackers};
use writegate::{KeyId, MacKey, Secret, derive_sk, derive_ss};

use crate::invocation;

use super::bases;
use super::gate::Local;
use super::request_input::RequestInput;

/// Versions of a key that are tried.
const VERSIONS: core::ops::RangeInclusive<u32> = 1..=20;

/// Returns a sentence about the secret and the bytes that give the MAC of an RFC 9421 signature.
pub(crate) fn of_signature(
    request: &RequestInput,
    signed: Option<&str>,
    local: &Local,
) -> Option<String> {
    let head = request.head()?;
    let signature = bases::signature(&head).ok()?;
    let computed = signature.base(&head).ok()?;
    let mut messages = vec![("the request as given", computed.clone())];
    if let Some(signed) = signed {
        messages.push(("the base in --base, which is not the request's", signed.to_owned()));
    }
    messages.extend([
        ("the base and a line break after it: leave that out", format!("{computed}\n")),
        ("the base with CRLF between its lines: use only LF", computed.replace('\n', "\r\n")),
        ("the base with the method in lower case", lowered(&computed, &request.method)),
        ("the base without its last line, @signature-params", without_last_line(&computed)),
    ]);
    let secrets = secrets(request, signature.keyid(), local);
    Some(tried(&messages, signature.tag(), &secrets).unwrap_or_else(|| {
        "No usual mistake gives the MAC that was sent: it was made with another secret, or over other \
         bytes. Print what your client signs and give it as --base."
            .to_owned()
    }))
}

/// Guesses how a session was signed.
pub(crate) fn of_session(request: &RequestInput, local: &Local) -> Option<String> {
    let token = request.header("authorization")?.strip_prefix("Bearer ")?;
    let session = Session::parse(token).ok()?;
    let (signed, tag) = token.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    let secrets = secrets(request, session.key(), local);
    let messages = [("the session", signed.to_owned())];
    Some(tried(&messages, &tag, &secrets).unwrap_or_else(|| {
        "No usual mistake gives the session's MAC: it was made with another secret.".to_owned()
    }))
}

/// Guesses how a signed URL was signed, or changed since; `None` for another URL.
pub(crate) fn of_url(request: &RequestInput, local: &Local) -> Option<String> {
    let head = request.head()?;
    let (signed, sig) = without_trackers(head.target()).rsplit_once("&sig=")?;
    let tag = URL_SAFE_NO_PAD.decode(sig).ok()?;
    let (path, query) = signed.split_once('?')?;
    let key = head.parameters().find(|(name, _)| *name == "key")?.1?;
    let authority = Message::new(&head).value(&Component::Authority).ok()?;
    let (host, _port) = authority.rsplit_once(':').unwrap_or((&authority, ""));
    let is_own = |part: &&str| !TRACKERS.contains(&part.split('=').next().unwrap_or_default());
    let own: Vec<&str> = query.split('&').filter(is_own).collect();
    let with_query = |path: &str| format!("{path}?{query}");
    let changes = [
        ("the URL as given", authority.as_ref(), signed.to_owned()),
        (
            "the URL without the trackers that somebody put before key: they may only follow sig",
            &authority,
            format!("{path}?{}", own.join("&")),
        ),
        (
            "the URL with another end of its path: a slash",
            &authority,
            with_query(&format!("{path}/")),
        ),
        (
            "the URL with another end of its path: no slash",
            &authority,
            with_query(path.trim_end_matches('/')),
        ),
        ("the URL with %20 for +", &authority, signed.replace('+', "%20")),
        ("the URL with + for %20", &authority, signed.replace("%20", "+")),
        ("the URL of the host without a port", host, signed.to_owned()),
    ];
    let messages = changes.map(|(what, authority, signed)| {
        (what, format!("writegate-url-v1\n{authority}\n{signed}"))
    });
    let guess = tried(&messages, &tag, &secrets(request, key, local));
    Some(guess.unwrap_or_else(|| {
        "No usual mistake gives the URL's MAC: it was made with another secret, or the host, the path or a parameter \
         before sig is not the one that was signed."
            .to_owned()
    }))
}

fn tried(messages: &[(&str, String)], tag: &[u8], secrets: &[(String, Secret)]) -> Option<String> {
    if secrets.is_empty() {
        return Some(
            "Without SIGNING_SECRET or WRITEGATE_SK the MAC cannot be tried here.".to_owned(),
        );
    }
    messages.iter().find_map(|(bytes, message)| {
        let verifies = |secret: &Secret| MacKey::new(secret).verify(message.as_bytes(), tag);
        let (whose, _) = secrets.iter().find(|(_, secret)| verifies(secret))?;
        Some(format!("The MAC that was sent is over {bytes}; its key is {whose}."))
    })
}

/// Returns the secrets that may have been used, the right one first.
fn secrets(request: &RequestInput, keyid: &str, local: &Local) -> Vec<(String, Secret)> {
    let mut secrets = Vec::new();
    let mut add = |whose: &str, secret: &Secret| {
        secrets.push((whose.to_owned(), secret.clone()));
        for (mistake, wrong) in mistaken(secret) {
            secrets.push((format!("{whose}, {mistake}"), wrong));
        }
    };
    if let Some(sk) = &local.sk {
        add("WRITEGATE_SK", sk);
        add("the session key of WRITEGATE_SK", &derive_ss(sk, keyid));
    }
    let session = request
        .header("authorization")
        .and_then(|value| Session::parse(value.strip_prefix("Bearer ")?).ok());
    let session_key = session.and_then(|session| KeyId::parse(session.key()));
    for (root_name, root) in local.roots() {
        let own = invocation::hint("key show ID");
        add(&format!("{root_name} itself: use the key's own secret ({own})"), root);
        if let Some(key) = KeyId::parse(keyid) {
            for version in VERSIONS {
                let sk = derive_sk(root, &key, version);
                add(&format!("the key's secret of version {version} under {root_name}"), &sk);
            }
        }
        let keys = local.config().into_iter().flat_map(|config| config.keys.values());
        for other in keys.map(|known| known.key()).filter(|other| other.id.as_str() != keyid) {
            let sk = derive_sk(root, &other.id, other.version);
            add(&format!("the secret of another key, {}, under {root_name}", other.id), &sk);
        }
        if let Some(key) = &session_key {
            for version in VERSIONS {
                let sk = derive_sk(root, key, version);
                let whose = format!("session's key, version {version} under {root_name}");
                add(&format!("the secret (sk) of the {whose}: use the session's own (ss)"), &sk);
                add(&format!("the {whose}"), &derive_ss(&sk, keyid));
            }
        }
    }
    secrets
}

/// Returns the secret as people change it by mistake before they use it.
fn mistaken(secret: &Secret) -> Vec<(&'static str, Secret)> {
    let mut wrong = Vec::new();
    let Some(text) = secret.expose_str() else {
        return wrong;
    };
    wrong.push(("with a line break after it", Secret::new(format!("{text}\n"))));
    let bare = text.strip_prefix("sk_").or_else(|| text.strip_prefix("ss_"));
    if let Some(bare) = bare {
        wrong.push(("without its prefix: use it as it is printed", Secret::new(bare)));
        if let Ok(decoded) = URL_SAFE_NO_PAD.decode(bare) {
            wrong.push(("decoded: use it as text, as it is printed", Secret::new(decoded)));
        }
    }
    wrong.push(("encoded as base64: use it as it is printed", Secret::new(STANDARD.encode(text))));
    wrong
}

fn lowered(base: &str, method: &str) -> String {
    let line = |method: &str| format!("\"@method\": {method}\n");
    base.replace(&line(method), &line(&method.to_ascii_lowercase()))
}

fn without_last_line(base: &str) -> String {
    base.rsplit_once('\n').map_or_else(String::new, |(lines, _)| lines.to_owned())
}
