//! What reaches the upstream (contract section 5): which of the caller's headers are removed,
//! which are set, and where the request goes.
//!
//! In scope: the decision. Out of scope: doing it (`edge`), and what comes back (`reply`).

use std::borrow::Cow;

use crate::admission::Admitted;
use crate::cache::{self, Lookup, Policy, Scope};
use crate::credential::Verified;
use crate::credential::url::Spent;
use crate::policy;
use crate::request::Head;
use crate::route::Route;
use crate::secret::Secret;
use crate::upstream::Credential;

/// Longest body, in bytes, that is held so that it can be sent again.
pub const MAX_REPEATABLE_BODY_BYTES: u64 = 1_048_576;

/// Headers removed by name.
const REMOVED: [&str; 20] = [
    "authorization",
    "cookie",
    "forwarded",
    "via",
    "true-client-ip",
    "x-api-key",
    "x-public-key",
    "x-real-ip",
    "x-request-id",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    // Hop-by-hop (RFC 9110 section 7.6.1).
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers removed by how their name begins.
const REMOVED_PREFIXES: [&str; 6] = [
    "signature",
    "proxy-",
    "x-auth-",
    "x-forwarded-",
    "writegate-",
    "cf-",
];
/// The AI Gateway's own headers, which callers are meant to send.
const KEPT_PREFIX: &str = "cf-aig-";
/// The AI Gateway's credential, which they are not.
const REMOVED_ANYWAY: &str = "cf-aig-authorization";

/// How the body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// As it comes: its length is known and within the limit.
    Stream,
    /// As it comes, broken off after this many bytes: its length is not known.
    Counted(u64),
    /// The platform has read it already.
    Held,
}

/// A request for the upstream. Only [`forward`] makes one, and only from what was admitted.
#[derive(Debug)]
pub struct Outbound<'h> {
    /// Where it goes.
    pub url: String,
    /// The caller's headers that do not go there.
    pub drop: Vec<&'h str>,
    /// The headers that are set, replacing whatever was there.
    pub set: Vec<(String, Secret)>,
    /// How the body travels.
    pub body: Body,
    /// Whether it may be sent again.
    pub repeatable: bool,
    /// It is a HEAD.
    pub is_head: bool,
    /// Where its answer is kept, if it is a read of a cached route.
    pub cache: Option<Lookup>,
}

/// Builds the upstream's request. `None` when path and query cannot be joined to the upstream
/// without leaving its host, which a checked path never does.
#[must_use]
pub fn forward<'h>(
    admitted: &Admitted,
    head: &Head<'h>,
    route: &Route,
    credential: &Credential,
    request_id: &str,
) -> Option<Outbound<'h>> {
    let verified = admitted.verified();
    let url = target(head, route, verified.spent())?;
    let (body, repeatable) = body(head, route, admitted.body_held());
    let reads = matches!(head.method(), "GET" | "HEAD");
    let policy = route.cache.filter(|_| reads);
    let cache = policy.map(|policy| cache::lookup(policy, route, credential, &url, verified, head));
    Some(Outbound {
        drop: match policy {
            None => dropped(head, route.auth.own_header()),
            Some(_) => unkeyed(head),
        },
        set: set(verified, head, route, credential, request_id, policy),
        url,
        body,
        repeatable,
        is_head: head.method() == "HEAD",
        cache,
    })
}

/// The upstream's URL of a request whose query was, so far, the credential.
#[must_use]
pub fn target(head: &Head<'_>, route: &Route, spent: Spent) -> Option<String> {
    let query = match spent {
        Spent::Nothing => head.query().map(Cow::Borrowed),
        Spent::Key => without_key(head.query()?),
        Spent::Signed => without_last(head.query()?, 3).map(Cow::Borrowed),
        Spent::Waf => without_last(head.query()?, 1).and_then(without_key),
    };
    let rest = match route.path.is_prefix() {
        true => Some(route.path.rest(head.path())?),
        false => None,
    };
    route.upstream.join(rest, query.as_deref())
}

/// The names of a read's headers that must not reach the upstream of a cached route: all but what its
/// answer is kept under, and what only a store can answer where there will be none.
fn unkeyed<'h>(head: &Head<'h>) -> Vec<&'h str> {
    let names = head.headers().map(|(name, _)| name);
    names
        .filter(|name| {
            let unstored = head.method() == "HEAD" && cache::ABOUT_STORED.contains(name);
            !cache::KEYED.contains(name) && !unstored
        })
        .collect()
}

/// The names of the caller's headers that must not reach the upstream.
fn dropped<'h>(head: &Head<'h>, own_header: Option<&str>) -> Vec<&'h str> {
    let named: Vec<String> = head
        .header("connection")
        .into_iter()
        .flat_map(|value| value.split(','))
        .map(|name| folded(&name.trim().to_ascii_lowercase()).into_owned())
        .collect();
    let own = own_header.map(folded);
    head.headers()
        .map(|(name, _)| name)
        .filter(|name| {
            let folded = folded(name);
            is_removed(&folded)
                || own.as_deref() == Some(&*folded)
                || named.iter().any(|named| *named == *folded)
        })
        .collect()
}

/// Whether a header of this (folded) name is the gate's to remove.
fn is_removed(name: &str) -> bool {
    let by_prefix = REMOVED_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix));
    REMOVED.contains(&name)
        || (by_prefix && (!name.starts_with(KEPT_PREFIX) || name == REMOVED_ANYWAY))
}

/// A name with `_` read as `-`: PHP and WSGI upstreams see no difference.
fn folded(name: &str) -> Cow<'_, str> {
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    }
}

