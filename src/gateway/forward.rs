//! The request for the upstream (docs/wire-contract.md, "Upstream requests and answers"): its URL, and
//! which of the caller's headers are removed or replaced.
//!
//! In scope: the decision. Out of scope: sending the request (`edge`), and the response (`reply`).

use std::borrow::Cow;

use crate::base::json_writer::ObjectWriter;
use crate::base::request::{Head, begins_with_any, caller_address, is_from_proxy, is_same_header};
use crate::base::secret::Secret;
use crate::cache::{self, Lookup, Policy, Scope};
use crate::credential::Verified;
use crate::gateway::admit::Admitted;
use crate::upstream::route::Route;
use crate::upstream::target::target;
use crate::upstream::url::UpstreamCredential;

/// Longest body, in bytes, that is buffered so that it can be sent again.
pub const MAX_REPEATABLE_BODY_BYTES: u64 = 1_048_576;

/// The transport of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is no body.
    None,
    /// The body streams: its length is known and within the limit.
    Stream,
    /// The body streams and is broken off after this many bytes, because its length is not known.
    Counted(u64),
    /// The platform has buffered the body.
    Buffered,
}

/// A request for the upstream. Only [`forward`] makes one, and only from an admitted request.
#[derive(Debug)]
pub struct Outbound<'h> {
    /// The URL.
    pub url: String,
    /// The caller's headers that are removed.
    pub drop: Vec<&'h str>,
    /// The headers that are set, replacing those of the same name.
    pub set: Vec<(String, Secret)>,
    /// The transport of the body.
    pub body: Body,
    /// The request may be sent again.
    pub repeatable: bool,
    /// The method is HEAD.
    pub is_head: bool,
    /// The place of the response in the cache, if this is a read of a cached route.
    pub cache: Option<Lookup>,
}

/// Builds the request for the upstream. Returns `None` if path and query cannot be joined to the
/// upstream's URL without leaving its host, which cannot happen with a checked path.
pub fn forward<'h>(
    admitted: &Admitted,
    head: &Head<'h>,
    route: &Route,
    credential: &UpstreamCredential,
    request_id: &str,
) -> Option<Outbound<'h>> {
    let verified = admitted.verified();
    let url = target(head, route, verified.params())?;
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
            route.path.as_str().to_owned(),
            credential.fingerprint(),
            &url,
            verified,
            head,
            sent,
        )
    });
    let is_idempotent = is_idempotent(head, route, &drop);
    let (body, repeatable) = body(head, route, is_idempotent, admitted.is_buffered());
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

/// Returns the names of a read's headers that must not reach the upstream of a cached route: all except
/// those in the cache key, and conditional headers if the response cannot be stored.
fn headers_outside_key<'h>(head: &Head<'h>) -> Vec<&'h str> {
    let names = head.headers().map(|(name, _)| name);
    let is_hop_by_hop = head.hop_by_hop();
    names
        .filter(|name| {
            let unstored = head.method() == "HEAD" && cache::CONDITIONAL_HEADERS.contains(name);
            (!cache::CACHE_KEY_HEADERS.contains(name) && !unstored) || is_hop_by_hop(name)
        })
        .collect()
}

/// Returns the names of the caller's headers that must not reach the upstream.
fn dropped<'h>(head: &Head<'h>, route: &Route) -> Vec<&'h str> {
    let credential_header = route.auth.credential_header();
    let is_hop_by_hop = head.hop_by_hop();
    let passes = |name: &str| route.pass_headers.iter().any(|listed| listed == name);
    head.headers()
        .map(|(name, _)| name)
        .filter(|name| {
            let folded = folded(name);
            (is_removed(&folded) && !passes(name))
                || credential_header.is_some_and(|header| is_same_header(header, name))
                || is_hop_by_hop(name)
                || has_dashed_twin(folded, head)
        })
        .collect()
}

/// Returns true if the gate removes a header of this name (`-` for `_`), or if a CGI server could confuse it with
/// one that is removed, because it reads every character other than letters and digits as `_`.
fn is_removed(name: &str) -> bool {
    // In lower case, as the platform delivers names.
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !name.bytes().all(plain)
        || is_removed_by_name(name)
        || is_removed_by_prefix(name)
        || is_from_proxy(name)
}

fn is_removed_by_name(name: &str) -> bool {
    match name {
        "authorization" | "cookie" | "x-api-key" | "x-public-key" | "x-request-id"
        | "x-method-override" => true,
        // Hop-by-hop (RFC 9110 section 7.6.1).
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade" => true,
        _ => false,
    }
}

fn is_removed_by_prefix(name: &str) -> bool {
    let prefixes: &[&str] = match name.as_bytes() {
        // The AI Gateway's `cf-aig-*` headers select a budget and the cost that is booked, so callers may
        // set only those in a route's `pass_headers`.
        [b'c', ..] => &["cf-"],
        // A CGI server would hand `Proxy` on as `HTTP_PROXY`, by which its own requests go.
        [b'p', ..] => &["proxy"],
        [b's', ..] => &["signature"],
        [b'w', ..] => &["writegate-"],
        // By `X-Sendfile-Type` and `X-Accel-Mapping`, Rack and Plack let the proxy before them send another file.
        [b'x', ..] => {
            &["x-auth-", "x-http-", "x-rewrite-", "x-script-name", "x-accel-", "x-sendfile"]
        }
        _ => &[],
    };
    begins_with_any(name, prefixes)
}

/// Returns true if a name had a `_` before it was folded, and the same name with `-` is present too: a CGI server
/// would take either.
fn has_dashed_twin(folded: Cow<'_, str>, head: &Head<'_>) -> bool {
    matches!(folded, Cow::Owned(twin) if head.header(&twin).is_some())
}

