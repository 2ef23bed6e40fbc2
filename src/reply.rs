//! What comes back from the upstream (contract section 5): which response headers are removed,
//! set or rewritten, and that the token is not among them.
//!
//! In scope: the decision over status and headers. Bodies stream and are not searched.

use crate::policy::origin::Origin;
use crate::route::Route;
use crate::upstream::Credential;

/// Response headers removed by name.
const REMOVED: [&str; 4] = [
    "set-cookie",
    "set-cookie2",
    "service-worker-allowed",
    "clear-site-data",
];
/// Response headers removed by how their name begins: the gate answers for CORS.
const REMOVED_PREFIX: &str = "access-control-";
/// What stands where the token stood.
const REDACTED: &str = "[redacted]";

/// The CORS headers that an answer to `origin` carries (Fetch, section 3.3.3): whoever holds the
/// credential may read the answer, from any page. Never `Allow-Credentials`.
#[must_use]
pub fn cors(origin: &str) -> [(&'static str, String); 2] {
    [
        ("access-control-allow-origin", origin.to_owned()),
        ("access-control-expose-headers", "*".to_owned()),
    ]
}

/// Changes to the headers of the upstream's response.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits<'h> {
    /// Headers that do not go to the caller.
    pub drop: Vec<&'h str>,
    /// Headers that are set, replacing whatever was there.
    pub set: Vec<(&'h str, String)>,
    /// The headers in which the token was found and redacted.
    pub echoed: Vec<&'h str>,
}

/// Decides what becomes of the upstream's response headers.
#[must_use]
pub fn edit<'h>(
    headers: &[(&'h str, &'h str)],
    route: &Route,
    credential: &Credential,
    request_id: &str,
    cors_origin: Option<&str>,
) -> Edits<'h> {
    let mut edits = Edits::default();
    let mut vary = None;
    for (name, value) in headers.iter().copied() {
        if REMOVED.contains(&name) || name.starts_with(REMOVED_PREFIX) {
            edits.drop.push(name);
            continue;
        }
        let rewritten = match name {
            "location" => own_location(value, route),
            _ => None,
        };
        let shown = rewritten.as_deref().unwrap_or(value);
        match redact(shown, credential) {
            Some(redacted) => {
                edits.echoed.push(name);
                edits.set.push((name, redacted));
            }
            None => edits.set.extend(rewritten.map(|location| (name, location))),
        }
        match name {
            "content-type" if is_active(value) => {
                edits
                    .set
                    .push(("content-security-policy", "sandbox".to_owned()));
            }
            "vary" => vary = Some(value),
            _ => {}
        }
    }
    edits.set.push(("x-request-id", request_id.to_owned()));
    edits
        .set
        .push(("x-content-type-options", "nosniff".to_owned()));
    if let Some(origin) = cors_origin {
        edits.set.extend(cors(origin));
        edits
            .set
            .extend(vary_by_origin(vary).map(|vary| ("vary", vary)));
    }
    edits
}

/// `Vary` with `Origin` in it; `None` when it is there already.
fn vary_by_origin(vary: Option<&str>) -> Option<String> {
    let Some(vary) = vary.filter(|vary| !vary.trim().is_empty()) else {
        return Some("Origin".to_owned());
    };
    let mut names = vary.split(',').map(str::trim);
    match names.any(|name| name == "*" || name.eq_ignore_ascii_case("origin")) {
        true => None,
        false => Some(format!("{vary}, Origin")),
    }
}

/// Whether a browser would run what is in a document of this type: HTML, XML and SVG.
fn is_active(content_type: &str) -> bool {
    content_type.split(',').any(|one| {
        let essence = one
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        essence == "text/html" || essence.ends_with("/xml") || essence.ends_with("+xml")
    })
}

/// A `Location` on the upstream as the gate's path. One elsewhere, and a relative one, stays; one
/// on the upstream that no path of this route leads to is made absolute, for as a path it would
/// mean something else at the gate.
fn own_location(location: &str, route: &Route) -> Option<String> {
    let upstream = &route.upstream;
    let (scheme, _) = upstream.origin().split_once("://")?;
    let absolute = match location {
        network if network.starts_with("//") => format!("{scheme}:{network}"),
        path if path.starts_with('/') => format!("{}{path}", upstream.origin()),
        other if other.contains("://") => other.to_owned(),
        _relative => return None,
    };
    if Origin::of_url(&absolute) != Origin::parse(upstream.origin()) {
        return None;
    }
    let (_, rest) = absolute.split_once("://")?;
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let target = rest.get(at..)?;
    let below = target
        .strip_prefix(upstream.base())
        .and_then(|rest| rest.strip_prefix('/'));
    match (route.path.is_prefix(), below) {
        (true, Some(below)) => Some(format!("{}{below}", route.path.stem())),
        (true, None) | (false, _) => Some(absolute),
    }
}

