//! The host and the port of a URL as an argument, read as browsers, Node and workerd read them (the WHATWG URL Standard, by
//! the crate `url`).
//!
//! The gate compares hosts as they are sent: in lower case, in ASCII, an address in its shortest form. A URL that is
//! written in another way, and that they would rewrite, is refused here with the part that is at fault.

use ::url::{ParseError, Url};

type Checked<T> = Result<T, String>;

/// The parts of a URL before its path.
struct Parts<'u> {
    scheme: &'u str,
    authority: &'u str,
    rest: &'u str,
}

fn parts(url: &str) -> Option<Parts<'_>> {
    let (scheme, after) = url.split_once("://")?;
    let end = after.find(['/', '?', '#', '\\']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    Some(Parts { scheme, authority, rest })
}

/// Refuses a URL or an origin whose host or port clients read differently from the text. Accepts other schemes than http
/// and https, and texts that are not URLs, because other checks refuse them.
pub(crate) fn check(url: &str) -> Checked<()> {
    let Some(Parts { scheme, authority, .. }) = parts(url).filter(|parts| is_web(parts.scheme))
    else {
        return Ok(());
    };
    if authority.contains('@') {
        return Err("has a user or a password in it: leave out what is before the @".to_owned());
    }
    let (host, port) = split(authority);
    if port.is_some_and(|port| !is_port(port)) {
        return Err("has a port that is not a number from 1 to 65535".to_owned());
    }
    let read = read(scheme, host)?;
    if host.split('.').rev().skip(1).any(str::is_empty) {
        return Err(
            "has a host with nothing between two of its dots, or before the first".to_owned()
        );
    }
    if host.eq_ignore_ascii_case(&read) {
        return Ok(());
    }
    // A secret in the wrong place is ASCII, so it is never repeated here.
    let is_address = read.starts_with('[') || read.parse::<std::net::Ipv4Addr>().is_ok();
    Err(match (host.is_ascii(), is_address) {
        (false, _) => format!("has a host that is not ASCII: write it as {read}"),
        (true, true) => format!("has a host that is another way to write {read}: write that"),
        (true, false) => "has a host with percent-encoding: write its letters".to_owned(),
    })
}

/// Checks a pattern of origins, `https://*.example.com`, likewise.
pub(crate) fn pattern(text: &str) -> Checked<String> {
    check(&text.replacen("://*.", "://", 1))?;
    Ok(text.to_owned())
}

/// Returns the URL as a client sends it.
pub(crate) fn normalized(url: &str) -> Checked<String> {
    let Some(Parts { scheme, authority, rest }) = parts(url).filter(|parts| is_web(parts.scheme))
    else {
        return Ok(url.to_owned());
    };
    let (host, port) = split(authority);
    let read = read(scheme, host)?;
    // Letters are compared without their case, and an example stays as it was given.
    let host = if host.eq_ignore_ascii_case(&read) { host } else { &read };
    match port {
        None | Some("") => Ok(format!("{scheme}://{host}{rest}")),
        Some(port) if port.parse::<u16>().is_ok() => Ok(format!("{scheme}://{host}:{port}{rest}")),
        Some(_) => Err("has a port that is not a number".to_owned()),
    }
}

/// Returns the URL with its scheme in lower case.
pub(crate) fn with_lower_scheme(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => url.to_owned(),
    }
}

fn is_web(scheme: &str) -> bool {
    ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web))
}

/// Returns host and port of an authority; the colons of an IPv6 address are the host's.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port)
}

