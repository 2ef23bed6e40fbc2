//! What reaches the upstream (contract section 5): which of the caller's headers are removed,
//! which are set, and where the request goes.
//!
//! In scope: the decision. Out of scope: doing it (`edge`), and what comes back (`reply`).

use std::borrow::Cow;

use crate::base::request::{Head, caller_address, is_same_header};
use crate::base::secret::Secret;
use crate::cache::{self, Lookup, Policy, Scope};
use crate::credential::Verified;
use crate::gateway::admit::Admitted;
use crate::upstream::route::Route;
use crate::upstream::target::target;
use crate::upstream::url::UpstreamCredential;

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
    // The AI Gateway's `cf-aig-*` select a budget and the cost that is booked: a route's
    // `pass_headers` lists those that callers may set.
    "cf-",
];

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
    Buffered,
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
    credential: &UpstreamCredential,
    request_id: &str,
) -> Option<Outbound<'h>> {
    let verified = admitted.verified();
    let url = target(head, route, verified.spent())?;
    let reads = matches!(head.method(), "GET" | "HEAD");
    let policy = route.cache.filter(|_| reads);
    let drop = match policy {
        None => dropped(head, route),
        Some(_) => headers_outside_key(head),
    };
    let sent = |name: &str| head.header(name).filter(|_| !drop.contains(&name));
    let cache = policy.map(|policy| {
        cache::lookup(
            policy,
            route.path.to_string(),
            credential.fingerprint(),
            &url,
            verified,
            head,
            sent,
        )
    });
    let is_idempotent = is_idempotent(head, route, &drop);
    let (body, repeatable) = body(head, route, is_idempotent, admitted.body_held());
    Some(Outbound {
        drop,
        set: set(verified, head, route, credential, request_id, policy),
        url,
        body,
        repeatable,
        is_head: head.method() == "HEAD",
        cache,
    })
}

/// The names of a read's headers that must not reach the upstream of a cached route: all but what its
/// answer is kept under, and what only a store can answer where there will be none.
fn headers_outside_key<'h>(head: &Head<'h>) -> Vec<&'h str> {
    let names = head.headers().map(|(name, _)| name);
    let is_hop_by_hop = head.hop_by_hop();
    names
        .filter(|name| {
            let unstored = head.method() == "HEAD" && cache::CONDITIONAL_HEADERS.contains(name);
            is_hop_by_hop(name) || (!cache::CACHE_KEY_HEADERS.contains(name) && !unstored)
        })
        .collect()
}

/// The names of the caller's headers that must not reach the upstream.
fn dropped<'h>(head: &Head<'h>, route: &Route) -> Vec<&'h str> {
    let own = route.auth.own_header();
    let is_hop_by_hop = head.hop_by_hop();
    let passes = |name: &str| route.pass_headers.iter().any(|listed| listed == name);
    head.headers()
        .map(|(name, _)| name)
        .filter(|name| {
            (is_removed(name) && !passes(name))
                || own.is_some_and(|own| is_same_header(own, name))
                || is_hop_by_hop(name)
                || is_shadow(name, head)
        })
        .collect()
}

/// Returns true if a header of this name is the gate's to remove, or if a CGI server could take it for
/// one that is: it reads every character beside letters and digits as `_`.
fn is_removed(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.bytes().all(plain) {
        return true;
    }
    let name = folded(name);
    let mut prefixes = REMOVED_PREFIXES.iter();
    REMOVED.contains(&&*name) || prefixes.any(|prefix| name.starts_with(prefix))
}

/// Returns true if the name has a `_` and its like with `-` is there too: a CGI server would take
/// either.
fn is_shadow(name: &str, head: &Head<'_>) -> bool {
    name.contains('_') && head.header(&folded(name)).is_some()
}

/// A name with `_` read as `-`.
fn folded(name: &str) -> Cow<'_, str> {
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    }
}

/// Returns true if the upstream takes the request once, however often it is sent: it honours the one
/// `Idempotency-Key` that is really sent. An empty one is none, and of two, joined by a comma, nobody
/// knows which the upstream takes.
fn is_idempotent(head: &Head<'_>, route: &Route, drop: &[&str]) -> bool {
    let sent = head.header("idempotency-key").filter(|_| route.idempotency_key);
    let sent = sent.filter(|_| !drop.contains(&"idempotency-key"));
    sent.is_some_and(|key| !key.contains(',') && !key.trim_matches([' ', '\t', '"']).is_empty())
}

fn set(
    verified: &Verified,
    head: &Head<'_>,
    route: &Route,
    credential: &UpstreamCredential,
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
        let claimed = claimed.filter(|_| subject);
        if key {
            let id = verified.key().id.as_str();
            plain("cf-aig-metadata", metadata(id, claimed.as_deref()));
        }
        if let Some(claimed) = claimed {
            plain("writegate-subject", claimed);
        }
        if address {
            plain("forwarded", forwarded(head));
        }
    }
    set
}