/// `value` with every guarded part of the credential, raw or percent-encoded, replaced; `None`
/// when there is none in it.
fn redact(value: &str, credential: &Credential) -> Option<String> {
    let mut redacted = None;
    for part in credential.guarded() {
        let text = redacted.as_deref().unwrap_or(value);
        redacted = replace_encoded(text, part.expose()).or(redacted);
    }
    redacted
}

/// `text` with every occurrence of `needle` replaced, where every byte of it may be
/// percent-encoded; `None` when there is none.
fn replace_encoded(text: &str, needle: &[u8]) -> Option<String> {
    let mut replaced = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        match encoded_len(text.as_bytes().get(at..)?, needle) {
            Some(length) => {
                replaced.push_str(text.get(copied..at)?);
                replaced.push_str(REDACTED);
                at = at.checked_add(length)?;
                copied = at;
            }
            None => at = at.checked_add(1)?,
        }
    }
    if copied == 0 {
        return None;
    }
    replaced.push_str(text.get(copied..)?);
    Some(replaced)
}

/// How many bytes `needle` takes up at the beginning of `text`, raw or percent-encoded; `None`
/// when it does not stand there.
fn encoded_len(text: &[u8], needle: &[u8]) -> Option<usize> {
    let mut rest = text.iter();
    for wanted in needle {
        let byte = *rest.next()?;
        if byte == *wanted {
            continue;
        }
        let decoded = match (byte, rest.next(), rest.next()) {
            (b'%', Some(high), Some(low)) => {
                hex(*high)?.checked_mul(16)?.checked_add(hex(*low)?)?
            }
            _ => return None,
        };
        if decoded != u32::from(*wanted) {
            return None;
        }
    }
    text.len()
        .checked_sub(rest.len())
        .filter(|length| *length > 0)
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

/// `Content-Length` of a response, when it is there.
#[must_use]
pub fn content_length(headers: &[(&str, &str)]) -> Option<u64> {
    let (_, value) = headers.iter().find(|(name, _)| *name == "content-length")?;
    value.parse().ok()
}

/// Whether an answer of this status to this method has a body (RFC 9110 section 6.4.1).
#[must_use]
pub fn has_body(method: &str, status: u16) -> bool {
    method != "HEAD" && !matches!(status, 204 | 205 | 304)
}

/// Whether a status is one with which a `Response` can be made (Fetch, section 2.2.3).
#[must_use]
pub const fn is_final_status(status: u16) -> bool {
    matches!(status, 200..=599)
}

/// What the Cloudflare edge answers for an upstream that cannot be reached.
#[must_use]
pub const fn is_unreachable(status: u16) -> bool {
    matches!(status, 520..=527 | 530)
}

/// Whether a status is one after which a request may be sent again.
#[must_use]
pub const fn is_transient(status: u16) -> bool {
    matches!(status, 429 | 502..=504) || is_unreachable(status)
}

/// What a refusal of the gate's own token most likely means; `code` is the Cloudflare API's error
/// code, for the API that has them.
#[must_use]
pub const fn rejection_hint(status: u16, code: Option<u64>) -> &'static str {
    match (code, status) {
        (Some(1000 | 9109), _) => {
            "the Cloudflare API says the token is invalid: it was rolled, deleted or has expired; put a new one"
        }
        (Some(6003 | 6111 | 9106), _) => {
            "the Cloudflare API could not read the credential: put the bare token, without Bearer or quotes, and check upstream_auth.scheme"
        }
        (Some(9103), _) => {
            "the Cloudflare API does not know this email and global key: prefer an API token with upstream_auth.scheme = bearer"
        }
        (Some(10_000), _) => {
            "the Cloudflare API refused the token for this call: check the permissions and the account or zone the token is for"
        }
        (_, 403) => {
            "the upstream knows the token and does not let it do this: check its permissions"
        }
        (_, _) => {
            "the upstream does not take the token: it was revoked or has expired, or belongs to another environment; put a new one"
        }
    }
}

