//! Validates answers by the gate's own rules. Hints never quote what was given, because it may be a
//! secret in the wrong place.

use serde_json::{Value, json};
use writegate::policy::network::Network;
use writegate::policy::origin::{Origin, OriginPattern};
use writegate::policy::path::Pattern;
use writegate::{METHODS, Scheme, Timestamp, Upstream, UpstreamAuth};

use crate::{host, list};

pub(crate) type Checked = Result<String, String>;

fn when(right: bool, text: &str, hint: &str) -> Checked {
    right.then(|| text.to_owned()).ok_or_else(|| hint.to_owned())
}

/// Takes nothing, too.
pub(super) fn maybe(check: fn(&str) -> Checked) -> impl Fn(&str) -> Checked + Clone {
    move |text| if text.is_empty() { Ok(String::new()) } else { check(text) }
}

/// Takes a few words for a line of TOML: all keys together are one variable of 5 KB.
pub(crate) fn text(text: &str) -> Checked {
    let fits = (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
    when(fits, text, "expected some words on one line, of at most 200 bytes")
}

/// Returns a Worker's name, which is a label of a host name too.
pub(super) fn worker(name: &str) -> Checked {
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    when(fits, name, "expected 1 to 63 of a-z 0-9 and -, not at an end")
}

pub(super) fn account(id: &str) -> Checked {
    let fits =
        id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    when(fits, id, "expected the account's id, 32 of 0-9 a-f, as `npx wrangler whoami` prints it")
}

pub(super) fn domain(host: &str) -> Checked {
    let url = format!("https://{host}");
    // Only the name, before it is looked at as a host.
    let is_name = !host.contains([':', '/', '?', '#', '@', '\\']);
    if is_name {
        host::check(&url)?;
    }
    let fits = is_name
        && Origin::parse(&url).is_some()
        && host.contains('.')
        && !host.ends_with('.')
        && host.parse::<std::net::Ipv4Addr>().is_err();
    // Cloudflare's own form of it.
    let host = host.to_ascii_lowercase();
    when(fits, &host, "expected a host name of one of your zones, such as gate.example.com")
}

pub(crate) fn upstream(url: &str) -> Checked {
    host::check(url)?;
    let url = host::with_lower_scheme(url);
    Upstream::parse(&url).map(|_| url)
}

pub(crate) fn probe(path: &str) -> Checked {
    let fits = Pattern::parse(path).is_some_and(|path| !path.is_prefix());
    when(fits, path, "expected a path below the upstream, such as /me")
}

pub(super) fn method(name: &str) -> Checked {
    let name = name.trim().to_ascii_uppercase();
    let hint = format!("expected some of {}", METHODS.join(", "));
    when(METHODS.contains(&name.as_str()), &name, &hint)
}

/// Returns the paths at the gate that go to the API.
pub(crate) fn route(path: &str) -> Checked {
    when(
        Pattern::parse(path).is_some_and(|path| path.is_prefix()) && !path.starts_with("/_gate/"),
        path,
        "expected a path with a final /*, such as /cms/*",
    )
}

/// Returns a kind of credential.
pub(super) fn scheme(name: &str) -> Checked {
    let name = name.trim();
    let names = Scheme::ALL.map(Scheme::name);
    when(names.contains(&name), name, &format!("expected some of {}", names.join(", ")))
}

/// Returns a limit, and its period in seconds.
pub(super) fn rate(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('/').and_then(|(limit, period)| {
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (limit, period): (u32, u32) = match all_digits(limit) && all_digits(period) {
            true => (limit.parse().ok()?, period.parse().ok()?),
            false => return None,
        };
        (limit > 0 && [10, 60].contains(&period)).then_some((limit, period))
    });
    parsed.ok_or_else(|| {
        "expected a limit and its period of 10 or 60 seconds, such as 100/60".to_owned()
    })
}

/// Returns a path at the gate that goes to the API.
pub(super) fn path(path: &str, route: &str) -> Checked {
    list::one_path(path)?;
    let (Some(own), Some(route)) = (Pattern::parse(path), Pattern::parse(route)) else {
        return Err("expected paths such as /posts/1 or /posts/*".to_owned());
    };
    let hint = format!("expected paths at the gate, which all begin with {}", route.stem());
    when(route.matches(own.stem()), path, &hint)
}

pub(super) fn origin(text: &str) -> Checked {
    let text = text.trim();
    let hint = "expected origins such as https://www.example.com or https://*.example.com";
    host::pattern(text)?;
    when(OriginPattern::parse(text).is_some(), text, hint)
}

pub(super) fn network(text: &str) -> Checked {
    let text = text.trim();
    let hint = "expected addresses or networks such as 203.0.113.0/24";
    when(Network::parse(text).is_some(), text, hint)
}

/// Takes Turnstile's public key of a widget.
pub(super) fn site_key(text: &str) -> Checked {
    let hint = "expected a widget's site key such as 0x4AAAAAAADnPIDROrmt1Wwj, which is not its secret key";
    let (form, rest) = text.split_at_checked(2).unwrap_or_default();
    let fits = ["0x", "1x", "2x", "3x"].contains(&form)
        && (16..=28).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    when(fits, text, hint)
}

/// Returns a date, or a time.
pub(super) fn date(text: &str) -> Checked {
    let hint = "expected a date such as 2026-11-22";
    when(Timestamp::parse_rfc3339(text).is_some(), text, hint)
}

/// Validates the scheme of the API's token, and returns the `upstream_auth` for it with this secret.
pub(crate) fn auth(text: &str, secret: &str) -> Result<Value, String> {
    let (scheme, name) = match text.split_once(':') {
        Some(("header", name)) => ("header", Some(name.trim())),
        _ => (text, None),
    };
    let mut value = json!({ "scheme": scheme });
    if let Some(name) = name {
        value["name"] = json!(name);
    }
    let hint = "expected bearer, basic, header:NAME or cloudflare-global-key";
    UpstreamAuth::parse(String::new(), Some(value.clone())).map_err(|_error| hint.to_owned())?;
    value["secret"] = json!(secret);
    Ok(value)
}

/// Validates likewise, and returns the TOML for the token of a new gate.
pub(super) fn auth_of_new(text: &str) -> Checked {
    let value = auth(text, "WRITE_TOKEN")?;
    let members = ["scheme", "name", "secret"]
        .into_iter()
        .filter(|member| value.get(*member).is_some())
        .map(|member| format!("{member} = {}", value[member]));
    Ok(format!("{{ {} }}", members.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_is_written_as_the_gate_reads_it() {
        for (text, written) in [
            ("bearer", "{ scheme = \"bearer\", secret = \"WRITE_TOKEN\" }"),
            (
                "header:X-AUTH-TOKEN",
                "{ scheme = \"header\", name = \"X-AUTH-TOKEN\", secret = \"WRITE_TOKEN\" }",
            ),
        ] {
            assert_eq!(auth_of_new(text).as_deref(), Ok(written));
        }
        for wrong in ["", "Bearer", "header", "header:", "header:Host", "digest:x", "header:a b"] {
            assert!(auth_of_new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_s_paths_lie_where_the_api_is() {
        let cloudflare = "/client/v4/*";
        for right in ["/client/v4/*", "/client/v4/zones/*", "/client/v4/user"] {
            assert!(path(right, cloudflare).is_ok(), "{right}");
        }
        for wrong in ["/*", "/zones/*", "/client/v4", "client/v4/x", "/client/v4/../x", ""] {
            assert!(path(wrong, cloudflare).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_what_cloudflare_takes() {
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b"] {
            assert!(worker(wrong).is_err(), "{wrong}");
        }
        assert!(worker(&"a".repeat(63)).is_ok() && worker(&"a".repeat(64)).is_err());
        for wrong in
            ["", "localhost", "a.example:443", "https://a.example", "a.example/", "*.a.example"]
        {
            assert!(domain(wrong).is_err(), "{wrong}");
        }
        assert!(domain("img.example.com").is_ok());
        assert!(account(&"0f".repeat(16)).is_ok() && account(&"0F".repeat(16)).is_err());
    }
}