/// Returns the metadata that Cloudflare's AI Gateway files a request under:
/// <https://developers.cloudflare.com/ai-gateway/observability/custom-metadata/>.
fn metadata(key: &str, subject: Option<&str>) -> String {
    let metadata = match subject {
        None => serde_json::json!({"key": key}),
        Some(subject) => serde_json::json!({"key": key, "subject": subject}),
    };
    metadata.to_string()
}

/// `Forwarded` (RFC 7239 section 4). An IPv6 address is in brackets and quotes (section 6.1); the
/// authority holds nothing that would end the quotes.
fn forwarded(head: &Head<'_>) -> String {
    let address = match caller_address(head) {
        Some(core::net::IpAddr::V4(v4)) => v4.to_string(),
        Some(core::net::IpAddr::V6(v6)) => format!("\"[{v6}]\""),
        None => "unknown".to_owned(),
    };
    let (host, proto) = (head.authority(), head.scheme());
    format!("for={address};host=\"{host}\";proto={proto}")
}

/// How the body travels, and whether the request may be sent again: reads always; anything else
/// only with an `Idempotency-Key` that the upstream honours and a body small enough to hold.
fn body(head: &Head<'_>, route: &Route, is_idempotent: bool, held: bool) -> (Body, bool) {
    let reads = matches!(head.method(), "GET" | "HEAD");
    match (head.has_body(), head.content_length()) {
        (false, _) => (Body::None, reads || is_idempotent),
        (true, _) if held => (Body::Buffered, is_idempotent && is_small(head)),
        (true, Some(_)) => (Body::Stream, false),
        (true, None) => (Body::Counted(route.max_body_bytes), false),
    }
}

/// Returns true if the body must be read before the request is forwarded, so that it can be sent again.
#[must_use]
pub fn must_hold(head: &Head<'_>, route: &Route) -> bool {
    let may_be_sent_again = route.idempotency_key && head.has_body() && is_small(head);
    may_be_sent_again && is_idempotent(head, route, &dropped(head, route))
}

/// Returns true if the body is small enough to be held so that it can be sent again.
fn is_small(head: &Head<'_>) -> bool {
    let length = head.content_length();
    length.is_some_and(|length| length <= MAX_REPEATABLE_BODY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
            "cf-aig-metadata",
            "cf-aig-custom-cost",
            "cf-aig-collect-log",
        ] {
            for between in ["-", "_", ".", "!", "~", "|", "'"] {
                let name = name.replace('-', between);
                assert!(is_removed(&name), "{name}");
            }
        }
        for name in ["accept.x", "x+y", "x*", "x\u{e9}", "content.type", "$version"] {
            assert!(is_removed(name), "{name}");
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
            "x_custom_2",
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
        let auth = json!({"scheme": "header", "name": "X-Api.Token"});
        assert_eq!(
            dropped(&head, &route(json!({"upstream_auth": auth}))),
            ["connection", "x-hop", "x-other", "x_api_token"]
        );
    }

    fn route(changes: Value) -> Route {
        let mut route = json!({"path": "/*", "upstream": "https://a.example"});
        for (name, value) in changes.as_object().unwrap() {
            route[name] = value.clone();
        }
        Route::parse("ROUTES[0]", route).unwrap()
    }

    #[test]
    fn a_header_that_the_route_lists_passes_in_that_spelling() {
        let head = head(&[
            ("cf-aig-metadata", "{}"),
            ("cf_aig_metadata", "{}"),
            ("cf-aig-custom-cost", "{}"),
        ]);
        let listed = route(json!({"pass_headers": ["CF-AIG-Metadata"]}));
        let unlisted = ["cf_aig_metadata", "cf-aig-custom-cost"];
        assert_eq!(dropped(&head, &listed), unlisted);
        assert_eq!(dropped(&head, &route(json!({}))).len(), 3);
    }

    #[test]
    fn of_two_names_that_are_one_to_a_cgi_server_the_plain_one_passes() {
        let both = head(&[("content-type", "a/b"), ("content_type", "c/d")]);
        assert_eq!(dropped(&both, &route(json!({}))), ["content_type"]);
        let alone = head(&[("content_type", "c/d")]);
        assert_eq!(dropped(&alone, &route(json!({}))), [""; 0]);
    }

    #[test]
    fn what_may_be_sent_again_is_decided_on_what_is_sent() {
        let idempotent = |headers: &[(&str, &str)]| {
            let route = route(json!({"idempotency_key": true}));
            let head = head(headers);
            is_idempotent(&head, &route, &dropped(&head, &route))
        };
        assert!(idempotent(&[("idempotency-key", "a")]));
        assert!(idempotent(&[("idempotency-key", "\"a\"")]));
        for value in ["", " ", "\t", "\"\"", "a, b", "a,"] {
            assert!(!idempotent(&[("idempotency-key", value)]), "{value:?}");
        }
        for option in ["idempotency-key", "x, Idempotency-Key", "idempotency_key"] {
            let headers = [("idempotency-key", "a"), ("connection", option)];
            assert!(!idempotent(&headers), "{option}");
        }
        assert!(!idempotent(&[("idempotency_key", "a")]));
    }
}
