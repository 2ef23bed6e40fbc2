//! A borrowed, size-capped view of a request: method, scheme, authority, raw path, raw query and
//! headers, as they arrived. Nothing is decoded, re-encoded or re-sorted here.
//!
//! In scope: parsing the target, size limits, looking up headers. Out of scope: the meaning of any of
//! it.

use core::net::IpAddr;

use super::digits;

/// Longest target (scheme, authority, path and query) in bytes: Cloudflare's own limit for a URL.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;
/// Most header fields. Cloudflare passes at most 128 KB of headers, and no real client sends this many
/// fields.
pub const MAX_HEADERS: usize = 256;

/// Longest `Connection`, in bytes. It is read once for each covered field of a signature, before its MAC is verified.
pub const MAX_CONNECTION_BYTES: usize = 1024;

/// A request as the edge passes it on, unchecked.
#[derive(Clone, Debug)]
pub struct Raw<'h> {
    /// The method.
    pub method: &'h str,
    /// The absolute URL, raw.
    pub target: &'h str,
    /// Headers: names in lower case, values trimmed, repeated fields joined.
    pub headers: Vec<(&'h str, &'h str)>,
    /// The request has a body.
    pub has_body: bool,
}

/// The part of a request that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// The target, the authority, or a limit on a number or length that is exceeded.
    Request,
    /// The path contains control characters or spaces.
    Path,
}

/// The header in which the platform states the caller's address.
pub const ADDRESS_HEADER: &str = "cf-connecting-ip";

/// A request's method, target and headers.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    method: &'a str,
    scheme: &'a str,
    authority: &'a str,
    target: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: Vec<(&'a str, &'a str)>,
    has_body: bool,
}

impl<'a> Head<'a> {
    /// Parses the raw target. Header names must be in lower case, as the platform delivers them, and the
    /// values of repeated fields joined.
    ///
    /// # Errors
    /// `bad-request` for a target that is not an absolute http(s) URL, an authority with bytes other
    /// than letters, digits and `.-:[]` (also in `Host`, which some servers put into the URL), a
    /// fragment, or an exceeded limit; `bad-path` for control characters or spaces, which a URL parser
    /// would drop or move.
    pub fn new(
        method: &'a str,
        target: &'a str,
        headers: Vec<(&'a str, &'a str)>,
        has_body: bool,
    ) -> Result<Self, HeadError> {
        if target.len() > MAX_TARGET_BYTES || headers.len() > MAX_HEADERS {
            return Err(HeadError::Request);
        }
        let (scheme, rest) = target.split_once("://").ok_or(HeadError::Request)?;
        if !matches!(scheme, "http" | "https") {
            return Err(HeadError::Request);
        }
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).ok_or(HeadError::Request)?;
        let is_good = |(name, value): &(&str, &str)| match *name {
            "host" => is_authority(value),
            "connection" => value.len() <= MAX_CONNECTION_BYTES,
            _ => true,
        };
        if !is_authority(authority) || target.contains('#') || !headers.iter().all(is_good) {
            return Err(HeadError::Request);
        }
        if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(HeadError::Path);
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        // The platform may offer a stream even for an empty body.
        let empty = headers.contains(&("content-length", "0"));
        Ok(Self {
            method,
            scheme,
            authority,
            target,
            // RFC 9110 section 4.2.3: an empty path is the same as "/".
            path: if path.is_empty() { "/" } else { path },
            query,
            headers,
            has_body: has_body && !empty,
        })
    }

    /// Returns the method, exactly as sent.
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// Returns the scheme, `http` or `https`.
    pub const fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Returns host and port, as sent.
    pub const fn authority(&self) -> &'a str {
        self.authority
    }

    /// Returns the raw path and query, as sent.
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// Returns the raw path; `/` when empty.
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// Returns the raw query without its `?`; `None` when there is no `?`.
    pub const fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// Returns true if the request has a body.
    pub const fn has_body(&self) -> bool {
        self.has_body
    }

    /// Returns all headers, in the platform's order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.headers.iter().copied()
    }

    /// Returns the value of the header `name` (lower case); repeated fields are joined with `", "`.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// Returns a function that tells whether `Connection` names a header, which is then for the gate
    /// only (RFC 9110 section 7.6.1).
    pub fn hop_by_hop(&self) -> impl Fn(&str) -> bool + use<'a> {
        let options = self.header("connection").into_iter().flat_map(|options| options.split(','));
        let options: Vec<_> = options.map(str::trim).collect();
        move |name| options.iter().any(|option| is_same_header(option, name))
    }

    /// Returns the `Content-Length`, if there is one and it consists of digits.
    pub fn content_length(&self) -> Option<u64> {
        digits::parse(self.header("content-length")?)
    }

    /// Returns the query's parameters in order, raw: the name, and the value where there is a `=`.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(|part| !part.is_empty())
            .map(|part| match part.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (part, None),
            })
    }
}