/// Returns a name with `-` for `_`.
fn folded(name: &str) -> Cow<'_, str> {
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    }
}

/// Returns true if the upstream handles the request once, no matter how often it is sent, because it
/// honours the one `Idempotency-Key` that is sent. An empty one does not count, nor do two, joined by a
/// comma, because it is not known which one the upstream takes.
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
        // A shared response must not depend on which of the callers who share it asked first.
        let (key, subject, address) = match policy.map(|policy| policy.scope) {
            None => (true, true, true),
            Some(Scope::Subject) => (true, true, false),
            Some(Scope::Key) => (true, false, false),
            Some(Scope::Shared) => (false, false, false),
        };
        if key {
            plain("writegate-key", verified.key().id.to_string());
        }
        let subject_claim = verified.claims().and_then(|claims| claims.subject.clone());
        let subject_claim = subject_claim.filter(|_| subject);
        if key {
            let id = verified.key().id.as_str();
            plain("cf-aig-metadata", metadata(id, subject_claim.as_deref()));
        }
        if let Some(subject_claim) = subject_claim {
            plain("writegate-subject", subject_claim);
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
    let mut metadata = ObjectWriter::new();
    metadata.set("key", key);
    if let Some(subject) = subject {
        metadata.set("subject", subject);
    }
    metadata.end()
}

/// Formats `Forwarded` (RFC 7239 section 4). An IPv6 address is in brackets and quotes (section 6.1);
/// the authority has no character that ends the quotes.
fn forwarded(head: &Head<'_>) -> String {
    let address = match caller_address(head) {
        Some(core::net::IpAddr::V4(v4)) => v4.to_string(),
        Some(core::net::IpAddr::V6(v6)) => format!("\"[{v6}]\""),
        None => "unknown".to_owned(),
    };
    let (host, proto) = (head.authority(), head.scheme());
    format!("for={address};host=\"{host}\";proto={proto}")
}

/// Returns the transport of the body, and whether the request may be sent again: a read always; anything
/// else only with an `Idempotency-Key` that the upstream honours, and a body that is small enough to
/// buffer.
fn body(head: &Head<'_>, route: &Route, is_idempotent: bool, is_buffered: bool) -> (Body, bool) {
    let reads = matches!(head.method(), "GET" | "HEAD");
    match (head.has_body(), head.content_length()) {
        (false, _) => (Body::None, reads || is_idempotent),
        (true, _) if is_buffered => (Body::Buffered, is_idempotent && is_small(head)),
        (true, Some(_)) => (Body::Stream, false),
        (true, None) => (Body::Counted(route.max_body_bytes), false),
    }
}

/// Returns true if the body must be buffered before the request is forwarded, so that it can be sent
/// again.
pub fn must_buffer(head: &Head<'_>, route: &Route) -> bool {
    // The flag first, because few routes have it, and every write comes here.
    route.idempotency_key
        && head.has_body()
        && is_small(head)
        && is_idempotent(head, route, &dropped(head, route))
}

/// Returns true if the body is small enough to be buffered so that it can be sent again.
fn is_small(head: &Head<'_>) -> bool {
    let length = head.content_length();
    length.is_some_and(|length| length <= MAX_REPEATABLE_BODY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_header_that_the_page_for_callers_names_is_removed() {
        let page = include_str!("../../docs/clients.md");
        let (_, list) = page.split_once("**Removed** from the request").unwrap();
        let (list, _) = list.split_once("**Set:**").unwrap();
        // Names are between backticks; parameters and characters, too, but in lower case.
        let names = list.split('`').skip(1).step_by(2).filter(|name| *name != "cf-aig-*");
        let names: Vec<&str> = names.filter(|name| name.contains(char::is_uppercase)).collect();
        assert!(names.len() > 25, "{names:?}");
        for name in names {
            assert!(is_removed(&name.to_ascii_lowercase().replace('*', "x")), "{name}");
        }
    }

    #[test]
    fn what_must_not_pass_is_removed_in_every_spelling() {
        // `tests/core/crossing.rs` sends the others.
        for name in [
            "authorization", "signature", "signature-input", "x-public-key", "connection",
            "transfer-encoding", "upgrade", "fly-client-ip", "wl-proxy-client-ip",
            "ali-cdn-real-ip", "do-connecting-ip", "client-cert", "client-cert-chain",
            "x-forwarded", "forwarded-for", "remote-groups", "x-webauth-user", "x-accel-mapping",
            "x-sendfile-type", "x-script-name",
        ] {
            for between in ["-", "_", ".", "!", "~", "|", "'"] {
                let name = name.replace('-', between);
                assert!(is_removed(&folded(&name)), "{name}");
            }
        }
        for name in ["accept.x", "x+y", "x*", "x\u{e9}", "content.type", "$version"] {
            assert!(is_removed(&folded(name)), "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        for name in [
            "accept", "content-type", "content-length", "content-digest", "idempotency-key",
            "x_custom_2", "x-forward", "x-author", "x-authentic", "x-authenticated", "if-match",
            "origin", "referer", "user-agent", "range", "prefer", "x-custom", "traceparent",
            "author", "cookies", "x-zip", "client-ips", "x-real-ip-2", "client", "x-schemes",
            "sec-ch-prefers-color-scheme", "x-client-info", "x-proximity", "sms-id",
            "x-ms-version", "x-amz-date", "x-goog-api-client", "userinfo",
        ] {
            assert!(!is_removed(&folded(name)), "{name}");
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
