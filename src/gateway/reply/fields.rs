//! The response fields that do not reach the caller, each with its reason.
//!
//! One gate serves many APIs under one origin, and a browser keeps its state per origin. A field that
//! changes this state for the whole origin would let one API affect the requests and signed URLs of
//! another.

use crate::base::request::begins_with_any;

/// Returns true if the gate removes this field of the upstream. `name` is in lower case.
pub(super) fn is_removed(name: &str) -> bool {
    is_removed_by_name(name) || is_removed_by_kind(name)
}

fn is_removed_by_name(name: &str) -> bool {
    match name {
        // Hop-by-hop (RFC 9110 section 7.6.1): they describe the connection to the upstream. `proxy-*`
        // is below, and so is whatever `Connection` names.
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
        | "http2-settings" => true,

        // State that the browser keeps for the whole origin.
        // Cookies: they would go to every API behind the gate.
        "set-cookie" | "set-cookie2" => true,
        // Storage, caches and login state of the origin.
        "clear-site-data" | "set-login" | "activate-storage-access" => true,
        // A service worker of one API would see the requests to all.
        "service-worker-allowed" => true,
        // Reports of all requests, with their URLs, go to a host that the upstream names.
        "nel" | "report-to" | "reporting-endpoints" => true,
        // Conditions for reaching the origin: TLS and its certificates.
        "strict-transport-security" | "public-key-pins" | "expect-ct" | "expect-staple" => true,
        // Another host or port answers for the origin.
        "alt-svc" => true,
        // Features and client hints that the browser turns on for later requests too.
        "origin-trial"
        | "critical-origin-trial"
        | "origin-agent-cluster"
        | "accept-ch"
        | "accept-ch-lifetime"
        | "critical-ch" => true,
        // The response becomes a compression dictionary for other paths of the origin.
        "use-as-dictionary" => true,
        // The browser may serve the response to one signed URL for another.
        "no-vary-search" => true,
        // Advertising and tracking state of the origin.
        "observe-browsing-topics" | "shared-storage-write" => true,

        // Instructions to a browser about this response that lead elsewhere.
        // It redirects, and the gate rewrites only `Location`.
        "refresh" => true,
        // The browser loads or prerenders URLs that the upstream names.
        "speculation-rules" | "supports-loading-mode" => true,
        // It could send signed URLs to other hosts, or reports about them.
        "referrer-policy" | "x-xss-protection" => true,
        // The gate decides which other pages may measure the response, as with CORS.
        "timing-allow-origin" => true,

        // Fields that only the gate may set.
        // A challenge opens a password dialog in the gate's name, for a credential that only the gate has.
        "www-authenticate" | "optional-www-authenticate" | "authentication-info" => true,
        // A policy in a 304 or a 206 would replace the sandbox of the document that the browser keeps (RFC 9111
        // section 3.2). It could also report signed URLs.
        "content-security-policy" => true,
        // The caller's signatures are for the gate; the upstream never sees them.
        "accept-signature" => true,

        // Instructions to caches and proxies in front of the gate, which do not know who may read the
        // response. `*-cache-control` is below. `pragma` means nothing in a response (RFC 9111 section
        // 5.4), but some caches guess.
        "surrogate-control" | "surrogate-key" | "edge-control" | "cf-edge-cache" | "pragma" => true,
        // Proxies that read these send a file or another URL instead of the response; LiteSpeed's are below.
        "x-sendfile" | "x-lighttpd-send-file" | "x-reproxy-url" => true,
        _ => false,
    }
}

fn is_removed_by_kind(name: &str) -> bool {
    let prefixes: &[&str] = match name.as_bytes() {
        // The gate answers for CORS; the others are set by browsers, or about the whole origin.
        [b'a', ..] => &["access-control-", "attribution-reporting-", "ad-auction-"],
        // Tags by which a cache purges responses together, also those of another API: `Cache-Groups` and
        // `Cache-Group-Invalidation` (RFC 9875); the vendors' `Cache-Tag` is below.
        [b'c', ..] => &["cache-group"],
        // Hop-by-hop, and the challenges of a proxy that the caller does not talk to.
        [b'p', ..] => &["proxy-"],
        // Set by browsers, or about sessions and sockets of the whole origin.
        [b's', ..] => &["sec-", "secure-session-"],
        // The gate's own fields, in responses and in its cache.
        [b'w', ..] => &["writegate-"],
        // nginx's and LiteSpeed's `X-Sendfile` and their kind.
        [b'x', ..] => &["x-accel-", "x-litespeed-"],
        _ => &[],
    };
    begins_with_any(name, prefixes)
        || name.ends_with("cache-tag")
        // Targeted cache control (RFC 9213): `CDN-Cache-Control` and what vendors put before it.
        || name.ends_with("-cache-control")
        // Policies that only report, with the URL.
        || name.ends_with("-report-only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_the_page_for_callers_names_is_removed() {
        let page = include_str!("../../../docs/clients.md");
        let (_, list) = page.split_once("**Removed.**").unwrap();
        let (list, _) = list.split_once("**Set.**").unwrap();
        // Names are between backticks. The rule about a length needs the other fields: `super::edit`.
        let names = list.split('`').skip(1).step_by(2).filter(|name| *name != "Content-Length");
        let names: Vec<String> =
            names.map(|name| name.to_ascii_lowercase().replace('*', "x")).collect();
        assert!(names.len() > 60, "{names:?}");
        for name in names {
            assert!(is_removed(&name), "{name}");
        }
    }

    #[test]
    fn only_fields_of_the_answer_pass() {
        for name in [
            "content-type", "content-length", "content-encoding", "content-disposition",
            "cache-control", "etag", "expires", "last-modified", "vary", "date", "age", "server",
            "server-timing", "location", "content-location", "link", "allow", "accept-ranges",
            "retry-after", "ratelimit", "ratelimit-policy", "x-ratelimit-remaining",
            "x-request-id", "signature", "signature-input", "content-digest", "permissions-policy",
            "cross-origin-resource-policy", "x-frame-options", "x-cache", "cf-cache-status",
            "cf-aig-step", "te-x", "security",
        ] {
            assert!(!is_removed(name), "{name}");
        }
    }
}