/// The first error code of a Cloudflare API answer (`{"success":false,"errors":[{"code":…}]}`).
#[must_use]
pub fn cloudflare_code(body: &[u8]) -> Option<u64> {
    let value = crate::json::parse(body)?;
    value.get("errors")?.get(0)?.get("code")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KnownToken;
    use crate::secret::Secret;
    use serde_json::json;

    fn route(path: &str, upstream: &str) -> Route {
        Route::parse("ROUTES[0]", json!({"path": path, "upstream": upstream})).unwrap()
    }

    fn credential(token: &str) -> Credential {
        let (token, root) = (Secret::new(token), Secret::new("r".repeat(32)));
        let known = KnownToken::read("T", &token, None, &root).unwrap();
        let route = route("/*", "https://a.example");
        route.auth.credential(&known).unwrap()
    }

    #[test]
    fn a_location_on_the_upstream_becomes_the_gate_s_path() {
        let cms = route("/cms/*", "https://api.example.com/v1");
        let own = |location| own_location(location, &cms);
        assert_eq!(own("/v1/posts/1?a#b").as_deref(), Some("/cms/posts/1?a#b"));
        assert_eq!(
            own("https://API.example.com:443/v1/x").as_deref(),
            Some("/cms/x")
        );
        assert_eq!(own("//api.example.com/v1/x").as_deref(), Some("/cms/x"));
        assert_eq!(
            own("/login").as_deref(),
            Some("https://api.example.com/login")
        );
        assert_eq!(
            own("/v1x/y").as_deref(),
            Some("https://api.example.com/v1x/y")
        );
        assert_eq!(own("posts/1"), None);
        assert_eq!(own("https://elsewhere.example/v1/x"), None);
        assert_eq!(own("https://api.example.com.evil.example/v1/x"), None);
        let whole = route("/*", "https://api.example.com");
        assert_eq!(own_location("/x", &whole).as_deref(), Some("/x"));
    }

    #[test]
    fn a_token_is_redacted_raw_and_percent_encoded() {
        let token = credential("tok~en/+12");
        let redacted = |value| redact(value, &token);
        assert_eq!(
            redacted("a tok~en/+12 b").as_deref(),
            Some("a [redacted] b")
        );
        assert_eq!(
            redacted("x?t=tok~en%2F%2b12&y").as_deref(),
            Some("x?t=[redacted]&y")
        );
        assert_eq!(
            redacted("tok~en%2f+12tok~en/+12").as_deref(),
            Some("[redacted][redacted]")
        );
        let itself = credential("[redacted]");
        assert_eq!(redact("[redacted]", &itself).as_deref(), Some("[redacted]"));
        assert_eq!(redacted("tok~en/+1"), None);
        assert_eq!(redacted("%"), None);
        assert_eq!(redacted("ü%zz"), None);
    }

    #[test]
    fn active_types_are_sandboxed() {
        for active in [
            "text/html",
            "Text/HTML; charset=utf-8",
            "image/svg+xml",
            "application/xml",
            "text/xml;x",
            "application/xhtml+xml",
            "text/plain, text/html",
        ] {
            assert!(is_active(active), "{active}");
        }
        for passive in [
            "application/json",
            "text/plain",
            "image/png",
            "text/htmlx",
            "",
        ] {
            assert!(!is_active(passive), "{passive}");
        }
    }

    #[test]
    fn vary_gains_origin_once() {
        assert_eq!(vary_by_origin(None).as_deref(), Some("Origin"));
        assert_eq!(
            vary_by_origin(Some("Accept")).as_deref(),
            Some("Accept, Origin")
        );
        assert_eq!(vary_by_origin(Some("Accept, origin")), None);
        assert_eq!(vary_by_origin(Some("*")), None);
    }

    #[test]
    fn the_cloudflare_api_s_code_is_read() {
        let body =
            br#"{"success":false,"errors":[{"code":9109,"message":"Invalid access token"}]}"#;
        assert_eq!(cloudflare_code(body), Some(9109));
        assert_ne!(rejection_hint(401, Some(9109)), rejection_hint(401, None));
        assert_eq!(cloudflare_code(b"<html>"), None);
    }
}