/// Returns the caller's address, as the platform states it.
pub fn caller_address(head: &Head<'_>) -> Option<IpAddr> {
    address(head.header(ADDRESS_HEADER)?)
}

/// Parses a caller's address. An IPv4 address in IPv6 form (`::ffff:203.0.113.7`, RFC 4291 section
/// 2.5.5.2) becomes the IPv4 address, so that a caller has one address everywhere.
pub fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    Some(address.to_canonical())
}

/// Returns true if a CGI server could confuse the two header names, because it reads every character
/// other than letters and digits as `_` (RFC 3875 section 4.1.18, and common practice since).
pub fn is_same_header(name: &str, other: &str) -> bool {
    let folded = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'-',
    };
    name.len() == other.len() && name.bytes().map(folded).eq(other.bytes().map(folded))
}

/// Returns true if servers believe a header of this name (lower case, `-` for `_`) because a proxy or a login service sets it: who sends
/// the request, from where, and by which scheme. docs/clients.md says whose headers these are.
pub fn is_from_proxy(name: &str) -> bool {
    let prefixes: &[&str] = match name.as_bytes() {
        [b'c', ..] => &["client-cert", "cloudfront-"],
        // Elasticsearch, Kubernetes (`Impersonate-*`), GitLab and Gitea (`Sudo`) let the holder of a token act as another user.
        [b'e', ..] => &["es-security-runas-"],
        [b'f', ..] => &["forwarded", "front-end-"],
        [b'i', ..] => &["impersonate-", "iv-"],
        [b'o', ..] => &["oidc-"],
        [b'r', ..] => &["remote-"],
        [b's', ..] => &["shib-", "sm-", "ssl-"],
        [b't', ..] => &["tailscale-"],
        [b'w', ..] => &["wl-proxy-"],
        [b'x', ..] => &[
            "x-forwarded", "x-original-", "x-remote-", "x-webauth-", "x-authenticated-",
            "x-authentik-", "x-envoy-", "x-consumer-", "x-credential-", "x-ssl-", "x-client-cert",
            "x-arr-", "x-azure-", "x-ms-client-principal", "x-ms-token-", "x-amzn-mtls-",
            "x-amzn-oidc-", "x-goog-authenticated-", "x-pomerium-", "x-proxied-", "x-proxy",
            "x-vouch-", "x-vercel-", "x-appengine-",
        ],
        _ => &[],
    };
    let suffixes: &[&str] = match name.as_bytes() {
        [.., b'n'] => &["-jwt-assertion"],
        [.., b'o'] => &["-userinfo"],
        [.., b'p'] => &["client-ip", "clientip", "real-ip", "connecting-ip"],
        _ => &[],
    };
    matches!(name, "sudo" | "via" | "x-host" | "x-scheme" | "x-url-scheme")
        || begins_with_any(name, prefixes)
        || suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// Returns true if `name` begins with one of these. One copy of the loop makes the Worker smaller than the comparisons do.
#[inline(never)]
pub fn begins_with_any(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns true if `text` consists of bytes that an authority may contain.
fn is_authority(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

/// Returns `text` in a form that may appear in a log or a message: printable ASCII, at most 64 bytes.
pub fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_its_bounds() {
        let url = |length: usize| format!("https://g/{}", "x".repeat(length - "https://g/".len()));
        let head = |target: &str, headers: usize| {
            let headers = vec![("x", "y"); headers];
            Head::new("GET", target, headers, false).map(|_| ())
        };
        assert_eq!(head(&url(MAX_TARGET_BYTES), MAX_HEADERS), Ok(()));
        let refused = Err(HeadError::Request);
        assert_eq!(head(&url(MAX_TARGET_BYTES + 1), 0), refused);
        assert_eq!(head(&url(100), MAX_HEADERS + 1), refused);
        let connection = |length: usize| {
            let options = "x".repeat(length);
            let headers = vec![("host", "g"), ("connection", options.as_str())];
            Head::new("GET", "https://g/", headers, false).map(|_| ())
        };
        assert_eq!(connection(MAX_CONNECTION_BYTES), Ok(()));
        assert_eq!(connection(MAX_CONNECTION_BYTES + 1), refused);
    }

    #[test]
    fn a_target_is_taken_apart_as_it_was_sent() {
        for (url, authority, target, path, query) in [
            ("http://g", "g", "", "/", None),
            ("https://g/", "g", "/", "/", None),
            ("https://g?", "g", "?", "/", Some("")),
            ("https://g?a?b", "g", "?a?b", "/", Some("a?b")),
            (
                "https://G.example.:8443/%7e?b&a=",
                "G.example.:8443",
                "/%7e?b&a=",
                "/%7e",
                Some("b&a="),
            ),
            ("https://[2001:DB8::1]/x", "[2001:DB8::1]", "/x", "/x", None),
            ("https://[::1]:443/a//../b;c", "[::1]:443", "/a//../b;c", "/a//../b;c", None),
            (
                "https://a-b.c/x?u=https://d/?e",
                "a-b.c",
                "/x?u=https://d/?e",
                "/x",
                Some("u=https://d/?e"),
            ),
            ("https://g\\@h/x", "g", "\\@h/x", "\\@h/x", None),
            ("https://g/\u{e9}", "g", "/\u{e9}", "/\u{e9}", None),
        ] {
            let head = Head::new("GET", url, vec![], false).unwrap();
            assert_eq!((head.authority(), head.target()), (authority, target), "{url}");
            assert_eq!((head.path(), head.query()), (path, query), "{url}");
        }
    }

    #[test]
    fn what_is_no_such_target_or_names_no_host_is_refused() {
        let head = |url: &str, host: &str| {
            Head::new("GET", url, vec![("host", host)], false).map(|_| ()).err()
        };
        for url in [
            "", "/x", "g/x", "//g/x", "ftp://g/x", "HTTP://g/x", "https:/g", "https:g", "https://",
            "https:///x", "https://?x", "https://a_b/x", "https://a@b/x", "https://a:b@c/x",
            "https://a%62/x", "https://a,b/x", "https://a b/x", "https://\u{e9}/x",
            "https://a;b/x", "https://[fe80::1%25a]/x", "https://g/x#y", "https://g#y",
            "https://g?x#", "https://a\tb/x",
        ] {
            assert_eq!(head(url, "g"), Some(HeadError::Request), "{url}");
        }
        for host in ["", "a_b", "a/b", "a@b", "a?b", "a#b", "a\\b", "a b", "a,b", "a%62", "\u{e9}"]
        {
            assert_eq!(head("https://g/x", host), Some(HeadError::Request), "{host}");
        }
        for host in ["g", "G.example.:8443", "[::1]:80", "1.2.3.4"] {
            assert_eq!(head("https://other/x", host), None, "{host}");
        }
        for byte in (0..=b' ').chain([0x7f]) {
            for url in [
                format!("https://g/{}", char::from(byte)),
                format!("https://g/?{}", char::from(byte)),
            ] {
                assert_eq!(head(&url, "g"), Some(HeadError::Path), "{url:?}");
            }
        }
    }

    #[test]
    fn a_body_is_there_unless_its_length_is_zero() {
        for (length, has_body, expected) in [
            (None, true, true),
            (None, false, false),
            (Some("0"), true, false),
            (Some("1"), true, true),
            (Some("00"), true, true),
            (Some("1"), false, false),
        ] {
            let headers = length.map(|length| ("content-length", length)).into_iter().collect();
            let head = Head::new("POST", "https://g/", headers, has_body).unwrap();
            assert_eq!(head.has_body(), expected, "{length:?}");
        }
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        for (text, is) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("::FFFF:c000:201", Some("192.0.2.1")),
            ("2001:DB8:0::1", Some("2001:db8::1")),
            ("::192.0.2.1", Some("::c000:201")),
            ("192.0.2.01", None),
            ("192.0.2.1:80", None),
            ("[2001:db8::1]", None),
            ("fe80::1%eth0", None),
            ("192.0.2.1, 192.0.2.2", None),
            ("", None),
        ] {
            assert_eq!(address(text).map(|address| address.to_string()).as_deref(), is, "{text}");
        }
    }
}
