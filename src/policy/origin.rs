//! Web origins (RFC 6454) and the patterns for them in key records. They are compared by scheme, host
//! and port; a default port equals no port.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::digits;

/// The scheme, host and port of an `Origin` header, of a `Referer`, or of the gate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Parses a serialized origin, `scheme://host[:port]` and nothing else. Returns `None` for `null`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let named = letters.next()?.is_ascii_alphabetic()
            && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !named {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_authority(authority)?;
        let port = match port {
            None => None,
            Some(digits) => Some(digits::parse(digits)?)
                .filter(|port| !matches!((scheme.as_str(), *port), ("http", 80) | ("https", 443))),
        };
        Some(Self { scheme, host: canonical_host(host)?, port })
    }

    /// Returns the host in lower case, without the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns true if the origin is on the caller's own machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns the origin of a URL, such as a `Referer`; `None` when the URL has userinfo or no host.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        Self::parse(&format!("{scheme}://{authority}"))
    }
}

/// Returns a host in the spelling in which it is compared. Returns `None` for one that no browser sends: it reads a host that ends
/// in a number as an IPv4 address (URL Standard, section 3.5), and sends its four numbers.
fn canonical_host(host: &str) -> Option<String> {
    match address(host) {
        Some(IpAddr::V6(address)) => Some(format!("[{address}]")),
        None if ends_in_number(host) => None,
        Some(IpAddr::V4(_)) | None => Some(host.to_ascii_lowercase()),
    }
}

fn ends_in_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    match last.get(..2) {
        Some("0x" | "0X") => last.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit()),
        Some(_) | None => last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Returns the address that a host is.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Splits an authority without userinfo into host and port digits. The host consists of letters, digits,
/// `.`, `-` and `_`, or is an IPv6 address in brackets.
pub(crate) fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    };
    let named = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    (named || address(host).is_some()).then_some((host, port))
}

/// Returns true if a host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// A pattern for origins: an origin, or `scheme://*.host[:port]`, where `*.` stands for one or more
/// labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    origin: Origin,
    subdomains: bool,
}

impl OriginPattern {
    /// Parses a pattern. Returns `None` for a trailing `/`, a path, a `*` elsewhere, or one before an address, which has no
    /// labels.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let (host, subdomains) = match authority.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (authority, false),
        };
        let origin = Origin::parse(&format!("{scheme}://{host}"))?;
        (!subdomains || address(&origin.host).is_none()).then_some(Self { origin, subdomains })
    }

    /// Returns true if it matches origins of the caller's own machine only.
    pub fn is_loopback(&self) -> bool {
        self.origin.is_loopback()
    }

    /// Returns true if the pattern matches `origin`.
    pub fn matches(&self, origin: &Origin) -> bool {
        let host = match self.subdomains {
            false => self.origin.host == origin.host,
            true => origin
                .host
                .strip_suffix(self.origin.host.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty() && !labels.split('.').any(str::is_empty)),
        };
        host && self.origin.scheme == origin.scheme && self.origin.port == origin.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, origin: &str) -> bool {
        let origin = Origin::parse(origin);
        OriginPattern::parse(pattern).unwrap().matches(&origin.unwrap())
    }

    #[test]
    fn origins_compare_as_scheme_host_and_port() {
        assert!(matches("https://www.example.com", "https://www.example.com"));
        assert!(matches("https://www.example.com", "https://WWW.example.com:443"));
        assert!(matches("HTTPS://www.Example.com:0443", "https://www.example.com"));
        assert!(matches("http://[::1]:80", "http://[::1]"));
        assert!(matches("http://[0:0:0:0:0:0:0:1]", "http://[::1]"));
        assert!(matches("https://[2001:DB8:0::1]", "https://[2001:db8::1]"));
        assert!(matches("https://[::ffff:203.0.113.7]", "https://[::ffff:cb00:7107]"));
        assert!(!matches("https://[2001:db8::1]", "https://[2001:db8::2]"));
        assert!(matches("https://203.0.113.7:443", "https://203.0.113.7"));
        assert!(matches("https://1password.com", "https://1password.com"));
        // Only hexadecimal digits make it a number.
        assert!(matches("https://a.0xyz", "https://A.0XYZ"));
        assert!(!matches("https://www.example.com", "https://www.example.com."));
        assert!(matches("http://localhost:8080", "http://localhost:8080"));
        assert!(!matches("https://www.example.com", "http://www.example.com"));
        assert!(!matches("https://www.example.com", "https://www.example.com:8443"));
        assert!(!matches("https://www.example.com", "https://www.example.com.evil.com"));
        assert!(!matches("https://example.com", "https://evilexample.com"));
        assert!(!matches("https://example.com:80", "https://example.com"));
        assert!(!matches("https://www.example.com", "https://evilwww.example.com"));
        assert!(!matches("https://www.example.com", "https://www.example.com:4430"));
    }

    #[test]
    fn a_star_matches_one_or_more_labels() {
        assert!(matches("https://*.example.com", "https://a.example.com"));
        assert!(matches("https://*.example.com", "https://a.b.example.com"));
        assert!(!matches("https://*.example.com", "https://example.com"));
        assert!(!matches("https://*.example.com", "https://.example.com"));
        assert!(!matches("https://*.example.com", "https://evilexample.com"));
        assert!(!matches("https://*.example.com", "https://a..example.com"));
        assert!(!matches("https://*.example.com", "https://a.example.com.evil.example"));
        assert!(!matches("https://*.example.com", "https://a.example.com:8443"));
        assert!(!matches("https://*.example.com", "http://a.example.com"));
    }

    #[test]
    fn what_is_no_origin_does_not_parse() {
        for text in [
            "null", "", "https://", "example.com", "https://a/", "https://a/.b", "https://u@a",
            "https://a:", "https://a:x", "https://a:+1", "https://a:99999", "https://[::1",
            "https://a b", "https://a, https://b", "://a", "1a://b", "h_t://b", "https://[:]",
            "https://[]", "https://[a]", "https://a[b", "https://[1.2.3.4]", "https://[::1%251]",
            "https://::1", "https://a:80:90", "https://[::1]8", "https://b\u{fc}cher.example",
            // What a browser sends is 127.0.0.1, or nothing.
            "https://127.1", "https://127.0.0.01", "https://127.0.0.1.", "https://2130706433",
            "https://0x7f.0.0.1", "https://0X7F000001", "https://127.0.0.0x1", "https://0x",
            "https://a.0xf", "https://a.0x.", "https://1.2.3.4.5", "https://256.0.0.1",
            "https://example.1",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        for text in [
            "https://*", "https://*.", "https://a.*.b", "*", "https://a/*", "https://*.[::1]",
            "https://*.127.0.0.1",
        ] {
            assert_eq!(OriginPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_referer_is_reduced_to_its_origin() {
        assert_eq!(
            Origin::of_url("https://www.example.com/a?b#c"),
            Origin::parse("https://www.example.com")
        );
        assert_eq!(Origin::of_url("https://u@www.example.com/"), None);
        assert_eq!(Origin::of_url("about:blank"), None);
    }
}