/// Returns the host as the Standard reads it.
fn read(scheme: &str, host: &str) -> Checked<String> {
    // The parser drops them, wherever they are.
    let is_dropped = |c: char| c.is_control() || c == ' ';
    let wrong = |why: &str| format!("has a host that is not valid{why}");
    if host.contains(is_dropped) || host.contains('@') {
        return Err(wrong(": it has spaces or control characters in it"));
    }
    let parsed = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| match error {
        ParseError::EmptyHost => "has no host".to_owned(),
        ParseError::InvalidIpv4Address => wrong(": it ends like an IPv4 address but is not one"),
        ParseError::InvalidIpv6Address => wrong(": the brackets hold no IPv6 address"),
        ParseError::IdnaError => wrong(" in any language (IDNA)"),
        _ => wrong(""),
    })?;
    // A colon is a port's, which `split` took.
    if parsed.port().is_some() {
        return Err(wrong(""));
    }
    parsed.host_str().map(str::to_owned).ok_or_else(|| "has no host".to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;
    use testkit::program::run;

    use super::*;

    /// Reads URLs as Node does, which reads them as browsers do.
    const SCRIPT: &str = "
        const urls = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        const read = (text) => { try { const { hostname, port } = new URL(text); return [hostname, port] } catch { return null } };
        console.log(JSON.stringify(urls.map(read)));";
    const LABELS: [&str; 22] = [
        "gate", "GATE", "bücher", "BÜCHER", "xn--bcher-kva", "XN--BCHER-KVA", "xn--a", "xn--",
        "a_b", "-a", "g%61te", "%00", "gate%2e", "straße", "ｇａｔｅ", "日本", "a\u{ad}b",
        "a\u{200d}b", "127", "0x7f", "01", "",
    ];
    const DOTS: [&str; 4] = [".", "。", "．", ".."];
    const ENDS: [&str; 7] = ["example", "example.", "1", "0.1", "256", "com。", "0x"];
    const WHOLE: [&str; 22] = [
        "[::1]", "[0:0:0:0:0:0:0:1]", "[::FFFF:1.2.3.4]", "[::1%25eth0]", "[::g]", "[1.2.3.4]",
        "[::1", "::1", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "127.0.0.1.", "1.2.3.4.5",
        "0300.0.0.1", "localhost", "", ".", "a b", "a\tb", "a<b", "a|b",
    ];
    const PORTS: [&str; 9] = ["", ":", ":0", ":80", ":443", ":00443", ":8443", ":65536", ":a"];

    fn hosts() -> Vec<String> {
        let mut hosts: Vec<String> = WHOLE.map(str::to_owned).into();
        for label in LABELS {
            for dot in DOTS {
                hosts.extend(ENDS.map(|end| format!("{label}{dot}{end}")));
            }
        }
        hosts
    }

    /// Returns Node's reading of each: host, and port where it is not the scheme's.
    fn by_node(urls: &[String]) -> Vec<Option<(String, String)>> {
        let output = run(Command::new("node").args(["-e", SCRIPT]), &json!(urls).to_string());
        serde_json::from_str(&output).unwrap()
    }

    #[test]
    fn what_is_taken_is_read_by_node_as_it_is_written_and_all_else_is_rewritten_alike() {
        let mut urls = Vec::new();
        for host in hosts() {
            for port in PORTS {
                urls.extend(["https", "HTTP"].map(|scheme| format!("{scheme}://{host}{port}/x")));
            }
        }
        let (mut taken, mut rewritten) = (0, 0);
        for (url, node) in urls.iter().zip(by_node(&urls)) {
            let Parts { authority, .. } = parts(url).unwrap();
            let (host, port) = split(authority);
            if check(url).is_ok() {
                let (read, read_port) =
                    node.clone().unwrap_or_else(|| panic!("Node refuses {url}"));
                assert_eq!(host.to_ascii_lowercase(), read, "{url}");
                let standard = if url.starts_with("https") { "443" } else { "80" };
                assert_eq!(
                    port.filter(|port| *port != standard).unwrap_or_default(),
                    read_port,
                    "{url}"
                );
                assert_eq!(normalized(url).as_ref(), Ok(url));
                taken += 1;
            } else if node.as_ref().is_some_and(|(read, _)| read.eq_ignore_ascii_case(host)) {
                // Stricter than the Standard in these.
                assert!(
                    host.contains("..")
                        || host.starts_with('.')
                        || host.is_empty()
                        || !port.is_none_or(is_port),
                    "{url}"
                );
            }
            match (normalized(url), node) {
                (Ok(sent), Some((read, _))) => {
                    let Parts { authority, rest, .. } = parts(&sent).unwrap();
                    assert!(
                        split(authority).0.eq_ignore_ascii_case(&read) && rest == "/x",
                        "{url} {sent}"
                    );
                    rewritten += usize::from(sent != *url);
                }
                (Ok(sent), None) => panic!("Node refuses {url}, and here it is {sent}"),
                (Err(said), _) => assert!(said.starts_with("has "), "{said}"),
            }
        }
        assert!(taken > 150 && rewritten > 1_000, "{taken} {rewritten}");
    }

    #[test]
    fn the_part_at_fault_is_named() {
        for (url, words) in [
            ("https://bücher.example/", "write it as xn--bcher-kva.example"),
            ("https://gate。example", "write it as gate.example"),
            ("https://g%61te.example", "percent-encoding"),
            ("https://user:pass@gate.example", "user or a password"),
            ("https://127.1", "write 127.0.0.1"),
            ("https://[0:0::1]:8787", "write [::1]"),
            ("https://gate.example:0", "port"),
            ("https://gate.example:", "port"),
            ("https://gate..example", "dots"),
            ("https://1.2.3.4.5", "IPv4"),
            ("https://[::g]", "IPv6"),
            ("https://xn--a.example", "IDNA"),
            ("https:///x", "no host"),
            ("https://gate example/", "spaces"),
        ] {
            let said = check(url).unwrap_err();
            assert!(said.contains(words), "{url}: {said}");
        }
        for url in [
            "https://GATE.example.:443/x?y",
            "capacitor://lo%63al",
            "gate.example",
            "/x",
            "http://[::1]:8787",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