fn set(
    verified: &Verified,
    head: &Head<'_>,
    route: &Route,
    credential: &Credential,
    request_id: &str,
    policy: Option<Policy>,
) -> Vec<(String, Secret)> {
    let mut set = credential.headers().to_vec();
    let mut plain = |name: &str, value: String| set.push((name.to_owned(), Secret::new(value)));
    plain("x-request-id", request_id.to_owned());
    if route.identify_caller {
        // An answer that is shared must not depend on who of those who share it asked first.
        let (key, subject, address) = match policy.map(|policy| policy.scope) {
            None => (true, true, true),
            Some(Scope::Subject) => (true, true, false),
            Some(Scope::Key) => (true, false, false),
            Some(Scope::Shared) => (false, false, false),
        };
        if key {
            plain("writegate-key", verified.key().id.to_string());
        }
        let claimed = verified.claims().and_then(|claims| claims.subject.clone());
        if let Some(claimed) = claimed.filter(|_| subject) {
            plain("writegate-subject", claimed);
        }
        if address {
            plain("forwarded", forwarded(head));
        }
    }
    set
}

/// `Forwarded` (RFC 7239 section 4). An IPv6 address is in brackets and quotes (section 6.1); the
/// authority holds nothing that would end the quotes.
fn forwarded(head: &Head<'_>) -> String {
    let address = match policy::caller_address(head) {
        Some(core::net::IpAddr::V4(v4)) => v4.to_string(),
        Some(core::net::IpAddr::V6(v6)) => format!("\"[{v6}]\""),
        None => "unknown".to_owned(),
    };
    let (host, proto) = (head.authority(), head.scheme());
    format!("for={address};host=\"{host}\";proto={proto}")
}

/// How the body travels, and whether the request may be sent again: reads always; anything else
/// only with an `Idempotency-Key` that the upstream honours and a body small enough to hold.
fn body(head: &Head<'_>, route: &Route, held: bool) -> (Body, bool) {
    let reads = matches!(head.method(), "GET" | "HEAD");
    match (head.has_body(), head.content_length()) {
        (false, _) => (Body::None, reads || is_idempotent(head, route)),
        (true, _) if held => (Body::Held, must_hold(head, route)),
        (true, Some(_)) => (Body::Stream, false),
        (true, None) => (Body::Counted(route.max_body_bytes), false),
    }
}

/// Returns true if the body must be read before the request is forwarded, so that it can be sent again.
#[must_use]
pub fn must_hold(head: &Head<'_>, route: &Route) -> bool {
    let length = head.content_length().filter(|_| head.has_body());
    let is_small = length.is_some_and(|length| length <= MAX_REPEATABLE_BODY_BYTES);
    is_small && is_idempotent(head, route)
}

/// Returns true if the upstream takes the request once, however often it is sent.
fn is_idempotent(head: &Head<'_>, route: &Route) -> bool {
    route.idempotency_key && head.header("idempotency-key").is_some()
}

/// The query without its `key` parameter: everything else in order and untouched.
fn without_key(query: &str) -> Option<Cow<'_, str>> {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|part| part.split('=').next() != Some("key"))
        .collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
}

/// The query without its last parameters; they stand at its very end.
fn without_last(query: &str, count: usize) -> Option<&str> {
    (0..count).try_fold(query, |query, _| {
        query.rsplit_once('&').map(|(rest, _)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_pass_is_removed_in_every_spelling() {
        for name in [
            "authorization",
            "signature",
            "signature-input",
            "signature-agent",
            "x-public-key",
            "cookie",
            "proxy-authorization",
            "proxy-connection",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-auth-key",
            "x-auth-email",
            "x-auth-token",
            "x-api-key",
            "writegate-key",
            "writegate-subject",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-real-ip",
            "true-client-ip",
            "via",
            "x-request-id",
            "x-http-method-override",
            "x-http-method",
            "x-method-override",
            "x-original-url",
            "x-rewrite-url",
            "cf-connecting-ip",
            "cf-ray",
            "cf-access-jwt-assertion",
            "cf-aig-authorization",
        ] {
            assert!(is_removed(name), "{name}");
            assert!(is_removed(&folded(&name.replace('-', "_"))), "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        for name in [
            "accept",
            "content-type",
            "content-length",
            "content-digest",
            "idempotency-key",
            "cf-aig-metadata",
            "x-forward",
            "x-authenticated",
            "if-match",
            "origin",
            "referer",
            "user-agent",
            "range",
            "prefer",
            "x-custom",
            "traceparent",
            "author",
            "cookies",
        ] {
            assert!(!is_removed(name), "{name}");
        }
    }

    fn head<'a>(headers: &[(&'a str, &'a str)]) -> Head<'a> {
        Head::new("POST", "https://gate.example/x", headers.to_vec(), false).unwrap()
    }

    #[test]
    fn what_connection_names_and_the_upstream_s_own_header_go_too() {
        let head = head(&[
            ("connection", "close, X-Hop , x_other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("x_api_token", "mine"),
            ("accept", "*/*"),
        ]);
        assert_eq!(
            dropped(&head, Some("x-api-token")),
            ["connection", "x-hop", "x-other", "x_api_token"]
        );
    }

    #[test]
    fn removing_the_key_leaves_the_query_in_order_and_raw() {
        let without = |query| without_key(query).map(Cow::into_owned);
        assert_eq!(without("b=2&key=pk&a=%7e1"), Some("b=2&a=%7e1".into()));
        assert_eq!(without("key=pk"), None);
        assert_eq!(without("&key=pk&&keys=1"), Some("&&keys=1".into()));
        assert_eq!(without_last("a=1&&key=pk&exp=1&sig=x", 3), Some("a=1&"));
        assert_eq!(without_last("key=pk&exp=1&sig=x", 3), None);
    }
}
